// Goal: what compaction leaves is whole to the checks, although files beside the segments still speak of records that are gone;
// and what is there has to be in them.
#include <gtest/gtest.h>

#include "stream_run_files.hpp"
#include "tests/log/compacted_partition.hpp"
#include "tests/log/producer_batches.hpp"
#include "verify.hpp"

namespace lungo::test {
namespace {

struct VerifiedCompacted : CompactedPartition {
  /// But for notes.
  std::string findings(Offset proven) {
    PartitionFacts facts;
    facts.gaps = true;
    facts.streams = options.streams;
    facts.proven = proven;
    facts.start = [] { return Offset{0}; };
    VerifyReport report;
    std::string text;
    const auto seen = verify_partition(simulation->disk, directory, facts, {}, report, [&text](const Finding& finding) {
      if (finding.severity != FaultSeverity::note) text += text_of(finding) + "\n";
    });
    EXPECT_TRUE(seen) << seen.error();
    return text;
  }

  /// Six records in segments of their own, and one run over them, written by the clean stop.
  void fill(const std::vector<std::string>& keys) {
    options.streams = true;
    const auto log = opened();
    for (const std::string& key : keys) {
      ASSERT_TRUE(append_keyed(*log, {KeyedRecord{key, std::string(200, '.')}}));
      ASSERT_TRUE(log->roll());
    }
    clean = log->close().value();
  }
  std::string run_of_six() { return directory + "/" + to_file_name(StreamRunName{Offset{0}, Offset{6}}); }

  std::optional<CleanEnd> clean;
};

TEST(VerifyCompacted, AStreamRunMayKnowOfRecordsThatAreGone) {
  VerifiedCompacted fixture;
  fixture.fill({"a", "b", "c", "a", "d", "e"});
  ASSERT_TRUE(*fixture.simulation->disk.exists(fixture.run_of_six()));
  EXPECT_EQ(fixture.findings(Offset{6}), "");
  {
    const auto log = fixture.opened(fixture.clean);
    ASSERT_TRUE(fixture.compact(*log));
    EXPECT_EQ(keyed_records(*log).size(), 5u);
    ASSERT_TRUE(log->close());
  }
  EXPECT_EQ(fixture.findings(Offset{6}), "");
}

TEST(VerifyCompacted, AStreamRunHasToKnowOfThoseThatAreThere) {
  VerifiedCompacted other;
  other.fill({"a", "b", "c", "a", "x", "e"});
  VerifiedCompacted fixture;
  fixture.fill({"a", "b", "c", "a", "d", "e"});
  const Bytes bytes = read_file(other.simulation->disk, other.run_of_six(), 1u << 20).value();
  const std::unique_ptr<File> file = fixture.simulation->disk.open(fixture.run_of_six(), OpenMode::create).value();
  ASSERT_TRUE(file->truncate(0));
  ASSERT_TRUE(file->write_at(0, bytes));
  EXPECT_NE(fixture.findings(Offset{6}).find("has not the records of its range"), std::string::npos);
}

TEST(VerifyCompacted, ASnapshotMayNameBatchesThatAreGone) {
  VerifiedCompacted fixture;
  const auto log = fixture.opened();
  for (int round = 0; round < 4; ++round) {
    for (const std::int64_t producer : {1, 2}) ASSERT_TRUE(append(*log, produced_by(producer, round)));
    ASSERT_TRUE(log->roll());
  }
  ASSERT_TRUE(log->sync());
  EXPECT_GE(fixture.count_of(".snapshot"), 4u);
  EXPECT_EQ(fixture.findings(Offset{8}), "");
  ASSERT_TRUE(fixture.compact(*log));
  EXPECT_LT(keyed_records(*log).size(), 8u);
  EXPECT_EQ(fixture.findings(Offset{8}), "");
}

}  // namespace
}  // namespace lungo::test
