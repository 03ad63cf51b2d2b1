#include <lungo/log/event_log.hpp>

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include <lungo/log/local_event_log.hpp>
#include "tests/support/memory_event_log.hpp"
#include "tests/support/records.hpp"
#include "tests/support/simulation.hpp"

namespace lungo {
namespace {

// The hashes that Kafka's own clients compute for these keys (UtilsTest.testMurmur2), with the sign bit cleared.
TEST(PartitionOfKey, AgreesWithKafka) {
  const auto hash = [](std::string_view key) { return partition_of_key(key, 0x7fffffff).value(); };
  const auto positive = [](std::int32_t kafka) { return static_cast<std::int32_t>((kafka & 0x7fffffff) % 0x7fffffff); };
  EXPECT_EQ(hash("21"), positive(-973932308));
  EXPECT_EQ(hash("foobar"), positive(-790332482));
  EXPECT_EQ(hash("a-little-bit-long-string"), positive(-985981536));
  EXPECT_EQ(hash("a-little-bit-longer-string"), positive(-1486304829));
  EXPECT_EQ(hash("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8"), positive(-58897971));
  EXPECT_EQ(hash("abc"), positive(479470107));
}

// What every home answers to an append whose id it may know. The log in memory, on which the tests of the framework rest, must
// answer as the embedded one does.
class IdsOfAppends : public testing::TestWithParam<const char*> {
 protected:
  IdsOfAppends() {
    log = GetParam() == std::string_view("memory") ? std::make_shared<test::MemoryEventLog>(ports)
                                                   : open_local("/data", {.ports = &ports}).value();
    TopicSpec spec;
    spec.name = "events";
    spec.partitions = 1;
    spec.streams = true;
    log->create_topic(spec).value();
  }
  Result<Appended> append(std::optional<std::string_view> key, std::string_view id, std::size_t count = 1,
                          std::optional<Offset> since = {}) {
    AppendRequest request{.to = {"events", PartitionId{0}}, .records = {}, .condition = {}, .since = since};
    const HeaderView header{kIdHeader, as_bytes(id), true};
    for (std::size_t i = 0; i < count; ++i) {
      RecordFields fields{.timestamp = {}, .key = {}, .value = as_bytes("v"), .headers = {}};
      if (key) fields.key = as_bytes(*key);
      if (i == 0) fields.headers = {&header, 1};
      request.records.add(fields).value();
    }
    return append_wait(*log, std::move(request));
  }

  test::Simulation machine{1};
  const Ports ports = machine.ports();
  std::shared_ptr<EventLog> log;
};

TEST_P(IdsOfAppends, AnIdBelongsToItsKey) {
  EXPECT_EQ(append("a", "1")->first, Offset{0});
  EXPECT_EQ(append("b", "1")->first, Offset{1});
  EXPECT_EQ(append("", "1")->first, Offset{2});
  EXPECT_EQ(append(std::nullopt, "1")->first, Offset{3}) << "no key is not an empty key";
  EXPECT_EQ(append("c", "1", 1, Offset{0})->first, Offset{4});
  EXPECT_EQ(append("a", "1")->first, Offset{0});
  EXPECT_EQ(append("b", "1", 1, Offset{0})->first, Offset{1});
  EXPECT_EQ(append("", "1")->first, Offset{2});
  EXPECT_EQ(append(std::nullopt, "1")->first, Offset{3});
  EXPECT_EQ(append("a", "1", 1, Offset{1})->first, Offset{5}) << "not since then";
}

TEST_P(IdsOfAppends, TheIdOfASmallerAppendIsRefused) {
  append("a", "1").value();
  const Result<Appended> larger = append("a", "1", 2);
  ASSERT_FALSE(larger);
  EXPECT_EQ(larger.error(), Errc::invalid_argument);
  EXPECT_EQ(larger.error().offset(), Offset{0});
  EXPECT_EQ(append("b", "1", 2)->first, Offset{1}) << "under another key it is another id";
}

INSTANTIATE_TEST_SUITE_P(Homes, IdsOfAppends, testing::Values("memory", "embedded"),
                         [](const auto& home) { return std::string(home.param); });

// What every home answers to who reads backwards.
class ReadingBack : public testing::TestWithParam<const char*> {
 protected:
  ReadingBack() {
    log = GetParam() == std::string_view("memory") ? std::make_shared<test::MemoryEventLog>(ports)
                                                   : open_local("/data", {.ports = &ports}).value();
    TopicSpec spec;
    spec.name = "events";
    spec.partitions = 1;
    spec.segment_bytes = 64 << 10;
    log->create_topic(spec).value();
  }
  // One batch of `count` records, each of which says its offset.
  void append(std::size_t count, std::size_t padding = 0) {
    AppendRequest request{.to = partition, .records = {}, .condition = {}, .since = {}};
    for (std::size_t i = 0; i < count; ++i) {
      const std::string value = std::to_string(appended++) + std::string(padding, ' ');
      request.records.add({.timestamp = {}, .key = {}, .value = as_bytes(value), .headers = {}}).value();
    }
    append_wait(*log, std::move(request)).value();
  }
  // Offsets of what one call gives; each record has to say the same.
  std::vector<std::int64_t> offsets_of(const Fetched& fetched) {
    std::vector<std::int64_t> offsets;
    RecordCursor records = fetched.records();
    while (const RecordView* record = records.next()) {
      EXPECT_EQ(std::stoll(std::string(as_text(record->value))), record->offset.value());
      offsets.push_back(record->offset.value());
    }
    EXPECT_FALSE(records.error());
    return offsets;
  }

