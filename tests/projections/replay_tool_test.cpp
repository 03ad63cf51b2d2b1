// The replay tool on a real data directory: what it shows, what it refuses, and that it rebuilds.
#include <algorithm>
#include <filesystem>
#include <fstream>

#include "tests/projections/replay_tool.hpp"

namespace lungo::test {
namespace {

TEST_F(ReplayToolTest, ListsAndShowsBesideTheLiveApplication) {
  const Ran list = run({"list"}, false);
  EXPECT_EQ(list.status, 0) << list.err;
  EXPECT_EQ(list.out,
            "projection\trows\ttopic\tgeneration\tstore\n"
            "EventCounts\t1\tevents\t1\tsqlite views.db\n"
            "TopPages\t2\tevents\t1\tsqlite views.db\n"
            "Visitors\t1\tevents\t1\tsqlite views.db\n");
  const Ran show = run({"show", "TopPages"}, false);
  EXPECT_EQ(show.out, "key\tviews\tmillis\n/a\t1\t7\n/b\t2\t14\n") << show.err;
  EXPECT_EQ(run({"show", "TopPages", "/b"}, false).out, "key\tviews\tmillis\n/b\t2\t14\n");
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
  EXPECT_NE(run({"show", "Nothing"}).err.find("there are EventCounts, TopPages, Visitors"), std::string::npos);
  EXPECT_EQ(run({}).status, 2);
  EXPECT_EQ(run({"frobnicate"}).status, 2);
  EXPECT_EQ(run({"rebuild", "--from-time", "yesterday"}).status, 1);
  const Ran help = run({"--help"});
  EXPECT_EQ(help.status, 0);
  for (const char* word : {"list", "status", "show", "events", "rebuild", "--data", "--json"})
    EXPECT_NE(help.out.find(word), std::string::npos) << word;
  const Ran generic = run({"rebuild"}, false);
  EXPECT_EQ(generic.status, 1);
  EXPECT_NE(generic.err.find("lungo replay --app APPLICATION rebuild"), std::string::npos) << generic.err;
}

TEST_F(ReplayToolTest, HelpOfEachCommandSaysWhatItsJsonHolds) {
  for (const char* command : {"list", "status", "show", "events", "rebuild"}) {
    const Ran help = run({command, "--help"});
    EXPECT_EQ(help.status, 0) << command;
    EXPECT_NE(help.out.find("--json: {"), std::string::npos) << help.out;
  }
}

TEST_F(ReplayToolTest, KeyThatIsNotThereIsAnAnswer) {
  const Ran none = run({"show", "TopPages", "/none"});
  EXPECT_EQ(none.status, 1);
  EXPECT_EQ(none.out, "");
  EXPECT_NE(none.err.find("TopPages has no row with the key /none"), std::string::npos) << none.err;
  EXPECT_EQ(run({"show", "TopPages", "/none", "--json"}).status, 1);
  EXPECT_EQ(run({"show", "Visitors", "ann,7"}).status, 1);
}

TEST_F(ReplayToolTest, TextForAnIntegerKeyIsRefusedByTheColumnsName) {
  for (const char* text : {"abc", "", "1x", "0x1", " 1", "99999999999999999999"}) {
    const Ran refused = run({"show", "EventCounts", text});
    EXPECT_EQ(refused.status, 1) << text;
    EXPECT_EQ(refused.out, "");
    EXPECT_NE(refused.err.find("is no integer, which the key's column key holds"), std::string::npos) << refused.err;
  }
  const Ran second = run({"show", "Visitors", "ann,north"});
  EXPECT_NE(second.err.find("'north' is no integer, which the key's column partition holds"), std::string::npos) << second.err;
}

TEST_F(ReplayToolTest, LimitEndsRowsAndEvents) {
  EXPECT_EQ(run({"show", "TopPages", "--limit", "1"}).out, "key\tviews\tmillis\n/a\t1\t7\n");
  EXPECT_EQ(run({"show", "TopPages", "--limit", "0"}).status, 0);
  const Ran events = run({"events", "visit-ann", "--limit", "2", "--json"});
  EXPECT_EQ(std::count(events.out.begin(), events.out.end(), '\n'), 2) << events.out << events.err;
  EXPECT_EQ(run({"show", "TopPages", "--limit", "few"}).status, 2);
}

TEST_F(ReplayToolTest, PlacesWithoutADataDirectoryAreToldApartAndStayAsTheyAre) {
  close();
  std::filesystem::create_directory(directory / "empty");
  std::ofstream(directory / "file") << "text";
  const std::pair<std::string, const char*> places[] = {{directory / "nowhere", "there is no directory"},
                                                        {directory / "file", "is a file, not a data directory"},
                                                        {directory / "empty", "is no data directory"}};
  for (const auto& [place, answer] : places) {
    for (std::vector<const char*> command :
         {std::vector{"list"}, {"status"}, {"show", "TopPages"}, {"events", "a-1"}, {"rebuild"}}) {
      const Ran refused = run_replay(place, command, true);
      EXPECT_EQ(refused.status, 1) << command[0];
      EXPECT_EQ(refused.out, "");
      EXPECT_NE(refused.err.find(answer), std::string::npos) << refused.err;
    }
  }
  EXPECT_FALSE(std::filesystem::exists(directory / "nowhere"));
  EXPECT_TRUE(std::filesystem::is_empty(directory / "empty"));
}

TEST_F(ReplayToolTest, DirectoryOfANewerFormatIsRefusedByVersion) {
  close();
  std::ofstream(data + "/lungo.meta") << "lungo-meta 2\ndirectory.id=x\ncrc32c=00000000\n";
  for (std::vector<const char*> command : {std::vector{"list"}, {"events", "visit-ann"}}) {
    const Ran refused = run(command, false);
    EXPECT_EQ(refused.status, 1);
    EXPECT_NE(refused.err.find("newer_format"), std::string::npos) << refused.err;
  }
}

TEST_F(ReplayToolTest, EventsNeedNoStore) {
  close();
  const std::string events = run({"events", "visit-ann"}, false).out;
  std::ofstream(data + "/stores") << "not a list of stores";
  std::ofstream(data + "/views.db") << "not a database";
  EXPECT_EQ(run({"events", "visit-ann"}, false).out, events);
  EXPECT_EQ(std::count(events.begin(), events.end(), '\n'), 5) << events;
}

TEST_F(ReplayToolTest, DamagedStoreIsNamed) {
  close();
  std::ofstream(data + "/views.db") << std::string(8192, 'x');
  for (std::vector<const char*> command : {std::vector{"list"}, {"status"}, {"show", "TopPages"}, {"rebuild"}}) {
    const Ran refused = run(command);
    EXPECT_EQ(refused.status, 1);
    EXPECT_EQ(refused.out, "");
    EXPECT_NE(refused.err.find("corrupt: state store " + data + "/views.db"), std::string::npos) << refused.err;
  }
}

TEST_F(ReplayToolTest, StoreThatIsGoneIsSaid) {
  close();
  for (const char* end : {"", "-wal", "-shm"}) std::filesystem::remove(data + "/views.db" + end);
  const Ran list = run({"list"}, false);
  EXPECT_EQ(list.status, 0);
  EXPECT_NE(list.err.find("the store views.db is listed but not there"), std::string::npos) << list.err;
  EXPECT_FALSE(std::filesystem::exists(data + "/views.db"));
}

TEST_F(ReplayToolTest, RebuildMakesAStoreThatIsGoneAnew) {
  close();
  const auto remove_store = [&] {
    for (const char* end : {"", "-wal", "-shm"}) std::filesystem::remove(data + "/views.db" + end);
  };
  remove_store();
  const Ran rebuilt = run({"rebuild"});
  EXPECT_EQ(rebuilt.status, 0) << rebuilt.err;
  EXPECT_NE(rebuilt.err.find("the store views.db was not there and is made anew"), std::string::npos) << rebuilt.err;
  EXPECT_NE(rebuilt.out.find("rebuilt 3 projections from "), std::string::npos) << rebuilt.out;
  EXPECT_EQ(run({"show", "TopPages"}).out, "key\tviews\tmillis\n/a\t1\t7\n/b\t2\t14\n");

  remove_store();
  EXPECT_EQ(run({"rebuild", "TopPages", "--store", "views.db"}).status, 0);
  const Ran other = run({"rebuild", "--store", "other.db"});
  EXPECT_EQ(other.status, 1);
  EXPECT_NE(other.err.find("no store other.db; there are views.db"), std::string::npos) << other.err;
}

TEST_F(ReplayToolTest, TopicThatIsNotThereIsNamedWithThoseThereAre) {
  const Ran none = run({"events", "visit-ann", "--topic", "evnts"});
  EXPECT_EQ(none.status, 1);
  EXPECT_NE(none.err.find("no topic evnts; there are events"), std::string::npos) << none.err;
  EXPECT_NE(run({"events", "visit-bob", "--topic", "events"}).err.find("no stream visit-bob in topic events"),
            std::string::npos);
  EXPECT_NE(run({"events"}).err.find("name a stream"), std::string::npos);
}

TEST_F(ReplayToolTest, WholeTopicIsPrintedAlsoOneWithoutStreams) {
  const Ran events = run({"events", "--topic", "events", "--json"}, false);
  EXPECT_EQ(std::count(events.out.begin(), events.out.end(), '\n'), 4) << events.err;
  EXPECT_EQ(events.out.find("{\"stream\":\"visit-ann\",\"partition\":\"events-"), 0u) << events.out;
  const Ran shapes = run({"events", "--topic", "__lungo_shapes", "--json"}, false);
  EXPECT_EQ(shapes.status, 0) << shapes.err;
  EXPECT_NE(shapes.out.find("\"event\":{\"$bytes\":\""), std::string::npos) << shapes.out;
}

TEST_F(ReplayToolTest, RebuildTakesOnlyAStoreThatIsThereAndAPlaceThatMakesSense) {
  close();
  const Ran typo = run({"rebuild", "--store", "view.db"});
  EXPECT_EQ(typo.status, 1);
  EXPECT_NE(typo.err.find("no store view.db; there are views.db"), std::string::npos) << typo.err;
  EXPECT_FALSE(std::filesystem::exists(data + "/view.db"));
  EXPECT_EQ(run({"rebuild", "--store", "views.db", "--anew"}).status, 0);
  EXPECT_EQ(run({"rebuild", "--from-offset", "-1"}).status, 2);
  // Not silently taken for UTC, nor cut off where it stops making sense.
  for (const char* time :
       {"2024-05-01T12:00:00+02:00", "2024-05-01T12:00:00Zulu", "2024-05-01 12:00", "2024-05-01T", "2024-02-30"})
    EXPECT_EQ(run({"rebuild", "--from-time", time}).status, 1) << time;
  for (const char* time : {"2024-05-01", "2024-05-01Z", "2024-05-01T12:00", "2024-05-01T12:00:00.5Z", "1714564800000"})
    EXPECT_EQ(run({"rebuild", "--from-time", time}).status, 0) << time;
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
  EXPECT_NE(rebuilt.out.find("rebuilt 3 projections from 4 events"), std::string::npos) << rebuilt.out;
  EXPECT_EQ(run({"show", "Visitors"}).out, rows);
  EXPECT_NE(run({"list"}).out.find("TopPages\t2\tevents\t2"), std::string::npos);
  EXPECT_EQ(run({"rebuild", "TopPages", "--from-offset", "1000"}).out.substr(0, 35), "rebuilt 1 projection from 0 events ");
  EXPECT_EQ(run({"show", "TopPages"}).out, "key\tviews\tmillis\n");
}

TEST_F(ReplayToolTest, NewerListOfStoresIsRefusedByVersion) {
  std::ofstream(data + "/stores") << "lungo-stores 2\n";
  const Ran list = run({"list"});
  EXPECT_EQ(list.status, 1);
  EXPECT_NE(list.err.find("newer_format"), std::string::npos) << list.err;
}

}  // namespace
}  // namespace lungo::test
