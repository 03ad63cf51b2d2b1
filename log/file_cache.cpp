#include "file_cache.hpp"

#include <algorithm>
#include <string_view>
#include <utility>

#include "file_cache_files.hpp"

namespace lungo {
namespace {

constexpr int kSyncsForRoomMax = 8;     // then the bound gives way
constexpr std::size_t kMarginPart = 4;  // of the bound, that it gives way without a sync
constexpr std::string_view kManyBytes = ".log";
constexpr int kOpensMax = 3;

}  // namespace

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
    return use<Result<FileHandle>>([this](File& file) { return files_->handle(file); });
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
  std::unique_ptr<File> file;
  Lock lock(mutex);
  make_room_for_one(lock);
  const BusyNames busy_name(*this, lock, {path});
  Result<std::unique_ptr<File>> opened = open_beneath(lock, path, mode);
  if (!opened) return opened.error();
  file = std::move(*opened);
  const Result<std::uint64_t> identity = file->identity();
  if (!identity) return identity.error();
  const auto entry = std::make_shared<Entry>(path, mode, *identity);
  cached = std::make_unique<CachedFile>(shared_from_this(), entry);  // forgets what is noted from here on
  by_path.emplace(path, entry);
  entry->has_name = true;
  keep_open(entry, std::move(file));
  return cached;
}

// The process may have too many files open: then one of ours makes room.
Result<std::unique_ptr<File>> FileCache::OpenFiles::open_beneath(Lock& lock, const std::string& path, OpenMode mode) {
  lock.unlock();
  Result<std::unique_ptr<File>> file = beneath.open(path, mode);
  lock.lock();
  for (int tries = 0; tries < kOpensMax && !file && file.error() == Errc::io && give_up_one(lock); ++tries) {
    lock.unlock();
    file = beneath.open(path, mode);
    lock.lock();
  }
  return file;
}

// As the process can't open another one, a sync has to be waited for where nothing else will do.
bool FileCache::OpenFiles::give_up_one(Lock& lock) {
  for (int syncs = 0; !close_one(lock); ++syncs) {
    if (syncs == kSyncsForRoomMax || !sync_one(lock)) return false;
  }
  return true;
}

Result<FileHandle> FileCache::OpenFiles::handle(File& file) {
  Result<FileHandle> made = file.handle();
  for (int tries = 0; tries < kOpensMax && !made && made.error() == Errc::io; ++tries) {
    Lock lock(mutex);
    if (!give_up_one(lock)) break;
    lock.unlock();
    made = file.handle();
  }
  return made;
}

void FileCache::OpenFiles::keep_open(const std::shared_ptr<Entry>& entry, std::unique_ptr<File> file) {
  entry->at_open = open_list.insert(hand, entry);
  entry->owned = std::move(file);
  entry->file.store(entry->owned.get());
}

Result<File*> FileCache::OpenFiles::opened(const std::shared_ptr<Entry>& entry) {
  Lock lock(mutex);
  if (entry->owned == nullptr) make_room_for_one(lock);
  while (entry->owned == nullptr) {
    const std::string path = entry->path;
    const BusyNames busy_name(*this, lock, {path});
    if (entry->owned != nullptr) break;
    if (entry->has_name && entry->path != path) continue;  // it has moved while this waited
    if (Result<void> again = open_again(lock, entry); !again) return again.error();
  }
  return entry->owned.get();
}

/// With its name busy.
Result<void> FileCache::OpenFiles::open_again(Lock& lock, const std::shared_ptr<Entry>& entry) {
  if (!entry->has_name) return Error{Errc::not_found, entry->path + " is removed"};
  Result<std::unique_ptr<File>> file = open_beneath(lock, entry->path, entry->mode);
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
  lose_name(entry);
  if (entry.owned == nullptr) return;
  if (hand == entry.at_open) ++hand;
  open_list.erase(entry.at_open);
}

// An append is not to wait for the sync of another file: for that there are make_room() and a margin.
void FileCache::OpenFiles::make_room_for_one(Lock& lock) {
  for (int syncs = 0; open_list.size() >= files_max;) {
    if (close_one(lock)) continue;
    if (open_list.size() < files_max + files_max / kMarginPart) return;
    if (syncs++ == kSyncsForRoomMax || !sync_one(lock)) return;
  }
}

bool FileCache::OpenFiles::make_room() {
  Lock lock(mutex);
  for (int syncs = 0; open_list.size() >= files_max;) {
    if (close_one(lock)) continue;
    if (syncs++ == kSyncsForRoomMax) return true;
    if (!sync_one(lock)) return false;
  }
  return false;
}

// Without the mutex. Of an index or a mark fewer bytes are to be written than of a log. False: there is none to be synced.
bool FileCache::OpenFiles::sync_one(Lock& lock) {
  std::shared_ptr<Entry> chosen;
  for (const std::shared_ptr<Entry>& entry : open_list) {
    if (!entry->has_name || entry->users.load() > 0 || !entry->unsynced.load() || entry->gave_up) continue;
    const bool is_small = !entry->path.ends_with(kManyBytes);
    if (!chosen || is_small) chosen = entry;
    if (is_small) break;
  }
  if (!chosen) return false;
  chosen->users.fetch_add(1);  // nobody closes it meanwhile
  lock.unlock();
  const Result<void> synced = chosen->sync(false);
  lock.lock();
  chosen->users.fetch_sub(1);
  chosen->gave_up = !synced;
  return true;
}

// The hand goes round twice at most: the first time it may only find that all were used.
bool FileCache::OpenFiles::close_one(Lock& lock) {
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
    std::unique_ptr<File> closed = std::move(entry.owned);
    hand = open_list.erase(hand);
    lock.unlock();
    closed.reset();
    lock.lock();
    return true;
  }
  return false;
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
bool FileCache::make_room() { return files_->make_room(); }

}  // namespace lungo
