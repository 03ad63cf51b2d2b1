// `lungo log produce` and `consume`: what goes in comes out, beside a live writer, into pipes, until a signal.
#include <sys/ioctl.h>
#include <sys/stat.h>

#include <set>

#include "log/tools/log_produce.hpp"
#include "tests/log/tools/log_program.hpp"
#include "tests/support/memory_event_log.hpp"
#include "tests/support/simulation.hpp"

namespace lungo::test {
namespace {

using LogProduce = LogProgram;
using LogConsume = LogProgram;

/// A named pipe whose both sides the test holds open.
struct Pipe {
  explicit Pipe(const std::string& path) {
    EXPECT_EQ(::mkfifo(path.c_str(), 0600), 0);
    file = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
  }
  ~Pipe() { ::close(file); }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  [[nodiscard]] int bytes() const {
    int count = 0;
    return ::ioctl(file, FIONREAD, &count) == 0 ? count : -1;
  }
  int file = -1;
};

TEST_F(LogProduce, LinesBecomeRecords) {
  make_orders(0);
  const Finished produced = log({"produce", "orders"}, "2 espresso\n\n1 tea");
  EXPECT_EQ(produced.status, 0) << produced.err;
  EXPECT_EQ(produced.out, "3 records written to orders\n");
  EXPECT_EQ(produced.err, "");
  EXPECT_EQ(log({"consume", "orders"}).out, "2 espresso\n\n1 tea\n");
}

TEST_F(LogProduce, KeysHeadersAndTheReportOfJson) {
  make_orders(0, 2);
  EXPECT_EQ(
      log({"produce", "orders", "--key-separator", "\\t", "--header", "from=web"}, "ada\t2 espresso\nbob\t1 tea\n").status, 0);
  // Within a millisecond, so in either order.
  const std::string consumed = log({"consume", "orders", "--print", "key,headers"}).out;
  EXPECT_EQ(lines_of(consumed), 2);
  EXPECT_NE(consumed.find("ada\tfrom=web\t2 espresso\n"), std::string::npos) << consumed;
  EXPECT_NE(consumed.find("bob\tfrom=web\t1 tea\n"), std::string::npos) << consumed;
  const Finished produced = log({"produce", "orders", "--json", "--partition", "1"}, "{\"value\":\"x\"}\n\n{\"value\":null}\n");
  EXPECT_EQ(produced.status, 0) << produced.err;
  EXPECT_TRUE(
      std::regex_match(produced.out, std::regex{"\\{\"topic\":\"orders\",\"records\":2,\"partitions\":\\[\\{\"partition\":1,"
                                                "\"first\":\\d,\"end\":\\d\\}\\]\\}\n"}))
      << produced.out;
}

TEST_F(LogProduce, KeysGoWhereKafkasProducersSendThem) {
  make_orders(20, 4);
  std::istringstream lines{log({"consume", "orders", "--print", "partition,key"}).out};
  int count = 0;
  for (std::string line; std::getline(lines, line); ++count) {
    const std::string key = line.substr(2, line.find('\t', 2) - 2);
    EXPECT_EQ(line.substr(0, 1), std::to_string(partition_of_key(key, 4).value())) << line;
  }
  EXPECT_EQ(count, 20);
}

TEST_F(LogProduce, WithoutKeysThePartitionsTakeTurnsBatchByBatch) {
  make_orders(0, 2);
  EXPECT_EQ(log({"produce", "orders", "--batch", "2"}, "a\nb\nc\nd\ne\n").status, 0);
  std::vector<std::string> got{log({"consume", "orders", "--partition", "0"}).out,
                               log({"consume", "orders", "--partition", "1"}).out};
  std::ranges::sort(got);
  EXPECT_EQ(got, (std::vector<std::string>{"a\nb\ne\n", "c\nd\n"}));
}

TEST(RecordsWithoutKeys, BeginAtARandomPartitionAndTakeTurnsFromThereOn) {
  std::set<std::int32_t> begun;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(seed);
    Simulation machine{seed};
    MemoryEventLog memory{machine.ports()};
    const TopicSpec topic = memory.create_topic({.name = "orders", .partitions = 3}).value().spec;
    RecordWriter writer{memory, topic, {.durability = Durability::committed, .batch_records = 2}};
    std::vector<std::int32_t> grown;
    for (int record = 0; record < 8; ++record) {
      const std::map<std::int32_t, RecordWriter::Range> before = writer.ranges();
      writer.add({.value = "v"}, machine.clock.now()).value();
      for (const auto& [partition, range] : writer.ranges()) {
        const auto found = before.find(partition);
        if (found == before.end() || found->second.end != range.end) grown.push_back(partition);
      }
    }
    ASSERT_EQ(grown.size(), 4u) << "batches of two";
    for (std::size_t i = 1; i < grown.size(); ++i) EXPECT_EQ(grown[i], (grown[i - 1] + 1) % 3);
    begun.insert(grown.front());
  }
  EXPECT_EQ(begun.size(), 3u) << "any of them";
}

TEST_F(LogProduce, LineThatIsNoRecordIsNamedAndTheOnesBeforeItAreWritten) {
  make_orders(0);
  const Finished refused =
      log({"produce", "orders", "--json"}, "{\"value\":\"a\"}\n{\"value\":\"b\"}\n{\"vlaue\":\"c\"}\n{}\n");
  EXPECT_EQ(refused.status, 1);
  EXPECT_EQ(refused.out, "");
  EXPECT_TRUE(refused.err.starts_with("lungo log: undecodable: line 3: nothing is called \"vlaue\"; did you mean value? "))
      << refused.err;
  EXPECT_TRUE(refused.err.ends_with("; 2 records were written\n")) << refused.err;
  EXPECT_EQ(log({"consume", "orders"}).out, "a\nb\n");
  EXPECT_NE(log({"produce", "orders", "--key-separator", ":"}, "a:b\nc\n").err.find("line 2: no key"), std::string::npos);
  EXPECT_NE(log({"produce", "orders", "--json"}, "{\"partition\":7}\n").err.find("line 1: topic orders has no partition 7"),
            std::string::npos);
}

TEST_F(LogProduce, WrongOptionsAreRefusedBeforeAnythingIsRead) {
  make_orders(0);
  for (const std::vector<std::string>& wrong : {std::vector<std::string>{"--durability", "never"},
                                                {"--key-separator", ""},
                                                {"--key-separator", ":", "--json"},
                                                {"--batch", "0"},
                                                {"--header", "x"}}) {
    std::vector<std::string> arguments{"produce", "orders"};
    arguments.insert(arguments.end(), wrong.begin(), wrong.end());
    EXPECT_EQ(log(arguments, "a\n").status, 2) << wrong[0] << wrong[1];
  }
  EXPECT_EQ(log({"consume", "orders"}).out, "");
  for (const char* durability : {"committed", "written", "synced"})
    EXPECT_EQ(log({"produce", "orders", "--durability", durability}, "a\n").status, 0) << durability;
}

TEST_F(LogProduce, AnotherWriterIsNamedAndWhatToDo) {
  make_orders(0);
  const std::shared_ptr<EventLog> writer = open_local(data).value();
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{"produce", "orders"}, {"topics", "create", "x"}, {"topics", "delete", "orders"}}) {
    const Finished refused = log(arguments, "a\n");
    EXPECT_EQ(refused.status, 1);
    EXPECT_TRUE(refused.err.starts_with("lungo log: locked: ")) << refused.err;
    EXPECT_NE(refused.err.find(std::to_string(::getpid())), std::string::npos) << refused.err;
    EXPECT_NE(refused.err.find("stop that one, or let it do this"), std::string::npos) << refused.err;
  }
}

