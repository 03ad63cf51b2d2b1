// The little of SQLite's C interface that the store needs, with its errors as `Result`.
//
// Threads: a connection and its statements belong to one thread at a time.
#pragma once

#include <sqlite3.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <lungo/projections/state_store.hpp>

namespace lungo {

struct SqliteOpen {
  std::string path;
  std::string vfs;         // empty: the default one
  bool read_only = false;  // the file must exist and is not written
  bool immutable = false;  // read-only, and nobody writes it meanwhile: no lock, no look at what lies beside it
};

/// `"name"`, safe inside a statement.
std::string quoted(std::string_view name);

class SqliteStatement;

class SqliteConnection {
 public:
  /// Errors: corrupt, no_space, io (read-only and absent too).
  static Result<std::unique_ptr<SqliteConnection>> open(const SqliteOpen& options);

  /// Runs one or more statements that return nothing of interest. Errors: as error().
  Result<void> execute(const std::string& sql);
  Result<SqliteStatement> prepare(const std::string& sql);
  /// The first column of the first row, as an integer. Errors: as error().
  Result<std::int64_t> integer(const std::string& sql);
  [[nodiscard]] bool in_transaction() const { return sqlite3_get_autocommit(handle_.get()) == 0; }

  /// What the last call on this connection complained about: no_space, corrupt, locked (another process writes), io.
  [[nodiscard]] Error error(int code) const;

 private:
  struct Close {
    void operator()(sqlite3* handle) const { sqlite3_close_v2(handle); }
  };
  SqliteConnection(std::string path, sqlite3* handle) : path_(std::move(path)), handle_(handle) {}

  std::string path_;
  std::unique_ptr<sqlite3, Close> handle_;
};

/// A prepared statement; reset after each use. The connection must outlive it.
class SqliteStatement {
 public:
  SqliteStatement(SqliteConnection& connection, sqlite3_stmt* handle) : connection_(&connection), handle_(handle) {}

  /// Binds from parameter `first` (counted from 1). The cells' bytes must stay until run() returns.
  void bind(int first, Cells cells);
  void bind(int parameter, std::int64_t value) { sqlite3_bind_int64(handle_.get(), parameter, value); }

  /// Steps to the end, visiting each row, and resets; true when there was a row. Errors: as SqliteConnection::error().
  Result<bool> run(const RowVisitor& visit);
  Result<void> run();

 private:
  struct Finalize {
    void operator()(sqlite3_stmt* handle) const { sqlite3_finalize(handle); }
  };
  void read_row();

  SqliteConnection* connection_;
  std::unique_ptr<sqlite3_stmt, Finalize> handle_;
  std::vector<Cell> row_;
};

}  // namespace lungo
