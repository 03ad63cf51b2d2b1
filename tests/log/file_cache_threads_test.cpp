// Many threads on more files than may be open: for ThreadSanitizer, and for every byte.
#include <gtest/gtest.h>

#include <future>
#include <random>
#include <thread>
#include <vector>

#include "file_cache.hpp"
#include "storage_posix.hpp"
#include "tests/support/forwarding_storage.hpp"
#include "tests/support/temp_directory.hpp"

namespace lungo {
namespace {

TEST(FileCacheThreads, EveryThreadFindsItsFilesAsItLeftThem) {
  constexpr int kThreads = 6;
  constexpr int kCalls = 1'500;
  const test::TempDirectory directory;
  const auto storage = make_posix_storage();
  FileCache cache(*storage, 5);
  const auto shared = cache.open(directory / "shared", OpenMode::create).value();
  shared->write_at(0, as_bytes("shared")).value();

  const auto work = [&](int number) {
    std::mt19937 random(static_cast<unsigned>(number));
    std::vector<std::unique_ptr<File>> files(4);
    std::vector<int> last(files.size(), -1);
    const auto path = [&](std::size_t which) { return directory / (std::to_string(number) + "-" + std::to_string(which)); };
    for (int call = 0; call < kCalls; ++call) {
      const std::size_t which = random() % files.size();
      std::unique_ptr<File>& file = files[which];
      if (file == nullptr) file = cache.open(path(which), OpenMode::create).value();
      switch (random() % 8) {
        case 0:
          file->sync().value();
          break;
        case 1:
          file.reset();
          break;
        case 2:
          cache.remove(path(which)).value();
          file.reset();
          last[which] = -1;
          break;
        case 3:
          cache.rename(path(which), path(which) + "-new").value();
          cache.rename(path(which) + "-new", path(which)).value();
          break;
        case 4:
        case 5:
          last[which] = call;
          file->write_at(0, std::as_bytes(std::span{&call, 1})).value();
          break;
        default: {
          int found = -1;
          const std::size_t read = file->read_at(0, std::as_writable_bytes(std::span{&found, 1})).value();
          ASSERT_EQ(read, last[which] < 0 ? 0u : sizeof found);
          ASSERT_EQ(found, last[which]);
        }
      }
      ASSERT_EQ(shared->size().value(), 6u);
    }
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) threads.emplace_back(work, i);
  for (std::thread& thread : threads) thread.join();
  EXPECT_LE(cache.stats().open, 6u);
  EXPECT_GT(cache.stats().reopened, 0u);
}

/// Whose removals wait until they are told to go on.
class SlowRemovals : public test::ForwardingStorage {
 public:
  using ForwardingStorage::ForwardingStorage;
  Result<void> remove(const std::string& path) override {
    begun.set_value();
    go_on.get_future().wait();
    return ForwardingStorage::remove(path);
  }

  std::promise<void> begun;
  std::promise<void> go_on;
};

TEST(FileCacheThreads, TheRemovalOfOneFileHoldsUpOnlyItsName) {
  constexpr auto kPatience = std::chrono::seconds{20};
  const test::TempDirectory directory;
  const auto storage = make_posix_storage();
  SlowRemovals slow(*storage);
  FileCache cache(slow, 1);
  const auto large = cache.open(directory / "large", OpenMode::create).value();
  const auto other = cache.open(directory / "other", OpenMode::create).value();
  std::thread removal([&] { cache.remove(directory / "large").value(); });
  slow.begun.get_future().wait();
  std::future<void> beside = std::async(std::launch::async, [&] {
    cache.rename(directory / "other", directory / "renamed").value();
    const auto third = cache.open(directory / "third", OpenMode::create).value();
    EXPECT_EQ(other->size().value(), 0u);
    EXPECT_EQ(large->size().value(), 0u) << "it is open for good";
  });
  EXPECT_EQ(beside.wait_for(kPatience), std::future_status::ready);
  std::future<std::unique_ptr<File>> again =
      std::async(std::launch::async, [&] { return cache.open(directory / "large", OpenMode::create).value(); });
  slow.go_on.set_value();
  removal.join();
  const std::unique_ptr<File> another = again.get();
  another->write_at(0, as_bytes("new")).value();
  EXPECT_EQ(large->size().value(), 0u);
  EXPECT_EQ(storage->open(directory / "large", OpenMode::read).value()->size().value(), 3u) << "it came behind the removal";
}

}  // namespace
}  // namespace lungo
