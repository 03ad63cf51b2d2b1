#include <sqlite3.h>

#include <filesystem>
#include <mutex>
#include <stdexcept>

#include "store.hpp"

namespace lungo::bench {
namespace {

// WAL mode. synchronous=FULL syncs the WAL at each commit; NORMAL leaves it to the operating system until a checkpoint. Threads
// take turns at one connection: with one each they would poll for the lock that one writer holds.
class SqliteStore final : public Store {
 public:
  SqliteStore(const std::string& directory, Durability durability) {
    std::filesystem::create_directories(directory);
    must(sqlite3_open((directory + "/bench.db").c_str(), &db_));
    run("PRAGMA journal_mode=WAL");
    run(durability == Durability::synced ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL");
    run("CREATE TABLE IF NOT EXISTS records (number INTEGER PRIMARY KEY, value BLOB NOT NULL)");
    must(sqlite3_prepare_v2(db_, "INSERT INTO records (value) VALUES (?)", -1, &insert_, nullptr));
    must(sqlite3_prepare_v2(db_, "SELECT value FROM records ORDER BY number", -1, &select_, nullptr));
  }
  ~SqliteStore() override {
    sqlite3_finalize(insert_);
    sqlite3_finalize(select_);
    sqlite3_close(db_);
  }
  SqliteStore(const SqliteStore&) = delete;
  SqliteStore& operator=(const SqliteStore&) = delete;

  void append(std::string_view value, std::size_t count) override {
    const std::lock_guard lock(mutex_);
    run("BEGIN");
    for (std::size_t i = 0; i < count; ++i) {
      must(sqlite3_bind_blob(insert_, 1, value.data(), static_cast<int>(value.size()), SQLITE_STATIC));
      if (sqlite3_step(insert_) != SQLITE_DONE) must(sqlite3_errcode(db_));
      must(sqlite3_reset(insert_));
    }
    run("COMMIT");
  }

  std::uint64_t scan() override {
    std::uint64_t bytes = 0;
    while (sqlite3_step(select_) == SQLITE_ROW) bytes += static_cast<std::uint64_t>(sqlite3_column_bytes(select_, 0));
    must(sqlite3_reset(select_));
    return bytes;
  }

 private:
  void must(int code) {
    if (code != SQLITE_OK) throw std::runtime_error(db_ != nullptr ? sqlite3_errmsg(db_) : sqlite3_errstr(code));
  }
  void run(const char* sql) { must(sqlite3_exec(db_, sql, nullptr, nullptr, nullptr)); }

  std::mutex mutex_;
  sqlite3* db_ = nullptr;
  sqlite3_stmt* insert_ = nullptr;
  sqlite3_stmt* select_ = nullptr;
};

}  // namespace

std::unique_ptr<Store> sqlite_store(const std::string& directory, Durability durability) {
  return std::make_unique<SqliteStore>(directory, durability);
}

}  // namespace lungo::bench
