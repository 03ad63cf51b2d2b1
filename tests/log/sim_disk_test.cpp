// The simulated disk keeps its own promises: what is durable stays, what is not may go in every way that the header names.
#include "tests/support/sim_disk.hpp"

#include <gtest/gtest.h>

#include <set>

namespace lungo::test {
namespace {

Bytes filled(std::size_t size, char with) { return Bytes(size, static_cast<std::byte>(with)); }

std::string contents(SimDisk& disk, const std::string& path) {
  const Result<Bytes> bytes = read_file(disk, path, 1 << 20);
  return bytes ? std::string(as_text(*bytes)) : "absent";
}

std::unique_ptr<File> synced_file(SimDisk& disk, const std::string& path, std::string_view text) {
  std::unique_ptr<File> file = disk.open(path, OpenMode::create).value();
  file->write_at(0, as_bytes(text)).value();
  file->sync().value();
  disk.sync_directory(parent_directory(path)).value();
  return file;
}

/// What `path` may hold after a power cut, over many seeds.
std::set<std::string> outcomes(const SimDisk& disk, const std::string& path, int seeds = 400) {
  std::set<std::string> found;
  for (int seed = 0; seed < seeds; ++seed) {
    found.insert(contents(*disk.after_power_cut(static_cast<std::uint64_t>(seed)), path));
  }
  return found;
}

TEST(SimDisk, SyncedBytesUnderASyncedNameSurviveEveryCut) {
  SimDisk disk;
  disk.make_directories("/d").value();
  disk.sync_directory("/").value();
  const auto file = synced_file(disk, "/d/f", "kept");
  EXPECT_EQ(outcomes(disk, "/d/f"), std::set<std::string>{"kept"});
}

TEST(SimDisk, FileWithoutASyncedNameMayBeGone) {
  SimDisk disk;
  const auto file = disk.open("f", OpenMode::create_new).value();
  file->write_at(0, as_bytes("x")).value();
  file->sync().value();
  EXPECT_EQ(outcomes(disk, "f"), (std::set<std::string>{"absent", "x"}));
}

TEST(SimDisk, UnsyncedWritesSurviveInAnySubset) {
  SimDisk disk;
  const auto file = synced_file(disk, "f", "..");
  file->write_at(0, as_bytes("a")).value();
  file->write_at(1, as_bytes("b")).value();
  EXPECT_EQ(outcomes(disk, "f"), (std::set<std::string>{"..", "a.", ".b", "ab"}));
}

TEST(SimDisk, GrownSizeMayArriveWithoutItsData) {
  SimDisk disk;
  const auto file = synced_file(disk, "f", "");
  file->write_at(0, as_bytes("a")).value();
  EXPECT_TRUE(outcomes(disk, "f").contains(std::string(1, '\0')));
}

TEST(SimDisk, LargeWriteIsTornAtSectors) {
  SimDisk disk;
  const auto file = synced_file(disk, "f", std::string(8192, '.'));
  file->write_at(0, filled(8192, 'x')).value();
  std::set<std::size_t> borders;
  for (const std::string& found : outcomes(disk, "f")) {
    ASSERT_EQ(found.size(), 8192u);
    for (std::size_t at = 1; at < found.size(); ++at) {
      if (found[at] != found[at - 1]) borders.insert(at);
    }
  }
  EXPECT_GT(borders.size(), 4u);
  for (const std::size_t border : borders) EXPECT_EQ(border % 512, 0u) << border;
}

TEST(SimDisk, UnsyncedRenameHappensWhollyOrNotAtAll) {
  SimDisk disk;
  const auto old_file = synced_file(disk, "f", "old");
  const auto new_file = synced_file(disk, "f.tmp", "new");
  disk.rename("f.tmp", "f").value();
  EXPECT_EQ(outcomes(disk, "f"), (std::set<std::string>{"old", "new"}));
  for (int seed = 0; seed < 100; ++seed) {
    const auto after = disk.after_power_cut(static_cast<std::uint64_t>(seed));
    EXPECT_EQ(contents(*after, "f.tmp"), contents(*after, "f") == "old" ? "new" : "absent");
  }
}

TEST(SimDisk, UnsyncedRemovalMayComeBack) {
  SimDisk disk;
  const auto file = synced_file(disk, "f", "x");
  disk.remove("f").value();
  EXPECT_EQ(contents(disk, "f"), "absent");
  EXPECT_EQ(outcomes(disk, "f"), (std::set<std::string>{"absent", "x"}));
}

TEST(SimDisk, FailedSyncDropsPagesAndTheNextOneSucceedsWithoutThem) {
  bool lost = false;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    SimDisk disk(seed);
    const auto file = synced_file(disk, "f", ".");
    file->write_at(0, as_bytes("x")).value();
    disk.fail_step(disk.steps() + 1, Errc::io);
    EXPECT_EQ(file->sync().error().code(), Errc::io);
    EXPECT_TRUE(file->sync().has_value());
    EXPECT_EQ(contents(disk, "f"), "x");  // the cache still shows it
    lost = lost || outcomes(disk, "f", 4) == std::set<std::string>{"."};
  }
  EXPECT_TRUE(lost);
}

TEST(SimDisk, FullDiskTakesTheFirstPartAndRecoversWithSpace) {
  SimDisk disk;
  disk.set_capacity(4);
  const auto file = disk.open("f", OpenMode::create).value();
  EXPECT_EQ(file->write_at(0, as_bytes("123456")).error().code(), Errc::no_space);
  EXPECT_EQ(contents(disk, "f"), "1234");
  EXPECT_TRUE(file->write_at(0, as_bytes("abcd")).has_value());  // overwriting takes no room
  disk.set_capacity(6);
  EXPECT_TRUE(file->write_at(4, as_bytes("ef")).has_value());
  EXPECT_EQ(disk.used_bytes(), 6u);
}

TEST(SimDisk, PowerOffFailsEveryLaterCallUntilTheCut) {
  SimDisk disk;
  const auto file = synced_file(disk, "f", "x");
  disk.power_off_before(disk.steps() + 1);
  EXPECT_EQ(file->write_at(0, as_bytes("y")).error().code(), Errc::io);
  EXPECT_EQ(disk.list("/").error().code(), Errc::io);
  disk.power_cut(7);
  EXPECT_EQ(file->size().error().code(), Errc::io) << "files of before the cut stay dead";
  EXPECT_EQ(contents(disk, "f"), "x");
}

TEST(SimDisk, SameSeedGivesTheSameSurvivors) {
  SimDisk disk;
  for (int i = 0; i < 20; ++i) {
    const auto file = disk.open("f" + std::to_string(i), OpenMode::create).value();
    file->write_at(0, filled(5000, 'x')).value();
  }
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const auto one = disk.after_power_cut(seed);
    const auto two = disk.after_power_cut(seed);
    for (int i = 0; i < 20; ++i) {
      const std::string path = "f" + std::to_string(i);
      ASSERT_EQ(contents(*one, path), contents(*two, path));
    }
  }
}

TEST(SimDisk, ReadFaultsHitTheNumberedReadOnly) {
  SimDisk disk;
  const auto file = synced_file(disk, "f", "text");
  disk.fail_read(disk.reads() + 1, ReadFault::bit_flip);
  EXPECT_NE(contents(disk, "f"), "text");
  disk.fail_read(disk.reads() + 1, ReadFault::cut_off);
  EXPECT_LT(contents(disk, "f").size(), 4u);
  disk.fail_read(disk.reads() + 1, ReadFault::error);
  EXPECT_EQ(contents(disk, "f"), "absent");
  EXPECT_EQ(contents(disk, "f"), "text");
}

TEST(SimDisk, SecondLockNamesTheHolder) {
  SimDisk disk;
  auto lock = disk.lock("l", "pid 1").value();
  const Error refused = disk.lock("l", "pid 2").error();
  EXPECT_EQ(refused.code(), Errc::locked);
  EXPECT_NE(refused.text().find("pid 1"), std::string_view::npos);
  lock.reset();
  EXPECT_TRUE(disk.lock("l", "pid 2").has_value());
}

}  // namespace
}  // namespace lungo::test
