#include "file_cache.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include <lungo/log/check.hpp>

namespace lungo {
namespace {

constexpr int kSyncsForRoomMax = 8;  // then the bound gives way

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
  std::atomic<bool> sync_failed{false};  // and `failure` says how

  // Under the cache's mutex.
  std::string path;
  bool has_name = true;
  std::unique_ptr<File> owned;                          // what `file` points at
  std::list<std::shared_ptr<Entry>>::iterator at_open;  // while there is one
  std::optional<Error> failure;                         // of a sync that its owner does not know of

  Result<void> sync(File& open) {
    unsynced.store(false);  // first: what is written meanwhile counts again
    Result<void> synced = open.sync();
    if (!synced) unsynced.store(true);
    return synced;
  }
};

class FileCache::CachedFile final : public File {
 public:
  CachedFile(FileCache& cache, std::shared_ptr<Entry> entry) : cache_(cache), entry_(std::move(entry)) {}
  ~CachedFile() override { cache_.forget(*entry_); }
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
  Result<void> sync() override {
    return use<Result<void>>([&](File& file) -> Result<void> {
      if (entry_->sync_failed.load()) {
        const std::lock_guard lock(cache_.mutex_);
        return *entry_->failure;
      }
      return entry_->sync(file);
    });
  }

 private:
  template <class Answer, class Call>
  Answer use(Call call) {
    struct Use {
      explicit Use(Entry& entry_used) : entry(entry_used) { entry.users.fetch_add(1); }
      ~Use() { entry.users.fetch_sub(1); }
      Entry& entry;
    };
    const Use in_use(*entry_);
    if (!entry_->used.load(std::memory_order_relaxed)) entry_->used.store(true, std::memory_order_relaxed);
    File* file = entry_->file.load();
    if (file == nullptr) {
      const Result<File*> opened = cache_.opened(entry_);
      if (!opened) return opened.error();
      file = *opened;
    }
    return call(*file);
  }

  template <class Call>
  Result<void> change(Call call) {
    return use<Result<void>>([&](File& file) {
      if (!entry_->unsynced.load()) entry_->unsynced.store(true);
      return call(file);
    });
  }