TEST_F(LogProduce, WhatIsTypedIsWrittenAtOnceAndASignalEndsItInGoodOrder) {
  make_orders(0);
  // A pipe that stays open: the first line must not wait for the end.
  const Pipe input{directory / "pipe"};
  Program produce{
      {"/bin/sh", "-c", "exec \"$@\" <\"$0\"", directory / "pipe", log_program(), "produce", "orders", "--dir", data}};
  ASSERT_EQ(::write(input.file, "first\nunended", 13), 13);
  ASSERT_TRUE(eventually([&] { return log({"consume", "orders"}).out == "first\n"; })) << produce.err();
  produce.send(SIGTERM);
  EXPECT_EQ(produce.wait(), 128 + SIGTERM);
  EXPECT_EQ(produce.out(), "1 record written to orders\n");
  EXPECT_EQ(log({"consume", "orders"}).out, "first\n");
  EXPECT_TRUE(std::filesystem::exists(data + "/lungo.clean-stop"));
}

TEST_F(LogConsume, BeginsWhereItIsTold) {
  make_orders(5);
  const auto values = [&](std::vector<std::string> more) {
    more.insert(more.begin(), {"consume", "orders"});
    const Finished consumed = log(more);
    EXPECT_EQ(consumed.status, 0) << consumed.err;
    return consumed.out;
  };
  EXPECT_EQ(values({}), "v0\nv1\nv2\nv3\nv4\n");
  EXPECT_EQ(values({"--from", "3"}), "v3\nv4\n");
  EXPECT_EQ(values({"--from", "latest"}), "");
  EXPECT_EQ(values({"--from", "2024-05-01T00:00:03Z"}), "v3\nv4\n");
  EXPECT_EQ(values({"--from", "@1714521602001"}), "v3\nv4\n");
  EXPECT_EQ(values({"--from", "2025-01-01"}), "");
  EXPECT_EQ(values({"--last", "2"}), "v3\nv4\n");
  EXPECT_EQ(values({"--last", "9"}), "v0\nv1\nv2\nv3\nv4\n");
  EXPECT_EQ(values({"--last", "0"}), "");
  EXPECT_EQ(values({"--max", "2"}), "v0\nv1\n");
  EXPECT_EQ(values({"--last", "3", "--max", "1"}), "v2\n");
  EXPECT_EQ(values({"--print", "offset,time,key", "--max", "1"}), "0\t2024-05-01T00:00:00.000Z\tk0\tv0\n");
  const Finished above = log({"consume", "orders", "--from", "9"});
  EXPECT_EQ(above.status, 0);
  EXPECT_EQ(above.err, "lungo log: orders-0 ends at offset 5\n");
}

