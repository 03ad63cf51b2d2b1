#include "storage_posix.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "tests/support/temp_directory.hpp"

namespace lungo {
namespace {

using test::TempDirectory;

class PosixStorageTest : public testing::Test {
 protected:
  TempDirectory directory;
  std::unique_ptr<Storage> storage = make_posix_storage();
};

mode_t mode_of(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 ? (status.st_mode & 0777) : 0;
}

TEST_F(PosixStorageTest, BytesWrittenAreReadBackAndEndAtTheFilesEnd) {
  const auto file = storage->open(directory / "f", OpenMode::create).value();
  file->write_at(3, as_bytes("text")).value();
  Bytes out(100);
  EXPECT_EQ(file->read_at(2, out).value(), 5u);
  EXPECT_EQ(as_text(BytesView(out).first(5)), std::string_view("\0text", 5));
  EXPECT_EQ(file->read_at(7, out).value(), 0u);
  file->truncate(4).value();
  EXPECT_EQ(file->size().value(), 4u);
  EXPECT_TRUE(file->sync().has_value());
}

TEST_F(PosixStorageTest, PreallocationKeepsTheSize) {
  const auto file = storage->open(directory / "f", OpenMode::create).value();
  const Result<void> reserved = file->preallocate(0, 1 << 20);
  EXPECT_TRUE(reserved.has_value() || reserved.error() == Errc::unsupported);
  EXPECT_EQ(file->size().value(), 0u);
}

TEST_F(PosixStorageTest, OpenModesSayWhatIsThere) {
  const std::string path = directory / "f";
  EXPECT_EQ(storage->open(path, OpenMode::read).error(), Errc::not_found);
  EXPECT_EQ(storage->open(path, OpenMode::read_write).error(), Errc::not_found);
  EXPECT_TRUE(storage->open(path, OpenMode::create_new).has_value());
  EXPECT_EQ(storage->open(path, OpenMode::create_new).error(), Errc::already_exists);
  EXPECT_TRUE(storage->open(path, OpenMode::create).has_value());
  EXPECT_EQ(storage->remove(directory / "g").error(), Errc::not_found);
  EXPECT_EQ(storage->list(directory / "g").error(), Errc::not_found);
}

TEST_F(PosixStorageTest, DirectoriesAndFilesAreTheOwnersOnly) {
  make_directories_durably(*storage, directory / "a/b").value();
  EXPECT_EQ(mode_of(directory / "a"), 0700u);
  EXPECT_EQ(mode_of(directory / "a/b"), 0700u);
  EXPECT_TRUE(storage->open(directory / "a/f", OpenMode::create).has_value());
  EXPECT_EQ(mode_of(directory / "a/f"), 0600u);
  const std::vector<DirEntry> entries = storage->list(directory / "a").value();
  ASSERT_EQ(entries.size(), 2u);
  EXPECT_EQ(entries[0].name, "b");
  EXPECT_TRUE(entries[0].is_directory);
  EXPECT_FALSE(entries[1].is_directory);
  EXPECT_EQ(storage->make_directories(directory / "a/f").error(), Errc::io) << "a file is in the way";
  storage->remove_all(directory / "a").value();
  EXPECT_FALSE(storage->exists(directory / "a").value());
}

TEST_F(PosixStorageTest, AtomicWriteReplacesTheWholeFileAndLeavesNothingBehind) {
  const std::string path = directory / "f";
  write_file_atomically(*storage, path, as_bytes("a long first text")).value();
  write_file_atomically(*storage, path, as_bytes("short")).value();
  EXPECT_EQ(as_text(read_file(*storage, path, 100).value()), "short");
  EXPECT_EQ(storage->list(directory.path()).value().size(), 1u);
  EXPECT_EQ(read_file(*storage, path, 4).error(), Errc::too_large);
}

TEST_F(PosixStorageTest, SecondLockIsRefusedAndNamesTheHolder) {
  auto lock = storage->lock(directory / ".lock", "pid 4711 of bank").value();
  const Error refused = storage->lock(directory / ".lock", "another").error();
  EXPECT_EQ(refused.code(), Errc::locked);
  EXPECT_NE(refused.text().find("pid 4711 of bank"), std::string_view::npos);
  lock.reset();
  EXPECT_TRUE(storage->lock(directory / ".lock", "another").has_value());
}

/// Runs `body` in a child process; true when it returned true.
template <class Body>
bool in_child(Body body) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(body() ? 0 : 1);
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

TEST_F(PosixStorageTest, WhoLooksWhetherALockIsHeldLeavesNoTrace) {
  EXPECT_FALSE(storage->is_locked(directory / "lock").value()) << "there is no such file";
  EXPECT_FALSE(storage->exists(directory / "lock").value());
  {
    const auto lock = storage->lock(directory / "lock", "me").value();
    EXPECT_TRUE(storage->is_locked(directory / "lock").value());
    EXPECT_EQ(as_text(read_file(*storage, directory / "lock", 100).value()), "me");
  }
  EXPECT_FALSE(storage->is_locked(directory / "lock").value());
}

TEST_F(PosixStorageTest, ACopyIsAFileOfItsOwnAndALinkIsNot) {
  write_file_atomically(*storage, directory / "f", as_bytes("0123456789")).value();
  storage->copy(directory / "f", directory / "part", 4).value();
  storage->copy(directory / "f", directory / "whole", 1'000).value();
  storage->link(directory / "f", directory / "link").value();
  storage->open(directory / "f", OpenMode::read_write).value()->write_at(0, as_bytes("ab")).value();
  EXPECT_EQ(as_text(read_file(*storage, directory / "part", 100).value()), "0123");
  EXPECT_EQ(as_text(read_file(*storage, directory / "whole", 100).value()), "0123456789");
  EXPECT_EQ(as_text(read_file(*storage, directory / "link", 100).value()), "ab23456789");
  EXPECT_EQ(mode_of(directory / "whole"), 0600u);
  EXPECT_EQ(storage->copy(directory / "f", directory / "part", 1).error(), Errc::already_exists);
  EXPECT_EQ(storage->link(directory / "f", directory / "part").error(), Errc::already_exists);
  EXPECT_EQ(storage->copy(directory / "none", directory / "new", 1).error(), Errc::not_found);
  EXPECT_FALSE(storage->exists(directory / "new").value());
}

TEST_F(PosixStorageTest, LockOfADeadProcessIsFree) {
  ASSERT_TRUE(in_child([&] {
    static std::unique_ptr<FileLock> never_released = storage->lock(directory / ".lock", "child").value();
    return true;
  }));
  EXPECT_TRUE(storage->lock(directory / ".lock", "parent").has_value());
}

// Java locks with fcntl, which flock does not see: a broker of Apache Kafka's holds its `.lock` so.
TEST_F(PosixStorageTest, ALockOfFcntlIsSeenBothWays) {
  const std::string path = directory / ".lock";
  const auto lock_as_java = [&] {
    const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    struct flock whole {};
    whole.l_type = F_WRLCK;
    whole.l_whence = SEEK_SET;
    return ::fcntl(file, F_SETLK, &whole) == 0;
  };
  EXPECT_TRUE(lock_as_java());
  EXPECT_TRUE(in_child([&] {
    const Result<std::unique_ptr<FileLock>> refused = make_posix_storage()->lock(path, "Lungo");
    return !refused && refused.error() == Errc::locked &&
           refused.error().text().find(std::to_string(::getppid())) != std::string_view::npos;
  }));
  const std::string other = directory / "other";
  const auto held = storage->lock(other, "Lungo").value();
  EXPECT_FALSE(in_child([&] {
    const int file = ::open(other.c_str(), O_RDWR | O_CLOEXEC);
    struct flock whole {};
    whole.l_type = F_WRLCK;
    whole.l_whence = SEEK_SET;
    return ::fcntl(file, F_SETLK, &whole) == 0;
  }));
}

TEST_F(PosixStorageTest, FileSizeLimitIsNoSpaceAndWhatFitsStays) {
  ASSERT_TRUE(in_child([&] {
    std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{1000, 1000};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    const auto file = storage->open(directory / "f", OpenMode::create).value();
    const Result<void> written = file->write_at(0, Bytes(1500));
    return !written && written.error() == Errc::no_space && file->size().value() == 1000;
  }));
}

}  // namespace
}  // namespace lungo
