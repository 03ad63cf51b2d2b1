// What can't be followed, and what is not there yet.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <string>
#include <vector>

#include "tests/samples/tracker_fixture.hpp"

namespace lungo::test {
namespace {

class WrongFollow : public TrackerTest {
 protected:
  // It must end by itself; one that waits for ever is killed when `program` goes.
  void expect_failed(const std::vector<std::string>& arguments, const std::string& reason) {
    Program program{tracker_command(data(), arguments)};
    EXPECT_TRUE(eventually([&] { return !program.is_running(); })) << program.err();
    EXPECT_EQ(program.ended_with(), 1);
    EXPECT_NE(program.err().find(reason), std::string::npos) << program.err();
    EXPECT_EQ(program.err().find("going on"), std::string::npos) << program.err();
  }
};

TEST_F(WrongFollow, FileThatCanNeverBeFollowedEndsTheRun) {
  write(log(), "\x1f\x8b and so on");
  const std::string pipe = directory_ / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  for (const bool exits : {false, true}) {
    const auto follow = [&](const std::string& path) {
      std::vector<std::string> arguments{"--follow", path};
      if (exits) arguments.emplace_back("--exit");
      return arguments;
    };
    expect_failed(follow(log()), "can't be followed: it is compressed");
    expect_failed(follow(pipe), "can't be followed: it is no regular file");
    expect_failed(follow(directory_.path()), "can't be followed: it is a directory");
    expect_failed(follow("-"), "can't be followed: it is standard input");
  }
}

TEST_F(WrongFollow, MissingFileIsWaitedForAndThatIsToldOnce) {
  Program program{tracker_command(data(), {"--follow", log()})};
  const std::string told = "waiting for " + log();
  ASSERT_TRUE(eventually([&] { return program.err().find(told) != std::string::npos; })) << program.err();
  write(log(), std::string{kLine});
  std::shared_ptr<EventLog> beside;
  EXPECT_TRUE(eventually([&] {
    if (!beside) beside = look_into(data());
    return beside && records_in(*beside, "events") == 1;
  })) << program.err();
  program.send(SIGTERM);
  EXPECT_EQ(program.wait(), 0) << program.err();
  EXPECT_EQ(program.err().find(told), program.err().rfind(told)) << program.err();
}

TEST_F(WrongFollow, MissingFileIsAnErrorWhereNobodyWaits) {
  expect_failed({"--exit", "--follow", log()}, log() + ": No such file");
}

}  // namespace
}  // namespace lungo::test
