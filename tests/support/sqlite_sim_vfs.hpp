// SQLite on the Storage port: its files lie on a SimDisk, so a power cut hits SQLite's own writes too.
//
// The name is SQLite's for "file system". Locks and WAL's shared index live in this object: one process, as in a test. A power
// cut ends them with the object; make another one for the disk that is found afterwards.
// Threads: one at a time.
#pragma once

#include <sqlite3.h>

#include <array>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <lungo/log/storage.hpp>

namespace lungo::test {

class SqliteSimVfs {
 public:
  /// Registers under a name of its own until it is destroyed; close all connections before.
  explicit SqliteSimVfs(Storage& storage);
  ~SqliteSimVfs();
  SqliteSimVfs(const SqliteSimVfs&) = delete;
  SqliteSimVfs& operator=(const SqliteSimVfs&) = delete;

  [[nodiscard]] const std::string& name() const { return name_; }

  /// What the connections to one file share.
  struct Shared {
    int readers = 0;  // with SHARED or more
    const void* reserved = nullptr;
    const void* pending = nullptr;
    const void* exclusive = nullptr;
    std::vector<std::unique_ptr<std::array<std::byte, 32768>>> index;  // WAL's shared memory
    std::array<int, SQLITE_SHM_NLOCK> index_readers{};
    std::array<const void*, SQLITE_SHM_NLOCK> index_writer{};
    int index_users = 0;
  };

  [[nodiscard]] Storage& storage() const { return storage_; }
  [[nodiscard]] std::shared_ptr<Shared> shared(const std::string& path);
  [[nodiscard]] std::uint64_t next_random() { return random_ = random_ * 6364136223846793005u + 1442695040888963407u; }

 private:
  Storage& storage_;
  std::string name_;
  sqlite3_vfs vfs_{};
  std::map<std::string, std::weak_ptr<Shared>> files_;
  std::uint64_t random_ = 1;
};

}  // namespace lungo::test
