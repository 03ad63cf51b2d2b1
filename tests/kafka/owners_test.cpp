// Goal: of several processes over one cluster one owns each partition, the others find it, and what it was answered is there
// once, whoever comes, goes, is fenced, is killed or sleeps for too long.
#include <lungo/cluster/kafka.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <set>
#include <thread>

#include <lungo/log/membership.hpp>

#include "client/owner_note.hpp"
#include "client/rdk_groups.hpp"
#include "tests/kafka/brokers.hpp"
#include "tests/kafka/counting_owner.hpp"
#include "tests/kafka/flood.hpp"
#include "tests/samples/program.hpp"
#include "tests/support/log_lines.hpp"
#include "tests/support/quiet_log.hpp"
#include "tests/support/temp_directory.hpp"

namespace lungo::test {
namespace {

using namespace std::chrono_literals;

class KafkaOwners : public testing::Test {
 protected:
  static constexpr std::int32_t kPartitions = 4;

  /// A process's log; its endpoint is `name`.
  std::shared_ptr<EventLog> open(const std::string& name) {
    KafkaOptions options;
    options.directory = scratch / name;
    options.endpoint = name;
    std::shared_ptr<EventLog> log = connect_kafka(kafka_address(), app, options).value();
    TopicSpec spec;
    spec.name = topic;
    spec.partitions = kPartitions;
    spec.streams = true;
    log->create_topic(spec).value();
    return log;
  }
  static bool wait(EventLog& log, const std::function<bool()>& holds, Duration most = 30s) {
    const Instant deadline = log.ports().clock.monotonic() + most;
    while (!holds()) {
      if (log.ports().clock.monotonic() > deadline) return false;
      std::this_thread::sleep_for(10ms);
    }
    return true;
  }
  static std::size_t owned(EventLog& log) { return log.membership()->mine().value().size(); }
  static bool owns(EventLog& log, std::size_t count) {
    return wait(log, [&] { return owned(log) == count; });
  }
  /// The first key that lies in the partition.
  static std::string key_of(const TopicPartition& partition) {
    for (int i = 0;; ++i) {
      const std::string key = "key-" + std::to_string(i);
      if (partition_of_key(key, kPartitions) == partition.partition) return key;
    }
  }
  std::size_t records(EventLog& log) {
    std::size_t all = 0;
    for (const auto& [key, stream] : CountingOwner::streams_of(log, topic)) all += stream.size();
    return all;
  }
  /// Each of these numbers is in its stream.
  void expect_all_there(EventLog& log, const std::vector<std::pair<std::string, int>>& answered) {
    const auto streams = CountingOwner::streams_of(log, topic);
    for (const auto& [key, number] : answered) {
      const auto stream = streams.find(key);
      ASSERT_NE(stream, streams.end()) << key;
      EXPECT_LE(static_cast<std::size_t>(number), stream->second.size()) << key << " was answered and is lost";
    }
  }
  /// What a program has printed of whole lines: KEY NUMBER.
  static std::vector<std::pair<std::string, int>> answers_of(const Program& program) {
    std::vector<std::pair<std::string, int>> answers;
    std::istringstream lines(program.out());
    for (std::string line; std::getline(lines, line) && !lines.eof();) {
      const std::size_t space = line.find(' ');
      answers.emplace_back(line.substr(0, space), std::stoi(line.substr(space + 1)));
    }
    return answers;
  }
  std::unique_ptr<Program> start(const std::string& name, int streams = 20) {
    return std::make_unique<Program>(std::vector<std::string>{LUNGO_COUNTING_OWNER, kafka_address(), app, topic, name,
                                                              std::to_string(streams), scratch / name});
  }
  /// Of the records at or behind an offset, in their order.
  static std::vector<std::string> values_of(EventLog& log, const TopicPartition& partition, Offset from) {
    std::vector<std::string> values;
    const Ends ends = log.ends(partition).value();
    for (Offset at = std::max(from, ends.start); at < ends.committed;) {
      const Fetched fetched = log.read(partition, at, 1u << 20).value();
      if (fetched.empty()) break;
      RecordCursor cursor = fetched.records();
      while (const RecordView* record = cursor.next()) {
        if (record->offset >= at) values.emplace_back(as_text(record->value));
      }
      at = fetched.next().offset;
    }
    return values;
  }

