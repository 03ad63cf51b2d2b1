#include "file_cache.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <iterator>

#include <lungo/log/appender.hpp>
#include <lungo/log/local_event_log.hpp>

#include "storage_posix.hpp"
#include "tests/support/sim_disk.hpp"
#include "tests/support/temp_directory.hpp"

namespace lungo {
namespace {

using test::DiskStep;
using test::SimDisk;

class FileCacheTest : public testing::Test {
 protected:
  FileCacheTest() { make_directories_durably(disk, "/d").value(); }

  std::unique_ptr<File> open(const std::string& name, OpenMode mode = OpenMode::create) {
    return cache.open("/d/" + name, mode).value();
  }
  // A file with its name as its bytes.
  std::unique_ptr<File> filled(const std::string& name) {
    auto file = open(name);
    file->write_at(0, as_bytes(name)).value();
    return file;
  }
  // Uses so many other files that all that may be closed are.
  void press_out() {
    std::vector<std::unique_ptr<File>> held;
    for (int i = 0; i < 6; ++i) held.push_back(filled("other" + std::to_string(i)));
  }
  static std::string text_of(File& file) {
    Bytes bytes(64);
    const Result<std::size_t> read = file.read_at(0, bytes);
    return read ? std::string(as_text(BytesView{bytes}.first(*read))) : std::string(read.error().text());
  }

  SimDisk disk;
  FileCache cache{disk, 3};
};

TEST_F(FileCacheTest, ManyFilesTakeFewDescriptors) {
  std::vector<std::unique_ptr<File>> files;
  for (int i = 0; i < 20; ++i) {
    files.push_back(filled("f" + std::to_string(i)));
    EXPECT_LE(cache.stats().open, 3u);
  }
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < 20; ++i) EXPECT_EQ(text_of(*files[static_cast<std::size_t>(i)]), "f" + std::to_string(i));
  }
  EXPECT_LE(cache.stats().open, 3u);
  EXPECT_GE(cache.stats().reopened, 20u);
  files.clear();
  EXPECT_EQ(cache.stats().open, 0u);
}

TEST_F(FileCacheTest, FilesInUseAreNotOpenedAgain) {
  const auto file = filled("hot");
  const auto calls_of_look = [&] {
    const std::uint64_t before = disk.calls();
    static_cast<void>(file->size().value());
    return disk.calls() - before;
  };
  EXPECT_EQ(calls_of_look(), 1u);
  EXPECT_EQ(cache.stats().reopened, 0u);
  press_out();
  EXPECT_EQ(calls_of_look(), 2u);  // and an open
  EXPECT_EQ(calls_of_look(), 1u);
}

TEST_F(FileCacheTest, UnsyncedBytesAreSyncedBeforeTheirFileIsClosed) {
  const auto file = filled("kept");
  disk.sync_directory("/d").value();
  press_out();
  const auto durable = disk.durable();
  EXPECT_EQ(text_of(*durable->open("/d/kept", OpenMode::read).value()), "kept");
}

TEST_F(FileCacheTest, NobodyWaitsForTheSyncOfAnotherFileJustAboveTheBound) {
  FileCache large(disk, 8);
  std::vector<std::string> synced;
  disk.on_step([&](const DiskStep& step) {
    if (step.operation == "sync") synced.emplace_back(step.path);
  });
  std::vector<std::unique_ptr<File>> files;
  const auto add = [&](const std::string& name) {
    files.push_back(large.open("/d/" + name, OpenMode::create).value());
    files.back()->write_at(0, as_bytes(name)).value();
  };
  for (int i = 0; i < 10; ++i) add(std::to_string(i) + (i == 7 ? ".index" : ".log"));
  EXPECT_EQ(synced, std::vector<std::string>{});
  EXPECT_EQ(large.stats().open, 10u);
  add("more.log");
  EXPECT_EQ(synced, std::vector<std::string>{"/d/7.index"}) << "beyond a quarter more: what is done soonest";
  while (large.make_room()) continue;
  EXPECT_LT(large.stats().open, 8u);
  EXPECT_FALSE(large.make_room());
}

