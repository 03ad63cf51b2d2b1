#include <lungo/log/event_log.hpp>

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace lungo
