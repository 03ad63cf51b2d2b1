#include "storage_posix.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>

namespace lungo {

FileHandle::~FileHandle() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

namespace {

constexpr mode_t kDirectoryMode = 0700;  // a log may hold personal data
constexpr mode_t kFileMode = 0600;
constexpr std::size_t kHolderBytesMax = 512;
constexpr std::size_t kCopiedBytesMax = 64u << 20;  // in one call

/// The system's refusal as an Error: what was tried, on which path, and the system's words.
Error os_error(int code, std::string_view action, const std::string& path) {
  const std::string text = std::string(action) + " " + path + ": " + std::generic_category().message(code);
  switch (code) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
      return Error{Errc::no_space, text};
    case ENOENT:
      return Error{Errc::not_found, text};
    case EEXIST:
      return Error{Errc::already_exists, text};
    case EOPNOTSUPP:
      return Error{Errc::unsupported, text};
    default:
      return Error{Errc::io, text};
  }
}

/// Calls `call` until a signal no longer interrupts it. On network file systems and in user space names are not out of reach of
/// signals either.
template <class Call>
auto retry_interrupted(Call call) {
  auto result = call();
  while (result == -1 && errno == EINTR) result = call();
  return result;
}

DIR* open_directory(const std::string& path) {
  DIR* stream = ::opendir(path.c_str());
  while (stream == nullptr && errno == EINTR) stream = ::opendir(path.c_str());
  return stream;
}

/// Null: with errno 0 there are no more.
const struct dirent* next_entry(DIR* stream) {
  const struct dirent* entry = nullptr;
  do {
    errno = 0;
    entry = ::readdir(stream);
  } while (entry == nullptr && errno == EINTR);
  return entry;
}

int make_directory(const std::string& path) {
  return retry_interrupted([&] { return ::mkdir(path.c_str(), kDirectoryMode); });
}

int look_at(const std::string& path, struct stat& status) {
  return retry_interrupted([&] { return ::stat(path.c_str(), &status); });
}

// Errors of close() carry no news: what must be durable was synced before.
Result<FileHandle> open_descriptor(const std::string& path, int flags) {
  const int fd = retry_interrupted([&] { return ::open(path.c_str(), flags | O_CLOEXEC, kFileMode); });
  if (fd < 0) return os_error(errno, "open", path);
  return FileHandle{fd};
}

int flags_of(OpenMode mode) {
  switch (mode) {
    case OpenMode::read:
      return O_RDONLY;
    case OpenMode::read_write:
      return O_RDWR;
    case OpenMode::create:
      return O_RDWR | O_CREAT;
    case OpenMode::create_new:
      return O_RDWR | O_CREAT | O_EXCL;
  }
  return O_RDONLY;
}

class PosixFile : public File {
 public:
  PosixFile(FileHandle fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}

  Result<std::size_t> read_at(std::uint64_t position, std::span<std::byte> out) override {
    std::size_t done = 0;
    while (done < out.size()) {
      const ssize_t n = retry_interrupted(
          [&] { return ::pread(fd_.descriptor(), out.data() + done, out.size() - done, static_cast<off_t>(position + done)); });
      if (n < 0) return os_error(errno, "read", path_);
      if (n == 0) break;  // end of the file
      done += static_cast<std::size_t>(n);
    }
    return done;
  }

  Result<void> write_at(std::uint64_t position, BytesView bytes) override {
    while (!bytes.empty()) {
      const ssize_t n = retry_interrupted(
          [&] { return ::pwrite(fd_.descriptor(), bytes.data(), bytes.size(), static_cast<off_t>(position)); });
      if (n < 0) return os_error(errno, "write", path_);
      if (n == 0) return Error{Errc::io, "write " + path_ + ": the system took no bytes"};
      bytes = bytes.subspan(static_cast<std::size_t>(n));
      position += static_cast<std::uint64_t>(n);
    }
    return {};
  }

  Result<void> sync() override {
    if (retry_interrupted([&] { return ::fdatasync(fd_.descriptor()); }) < 0) return os_error(errno, "sync", path_);
    return {};
  }

  Result<void> truncate(std::uint64_t size) override {
    if (retry_interrupted([&] { return ::ftruncate(fd_.descriptor(), static_cast<off_t>(size)); }) < 0) {
      return os_error(errno, "truncate", path_);
    }
    return {};
  }

  Result<void> preallocate(std::uint64_t position, std::uint64_t length) override {
    // Keeps the size: Kafka's readers fail on a tail of zeros.
    const int done = retry_interrupted([&] {
      return ::fallocate(fd_.descriptor(), FALLOC_FL_KEEP_SIZE, static_cast<off_t>(position), static_cast<off_t>(length));
    });
    if (done < 0) return os_error(errno, "preallocate", path_);
    return {};
  }

  Result<std::uint64_t> size() override {
    struct stat status {};
    if (retry_interrupted([&] { return ::fstat(fd_.descriptor(), &status); }) < 0) return os_error(errno, "stat", path_);
    return static_cast<std::uint64_t>(status.st_size);
  }

