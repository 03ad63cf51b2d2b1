#include "file_cache.hpp"

#include <algorithm>
#include <atomic>
#include <list>
#include <map>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

namespace lungo {
namespace {

constexpr int kSyncsForRoomMax = 8;  // then the bound gives way
constexpr int kOpensMax = 3;

// What lies in a directory, between its name with '/' and with the character behind.
std::string first_below(const std::string& directory) { return directory + '/'; }
std::string behind_all_below(const std::string& directory) { return directory + static_cast<char>('/' + 1); }

}  // namespace

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
  using Entries = std::multimap<std::string, std::shared_ptr<Entry>>;
  /// An entry and its path to come, once as a key: made before the rename, so that nothing behind that takes memory.
  struct Move {
    Entries::iterator entry;
    Entries::node_type node;
    std::string key;
    std::string path;
  };
  using Moves = std::vector<Move>;

  OpenFiles(Storage& storage, std::size_t most) : beneath(storage), files_max(most) {}

  Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode);
  /// The file of an entry that is in use, opened again where it was closed. Errors: as open().
  Result<File*> opened(const std::shared_ptr<Entry>& entry);
  void forget(Entry& entry);
  Result<void> rename(const std::string& from, const std::string& to);
  Result<void> remove(const std::string& path);
  Result<void> remove_all(const std::string& path);

  // With the mutex held.
  Result<std::unique_ptr<File>> open_beneath(const std::string& path, OpenMode mode);
  void keep_open(const std::shared_ptr<Entry>& entry, std::unique_ptr<File> file);
  Result<void> open_again(const std::shared_ptr<Entry>& entry);
  void make_room(std::unique_lock<std::mutex>& lock);
  bool close_one();
  void open_for_good(Entries::iterator begin, Entries::iterator end);
  void lose_name(Entries::iterator begin, Entries::iterator end);
  Moves moves_of(const std::string& from, const std::string& to);
  void move(Moves& moves);

  Storage& beneath;
  const std::size_t files_max;
  std::mutex mutex;
  Entries by_path;                              // those that have a name
  std::list<std::shared_ptr<Entry>> open_list;  // those that have a descriptor
  std::list<std::shared_ptr<Entry>>::iterator hand = open_list.end();
  std::uint64_t reopened = 0;
};

class FileCache::CachedFile final : public File {
 public:
  CachedFile(std::shared_ptr<OpenFiles> files, std::shared_ptr<Entry> entry)
      : files_(std::move(files)), entry_(std::move(entry)) {}
  ~CachedFile() override { files_->forget(*entry_); }
  CachedFile(const CachedFile&) = delete;
  CachedFile& operator=(const CachedFile&) = delete;

  Result<std::size_t> read_at(std::uint64_t position, std::span<std::byte> out) override {
    return use<Result<std::size_t>>([&](File& file) { return file.read_at(position, out); });
  }
  Result<void> write_at(std::uint64_t position, BytesView bytes) override {
    return change([&](File& file) { return file.write_at(position, bytes); });
  }
  Result<void> truncate(std::uint64_t size) override {
    return change([&](File& file) { return file.truncate(size); });
  }
  Result<void> preallocate(std::uint64_t position, std::uint64_t length) override {
    return change([&](File& file) { return file.preallocate(position, length); });
  }
  Result<std::uint64_t> size() override {
    return use<Result<std::uint64_t>>([&](File& file) { return file.size(); });
  }
  Result<std::uint64_t> identity() override { return entry_->identity; }
  Result<FileHandle> handle() override {
    return use<Result<FileHandle>>([](File& file) { return file.handle(); });
  }
  Result<void> sync() override {
    const Use in_use(*entry_);
    return entry_->sync(true);
  }

 private:
  struct Use {
    explicit Use(Entry& entry_used) : entry(entry_used) { entry.users.fetch_add(1); }
    ~Use() { entry.users.fetch_sub(1); }
    Use(const Use&) = delete;
    Use& operator=(const Use&) = delete;
    Entry& entry;
  };

  template <class Answer, class Call>
  Answer use(Call call) {
    const Use in_use(*entry_);
    if (!entry_->used.load(std::memory_order_relaxed)) entry_->used.store(true, std::memory_order_relaxed);
    File* file = entry_->file.load();
    if (file == nullptr) {
      const Result<File*> opened = files_->opened(entry_);
      if (!opened) return opened.error();
      file = *opened;
    }
    return call(*file);
  }

