// What FileCache is made of: entries for the files that are held, the list of those that are open, and the names of all.
// file_cache.cpp opens and closes, file_cache_names.cpp renames and removes.
#pragma once

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <functional>
#include <list>
#include <map>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "file_cache.hpp"

namespace lungo {

// A file that somebody holds. `file` is read without the mutex by calls that have counted themselves in `users` before: who
// closes takes it away first and looks at `users` then, so that one of the two sees the other.
struct FileCache::Entry {
  Entry(std::string path_given, OpenMode mode_given, std::uint64_t identity_given)
      : mode(mode_given == OpenMode::read ? OpenMode::read : OpenMode::read_write),
        identity(identity_given),
        path(std::move(path_given)) {}

  const OpenMode mode;  // to open it again with
  const std::uint64_t identity;

  std::atomic<File*> file{nullptr};  // null: closed
  std::atomic<int> users{0};
  std::atomic<bool> used{true};  // since the hand came by
  std::atomic<bool> unsynced{false};

  // Under the mutex of the open files.
  std::string path;
  bool has_name = false;                                // and is found by it
  bool gave_up = false;                                 // a sync of it failed: it stays open
  std::unique_ptr<File> owned;                          // what `file` points at
  std::list<std::shared_ptr<Entry>>::iterator at_open;  // while there is one

  // The kernel tells of a failed write-back once: whoever hears of it notes it before another may sync.
  std::mutex sync_mutex;
  std::optional<Error> failure;  // of a sync that its owner does not know of; under sync_mutex

  Result<void> sync(bool by_owner) {
    const std::lock_guard lock(sync_mutex);
    if (failure) return *failure;
    File* const open = file.load();
    if (open == nullptr) return {};  // nothing is closed that is not synced
    unsynced.store(false);           // first: what is written meanwhile counts again
    Result<void> synced = open->sync();
    if (synced) return synced;
    unsynced.store(true);
    if (!by_owner) failure = synced.error();
    return synced;
  }
};

// What the files share with the cache, and may outlive it with: who still holds one when the log has gone only lets it go.
struct FileCache::OpenFiles : std::enable_shared_from_this<OpenFiles> {
  using Lock = std::unique_lock<std::mutex>;
  using Entries = std::multimap<std::string, std::shared_ptr<Entry>>;
  /// An entry and its path to come, once as a key: made before the rename, so that nothing behind that takes memory.
  struct Move {
    std::shared_ptr<Entry> entry;
    std::string key;
    std::string path;
    Entries::node_type node;
  };
  using Moves = std::vector<Move>;
  class BusyNames;
  class Pinned;

  OpenFiles(Storage& storage, std::size_t most) : beneath(storage), files_max(most) {}

  Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode);
  /// The file of an entry that is in use, opened again where it was closed. Errors: as open().
  Result<File*> opened(const std::shared_ptr<Entry>& entry);
  /// A descriptor more of a file that is in use. Errors: as File::handle().
  Result<FileHandle> handle(File& file);
  void forget(Entry& entry);
  Result<void> rename(const std::string& from, const std::string& to);
  Result<void> remove(const std::string& path);
  Result<void> remove_all(const std::string& path);
  bool make_room();

  // With the mutex held, but for calls beneath where they take the lock.
  Result<std::unique_ptr<File>> open_beneath(Lock& lock, const std::string& path, OpenMode mode);
  bool give_up_one(Lock& lock);
  void keep_open(const std::shared_ptr<Entry>& entry, std::unique_ptr<File> file);
  Result<void> open_again(Lock& lock, const std::shared_ptr<Entry>& entry);
  void make_room_for_one(Lock& lock);
  bool close_one(Lock& lock);
  bool sync_one(Lock& lock);
  Result<void> remove_names(Lock& lock, Entries::iterator begin, Entries::iterator end,
                            const std::function<Result<void>()>& remove_beneath);
  void open_for_good(Lock& lock, const Pinned& pinned);
  void lose_name(Entry& entry);
  Entries::iterator find(const Entry& entry);
  Moves moves_of(const std::string& from, const std::string& to);
  void move(Moves& moves);

  Storage& beneath;
  const std::size_t files_max;
  std::mutex mutex;
  std::condition_variable names_changed;
  std::vector<const BusyNames*> busy;           // calls beneath that are under way
  Entries by_path;                              // those that have a name
  std::list<std::shared_ptr<Entry>> open_list;  // those that have a descriptor
  std::list<std::shared_ptr<Entry>>::iterator hand = open_list.end();
  std::uint64_t reopened = 0;
};

/// What a call beneath is about, which is made without the mutex: another one that is about the same waits for its end. Begins
/// and ends with the mutex held.
class FileCache::OpenFiles::BusyNames {
 public:
  BusyNames(OpenFiles& files, Lock& lock, std::vector<std::string> names)
      : files_(files), lock_(lock), names_(std::move(names)) {
    files_.names_changed.wait(
        lock_, [this] { return std::ranges::none_of(files_.busy, [this](const BusyNames* other) { return meets(*other); }); });
    files_.busy.push_back(this);
  }
  ~BusyNames() {
    if (!lock_.owns_lock()) lock_.lock();
    std::erase(files_.busy, this);
    files_.names_changed.notify_all();
  }
  BusyNames(const BusyNames&) = delete;
  BusyNames& operator=(const BusyNames&) = delete;

 private:
  [[nodiscard]] bool meets(const BusyNames& other) const;

  OpenFiles& files_;
  Lock& lock_;
  const std::vector<std::string> names_;
};

/// Entries that nobody closes meanwhile. Begins with the mutex held.
class FileCache::OpenFiles::Pinned {
 public:
  Pinned(Entries::iterator begin, Entries::iterator end) {
    for (; begin != end; ++begin) entries_.push_back(begin->second);
    for (const std::shared_ptr<Entry>& entry : entries_) entry->users.fetch_add(1);
  }
  ~Pinned() {
    for (const std::shared_ptr<Entry>& entry : entries_) entry->users.fetch_sub(1);
  }
  Pinned(const Pinned&) = delete;
  Pinned& operator=(const Pinned&) = delete;
  [[nodiscard]] const std::vector<std::shared_ptr<Entry>>& entries() const { return entries_; }

 private:
  std::vector<std::shared_ptr<Entry>> entries_;
};

}  // namespace lungo
