// The replay tool on a real data directory: what it prints, what it refuses, and that it rebuilds.
#include <gtest/gtest.h>

#include <fstream>

#include <lungo/log/local_event_log.hpp>
#include <lungo/projections/replay.hpp>
#include "tests/projections/shop_projections.hpp"
#include "tests/support/temp_directory.hpp"

namespace lungo::test {
namespace {

using namespace std::chrono_literals;

struct Ran {
  int status = 0;
  std::string out;
  std::string err;
};

class ReplayToolTest : public testing::Test {
 protected:
  ReplayToolTest() : data(directory / "data") {
    log = open_local(data).value();
    store.emplace(log);
    store->stream_topic("events", 2).value();
    engine.emplace(*store, sqlite("views.db"));
    engine->add<TopPages>();
    engine->add<Visitors>();
    engine->start().value();
    for (const char* url : {"/a", "/b", "/b"}) view(*store, "ann", url, 7).value();
    end_visit(*store, "ann").value();
    engine->catch_up(10s).value();
  }

  void close() {
    engine->stop().value();
    engine.reset();
    store.reset();
    log.reset();
  }

  Ran run(std::vector<const char*> arguments, bool with_application = true) {
    ReplayTool tool{.program = "replay", .data = data, .add_projections = {}};
    if (with_application) {
      tool.add_projections = [](Engine& added) {
        added.add<TopPages>();
        added.add<Visitors>();
      };
    }
    arguments.insert(arguments.begin(), "replay");
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    Ran ran;
    ran.status = run_replay_tool(tool, static_cast<int>(arguments.size()), arguments.data());
    std::fflush(stdout);
    ran.out = testing::internal::GetCapturedStdout();
    ran.err = testing::internal::GetCapturedStderr();
    return ran;
  }

  TempDirectory directory;
  const std::string data;
  std::shared_ptr<EventLog> log;
  std::optional<EventStore> store;
  std::optional<Engine> engine;
};

TEST_F(ReplayToolTest, ListsAndShowsBesideTheLiveApplication) {
  const Ran list = run({"list"}, false);
  EXPECT_EQ(list.status, 0) << list.err;
  EXPECT_EQ(list.out,
            "projection\trows\ttopic\tgeneration\tstore\n"
            "TopPages\t2\tevents\t1\tsqlite views.db\n"
            "Visitors\t1\tevents\t1\tsqlite views.db\n");
  const Ran show = run({"show", "TopPages"}, false);
  EXPECT_EQ(show.out, "key\tviews\tmillis\n/a\t1\t7\n/b\t2\t14\n") << show.err;
  EXPECT_EQ(run({"show", "TopPages", "/b"}, false).out, "key\tviews\tmillis\n/b\t2\t14\n");
  EXPECT_EQ(run({"show", "TopPages", "/none"}, false).out, "");
  EXPECT_EQ(run({"--json", "show", "Visitors", "ann"}, false).out.substr(0, 17), "{\"visitor\":\"ann\",");
}

TEST_F(ReplayToolTest, StatusSaysLagAndPositions) {
  const Ran status = run({"status", "--json"}, false);
  EXPECT_EQ(status.status, 0) << status.err;
  EXPECT_NE(status.out.find("\"projection\":\"TopPages\",\"rows\":\"complete\",\"lag\":0,\"parked\":0"), std::string::npos)
      << status.out;
}

TEST_F(ReplayToolTest, EventsAreDecodedThroughTheirShapes) {
  const Ran events = run({"events", "visit-ann", "--json"}, false);
  EXPECT_EQ(events.status, 0) << events.err;
  EXPECT_EQ(std::count(events.out.begin(), events.out.end(), '\n'), 4);
  EXPECT_NE(events.out.find("\"type\":\"PageViewed\",\"event\":{\"url\":\"/a\",\"visitor\":\"ann\",\"millis\":7}"),
            std::string::npos)
      << events.out;
  EXPECT_EQ(run({"events", "visit-bob"}, false).status, 1);
}

TEST_F(ReplayToolTest, WrongArgumentsAreExplained) {
  EXPECT_EQ(run({"show", "Nothing"}).status, 1);
  EXPECT_NE(run({"show", "Nothing"}).err.find("there are TopPages, Visitors"), std::string::npos);
  EXPECT_EQ(run({}).status, 2);
  EXPECT_EQ(run({"frobnicate"}).status, 2);
  EXPECT_EQ(run({"rebuild", "--from-time", "yesterday"}).status, 1);
  const Ran help = run({"--help"});
  EXPECT_EQ(help.status, 0);
  for (const char* word : {"list", "status", "show", "events", "rebuild", "--data", "--json"})
    EXPECT_NE(help.out.find(word), std::string::npos) << word;
  const Ran generic = run({"rebuild"}, false);
  EXPECT_EQ(generic.status, 1);
  EXPECT_NE(generic.err.find("the application"), std::string::npos);
}

TEST_F(ReplayToolTest, RebuildIsRefusedWhileTheApplicationRunsAndWorksAfterwards) {
  const Ran refused = run({"rebuild"});
  EXPECT_EQ(refused.status, 1);
  EXPECT_NE(refused.err.find("the application runs"), std::string::npos) << refused.err;
  EXPECT_NE(refused.err.find("process"), std::string::npos) << refused.err;
  const std::string rows = run({"show", "Visitors"}).out;
  close();
  const Ran rebuilt = run({"rebuild"});
  EXPECT_EQ(rebuilt.status, 0) << rebuilt.err;
  EXPECT_NE(rebuilt.out.find("rebuilt 2 projections from 4 events"), std::string::npos) << rebuilt.out;
  EXPECT_EQ(run({"show", "Visitors"}).out, rows);
  EXPECT_NE(run({"list"}).out.find("TopPages\t2\tevents\t2"), std::string::npos);
  EXPECT_EQ(run({"rebuild", "TopPages", "--from-offset", "1000"}).status, 0);
  EXPECT_EQ(run({"show", "TopPages"}).out, "");
}

TEST_F(ReplayToolTest, NewerListOfStoresIsRefusedByVersion) {
  std::ofstream(data + "/stores") << "lungo-stores 2\n";
  const Ran list = run({"list"});
  EXPECT_EQ(list.status, 1);
  EXPECT_NE(list.err.find("newer_format"), std::string::npos) << list.err;
}

}  // namespace
}  // namespace lungo::test