  FileCache& cache_;
  const std::shared_ptr<Entry> entry_;
};

FileCache::FileCache(Storage& beneath, std::size_t files_max)
    : beneath_(beneath), files_max_(std::max<std::size_t>(1, std::min(files_max, beneath.open_files_max() / 2))) {}

FileCache::Stats FileCache::stats() const {
  const std::lock_guard lock(mutex_);
  return {.open = open_.size(), .reopened = reopened_};
}

Result<std::unique_ptr<File>> FileCache::open(const std::string& path, OpenMode mode) {
  std::unique_lock lock(mutex_);
  make_room(lock);
  Result<std::unique_ptr<File>> file = beneath_.open(path, mode);
  if (!file) return file.error();
  const Result<std::uint64_t> identity = (*file)->identity();
  if (!identity) return identity.error();
  const auto entry = std::make_shared<Entry>(path, mode, *identity);
  by_path_.emplace(path, entry);
  keep_open(entry, std::move(*file));
  return std::make_unique<CachedFile>(*this, entry);
}

void FileCache::keep_open(const std::shared_ptr<Entry>& entry, std::unique_ptr<File> file) {
  entry->at_open = open_.insert(hand_, entry);
  entry->owned = std::move(file);
  entry->file.store(entry->owned.get());
}

Result<File*> FileCache::opened(const std::shared_ptr<Entry>& entry) {
  std::unique_lock lock(mutex_);
  if (entry->owned == nullptr) make_room(lock);
  if (entry->owned == nullptr) {
    if (Result<void> again = open_again(entry); !again) return again.error();
  }
  return entry->owned.get();
}

Result<void> FileCache::open_again(const std::shared_ptr<Entry>& entry) {
  if (!entry->has_name) return Error{Errc::not_found, entry->path + " is removed"};
  Result<std::unique_ptr<File>> file = beneath_.open(entry->path, entry->mode);
  if (!file) return file.error();
  const Result<std::uint64_t> identity = (*file)->identity();
  if (!identity) return identity.error();
  if (*identity != entry->identity) return Error{Errc::not_found, entry->path + " was replaced by another file"};
  keep_open(entry, std::move(*file));
  ++reopened_;
  return {};
}

void FileCache::forget(Entry& entry) {
  const std::lock_guard lock(mutex_);
  if (entry.has_name) {
    const auto [begin, end] = by_path_.equal_range(entry.path);
    by_path_.erase(std::find_if(begin, end, [&](const auto& named) { return named.second.get() == &entry; }));
  }
  if (entry.owned == nullptr) return;
  if (hand_ == entry.at_open) ++hand_;
  open_.erase(entry.at_open);
}

// Files that have to be synced first are so without the mutex.
void FileCache::make_room(std::unique_lock<std::mutex>& lock) {
  for (int syncs = 0; open_.size() >= files_max_;) {
    if (close_one()) continue;
    const auto unsynced = std::ranges::find_if(open_, [](const std::shared_ptr<Entry>& entry) {
      return entry->has_name && entry->users.load() == 0 && entry->unsynced.load() && !entry->sync_failed.load();
    });
    if (unsynced == open_.end() || syncs++ == kSyncsForRoomMax) return;
    const std::shared_ptr<Entry> entry = *unsynced;
    entry->users.fetch_add(1);  // nobody closes it meanwhile
    lock.unlock();
    const Result<void> synced = entry->sync(*entry->owned);
    lock.lock();
    entry->users.fetch_sub(1);
    if (!synced) {
      entry->failure = synced.error();
      entry->sync_failed.store(true);
    }
  }
}

// The hand goes round twice at most: the first time it may only find that all were used.
bool FileCache::close_one() {
  for (std::size_t left = 2 * open_.size(); left > 0; --left) {
    if (hand_ == open_.end()) hand_ = open_.begin();
    Entry& entry = **hand_;
    if (!entry.has_name || entry.used.exchange(false) || entry.unsynced.load() || entry.users.load() > 0) {
      ++hand_;
      continue;
    }
    entry.file.store(nullptr);
    if (entry.users.load() > 0 || entry.unsynced.load()) {  // somebody may have found it before
      entry.file.store(entry.owned.get());
      ++hand_;
      continue;
    }
    entry.owned.reset();
    hand_ = open_.erase(hand_);
    return true;
  }
  return false;
}

// ---- names ----

// Not being able to is no failure of the call that takes the name away: the next use of the file answers not_found.
void FileCache::open_for_good(Entries::iterator begin, Entries::iterator end) {
  for (auto named = begin; named != end; ++named) {
    if (named->second->owned == nullptr) static_cast<void>(open_again(named->second).has_value());
  }
}

void FileCache::lose_name(Entries::iterator begin, Entries::iterator end) {
  for (auto named = begin; named != end; ++named) named->second->has_name = false;
  by_path_.erase(begin, end);
}

void FileCache::move(const std::string& from, const std::string& to) {
  const auto move_range = [&](Entries::iterator begin, Entries::iterator end) {
    while (begin != end) {
      Entries::node_type node = by_path_.extract(begin++);
      node.key().replace(0, from.size(), to);
      node.mapped()->path = node.key();
      by_path_.insert(std::move(node));
    }
  };
  const auto [begin, end] = by_path_.equal_range(from);
  move_range(begin, end);
  move_range(by_path_.lower_bound(first_below(from)), by_path_.lower_bound(behind_all_below(from)));
}

Result<void> FileCache::rename(const std::string& from, const std::string& to) {
  const std::lock_guard lock(mutex_);
  if (from == to) return beneath_.rename(from, to);
  const auto [begin, end] = by_path_.equal_range(to);
  open_for_good(begin, end);
  if (Result<void> renamed = beneath_.rename(from, to); !renamed) return renamed;
  lose_name(begin, end);
  move(from, to);
  return {};
}

Result<void> FileCache::remove(const std::string& path) {
  const std::lock_guard lock(mutex_);
  const auto [begin, end] = by_path_.equal_range(path);
  open_for_good(begin, end);
  if (Result<void> removed = beneath_.remove(path); !removed) return removed;
  lose_name(begin, end);
  return {};
}

Result<void> FileCache::remove_all(const std::string& path) {
  const std::lock_guard lock(mutex_);
  const auto begin = by_path_.lower_bound(first_below(path));
  const auto end = by_path_.lower_bound(behind_all_below(path));
  open_for_good(begin, end);
  if (Result<void> removed = beneath_.remove_all(path); !removed) return removed;
  lose_name(begin, end);
  return {};
}

}  // namespace lungo
