// Goal: a wall clock that jumps, by years, there and back, harms no record and makes nobody wait: what waits goes by the clock
// that only runs forwards, and what has an age goes by the wall clock alone.
#include <gtest/gtest.h>

#include <lungo/log/appender.hpp>
#include <lungo/log/local_event_log.hpp>

#include "tests/log/producer_batches.hpp"
#include "tests/support/quiet_log.hpp"
#include "tests/support/records.hpp"
#include "tests/support/simulation.hpp"

namespace lungo::test {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr hours kYear{24 * 365};

class ClockJumps : public testing::Test, QuietLog {
 protected:
  ClockJumps() { reopen(); }
  ~ClockJumps() override { log.reset(); }
  void reopen() {
    log.reset();
    log = open_local("/data", {.ports = &ports}).value();
  }
  void make_topic(TopicSpec spec = {}) {
    spec.name = partition.topic;
    spec.partitions = 1;
    ASSERT_TRUE(log->create_topic(spec));
  }
  void jump(std::chrono::milliseconds by) { machine.clock.set_wall(machine.clock.now() + by); }
  /// With the time that it is.
  Result<Appended> append(const std::string& value, Durability durability = Durability::synced) {
    AppendRequest request{.to = partition, .records = {}, .durability = durability};
    request.records.add({.timestamp = machine.clock.now(), .key = as_bytes("k"), .value = as_bytes(value)}).value();
    return append_wait(*log, std::move(request));
  }
  Result<Appended> produce(const Produced& batch) { return log->appender(partition).value()->append_batch(encode(batch)); }
  [[nodiscard]] Offset start() const { return log->ends(partition)->start; }

  Simulation machine{1};
  const Ports ports = machine.ports();
  const TopicPartition partition{"events", PartitionId{0}};
  std::shared_ptr<EventLog> log;
};

TEST_F(ClockJumps, NoRecordIsLostAndNobodyWaits) {
  const std::uint64_t seed = test_seed(20261126);
  SCOPED_TRACE("LUNGO_TEST_SEED=" + std::to_string(seed));
  Random random(seed);
  TopicSpec spec;
  spec.segment_bytes = 1000;
  spec.segment_age = hours{1};
  spec.ack_level = AckLevel::isr;
  spec.timestamps = TimestampKind::log_append;
  make_topic(spec);
  std::vector<std::string> values;
  for (int round = 0; round < 300; ++round) {
    const auto span = static_cast<std::uint64_t>(milliseconds{20 * kYear}.count());
    jump(milliseconds{static_cast<std::int64_t>(random.below(2 * span)) - static_cast<std::int64_t>(span)});
    values.push_back(std::to_string(round));
    ASSERT_TRUE(append(values.back(), random.one_in(2) ? Durability::synced : Durability::written));
    bool told = false;
    values.push_back(std::to_string(round) + " unwaited");
    AppendRequest request = append_of(partition, "k", values.back());
    request.durability = Durability::synced;
    log->append(std::move(request), [&](const Result<Appended>& done) { told = done.has_value(); });
    machine.executor.run_for(random.one_in(20) ? Duration{seconds{11}} : Duration{milliseconds{20}});
    ASSERT_TRUE(told);
    ASSERT_EQ(log->ends(partition)->synced, log->ends(partition)->written) << "the tail waits for the wall clock";
    if (random.one_in(20)) reopen();
  }
  EXPECT_EQ(values_of(*log, partition), values);
}

// The answer of offset_at() is the first record with at least this time, in whatever order the times come.
TEST_F(ClockJumps, TimesAreFoundInWhateverOrderTheyCame) {
  Random random(test_seed(20261127));
  TopicSpec spec;
  spec.segment_bytes = 6000;
  spec.ack_level = AckLevel::isr;
  make_topic(spec);
  std::vector<Timestamp> times;
  for (int i = 0; i < 200; ++i) {
    jump(kYear * (static_cast<int>(random.below(21)) - 10));
    times.push_back(machine.clock.now());
    ASSERT_TRUE(append(std::to_string(i) + std::string(100, 'v'), Durability::written));
  }
  for (int opening = 0; opening < 2; ++opening) {
    for (const Timestamp time : times) {
      const auto first = std::ranges::find_if(times, [time](Timestamp other) { return other >= time; });
      ASSERT_EQ(log->offset_at(partition, time).value(), Offset{first - times.begin()});
    }
    reopen();
  }
}

TEST_F(ClockJumps, RetentionGoesByTheWallClockAsItIs) {
  TopicSpec spec;
  spec.segment_bytes = 600;
  spec.retention_age = hours{24};
  make_topic(spec);
  for (int i = 0; i < 12; ++i) ASSERT_TRUE(append(std::to_string(i) + std::string(100, 'v')));
  jump(-kYear);
  machine.executor.run_for(seconds{31});
  EXPECT_EQ(start(), Offset{0}) << "times to come have no age";
  ASSERT_TRUE(append("a year ago"));
  jump(kYear);
  machine.executor.run_for(seconds{31});
  EXPECT_EQ(start(), Offset{0}) << "what is old lies behind what is not";
  jump(hours{25});
  machine.executor.run_for(seconds{31});
  EXPECT_EQ(start(), Offset{13}) << "a day later all are old";
  ASSERT_TRUE(append("new"));
  reopen();
  EXPECT_EQ(values_of(*log, partition, start()), std::vector<std::string>{"new"});
}

TEST_F(ClockJumps, ASegmentBeginsByTheAgeThatTheWallClockTells) {
  TopicSpec spec;
  spec.segment_age = hours{1};
  make_topic(spec);
  const auto segments = [this] {
    return std::ranges::count_if(*machine.disk.list("/data/events-0"),
                                 [](const DirEntry& file) { return file.name.ends_with(".log"); });
  };
  ASSERT_TRUE(append("first"));
  jump(-kYear);
  machine.executor.run_for(seconds{21});
  EXPECT_EQ(segments(), 1);
  ASSERT_TRUE(append("before the first"));
  jump(kYear + hours{2});
  machine.executor.run_for(seconds{21});
  EXPECT_EQ(segments(), 2);
  machine.executor.run_for(seconds{31});
  EXPECT_EQ(segments(), 2) << "an empty one does not age";
}

TEST_F(ClockJumps, AProducerIsKnownUntilTheWallClockSaysThatItExpired) {
  TopicSpec spec;
  spec.producer_expiry = hours{24};
  make_topic(spec);
  ASSERT_TRUE(produce(produced_by(1, 0)));
  jump(-kYear);
  EXPECT_TRUE(produce(produced_by(1, 0)).value().repeated);
  ASSERT_TRUE(produce(produced_by(1, 1)));
  reopen();
  EXPECT_TRUE(produce(produced_by(1, 1)).value().repeated);
  EXPECT_EQ(produce(produced_by(1, 77)).error(), Errc::out_of_sequence);
  jump(hours{23});
  reopen();
  EXPECT_TRUE(produce(produced_by(1, 0)).value().repeated) << "it has appended less than a day ago";
  jump(2 * kYear);
  EXPECT_FALSE(produce(produced_by(1, 77)).value().repeated) << "a stranger";
}

}  // namespace
}  // namespace lungo::test
