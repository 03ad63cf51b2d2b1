// Goal: a reader that goes on costs one read a time, and what was verified is verified once, without a byte that nobody
// checked.

#include <gtest/gtest.h>

#include <functional>

#include "position_hints.hpp"
#include "segment.hpp"
#include "tests/log/partition_fixture.hpp"

namespace lungo {
namespace {

using namespace test;

constexpr int kBatches = 200;

// A segment of kBatches batches of three records each, and where each batch begins.
struct ManyBatches {
  ManyBatches() {
    fixture.options.index_interval_bytes = 300;
    const auto log = fixture.opened();
    for (int i = 0; i < kBatches; ++i) {
      borders.push_back(i == 0 ? 0 : fixture.file_size(kFirstLog));
      EXPECT_TRUE(
          append(*log, {{.key = "a", .value = std::to_string(i)}, {.key = "b", .value = "v"}, {.key = "c", .value = "w"}}));
    }
    borders.push_back(fixture.file_size(kFirstLog));
    epochs.assign({{LeaderEpoch{0}, Offset{0}}});
    clean = log->close().value();
  }
  std::shared_ptr<Segment> segment() {
    return Segment::open(fixture.simulation->disk, fixture.directory, Offset{0}, fixture.options).value();
  }
  Result<BatchRun> read(const Segment& segment, int batch, std::size_t bytes_max = 0) {
    return segment.read(offset_of(batch), offset_of(kBatches), bytes_max, buffers, epochs);
  }
  static Offset offset_of(int batch) { return Offset{3 * std::int64_t{batch}}; }