TEST_F(LogConsume, OldestRecordOfAllPartitionsComesFirst) {
  make_orders(30, 3);
  std::string expected;
  for (int i = 0; i < 30; ++i) expected += "v" + std::to_string(i) + "\n";
  EXPECT_EQ(log({"consume", "orders"}).out, expected);
  EXPECT_EQ(log({"consume", "orders", "--last", "3"}).out, "v27\nv28\nv29\n");
}

TEST_F(LogConsume, JsonGoesIntoAnotherTopicAsItIs) {
  make_orders(10, 2);
  ASSERT_EQ(log({"produce", "orders", "--json"},
                "{\"keyBase64\":\"/w==\",\"valueBase64\":\"AP8=\",\"headers\":{\"a\":null},\"timestamp\":7}\n")
                .status,
            0);
  ASSERT_EQ(log({"topics", "create", "copy", "--partitions", "2"}).status, 0);
  const Finished copied =
      shell("log consume orders --json > \"$data/lines\" && log produce copy --json < \"$data/lines\" && rm \"$data/lines\"");
  EXPECT_EQ(copied.status, 0) << copied.err;
  const std::string before = log({"consume", "orders", "--json"}).out;
  EXPECT_EQ(lines_of(before), 11);
  EXPECT_EQ(std::regex_replace(log({"consume", "copy", "--json"}).out, std::regex{"\"copy\""}, "\"orders\""), before);
}