  Result<std::uint64_t> identity() override {
    // An inode's number is used again by the next file, but not with the same generation, or at the same time of birth.
    struct statx status {};
    if (::statx(fd_.descriptor(), "", AT_EMPTY_PATH, STATX_INO | STATX_BTIME, &status) < 0)
      return 0;  // a sandbox that has none
    constexpr std::uint64_t kSpread = 0x9e3779b97f4a7c15;
    const auto born = static_cast<std::uint64_t>(status.stx_btime.tv_sec) * 1'000'000'000 + status.stx_btime.tv_nsec;
    long generation = 0;
    if (::ioctl(fd_.descriptor(), FS_IOC_GETVERSION, &generation) < 0) generation = 0;  // a file system that counts none
    return ((status.stx_ino * kSpread) ^ born) * kSpread + static_cast<std::uint32_t>(generation);
  }

  Result<FileHandle> handle() override {
    const int fd = ::fcntl(fd_.descriptor(), F_DUPFD_CLOEXEC, 0);
    if (fd < 0) return os_error(errno, "duplicate the descriptor of", path_);
    return FileHandle{fd};
  }

 private:
  const FileHandle fd_;
  const std::string path_;
};

/// The lock is flock's: it belongs to this open of the file, so a second open in the same process is refused too, and the
/// kernel releases it when the process dies.
class PosixLock : public FileLock {
 public:
  PosixLock(FileHandle fd) : fd_(std::move(fd)) {}
  ~PosixLock() override {
    // So that nobody reads the name of a holder that is gone. If it fails, the name is merely stale.
    if (::ftruncate(fd_.descriptor(), 0) < 0) return;
  }

 private:
  const FileHandle fd_;
};

Result<bool> is_directory(int parent, const struct dirent& entry, const std::string& directory) {
  if (entry.d_type != DT_UNKNOWN && entry.d_type != DT_LNK) return entry.d_type == DT_DIR;
  struct stat status {};
  if (retry_interrupted([&] { return ::fstatat(parent, entry.d_name, &status, 0); }) == 0) return S_ISDIR(status.st_mode);
  if (errno == ENOENT) return false;  // a dangling link, or removed meanwhile
  return os_error(errno, "stat", directory + "/" + entry.d_name);
}

class PosixStorage : public Storage {
 public:
  Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override {
    Result<FileHandle> fd = open_descriptor(path, flags_of(mode));
    if (!fd) return fd.error();
    return std::make_unique<PosixFile>(std::move(*fd), path);
  }

  Result<void> rename(const std::string& from, const std::string& to) override {
    if (retry_interrupted([&] { return ::rename(from.c_str(), to.c_str()); }) < 0) {
      return os_error(errno, "rename to " + to + " from", from);
    }
    return {};
  }

  Result<void> remove(const std::string& path) override {
    if (retry_interrupted([&] { return ::unlink(path.c_str()); }) < 0) return os_error(errno, "remove", path);
    return {};
  }

  Result<void> remove_all(const std::string& path) override {
    std::error_code failed;
    do {
      std::filesystem::remove_all(path, failed);
    } while (failed == std::errc::interrupted);
    if (failed) return os_error(failed.value(), "remove", path);
    return {};
  }

  Result<void> make_directories(const std::string& path) override {
    if (make_directory(path) == 0) return {};
    if (errno == ENOENT) {
      const std::string parent = parent_directory(path);
      if (parent == path) return os_error(ENOENT, "make directory", path);
      if (Result<void> made = make_directories(parent); !made) return made;
      if (make_directory(path) == 0) return {};
    }
    if (errno != EEXIST) return os_error(errno, "make directory", path);
    struct stat status {};
    if (look_at(path, status) < 0) return os_error(errno, "stat", path);
    if (!S_ISDIR(status.st_mode)) return Error{Errc::io, "make directory " + path + ": a file is in the way"};
    return {};
  }

  Result<std::vector<DirEntry>> list(const std::string& directory) override {
    const std::unique_ptr<DIR, int (*)(DIR*)> stream(open_directory(directory), &::closedir);
    if (!stream) return os_error(errno, "list", directory);
    std::vector<DirEntry> entries;
    while (const struct dirent* entry = next_entry(stream.get())) {
      const std::string name = entry->d_name;
      if (name == "." || name == "..") continue;
      const Result<bool> directory_there = is_directory(::dirfd(stream.get()), *entry, directory);
      if (!directory_there) return directory_there.error();
      entries.push_back({name, *directory_there});
    }
    if (errno != 0) return os_error(errno, "list", directory);
    std::ranges::sort(entries, {}, &DirEntry::name);
    return entries;
  }

  Result<bool> exists(const std::string& path) override {
    struct stat status {};
    if (look_at(path, status) == 0) return true;
    if (errno == ENOENT || errno == ENOTDIR) return false;
    return os_error(errno, "stat", path);
  }