  PartitionFixture fixture;
  std::vector<std::uint64_t> borders;
  EpochHistory epochs;
  BufferPool buffers;
  CleanEnd clean{};
};

TEST(SegmentRead, AReaderThatGoesOnTakesOneReadEachTime) {
  ManyBatches many;
  const auto log = many.fixture.opened(many.clean);
  SimDisk& disk = many.fixture.simulation->disk;
  const Offset end = log->written_end();
  // Two readers in step, one of small pieces and one far behind.
  std::vector<Offset> at{Offset{0}, Offset{0}, Offset{0}};
  const std::uint64_t before = disk.reads();
  std::uint64_t rounds = 0;
  while (at[0] < end) {
    for (Offset& from : at) {
      from = log->read(from, end, &from == &at[2] ? 0 : 600, {}, {})->next().offset;
      ++rounds;
    }
  }
  EXPECT_GT(rounds, 50u);
  EXPECT_EQ(disk.reads() - before, rounds);
}

TEST(SegmentRead, AReaderFromAnywhereFindsItsBatch) {
  ManyBatches many;
  const auto segment = many.segment();
  for (int batch = 0; batch < kBatches; batch += 7) {
    for (const int inside : {0, 1, 2}) {
      const Result<BatchRun> run = segment->read(ManyBatches::offset_of(batch).plus(inside), ManyBatches::offset_of(kBatches),
                                                 0, many.buffers, many.epochs);
      ASSERT_TRUE(run) << run.error();
      EXPECT_EQ(parse_batch_header(run->batches)->base_offset, ManyBatches::offset_of(batch));
      EXPECT_EQ(run->end, ManyBatches::offset_of(batch + 1)) << "one batch is the least";
    }
  }
}

TEST(SegmentRead, ABatchLargerThanAskedForIsReadWhole) {
  PartitionFixture fixture;
  const auto log = fixture.opened();
  for (const std::size_t size : {10u, 100'000u, 10u, 5000u}) {
    ASSERT_TRUE(append(*log, {{.key = "k", .value = std::string(size, 'v')}}));
  }
  EXPECT_EQ(read_all(*log, Offset{0}, Offset{4}, 0)->size(), 4u);
  EXPECT_EQ(log->read(Offset{1}, Offset{4}, 100'200, {}, {})->next().offset, Offset{3}) << "as many as fit";
}

TEST(SegmentRead, ReadingBackNamesDamageInsteadOfLeavingItOut) {
  ManyBatches many;
  many.fixture.flip(kFirstLog, many.borders[100] + kBatchHeaderBytes + 3);
  const auto segment = many.segment();
  const auto read_back = [&](int end, std::size_t bytes_max) {
    return segment->read_back(ManyBatches::offset_of(end), bytes_max, many.buffers, many.epochs);
  };
  for (int end = kBatches; end > 101; --end) {
    const Result<BatchRun> run = read_back(end, 0);
    ASSERT_TRUE(run) << run.error();
    EXPECT_EQ(parse_batch_header(run->batches)->base_offset, ManyBatches::offset_of(end - 1));
    EXPECT_EQ(run->end, ManyBatches::offset_of(end));
  }
  for (const std::size_t bytes_max : {0u, 1u << 20}) {
    const Result<BatchRun> damaged = read_back(101, bytes_max);
    EXPECT_EQ(damaged.error(), Errc::corrupt);
    EXPECT_NE(damaged.error().text().find("byte " + std::to_string(many.borders[100])), std::string_view::npos);
  }
  EXPECT_EQ(read_back(100, 1 << 20)->end, ManyBatches::offset_of(100));
}

TEST(VerifiedMark, MovesOverWhatWasReadAndLiesNextToIt) {
  ManyBatches many;
  const auto segment = many.segment();
  EXPECT_EQ(segment->verified_up_to(), 0u);
  ASSERT_TRUE(many.read(*segment, 10));
  EXPECT_EQ(segment->verified_up_to(), 0u) << "nobody has looked at what lies before";
  ASSERT_TRUE(many.read(*segment, 0));
  EXPECT_EQ(segment->verified_up_to(), many.borders[1]);
  ASSERT_TRUE(many.read(*segment, 1));
  EXPECT_EQ(segment->verified_up_to(), many.borders[2]);
  ASSERT_TRUE(many.read(*segment, 0, 1 << 20));
  EXPECT_EQ(segment->verified_up_to(), many.borders[kBatches]);
  ASSERT_TRUE(segment->cut(many.borders[50]));
  EXPECT_EQ(segment->verified_up_to(), many.borders[50]);
}

TEST(VerifiedMark, StopsAtDamage) {
  ManyBatches many;
  many.fixture.flip(kFirstLog, many.borders[5] + kBatchHeaderBytes + 3);
  const auto segment = many.segment();
  ASSERT_TRUE(many.read(*segment, 0, 1 << 20));
  EXPECT_EQ(segment->verified_up_to(), many.borders[5]);
  EXPECT_EQ(many.read(*segment, 5).error(), Errc::corrupt);
  ASSERT_TRUE(many.read(*segment, 6, 1 << 20));
  EXPECT_EQ(segment->verified_up_to(), many.borders[5]);
}

TEST(VerifiedMark, StandsAtTheEndOfWhatWasScanned) {
  ManyBatches many;
  many.fixture.flip(kFirstLog, many.borders[150] + kBatchHeaderBytes + 3);
  const auto segment = many.segment();
  const Result<SegmentScan> scan = segment->rebuild(false, kNoEpoch, [](const BatchHeader&) {});
  ASSERT_TRUE(scan);
  EXPECT_EQ(segment->verified_up_to(), many.borders[150]);
}

/// Calls that read while a partition is opened behind a clean stop, of which batch `i` has the time `time_of(i)`.
std::uint64_t reads_of_opening(int batches, const std::function<std::int64_t(int)>& time_of) {
  PartitionFixture fixture;
  CleanEnd clean{};
  {
    const auto log = fixture.opened();
    for (int i = 0; i < batches; ++i) {
      EXPECT_TRUE(append(*log, {{.key = "k", .value = std::string(5000, 'v'), .time = time_of(i)}}));
    }
    clean = log->close().value();
  }
  const std::uint64_t before = fixture.simulation->disk.reads();
  const auto log = fixture.opened(clean);
  EXPECT_EQ(log->segments().back().newest, Timestamp{std::chrono::milliseconds{time_of(0)}});
  return fixture.simulation->disk.reads() - before;
}

// Nor where no time is larger than one far in front.
TEST(SegmentTail, OpeningBehindACleanStopReadsNoMoreOfALongSegment) {
  for (const std::int64_t step : {0, -1}) {
    const auto time_of = [step](int i) { return 5000 + step * i; };
    EXPECT_EQ(reads_of_opening(300, time_of), reads_of_opening(30, time_of)) << step;
  }
}

TEST(VerifiedMark, OwnAppendsCountAsVerified) {
  ManyBatches many;
  const Bytes file = *read_file(many.fixture.simulation->disk, many.fixture.path(kFirstLog), 1 << 20);
  const BytesView batch = BytesView{file}.first(many.borders[1]);
  PartitionFixture fresh;
  ASSERT_TRUE(fresh.simulation->disk.make_directories(fresh.directory));
  const auto segment = Segment::open(fresh.simulation->disk, fresh.directory, Offset{0}, fresh.options).value();
  ASSERT_TRUE(segment->append(batch, Offset{2}, Timestamp{}));
  EXPECT_EQ(segment->verified_up_to(), batch.size());

  const auto opened = many.segment();
  ASSERT_TRUE(opened->load_tail());
  ASSERT_TRUE(opened->append(batch, Offset{2}, Timestamp{}));
  EXPECT_EQ(opened->verified_up_to(), 0u) << "what lies before it was not looked at";
}

// Below the mark the header's place among its neighbours is still looked at.
TEST(VerifiedMark, BelowItHeadersAreStillChecked) {
  ManyBatches many;
  const auto segment = many.segment();
  ASSERT_TRUE(many.read(*segment, 0, 1 << 20));
  for (const std::uint64_t at : {7, 8, 12, 15, 16}) {  // base offset, length, epoch, magic
    SCOPED_TRACE(at);
    many.fixture.flip(kFirstLog, many.borders[20] + at);
    EXPECT_EQ(many.read(*segment, 20).error(), Errc::corrupt);
    const Result<BatchRun> before = many.read(*segment, 0, 1 << 20);
    ASSERT_TRUE(before);
    EXPECT_EQ(before->end, ManyBatches::offset_of(20));
    many.fixture.flip(kFirstLog, many.borders[20] + at);
  }
}

TEST(PositionHints, KeepTheLastEightAndOneForReadersInStep) {
  PositionHints hints;
  EXPECT_FALSE(hints.find(Offset{0}));
  for (int i = 0; i < 8; ++i) {
    hints.put(Offset{i}, static_cast<std::uint64_t>(100 * i));
    hints.put(Offset{i}, static_cast<std::uint64_t>(100 * i));
  }
  for (int i = 0; i < 8; ++i) EXPECT_EQ(hints.find(Offset{i}), static_cast<std::uint64_t>(100 * i));
  hints.put(Offset{8}, 800);
  EXPECT_FALSE(hints.find(Offset{0}));
  EXPECT_EQ(hints.find(Offset{1}), 100u);
  EXPECT_EQ(hints.find(Offset{8}), 800u);
}

}  // namespace
}  // namespace lungo