TEST_F(LogConsume, WrongOptionsAreExplained) {
  make_orders(1);
  EXPECT_EQ(log({"consume", "orders", "--from", "earlist"}).status, 2);
  EXPECT_EQ(log({"consume", "orders", "--partition", "1"}).err,
            "lungo log: invalid_argument: topic orders has no partition 1; it has 0 to 0\n");
  EXPECT_EQ(log({"consume", "orders", "--from", "0", "--last", "1"}).status, 2);
  EXPECT_EQ(log({"consume", "orders", "--print", "kye"}).status, 2);
  EXPECT_EQ(log({"consume", "orders", "--print", "key", "--json"}).status, 2);
  EXPECT_EQ(log({"consume", "oders"}).err, "lungo log: not_found: no topic oders; did you mean orders? There are orders\n");
}

TEST_F(LogConsume, GoesOnBehindDamageWhereItIsTold) {
  make_orders(0);
  for (const char* values : {"v0\nv1\n", "v2\nv3\n", "v4\n"}) ASSERT_EQ(log({"produce", "orders"}, values).status, 0);
  const std::string path = data + "/orders-0/00000000000000000000.log";
  std::string bytes = text_of(path);
  bytes.at(bytes.find("v2")) ^= 1;
  std::ofstream(path, std::ios::binary) << bytes;
  const Finished stopped = log({"consume", "orders"});
  EXPECT_EQ(stopped.status, 1);
  EXPECT_EQ(stopped.out, "v0\nv1\n");
  EXPECT_NE(stopped.err.find("offsets [2, 4) are damaged"), std::string::npos) << stopped.err;
  const Finished skipped = log({"consume", "orders", "--skip-damaged"});
  EXPECT_EQ(skipped.status, 0);
  EXPECT_EQ(skipped.out, "v0\nv1\nv4\n");
  EXPECT_NE(skipped.err.find("lungo log: orders-0: offsets 2 to 3 are damaged\n"), std::string::npos) << skipped.err;
  EXPECT_EQ(log({"consume", "orders", "--skip-damaged", "--last", "2"}).out, "v1\nv4\n");

  // A writer that has to look, and notes it.
  for (const char* name : {"lungo.clean-stop", "recovery-point-offset-checkpoint"}) std::filesystem::remove(data + "/" + name);
  ASSERT_EQ(log({"produce", "orders"}, "v5\n").status, 0);
  EXPECT_NE(log({"topics", "describe", "orders"}).out.find("  partition 0: offsets 0 to 6; damaged: 2 to 4\n"),
            std::string::npos);
  EXPECT_NE(log({"topics", "describe", "orders", "--json"})
                .out.find(R"([{"partition":0,"start":0,"end":6,"damaged":[{"from":2,"end":4}]}])"),
            std::string::npos);

  // Below the answer to a time some are lost, too, of which nobody knows how old they were.
  const std::string last = log({"consume", "orders", "--skip-damaged", "--last", "1", "--print", "time"}).out;
  const std::string time = last.substr(0, last.find('\t'));
  EXPECT_EQ(log({"consume", "orders", "--from", time}).status, 1);
  const Finished from_time = log({"consume", "orders", "--from", time, "--skip-damaged"});
  EXPECT_EQ(from_time.status, 0);
  EXPECT_TRUE(from_time.out.ends_with("v5\n")) << from_time.out;
  EXPECT_NE(from_time.err.find("offsets [2, 4) are damaged"), std::string::npos) << from_time.err;
  EXPECT_NE(from_time.err.find("some of them may be as new"), std::string::npos) << from_time.err;
}

TEST_F(LogConsume, FollowsALiveWriterUntilASignal) {
  make_orders(3);
  const std::shared_ptr<EventLog> writer = open_local(data).value();
  for (const int signal : {SIGINT, SIGTERM}) {
    Program follow{command({"consume", "orders", "--last", "1", "--follow"})};
    const std::string last = "v" + std::to_string(writer->ends({"orders", PartitionId{0}})->committed.value() - 1) + "\n";
    ASSERT_TRUE(eventually([&] { return follow.out() == last; })) << follow.out() << follow.err();
    const std::string next = "v" + std::to_string(writer->ends({"orders", PartitionId{0}})->committed.value());
    AppendRequest request{.to = {"orders", PartitionId{0}}};
    request.records.add({.timestamp = writer->ports().clock.now(), .value = as_bytes(next)}).value();
    append_wait(*writer, std::move(request)).value();
    ASSERT_TRUE(eventually([&] { return follow.out() == last + next + "\n"; })) << follow.out() << follow.err();
    follow.send(signal);
    EXPECT_EQ(follow.wait(), 0);
    EXPECT_EQ(follow.err(), "");
  }
}

