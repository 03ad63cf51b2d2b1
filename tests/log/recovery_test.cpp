// Goal: opening after a crash keeps every promised record, cuts torn tails, and refuses what is rot, touching nothing.

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "base/byte_order.hpp"
#include "tests/log/partition_fixture.hpp"

namespace lungo {
namespace {

using namespace test;

std::vector<TestRecord> numbered(int begin, int end) {
  std::vector<TestRecord> records;
  for (int i = begin; i < end; ++i) records.push_back({.key = "k" + std::to_string(i % 5), .value = std::to_string(i)});
  return records;
}

// A log of ten batches of three records, of which the first `synced` batches were synced; crashed, not closed.
struct CrashedLog : PartitionFixture {
  explicit CrashedLog(int synced, std::uint64_t segment_bytes = 64u << 20) {
    options.segment_bytes = segment_bytes;
    const auto log = opened();
    for (int batch = 0; batch < 10; ++batch) {
      borders.push_back(file_size(kFirstLog));
      EXPECT_TRUE(append(*log, numbered(3 * batch, 3 * batch + 3)));
      if (batch + 1 == synced) {
        EXPECT_TRUE(log->sync());
      }
    }
    borders.push_back(file_size(kFirstLog));
  }
  std::map<std::string, Bytes> files() {
    std::map<std::string, Bytes> found;
    for (const std::string& name : names()) {
      if (name.ends_with(".log")) found[name] = *read_file(simulation->disk, path(name), 1 << 20);
    }
    return found;
  }
  void remove_mark() { EXPECT_TRUE(simulation->disk.remove(path("synced-end"))); }

