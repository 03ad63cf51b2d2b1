// Goal: a directory that is whole has no finding, whatever its writer was doing; and whatever rots or goes is told, with its
// place.
#include "verify.hpp"

#include <gtest/gtest.h>

#include "batch_layout.hpp"
#include "synced_mark.hpp"
#include "tests/log/stored_directory.hpp"
#include "tests/support/quiet_log.hpp"

namespace lungo::test {
namespace {

struct Verified {
  VerifyReport report;
  std::vector<Finding> findings;  // but for notes

  [[nodiscard]] std::string text() const {
    std::string text;
    for (const Finding& finding : findings) text += std::string(to_string(finding.severity)) + ": " + text_of(finding) + "\n";
    return text;
  }
  [[nodiscard]] bool has(FaultSeverity severity) const {
    return std::ranges::any_of(findings, [severity](const Finding& finding) { return finding.severity == severity; });
  }
};

Verified verify(Storage& storage, std::vector<std::string> topics = {}) {
  Verified verified;
  VerifyOptions options;
  options.topics = std::move(topics);
  const Result<VerifyReport> report = verify_directory(storage, "/data", options, [&](const Finding& finding) {
    if (finding.severity != FaultSeverity::note) verified.findings.push_back(finding);
  });
  EXPECT_TRUE(report) << report.error();
  if (report) verified.report = *report;
  return verified;
}

TEST(Verify, AStoppedDirectoryIsFine) {
  StoredDirectory directory;
  const Verified verified = verify(directory.machine->disk);
  EXPECT_EQ(verified.text(), "");
  EXPECT_EQ(verified.report.partitions, 4u);
  EXPECT_GT(verified.report.segments, 11u);
  EXPECT_EQ(verified.report.digests, verified.report.segments - 3) << "of all but those that are written to";
  EXPECT_GT(verified.report.records, 80u);
  EXPECT_EQ(bytes_to_verify(directory.machine->disk, "/data", {}).value(), verified.report.bytes);
}

TEST(Verify, OneThatIsWrittenToIsFine) {
  StoredDirectory directory;
  const std::shared_ptr<EventLog> log = directory.opened();
  for (int i = 40; i < 60; i += 2) {
    StoredDirectory::fill(*log, i, i + 2);
    EXPECT_EQ(verify(directory.machine->disk).text(), "");
    directory.machine->executor.run_for(std::chrono::seconds{6});
    EXPECT_EQ(verify(directory.machine->disk).text(), "");
  }
}

// A stream run that a clean stop wrote is not synced: it may be torn, and is made anew then.
bool is_stream_run(const Finding& finding) { return finding.file.ends_with(".streams"); }

// Also of the segments that are not written to any more and were read anew: their last time entry is the largest time.
TEST(Verify, GoesOnBehindWhatIsDeletedWhileItReads) {
  StoredDirectory directory;
  const std::shared_ptr<EventLog> log = directory.opened();
  StoredDirectory::fill(*log, 40, 200);
  const TopicPartition orders{"orders", PartitionId{0}};
  int batches = 0;
  int deletions = 0;
  VerifyOptions options;
  options.topics = {"orders"};
  options.read_some = [&](std::uint64_t) {
    if (deletions == 12 || ++batches % 9 != 1) return;  // a segment has 9
    ++deletions;
    ASSERT_TRUE(log->delete_records(orders, log->ends(orders)->start.plus(10)));
    directory.machine->executor.run_for(std::chrono::seconds{1});
  };
  const Result<VerifyReport> report = verify_directory(directory.machine->disk, "/data", options, [](const Finding& finding) {
    if (finding.severity != FaultSeverity::note) ADD_FAILURE() << text_of(finding);
  });
  ASSERT_TRUE(report) << report.error();
  EXPECT_EQ(deletions, 12);
  EXPECT_GE(report->records, 80u);
  EXPECT_LT(report->records, 80u + 10) << "none of what was deleted counts";
}

TEST(Verify, WhatRecoveryMadeWholeIsFine) {
  const SilentLog quiet;
  for (std::uint64_t seed = 1; seed < 40; ++seed) {
    StoredDirectory directory{seed};
    const std::shared_ptr<EventLog> log = directory.opened();
    const std::string value(900, 'v');
    for (int i = 0; i < 35; ++i) {
      AppendRequest request;
      request.to = {"orders", PartitionId{0}};
      const Timestamp later{std::chrono::seconds{1'700'000'001 + i}};
      ASSERT_TRUE(request.records.add({.timestamp = later, .key = {}, .value = as_bytes(value), .headers = {}}));
      ASSERT_TRUE(append_wait(*log, std::move(request)));
    }
    StoredDirectory found;
    found.machine = std::make_unique<Simulation>(seed, directory.machine->disk.after_power_cut(seed));
    const std::shared_ptr<EventLog> again = found.opened();
    for (const Finding& finding : verify(found.machine->disk).findings) EXPECT_TRUE(is_stream_run(finding)) << text_of(finding);
  }
}

TEST(Verify, WhatAPowerCutLeavesHasNothingLost) {
  const SilentLog quiet;
  StoredDirectory directory;
  const std::shared_ptr<EventLog> log = directory.opened();
  for (std::uint64_t seed = 1; seed < 40; ++seed) {
    StoredDirectory::fill(*log, 40, 41);
    const std::unique_ptr<SimDisk> found = directory.machine->disk.after_power_cut(seed);
    for (const Finding& finding : verify(*found).findings) EXPECT_TRUE(is_stream_run(finding)) << text_of(finding);
    EXPECT_EQ(verify(*directory.machine->disk.after_kill()).text(), "") << seed;
    directory.machine->executor.run_for(std::chrono::seconds{1});
  }
}

TEST(Verify, SeveralPartitionsAtATimeComeToTheSame) {
  const SilentLog quiet;
  StoredDirectory directory;
  directory.flip(directory.files_with("/data/orders-0", ".log").at(1), 100);
  directory.flip(directory.files_with("/data/events-0", ".log").at(0), 100);
  VerifyOptions options;
  options.executor = &directory.machine->executor;
  options.width = 3;
  std::uint64_t bytes = 0;
  options.read_some = [&bytes](std::uint64_t more) { bytes += more; };
  std::size_t findings = 0;
  const Result<VerifyReport> report =
      verify_directory(directory.machine->disk, "/data", options, [&findings](const Finding&) { ++findings; });
  ASSERT_TRUE(report) << report.error();
  const Verified alone = verify(directory.machine->disk);
  EXPECT_EQ(findings, alone.findings.size());
  EXPECT_EQ(report->errors, alone.report.errors);
  EXPECT_EQ(report->records, alone.report.records);
  EXPECT_EQ(bytes, alone.report.bytes);
}

// What was only written may be torn in full segments, too, and with the header whole: all of it lies above what was synced.
TEST(Verify, WhatAPowerCutLeavesOfWhatWasOnlyWrittenHasNothingLost) {
  const SilentLog quiet;
  StoredDirectory directory;
  const std::shared_ptr<EventLog> log = directory.opened();
  StoredDirectory::fill(*log, 40, 41);
  directory.machine->executor.run_for(std::chrono::seconds{2});
  for (int i = 0; i < 30; ++i) {
    for (const char* topic : {"orders", "latest"}) {
      AppendRequest request =
          append_of({topic, PartitionId{0}}, "key" + std::to_string(i % 7), std::to_string(i) + std::string(900, 'w'));
      request.durability = Durability::written;
      ASSERT_TRUE(append_wait(*log, std::move(request)));
    }
  }
  for (std::uint64_t seed = 1; seed < 80; ++seed) {
    const std::unique_ptr<SimDisk> found = directory.machine->disk.after_power_cut(seed);
    for (const Finding& finding : verify(*found).findings) {
      EXPECT_TRUE(finding.file.ends_with(".streams")) << seed << " " << text_of(finding);
    }
  }
}

// As a write leaves it that was cut off inside, where the file had been made longer before.
TEST(Verify, ABodyThatIsTornAboveWhatWasSyncedIsATornTail) {
  const SilentLog quiet;
  StoredDirectory directory;
  ASSERT_TRUE(directory.machine->disk.remove("/data/lungo.clean-stop"));
  ASSERT_TRUE(directory.machine->disk.remove("/data/recovery-point-offset-checkpoint"));
  const std::string path = directory.files_with("/data/orders-0", ".log").back();
  directory.flip(path, directory.bytes_of(path).size() - 10);
  EXPECT_TRUE(verify(directory.machine->disk).has(FaultSeverity::error)) << "the mark has passed it";
  ASSERT_TRUE(SyncedMark::open(directory.machine->disk, "/data/orders-0", Offset{39}));
  EXPECT_EQ(verify(directory.machine->disk).text(), "");
}

TEST(Verify, TellsWhereABatchIsDamaged) {
  StoredDirectory directory;
  const std::string path = directory.files_with("/data/orders-0", ".log").at(1);
  const BatchHeader first = parse_batch_header(directory.bytes_of(path)).value();
  const std::uint64_t second = first.size_bytes();
  directory.flip(path, second + 100);
  const Verified verified = verify(directory.machine->disk);
  ASSERT_EQ(verified.findings.size(), 1u) << verified.text();
  const Finding& finding = verified.findings.front();
  EXPECT_EQ(finding.severity, FaultSeverity::error);
  EXPECT_EQ("/data/" + finding.partition + "/" + finding.file, path);
  EXPECT_EQ(finding.position, second);
  EXPECT_EQ(finding.from, first.end_offset());
  EXPECT_EQ(finding.end, first.end_offset().next());
  EXPECT_EQ(verified.report.errors, 1u);
  EXPECT_EQ(verify(directory.machine->disk, {"events"}).text(), "") << "nobody asked for the other topic";
}

TEST(Verify, TellsOfALengthThatIsLost) {
  StoredDirectory directory;
  const std::string path = directory.files_with("/data/orders-0", ".log").at(1);
  const BatchHeader first = parse_batch_header(directory.bytes_of(path)).value();
  directory.flip(path, first.size_bytes() + 9, std::byte{0x7f});
  const Verified verified = verify(directory.machine->disk);
  ASSERT_EQ(verified.findings.size(), 1u) << verified.text();
  EXPECT_EQ(verified.findings.front().from, first.end_offset());
  EXPECT_EQ(verified.findings.front().end, first.end_offset().next());
}

TEST(Verify, TellsOfASegmentThatIsGone) {
  StoredDirectory directory;
  const std::vector<std::string> logs = directory.files_with("/data/orders-0", ".log");
  ASSERT_TRUE(directory.machine->disk.remove(logs.at(1)));
  const Verified middle = verify(directory.machine->disk);
  EXPECT_TRUE(middle.has(FaultSeverity::error));
  EXPECT_NE(middle.text().find("records are missing"), std::string::npos) << middle.text();
  ASSERT_TRUE(directory.machine->disk.remove(logs.at(0)));
  EXPECT_NE(verify(directory.machine->disk).text().find("offsets 0 to before"), std::string::npos);
}

TEST(Verify, TellsOfALogThatEndsEarly) {
  StoredDirectory directory;
  const std::string path = directory.files_with("/data/orders-0", ".log").back();
  const std::unique_ptr<File> file = directory.machine->disk.open(path, OpenMode::read_write).value();
  ASSERT_TRUE(file->truncate(0));
  EXPECT_NE(verify(directory.machine->disk).text().find("were synced, and are not there"), std::string::npos);
}

// Where offsets may be missing, only the digest knows.
TEST(Verify, TellsOfABatchThatIsGoneWhereOffsetsMayBeMissing) {
  StoredDirectory directory;
  const std::string path = directory.files_with("/data/latest-0", ".log").at(0);
  const Bytes bytes = directory.bytes_of(path);
  const std::size_t first = parse_batch_header(bytes).value().size_bytes();
  directory.write(path, BytesView{bytes}.subspan(first));
  const Verified verified = verify(directory.machine->disk);
  EXPECT_TRUE(verified.has(FaultSeverity::error));
  EXPECT_NE(verified.text().find("is not as its digest says"), std::string::npos) << verified.text();
}

TEST(Verify, KnowsDamageThatIsKnown) {
  const SilentLog quiet;
  StoredDirectory directory;
  const std::string path = directory.files_with("/data/orders-0", ".log").at(1);
  directory.flip(path, 100);
  ASSERT_TRUE(directory.machine->disk.remove("/data/lungo.clean-stop"));
  ASSERT_TRUE(directory.machine->disk.remove("/data/recovery-point-offset-checkpoint"));
  directory.opened().reset();
  const Verified verified = verify(directory.machine->disk);
  EXPECT_EQ(verified.findings.size(), 1u) << verified.text();
  directory.flip(path, 100);
  const Verified mended = verify(directory.machine->disk);
  EXPECT_FALSE(mended.has(FaultSeverity::error)) << mended.text();
  EXPECT_TRUE(mended.has(FaultSeverity::warning));
}

TEST(Verify, DamageBelowTheStartIsNobodysAnyMore) {
  const SilentLog quiet;
  StoredDirectory directory;
  directory.flip(directory.files_with("/data/orders-0", ".log").at(0), 100);
  ASSERT_TRUE(directory.machine->disk.remove("/data/lungo.clean-stop"));
  ASSERT_TRUE(directory.machine->disk.remove("/data/recovery-point-offset-checkpoint"));
  const std::shared_ptr<EventLog> log = directory.opened();
  const TopicPartition orders{"orders", PartitionId{0}};
  ASSERT_EQ(log->damage(orders).size(), 1u);
  ASSERT_TRUE(log->delete_records(orders, Offset{25}));
  directory.machine->executor.run_for(std::chrono::seconds{2});
  EXPECT_EQ(verify(directory.machine->disk).text(), "");
}

TEST(Verify, ADirectoryWhoseTopicsAreLostIsLookedAtAllTheSame) {
  const SilentLog quiet;
  StoredDirectory directory;
  directory.flip("/data/lungo.topics", 20);
  const Verified verified = verify(directory.machine->disk);
  EXPECT_TRUE(verified.has(FaultSeverity::error));
  EXPECT_EQ(verified.report.partitions, 4u);
}

TEST(Verify, WhatIsNotThereCannotBeChecked) {
  StoredDirectory directory;
  const TakeFinding ignore = [](const Finding&) {};
  EXPECT_EQ(verify_directory(directory.machine->disk, "/elsewhere", {}, ignore).error(), Errc::not_found);
  VerifyOptions options;
  options.topics = {"nobody"};
  EXPECT_EQ(verify_directory(directory.machine->disk, "/data", options, ignore).error(), Errc::not_found);
}

// Files whose every byte is told, one flipped bit at a time. Of the others `synced-end` has two copies, `tail` and `.lock` say
// nothing of what is stored, and a checkpoint has no check of its own: what it says is compared with the log.
TEST(Verify, EachFlippedByteIsTold) {
  const SilentLog quiet;
  StoredDirectory directory;
  int flips = 0;
  for (const std::string& path : directory.files()) {
    const bool is_free = path.ends_with("synced-end") || path.ends_with("/tail") || path.ends_with(".lock") ||
                         path.ends_with("-offset-checkpoint") || path.ends_with("lungo.clean-stop");
    if (is_free) continue;
    std::size_t size = directory.bytes_of(path).size();
    if (path.ends_with("leader-epoch-checkpoint")) --size;  // the last line break means nothing
    const std::size_t step = size > 1000 ? 97 : size > 200 ? 13 : 1;
    for (std::size_t position = 0; position < size; position += step) {
      const std::byte mask{static_cast<unsigned char>(1u << (position / step % 7))};
      directory.flip(path, position, mask);
      const Result<VerifyReport> report = verify_directory(directory.machine->disk, "/data", {}, [](const Finding&) {});
      EXPECT_TRUE(!report || !report->is_fine()) << path << " byte " << position << " mask " << std::to_integer<int>(mask);
      directory.flip(path, position, mask);
      ++flips;
    }
  }
  std::printf("flips=%d\n", flips);
  EXPECT_GT(flips, 500);
}

}  // namespace
}  // namespace lungo::test