TEST_F(FileCacheTest, SyncThatFailsBesideItsOwnerIsToldToTheOwner) {
  FileCache small(disk, 1);
  const auto file = small.open("/d/lost", OpenMode::create).value();
  file->write_at(0, as_bytes("lost")).value();
  disk.fail_step(disk.steps() + 1, Errc::io);  // the sync that makes room
  const auto other = small.open("/d/other", OpenMode::create).value();
  EXPECT_EQ(small.stats().open, 2u) << "what is not synced stays open";
  EXPECT_EQ(file->sync().error(), Errc::io);
  EXPECT_EQ(file->sync().error(), Errc::io) << "what is lost stays lost";
  EXPECT_TRUE(other->sync().has_value());
}

TEST_F(FileCacheTest, RenamesAreFollowed) {
  const auto file = filled("before");
  press_out();
  cache.rename("/d/before", "/d/after").value();
  press_out();
  EXPECT_EQ(text_of(*file), "before");
  cache.remove("/d/after").value();
  press_out();
  EXPECT_EQ(text_of(*file), "before");
}

TEST_F(FileCacheTest, NamesThatMoveAmongOthersAreFollowed) {
  const auto first = filled("x");
  const auto second = open("x");
  const auto other = filled("y");
  cache.rename("/d/x", "/d/x-").value();  // to a name right behind the old one
  press_out();
  EXPECT_EQ(text_of(*first), "x");
  EXPECT_EQ(text_of(*second), "x");
  EXPECT_EQ(text_of(*other), "y");
}

TEST_F(FileCacheTest, FilesOutliveTheirCache) {
  auto passing = std::make_unique<FileCache>(disk, 2);
  const auto file = passing->open("/d/f", OpenMode::create).value();
  passing.reset();
}

TEST_F(FileCacheTest, WhatIsClosedIsSynced) {
  const auto file = filled("kept");
  press_out();
  const std::uint64_t calls = disk.calls();
  EXPECT_TRUE(file->sync().has_value());
  EXPECT_EQ(disk.calls(), calls) << "it need not be opened for that";
}

TEST_F(FileCacheTest, RemovedAndReplacedFilesKeepTheirBytes) {
  const auto removed = filled("removed");
  const auto replaced = filled("replaced");
  press_out();
  static_cast<void>(filled("new"));
  cache.remove("/d/removed").value();
  cache.rename("/d/new", "/d/replaced").value();
  static_cast<void>(filled("removed"));
  press_out();
  EXPECT_EQ(text_of(*removed), "removed");
  EXPECT_EQ(text_of(*replaced), "replaced");
  EXPECT_EQ(text_of(*open("replaced", OpenMode::read)), "new");
  // A failed removal takes no name away.
  EXPECT_EQ(cache.remove("/d/nowhere").error(), Errc::not_found);
}

TEST_F(FileCacheTest, WhatAnotherPutInTheirPlaceIsNotTakenForThem) {
  const auto file = filled("mine");
  file->sync().value();
  press_out();
  disk.remove("/d/mine").value();  // beneath: as another process does
  static_cast<void>(disk.open("/d/mine", OpenMode::create).value());
  Bytes bytes(4);
  EXPECT_EQ(file->read_at(0, bytes).error(), Errc::not_found);
}

TEST_F(FileCacheTest, FailedOpensAreAnsweredAndTriedAgain) {
  const auto file = filled("mine");
  file->sync().value();
  press_out();
  disk.fail_call(disk.calls() + 1, Errc::io);
  EXPECT_EQ(file->size().error(), Errc::io);
  EXPECT_EQ(file->size().value(), 4u);
}

// ---- on the real file system ----

std::size_t descriptors_open() {
  return static_cast<std::size_t>(
      std::distance(std::filesystem::directory_iterator("/proc/self/fd"), std::filesystem::directory_iterator()));
}

TEST(FileCacheOnDisk, FilesOfMovedDirectoriesAreFoundAndThoseOfRemovedOnesKept) {
  const test::TempDirectory directory;
  const auto storage = make_posix_storage();
  FileCache cache(*storage, 1);
  cache.make_directories(directory / "from").value();
  const auto file = cache.open(directory / "from/file", OpenMode::create).value();
  file->write_at(0, as_bytes("text")).value();
  const auto other = cache.open(directory / "from-not", OpenMode::create).value();
  cache.rename(directory / "from", directory / "to").value();
  EXPECT_EQ(file->size().value(), 4u);
  EXPECT_EQ(other->size().value(), 0u);
  cache.remove_all(directory / "to").value();
  EXPECT_EQ(other->size().value(), 0u);
  EXPECT_EQ(file->size().value(), 4u);
}

