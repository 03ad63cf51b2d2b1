// Goal: a backup is a prefix of each partition with all that was acknowledged before it began; one that was cut off, or that
// has changed since, is never restored; and what is restored is what was there.
#include <gtest/gtest.h>

#include <filesystem>

#include <lungo/log/backup.hpp>

#include "backup_partition.hpp"
#include "segment_digest.hpp"
#include "storage_posix.hpp"
#include "synced_mark.hpp"
#include "tests/log/stored_directory.hpp"
#include "tests/support/quiet_log.hpp"
#include "tests/support/temp_directory.hpp"
#include "verify.hpp"

namespace lungo::test {
namespace {

const TopicPartition kEvents{"events", PartitionId{0}};
const TopicPartition kOrders{"orders", PartitionId{0}};
const TopicPartition kLatest{"latest", PartitionId{0}};

struct BackedUp : StoredDirectory {
  Result<BackupReport> back_up(const std::string& to = "/backup") {
    const Ports ports = machine->ports();
    return lungo::back_up("/data", to, {.ports = &ports});
  }
  Result<BackupReport> restore(const std::string& from = "/backup", const std::string& to = "/restored") {
    const Ports ports = machine->ports();
    return lungo::restore(from, to, {.ports = &ports});
  }
  /// To go on in it, where it is a backup.
  std::shared_ptr<EventLog> opened_at(const std::string& directory) {
    const Ports ports = machine->ports();
    static_cast<void>(machine->disk.remove(directory + "/lungo.backup").has_value());
    Result<std::shared_ptr<EventLog>> log = open_local(directory, {.ports = &ports});
    EXPECT_TRUE(log) << log.error();
    return log ? *log : nullptr;
  }
};

/// Also where offsets are missing.
std::vector<std::string> records_of(EventLog& log, const TopicPartition& partition) {
  std::vector<std::string> records;
  const Ends ends = log.ends(partition).value();
  for (Offset at = ends.start; at < ends.committed;) {
    const Fetched fetched = log.read(partition, at, 1u << 16).value();
    RecordCursor cursor = fetched.records();
    while (const RecordView* record = cursor.next()) {
      records.push_back(std::to_string(record->offset.value()) + " " + std::string(as_text(record->value)));
    }
    at = fetched.next().offset;
  }
  return records;
}

void expect_fine(Storage& storage, const std::string& directory) {
  const Result<VerifyReport> report = verify_directory(storage, directory, {}, [](const Finding& finding) {
    if (finding.severity != FaultSeverity::note) ADD_FAILURE() << text_of(finding);
  });
  ASSERT_TRUE(report) << report.error();
}

TEST(Backup, OfAStoppedDirectoryHasEverything) {
  BackedUp directory;
  const Result<BackupReport> report = directory.back_up();
  ASSERT_TRUE(report) << report.error();
  EXPECT_EQ(report->partitions, 4u);
  EXPECT_TRUE(report->damage.empty());
  expect_fine(directory.machine->disk, "/backup");
  std::vector<std::vector<std::string>> expected;
  {
    const auto log = directory.opened();
    for (const TopicPartition& partition : {kEvents, kOrders, kLatest}) expected.push_back(records_of(*log, partition));
    EXPECT_EQ(expected[1].size(), 40u);
  }
  const auto copy = directory.opened_at("/backup");
  std::vector<std::vector<std::string>> found;
  for (const TopicPartition& partition : {kEvents, kOrders, kLatest}) found.push_back(records_of(*copy, partition));
  EXPECT_EQ(found, expected);
  EXPECT_EQ(copy->read_key(kEvents, "key3", Offset{0}, Offset{40}, 100)->records.size(), 6u);
  StoredDirectory::fill(*copy, 40, 50);
  EXPECT_EQ(records_of(*copy, kOrders).size(), 50u);
}

TEST(Backup, BesideAWriterHasWhatWasAcknowledged) {
  BackedUp directory;
  const auto log = directory.opened();
  for (int i = 40; i < 60; i += 3) {
    StoredDirectory::fill(*log, i, i + 3);
    const std::string to = "/backup" + std::to_string(i);
    const Result<BackupReport> report = directory.back_up(to);
    ASSERT_TRUE(report) << report.error();
    expect_fine(directory.machine->disk, to);
    EXPECT_EQ(records_of(*directory.opened_at(to), kOrders), records_of(*log, kOrders));
  }
}

TEST(Backup, OfACrashedDirectoryHasAllThatIsWhole) {
  const SilentLog quiet;
  BackedUp directory;
  auto log = directory.opened();
  StoredDirectory::fill(*log, 40, 45);
  std::unique_ptr<SimDisk> killed = directory.machine->disk.after_kill();
  log.reset();
  directory.machine = std::make_unique<Simulation>(1, std::move(killed));
  const std::string last = directory.files_with("/data/orders-0", ".log").back();
  Bytes torn = directory.bytes_of(last);
  torn.resize(torn.size() + 30, std::byte{1});
  directory.write(last, torn);
  ASSERT_TRUE(directory.back_up());
  expect_fine(directory.machine->disk, "/backup");
  EXPECT_EQ(directory.bytes_of("/backup" + last.substr(5)).size(), torn.size() - 30);
  EXPECT_EQ(records_of(*directory.opened_at("/backup"), kOrders).size(), 45u);
}

// While a writer recovers it holds the lock, and the page is still the one of before.
TEST(Backup, APageFromBeforeAPowerCutCutsNothing) {
  const SilentLog quiet;
  BackedUp directory;
  auto log = directory.opened();
  StoredDirectory::fill(*log, 40, 42);
  const Bytes page = directory.bytes_of("/data/tail");
  StoredDirectory::fill(*log, 42, 45);
  std::unique_ptr<SimDisk> killed = directory.machine->disk.after_kill();
  log.reset();
  directory.machine = std::make_unique<Simulation>(1, std::move(killed));
  directory.write("/data/tail", page);
  ASSERT_TRUE(directory.back_up());
  EXPECT_EQ(records_of(*directory.opened_at("/backup"), kOrders).size(), 45u);
}

TEST(Backup, ATopicThatIsMadeAgainMeanwhileIsNotTheOneThatWas) {
  BackedUp directory;
  const auto log = directory.opened();
  bool is_made_again = false;
  const auto make_again = [&](std::uint64_t) {
    if (is_made_again || !*directory.machine->disk.exists("/backup/orders-0")) return;
    is_made_again = true;
    ASSERT_TRUE(log->delete_topic("orders"));
    ASSERT_TRUE(log->create_topic({.name = "orders", .partitions = 2}));
  };
  const Ports ports = directory.machine->ports();
  const Result<BackupReport> report = lungo::back_up("/data", "/backup", {.ports = &ports, .read_some = make_again});
  ASSERT_TRUE(report) << report.error();
  ASSERT_TRUE(is_made_again);
  EXPECT_EQ(report->partitions, 2u);
  const auto copy = directory.opened_at("/backup");
  ASSERT_NE(copy, nullptr);
  EXPECT_EQ(copy->topics()->size(), 2u);
}

TEST(Backup, WithoutAPartitionsIdIsNone) {
  const SilentLog quiet;
  BackedUp directory;
  ASSERT_TRUE(directory.machine->disk.remove("/data/orders-1/partition.metadata"));
  EXPECT_EQ(directory.back_up().error(), Errc::corrupt);
}

TEST(Backup, CompactionGoesOnWhereItWas) {
  BackedUp directory;
  ASSERT_TRUE(directory.back_up());
  for (const std::string name : {"lungo.cleaned", "cleaner-offset-checkpoint"}) {
    EXPECT_EQ(directory.bytes_of("/backup/" + name), directory.bytes_of("/data/" + name)) << name;
  }
  ASSERT_TRUE(directory.restore());
  EXPECT_EQ(directory.bytes_of("/restored/lungo.cleaned"), directory.bytes_of("/data/lungo.cleaned"));
}

TEST(Backup, DeletedRecordsDoNotComeBack) {
  BackedUp directory;
  const auto log = directory.opened();
  ASSERT_TRUE(log->delete_records(kOrders, Offset{25}));
  ASSERT_TRUE(directory.back_up());
  ASSERT_TRUE(directory.restore());
  const auto restored = directory.opened_at("/restored");
  EXPECT_EQ(restored->ends(kOrders)->start, Offset{25});
  EXPECT_EQ(restored->ends(kOrders)->committed, Offset{40});
}

TEST(Backup, FilesOfTheProgramComeAlongAndStoresDoNot) {
  BackedUp directory;
  directory.write("/data/tracker-secret", as_bytes("secret"));
  directory.write("/data/rows.db", as_bytes("rows"));
  directory.write("/data/pictures", Bytes(17u << 20, std::byte{7}));
  ASSERT_TRUE(directory.back_up());
  ASSERT_TRUE(directory.restore());
  EXPECT_EQ(as_text(directory.bytes_of("/restored/tracker-secret")), "secret");
  EXPECT_FALSE(*directory.machine->disk.exists("/restored/rows.db"));
  EXPECT_TRUE(*directory.machine->disk.exists("/restored/pictures")) << "none is too large";
}

TEST(Backup, DamageIsCopiedAndTold) {
  const SilentLog quiet;
  BackedUp directory;
  directory.flip(directory.files_with("/data/orders-0", ".log").at(1), 100);
  const Result<BackupReport> report = directory.back_up();
  ASSERT_TRUE(report) << report.error();
  ASSERT_EQ(report->damage.size(), 1u);
  EXPECT_NE(report->damage.front().find("orders-0/"), std::string::npos);
  const Result<BackupReport> restored = directory.restore();
  ASSERT_TRUE(restored) << restored.error();
  EXPECT_EQ(restored->damage.size(), 1u);
  const auto log = directory.opened_at("/restored");
  EXPECT_EQ(log->damage(kOrders).size(), 1u);
  EXPECT_EQ(log->ends(kOrders)->committed, Offset{40});
}

TEST(Backup, ADamagedEndThatWasPromisedStaysAHole) {
  const SilentLog quiet;
  BackedUp directory;
  const std::string path = directory.files_with("/data/orders-0", ".log").back();
  directory.flip(path, directory.bytes_of(path).size() - 10);
  const Result<BackupReport> report = directory.back_up();
  ASSERT_TRUE(report) << report.error();
  EXPECT_FALSE(report->damage.empty());
  ASSERT_TRUE(directory.restore());
  const auto log = directory.opened_at("/restored");
  const std::vector<DamagedRange> damage = log->damage(kOrders);
  ASSERT_EQ(damage.size(), 1u);
  EXPECT_EQ(damage.front().from, Offset{39});
}

TEST(Backup, AFirstSegmentThatIsMissingIsNoDeletion) {
  const SilentLog quiet;
  BackedUp directory;
  ASSERT_TRUE(directory.machine->disk.remove(directory.files_with("/data/orders-0", ".log").front()));
  const Result<BackupReport> report = directory.back_up();
  ASSERT_TRUE(report) << report.error();
  ASSERT_EQ(report->damage.size(), 1u);
  EXPECT_NE(report->damage.front().find("offsets 0 to before"), std::string::npos) << report->damage.front();
  EXPECT_FALSE(*directory.machine->disk.exists("/backup/lungo.starts")) << "nobody has deleted them";
  EXPECT_TRUE(directory.restore());
}

// A crash inside an exchange: the new segment waits, and the digest is still the old one's.
TEST(Backup, AnOldDigestIsNotCopiedBesideANewSegment) {
  const SilentLog quiet;
  BackedUp directory;
  const std::string path = directory.files_with("/data/latest-0", ".log").at(0);
  const Bytes bytes = directory.bytes_of(path);
  directory.write(path + ".swap", BytesView{bytes}.subspan(parse_batch_header(bytes).value().size_bytes()));
  const Result<BackupReport> report = directory.back_up();
  ASSERT_TRUE(report) << report.error();
  EXPECT_TRUE(report->damage.empty()) << report->damage.front();
  const std::string copied = "/backup" + path.substr(5);
  EXPECT_FALSE(*directory.machine->disk.exists(copied.substr(0, copied.size() - 4) + ".digest"));
  EXPECT_LT(directory.bytes_of(copied).size(), bytes.size());
}

TEST(Backup, GoesNowhereWhereSomethingIs) {
  BackedUp directory;
  ASSERT_TRUE(directory.machine->disk.make_directories("/backup"));
  directory.write("/backup/file", as_bytes("mine"));
  EXPECT_EQ(directory.back_up().error(), Errc::already_exists);
  EXPECT_EQ(directory.files("/backup").size(), 1u);
  const Ports ports = directory.machine->ports();
  EXPECT_EQ(lungo::back_up("/nowhere", "/other", {.ports = &ports}).error(), Errc::not_found);
  EXPECT_FALSE(*directory.machine->disk.exists("/other"));
  for (const std::string inside : {"/data", "/data/", "/data/backup", "/backup/../data/one/two"}) {
    EXPECT_EQ(directory.back_up(inside).error(), Errc::invalid_argument) << inside;
  }
  EXPECT_TRUE(directory.back_up("/data-backup"));
}

// Killed, or with the power cut, at each of its steps: what is left is whole, or no backup.
TEST(Backup, CutOffAtAnyMomentIsNoBackup) {
  const SilentLog quiet;
  BackedUp directory;
  int incomplete = 0;
  int complete = 0;
  bool inside = false;
  const auto look = [&](std::unique_ptr<SimDisk> found) {
    BackedUp after;
    after.machine = std::make_unique<Simulation>(1, std::move(found));
    const Result<BackupReport> restored = after.restore();
    if (restored) {
      ++complete;
      EXPECT_EQ(records_of(*after.opened_at("/restored"), kOrders).size(), 40u);
    } else {
      ++incomplete;
      EXPECT_EQ(restored.error(), Errc::not_found) << restored.error();
      const Ports ports = after.machine->ports();
      const Result<std::shared_ptr<EventLog>> opened = open_local("/backup", {.ports = &ports});
      EXPECT_TRUE(!opened || (*opened)->topics()->empty() || after.files_with("/backup", "lungo.topics").size() == 1);
    }
  };
  std::uint64_t steps = 0;
  directory.machine->disk.on_step([&](const DiskStep&) {
    if (inside || ++steps % 7 != 0) return;
    inside = true;
    look(directory.machine->disk.after_kill());
    look(directory.machine->disk.after_power_cut(steps));
    inside = false;
  });
  ASSERT_TRUE(directory.back_up());
  directory.machine->disk.on_step({});
  look(directory.machine->disk.durable());
  EXPECT_GT(incomplete, 20);
  EXPECT_GT(complete, 0);
}

TEST(Backup, AFailedDiskIsAnError) {
  const SilentLog quiet;
  BackedUp directory;
  const std::uint64_t before = directory.machine->disk.steps();
  ASSERT_TRUE(directory.back_up("/first"));
  const std::uint64_t steps = directory.machine->disk.steps() - before;
  for (std::uint64_t step = 1; step <= steps; step += 5) {
    const std::string to = "/backup" + std::to_string(step);
    directory.machine->disk.fail_step(directory.machine->disk.steps() + step, Errc::no_space, true);
    const Result<BackupReport> failed = directory.back_up(to);
    directory.machine->disk.clear_faults();
    ASSERT_FALSE(failed) << step;
    const Result<BackupReport> restored = directory.restore(to, "/restored" + std::to_string(step));
    if (restored) {
      EXPECT_EQ(restored->partitions, 4u) << "all that failed was the sync of its last file's name";
    } else {
      EXPECT_EQ(restored.error(), Errc::not_found) << restored.error();
    }
  }
}

TEST(Restore, IsWhatWasCopied) {
  BackedUp directory;
  ASSERT_TRUE(directory.back_up());
  const Result<BackupReport> report = directory.restore();
  ASSERT_TRUE(report) << report.error();
  EXPECT_EQ(report->partitions, 4u);
  expect_fine(directory.machine->disk, "/restored");
  EXPECT_EQ(records_of(*directory.opened_at("/restored"), kOrders), records_of(*directory.opened(), kOrders));
  EXPECT_TRUE(directory.restore("/backup", "/again")) << "the backup is as it was";
  EXPECT_EQ(directory.restore().error(), Errc::already_exists);
}

TEST(Restore, RefusesWhatHasChanged) {
  const SilentLog quiet;
  BackedUp directory;
  ASSERT_TRUE(directory.back_up());
  SimDisk& disk = directory.machine->disk;
  int changes = 0;
  const auto expect_refused = [&](const std::string& what) {
    const Result<BackupReport> restored = directory.restore();
    ASSERT_FALSE(restored) << what;
    EXPECT_EQ(restored.error(), Errc::corrupt) << what << " " << restored.error();
    const Result<std::vector<DirEntry>> left = disk.list("/restored");
    EXPECT_TRUE(!left || left->empty()) << what;
    ++changes;
  };
  for (const std::string& path : directory.files("/backup")) {
    const std::uint64_t size = directory.bytes_of(path).size();
    if (size == 0) continue;
    directory.flip(path, size / 2);
    expect_refused("flipped " + path);
    directory.flip(path, size / 2);
    if (path.ends_with("lungo.backup")) continue;
    const Bytes bytes = directory.bytes_of(path);
    directory.write(path, BytesView{bytes}.first(bytes.size() - 1));
    expect_refused("shortened " + path);
    ASSERT_TRUE(disk.remove(path));
    expect_refused("removed " + path);
    directory.write(path, bytes);
  }
  directory.write("/backup/orders-0/more", as_bytes("x"));
  expect_refused("a file more");
  ASSERT_TRUE(disk.remove("/backup/orders-0/more"));
  EXPECT_TRUE(directory.restore());
  EXPECT_GT(changes, 30);
}

TEST(Restore, RefusesAManifestThatHasRottenAnywhere) {
  const SilentLog quiet;
  BackedUp directory;
  ASSERT_TRUE(directory.back_up());
  const std::uint64_t size = directory.bytes_of("/backup/lungo.backup").size();
  ASSERT_GT(size, 0u);
  for (std::uint64_t position = 0; position < size; ++position) {
    for (const std::byte mask : {std::byte{1} << (position % 8), std::byte{0xff}}) {
      directory.flip("/backup/lungo.backup", position, mask);
      const Result<BackupReport> restored = directory.restore();
      ASSERT_FALSE(restored) << "byte " << position;
      ASSERT_TRUE(restored.error() == Errc::corrupt || restored.error() == Errc::newer_format) << restored.error();
      directory.flip("/backup/lungo.backup", position, mask);
    }
  }
  EXPECT_TRUE(directory.restore());
}

/// Segments at 0, 2, 4, 6 and 8, each of two batches.
std::shared_ptr<EventLog> ten_orders(const std::string& directory) {
  const auto log = open_local(directory).value();
  EXPECT_TRUE(log->create_topic({.name = "orders", .partitions = 1, .segment_bytes = 2'000}));
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(append_wait(*log, append_of(kOrders, "k", std::string(900, 'v'))));
  return log;
}

/// Bases of the segments in `directory` that have another name, too.
std::vector<int> linked_in(const std::string& directory) {
  std::vector<int> linked;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    const bool is_linked = entry.path().extension() == ".log" && entry.hard_link_count() > 1;
    if (is_linked) linked.push_back(std::stoi(entry.path().stem()));
  }
  std::ranges::sort(linked);
  return linked;
}

TEST(BackupOnDisk, FullSegmentsGetASecondNameAndTheLastDoesNot) {
  const TempDirectory directory;
  const auto log = ten_orders(directory / "data");
  const Result<BackupReport> report = back_up(directory / "data", directory / "copy", {.kind = BackupKind::hard_links});
  ASSERT_TRUE(report) << report.error();
  EXPECT_EQ(linked_in(directory / "copy/orders-0"), (std::vector{0, 2, 4, 6}));
  ASSERT_TRUE(append_wait(*log, append_of(kOrders, "k", "later")));
  const auto restored = restore(directory / "copy", directory / "restored");
  ASSERT_TRUE(restored) << restored.error();
  EXPECT_EQ(values_of(*open_local(directory / "restored").value(), kOrders).size(), 10u);
}

TEST(BackupOnDisk, TheLogsOwnPortsDoAllThatItsStorageDoes) {
  const TempDirectory directory;
  const auto log = ten_orders(directory / "data");
  const Ports ports = log->ports();
  const Result<BackupReport> report =
      back_up(directory / "data", directory / "copy", {.kind = BackupKind::hard_links, .ports = &ports});
  ASSERT_TRUE(report) << report.error();
  EXPECT_EQ(linked_in(directory / "copy/orders-0"), (std::vector{0, 2, 4, 6}));
}

// After a power cut a full segment above the proven end may be torn: the next opening cuts it, and writes on in the same file.
TEST(BackupOnDisk, WhatMayBeCutGetsNoSecondName) {
  const SilentLog quiet;
  const TempDirectory directory;
  ten_orders(directory / "data").reset();
  const std::unique_ptr<Storage> storage = make_posix_storage();
  ASSERT_TRUE(storage->remove(directory / "data/lungo.clean-stop"));
  ASSERT_TRUE(storage->remove(directory / "data/recovery-point-offset-checkpoint"));
  ASSERT_TRUE(SyncedMark::open(*storage, directory / "data/orders-0", Offset{4}));
  const std::string torn = directory / "data/orders-0/00000000000000000004.log";
  std::filesystem::resize_file(torn, std::filesystem::file_size(torn) - 100);
  const Result<BackupReport> report = back_up(directory / "data", directory / "copy", {.kind = BackupKind::hard_links});
  ASSERT_TRUE(report) << report.error();
  EXPECT_EQ(linked_in(directory / "copy/orders-0"), (std::vector{0}));
  const auto log = open_local(directory / "data").value();
  ASSERT_EQ(log->ends(kOrders)->committed, Offset{5});
  ASSERT_TRUE(append_wait(*log, append_of(kOrders, "k", "later")));
  const auto restored = restore(directory / "copy", directory / "restored");
  EXPECT_TRUE(restored) << restored.error();
}

// Whoever opens the backup itself writes to it: that must not reach the files that it was made of.
TEST(BackupOnDisk, TheLastSegmentOfTheCopyGetsNoSecondName) {
  const TempDirectory directory;
  ten_orders(directory / "data").reset();
  const std::unique_ptr<Storage> storage = make_posix_storage();
  const std::string from = directory / "data/orders-0";
  PartitionCopy copy{.storage = *storage, .from = from, .to = directory / "copy", .name = "orders-0", .hard_links = true};
  copy.reach = LogReach{Offset{4}, std::filesystem::file_size(from + "/00000000000000000004.log"), Offset{6}};
  copy.start = [] { return Offset{0}; };
  const Result<CopiedPartition> copied = copy_partition_files(copy);
  ASSERT_TRUE(copied) << copied.error();
  EXPECT_EQ(copied->end, Offset{6});
  EXPECT_EQ(linked_in(directory / "copy"), (std::vector{0, 2}));
}

}  // namespace
}  // namespace lungo::test