TEST_F(LogConsume, FollowsPartitionsThatAreAddedAndEndsWithTheTopic) {
  make_orders(1);
  const std::shared_ptr<EventLog> writer = open_local(data).value();
  Program follow{command({"consume", "orders", "--follow"})};
  ASSERT_TRUE(eventually([&] { return follow.out() == "v0\n"; })) << follow.err();
  writer->add_partitions("orders", 2).value();
  AppendRequest request{.to = {"orders", PartitionId{1}}};
  request.records.add({.timestamp = writer->ports().clock.now(), .value = as_bytes("added")}).value();
  append_wait(*writer, std::move(request)).value();
  ASSERT_TRUE(eventually([&] { return follow.out() == "v0\nadded\n"; })) << follow.err();
  writer->delete_topic("orders").value();
  EXPECT_EQ(follow.wait(), 1);
  EXPECT_EQ(follow.err(), "lungo log: not_found: topic orders was deleted\n");
}

TEST_F(LogConsume, ReaderThatHasSeenEnoughEndsItQuietly) {
  make_orders(0);
  std::string lines;
  for (int i = 0; i < 50'000; ++i) lines += "line " + std::to_string(i) + "\n";  // more than a pipe holds
  ASSERT_EQ(log({"produce", "orders"}, lines).status, 0);
  for (const char* options : {"", "--json", "--last 40000"}) {
    const Finished head = shell(std::string("{ log consume orders ") + options + "; echo \"status $?\" >&2; } | head -n 2");
    EXPECT_EQ(lines_of(head.out), 2);
    EXPECT_EQ(head.err, "status 0\n") << options;
  }
  // Nothing comes any more, and still the end of the reader ends it.
  const Finished follow = shell("{ log consume orders --last 1 --follow; echo \"status $?\" >&2; } | head -n 1");
  EXPECT_EQ(follow.out, "line 49999\n");
  EXPECT_EQ(follow.err, "status 0\n");
  const Finished full = shell("log consume orders >/dev/full");
  EXPECT_EQ(full.status, 1);
  EXPECT_NE(full.err.find("standard output: No space left on device"), std::string::npos) << full.err;
}

// Kafka's "no timestamp", which batches of old clients carry.
TEST_F(LogConsume, RecordsWithoutATimeAreTakenInAgain) {
  make_orders(0);
  ASSERT_EQ(log({"produce", "orders", "--json"}, "{\"value\":\"a\",\"timestamp\":-1}\n").status, 0);
  const Finished consumed = log({"consume", "orders", "--json"});
  EXPECT_NE(consumed.out.find("\"timestamp\":-1,"), std::string::npos) << consumed.out;
  const Finished again = log({"produce", "orders", "--json"}, consumed.out);
  EXPECT_EQ(again.status, 0) << again.err;
  EXPECT_EQ(log({"consume", "orders"}).out, "a\na\n");
}

TEST_F(LogConsume, SignalEndsItAlsoWhenNobodyReads) {
  make_orders(0);
  ASSERT_EQ(log({"produce", "orders"}, std::string(1'000'000, 'x') + "\n").status, 0);
  const Pipe output{directory / "pipe"};
  Program stuck{
      {"/bin/sh", "-c", "exec \"$@\" >\"$0\"", directory / "pipe", log_program(), "consume", "orders", "--dir", data}};
  ASSERT_TRUE(eventually([&] { return output.bytes() > 60'000; })) << stuck.err();
  stuck.send(SIGTERM);
  EXPECT_EQ(stuck.wait(), 128 + SIGTERM);
}

}  // namespace
}  // namespace lungo::test
