// Goal: a sector that the disk does not read costs the records in it, as long as it does not read them, and nothing else: no
// byte is cut for it, nothing of it is written down, and what the disk reads again is there again.
#include <gtest/gtest.h>

#include <limits>
#include <set>

#include "backup_partition.hpp"
#include "damage.hpp"
#include "readable_bytes.hpp"
#include "synced_mark.hpp"
#include "tests/log/partition_fixture.hpp"
#include "tests/support/forwarding_storage.hpp"
#include "tests/support/quiet_log.hpp"
#include "verify.hpp"

namespace lungo::test {
namespace {

/// A disk with one bad sector, in a log outside of `copy/`: the system reads none of its block.
class BadSector final : public ForwardingStorage {
 public:
  explicit BadSector(Storage& beneath) : ForwardingStorage(beneath) {}
  Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override {
    Result<std::unique_ptr<File>> file = ForwardingStorage::open(path, mode);
    if (!file || !path.ends_with(".log") || (path.starts_with("copy/") && !second_names_.contains(path))) return file;
    return std::make_unique<LogFile>(*this, std::move(*file));
  }

  Result<void> copy(const std::string& from, const std::string& to, std::uint64_t bytes) override {
    const bool is_in_it = bad && *bad < bytes && from.ends_with(".log");
    return is_in_it ? Result<void>{Error{Errc::io, "Input/output error"}} : ForwardingStorage::copy(from, to, bytes);
  }

  Result<void> link(const std::string& from, const std::string& to) override {
    second_names_.insert(to);
    return ForwardingStorage::copy(from, to, std::numeric_limits<std::uint64_t>::max());  // the simulated disk has no links
  }
  Result<void> remove(const std::string& path) override {
    second_names_.erase(path);
    return ForwardingStorage::remove(path);
  }

  std::optional<std::uint64_t> bad;  // a byte of it
  int passing = 0;                   // so many reads of any sector fail

 private:
  class LogFile final : public ForwardingFile {
   public:
    LogFile(BadSector& disk, std::unique_ptr<File> beneath) : ForwardingFile(std::move(beneath)), disk_(disk) {}
    Result<std::size_t> read_at(std::uint64_t position, std::span<std::byte> out) override {
      const std::uint64_t begin = disk_.bad.value_or(0) / kReadableBlockBytes * kReadableBlockBytes;
      const bool is_bad = disk_.bad && position < begin + kReadableBlockBytes && position + out.size() > begin;
      if (is_bad || (disk_.passing > 0 && disk_.passing-- > 0)) return Error{Errc::io, "Input/output error"};
      return ForwardingFile::read_at(position, out);
    }

   private:
    BadSector& disk_;
  };

  std::set<std::string> second_names_;
};

constexpr int kBatches = 30;

TestRecord numbered_record(int number) {
  return {.key = "k" + std::to_string(number), .value = std::to_string(number) + std::string(1500, 'v')};
}

/// Thirty batches of a record each over some ten blocks, of which the first `synced` were synced.
struct SectoredLog : PartitionFixture {
  explicit SectoredLog(int synced, bool is_closed = false) {
    const auto log = opened();
    for (int i = 0; i < kBatches; ++i) {
      borders.push_back(file_size(kFirstLog));
      EXPECT_TRUE(append(*log, {numbered_record(i)}));
      if (i + 1 == synced) {
        EXPECT_TRUE(log->sync());
      }
    }
    borders.push_back(file_size(kFirstLog));
    if (is_closed) clean = log->close().value();
  }
  Result<std::unique_ptr<PartitionLog>> open_here(bool is_clean = true) {
    const Ports real = simulation->ports();
    return PartitionLog::open({disk, real.clock, real.executor, real.random}, directory, options,
                              is_clean ? clean : std::nullopt, Offset{0});
  }
  /// What the disk does not read of the batch is its block.
  void lose(int batch) { disk.bad = borders[static_cast<std::size_t>(batch)] + 100; }
  [[nodiscard]] bool is_lost(int batch) const {
    const std::uint64_t begin = *disk.bad / kReadableBlockBytes * kReadableBlockBytes;
    const auto number = static_cast<std::size_t>(batch);
    return borders[number] < begin + kReadableBlockBytes && borders[number + 1] > begin;
  }
  Bytes bytes() { return *read_file(simulation->disk, path(kFirstLog), 1 << 20); }