  // Marked behind the call, while it is in use: a sync that began before may not have covered it.
  template <class Call>
  Result<void> change(Call call) {
    return use<Result<void>>([&](File& file) {
      Result<void> done = call(file);
      if (!entry_->unsynced.load()) entry_->unsynced.store(true);
      return done;
    });
  }

  const std::shared_ptr<OpenFiles> files_;
  const std::shared_ptr<Entry> entry_;
};

Result<std::unique_ptr<File>> FileCache::OpenFiles::open(const std::string& path, OpenMode mode) {
  std::unique_ptr<CachedFile> cached;  // gone behind the lock, which its end takes
  std::unique_lock lock(mutex);
  make_room(lock);
  Result<std::unique_ptr<File>> file = open_beneath(path, mode);
  if (!file) return file.error();
  const Result<std::uint64_t> identity = (*file)->identity();
  if (!identity) return identity.error();
  const auto entry = std::make_shared<Entry>(path, mode, *identity);
  cached = std::make_unique<CachedFile>(shared_from_this(), entry);  // forgets what is noted from here on
  by_path.emplace(path, entry);
  entry->has_name = true;
  keep_open(entry, std::move(*file));
  return cached;
}

// The process may have too many files open: then one of ours makes room.
Result<std::unique_ptr<File>> FileCache::OpenFiles::open_beneath(const std::string& path, OpenMode mode) {
  Result<std::unique_ptr<File>> file = beneath.open(path, mode);
  for (int tries = 0; tries < kOpensMax && !file && file.error() == Errc::io && close_one(); ++tries) {
    file = beneath.open(path, mode);
  }
  return file;
}

void FileCache::OpenFiles::keep_open(const std::shared_ptr<Entry>& entry, std::unique_ptr<File> file) {
  entry->at_open = open_list.insert(hand, entry);
  entry->owned = std::move(file);
  entry->file.store(entry->owned.get());
}

Result<File*> FileCache::OpenFiles::opened(const std::shared_ptr<Entry>& entry) {
  std::unique_lock lock(mutex);
  if (entry->owned == nullptr) make_room(lock);
  if (entry->owned == nullptr) {
    if (Result<void> again = open_again(entry); !again) return again.error();
  }
  return entry->owned.get();
}

Result<void> FileCache::OpenFiles::open_again(const std::shared_ptr<Entry>& entry) {
  if (!entry->has_name) return Error{Errc::not_found, entry->path + " is removed"};
  Result<std::unique_ptr<File>> file = open_beneath(entry->path, entry->mode);
  if (!file) return file.error();
  const Result<std::uint64_t> identity = (*file)->identity();
  if (!identity) return identity.error();
  if (*identity != entry->identity) return Error{Errc::not_found, entry->path + " was replaced by another file"};
  keep_open(entry, std::move(*file));
  ++reopened;
  return {};
}

void FileCache::OpenFiles::forget(Entry& entry) {
  const std::lock_guard lock(mutex);
  if (entry.has_name) {
    const auto [begin, end] = by_path.equal_range(entry.path);
    by_path.erase(std::find_if(begin, end, [&](const auto& named) { return named.second.get() == &entry; }));
  }
  if (entry.owned == nullptr) return;
  if (hand == entry.at_open) ++hand;
  open_list.erase(entry.at_open);
}

// Files that have to be synced first are so without the mutex.
void FileCache::OpenFiles::make_room(std::unique_lock<std::mutex>& lock) {
  for (int syncs = 0; open_list.size() >= files_max;) {
    if (close_one()) continue;
    const auto unsynced = std::ranges::find_if(open_list, [](const std::shared_ptr<Entry>& entry) {
      return entry->has_name && entry->users.load() == 0 && entry->unsynced.load() && !entry->gave_up;
    });
    if (unsynced == open_list.end() || syncs++ == kSyncsForRoomMax) return;
    const std::shared_ptr<Entry> entry = *unsynced;
    entry->users.fetch_add(1);  // nobody closes it meanwhile
    lock.unlock();
    const Result<void> synced = entry->sync(false);
    lock.lock();
    entry->users.fetch_sub(1);
    entry->gave_up = !synced;
  }
}

