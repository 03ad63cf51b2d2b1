// PORT: files and directories, as a log needs them.
//
// Real form: storage_posix.cpp, the only file that opens, writes and syncs. Simulated form: tests/support, which loses, tears
// and reorders what was not synced. Paths are absolute or relative to the process; '/' separates. Nothing is memory-mapped.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include <lungo/log/bytes.hpp>
#include <lungo/log/file_range.hpp>
#include <lungo/log/result.hpp>

namespace lungo {

/// An open file. Reads may run on any number of threads beside one writer.
class File {
 public:
  virtual ~File() = default;
  /// Reads up to `out.size()` bytes at `position`; fewer only at the end of the file. Errors: io.
  virtual Result<std::size_t> read_at(std::uint64_t position, std::span<std::byte> out) = 0;
  /// Writes all of `bytes` at `position`, growing the file as needed. After an error any part may have been written.
  /// Errors: no_space, io.
  virtual Result<void> write_at(std::uint64_t position, BytesView bytes) = 0;
  /// Makes the file's data and size durable (fdatasync). After an error nothing may be assumed about unsynced bytes.
  virtual Result<void> sync() = 0;
  virtual Result<void> truncate(std::uint64_t size) = 0;
  /// Reserves blocks for [position, position + length) without changing the size. Errors: no_space, io; `unsupported` where
  /// the file system can't, which callers may ignore.
  virtual Result<void> preallocate(std::uint64_t position, std::uint64_t length) = 0;
  virtual Result<std::uint64_t> size() = 0;
  /// Equal for two opens of one file, and different for two files, also where one took the other's name. 0: not known.
  virtual Result<std::uint64_t> identity() { return 0; }
  /// Another way to the file, for system calls. Errors: io; unsupported where there is no file system beneath.
  virtual Result<FileHandle> handle();
};

/// An exclusive lock that ends with the object or the process.
class FileLock {
 public:
  virtual ~FileLock() = default;
};

enum class OpenMode {
  read,        // not_found when absent
  read_write,  // not_found when absent
  create,      // opened for reading and writing, made when absent
  create_new,  // already_exists when present
};

struct DirEntry {
  std::string name;
  bool is_directory = false;
};

class Storage {
 public:
  virtual ~Storage() = default;
  virtual Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) = 0;
  /// Replaces `to` atomically. Durable only after sync_directory() of the parent.
  virtual Result<void> rename(const std::string& from, const std::string& to) = 0;
  /// Removes a file; not_found when absent. Durable only after sync_directory() of the parent.
  virtual Result<void> remove(const std::string& path) = 0;
  /// Removes a directory and all in it; nothing when absent. Durable only after sync_directory() of the parent.
  virtual Result<void> remove_all(const std::string& path) = 0;
  /// Makes the directory (mode 0700) and its missing parents; nothing when present. Durable only after sync_directory() of
  /// each parent; see make_directories_durably().
  virtual Result<void> make_directories(const std::string& path) = 0;
  /// Names in a directory, sorted; not_found when absent.
  virtual Result<std::vector<DirEntry>> list(const std::string& directory) = 0;
  virtual Result<bool> exists(const std::string& path) = 0;
  /// Makes creations, renames and removals in `directory` durable.
  virtual Result<void> sync_directory(const std::string& directory) = 0;
  /// Takes the lock file `path` (made when absent) and writes `holder` into it. Errors: locked, whose text has the holder's
  /// line; io.
  virtual Result<std::unique_ptr<FileLock>> lock(const std::string& path, const std::string& holder) = 0;
  /// How many files this process may have open at once, as far as it is known.
  [[nodiscard]] virtual std::size_t open_files_max() const { return std::numeric_limits<std::size_t>::max(); }
};

/// The directory that `path` lies in; "." for a bare name.
std::string parent_directory(const std::string& path);

/// Makes `path` and its missing parents, and syncs the directory that each new name lies in. Errors: no_space, io.
Result<void> make_directories_durably(Storage& storage, const std::string& path);

/// Replaces `path` by a file of `bytes`, atomically and durably: temporary file, sync, rename, sync of the directory.
Result<void> write_file_atomically(Storage& storage, const std::string& path, BytesView bytes);

/// The whole file. Errors: not_found; too_large above `limit` bytes; io.
Result<Bytes> read_file(Storage& storage, const std::string& path, std::uint64_t limit);

}  // namespace lungo
