// Goal: beside a writer under load whose old segments go and are compacted meanwhile, each backup and each check is of a log
// that was there: a run of its records without a gap, with all that was acknowledged before, and no finding.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include <lungo/log/backup.hpp>
#include <lungo/log/local_event_log.hpp>

#include "storage_posix.hpp"
#include "tests/support/records.hpp"
#include "tests/support/temp_directory.hpp"
#include "verify.hpp"

namespace lungo::test {
namespace {

const TopicPartition kPlain{"plain", PartitionId{0}};
const TopicPartition kLatest{"latest", PartitionId{0}};

TEST(BackupThreads, BesideAWriterUnderLoad) {
  const TempDirectory directory;
  const auto log = open_local(directory / "data").value();
  ASSERT_TRUE(log->create_topic({.name = "plain", .partitions = 1, .ack_level = AckLevel::isr, .segment_bytes = 20'000}));
  ASSERT_TRUE(log->create_topic({.name = "latest", .partitions = 1, .compact = true, .segment_bytes = 20'000}));
  std::atomic<bool> stop = false;
  std::atomic<std::int64_t> acknowledged = 0;
  std::thread writer([&] {
    for (std::int64_t i = 0; !stop; ++i) {
      const std::string value = std::to_string(i) + "-" + std::string(200, 'v');
      ASSERT_TRUE(append_wait(*log, append_of(kPlain, "k", value)));
      acknowledged = i + 1;
      if (i % 8 == 0) {
        ASSERT_TRUE(append_wait(*log, append_of(kLatest, "k" + std::to_string(i % 5), value)));
      }
      if (i % 500 == 499) {
        ASSERT_TRUE(log->delete_records(kPlain, Offset{i - 300}));
      }
    }
  });
  const std::unique_ptr<Storage> storage = make_posix_storage();
  for (int round = 0; round < 8; ++round) {
    while (acknowledged < 300 * (round + 1)) std::this_thread::yield();
    const std::int64_t before = acknowledged;
    const std::string to = directory / ("copy" + std::to_string(round));
    const BackupKind kind = round % 2 == 0 ? BackupKind::copy : BackupKind::hard_links;
    const Result<BackupReport> report = back_up(directory / "data", to, {.kind = kind});
    ASSERT_TRUE(report) << report.error();
    EXPECT_TRUE(report->damage.empty()) << report->damage.front();
    for (const std::string& checked : {to, directory / "data"}) {
      const Result<VerifyReport> verified = verify_directory(*storage, checked, {}, [&](const Finding& finding) {
        if (finding.severity != FaultSeverity::note) ADD_FAILURE() << checked << ": " << text_of(finding);
      });
      ASSERT_TRUE(verified) << verified.error();
    }
    ASSERT_TRUE(restore(to, to + "-restored"));
    const auto copy = open_local(to + "-restored").value();
    const Ends ends = copy->ends(kPlain).value();
    EXPECT_GE(ends.committed.value(), before);
    const std::vector<std::string> values = values_of(*copy, kPlain, ends.start);
    ASSERT_EQ(static_cast<std::int64_t>(values.size()), ends.committed - ends.start);
    for (std::size_t i = 0; i < values.size(); ++i) {
      ASSERT_TRUE(values[i].starts_with(std::to_string(ends.start.value() + static_cast<std::int64_t>(i)) + "-"));
    }
  }
  stop = true;
  writer.join();
}

}  // namespace
}  // namespace lungo::test
