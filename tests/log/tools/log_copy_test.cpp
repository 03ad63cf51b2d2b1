// `lungo log copy`: between directories as a user runs it, and with a log elsewhere that main() would open.
#include "log/tools/log_copy.hpp"

#include <csignal>

#include "tests/log/tools/log_program.hpp"
#include "tests/support/memory_event_log.hpp"
#include "tests/support/quiet_log.hpp"
#include "tests/support/records.hpp"
#include "tests/support/simulation.hpp"

namespace lungo::test {
namespace {

class LogCopy : public LogProgram {
 protected:
  Finished copy(std::vector<std::string> arguments = {}) const {
    arguments.insert(arguments.begin(), {"copy", "--from", data, "--to", target});
    return log(arguments);
  }
  std::string consumed(const std::string& place) const {
    return test::run({log_program(), "consume", "orders", "--json", "--dir", place}).out;
  }

  const std::string target = directory / "target";
};

TEST_F(LogCopy, HasTheSameTopicsAndRecords) {
  make_orders(50, 2);
  const Finished copied = copy();
  EXPECT_EQ(copied.status, 0);
  EXPECT_EQ(copied.err, "");
  EXPECT_EQ(copied.out, "copied " + data + " to " + target + ": 1 topic, 50 records; both sides were compared\n");
  EXPECT_EQ(consumed(target), consumed(data));
  EXPECT_EQ(lines_of(consumed(target)), 50);
  EXPECT_EQ(test::run({log_program(), "verify", target}).status, 0);
}

TEST_F(LogCopy, JsonTellsHowMuchItWas) {
  make_orders(3);
  EXPECT_EQ(copy({"--json", "--no-verify"}).out,
            "{\"from\":\"" + data + "\",\"to\":\"" + target +
                "\",\"topics\":1,\"records\":3,\"foundThere\":0,\"checkpoints\":0,\"verified\":false}\n");
}

TEST_F(LogCopy, GivenAgainItTakesWhatIsMissing) {
  make_orders(5);
  ASSERT_EQ(copy().status, 0);
  ASSERT_EQ(log({"produce", "orders"}, "one\nmore\n").status, 0);
  EXPECT_NE(copy().out.find(": 1 topic, 7 records, of which 5 were there"), std::string::npos);
  EXPECT_EQ(consumed(target), consumed(data));
}

TEST_F(LogCopy, LeavesWhatAStartMakesAgainAndSaysSo) {
  make_orders(1);
  for (const char* name : {"__lungo_import_progress", "__lungo_positions", "__lungo_shapes", "__lungo_snapshots"})
    ASSERT_EQ(log({"topics", "create", name, "--yes", "--partitions", "1", "--set", "cleanup.policy=compact"}).status, 0);
  std::ofstream(data + "/tracker-secret") << "secret";
  const Finished copied = copy();
  EXPECT_EQ(copied.status, 0) << copied.err;
  EXPECT_NE(copied.out.find("3 topics, 1 record;"), std::string::npos) << copied.out;
  EXPECT_NE(copied.err.find("not copied, as it is made again: __lungo_positions, __lungo_snapshots\n"), std::string::npos)
      << copied.err;
  EXPECT_NE(copied.err.find("not copied, as it is a file: " + data + "/tracker-secret; copy it by hand"), std::string::npos)
      << copied.err;
  const Finished topics = test::run({log_program(), "topics", "list", "--dir", target});
  EXPECT_NE(topics.out.find("__lungo_shapes"), std::string::npos) << topics.out;
  EXPECT_NE(topics.out.find("__lungo_import_progress"), std::string::npos) << topics.out;
  EXPECT_EQ(topics.out.find("__lungo_positions"), std::string::npos) << topics.out;
}

TEST_F(LogCopy, TakesTheTopicsThatAreNamed) {
  make_orders(2);
  ASSERT_EQ(log({"topics", "create", "other"}).status, 0);
  EXPECT_NE(copy({"--topic", "orders"}).out.find(": 1 topic, 2 records"), std::string::npos);
  const Finished unknown = copy({"--topic", "order"});
  EXPECT_EQ(unknown.status, 1);
  EXPECT_NE(unknown.err.find("no topic order; did you mean orders?"), std::string::npos) << unknown.err;
}

TEST_F(LogCopy, RefusesATargetThatIsNoCopy) {
  make_orders(3, 2);
  ASSERT_EQ(test::run({log_program(), "topics", "create", "orders", "--partitions", "3", "--dir", target}).status, 0);
  const Finished other = copy();
  EXPECT_EQ(other.status, 1);
  EXPECT_NE(other.err.find("partitions=3, not 2"), std::string::npos) << other.err;
  EXPECT_NE(other.err.find("streams would move to other partitions"), std::string::npos) << other.err;
  std::filesystem::create_directory(directory / "photos");
  std::ofstream(directory / "photos" + "/photo.jpg") << "text";
  const Finished mixed = log({"copy", "--from", data, "--to", directory / "photos"});
  EXPECT_EQ(mixed.status, 1);
  EXPECT_NE(mixed.err.find("name an empty or a new one"), std::string::npos) << mixed.err;
}

TEST_F(LogCopy, RefusesPlacesThatMakeNoSense) {
  make_orders(1);
  const Finished same = log({"copy", "--from", data, "--to", data + "/."});
  EXPECT_EQ(same.status, 2);
  EXPECT_NE(same.err.find("the same directory"), std::string::npos) << same.err;
  const Finished missing = log({"copy", "--from", directory / "nowhere", "--to", target});
  EXPECT_EQ(missing.status, 1);
  EXPECT_NE(missing.err.find("there is no directory"), std::string::npos) << missing.err;
  EXPECT_FALSE(std::filesystem::exists(target)) << "nothing is made before the source is open";
  EXPECT_EQ(log({"copy", "--from", data}).status, 2);
}

TEST_F(LogCopy, ExplainsItselfAndDoesNothing) {
  make_orders(1);
  ASSERT_EQ(log({"topics", "create", "__lungo_parked", "--yes"}).status, 0);
  const Finished explained = copy({"--explain"});
  EXPECT_EQ(explained.status, 0) << explained.err;
  EXPECT_TRUE(explained.out.starts_with("topics: orders\nmade again there: __lungo_parked\nkept: key, value")) << explained.out;
  EXPECT_EQ(explained.out.find("rights"), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(target));
  EXPECT_EQ(copy({"--explain", "--json"}).out, "{\"topics\":[\"orders\"],\"rights\":[]}\n");
}

/// The command itself, with a log elsewhere that is in memory.
class RemoteCopy : public LogCopy {
 protected:
  RemoteCopy() {
    parts.open = [this](const RemoteAddress& address) -> Result<std::shared_ptr<EventLog>> {
      asked.push_back(address);
      return elsewhere;
    };
    parts.rights = [](const RemoteAddress& address, const std::vector<std::string>& topics) {
      return Result<std::vector<std::string>>{
          {(address.to_write ? "write " : "read ") + (topics.empty() ? "all" : topics.front())}};
    };
    options.from = data;
    options.to = kAddress;
  }
  Result<int> run() {
    StopSignals signals;
    if (stopped) ::raise(SIGTERM);
    std::FILE* const file = std::fopen((directory / "out").c_str(), "w");
    Output out{file};
    Result<int> status = run_copy(tool, options, parts, signals, out);
    std::fclose(file);
    return status;
  }
  std::string printed() const {
    std::ifstream file(directory / "out");
    return {std::istreambuf_iterator<char>(file), {}};
  }