  std::vector<std::uint64_t> borders;  // where each batch begins, and the end
};

/// Bytes of a file's first batch.
std::uint64_t batch_size(PartitionFixture& fixture, const std::string& name) {
  return parse_batch_header(*read_file(fixture.simulation->disk, fixture.path(name), 1 << 20))->size_bytes();
}

using Tear = std::function<void(CrashedLog&)>;

TEST(SegmentRecovery, TornTailIsCutAtTheLastWholeBatch) {
  const std::pair<const char*, Tear> table[] = {
      {"header cut short", [](CrashedLog& log) { log.truncate(kFirstLog, log.borders[9] + 20); }},
      {"batch cut short", [](CrashedLog& log) { log.truncate(kFirstLog, log.borders[10] - 1); }},
      {"zeros instead of the batch",
       [](CrashedLog& log) { log.write(kFirstLog, log.borders[9], Bytes(log.borders[10] - log.borders[9])); }},
      {"zero page behind the end",
       [](CrashedLog& log) {
         log.truncate(kFirstLog, log.borders[9]);
         log.write(kFirstLog, log.borders[9], Bytes(4096));
       }},
      {"length beyond the end of the file",
       [](CrashedLog& log) { log.write(kFirstLog, log.borders[9] + 8, Bytes(1, std::byte{0x7f})); }},
      {"garbage", [](CrashedLog& log) { log.write(kFirstLog, log.borders[9], Bytes(100, std::byte{0xa5})); }},
      {"payload damaged", [](CrashedLog& log) { log.flip(kFirstLog, log.borders[10] - 2); }},
  };
  for (const auto& [what, tear] : table) {
    for (const bool marked : {true, false}) {
      SCOPED_TRACE(std::string(what) + (marked ? "" : ", no mark"));
      CrashedLog crashed{4};
      if (!marked) crashed.remove_mark();
      tear(crashed);
      const auto log = crashed.opened();
      ASSERT_NE(log, nullptr);
      EXPECT_EQ(contents(*log), numbered(0, 27));
      EXPECT_GT(log->recovery().bytes_cut, 0u);
      EXPECT_EQ(crashed.file_size(kFirstLog), crashed.borders[9]);
      ASSERT_TRUE(append(*log, numbered(27, 28)));
      ASSERT_TRUE(log->sync());
      EXPECT_EQ(contents(*crashed.opened()), numbered(0, 28));
    }
  }
}

// After a power cut an unsynced batch may be missing although a later one is whole.
TEST(SegmentRecovery, AHoleInTheUnsyncedTailIsCutWithWhatFollows) {
  CrashedLog crashed{4};
  crashed.write(kFirstLog, crashed.borders[6], Bytes(crashed.borders[7] - crashed.borders[6]));
  const auto log = crashed.opened();
  ASSERT_NE(log, nullptr);
  EXPECT_EQ(contents(*log), numbered(0, 18));
}

TEST(SegmentRecovery, DamageBelowWhatWasSyncedIsRefusedAndKept) {
  for (std::uint64_t at = 0; at < 4; ++at) {
    CrashedLog crashed{4};
    crashed.flip(kFirstLog, crashed.borders[at] + 70);
    const auto before = crashed.files();
    const auto log = crashed.open();
    ASSERT_FALSE(log);
    EXPECT_EQ(log.error(), Errc::corrupt);
    EXPECT_NE(log.error().text().find(std::string(kFirstLog) + ", byte " + std::to_string(crashed.borders[at])),
              std::string_view::npos)
        << log.error();
    EXPECT_EQ(crashed.files(), before);
  }
}

TEST(SegmentRecovery, ALostSyncedTailIsRefused) {
  CrashedLog crashed{4};
  crashed.truncate(kFirstLog, crashed.borders[2]);
  EXPECT_EQ(crashed.open().error(), Errc::corrupt);
}

TEST(SegmentRecovery, TheRecoveryPointOfTheCallerProvesAsWell) {
  CrashedLog crashed{4};
  crashed.flip(kFirstLog, crashed.borders[6] + 70);
  EXPECT_EQ(crashed.open({}, Offset{21}).error(), Errc::corrupt);
  EXPECT_TRUE(crashed.open({}, Offset{18}));
}

TEST(SegmentRecovery, WithoutAMarkDamageBeforeWholeBatchesIsRefused) {
  CrashedLog crashed{0};
  crashed.remove_mark();
  crashed.flip(kFirstLog, crashed.borders[3] + 70);
  const auto before = crashed.files();
  EXPECT_EQ(crashed.open().error(), Errc::corrupt);
  EXPECT_EQ(crashed.files(), before);

  CrashedLog bad_length{0};
  bad_length.remove_mark();
  bad_length.write(kFirstLog, bad_length.borders[3] + 8, Bytes(4, std::byte{0x7f}));
  EXPECT_EQ(bad_length.open().error(), Errc::corrupt);
}

// Bytes that look like the header of a long batch wherever one looks: each look costs a checksum over all that follows.
TEST(SegmentRecovery, SearchForWholeBatchesEndsWithHostileBytes) {
  CrashedLog crashed{0};
  crashed.remove_mark();
  const std::uint64_t begin = crashed.borders[3];
  Bytes hostile = *read_file(crashed.simulation->disk, crashed.path(kFirstLog), 1 << 20);
  const Bytes header(hostile.begin() + static_cast<std::ptrdiff_t>(begin),
                     hostile.begin() + static_cast<std::ptrdiff_t>(begin + kBatchHeaderBytes));
  hostile.clear();
  while (hostile.size() < (8u << 20)) hostile.insert(hostile.end(), header.begin(), header.end());
  for (std::size_t at = 0; at < hostile.size(); at += kBatchHeaderBytes)
    store_big_endian(hostile.data() + at + 8, static_cast<std::int32_t>(std::max<std::size_t>(hostile.size() - at, 100) / 2));
  crashed.write(kFirstLog, begin, hostile);
  const auto log = crashed.open();
  EXPECT_EQ(log.error(), Errc::corrupt) << "what can't be searched is kept";
  EXPECT_NE(log.error().text().find("may be whole batches behind it"), std::string_view::npos) << log.error().text();
}

// One in some hundred thousand places of compressed or encrypted values could be a header by its lengths alone.
TEST(SegmentRecovery, WithoutAMarkATornTailOfRandomBytesIsCut) {
  CrashedLog crashed{0};
  crashed.remove_mark();
  Bytes random(32u << 20);
  SeededRandomness{1}.fill(random);
  crashed.write(kFirstLog, crashed.borders[10], random);
  const Result<std::unique_ptr<PartitionLog>> log = crashed.open();
  ASSERT_TRUE(log) << log.error();
  EXPECT_EQ((*log)->written_end(), Offset{30});
}

TEST(SegmentRecovery, UnsyncedSegmentsBehindATornOneAreRemoved) {
  CrashedLog crashed{1, 200};
  ASSERT_GT(crashed.files().size(), 4u);
  crashed.flip(crashed.files().begin()->first, 0);  // synced: refused
  EXPECT_EQ(crashed.open().error(), Errc::corrupt);
  crashed.flip(crashed.files().begin()->first, 0);
  const std::string third = std::next(crashed.files().begin(), 2)->first;
  crashed.truncate(third, 10);
  const auto log = crashed.opened();
  ASSERT_NE(log, nullptr);
  EXPECT_EQ(log->written_end().value(), std::stoll(third.substr(0, 20)));
  EXPECT_EQ(crashed.files().size(), 3u);
  EXPECT_EQ(contents(*log), numbered(0, static_cast<int>(log->written_end().value())));
}

TEST(SegmentRecovery, AMissingSegmentInTheMiddleIsRefused) {
  CrashedLog crashed{10, 300};
  ASSERT_TRUE(crashed.simulation->disk.remove(crashed.path(std::next(crashed.files().begin())->first)));
  EXPECT_EQ(crashed.open().error(), Errc::corrupt);
  EXPECT_EQ(crashed.open({}, Offset{29}).error(), Errc::corrupt);
}

TEST(SegmentRecovery, LeftoversOfACrashAreCleanedUp) {
  CrashedLog crashed{4};
  for (const char* name : {"leader-epoch-checkpoint.tmp", "00000000000000000077.index", "00000000000000000077.streams"}) {
    ASSERT_TRUE(crashed.simulation->disk.open(crashed.path(name), OpenMode::create_new));
  }
  ASSERT_TRUE(crashed.opened());
  for (const std::string& name : crashed.names()) {
    EXPECT_FALSE(name.ends_with(".tmp")) << name;
    EXPECT_EQ(name.find("0077"), std::string::npos) << name;
  }
}

TEST(SegmentRecovery, LostOrLyingIndexesAndEpochsDoNoHarm) {
  PartitionFixture fixture;
  fixture.options.segment_bytes = 3000;
  fixture.options.index_interval_bytes = 200;
  CleanEnd clean{};
  {
    const auto log = fixture.opened();
    for (int i = 0; i < 300; i += 3) ASSERT_TRUE(append(*log, numbered(i, i + 3), LeaderEpoch{i / 100}));
    clean = *log->close();
  }
  Random random{9};
  for (int round = 0; round < 100; ++round) {
    SCOPED_TRACE(round);
    for (const std::string& name : fixture.names()) {
      const bool is_hint = name.ends_with("index") || name == "leader-epoch-checkpoint";
      if (!is_hint || !random.one_in(3)) continue;
      Bytes garbage(random.below(200));
      for (std::byte& byte : garbage) byte = static_cast<std::byte>(random.below(random.one_in(2) ? 2 : 256));
      if (random.one_in(2)) fixture.truncate(name, random.below(100));
      fixture.write(name, name.ends_with("index") ? random.below(fixture.file_size(name) + 1) : 0, garbage);
    }
    const auto log = round % 2 == 0 ? fixture.open(clean) : fixture.open();
    if (!log) {  // digits that happen to read as a newer version of the epoch file
      ASSERT_EQ(log.error(), Errc::newer_format);
      ASSERT_TRUE(fixture.simulation->disk.remove(fixture.path("leader-epoch-checkpoint")));
      continue;
    }
    for (int from = 0; from < 300; from += 7) {
      ASSERT_EQ(*read_all(**log, Offset{from}, Offset{300}), numbered(from, 300));
    }
    ASSERT_EQ((*log)->last_epoch(), LeaderEpoch{2});
  }
}

// Every byte of a synced log, flipped: opening refuses it, or nothing that is read differs.
TEST(SegmentRecovery, NoFlippedByteIsServed) {
  PartitionFixture fixture;
  fixture.options.segment_bytes = 500;
  CleanEnd clean{};
  {
    const auto log = fixture.opened();
    for (int i = 0; i < 24; i += 3) ASSERT_TRUE(append(*log, numbered(i, i + 3)));
    clean = *log->close();
  }
  for (const std::string& name : fixture.names()) {
    if (!name.ends_with(".log")) continue;
    const std::uint64_t size = fixture.file_size(name);
    for (std::uint64_t at = 0; at < size; ++at) {
      for (const bool is_clean : {true, false}) {
        fixture.flip(name, at, std::byte{0x04});
        PartitionOptions read_only = fixture.options;
        read_only.read_only = true;  // so that the next round finds the files as they were
        const auto log = PartitionLog::open(fixture.simulation->ports(), fixture.directory, read_only,
                                            is_clean ? std::optional{clean} : std::nullopt, Offset{0});
        if (!log) {
          ASSERT_EQ(log.error(), Errc::corrupt) << name << " byte " << at;
        } else if (const Result<std::vector<TestRecord>> records = read_all(**log, Offset{0}, Offset{24}); !records) {
          ASSERT_EQ(records.error(), Errc::corrupt) << name << " byte " << at;
          ASSERT_NE(records.error().text().find(name), std::string_view::npos) << records.error();
        } else {
          ASSERT_EQ(*records, numbered(0, 24)) << name << " byte " << at;
        }
        fixture.flip(name, at, std::byte{0x04});
      }
    }
  }
}

// The history is learnt from the batches when its file is lost. Where they are damaged it can't be, and reading on as if they
// had no epochs would refuse the good ones.
TEST(SegmentRecovery, DamageInTheWayOfLearningTheEpochsIsNamed) {
  PartitionFixture fixture;
  fixture.options.segment_bytes = 600;
  fixture.options.index_interval_bytes = 50;  // tails are found without a look at what lies before
  std::vector<TestRecord> records = numbered(0, 60);
  {
    const auto log = fixture.opened();
    for (int i = 0; i < 60; ++i) {
      records[static_cast<std::size_t>(i)].time = 1000 + i;
      ASSERT_TRUE(append(*log, {records[static_cast<std::size_t>(i)]}, LeaderEpoch{i / 20}));
    }
    ASSERT_TRUE(log->sync());
  }
  const std::uint64_t second_batch = batch_size(fixture, kFirstLog);
  fixture.flip(kFirstLog, second_batch + 16);  // its magic
  ASSERT_TRUE(fixture.opened({}, Offset{60})) << "damage behind the recovery point shows when it is read";
  ASSERT_TRUE(fixture.simulation->disk.remove(fixture.path("leader-epoch-checkpoint")));
  const auto refused = fixture.open({}, Offset{60});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error(), Errc::corrupt);
  EXPECT_NE(refused.error().text().find(std::string(kFirstLog) + ", byte " + std::to_string(second_batch)),
            std::string_view::npos)
      << refused.error();

  fixture.flip(kFirstLog, second_batch + 16);
  const std::string last_log = std::ranges::max(
      fixture.names(), {}, [](const std::string& name) { return name.ends_with(".log") ? name : std::string{}; });
  ASSERT_TRUE(fixture.simulation->disk.remove(fixture.path("synced-end")));
  fixture.truncate(last_log, fixture.file_size(last_log) - 1);  // a torn tail is no damage in the way
  const auto log = fixture.opened({}, Offset{30});
  ASSERT_NE(log, nullptr);
  records.resize(static_cast<std::size_t>(log->written_end().value()));
  EXPECT_EQ(records.size(), 59u);
  EXPECT_EQ(contents(*log), records);
}

}  // namespace
}  // namespace lungo
