// Goal: the scrub finds what rots while nobody reads it, makes it known as any reader would, and reads no more a second than it
// may.
#include <gtest/gtest.h>

#include <lungo/log/metrics.hpp>

#include "tests/log/stored_directory.hpp"
#include "tests/support/quiet_log.hpp"

namespace lungo::test {
namespace {

const TopicPartition kOrders{"orders", PartitionId{0}};

struct ScrubbedDirectory : StoredDirectory {
  std::shared_ptr<EventLog> scrubbing(std::uint64_t bytes_per_second) {
    const Ports ports = machine->ports();
    LocalOptions options;
    options.ports = &ports;
    options.scrub_bytes_per_second = bytes_per_second;
    return open_local("/data", options).value();
  }
  std::uint64_t log_bytes() {
    std::uint64_t sum = 0;
    for (const std::string& path : files_with("/data", ".log")) sum += bytes_of(path).size();
    return sum;
  }
};

std::uint64_t value_of(EventLog& log, std::string_view name) {
  for (const Metric& metric : log.metrics()) {
    if (metric.name == name) return metric.value;
  }
  ADD_FAILURE() << "no metric " << name;
  return 0;
}

TEST(Scrub, IsOffUnlessAskedFor) {
  ScrubbedDirectory directory;
  const auto log = directory.opened();
  directory.machine->executor.run_for(std::chrono::seconds{60});
  EXPECT_EQ(value_of(*log, "lungo_log_scrub_bytes_total"), 0u);
}

TEST(Scrub, ReadsEverythingAgainAndAgain) {
  ScrubbedDirectory directory;
  const auto log = directory.scrubbing(1u << 20);
  directory.machine->executor.run_for(std::chrono::seconds{60});
  const std::uint64_t rounds = value_of(*log, "lungo_log_scrub_rounds_total");
  EXPECT_GE(rounds, 3u);
  EXPECT_LE(rounds, 6u) << "with a pause between them";
  EXPECT_GE(value_of(*log, "lungo_log_scrub_bytes_total"), rounds * directory.log_bytes());
  EXPECT_EQ(value_of(*log, "lungo_log_damaged_ranges"), 0u);
  EXPECT_EQ(value_of(*log, "lungo_log_scrub_digests_denied_total"), 0u);
}

TEST(Scrub, ReadsNoMoreASecondThanItMay) {
  ScrubbedDirectory directory;
  constexpr std::uint64_t kBytesPerSecond = 2'000;
  const auto log = directory.scrubbing(kBytesPerSecond);
  directory.machine->executor.run_for(std::chrono::seconds{10});
  const std::uint64_t read = value_of(*log, "lungo_log_scrub_bytes_total");
  EXPECT_GT(read, 8 * kBytesPerSecond);
  EXPECT_LT(read, 12 * kBytesPerSecond);
}

TEST(Scrub, FindsWhatRots) {
  const SilentLog quiet;
  ScrubbedDirectory directory;
  const auto log = directory.scrubbing(1u << 20);
  directory.machine->executor.run_for(std::chrono::seconds{5});
  ASSERT_TRUE(log->damage(kOrders).empty());
  const std::string path = directory.files_with("/data/orders-0", ".log").at(1);
  directory.flip(path, 100);
  directory.machine->executor.run_for(std::chrono::seconds{30});
  const std::vector<DamagedRange> damage = log->damage(kOrders);
  ASSERT_EQ(damage.size(), 1u);
  EXPECT_TRUE(path.ends_with(damage.front().file));
  EXPECT_EQ(damage.front().position, 0u);
  EXPECT_EQ(value_of(*log, "lungo_log_damaged_ranges"), 1u);
  EXPECT_EQ(value_of(*log, "lungo_log_scrub_damaged_total"), 1u);
  EXPECT_EQ(log->read(kOrders, damage.front().from, 1).error(), Errc::corrupt);
  directory.machine->executor.run_for(std::chrono::seconds{60});
  EXPECT_EQ(value_of(*log, "lungo_log_scrub_damaged_total"), 1u) << "known by now";
}

TEST(Scrub, ComparesWithTheDigests) {
  const SilentLog quiet;
  ScrubbedDirectory directory;
  const auto log = directory.scrubbing(1u << 20);
  const std::string path = directory.files_with("/data/latest-0", ".digest").at(0);
  const std::string other = directory.files_with("/data/orders-0", ".digest").at(0);
  directory.write(path, directory.bytes_of(other));  // of another segment with the same base
  directory.machine->executor.run_for(std::chrono::seconds{12});
  EXPECT_GE(value_of(*log, "lungo_log_scrub_digests_denied_total"), 1u);
  EXPECT_EQ(value_of(*log, "lungo_log_damaged_ranges"), 0u);
}

TEST(Scrub, ATopicThatIsDeletedMeanwhileIsPassed) {
  ScrubbedDirectory directory;
  const auto log = directory.scrubbing(20'000);
  directory.machine->executor.run_for(std::chrono::seconds{1});
  ASSERT_TRUE(log->delete_topic("orders"));
  directory.machine->executor.run_for(std::chrono::seconds{60});
  EXPECT_GT(value_of(*log, "lungo_log_scrub_rounds_total"), 0u);
  EXPECT_EQ(value_of(*log, "lungo_log_damaged_ranges"), 0u);
}

TEST(Scrub, IsInNobodysWay) {
  ScrubbedDirectory directory;
  const auto log = directory.scrubbing(1u << 20);
  for (int i = 40; i < 80; ++i) {
    StoredDirectory::fill(*log, i, i + 1);
    directory.machine->executor.run_for(std::chrono::milliseconds{700});
    if (i == 60) {
      ASSERT_TRUE(log->delete_records(kOrders, Offset{30}));
    }
  }
  EXPECT_GT(value_of(*log, "lungo_log_scrub_rounds_total"), 0u);
  EXPECT_EQ(value_of(*log, "lungo_log_damaged_ranges"), 0u);
  EXPECT_EQ(value_of(*log, "lungo_log_scrub_digests_denied_total"), 0u);
  EXPECT_EQ(log->ends(kOrders)->committed, Offset{80});
}

}  // namespace
}  // namespace lungo::test
