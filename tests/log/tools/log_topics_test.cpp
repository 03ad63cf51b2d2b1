// `lungo log topics` and `stat`: what they do and print, letter by letter.
#include <fcntl.h>
#include <stdlib.h>

#include "log/tools/log_stat.hpp"
#include "log/tools/log_topics.hpp"
#include "tests/log/tools/log_program.hpp"
#include "tests/support/memory_event_log.hpp"
#include "tests/support/simulation.hpp"

namespace lungo::test {
namespace {

using LogTopics = LogProgram;
using LogStat = LogProgram;

TEST(TopicOptions, BecomeASpec) {
  const TopicSpec spec =
      spec_of({.name = "t", .partitions = 2, .compact = true, .settings = {"retention.ms=5", "compression.type=lz4"}}).value();
  EXPECT_EQ(spec, (TopicSpec{.name = "t",
                             .partitions = 2,
                             .compact = true,
                             .retention_age = std::chrono::milliseconds{5},
                             .compression = Compression::lz4}));
  EXPECT_EQ(spec_of({.name = "t"}).value(), (TopicSpec{.name = "t"}));
}

TEST_F(LogTopics, AreCreatedListedDescribedAlteredAndDeleted) {
  const Finished created = log({"topics", "create", "orders", "--partitions", "2", "--set", "retention.ms=604800000"});
  EXPECT_EQ(created.status, 0) << created.err;
  EXPECT_EQ(created.out, "topic orders created with 2 partitions\n");
  EXPECT_EQ(log({"topics", "create", "views", "--streams", "--partitions", "1"}).status, 0);
  EXPECT_EQ(log({"topics", "list"}).out, "topic\tpartitions\tkind\toffsets\norders\t2\tplain\t0\nviews\t1\tstreams\t0\n");
  EXPECT_EQ(log({"topics", "list", "--json"}).out,
            "{\"topic\":\"orders\",\"partitions\":2,\"kind\":\"plain\",\"offsets\":0}\n"
            "{\"topic\":\"views\",\"partitions\":1,\"kind\":\"streams\",\"offsets\":0}\n");

  const Finished altered = log({"topics", "alter", "orders", "--set", "segment.bytes=4096", "--set", "retention.ms=none",
                                "--partitions", "3", "--set", "message.timestamp.type=LogAppendTime", "--set",
                                "max.message.bytes=2000", "--set", "min.cleanable.dirty.ratio=0.25"});
  EXPECT_EQ(altered.status, 0) << altered.err;
  EXPECT_EQ(altered.out, "topic orders changed\n");
  EXPECT_EQ(masked(log({"topics", "describe", "orders"}).out),
            "topic orders\n"
            "  id ID\n"
            "  kind plain\n"
            "  partitions 3\n"
            "  ack.level=isr+sync\n"
            "  cleanup.policy=delete\n"
            "  compression.type=none\n"
            "  delete.retention.ms=86400000\n"
            "  flush.interval.ms=5\n"
            "  max.message.bytes=2000\n"
            "  message.timestamp.type=LogAppendTime\n"
            "  min.cleanable.dirty.ratio=0.25\n"
            "  min.compaction.lag.ms=0\n"
            "  producer.expiry.ms=86400000\n"
            "  retention.bytes=none\n"
            "  retention.ms=none\n"
            "  segment.bytes=4096\n"
            "  segment.ms=none\n"
            "  partition 0: offsets 0 to 0\n"
            "  partition 1: offsets 0 to 0\n"
            "  partition 2: offsets 0 to 0\n");
  EXPECT_EQ(
      masked(log({"topics", "describe", "views", "--json"}).out),
      "{\"topic\":\"views\",\"id\":\"ID\",\"kind\":\"streams\",\"settings\":{\"ack.level\":\"isr+sync\",\"cleanup.policy\":"
      "\"delete\",\"compression.type\":\"none\",\"delete.retention.ms\":86400000,\"flush.interval.ms\":5,"
      "\"max.message.bytes\":1048588,\"message.timestamp.type\":\"CreateTime\",\"min.cleanable.dirty.ratio\":0.5,"
      "\"min.compaction.lag.ms\":0,\"producer.expiry.ms\":86400000,\"retention.bytes\":null,\"retention.ms\":null,"
      "\"segment.bytes\":67108864,\"segment.ms\":null},\"partitions\":[{\"partition\":0,\"start\":0,\"end\":0}]}\n");

  const Finished deleted = log({"topics", "delete", "orders"});
  EXPECT_EQ(deleted.status, 0) << deleted.err;
  EXPECT_EQ(deleted.out, "topic orders deleted\n");
  EXPECT_EQ(log({"topics", "list"}).out, "topic\tpartitions\tkind\toffsets\nviews\t1\tstreams\t0\n");
}

TEST_F(LogTopics, TheSameOnceMoreIsLeftAndAnotherOneIsRefused) {
  EXPECT_EQ(log({"topics", "create", "orders"}).status, 0);
  const Finished again = log({"topics", "create", "orders"});
  EXPECT_EQ(again.status, 0) << again.err;
  EXPECT_EQ(again.out, "topic orders is there already, with 4 partitions and these settings\n");
  const Finished other = log({"topics", "create", "orders", "--partitions", "5"});
  EXPECT_EQ(other.status, 1);
  EXPECT_EQ(other.err,
            "lungo log: already_exists: topic orders is there with partitions=4, not 5; `lungo log topics alter` changes "
            "topics\n");
  EXPECT_NE(log({"topics", "create", "orders", "--set", "retention.ms=5"}).err.find("retention.ms=none, not 5"),
            std::string::npos);
}

TEST_F(LogTopics, OfARefusedChangeNothingIsDone) {
  ASSERT_EQ(log({"topics", "create", "orders", "--partitions", "2"}).status, 0);
  const std::string before = log({"topics", "describe", "orders"}).out;
  EXPECT_EQ(log({"topics", "alter", "orders", "--set", "retention.ms=5", "--partitions", "0"}).status, 2);
  EXPECT_EQ(log({"topics", "describe", "orders"}).out, before);
  EXPECT_EQ(log({"topics", "alter", "orders", "--set", "segment.bytes=1", "--partitions", "3"}).status, 2);
  EXPECT_EQ(log({"topics", "describe", "orders"}).out, before);
}

TEST_F(LogTopics, WhatCanNotBeIsRefused) {
  EXPECT_EQ(log({"topics", "create", "or/ders"}).status, 2);
  EXPECT_EQ(log({"topics", "create", "orders", "--partitions", "0"}).status, 2);
  EXPECT_EQ(log({"topics", "create", "orders", "--streams", "--compact"}).status, 2);
  const Finished small = log({"topics", "create", "orders", "--set", "segment.bytes=1"});
  EXPECT_EQ(small.status, 2);
  EXPECT_EQ(small.err, "lungo log: invalid_argument: segment.bytes is BYTES, 512 to 2147483647, not '1'\n");
  ASSERT_EQ(log({"topics", "create", "views", "--streams"}).status, 0);
  const Finished grown = log({"topics", "alter", "views", "--partitions", "9"});
  EXPECT_EQ(grown.status, 1);
  EXPECT_NE(grown.err.find("unsupported"), std::string::npos) << grown.err;
  const Finished nothing = log({"topics", "alter", "views"});
  EXPECT_EQ(nothing.status, 2);
  EXPECT_NE(nothing.err.find("give --set NAME=VALUE or --partitions N"), std::string::npos) << nothing.err;
  const Finished unknown = log({"topics", "delete", "veiws", "--yes"});
  EXPECT_EQ(unknown.status, 1);
  EXPECT_EQ(unknown.err, "lungo log: not_found: no topic veiws; did you mean views? There are views\n");
}

TEST_F(LogTopics, ThoseOfTheFrameworkAreNotMadeOrChangedByTheWay) {
  const Finished made = log({"topics", "create", "__lungo_positions"});
  EXPECT_EQ(made.status, 2);
  EXPECT_EQ(made.err,
            "lungo log: invalid_argument: names that begin with __lungo_ are for the framework, which makes its topics itself; "
            "choose another one, or say --yes to make __lungo_positions all the same\n");
  EXPECT_FALSE(std::filesystem::exists(data)) << "nor a directory for it";
  ASSERT_EQ(log({"topics", "create", "__lungo_positions", "--yes"}).status, 0);
  for (const std::vector<std::string>& change : {std::vector<std::string>{"--set", "retention.ms=5"}, {"--partitions", "9"}}) {
    const std::string before = log({"topics", "describe"}).out;
    std::vector<std::string> alter{"topics", "alter", "__lungo_positions"};
    alter.insert(alter.end(), change.begin(), change.end());
    const Finished refused = log(alter);
    EXPECT_EQ(refused.status, 2);
    EXPECT_EQ(
        refused.err,
        "lungo log: invalid_argument: topic __lungo_positions is the framework's, which made it as it needs it; say --yes "
        "to change it all the same\n");
    EXPECT_EQ(log({"topics", "describe"}).out, before);
    alter.emplace_back("--yes");
    EXPECT_EQ(log(alter).status, 0);
  }
  EXPECT_EQ(log({"topics", "create", "lungo_positions"}).status, 0) << "that is anybody's";
}

/// Runs the program on a terminal of its own and returns what appeared there.
Finished on_terminal(const std::vector<std::string>& command) {
  const int terminal = ::posix_openpt(O_RDWR | O_NOCTTY);
  EXPECT_EQ(::grantpt(terminal), 0);
  EXPECT_EQ(::unlockpt(terminal), 0);
  const std::string name = ::ptsname(terminal);
  const int other_side = ::open(name.c_str(), O_RDWR | O_NOCTTY);
  std::vector<std::string> through{"/bin/sh", "-c", "exec \"$@\" <\"$0\" >\"$0\"", name};
  through.insert(through.end(), command.begin(), command.end());
  Finished finished = test::run(through);
  ::fcntl(terminal, F_SETFL, O_NONBLOCK);
  char buffer[4096];
  for (ssize_t got = 0; (got = ::read(terminal, buffer, sizeof buffer)) > 0;)
    finished.out.append(buffer, static_cast<std::size_t>(got));
  ::close(other_side);
  ::close(terminal);
  return finished;
}

TEST_F(LogTopics, DeletingFromATerminalNeedsAYes) {
  ASSERT_EQ(log({"topics", "create", "orders"}).status, 0);
  ASSERT_EQ(log({"topics", "create", "__lungo_shapes", "--yes"}).status, 0);
  EXPECT_NE(log({"topics", "delete", "__lungo_shapes"}).err.find("which the framework needs"), std::string::npos);
  EXPECT_EQ(log({"topics", "delete", "__lungo_shapes", "--yes"}).status, 0);
  const Finished asked = on_terminal(command({"topics", "delete", "orders"}));
  EXPECT_EQ(asked.status, 2);
  EXPECT_NE(asked.err.find("say --yes"), std::string::npos) << asked.err;
  EXPECT_EQ(lines_of(log({"topics", "list"}).out), 2);
  EXPECT_EQ(on_terminal(command({"topics", "delete", "orders", "--yes"})).status, 0);
  EXPECT_EQ(log({"topics", "list"}).out, "no topics; `lungo log topics create NAME` makes one\n");
}

TEST_F(LogTopics, RecordsDriveNoTerminal) {
  make_orders(0);
  ASSERT_EQ(log({"produce", "orders"},
                "\x1b[2J\xc2\x9b"
                "31m\tend\n")
                .status,
            0);
  const Finished seen = on_terminal(command({"consume", "orders"}));
  EXPECT_EQ(seen.status, 0) << seen.err;
  EXPECT_EQ(seen.out, "\\x1B[2J\\u009B31m\\tend\r\n");
  EXPECT_EQ(log({"consume", "orders"}).out,
            "\x1b[2J\xc2\x9b"
            "31m\tend\n");
}

TEST_F(LogStat, TellsSizesAndOffsets) {
  make_orders(3);
  ASSERT_EQ(log({"topics", "create", "views", "--streams", "--partitions", "1"}).status, 0);
  const std::string log_bytes = std::to_string(std::filesystem::file_size(data + "/orders-0/00000000000000000000.log"));
  const std::string text = log({"stat", "orders"}).out;
  EXPECT_TRUE(
      text.starts_with("topic\tpartition\tstart\tend\toffsets\tsegments\tlog\tindexes\tstreams\tother\toldest\tnewest\n"
                       "orders\tall\t-\t-\t3\t1\t" +
                       log_bytes + " B\t"))
      << text;
  const std::regex line{
      "\\{\"topic\":\"orders\",\"partition\":(null|0),\"start\":(null|0),\"end\":(null|3),\"offsets\":3,\"segments\":1,"
      "\"log\":" +
      log_bytes +
      ",\"indexes\":\\d+,\"streams\":0,\"other\":\\d+,\"oldest\":\"2024-05-01T00:00:00.000Z\","
      "\"newest\":\"2024-05-01T00:00:02.000Z\"\\}"};
  std::istringstream json{log({"stat", "orders", "--json"}).out};
  int lines = 0;
  for (std::string one; std::getline(json, one); ++lines) EXPECT_TRUE(std::regex_match(one, line)) << one;
  EXPECT_EQ(lines, 2);
  EXPECT_EQ(lines_of(log({"stat"}).out), 5);
  EXPECT_EQ(log({"stat", "order"}).err, "lungo log: not_found: no topic order; did you mean orders? There are orders, views\n");
}

/// Shows a topic that is gone when it is asked for.
class ForgetfulLog : public MemoryEventLog {
 public:
  using MemoryEventLog::MemoryEventLog;
  Result<std::vector<TopicInfo>> topics() override {
    std::vector<TopicInfo> all = MemoryEventLog::topics().value();
    all.insert(all.begin(), TopicInfo{.spec = {.name = "gone"}, .id = {}});
    return all;
  }
  std::optional<std::string> directory() const override { return "/nowhere"; }
};

TEST(LogStatOfAll, GoesOnWhereATopicGoesMeanwhile) {
  Simulation machine{1};
  ForgetfulLog log{machine.ports()};
  log.create_topic({.name = "stays", .partitions = 1}).value();
  const TempDirectory directory;
  const auto lines = [&](const StatOptions& options, Result<void>& done) {
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file{std::fopen((directory / "out").c_str(), "w"), &std::fclose};
    Output out{file.get()};
    done = print_stat(log, {}, options, out);
    out.flush();
    return lines_of(text_of(directory / "out"));
  };
  Result<void> done;
  EXPECT_EQ(lines({}, done), 3) << "names, the topic and its partition";
  EXPECT_TRUE(done);
  EXPECT_EQ(lines({.topics = {"gone"}}, done), 0);
  EXPECT_EQ(done.error(), Errc::not_found) << "it was asked for";
}

TEST(FileSizes, CountByKind) {
  const TempDirectory directory;
  for (const auto& [name, bytes] : std::map<std::string, std::size_t>{
           {"0.log", 10}, {"5.log", 7}, {"0.index", 3}, {"0.timeindex", 4}, {"0.streams", 5}, {"partition.metadata", 6}})
    std::ofstream(directory / name) << std::string(bytes, 'x');
  const FileSizes sizes = sizes_in(directory.path());
  EXPECT_EQ(sizes.segments, 2u);
  EXPECT_EQ(sizes.log_bytes, 17u);
  EXPECT_EQ(sizes.index_bytes, 7u);
  EXPECT_EQ(sizes.stream_bytes, 5u);
  EXPECT_EQ(sizes.other_bytes, 6u);
  EXPECT_EQ(sizes_in(directory / "nowhere").segments, 0u);
}

}  // namespace
}  // namespace lungo::test
