// Goal: where offsets may be missing, a base offset that has rotted into a later one looks like a gap, under no CRC: it costs
// its batch alone, whoever meets it, and the next opening finds the same.
#include <gtest/gtest.h>

#include "tests/log/crashed_log.hpp"
#include "tests/support/quiet_log.hpp"

namespace lungo::test {
namespace {

// Behind a clean stop nobody has looked at it when a read comes.
TEST(RisenOffsets, ABaseOffsetThatHasRottedIntoALaterOneIsFoundByAReadBeforeItIsServed) {
  const SilentLog silent;
  for (const std::size_t batch : {1u, 4u, 8u}) {  // the time index names the first one
    for (const std::size_t risen : {1u, 2u, 3u, 40u}) {
      SCOPED_TRACE("batch " + std::to_string(batch) + ", risen by " + std::to_string(risen));
      PartitionFixture fixture;
      fixture.options.gaps = true;
      fixture.options.index_interval_bytes = 1;  // the end is found without a look at what lies before
      std::vector<std::uint64_t> borders;
      std::optional<CleanEnd> clean;
      {
        const auto log = fixture.opened();
        for (int i = 0; i < 10; ++i) {
          borders.push_back(fixture.file_size(kFirstLog));
          ASSERT_TRUE(append(*log, numbered(3 * i, 3 * i + 3)));
        }
        clean = log->close().value();
      }
      borders.push_back(fixture.file_size(kFirstLog));
      const std::byte rotten{static_cast<unsigned char>(3 * batch + risen)};
      fixture.write(kFirstLog, borders[batch] + 7, BytesView{&rotten, 1});
      const Offset from{3 * static_cast<std::int64_t>(batch)};
      const DamagedRange lost{from, from.plus(3), kFirstLog, borders[batch], borders[batch + 1] - borders[batch]};
      for (const bool is_backwards : {false, true}) {
        const auto log = fixture.opened(clean);
        ASSERT_NE(log, nullptr);
        ASSERT_EQ(log->recovery().bytes_scanned, 0u);
        if (is_backwards) {
          EXPECT_EQ(log->read_back(from.plus(3), Offset{30}, 1, {}, {}).error(), Errc::corrupt);
          EXPECT_EQ(log->damage(), std::vector{lost});
        }
        expect_all_but_holes(*log, 30);
        EXPECT_EQ(log->damage(), std::vector{lost});
      }
    }
  }
}

TEST(RisenOffsets, ABaseOffsetThatHasRisenIsFoundInFrontOfADamagedBatchToo) {
  const SilentLog silent;
  for (const std::byte rotten : {std::byte{13}, std::byte{14}, std::byte{15}, std::byte{40}}) {
    SCOPED_TRACE("base " + std::to_string(std::to_integer<int>(rotten)));
    CrashedLog crashed{10};
    crashed.options.gaps = true;
    crashed.write(kFirstLog, crashed.borders[4] + 7, BytesView{&rotten, 1});
    crashed.flip(kFirstLog, crashed.borders[5] + 70);
    const auto log = crashed.opened();
    ASSERT_NE(log, nullptr);
    std::vector<Offset> lost;
    for (const DamagedRange& range : log->damage()) lost.insert(lost.end(), {range.from, range.end});
    EXPECT_EQ(lost.front(), Offset{12});
    EXPECT_EQ(lost.back(), Offset{18});
    expect_all_but_holes(*log, 30);
  }
}

// The first opening proves the end, and with that moves what a later one takes for a gap.
TEST(RisenOffsets, WhatAnOpeningHasFoundIsNoMoreForTheNextOne) {
  const SilentLog silent;
  CrashedLog crashed{10};
  crashed.options.gaps = true;
  crashed.remove_mark();
  crashed.flip(kFirstLog, crashed.borders[1] + 16);              // its magic
  crashed.flip(kFirstLog, crashed.borders[3], std::byte{0x10});  // its base offset
  for (int opening = 0; opening < 3; ++opening) {
    const auto log = crashed.opened();
    ASSERT_NE(log, nullptr);
    EXPECT_EQ(log->damage(), (std::vector{crashed.batches(1, 2), crashed.batches(3, 4)}));
    expect_all_but_holes(*log, 30);
  }
}

// What is appended proves offsets up to the one that a base offset has risen to; what the first opening has found is known.
TEST(RisenOffsets, ABatchThatIsKnownToBeLostIsNoneBehindAGapLater) {
  const SilentLog silent;
  CrashedLog crashed{10};
  crashed.options.gaps = true;
  const std::byte risen{31};
  crashed.write(kFirstLog, crashed.borders[4] + 7, BytesView{&risen, 1});
  ASSERT_EQ(crashed.opened()->damage(), std::vector{crashed.batches(4, 5)});
  {
    const auto log = crashed.opened();
    ASSERT_TRUE(append(*log, numbered(30, 33)));
    ASSERT_TRUE(log->sync());
  }
  crashed.flip(kFirstLog, crashed.borders[5] + 70);  // so that it does not tell
  const auto log = crashed.opened();
  ASSERT_NE(log, nullptr);
  EXPECT_EQ(log->recovery().bytes_cut, 0u);
  EXPECT_EQ(log->damage(), (std::vector{crashed.batches(4, 5), crashed.batches(5, 6)}));
  expect_all_but_holes(*log, 33);
}

TEST(RisenOffsets, NothingFollowsTheEndOfACleanStopWhereTheMarkIsLost) {
  const SilentLog silent;
  CrashedLog crashed{10};
  crashed.options.gaps = true;
  const CleanEnd clean = crashed.opened()->close().value();
  crashed.remove_mark();
  crashed.flip(kFirstLog, crashed.borders[4], std::byte{0x10});  // its base offset
  crashed.flip(kFirstLog, crashed.borders[5] + 70);              // so that it contradicts nothing
  for (int opening = 0; opening < 2; ++opening) {
    const auto log = crashed.opened(clean);
    ASSERT_NE(log, nullptr);
    EXPECT_EQ(log->recovery().bytes_cut, 0u);
    EXPECT_EQ(log->damage(), std::vector{crashed.batches(4, 6)});
    expect_all_but_holes(*log, 30);
  }
}

}  // namespace
}  // namespace lungo::test