  QuietLog quiet;
  TempDirectory scratch;
  Brokers brokers;
  const std::string app = brokers.name("owners");
  const std::string topic = brokers.name("streams");
};

TEST_F(KafkaOwners, ShareThePartitionsAndFindEachOther) {
  const auto first = open("10.0.0.1:80");
  ASSERT_TRUE(owns(*first, kPartitions));
  const auto second = open("10.0.0.2:80");
  ASSERT_TRUE(owns(*first, kPartitions / 2));
  ASSERT_TRUE(owns(*second, kPartitions / 2));
  for (const TopicPartition& partition : second->membership()->mine().value()) {
    const std::optional<Membership::Owner> owner = first->membership()->owner_of(partition).value();
    ASSERT_TRUE(owner);
    EXPECT_EQ(owner->endpoint, "10.0.0.2:80");
    EXPECT_FALSE(owner->is_me);
    EXPECT_TRUE(second->membership()->owner_of(partition).value()->is_me);
    const Result<Appended> refused = append_wait(*first, append_of(partition, key_of(partition), "1"));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error(), Errc::not_owner);
    EXPECT_NE(refused.error().text().find("10.0.0.2:80"), std::string_view::npos) << refused.error();
    EXPECT_TRUE(append_wait(*second, append_of(partition, key_of(partition), "1")));
  }
  EXPECT_EQ(first->membership()->owner_of({topic, PartitionId{kPartitions}}).error(), Errc::not_found);
  ASSERT_TRUE(wait(*first, [&] { return records(*first) == kPartitions / 2; })) << "read where nobody of here writes";
}

TEST_F(KafkaOwners, ARebalanceIsAPauseForThePartitionsThatStay) {
  const auto log = open("a");
  ASSERT_TRUE(owns(*log, kPartitions));
  std::atomic<bool> is_over{false};
  std::vector<std::pair<std::string, int>> answered;
  CountingOwner owner(*log, topic, "a", 20);
  std::thread counts([&] {
    while (!is_over) owner.count([&](const std::string& key, int number) { answered.emplace_back(key, number); });
  });
  for (int i = 0; i < 3; ++i) {
    const auto other = open("b");
    EXPECT_TRUE(owns(*other, kPartitions / 2));
    CountingOwner counting(*other, topic, "b", 20);
    for (int j = 0; j < 5; ++j) counting.count([](const std::string&, int) {});
    EXPECT_EQ(counting.troubles, std::vector<std::string>{});
  }
  EXPECT_TRUE(owns(*log, kPartitions)) << "the other has left";
  is_over = true;
  counts.join();
  EXPECT_EQ(owner.troubles, std::vector<std::string>{});
  ASSERT_NO_FATAL_FAILURE(expect_all_there(*log, answered));
  EXPECT_GT(answered.size(), 40u);
}

TEST_F(KafkaOwners, OneThatStopsIsReplacedAtOnce) {
  auto first = open("a");
  const auto second = open("b");
  ASSERT_TRUE(owns(*second, kPartitions / 2));
  const auto begin = std::chrono::steady_clock::now();
  first.reset();
  ASSERT_TRUE(owns(*second, kPartitions));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 5s) << "no session had to end";
}

