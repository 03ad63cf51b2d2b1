#include "tests/support/sqlite_sim_vfs.hpp"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <utility>

namespace lungo::test {
namespace {

/// An open file of ours; SQLite allocates a sqlite3_file of szOsFile bytes and sees its first member only.
struct OpenFile {
  std::unique_ptr<File> file;
  Storage* storage = nullptr;
  std::string path;
  std::shared_ptr<SqliteSimVfs::Shared> shared;
  bool sync_directory = false;  // a new journal: its name is made durable with its first sync, as on Unix
  bool delete_on_close = false;
  bool maps_index = false;
  int lock = SQLITE_LOCK_NONE;
  std::array<bool, SQLITE_SHM_NLOCK> index_shared{};
};

struct SqliteFile {
  sqlite3_file base;
  OpenFile* open;
};

OpenFile& of(sqlite3_file* file) { return *reinterpret_cast<SqliteFile*>(file)->open; }

int code_of(const Error& error, int fallback) { return error == Errc::no_space ? SQLITE_FULL : fallback; }

std::string parent_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : path.substr(0, slash);
}

int do_close(sqlite3_file* file) {
  OpenFile& open = of(file);
  if (open.delete_on_close) static_cast<void>(open.storage->remove(open.path).has_value());
  delete reinterpret_cast<SqliteFile*>(file)->open;
  return SQLITE_OK;
}

int do_read(sqlite3_file* file, void* out, int size, sqlite3_int64 at) {
  const auto bytes = static_cast<std::size_t>(size);
  Result<std::size_t> read = of(file).file->read_at(static_cast<std::uint64_t>(at), {static_cast<std::byte*>(out), bytes});
  if (!read) return SQLITE_IOERR_READ;
  if (*read == bytes) return SQLITE_OK;
  std::memset(static_cast<std::byte*>(out) + *read, 0, bytes - *read);
  return SQLITE_IOERR_SHORT_READ;
}

int do_write(sqlite3_file* file, const void* bytes, int size, sqlite3_int64 at) {
  const BytesView view{static_cast<const std::byte*>(bytes), static_cast<std::size_t>(size)};
  Result<void> written = of(file).file->write_at(static_cast<std::uint64_t>(at), view);
  return written ? SQLITE_OK : code_of(written.error(), SQLITE_IOERR_WRITE);
}

int do_truncate(sqlite3_file* file, sqlite3_int64 size) {
  return of(file).file->truncate(static_cast<std::uint64_t>(size)) ? SQLITE_OK : SQLITE_IOERR_TRUNCATE;
}

int do_sync(sqlite3_file* file, int) {
  OpenFile& open = of(file);
  if (!open.file->sync()) return SQLITE_IOERR_FSYNC;
  if (std::exchange(open.sync_directory, false) && !open.storage->sync_directory(parent_of(open.path)))
    return SQLITE_IOERR_DIR_FSYNC;
  return SQLITE_OK;
}

int do_size(sqlite3_file* file, sqlite3_int64* size) {
  Result<std::uint64_t> found = of(file).file->size();
  if (!found) return SQLITE_IOERR_FSTAT;
  *size = static_cast<sqlite3_int64>(*found);
  return SQLITE_OK;
}

int do_lock(sqlite3_file* file, int level) {
  OpenFile& open = of(file);
  SqliteSimVfs::Shared& shared = *open.shared;
  if (level <= open.lock) return SQLITE_OK;
  if (level == SQLITE_LOCK_SHARED) {
    if (shared.pending != nullptr || shared.exclusive != nullptr) return SQLITE_BUSY;
    ++shared.readers;
  } else if (level == SQLITE_LOCK_RESERVED) {
    if (shared.reserved != nullptr) return SQLITE_BUSY;
    shared.reserved = &open;
  } else {
    if (shared.pending != nullptr && shared.pending != &open) return SQLITE_BUSY;
    shared.pending = &open;
    if (shared.readers > 1) {
      open.lock = SQLITE_LOCK_PENDING;
      return SQLITE_BUSY;
    }
    shared.exclusive = &open;
  }
  open.lock = level;
  return SQLITE_OK;
}

int do_unlock(sqlite3_file* file, int level) {
  OpenFile& open = of(file);
  SqliteSimVfs::Shared& shared = *open.shared;
  for (const void** owner : {&shared.reserved, &shared.pending, &shared.exclusive})
    if (*owner == &open) *owner = nullptr;
  if (open.lock >= SQLITE_LOCK_SHARED && level < SQLITE_LOCK_SHARED) --shared.readers;
  open.lock = std::min(open.lock, level);
  return SQLITE_OK;
}

int do_check_reserved(sqlite3_file* file, int* reserved) {
  *reserved = of(file).shared->reserved != nullptr;
  return SQLITE_OK;
}

int do_control(sqlite3_file*, int, void*) { return SQLITE_NOTFOUND; }
int do_sector_size(sqlite3_file*) { return 4096; }
int do_characteristics(sqlite3_file*) { return 0; }  // nothing is promised: a torn write may harm its neighbours' sectors

int do_map_index(sqlite3_file* file, int region, int size, int extend, void volatile** out) {
  OpenFile& open = of(file);
  SqliteSimVfs::Shared& shared = *open.shared;
  if (!std::exchange(open.maps_index, true)) ++shared.index_users;
  const auto wanted = static_cast<std::size_t>(region) + 1;
  *out = nullptr;
  if (shared.index.size() < wanted && extend == 0) return SQLITE_OK;
  while (shared.index.size() < wanted) shared.index.push_back(std::make_unique<std::array<std::byte, 32768>>());
  if (static_cast<std::size_t>(size) > shared.index[wanted - 1]->size()) return SQLITE_IOERR_SHMMAP;
  *out = shared.index[wanted - 1]->data();
  return SQLITE_OK;
}

int do_lock_index(sqlite3_file* file, int first, int count, int flags) {
  OpenFile& open = of(file);
  SqliteSimVfs::Shared& shared = *open.shared;
  const auto begin = static_cast<std::size_t>(first);
  const std::size_t end = begin + static_cast<std::size_t>(count);
  for (std::size_t slot = begin; slot < end; ++slot) {
    const bool others_read = shared.index_readers[slot] > (open.index_shared[slot] ? 1 : 0);
    const bool other_writes = shared.index_writer[slot] != nullptr && shared.index_writer[slot] != &open;
    if ((flags & SQLITE_SHM_LOCK) == 0) continue;
    if (other_writes || ((flags & SQLITE_SHM_EXCLUSIVE) != 0 && others_read)) return SQLITE_BUSY;
  }
  for (std::size_t slot = begin; slot < end; ++slot) {
    const bool is_lock = (flags & SQLITE_SHM_LOCK) != 0;
    if ((flags & SQLITE_SHM_EXCLUSIVE) != 0) {
      shared.index_writer[slot] = is_lock ? &open : nullptr;
    } else if (open.index_shared[slot] != is_lock) {
      open.index_shared[slot] = is_lock;
      shared.index_readers[slot] += is_lock ? 1 : -1;
    }
  }
  return SQLITE_OK;
}

void do_barrier(sqlite3_file*) {}

int do_unmap_index(sqlite3_file* file, int) {
  OpenFile& open = of(file);
  if (std::exchange(open.maps_index, false) && --open.shared->index_users == 0) open.shared->index.clear();
  return SQLITE_OK;
}

constexpr sqlite3_io_methods kMethods{2,
                                      do_close,
                                      do_read,
                                      do_write,
                                      do_truncate,
                                      do_sync,
                                      do_size,
                                      do_lock,
                                      do_unlock,
                                      do_check_reserved,
                                      do_control,
                                      do_sector_size,
                                      do_characteristics,
                                      do_map_index,
                                      do_lock_index,
                                      do_barrier,
                                      do_unmap_index,
                                      nullptr,
                                      nullptr};

SqliteSimVfs& vfs_of(sqlite3_vfs* vfs) { return *static_cast<SqliteSimVfs*>(vfs->pAppData); }

bool exists(SqliteSimVfs& vfs, const char* path) {
  const Result<bool> found = vfs.storage().exists(path);
  return found && *found;
}

int do_open(sqlite3_vfs* vfs, const char* path, sqlite3_file* file, int flags, int* flags_out) {
  file->pMethods = nullptr;
  if (path == nullptr) return SQLITE_CANTOPEN;  // a temporary file: the store keeps those in memory
  SqliteSimVfs& self = vfs_of(vfs);
  const bool existed = exists(self, path);
  const OpenMode mode = (flags & SQLITE_OPEN_CREATE) != 0      ? OpenMode::create
                        : (flags & SQLITE_OPEN_READWRITE) != 0 ? OpenMode::read_write
                                                               : OpenMode::read;
  Result<std::unique_ptr<File>> opened = self.storage().open(path, mode);
  if (!opened) return SQLITE_CANTOPEN;
  auto open = std::make_unique<OpenFile>();
  open->file = std::move(*opened);
  open->storage = &self.storage();
  open->path = path;
  open->shared = self.shared(path);
  open->sync_directory = !existed && (flags & (SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_SUPER_JOURNAL | SQLITE_OPEN_WAL)) != 0;
  open->delete_on_close = (flags & SQLITE_OPEN_DELETEONCLOSE) != 0;
  reinterpret_cast<SqliteFile*>(file)->open = open.release();
  file->pMethods = &kMethods;
  if (flags_out != nullptr) *flags_out = flags;
  return SQLITE_OK;
}

int do_delete(sqlite3_vfs* vfs, const char* path, int sync_directory) {
  Storage& storage = vfs_of(vfs).storage();
  Result<void> removed = storage.remove(path);
  if (!removed) return removed.error() == Errc::not_found ? SQLITE_IOERR_DELETE_NOENT : SQLITE_IOERR_DELETE;
  if (sync_directory != 0 && !storage.sync_directory(parent_of(path))) return SQLITE_IOERR_DIR_FSYNC;
  return SQLITE_OK;
}

int do_access(sqlite3_vfs* vfs, const char* path, int, int* found) {
  *found = exists(vfs_of(vfs), path);
  return SQLITE_OK;
}

int do_full_path(sqlite3_vfs*, const char* path, int size, char* out) {
  sqlite3_snprintf(size, out, "%s", path);
  return SQLITE_OK;
}

int do_randomness(sqlite3_vfs* vfs, int size, char* out) {
  for (int index = 0; index < size; ++index) out[index] = static_cast<char>(vfs_of(vfs).next_random() >> 56);
  return size;
}

int do_sleep(sqlite3_vfs*, int) { return 0; }

int do_time(sqlite3_vfs*, double* julian_day) {
  *julian_day = 2460000.5;
  return SQLITE_OK;
}

int do_last_error(sqlite3_vfs*, int, char*) { return 0; }

}  // namespace

SqliteSimVfs::SqliteSimVfs(Storage& storage) : storage_(storage) {
  static std::atomic<int> made{0};
  name_ = "lungo-sim-" + std::to_string(++made);
  vfs_.iVersion = 1;
  vfs_.szOsFile = sizeof(SqliteFile);
  vfs_.mxPathname = 512;
  vfs_.zName = name_.c_str();
  vfs_.pAppData = this;
  vfs_.xOpen = do_open;
  vfs_.xDelete = do_delete;
  vfs_.xAccess = do_access;
  vfs_.xFullPathname = do_full_path;
  vfs_.xRandomness = do_randomness;
  vfs_.xSleep = do_sleep;
  vfs_.xCurrentTime = do_time;
  vfs_.xGetLastError = do_last_error;
  sqlite3_vfs_register(&vfs_, 0);
}

SqliteSimVfs::~SqliteSimVfs() { sqlite3_vfs_unregister(&vfs_); }

std::shared_ptr<SqliteSimVfs::Shared> SqliteSimVfs::shared(const std::string& path) {
  std::shared_ptr<Shared> found = files_[path].lock();
  if (!found) files_[path] = found = std::make_shared<Shared>();
  return found;
}

}  // namespace lungo::test