  static constexpr const char* kAddress = "kafka://localhost:9092/shop";
  QuietLog quiet;
  Simulation simulation{1};
  const Ports ports = simulation.ports();
  std::shared_ptr<MemoryEventLog> elsewhere = std::make_shared<MemoryEventLog>(ports);
  std::vector<RemoteAddress> asked;
  CopyParts parts;
  ToolOptions tool;
  CopyToolOptions options;
  bool stopped = false;
};

TEST_F(RemoteCopy, GoesThereAndComesBack) {
  make_orders(20, 2);
  options.config_file = "settings";
  options.mirror = "there";
  EXPECT_EQ(run().value(), 0);
  ASSERT_EQ(asked.size(), 1U);
  EXPECT_EQ(asked[0].address, kAddress);
  EXPECT_TRUE(asked[0].to_write);
  EXPECT_EQ(asked[0].config_file, "settings");
  EXPECT_EQ(asked[0].mirror, "there");

  options.from = kAddress;
  options.to = target;
  options.topics = {"orders"};
  EXPECT_EQ(run().value(), 0);
  EXPECT_FALSE(asked.at(1).to_write);
  EXPECT_EQ(consumed(target), consumed(data));
}

TEST_F(RemoteCopy, TakesOfOthersOnlyWhatIsNamed) {
  static_cast<void>(elsewhere->create_topic({.name = "others", .partitions = 1}).value());
  static_cast<void>(elsewhere->create_topic({.name = "events", .partitions = 1, .streams = true}).value());
  options.from = kAddress;
  options.to = target;
  EXPECT_EQ(run().value(), 0);
  EXPECT_NE(printed().find(": 1 topic, 0 records"), std::string::npos) << printed();
  EXPECT_EQ(open_to_read(target).value()->topic("others").error(), Errc::not_found);
}

TEST_F(RemoteCopy, TellsWhatIsRefusedThere) {
  make_orders(2);
  parts.refuses = [](const TopicSpec&, const RecordView& record) {
    return as_text(record.value) == "v1" ? std::optional<std::string>{"no v1"} : std::nullopt;
  };
  const Result<int> refused = run();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error(), Errc::invalid_argument);
  EXPECT_NE(refused.error().text().find("orders-0, offset 1: no v1"), std::string_view::npos) << refused.error();
}

TEST_F(RemoteCopy, StopsAtASignalAndGoesOnAfterwards) {
  make_orders(10);
  stopped = true;
  EXPECT_EQ(run().value(), 128 + SIGTERM);
  EXPECT_EQ(printed(), "");
  stopped = false;
  EXPECT_EQ(run().value(), 0);
  EXPECT_NE(printed().find("10 records, of which 10 were there"), std::string::npos) << printed();
}

TEST_F(RemoteCopy, NeedsADirectoryOnOneSide) {
  options.from = options.to = kAddress;
  const Result<int> both = run();
  ASSERT_FALSE(both);
  EXPECT_EQ(both.error(), Errc::unsupported);
  EXPECT_NE(both.error().text().find("MirrorMaker"), std::string_view::npos) << both.error();
}

TEST_F(RemoteCopy, SaysThatItWasBuiltWithoutKafka) {
  make_orders(1);
  parts = {};
  for (const bool explains : {false, true}) {
    options.explain = explains;
    const Result<int> without = run();
    ASSERT_FALSE(without);
    EXPECT_EQ(to_string(without.error()),
              "unsupported: built without Kafka; install librdkafka-dev and configure with -DLUNGO_WITH_KAFKA=ON");
  }
}

TEST_F(RemoteCopy, ExplainsTheRightsWithoutAskingForAny) {
  make_orders(1);
  options.explain = true;
  EXPECT_EQ(run().value(), 0);
  EXPECT_NE(printed().find("topics: orders\n"), std::string::npos) << printed();
  EXPECT_NE(printed().find("\n  write orders\n"), std::string::npos) << printed();
  options.from = kAddress;
  options.to = target;
  EXPECT_EQ(run().value(), 0);
  EXPECT_NE(printed().find("topics: all streams of the application\n"), std::string::npos) << printed();
  EXPECT_NE(printed().find("\n  read all\n"), std::string::npos) << printed();
  EXPECT_TRUE(asked.empty());
}

TEST_F(RemoteCopy, ExplainsTheRightsOfAnApplicationThatHasNoDirectory) {
  options.explain = true;
  options.from = "";
  EXPECT_EQ(run().value(), 0);
  EXPECT_TRUE(printed().starts_with("topics: all\n")) << printed();
  EXPECT_NE(printed().find("\n  write all\n"), std::string::npos) << printed();
  options.topics = {"events", "sessions"};
  EXPECT_EQ(run().value(), 0);
  EXPECT_TRUE(printed().starts_with("topics: events, sessions\n")) << printed();
  EXPECT_NE(printed().find("\n  write events\n"), std::string::npos) << printed();
  EXPECT_TRUE(asked.empty());
}

TEST_F(RemoteCopy, NeedsASourceForWhatIsNoExplanation) {
  options.from = "";
  const Result<int> copied = run();
  ASSERT_FALSE(copied);
  EXPECT_EQ(copied.error(), Errc::invalid_argument);
  EXPECT_NE(copied.error().text().find("--from is missing"), std::string_view::npos) << copied.error();
  options.explain = true;
  options.to = target;
  EXPECT_EQ(run().error(), Errc::invalid_argument) << "a directory asks for no rights";
  EXPECT_TRUE(asked.empty());
  EXPECT_EQ(log({"copy", "--to", target}).status, 2);
}

}  // namespace
}  // namespace lungo::test