TEST_F(KafkaOwners, ListenersAreToldWhatComesAndGoes) {
  struct Listener : MembershipListener {
    void opened(const std::vector<TopicPartition>& partitions) override { add(partitions, 1); }
    void closing(const std::vector<TopicPartition>& partitions, Instant /*deadline*/) override { add(partitions, -1); }
    void lost(const std::vector<TopicPartition>& partitions) override { add(partitions, -1); }
    void add(const std::vector<TopicPartition>& partitions, int sign) {
      const std::lock_guard lock(mutex);
      for (const TopicPartition& partition : partitions) open[partition] += sign;
    }
    int count() {
      const std::lock_guard lock(mutex);
      int all = 0;
      for (const auto& [partition, times] : open) {
        EXPECT_TRUE(times == 0 || times == 1) << to_string(partition);
        all += times;
      }
      return all;
    }
    std::mutex mutex;
    std::map<TopicPartition, int> open;
  };
  const auto first = open("a");
  ASSERT_TRUE(owns(*first, kPartitions));
  Listener one;
  const Membership::Token token = first->membership()->join({topic}, one).value();
  EXPECT_EQ(one.count(), kPartitions) << "told before join() returned";
  {
    const auto second = open("b");
    Listener other;
    const Membership::Token its = second->membership()->join({topic}, other).value();
    EXPECT_TRUE(wait(*first, [&] { return one.count() == kPartitions / 2 && other.count() == kPartitions / 2; }));
  }
  EXPECT_TRUE(wait(*first, [&] { return one.count() == kPartitions; }));
  EXPECT_EQ(first->membership()->join({"never-made"}, one).error(), Errc::not_found);
}

TEST_F(KafkaOwners, AProducerThatWasFencedIsMadeAnew) {
  const auto log = open("a");
  ASSERT_TRUE(owns(*log, kPartitions));
  const TopicPartition partition{topic, PartitionId{0}};
  const std::string key = key_of(partition);
  ASSERT_TRUE(append_wait(*log, append_of(partition, key, "1")));
  RdkGroups groups{brokers.options, brokers.causes};
  const std::vector<RdkGroupOffset> offsets = groups.offsets(app + ".writers", {partition}, true, 10s).value();
  const OwnerNote note = parse_owner_note(offsets.at(0).metadata).value();
  EXPECT_EQ(note.endpoint, "a");
  EXPECT_TRUE(RdkProducer::open(brokers.options, note.transactional_id, brokers.causes).value()->init(10s).ok());
  for (int number = 2; number < 6; ++number) {
    const Result<Appended> appended = append_wait(*log, append_of(partition, key, std::to_string(number)), 20s);
    ASSERT_TRUE(appended) << appended.error();
  }
  EXPECT_EQ(CountingOwner::streams_of(*log, topic).at(key).size(), 5u) << "each once";
}

TEST_F(KafkaOwners, ForeignRecordsAreReported) {
  const auto log = open("a");
  ASSERT_TRUE(owns(*log, kPartitions));
  const TopicPartition partition{topic, PartitionId{1}};
  LogLines lines{"kafka"};
  const std::unique_ptr<RdkProducer> stranger = brokers.producer();
  Transaction(*stranger, partition).add(key_of(partition), "1").commit();
  const auto reported = [&] {
    for (const Metric& metric : log->metrics()) {
      if (metric.name == "lungo_kafka_foreign_records_total") return metric.value;
    }
    return std::uint64_t{0};
  };
  EXPECT_TRUE(wait(*log, [&] { return reported() == 1; })) << reported();
  EXPECT_EQ(lines.count("error", to_string(partition) + " has records of somebody else at offsets 0 to 0"), 1);
  EXPECT_TRUE(append_wait(*log, append_of(partition, key_of(partition), "2"))) << "appends go on";
}

TEST_F(KafkaOwners, OneThatIsKilledIsReplacedWithin15Seconds) {
  const auto killed = start("killed");
  ASSERT_TRUE(eventually([&] { return answers_of(*killed).size() > 40; })) << killed->err();
  const auto log = open("heir");
  ASSERT_TRUE(owns(*log, kPartitions / 2));
  ASSERT_TRUE(wait(*log, [&, before = answers_of(*killed).size()] { return answers_of(*killed).size() > before + 40; }));
  const auto begin = std::chrono::steady_clock::now();
  killed->send(SIGKILL);
  killed->wait();
  ASSERT_TRUE(owns(*log, kPartitions));
  CountingOwner owner(*log, topic, "heir", 20);
  int counted = 0;
  while (counted < 20) owner.count([&](const std::string&, int) { ++counted; });
  const auto took = std::chrono::steady_clock::now() - begin;
  EXPECT_LT(took, 15s) << "at a session timeout of 6 s";
  RecordProperty("milliseconds", static_cast<int>(std::chrono::duration_cast<std::chrono::milliseconds>(took).count()));
  std::cout << "taken over after " << std::chrono::duration_cast<std::chrono::milliseconds>(took).count() << " ms\n";
  ASSERT_NO_FATAL_FAILURE(expect_all_there(*log, answers_of(*killed)));
}

