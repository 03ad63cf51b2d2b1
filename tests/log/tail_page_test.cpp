#include "tail_page.hpp"

#include <gtest/gtest.h>

#include "tests/support/sim_disk.hpp"

namespace lungo {
namespace {

const std::string kPath = "tail";

TEST(TailPage, ReaderSeesWhatWasPublished) {
  test::SimDisk disk;
  const auto tail = TailWriter::open(disk, kPath, LeaderEpoch{7}, {Offset{3}, Offset{0}}).value();
  tail->publish(1, Offset{1'000'000'000'000});
  tail->extend_to(4).value();
  tail->publish(3, Offset{9});
  const TailState state = read_tail(disk, kPath).value();
  EXPECT_EQ(state.incarnation, LeaderEpoch{7});
  EXPECT_EQ(state.ends, (std::vector<std::optional<Offset>>{Offset{3}, Offset{1'000'000'000'000}, std::nullopt, Offset{9}}));
}

TEST(TailPage, NewWriterReplacesWhatTheOldOneLeft) {
  test::SimDisk disk;
  TailWriter::open(disk, kPath, LeaderEpoch{1}, {Offset{5}, Offset{6}, Offset{7}}).value();
  TailWriter::open(disk, kPath, LeaderEpoch{2}, {Offset{4}}).value();
  const TailState state = read_tail(disk, kPath).value();
  EXPECT_EQ(state.incarnation, LeaderEpoch{2});
  EXPECT_EQ(state.ends, (std::vector<std::optional<Offset>>{Offset{4}}));
}

TEST(TailPage, EverySingleFlippedByteIsNoticed) {
  test::SimDisk disk;
  TailWriter::open(disk, kPath, LeaderEpoch{1}, {Offset{5}, Offset{6}}).value();
  const Bytes whole = read_file(disk, kPath, 4096).value();
  const auto file = disk.open(kPath, OpenMode::read_write).value();
  for (std::size_t at = 16; at < whole.size(); ++at) {
    if (at >= 48 && at < 64) continue;  // reserved
    Bytes flipped = whole;
    flipped[at] ^= std::byte{0x10};
    file->write_at(0, flipped).value();
    const TailState state = read_tail(disk, kPath).value();
    const bool complete = state.incarnation && state.ends.size() == 2 && state.ends[0] && state.ends[1];
    EXPECT_FALSE(complete) << "byte " << at;
  }
}

TEST(TailPage, HostileBytesAreRefusedOrYieldNoEnds) {
  test::SimDisk disk;
  const auto file = disk.open(kPath, OpenMode::create).value();
  EXPECT_EQ(read_tail(disk, kPath).error(), Errc::corrupt) << "empty";
  file->write_at(0, Bytes(4096)).value();
  EXPECT_EQ(read_tail(disk, kPath).error(), Errc::corrupt) << "zeros";
  Bytes lying(64, std::byte{0xff});  // a huge count of partitions with no room for them
  std::copy_n(as_bytes("lungtail\1\0\0\0").begin(), 8, lying.begin());
  file->truncate(0).value();
  file->write_at(0, lying).value();
  EXPECT_EQ(read_tail(disk, kPath).error(), Errc::newer_format);
  lying[8] = std::byte{1};
  lying[9] = lying[10] = lying[11] = std::byte{0};
  file->write_at(0, lying).value();
  EXPECT_TRUE(read_tail(disk, kPath).value().ends.empty());
}

}  // namespace
}  // namespace lungo
