#include <lungo/log/event_log.hpp>

#include <gtest/gtest.h>

#include <string>
#include <vector>

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