TEST_F(KafkaOwners, OneThatSleptForTooLongAddsNothing) {
  const auto zombie = start("zombie");
  ASSERT_TRUE(eventually([&] { return answers_of(*zombie).size() > 40; })) << zombie->err();
  zombie->send(SIGSTOP);
  const auto log = open("heir");
  ASSERT_TRUE(owns(*log, kPartitions));
  CountingOwner owner(*log, topic, "heir", 20);
  std::vector<std::pair<std::string, int>> answered;
  const auto keep = [&](const std::string& key, int number) { answered.emplace_back(key, number); };
  const auto until = std::chrono::steady_clock::now() + 6s;  // twice the session timeout, with what has passed
  while (std::chrono::steady_clock::now() < until) owner.count(keep);
  zombie->send(SIGCONT);
  for (const auto end = std::chrono::steady_clock::now() + 2s; std::chrono::steady_clock::now() < end;) owner.count(keep);
  EXPECT_TRUE(owns(*log, kPartitions / 2)) << "it comes back as a member";
  zombie->send(SIGTERM);
  EXPECT_EQ(zombie->wait(), 0) << zombie->err();
  EXPECT_TRUE(owns(*log, kPartitions));
  EXPECT_EQ(owner.troubles, std::vector<std::string>{});
  ASSERT_NO_FATAL_FAILURE(expect_all_there(*log, answered));
  ASSERT_NO_FATAL_FAILURE(expect_all_there(*log, answers_of(*zombie)));
}

// Rule 1 of the writer, over brokers: they check that the producer's member is of the group's generation, not whose a partition
// is. Transactions take all four partitions, two of which go.
TEST_F(KafkaOwners, ALiveOneThatLosesPartitionsInMidTransactionAddsNothingToThem) {
  const auto log = open("a");
  ASSERT_TRUE(owns(*log, kPartitions));
  std::vector<std::string> keys;
  for (std::int32_t index = 0; index < kPartitions; ++index) keys.push_back(key_of({topic, PartitionId{index}}));
  Flood flood(log, topic, keys);
  for (int round = 0; round < 3; ++round) {
    const auto heir = open("b");
    ASSERT_TRUE(owns(*heir, kPartitions / 2));
    const std::vector<TopicPartition> lost = heir->membership()->mine().value();
    std::map<TopicPartition, Offset> first;
    for (const TopicPartition& partition : lost) {
      const Result<Appended> appended =
          append_wait(*heir, append_of(partition, keys[static_cast<std::size_t>(partition.partition.value())], "heir"));
      ASSERT_TRUE(appended) << appended.error();
      first[partition] = appended->first;
    }
    std::this_thread::sleep_for(500ms);  // for what the loser may still have under way
    for (const TopicPartition& partition : lost) {
      EXPECT_EQ(values_of(*heir, partition, first[partition]), std::vector<std::string>{"heir"}) << to_string(partition);
    }
    std::size_t before = 0;
    {
      const std::lock_guard lock(flood.mutex);
      before = flood.written.size();
    }
    EXPECT_TRUE(wait(*log, [&] {
      const std::lock_guard lock(flood.mutex);
      return flood.written.size() > before + 1'000;
    })) << "it goes on with the partitions that it has";
  }
  flood.end();
  std::map<std::string, int> there;
  for (std::int32_t index = 0; index < kPartitions; ++index) {
    for (const std::string& value : values_of(*log, {topic, PartitionId{index}}, Offset{0})) ++there[value];
  }
  there.erase("heir");
  for (const auto& [value, times] : there) {
    EXPECT_EQ(times, 1) << value;
    EXPECT_TRUE(flood.written.contains(value)) << value << ": " << flood.refused[value];
  }
  EXPECT_EQ(there.size(), flood.written.size()) << "nothing that was answered is lost";
  EXPECT_GT(std::ranges::count_if(flood.refused, [](const auto& one) { return one.second.starts_with("not_owner"); }), 0)
      << "some were on their way to a partition that went";
}

}  // namespace
}  // namespace lungo::test