  Result<void> sync_directory(const std::string& directory) override {
    const Result<FileHandle> fd = open_descriptor(directory, O_RDONLY | O_DIRECTORY);
    if (!fd) return fd.error();
    if (retry_interrupted([&] { return ::fsync(fd->descriptor()); }) == 0) return {};
    if (errno == EINVAL) return {};  // a file system that has nothing to sync here
    return os_error(errno, "sync directory", directory);
  }

  Result<std::unique_ptr<FileLock>> lock(const std::string& path, const std::string& holder) override {
    Result<FileHandle> fd = open_descriptor(path, O_RDWR | O_CREAT);
    if (!fd) return fd.error();
    const int fd_number = fd->descriptor();
    if (retry_interrupted([&] { return ::flock(fd_number, LOCK_EX | LOCK_NB); }) < 0) {
      if (errno != EWOULDBLOCK) return os_error(errno, "lock", path);
      return Error{Errc::locked, path + " is held by " + holder_of(path)};
    }
    // Apache Kafka takes the other kind of lock on a file of the same name: each has to see the other's.
    struct flock whole {};
    whole.l_type = F_WRLCK;
    whole.l_whence = SEEK_SET;
    if (retry_interrupted([&] { return ::fcntl(fd_number, F_OFD_SETLK, &whole); }) < 0) {
      if (errno != EAGAIN && errno != EACCES) return os_error(errno, "lock", path);
      static_cast<void>(::fcntl(fd_number, F_OFD_GETLK, &whole));
      return Error{Errc::locked, path + " is held by process " + std::to_string(whole.l_pid) + ", not one of Lungo's"};
    }
    PosixFile file(FileHandle{::fcntl(fd_number, F_DUPFD_CLOEXEC, 0)}, path);
    if (Result<void> emptied = file.truncate(0); !emptied) return emptied.error();
    if (Result<void> written = file.write_at(0, as_bytes(holder)); !written) return written.error();
    return std::make_unique<PosixLock>(std::move(*fd));
  }

  Result<bool> is_locked(const std::string& path) override {
    const Result<FileHandle> fd = open_descriptor(path, O_RDONLY);
    if (!fd) return fd.error() == Errc::not_found ? Result<bool>{false} : fd.error();
    struct flock whole {};
    whole.l_type = F_RDLCK;
    whole.l_whence = SEEK_SET;
    if (retry_interrupted([&] { return ::fcntl(fd->descriptor(), F_OFD_GETLK, &whole); }) < 0)
      return os_error(errno, "look at", path);
    return whole.l_type != F_UNLCK;
  }

  Result<void> copy(const std::string& from, const std::string& to, std::uint64_t bytes) override {
    {
      const Result<FileHandle> source = open_descriptor(from, O_RDONLY);
      if (!source) return source.error();
      const Result<FileHandle> target = open_descriptor(to, O_WRONLY | O_CREAT | O_EXCL);
      if (!target) return target.error();
      std::uint64_t done = 0;
      ssize_t n = 1;
      while (done < bytes && n > 0) {
        const std::size_t wanted = std::min<std::uint64_t>(bytes - done, kCopiedBytesMax);
        n = retry_interrupted(
            [&] { return ::copy_file_range(source->descriptor(), nullptr, target->descriptor(), nullptr, wanted, 0); });
        if (n > 0) done += static_cast<std::uint64_t>(n);
      }
      if (n >= 0) return {};
      const bool can_not = errno == EXDEV || errno == EOPNOTSUPP || errno == EINVAL || errno == ENOSYS;
      if (!can_not || done > 0) return os_error(errno, "copy to " + to + " from", from);
    }
    if (Result<void> removed = remove(to); !removed) return removed;
    return Storage::copy(from, to, bytes);
  }

  Result<void> link(const std::string& from, const std::string& to) override {
    if (retry_interrupted([&] { return ::link(from.c_str(), to.c_str()); }) == 0) return {};
    if (errno == EXDEV || errno == EPERM || errno == EMLINK) {
      return Error{Errc::unsupported, std::string(os_error(errno, "link " + to + " to", from).text()) +
                                          "; a hard link needs the same file system, a copy does not"};
    }
    return os_error(errno, "link " + to + " to", from);
  }

  [[nodiscard]] std::size_t open_files_max() const override {
    struct rlimit limit {};
    if (::getrlimit(RLIMIT_NOFILE, &limit) < 0) return Storage::open_files_max();
    return static_cast<std::size_t>(limit.rlim_cur);
  }

 private:
  std::string holder_of(const std::string& path) {
    const Result<Bytes> text = read_file(*this, path, kHolderBytesMax);
    if (!text || text->empty()) return "a process that did not say its name";
    return std::string(as_text(*text));
  }
};

}  // namespace

std::unique_ptr<Storage> make_posix_storage() { return std::make_unique<PosixStorage>(); }

}  // namespace lungo
