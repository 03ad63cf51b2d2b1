// Goal: opening after a crash keeps every promised record, cuts torn tails, and keeps what is rot as a hole, touching no byte.

#include <gtest/gtest.h>

#include <algorithm>

#include "base/byte_order.hpp"
#include "batch_layout.hpp"
#include "damage.hpp"
#include "tests/log/crashed_log.hpp"
#include "tests/support/quiet_log.hpp"

namespace lungo {
namespace {

using namespace test;

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

TEST(SegmentRecovery, DamageBelowWhatWasSyncedIsKeptAsAHole) {
  for (std::size_t at = 0; at < 4; ++at) {
    SCOPED_TRACE(at);
    CrashedLog crashed{4};
    crashed.flip(kFirstLog, crashed.borders[at] + 70);
    const auto before = crashed.files();
    const auto log = crashed.opened();
    ASSERT_NE(log, nullptr);
    EXPECT_EQ(log->damage(), std::vector{crashed.batches(at, at + 1)});
    EXPECT_EQ(log->recovery().damaged_ranges, 1u);
    EXPECT_EQ(log->recovery().bytes_cut, 0u);
    EXPECT_EQ(crashed.files(), before);
    expect_all_but_holes(*log, 30);
  }
}

TEST(SegmentRecovery, ALostSyncedTailIsAHoleUpToWhatWasPromised) {
  CrashedLog crashed{4};
  crashed.truncate(kFirstLog, crashed.borders[2]);
  const auto log = crashed.opened();
  ASSERT_NE(log, nullptr);
  EXPECT_EQ(log->damage(), (std::vector{DamagedRange{Offset{6}, Offset{12}, kFirstLog, crashed.borders[2], 0}}));
  expect_all_but_holes(*log, 12);
  expect_writes_are_refused(*log);
}

TEST(SegmentRecovery, TheRecoveryPointOfTheCallerProvesAsWell) {
  CrashedLog crashed{4};
  crashed.flip(kFirstLog, crashed.borders[6] + 70);
  EXPECT_EQ(crashed.opened({}, Offset{21})->damage(), std::vector{crashed.batches(6, 7)});
  // From then on it is known to have been promised.
  EXPECT_EQ(crashed.opened({}, Offset{18})->damage(), std::vector{crashed.batches(6, 7)});

  CrashedLog torn{4};
  torn.flip(kFirstLog, torn.borders[6] + 70);
  EXPECT_EQ(torn.opened({}, Offset{18})->written_end(), Offset{18});
}

TEST(SegmentRecovery, WithoutAMarkDamageBeforeWholeBatchesIsAHole) {
  const std::pair<const char*, Tear> table[] = {
      {"payload", [](CrashedLog& log) { log.flip(kFirstLog, log.borders[3] + 70); }},
      {"length", [](CrashedLog& log) { log.write(kFirstLog, log.borders[3] + 8, Bytes(4, std::byte{0x7f})); }},
  };
  for (const auto& [what, tear] : table) {
    SCOPED_TRACE(what);
    CrashedLog crashed{0};
    crashed.remove_mark();
    tear(crashed);
    const auto before = crashed.files();
    const auto log = crashed.opened();
    ASSERT_NE(log, nullptr);
    EXPECT_EQ(log->damage(), std::vector{crashed.batches(3, 4)});
    EXPECT_EQ(crashed.files(), before);
    expect_all_but_holes(*log, 30);
  }
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
  const std::uint64_t size = crashed.file_size(kFirstLog);
  const auto log = crashed.opened();
  ASSERT_NE(log, nullptr);
  EXPECT_EQ(crashed.file_size(kFirstLog), size) << "what can't be searched is kept";
  EXPECT_EQ(log->damage(), (std::vector{DamagedRange{Offset{9}, Offset{10}, kFirstLog, begin, size - begin}}));
  expect_writes_are_refused(*log);
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
  const std::string third = std::next(crashed.files().begin(), 2)->first;
  crashed.truncate(third, 10);
  const auto log = crashed.opened();
  ASSERT_NE(log, nullptr);
  EXPECT_EQ(log->written_end().value(), std::stoll(third.substr(0, 20)));
  EXPECT_EQ(crashed.files().size(), 3u);
  EXPECT_EQ(contents(*log), numbered(0, static_cast<int>(log->written_end().value())));
}

TEST(SegmentRecovery, AMissingSegmentInTheMiddleIsAHole) {
  for (const Offset recovery_point : {Offset{0}, Offset{29}}) {
    CrashedLog crashed{10, 300};
    const auto files = crashed.files();
    const std::string first = files.begin()->first;
    const Offset from{std::stoll(std::next(files.begin())->first.substr(0, 20))};
    const Offset end{std::stoll(std::next(files.begin(), 2)->first.substr(0, 20))};
    ASSERT_TRUE(crashed.simulation->disk.remove(crashed.path(std::next(files.begin())->first)));
    const auto log = crashed.opened({}, recovery_point);
    ASSERT_NE(log, nullptr);
    EXPECT_EQ(log->damage(), (std::vector{DamagedRange{from, end, first, crashed.file_size(first), 0}}));
    expect_all_but_holes(*log, 30);
  }
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

// By the largest time of a segment it is told how old it is: retention would take one too early.
TEST(SegmentRecovery, ACleanStopBelievesNoIndexThatDoesNotFit) {
  for (const auto& [name, entry_bytes] :
       {std::pair{"00000000000000000000.index", 8u}, {"00000000000000000000.timeindex", 12u}}) {
    for (std::uint64_t byte = 1; byte <= entry_bytes; ++byte) {
      SCOPED_TRACE(std::string(name) + ", byte " + std::to_string(byte) + " of its last entry");
      PartitionFixture fixture;
      fixture.options.index_interval_bytes = 200;
      std::vector<TestRecord> records = numbered(0, 20);
      for (std::size_t i = 0; i < records.size(); ++i) records[i].time = 1000 + static_cast<std::int64_t>(i * 7 % 20);
      std::vector<SegmentFacts> facts;
      CleanEnd clean{};
      {
        const auto log = fixture.opened();
        for (const TestRecord& record : records) ASSERT_TRUE(append(*log, {record}));
        facts = log->segments();
        clean = *log->close();
      }
      fixture.flip(name, fixture.file_size(name) - byte);
      const auto log = fixture.opened(clean);
      ASSERT_NE(log, nullptr);
      EXPECT_GT(log->recovery().bytes_scanned, 0u);
      EXPECT_EQ(log->segments().front().newest, facts.front().newest);
      EXPECT_EQ(contents(*log), records);
    }
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

// Every byte of a synced log, flipped: one batch is lost at the most, and nothing that is read differs.
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
        ASSERT_TRUE(log) << name << " byte " << at << ": " << log.error();
        for (const DamagedRange& range : (*log)->damage()) {
          ASSERT_EQ(range.file, name) << at;
          ASSERT_LE(range.end - range.from, 3) << name << " byte " << at << ": " << to_string(range);
        }
        ASSERT_NO_FATAL_FAILURE(expect_all_but_holes(**log, 24)) << name << " byte " << at;
        ASSERT_LE((*log)->damage().size(), 1u);
        fixture.flip(name, at, std::byte{0x04});
      }
    }
  }
}

// The history is learnt from the batches when its file is lost, also from those that are trusted otherwise; damage that is in
// the way is found then, and the good ones are learnt from.
TEST(SegmentRecovery, DamageInTheWayOfLearningTheEpochsIsAHole) {
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
  {
    const auto log = fixture.opened({}, Offset{60});
    ASSERT_NE(log, nullptr);
    EXPECT_EQ(log->last_epoch(), LeaderEpoch{2});
    EXPECT_EQ(log->damage().size(), 1u);
    EXPECT_EQ(log->damage().front().from, Offset{1});
    EXPECT_EQ(log->damage().front().end, Offset{2});
    EXPECT_EQ(log->read(Offset{1}, Offset{60}, 1, {}, {}).error(), Errc::corrupt);
  }

  fixture.flip(kFirstLog, second_batch + 16);
  ASSERT_TRUE(fixture.simulation->disk.remove(fixture.path(DamageList::kFileName)));
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

// No CRC covers leader epochs. The batch that tells may be the first one of the next segment.
TEST(SegmentRecovery, WithoutAMarkAnEpochThatHasRottedAtTheEndOfASegmentCostsItsBatchAlone) {
  const SilentLog silent;
  CrashedLog crashed{10, 600};
  crashed.remove_mark();
  std::uint64_t last = 0;  // batch of the first segment
  for (const std::uint64_t border : crashed.borders) {
    if (border < crashed.file_size(kFirstLog)) last = std::max(last, border);
  }
  const Bytes bytes = *read_file(crashed.simulation->disk, crashed.path(kFirstLog), 1 << 20);
  const BatchHeader header = parse_batch_header(BytesView{bytes}.subspan(last)).value();
  crashed.flip(kFirstLog, last + batch_layout::kEpochAt);
  for (int opening = 0; opening < 2; ++opening) {
    const auto log = crashed.opened();
    ASSERT_NE(log, nullptr);
    EXPECT_EQ(log->damage(),
              (std::vector{DamagedRange{header.base_offset, header.end_offset(), kFirstLog, last, header.size_bytes()}}));
    EXPECT_FALSE(log->refused_since_opening());
    expect_all_but_holes(*log, 30);
  }
}

}  // namespace
}  // namespace lungo