// The hand goes round twice at most: the first time it may only find that all were used.
bool FileCache::OpenFiles::close_one() {
  for (std::size_t left = 2 * open_list.size(); left > 0; --left) {
    if (hand == open_list.end()) hand = open_list.begin();
    Entry& entry = **hand;
    if (!entry.has_name || entry.used.exchange(false) || entry.unsynced.load() || entry.users.load() > 0) {
      ++hand;
      continue;
    }
    entry.file.store(nullptr);
    if (entry.users.load() > 0 || entry.unsynced.load()) {  // somebody may have found it before
      entry.file.store(entry.owned.get());
      ++hand;
      continue;
    }
    entry.owned.reset();
    hand = open_list.erase(hand);
    return true;
  }
  return false;
}

// ---- names ----

// Not being able to is no failure of the call that takes the name away: the next use of the file answers not_found.
void FileCache::OpenFiles::open_for_good(Entries::iterator begin, Entries::iterator end) {
  for (auto named = begin; named != end; ++named) {
    if (named->second->owned == nullptr) static_cast<void>(open_again(named->second).has_value());
  }
}

void FileCache::OpenFiles::lose_name(Entries::iterator begin, Entries::iterator end) {
  for (auto named = begin; named != end; ++named) named->second->has_name = false;
  by_path.erase(begin, end);
}

FileCache::OpenFiles::Moves FileCache::OpenFiles::moves_of(const std::string& from, const std::string& to) {
  Moves moves;
  const auto add = [&](Entries::iterator begin, Entries::iterator end) {
    for (; begin != end; ++begin) {
      const std::string path = to + begin->first.substr(from.size());
      moves.push_back({.entry = begin, .node = {}, .key = path, .path = path});
    }
  };
  const auto [begin, end] = by_path.equal_range(from);
  add(begin, end);
  add(by_path.lower_bound(first_below(from)), by_path.lower_bound(behind_all_below(from)));
  return moves;
}

void FileCache::OpenFiles::move(Moves& moves) {
  for (Move& move : moves) move.node = by_path.extract(move.entry);  // first all out: a new name may lie among the old ones
  for (Move& move : moves) {
    move.node.key().swap(move.key);
    move.node.mapped()->path.swap(move.path);
    by_path.insert(std::move(move.node));
  }
}

Result<void> FileCache::OpenFiles::rename(const std::string& from, const std::string& to) {
  const std::lock_guard lock(mutex);
  if (from == to) return beneath.rename(from, to);
  const auto [begin, end] = by_path.equal_range(to);
  open_for_good(begin, end);
  Moves moves = moves_of(from, to);
  if (Result<void> renamed = beneath.rename(from, to); !renamed) return renamed;
  lose_name(begin, end);
  move(moves);
  return {};
}

Result<void> FileCache::OpenFiles::remove(const std::string& path) {
  const std::lock_guard lock(mutex);
  const auto [begin, end] = by_path.equal_range(path);
  open_for_good(begin, end);
  if (Result<void> removed = beneath.remove(path); !removed) return removed;
  lose_name(begin, end);
  return {};
}

Result<void> FileCache::OpenFiles::remove_all(const std::string& path) {
  const std::lock_guard lock(mutex);
  const auto begin = by_path.lower_bound(first_below(path));
  const auto end = by_path.lower_bound(behind_all_below(path));
  open_for_good(begin, end);
  if (Result<void> removed = beneath.remove_all(path); !removed) return removed;
  lose_name(begin, end);
  return {};
}

// ---- the cache ----

FileCache::FileCache(Storage& beneath, std::size_t files_max)
    : beneath_(beneath),
      files_(
          std::make_shared<OpenFiles>(beneath, std::max<std::size_t>(1, std::min(files_max, beneath.open_files_max() / 2)))) {}

FileCache::Stats FileCache::stats() const {
  const std::lock_guard lock(files_->mutex);
  return {.open = files_->open_list.size(), .reopened = files_->reopened};
}

Result<std::unique_ptr<File>> FileCache::open(const std::string& path, OpenMode mode) { return files_->open(path, mode); }
Result<void> FileCache::rename(const std::string& from, const std::string& to) { return files_->rename(from, to); }
Result<void> FileCache::remove(const std::string& path) { return files_->remove(path); }
Result<void> FileCache::remove_all(const std::string& path) { return files_->remove_all(path); }

}  // namespace lungo
