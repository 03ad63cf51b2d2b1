#include <lungo/log/event_log.hpp>

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace lungo
