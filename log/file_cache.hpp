// A Storage that keeps a bounded number of files open, however many its users hold.
//
// Every file that is opened through it goes on working as if it had a descriptor of its own: one that was closed meanwhile is
// opened again by the next call. Files are closed by the clock rule (those that were not used since the hand came by last).
// Promises:
// - A file with unsynced bytes is synced before it is closed, since the kernel tells of a failed write-back only those who had
//   the file open; if that sync fails, the file stays open and its owner's next sync() answers the error.
// - Renames are followed. A file that is removed or replaced by name stays open from then on, as there is no name to open it
// by.
// - What another process puts in the place of a file that is closed here is not taken for it: `not_found`.
// - The bound is not kept where all files are in use at this moment, or have no name. Where none can be closed before it is
// synced it gives way by a quarter, so that who opens a file need not wait for others' syncs: make_room() does them.
// Threads: any. A call on an open file takes no lock; opening, closing, renames and removals take the cache's mutex, but not
// while the file system is at it: only those that are about the same names wait for each other.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include <lungo/log/storage.hpp>

namespace lungo {

class FileCache : public Storage {
 public:
  struct Stats {
    std::size_t open = 0;        // files that have a descriptor now
    std::uint64_t reopened = 0;  // calls so far that found their file closed
  };

  /// `beneath` outlives the cache. Files may outlive both, to be let go. At most `files_max` files are open, and at most half
  /// of those that the process may open; a quarter more between two calls of make_room().
  FileCache(Storage& beneath, std::size_t files_max);
  [[nodiscard]] Stats stats() const;

  Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override;
  Result<void> rename(const std::string& from, const std::string& to) override;
  Result<void> remove(const std::string& path) override;
  Result<void> remove_all(const std::string& path) override;
  Result<void> make_directories(const std::string& path) override { return beneath_.make_directories(path); }
  Result<std::vector<DirEntry>> list(const std::string& directory) override { return beneath_.list(directory); }
  Result<bool> exists(const std::string& path) override { return beneath_.exists(path); }
  Result<void> sync_directory(const std::string& directory) override { return beneath_.sync_directory(directory); }
  Result<std::unique_ptr<FileLock>> lock(const std::string& path, const std::string& holder) override {
    return beneath_.lock(path, holder);
  }
  Result<bool> is_locked(const std::string& path) override { return beneath_.is_locked(path); }
  Result<void> copy(const std::string& from, const std::string& to, std::uint64_t bytes) override {
    return beneath_.copy(from, to, bytes);
  }
  Result<void> link(const std::string& from, const std::string& to) override { return beneath_.link(from, to); }
  [[nodiscard]] std::size_t open_files_max() const override { return beneath_.open_files_max(); }
  /// For who has the time: syncs and closes some files, until there is room for one more below the bound. True: there is more
  /// to do.
  bool make_room();

 private:
  struct Entry;
  struct OpenFiles;
  class CachedFile;

  Storage& beneath_;
  const std::shared_ptr<OpenFiles> files_;
};

}  // namespace lungo
