// The replay tool over the tracker's own data: as lungo-replay, as the tracker's, and as `lungo replay --app`.
#include <gtest/gtest.h>

#include <fstream>

#include "tests/samples/tracker_directory.hpp"
#include "tests/support/access_log_generator.hpp"

namespace lungo::test {
namespace {

class ReplayTracker : public ::testing::Test {
 protected:
  ReplayTracker() { std::ofstream{log(), std::ios::binary} << generate_access_log({.lines = 3'000, .seed = 9}); }
  [[nodiscard]] std::string log() const { return directory_ / "access.log"; }
  [[nodiscard]] std::string data() const { return directory_ / "data"; }
  [[nodiscard]] Finished replay(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), {LUNGO_PROGRAM, "replay", "--data", data()});
    return run(arguments);
  }

  TempDirectory directory_;
};

TEST_F(ReplayTracker, RebuildThroughTheApplicationGivesTheLiveRows) {
  import_json(data(), {log()});
  const std::map<std::string, std::string> live = rows_of(data());
  ASSERT_FALSE(live.at("TopTargets").empty());
  const Finished refused = replay({"rebuild"});
  EXPECT_EQ(refused.status, 1);
  EXPECT_NE(refused.err.find("--app"), std::string::npos) << refused.err;
  const Finished rebuilt = replay({"--app", LUNGO_WEB_TRACKER, "rebuild"});
  EXPECT_EQ(rebuilt.status, 0) << rebuilt.err;
  EXPECT_NE(replay({"list"}).out.find("TopTargets\t"), std::string::npos);
  EXPECT_NE(replay({"list", "--json"}).out.find("\"generation\":2"), std::string::npos) << rebuilt.out;
  expect_same_rows(live, rows_of(data()));
}

TEST_F(ReplayTracker, LooksBesideARunningFollowAndRebuildIsRefusedThere) {
  Program program{tracker_command(data(), {"--follow", log()})};
  ASSERT_TRUE(eventually([&] {
    return replay({"show", "HitsPerDay", "--json"}).out.find("\"hits\":") != std::string::npos;
  })) << program.err();
  for (const std::vector<std::string>& command :
       {std::vector<std::string>{"list"}, {"status"}, {"events", "--topic", "sessions"}})
    EXPECT_EQ(replay(command).status, 0) << command[0];
  const Finished refused = replay({"--app", LUNGO_WEB_TRACKER, "rebuild"});
  EXPECT_EQ(refused.status, 1);
  EXPECT_NE(refused.err.find("the application runs"), std::string::npos) << refused.err;
  program.send(SIGKILL);
  program.wait();
  EXPECT_EQ(replay({"list"}).status, 0);
  EXPECT_EQ(replay({"events", "--topic", "failed-events", "--json"}).status, 0);
  const Finished rebuilt = replay({"--app", LUNGO_WEB_TRACKER, "rebuild"});
  EXPECT_EQ(rebuilt.status, 0) << rebuilt.err;
}

}  // namespace
}  // namespace lungo::test