  BadSector disk{simulation->disk};
  std::vector<std::uint64_t> borders;
  std::optional<CleanEnd> clean;
};

/// Each record of a block that is read is there, one by one and many at once; the others are told to be lost.
void expect_what_is_read(SectoredLog& fixture, PartitionLog& log) {
  for (const std::size_t bytes_max : {1u, 5000u, 1u << 20}) {
    for (int i = 0; i < kBatches; ++i) {
      SCOPED_TRACE(i);
      const Result<Fetched> fetched = log.read(Offset{i}, Offset{kBatches}, bytes_max, {}, {});
      if (fixture.disk.bad && fixture.is_lost(i)) {
        ASSERT_FALSE(fetched);
        ASSERT_EQ(fetched.error(), Errc::corrupt);
        ASSERT_NE(fetched.error().text().find("which the disk does not read"), std::string_view::npos) << fetched.error();
        continue;
      }
      ASSERT_TRUE(fetched) << fetched.error();
      RecordCursor cursor = fetched->records();
      int next = i;
      while (const RecordView* record = cursor.next()) {
        ASSERT_EQ(decode(*record), numbered_record(next));
        ASSERT_FALSE(fixture.disk.bad && fixture.is_lost(next));
        ++next;
      }
      ASSERT_GT(next, i);
    }
  }
  for (int i = kBatches; i > 0; --i) {
    const Result<Fetched> fetched = log.read_back(Offset{i}, log.written_end(), 5000, {}, {});
    if (fixture.disk.bad && fixture.is_lost(i - 1)) {
      ASSERT_EQ(fetched.error(), Errc::corrupt);
    } else {
      ASSERT_TRUE(fetched) << fetched.error();
      ASSERT_EQ(fetched->next().offset, Offset{i});
    }
  }
}

TEST(UnreadableSector, OfWhatWasPromisedIsAHoleAsLongAsItIsNotRead) {
  const SilentLog silent;
  for (const bool is_clean : {false, true}) {
    for (const int batch : {0, 11, kBatches - 4}) {
      SCOPED_TRACE(testing::Message() << "batch " << batch << (is_clean ? ", stopped" : ", killed"));
      SectoredLog fixture(kBatches, is_clean);
      const Bytes before = fixture.bytes();
      fixture.lose(batch);
      for (const bool read_only : {true, false}) {
        fixture.options.read_only = read_only;
        const auto log = fixture.open_here();
        ASSERT_TRUE(log) << log.error();
        ASSERT_NO_FATAL_FAILURE(expect_what_is_read(fixture, **log));
        ASSERT_EQ((*log)->damage().size(), 1u);
        EXPECT_TRUE((*log)->damage()[0].is_unreadable);
        EXPECT_FALSE((*log)->refused_since_opening());
        if (read_only) continue;
        ASSERT_TRUE(append(**log, {{"k", "behind"}}));
        fixture.clean = (*log)->close().value();
      }
      EXPECT_FALSE(*fixture.simulation->disk.exists(fixture.path(DamageList::kFileName)));
      Bytes after = fixture.bytes();
      after.resize(before.size());
      EXPECT_EQ(after, before);
      fixture.disk.bad.reset();
      const auto log = fixture.open_here(is_clean);
      ASSERT_TRUE(log) << log.error();
      EXPECT_TRUE((*log)->damage().empty());
      ASSERT_NO_FATAL_FAILURE(expect_what_is_read(fixture, **log));
    }
  }
}

TEST(UnreadableSector, ThatIsReadAgainIsThereAgainAtOnce) {
  const SilentLog silent;
  SectoredLog fixture(kBatches);
  fixture.lose(11);
  const auto log = fixture.open_here();
  ASSERT_TRUE(log) << log.error();
  ASSERT_NO_FATAL_FAILURE(expect_what_is_read(fixture, **log));
  fixture.disk.bad.reset();
  ASSERT_NO_FATAL_FAILURE(expect_what_is_read(fixture, **log));
  EXPECT_TRUE((*log)->damage().empty());
}

// What recovery stepped over has not been checked.
TEST(UnreadableSector, ThatHasRottenWhenItIsReadAgainIsDamage) {
  const SilentLog silent;
  SectoredLog fixture(kBatches);
  fixture.lose(11);
  const auto log = fixture.open_here();
  ASSERT_TRUE(log) << log.error();
  fixture.flip(kFirstLog, fixture.borders[11] + 200);
  fixture.disk.bad.reset();
  EXPECT_EQ((*log)->read(Offset{11}, Offset{kBatches}, 1, {}, {}).error(), Errc::corrupt);
  ASSERT_EQ((*log)->damage().size(), 1u);
  EXPECT_EQ((*log)->damage()[0].from, Offset{11});
  EXPECT_EQ((*log)->damage()[0].end, Offset{12});
  EXPECT_FALSE((*log)->damage()[0].is_unreadable);
}

TEST(UnreadableSector, ThatAReadIsFirstToMeetIsAHole) {
  const SilentLog silent;
  SectoredLog fixture(kBatches);
  const auto log = fixture.open_here();
  ASSERT_TRUE(log) << log.error();
  fixture.lose(11);
  ASSERT_NO_FATAL_FAILURE(expect_what_is_read(fixture, **log));
  ASSERT_EQ((*log)->damage().size(), 1u);
  ASSERT_TRUE((*log)->close());
  EXPECT_FALSE(*fixture.simulation->disk.exists(fixture.path(DamageList::kFileName)));
}

// A path to the disk that fails over answers so for a moment.
TEST(UnreadableSector, ThatIsReadAtTheSecondAttemptIsNone) {
  const SilentLog silent;
  SectoredLog fixture(kBatches);
  fixture.disk.passing = 1;
  const auto log = fixture.open_here();
  ASSERT_TRUE(log) << log.error();
  EXPECT_TRUE((*log)->damage().empty());
  fixture.disk.passing = 1;
  ASSERT_NO_FATAL_FAILURE(expect_what_is_read(fixture, **log));
}

TEST(UnreadableSector, BehindWhatWasPromisedCutsNothing) {
  const SilentLog silent;
  for (const bool has_mark : {true, false}) {
    for (const int batch : {11, kBatches - 1}) {
      SCOPED_TRACE(testing::Message() << "batch " << batch << (has_mark ? "" : ", no mark"));
      SectoredLog fixture(3);
      if (!has_mark) {
        ASSERT_TRUE(fixture.simulation->disk.remove(fixture.path(SyncedMark::kFileName)));
      }
      const Bytes before = fixture.bytes();
      fixture.lose(batch);
      const bool is_last = batch == kBatches - 1;
      {
        const auto log = fixture.open_here();
        if (is_last && has_mark) {
          ASSERT_FALSE(log) << "it may be a torn tail, or may not";
          EXPECT_EQ(log.error(), Errc::io);
        } else {
          ASSERT_TRUE(log) << log.error();
          ASSERT_EQ((*log)->damage().size(), 1u);
          EXPECT_EQ((*log)->refused_since_opening().has_value(), is_last);
          if (!is_last) {
            ASSERT_NO_FATAL_FAILURE(expect_what_is_read(fixture, **log));
          }
        }
      }
      EXPECT_EQ(fixture.bytes(), before);
      fixture.disk.bad.reset();
      const auto log = fixture.open_here();
      ASSERT_TRUE(log) << log.error();
      EXPECT_EQ((*log)->written_end(), Offset{kBatches});
      EXPECT_TRUE((*log)->damage().empty());
      ASSERT_NO_FATAL_FAILURE(expect_what_is_read(fixture, **log));
    }
  }
}

TEST(UnreadableSector, IsNamedByVerifyWhichGoesOn) {
  for (const int batch : {11, kBatches - 1}) {
    SCOPED_TRACE(batch);
    SectoredLog fixture(3);
    fixture.lose(batch);
    std::vector<std::string> errors;
    VerifyReport report;
    const PartitionFacts facts{.name = "p", .start = [] { return Offset{0}; }};
    ASSERT_TRUE(verify_partition(fixture.disk, fixture.directory, facts, {}, report, [&errors](const Finding& finding) {
      if (finding.severity == FaultSeverity::error) errors.push_back(text_of(finding));
    }));
    int lost = 0;
    for (int i = 0; i < kBatches; ++i) lost += fixture.is_lost(i) ? 1 : 0;
    ASSERT_GT(lost, 0);
    EXPECT_EQ(report.records, static_cast<std::uint64_t>(kBatches - lost));
    const std::uint64_t begin = *fixture.disk.bad / kReadableBlockBytes * kReadableBlockBytes;
    const std::uint64_t bytes = std::min(kReadableBlockBytes, fixture.borders.back() - begin);
    const std::string named = "p/" + std::string(kFirstLog) + ": byte " + std::to_string(begin) + ", " + std::to_string(bytes) +
                              " bytes: the disk does not read it";
    EXPECT_EQ(std::ranges::count(errors, named), 1) << errors.front();
  }
}

TEST(UnreadableSector, IsAHoleOfTheBackup) {
  const SilentLog silent;
  for (const int batch : {0, 11, kBatches - 1}) {
    for (const int synced : {3, kBatches}) {
      SCOPED_TRACE(testing::Message() << "batch " << batch << ", synced " << synced);
      SectoredLog fixture(synced);
      fixture.lose(batch);
      PartitionCopy copy{.storage = fixture.disk, .from = fixture.directory, .to = "copy", .name = fixture.directory};
      copy.start = [] { return Offset{0}; };
      const Result<CopiedPartition> copied = copy_partition_files(copy);
      ASSERT_TRUE(copied) << copied.error();
      EXPECT_EQ(copied->unreadable.size(), 1u);
      const bool is_cut = batch == kBatches - 1 && synced == 3;
      EXPECT_EQ(copied->damage.size(), is_cut ? 0u : 1u);
      const auto log = PartitionLog::open(fixture.simulation->ports(), "copy", fixture.options, {}, Offset{0});
      ASSERT_TRUE(log) << log.error();
      for (int i = 0; i < kBatches; ++i) {
        SCOPED_TRACE(i);
        const Result<Fetched> fetched = (*log)->read(Offset{i}, (*log)->written_end(), 1, {}, {});
        const bool is_there = fetched && !fetched->empty();
        ASSERT_EQ(is_there, !fixture.is_lost(i));
        if (!is_there) continue;
        RecordCursor cursor = fetched->records();
        EXPECT_EQ(decode(*cursor.next()), numbered_record(i));
      }
    }
  }
}

TEST(UnreadableSector, OfASecondNameIsAHoleOfTheBackup) {
  const SilentLog silent;
  SectoredLog fixture(kBatches);
  {
    const auto log = fixture.opened();
    ASSERT_TRUE(log->roll());
    ASSERT_TRUE(append(*log, {{"k", "behind"}}));
    ASSERT_TRUE(log->close());
  }
  fixture.lose(11);
  PartitionCopy copy{.storage = fixture.disk, .from = fixture.directory, .to = "copy", .name = fixture.directory};
  copy.hard_links = true;
  copy.start = [] { return Offset{0}; };
  const Result<CopiedPartition> copied = copy_partition_files(copy);
  ASSERT_TRUE(copied) << copied.error();
  EXPECT_EQ(copied->unreadable.size(), 1u);
  EXPECT_FALSE(copied->damage.empty());
  const auto log =
      PartitionLog::open({fixture.disk, fixture.simulation->clock, fixture.simulation->executor, fixture.simulation->random},
                         "copy", fixture.options, {}, Offset{0});
  ASSERT_TRUE(log) << log.error();
  for (int i = 0; i < kBatches; ++i) {
    EXPECT_EQ((*log)->read(Offset{i}, (*log)->written_end(), 1, {}, {}).has_value(), !fixture.is_lost(i)) << i;
  }
  EXPECT_EQ((*log)->written_end(), Offset{kBatches + 1});
}

}  // namespace
}  // namespace lungo::test