  test::Simulation machine{1};
  const Ports ports = machine.ports();
  std::shared_ptr<EventLog> log;
  const TopicPartition partition{"events", PartitionId{0}};
  std::int64_t appended = 0;
};

TEST_P(ReadingBack, GivesTheLastBatchesThatFit) {
  for (const std::size_t count : {3u, 2u, 1u, 4u}) append(count);
  const Fetched last = log->read_back(partition, Offset{10}, 0).value();
  EXPECT_EQ(offsets_of(last), (std::vector<std::int64_t>{6, 7, 8, 9}));
  EXPECT_EQ(last.first(), Offset{6});
  EXPECT_EQ(last.next().offset, Offset{10});
  EXPECT_EQ(last.committed_end(), Offset{10});
  EXPECT_EQ(offsets_of(log->read_back(partition, last.first(), 0).value()), (std::vector<std::int64_t>{5}));
  EXPECT_EQ(log->read_back(partition, Offset{10}, 1 << 20)->first(), Offset{0}) << "all fit";
  const Fetched two = log->read_back(partition, Offset{10}, 200).value();
  EXPECT_EQ(offsets_of(two), (std::vector<std::int64_t>{5, 6, 7, 8, 9}));
}

TEST_P(ReadingBack, LeavesOutABatchThatReachesAboveTheEnd) {
  for (const std::size_t count : {3u, 2u}) append(count);
  EXPECT_EQ(offsets_of(log->read_back(partition, Offset{4}, 1 << 20).value()), (std::vector<std::int64_t>{0, 1, 2}));
  EXPECT_TRUE(log->read_back(partition, Offset{2}, 1 << 20)->empty());
  EXPECT_TRUE(log->read_back(partition, Offset{0}, 1 << 20)->empty());
}

TEST_P(ReadingBack, RefusesWhatReadRefuses) {
  append(1);
  EXPECT_EQ(log->read_back(partition, Offset{2}, 100).error(), Errc::offset_out_of_range);
  EXPECT_EQ(log->read_back({"other", PartitionId{0}}, Offset{0}, 100).error(), Errc::not_found);
}

// Many segments and index entries, batches of all sizes.
TEST_P(ReadingBack, GoesOnToTheStartAndMissesNothing) {
  for (int i = 0; i < 400; ++i) append(1 + static_cast<std::size_t>(i % 7), static_cast<std::size_t>(i * 37 % 900));
  for (const std::size_t bytes_max : {0u, 1000u, 10'000u, 1u << 20}) {
    Offset end{appended};
    while (true) {
      const Result<Fetched> fetched = log->read_back(partition, end, bytes_max);
      ASSERT_TRUE(fetched) << fetched.error();
      if (fetched->empty()) break;
      const std::vector<std::int64_t> offsets = offsets_of(*fetched);
      ASSERT_FALSE(offsets.empty());
      EXPECT_EQ(fetched->first(), Offset{offsets.front()});
      EXPECT_EQ(offsets.back() + 1, end.value());
      EXPECT_EQ(offsets.back() - offsets.front() + 1, static_cast<std::int64_t>(offsets.size()));
      end = fetched->first();
    }
    EXPECT_EQ(end, Offset{0});
  }
}

INSTANTIATE_TEST_SUITE_P(Homes, ReadingBack, testing::Values("memory", "embedded"),
                         [](const auto& home) { return std::string(home.param); });

// What comes behind a gap and is damaged is in the way of a read that begins in the gap.
TEST(ReadWith, PassesDamageThatBeginsBehindAGap) {
  class WithAHole : public test::MemoryEventLog {
   public:
    using MemoryEventLog::MemoryEventLog;
    Result<Fetched> read(const TopicPartition& partition, Offset from, std::size_t bytes_max) override {
      if (from < hole.end) return Error{Errc::corrupt, "damaged", hole.from};
      return MemoryEventLog::read(partition, from, bytes_max);
    }
    std::vector<DamagedRange> damage(const TopicPartition&) override { return {hole}; }
    const DamagedRange hole{Offset{3}, Offset{5}, "file", 0, 10};
  };
  test::Simulation simulation{1};
  WithAHole log{simulation.ports()};
  ASSERT_TRUE(log.create_topic({.name = "t", .partitions = 1}));
  const TopicPartition partition{"t", PartitionId{0}};
  for (int i = 0; i < 7; ++i) ASSERT_TRUE(append_wait(log, test::append_of(partition, "k", std::to_string(i))));
  for (const std::int64_t from : {1, 3, 4}) {
    const Result<Fetched> fetched = read_with(log, partition, Offset{from}, 1 << 20, {.skip_damaged = true});
    ASSERT_TRUE(fetched) << fetched.error();
    EXPECT_EQ(fetched->first(), Offset{5});
  }
}

}  // namespace
}  // namespace lungo
