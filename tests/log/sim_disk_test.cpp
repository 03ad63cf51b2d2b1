// The simulated disk keeps its own promises: what is durable stays, what is not may go in every way that the header names.
#include "tests/support/sim_disk.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
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

/// What `path` may hold after a power cut, by enumeration; `all` counts the disks.
std::set<std::string> enumerated(const SimDisk& disk, const std::string& path, std::size_t states_max = 1000,
                                 std::size_t* all = nullptr) {
  std::set<std::string> found;
  std::size_t count = 0;
  disk.for_each_survivor(states_max, 1, [&](std::unique_ptr<SimDisk> after) {
    found.insert(contents(*after, path));
    ++count;
  });
  if (all != nullptr) *all = count;
  return found;
}

TEST(SimDisk, FewChangesSurviveInEveryCombination) {
  SimDisk disk;
  const auto file = synced_file(disk, "f", "..");
  file->write_at(0, as_bytes("a")).value();
  file->write_at(1, as_bytes("bc")).value();
  disk.rename("f", "g").value();
  std::size_t all = 0;
  // The second write grows the file: its size may arrive alone.
  const std::set<std::string> either{"..", "a.", ".bc", "abc", std::string("..\0", 3), std::string("a.\0", 3)};
  std::set<std::string> with_absent = either;
  with_absent.insert("absent");
  EXPECT_EQ(enumerated(disk, "f", 1000, &all), with_absent);
  EXPECT_EQ(enumerated(disk, "g"), with_absent);
  EXPECT_EQ(all, 2 * either.size()) << "each disk once";
}

TEST(SimDisk, EnumeratedWriteIsTornAtEachSectorOfBothSizes) {
  SimDisk disk;
  const auto file = synced_file(disk, "f", std::string(8192, '.'));
  file->write_at(0, filled(8192, 'x')).value();
  std::set<std::string> expected{std::string(8192, '.'), std::string(8192, 'x')};
  for (const std::size_t sector : {512u, 4096u}) {
    for (std::size_t at = 0; at < 8192; at += sector) {
      expected.insert(std::string(at, 'x') + std::string(8192 - at, '.'));
      expected.insert(std::string(at, 'x') + std::string(sector, '.') + std::string(8192 - at - sector, 'x'));
    }
  }
  EXPECT_EQ(enumerated(disk, "f"), expected);
}

TEST(SimDisk, ManyChangesSurviveInAsManyWaysAsAskedFor) {
  SimDisk disk;
  const auto file = synced_file(disk, "f", std::string(30, '.'));
  for (std::uint64_t i = 0; i < 30; ++i) file->write_at(i, as_bytes("x")).value();
  const std::set<std::string> few = enumerated(disk, "f", 500);
  EXPECT_EQ(few.size(), 500u);
  for (std::size_t first = 0; first <= 30; ++first) {  // 121 of them have a cause
    EXPECT_TRUE(few.contains(std::string(first, 'x') + std::string(30 - first, '.'))) << first;
    EXPECT_TRUE(few.contains(std::string(first, '.') + std::string(30 - first, 'x'))) << first;
  }
}

TEST(SimDisk, KilledProcessLosesNothingUntilThePowerFails) {
  SimDisk disk;
  const auto file = synced_file(disk, "f", "old");
  file->write_at(0, as_bytes("new")).value();
  const auto killed = disk.after_kill();
  EXPECT_EQ(contents(*killed, "f"), "new");
  EXPECT_EQ(contents(*killed->durable(), "f"), "old");
  EXPECT_EQ(outcomes(*killed, "f"), (std::set<std::string>{"old", "new"}));
  killed->open("f", OpenMode::read_write).value()->sync().value();
  EXPECT_EQ(contents(*killed->durable(), "f"), "new");
  EXPECT_EQ(contents(*disk.durable(), "f"), "old") << "the disk that it was made of is another";
}

TEST(SimDisk, KillInsideAWriteLeavesItsFirstBytes) {
  SimDisk disk;
  const auto file = synced_file(disk, "f", "...");
  std::vector<std::string> seen;
  disk.on_step([&](const DiskStep& step) {
    EXPECT_EQ(step.bytes, 2u);
    for (std::size_t bytes = 0; bytes <= step.bytes; ++bytes) seen.push_back(contents(*disk.after_kill(bytes), "f"));
  });
  disk.after_step([&](const DiskStep&) { seen.push_back(contents(*disk.after_kill(), "f")); });
  file->write_at(1, as_bytes("xy")).value();
  EXPECT_EQ(seen, (std::vector<std::string>{"...", ".x.", ".xy", ".xy"}));
}

TEST(SimDisk, PowerFailsInsideAWrite) {
  SimDisk disk;
  const auto file = synced_file(disk, "f", "...");
  disk.cut_write(disk.steps() + 1, 2);
  EXPECT_EQ(file->write_at(0, as_bytes("xyz")).error().code(), Errc::io);
  EXPECT_EQ(file->write_at(0, as_bytes("abc")).error().code(), Errc::io);
  EXPECT_EQ(outcomes(disk, "f"), (std::set<std::string>{"...", "xy."}));
}

TEST(SimDisk, FullDiskRefusesToPreallocate) {
  SimDisk disk;
  disk.set_capacity(10);
  const auto file = disk.open("f", OpenMode::create).value();
  EXPECT_TRUE(file->preallocate(0, 10).has_value());
  EXPECT_EQ(file->preallocate(0, 11).error().code(), Errc::no_space);
  EXPECT_EQ(file->size().value(), 0u);
}

TEST(SimDisk, EveryKindOfCallCanFail) {
  const auto calls = [](SimDisk& disk) {
    std::vector<bool> done;
    const auto file = disk.open("f", OpenMode::create);
    done.push_back(file.has_value());
    if (!file) return done;
    std::array<std::byte, 1> byte{};
    done.push_back((*file)->write_at(0, as_bytes("x")).has_value());
    done.push_back((*file)->preallocate(0, 5).has_value());
    done.push_back((*file)->read_at(0, byte).has_value());
    done.push_back((*file)->size().has_value());
    done.push_back((*file)->sync().has_value());
    done.push_back(disk.open("f", OpenMode::read).has_value());
    done.push_back(disk.list("/").has_value());
    done.push_back(disk.exists("f").has_value());
    done.push_back(disk.rename("f", "g").has_value());
    done.push_back(disk.sync_directory("/").has_value());
    return done;
  };
  SimDisk undisturbed;
  const std::vector<bool> all_done = calls(undisturbed);
  ASSERT_EQ(undisturbed.calls(), all_done.size());
  for (std::size_t failing = 0; failing < all_done.size(); ++failing) {
    SimDisk disk;
    disk.fail_call(failing + 1, Errc::io);
    const std::vector<bool> done = calls(disk);
    EXPECT_EQ(std::ranges::count(done, false), 1) << failing;
    EXPECT_FALSE(done[failing]) << failing;
  }
}

}  // namespace
}  // namespace lungo::test