TEST(FileCacheOnDisk, ANewFileOfTheSameNameIsAnotherOne) {
  const test::TempDirectory directory;
  const auto storage = make_posix_storage();
  const auto identity = [&] { return storage->open(directory / "f", OpenMode::create).value()->identity().value(); };
  const std::uint64_t first = identity();
  EXPECT_EQ(identity(), first);
  storage->remove(directory / "f").value();
  EXPECT_NE(identity(), first);
}

/// Lets the process open no file more; as long as it lives.
class NoDescriptorLeft {
 public:
  NoDescriptorLeft() {
    ::getrlimit(RLIMIT_NOFILE, &before_);
    rlimit few = before_;
    few.rlim_cur = 256;
    ::setrlimit(RLIMIT_NOFILE, &few);
    while (true) {
      const int descriptor = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
      if (descriptor < 0) break;
      taken_.push_back(descriptor);
    }
  }
  ~NoDescriptorLeft() {
    for (const int descriptor : taken_) ::close(descriptor);
    ::setrlimit(RLIMIT_NOFILE, &before_);
  }
  NoDescriptorLeft(const NoDescriptorLeft&) = delete;
  NoDescriptorLeft& operator=(const NoDescriptorLeft&) = delete;

 private:
  rlimit before_{};
  std::vector<int> taken_;
};

/// UBSan looks at the type of an object whose like it has not met yet, and needs two descriptors for that.
void give_one_away(Storage& storage, const std::string& path) {
  FileCache cache(storage, 1);
  const auto first = cache.open(path, OpenMode::create).value();
  const auto second = cache.open(path, OpenMode::read).value();
  EXPECT_TRUE(first->handle());
  EXPECT_TRUE(second->handle());
  EXPECT_EQ(cache.open(path + "/none", OpenMode::read).error(), Errc::io);
}

TEST(FileCacheOnDisk, WhereNoDescriptorIsLeftOneOfOursIsGivenAway) {
  const test::TempDirectory directory;
  const auto storage = make_posix_storage();
  give_one_away(*storage, directory / "before");
  FileCache cache(*storage, 100);
  const auto used = cache.open(directory / "used", OpenMode::create).value();
  const auto other = cache.open(directory / "other", OpenMode::create).value();
  other->write_at(0, as_bytes("unsynced")).value();
  {
    const NoDescriptorLeft crowded;
    const Result<FileHandle> handle = used->handle();
    EXPECT_TRUE(handle) << handle.error();
    EXPECT_EQ(used->handle().error(), Errc::io) << "none of ours is left";
  }
  EXPECT_EQ(other->size().value(), 8u);
}

TEST(FileCacheOnDisk, LogWithManySegmentsTakesFewDescriptors) {
  const test::TempDirectory directory;
  constexpr std::size_t kFilesMax = 24;
  constexpr std::int32_t kPartitions = 40;
  constexpr std::size_t kAtMost = kFilesMax + kFilesMax / 4 + 16;  // lock, look at a directory, files in use
  const std::size_t before = descriptors_open();
  const auto log = open_local(directory / "log", {.open_files_max = kFilesMax}).value();
  TopicSpec spec;
  spec.name = "many";
  spec.partitions = kPartitions;
  spec.segment_bytes = 4096;
  spec.streams = true;
  static_cast<void>(log->create_topic(spec).value());
  const std::string value(1000, 'v');
  for (int i = 0; i < 12; ++i) {
    for (std::int32_t p = 0; p < kPartitions; ++p) {
      EncodedRecords records;
      const std::string key = "k" + std::to_string(i);
      records.add({.key = as_bytes(key), .value = as_bytes(value)}).value();
      static_cast<void>(
          append_wait(*log, {.to = TopicPartition{"many", PartitionId{p}}, .records = std::move(records)}).value());
    }
    EXPECT_LE(descriptors_open(), before + kAtMost) << "round " << i;
  }
  for (std::int32_t p = 0; p < kPartitions; ++p) {
    std::int64_t seen = 0;
    for (Offset from{0}; from < Offset{12};) {
      const Fetched fetched = log->read(TopicPartition{"many", PartitionId{p}}, from, 1 << 20).value();
      RecordCursor records = fetched.records();
      while (const RecordView* record = records.next()) EXPECT_EQ(record->offset, Offset{seen++});
      from = fetched.next().offset;
    }
    EXPECT_EQ(seen, 12);
  }
  EXPECT_LE(descriptors_open(), before + kAtMost);
}

}  // namespace
}  // namespace lungo
