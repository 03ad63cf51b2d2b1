// Goal: a stream run of version 2 holds every record of every stream and nothing else: written from memory, merged in steps of
// any size, and in the bytes that the reference names.

#include <gtest/gtest.h>

#include <iostream>
#include <map>

#include "base/byte_order.hpp"
#include "base/crc32c.hpp"
#include "tests/log/stream_run2_fixture.hpp"

namespace lungo {
namespace {

using namespace test;
using namespace stream_run;

TEST(OpenStreamRun, FindsWhatTheModelHasInBoundedMemory) {
  SimDisk disk;
  Random random{3};
  OpenStreamRun open{Offset{1000}};
  std::map<std::uint64_t, std::vector<Offset>> model;
  while (!open.full()) {
    const std::uint64_t hash = random.one_in(10) ? kNoKeyHash : (random.below(200'000) + 1) * kSpread;
    if (hash != kNoKeyHash) model[hash].push_back(open.end());
    open.add(open.end(), hash, 7);
  }
  EXPECT_LE(open.resident_bytes(), 28 * OpenStreamRun::kRecordsMax);
  for (const auto& [hash, offsets] : model) {
    const Offset begin = open.begin().plus(static_cast<std::int64_t>(random.below(100'000)));
    const Offset end = begin.plus(static_cast<std::int64_t>(random.below(100'000)));
    std::vector<Offset> found;
    open.find(hash, begin, end, SIZE_MAX, found);
    std::vector<Offset> wanted;
    for (const Offset offset : offsets) {
      if (offset >= begin && offset < end) wanted.push_back(offset);
    }
    ASSERT_EQ(found, wanted);
    ASSERT_EQ(open.head(hash), (StreamHead{offsets.back(), 7}));
  }
  EXPECT_EQ(open.head(12345), std::nullopt);
  EXPECT_EQ(OpenStreamRun{Offset{0}}.head(12345), std::nullopt);
}

// The example of docs/reference/stream-index.md, byte for byte.
TEST(StreamRun2, HasTheBytesThatTheReferenceNames) {
  SimDisk disk;
  OpenStreamRun open{Offset{100}};
  open.add(Offset{100}, 7, 0);
  open.add(Offset{101}, 3, 256);
  open.add(Offset{102}, 7, 512);
  ASSERT_TRUE(open.write(disk, "run", 0x0a0b0c0d, LeaderEpoch{5}, true));
  const Bytes bytes = *read_file(disk, "run", 1 << 20);
  ASSERT_EQ(bytes.size(), 2 * 4096u + 12 + 64);
  const std::array<std::uint8_t, 20> block{3, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0x80, 2, 4, 2, 0, 0x80, 4, 2, 0, 0};
  for (std::size_t i = 0; i < block.size(); ++i) EXPECT_EQ(std::to_integer<int>(bytes[i]), block[i]) << i;
  const std::byte* const fence = bytes.data() + 2 * kPageBytes;
  EXPECT_EQ(load_little_endian<std::uint64_t>(fence), 3u);
  EXPECT_EQ(load_little_endian<std::uint32_t>(fence + 8), 0u);
  const std::byte* const footer = fence + kFenceEntryBytes;
  EXPECT_EQ(as_text(BytesView{footer, 4}), "LGSX");
  EXPECT_EQ(load_little_endian<std::uint32_t>(footer + 4), 2u);
  EXPECT_EQ(load_little_endian<std::int64_t>(footer + 8), 100);
  EXPECT_EQ(load_little_endian<std::int64_t>(footer + 16), 103);
  EXPECT_EQ(load_little_endian<std::uint64_t>(footer + 24), 2u);
  EXPECT_EQ(load_little_endian<std::uint64_t>(footer + 32), 3u);
  EXPECT_EQ(load_little_endian<std::uint32_t>(footer + 40), 0x0a0b0c0du);
  EXPECT_EQ(load_little_endian<std::uint32_t>(footer + 44), 5u);
  EXPECT_EQ(crc32c(bytes), 1155052973u) << "another byte; the value is that of a second program, written after the reference";
}

TEST(StreamRun2, RandomRunsAndMergesHoldWhatTheModelHas) {
  for (std::uint64_t round = 0; round < 40; ++round) {
    const std::uint64_t seed = test_seed(100 + round);
    SCOPED_TRACE(seed);
    SimDisk disk{seed};
    Workload workload{seed};
    const std::uint64_t streams = std::array<std::uint64_t, 4>{3, 40, 800, 100'000}[round % 4];
    Offset start = workload.end;
    for (int operation = 0; operation < 10; ++operation) {
      workload.add_run(disk, static_cast<int>(workload.random.below(3000)), streams);
      if (HasFatalFailure()) return;
      if (workload.random.one_in(3)) {
        const std::size_t first = workload.random.below(workload.runs.size());
        const std::size_t count = 1 + workload.random.below(workload.runs.size() - first);
        // The front of the log goes only with the oldest run, as retention does it.
        if (first == 0) {
          const std::int64_t range = workload.runs[count - 1]->origin().end - start;
          start = start.plus(static_cast<std::int64_t>(workload.random.below(static_cast<std::uint64_t>(range) / 2 + 1)));
        }
        const std::size_t step = std::array<std::size_t, 3>{1, 5000, 1 << 20}[workload.random.below(3)];
        workload.merge(disk, first, count, step, first == 0 ? start : Offset{0});
        if (HasFatalFailure()) return;
      }
      workload.verify(workload.runs.front()->origin().begin);
      if (HasFatalFailure()) return;
    }
    workload.merge(disk, 0, workload.runs.size(), 4096, Offset{0});
    workload.verify(workload.runs.front()->origin().begin);
    if (HasFatalFailure()) return;
  }
}

TEST(StreamRun2, EmptyRunsAreTheirFooterAndMerge) {
  SimDisk disk;
  ASSERT_TRUE(OpenStreamRun{Offset{0}}.write(disk, "none", 0, kNoEpoch, false));
  OpenStreamRun keyless{Offset{0}};
  keyless.add(Offset{0}, kNoKeyHash, 0);
  ASSERT_TRUE(keyless.write(disk, "keyless", 0, kNoEpoch, false));
  const StreamRunMerge::Runs runs{open_run(disk, "none"), open_run(disk, "keyless")};
  EXPECT_EQ(runs[1]->file_bytes(), kFooterBytes);
  const auto merge = StreamRunMerge::begin(disk, "merged", runs);
  ASSERT_TRUE(merge);
  EXPECT_TRUE(*(*merge)->step(1));
  const RunPtr merged = open_run(disk, "merged");
  EXPECT_EQ(merged->origin().end, Offset{1});
  EXPECT_EQ(*merged->head(kSpread), std::nullopt);
  // All records are below the start.
  ASSERT_TRUE((*StreamRunMerge::begin(disk, "trimmed", runs, Offset{1}))->step(1));
  EXPECT_EQ(open_run(disk, "trimmed")->origin().begin, Offset{1});
}

TEST(StreamRun2, OnlyNeighboursMerge) {
  SimDisk disk;
  for (const std::int64_t begin : {0, 1, 3}) {
    OpenStreamRun open{Offset{begin}};
    open.add(Offset{begin}, 5, 0);
    ASSERT_TRUE(open.write(disk, "run" + std::to_string(begin), 0, kNoEpoch, false));
  }
  const RunPtr a = open_run(disk, "run0");
  const RunPtr b = open_run(disk, "run1");
  const RunPtr c = open_run(disk, "run3");
  for (const StreamRunMerge::Runs& runs : {StreamRunMerge::Runs{}, {b, a}, {a, c}, {a, a}}) {
    EXPECT_EQ(StreamRunMerge::begin(disk, "merged", runs).error(), Errc::invalid_argument);
  }
  EXPECT_EQ(StreamRunMerge::begin(disk, "merged", {a, b}, Offset{3}).error(), Errc::invalid_argument);
  EXPECT_FALSE(*disk.exists("merged.tmp"));
}

// Two keys with one hash are one stream here; the log tells them apart.
TEST(StreamRun2, KeysOfOneHashShareItsEntry) {
  SimDisk disk;
  OpenStreamRun open{Offset{0}};
  for (int i = 0; i < 40; ++i) open.add(Offset{i}, i % 4 == 3 ? 8 : 7, static_cast<std::uint32_t>(i));
  ASSERT_TRUE(open.write(disk, "run", 0, kNoEpoch, false));
  const RunPtr run = open_run(disk, "run");
  std::vector<Offset> found;
  ASSERT_TRUE(run->find(7, Offset{0}, Offset{40}, SIZE_MAX, found));
  EXPECT_EQ(found.size(), 30u);
  EXPECT_EQ(**run->head(7), (StreamHead{Offset{38}, 38}));
  EXPECT_EQ(**run->head(8), (StreamHead{Offset{39}, 39}));
}

TEST(StreamRun2, AHeadTakesOneReadAndAStreamThatIsNotThereMostlyNone) {
  SimDisk disk;
  OpenStreamRun open{Offset{0}};
  for (std::int64_t i = 0; i < 100'000; ++i) open.add(Offset{i}, static_cast<std::uint64_t>(i + 1) * kSpread, 0);
  ASSERT_TRUE(open.write(disk, "run", 0, kNoEpoch, false));
  const RunPtr run = open_run(disk, "run");
  ASSERT_TRUE(run->head(kSpread));  // reads the filter
  std::uint64_t before = disk.reads();
  for (std::uint64_t i = 1; i <= 1000; ++i) ASSERT_TRUE(*run->head(i * 97 * kSpread));
  EXPECT_EQ(disk.reads() - before, 1000u);
  before = disk.reads();
  Random random{5};
  for (int i = 0; i < 20'000; ++i) ASSERT_EQ(*run->head(random.next()), std::nullopt);
  EXPECT_LT(disk.reads() - before, 400u) << "2 % of false hits";
}

TEST(StreamRun2, AStepOfAMergeIsBounded) {
  SimDisk disk;
  Workload workload{9};
  workload.add_run(disk, 60'000, 3);  // long postings: a step may end inside a stream
  workload.add_run(disk, 60'000, 100'000);
  const auto merge = StreamRunMerge::begin(disk, "merged", workload.runs);
  ASSERT_TRUE(merge);
  std::uint64_t before = disk.steps() + disk.reads();
  int steps = 0;
  for (; !(*merge)->done(); ++steps) {
    ASSERT_TRUE((*merge)->step(64 << 10));
    const std::uint64_t calls = disk.steps() + disk.reads();
    // 16 pages; the last one has the filter's end, fence, footer and names as well.
    EXPECT_LE(calls - before, (*merge)->done() ? 60u : 16 + 6u);
    before = calls;
  }
  EXPECT_GT(steps, 20);
}

// How many bytes 1,000,000 streams take, and how many the reader keeps in memory.
void measure(int records_per_stream, double disk_bytes_max) {
  constexpr std::uint64_t kStreams = 1'000'000;
  SimDisk disk;
  OpenStreamRun open{Offset{0}};
  StreamRunMerge::Runs runs;
  const auto write = [&] {
    const std::string path = "run" + std::to_string(runs.size());
    ASSERT_TRUE(open.write(disk, path, 0, kNoEpoch, true));
    runs.push_back(open_run(disk, path));
    open = OpenStreamRun{open.end()};
  };
  // Every stream once in each pass, in another order each time: 6,700,417 has no factor in common with the number of streams.
  std::uint64_t stream = 0;
  for (int pass = 0; pass < records_per_stream; ++pass) {
    for (std::uint64_t i = 0; i < kStreams; ++i) {
      stream = (stream + 6'700'417 + static_cast<std::uint64_t>(2 * pass) * 500'000) % kStreams;
      const Offset offset = open.end();
      const std::uint64_t place = static_cast<std::uint64_t>(offset.value()) * 171 % (64u << 20);
      open.add(offset, key_hash("stream-" + std::to_string(stream)), static_cast<std::uint32_t>(place));
      if (open.full()) write();
    }
  }
  write();
  const auto merge = StreamRunMerge::begin(disk, "merged", runs);
  ASSERT_TRUE(merge);
  while (!(*merge)->done()) ASSERT_TRUE((*merge)->step(1 << 20));
  const RunPtr merged = open_run(disk, "merged");
  ASSERT_EQ(merged->streams(), kStreams);
  ASSERT_EQ(merged->records(), kStreams * static_cast<std::uint64_t>(records_per_stream));
  for (std::uint64_t i = 0; i < 1000; ++i) {
    std::vector<Offset> found;
    ASSERT_TRUE(merged->find(key_hash("stream-" + std::to_string(i * 997)), Offset{0}, open.end(), SIZE_MAX, found));
    ASSERT_EQ(found.size(), static_cast<std::size_t>(records_per_stream));
  }
  const double on_disk = static_cast<double>(merged->file_bytes()) / kStreams;
  const double resident = static_cast<double>(merged->resident_bytes()) / kStreams;
  std::cout << "1,000,000 streams of " << records_per_stream << ": " << on_disk << " bytes a stream on disk, " << resident
            << " in memory; runs merged: " << runs.size() << "\n";
  testing::Test::RecordProperty("bytes_per_stream_on_disk", std::to_string(on_disk));
  testing::Test::RecordProperty("bytes_per_stream_resident", std::to_string(resident));
  EXPECT_LE(on_disk, disk_bytes_max);
  EXPECT_LE(resident, 1.4);
}

TEST(StreamRun2, AStreamOfOneRecordTakesAtMost20Bytes) { measure(1, 20); }
TEST(StreamRun2, AStreamOfFourRecordsTakesAtMost30Bytes) { measure(4, 30); }

}  // namespace
}  // namespace lungo
