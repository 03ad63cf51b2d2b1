#include "tail_page.hpp"

#include <gtest/gtest.h>

#include "tests/support/sim_disk.hpp"

namespace lungo {
namespace {

const std::string kPath = "tail";

TailPlace place(std::int64_t start, std::int64_t end) { return {.start = Offset{start}, .end = Offset{end}}; }

TEST(TailPage, ReaderSeesWhatWasPublished) {
  test::SimDisk disk;
  const auto tail = TailWriter::open(disk, kPath, LeaderEpoch{7}, {place(0, 3), TailPlace{}, place(2, 2)}).value();
  tail->publish(2, Offset{1'000'000'000'000});
  tail->extend_to(5).value();
  tail->publish_start(4, Offset{8});
  tail->publish(4, Offset{9});
  tail->publish_start(0, Offset{1});
  EXPECT_EQ(read_tail(disk, kPath)->changes, std::nullopt);
  tail->publish_changes(2);
  const TailState state = read_tail(disk, kPath).value();
  EXPECT_EQ(state.changes, 2);
  EXPECT_EQ(state.incarnation, LeaderEpoch{7});
  EXPECT_FALSE(state.in_order);
  EXPECT_EQ(state.places,
            (std::vector<TailPlace>{place(1, 3), TailPlace{}, place(2, 1'000'000'000'000), TailPlace{}, place(8, 9)}));
}

TEST(TailPage, BytesAreThoseOfTheGrammar) {
  test::SimDisk disk;
  TailWriter::open(disk, kPath, LeaderEpoch{1}, {place(0, 3)}).value();
  const std::string number = std::string("\1\0\0\0\0\0\0\0", 8) + "\xfe" + std::string(7, '\xff');
  const std::string start = std::string(8, '\0') + std::string(8, '\xff');
  const std::string end = "\3" + std::string(7, '\0') + "\xfc" + std::string(7, '\xff');
  const Bytes page = read_file(disk, kPath, 4096).value();
  EXPECT_EQ(as_text(page), std::string("lungtail\2\0\0\0\0\0\0\0", 16) + number + number + std::string(16, '\0') + start + end);
}

TEST(TailPage, NewWriterReplacesWhatTheOldOneLeft) {
  test::SimDisk disk;
  TailWriter::open(disk, kPath, LeaderEpoch{1}, {place(0, 5), place(0, 6), place(0, 7)}).value();
  const auto tail = TailWriter::open(disk, kPath, LeaderEpoch{2}, {place(0, 4)}).value();
  EXPECT_EQ(read_tail(disk, kPath).value().incarnation, LeaderEpoch{2});
  EXPECT_EQ(read_tail(disk, kPath).value().places, std::vector<TailPlace>{place(0, 4)});
  tail->extend_to(3).value();
  EXPECT_EQ(read_tail(disk, kPath).value().places, std::vector<TailPlace>{place(0, 4)}) << "the others hold nothing";
  tail->publish(2, Offset{1});
  EXPECT_EQ(read_tail(disk, kPath).value().places,
            (std::vector<TailPlace>{place(0, 4), TailPlace{}, {.start = std::nullopt, .end = Offset{1}}}));
}

TEST(TailPage, VersionOneHasTheEndsInOrder) {
  test::SimDisk disk;
  TailWriter::open(disk, kPath, LeaderEpoch{7}, {place(3, 5)}).value();
  const auto file = disk.open(kPath, OpenMode::read_write).value();
  file->write_at(8, as_bytes(std::string_view("\1"))).value();
  file->write_at(32, as_bytes(std::string_view("\2\0\0\0\0\0\0\0\xfd\xff\xff\xff\xff\xff\xff\xff", 16))).value();
  const TailState state = read_tail(disk, kPath).value();
  EXPECT_TRUE(state.in_order);
  EXPECT_EQ(state.incarnation, LeaderEpoch{7});
  EXPECT_EQ(state.places, (std::vector<TailPlace>{{.start = {}, .end = Offset{3}}, {.start = {}, .end = Offset{5}}}));
}

TEST(TailPage, EverySingleFlippedByteIsNoticed) {
  test::SimDisk disk;
  TailWriter::open(disk, kPath, LeaderEpoch{1}, {place(1, 5), place(2, 6)}).value()->publish_changes(3);
  const Bytes whole = read_file(disk, kPath, 4096).value();
  const auto file = disk.open(kPath, OpenMode::read_write).value();
  for (std::size_t at = 16; at < whole.size(); ++at) {
    Bytes flipped = whole;
    flipped[at] ^= std::byte{0x10};
    file->write_at(0, flipped).value();
    const TailState state = read_tail(disk, kPath).value();
    const bool complete = state.incarnation && state.changes && state.places.size() == 2 && state.places[0].start &&
                          state.places[0].end && state.places[1].start && state.places[1].end;
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
  EXPECT_TRUE(read_tail(disk, kPath).value().places.empty());
}

}  // namespace
}  // namespace lungo
