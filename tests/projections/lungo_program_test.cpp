// The programs `lungo` and `lungo-replay` as they lie beside each other in the build tree.
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/projections/replay_tool.hpp"
#include "tests/samples/program.hpp"

namespace lungo::test {
namespace {

std::string program(const std::string& name) { return std::string(LUNGO_PROGRAMS) + '/' + name; }

Finished lungo(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), program("lungo"));
  return test::run(arguments);
}

TEST(LungoProgram, HelpNamesTheToolsThatThereAre) {
  const Finished help = lungo({"--help"});
  EXPECT_EQ(help.status, 0);
  std::istringstream lines{help.out};
  int tools = 0;
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("  ") || line.starts_with("    ")) continue;  // the rest of one
    ++tools;
    const std::string tool = line.substr(2, line.find(' ', 2) - 2);
    EXPECT_TRUE(std::filesystem::exists(program("lungo-" + tool))) << line;
    EXPECT_EQ(lungo({tool, "--help"}).status, 0) << line;
  }
  EXPECT_GE(tools, 1) << help.out;
}

TEST(LungoProgram, UnknownToolIsRefused) {
  for (const char* tool : {"admin", "", "-x", "../lungo-replay"}) {
    const Finished refused = lungo({tool});
    EXPECT_EQ(refused.status, 2) << tool;
    EXPECT_NE(refused.err.find("no tool"), std::string::npos) << refused.err;
  }
  EXPECT_EQ(lungo({}).status, 2);
}

TEST_F(ReplayToolTest, LungoFindsTheToolBesideItself) {
  const Finished list = lungo({"replay", "list", "--data", data});
  EXPECT_EQ(list.status, 0) << list.err;
  EXPECT_EQ(list.out, run({"list"}, false).out);
}

/// An application that prints how it was called.
std::string make_application(const TempDirectory& directory) {
  std::string path = directory / "application";
  std::ofstream(path) << "#!/bin/sh\nprintf '%s|' \"$@\"\nexit 3\n";
  std::filesystem::permissions(path, std::filesystem::perms::owner_all);
  return path;
}

TEST(ReplayApp, RunsTheApplicationsOwnTool) {
  const TempDirectory directory;
  const std::string application = make_application(directory);
  const Finished first = lungo({"replay", "--app", application, "--data", "d", "rebuild", "Top Pages", "--json"});
  EXPECT_EQ(first.status, 3) << first.err;
  EXPECT_EQ(first.out, "replay|--data|d|rebuild|Top Pages|--json|");
  EXPECT_EQ(lungo({"replay", "rebuild", "--app=" + application}).out, "replay|rebuild|");
  EXPECT_EQ(lungo({"replay", "--app", application, "show", "--", "--app"}).out, "replay|show|--|--app|");
}

TEST(ReplayApp, ApplicationThatIsNotThereIsNamed) {
  const Finished none = lungo({"replay", "--app", "/nowhere/application", "rebuild"});
  EXPECT_EQ(none.status, 1);
  EXPECT_NE(none.err.find("/nowhere/application: No such file"), std::string::npos) << none.err;
  EXPECT_EQ(lungo({"replay", "rebuild", "--app"}).status, 2);
}

TEST_F(ReplayToolTest, ToolInOneLinePassesOverTheWordReplay) {
  const char* arguments[] = {"shop", "replay", "list", "--data", data.c_str()};
  const char* without[] = {"shop", "list", "--data", data.c_str()};
  testing::internal::CaptureStdout();
  EXPECT_EQ(replay_main<TopPages>(5, arguments), 0);
  EXPECT_EQ(replay_main<TopPages>(4, without), 0);
  std::fflush(stdout);
  const std::string out = testing::internal::GetCapturedStdout();
  EXPECT_EQ(out.substr(0, out.size() / 2), out.substr(out.size() / 2));
}

class ReplayPipe : public ReplayToolTest {
 protected:
  ReplayPipe() {
    EventBatch batch = store->batch("events").value();
    for (int page = 0; page < 20'000; ++page)  // more than a pipe holds
      batch.add(StreamId{"visit", "ann"}, PageViewed{"/page/" + std::to_string(page), "ann", 1}).value();
    store->append_wait(std::move(batch)).value();
    engine->catch_up(std::chrono::seconds{30}).value();
  }
  Finished shell(const std::string& script) {
    return test::run({"/bin/sh", "-c", script, "sh", program("lungo-replay"), data});
  }
};

TEST_F(ReplayPipe, ReaderThatHasSeenEnoughEndsItQuietly) {
  for (const char* command : {"show TopPages", "show TopPages --json", "events visit-ann", "events --topic events"}) {
    const std::string show = std::string("\"$1\" --data \"$2\" ") + command;
    // As a shell starts it (SIGPIPE ends it), and where the signal is ignored (the write fails).
    for (const char* prefix : {"", "trap '' PIPE; "}) {
      const Finished head = shell(prefix + ("{ " + show + "; echo \"status $?\" >&2; } | head -n 2"));
      EXPECT_EQ(std::count(head.out.begin(), head.out.end(), '\n'), 2) << head.out;
      EXPECT_TRUE(head.err == "status 0\n" || head.err == "status 141\n") << command << ": " << head.err;
    }
  }
}

TEST_F(ReplayPipe, OutputThatCanNotBeWrittenIsAnError) {
  const Finished full = shell("\"$1\" --data \"$2\" show TopPages >/dev/full");
  EXPECT_EQ(full.status, 1);
  EXPECT_NE(full.err.find("standard output: No space left on device"), std::string::npos) << full.err;
}

}  // namespace
}  // namespace lungo::test
