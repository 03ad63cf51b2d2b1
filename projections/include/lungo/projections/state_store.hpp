// PORT: tables of rows in key order, as projections need them.
//
// The engine writes rows and reading positions in one transaction, so a store never holds a row whose event the position does
// not cover. Forms: memory() for tests and small views, sqlite() for a file that `sqlite3` opens; both below.
//
// Threads: the StateStore itself belongs to one thread at a time (the engine's). Each RowReader belongs to one thread at a
// time, runs beside the engine and sees committed rows only.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <lungo/log/bytes.hpp>
#include <lungo/log/ports.hpp>
#include <lungo/log/result.hpp>

namespace lungo {

/// What a column holds. The numbers are fixed.
enum class ColumnType : std::int32_t {
  integer = 1,
  real = 2,
  text = 3,
  blob = 4,
  json = 5,  // text that is a JSON value: nested fields
};

struct Column {
  std::string name;
  ColumnType type = ColumnType::integer;
  friend bool operator==(const Column&, const Column&) = default;
};

/// A table: rows are identified by their key columns and ordered by them, left to right.
struct TableSpec {
  std::string name;
  std::vector<Column> key;     // at least one, never null
  std::vector<Column> values;  // may be null
  friend bool operator==(const TableSpec&, const TableSpec&) = default;
};

/// One value of a row; monostate is null. Text and bytes are views: the callee copies what it keeps.
/// Order within a column: null, numbers, text by bytes, blobs by bytes; a shorter prefix comes first.
using Cell = std::variant<std::monostate, std::int64_t, double, std::string_view, BytesView>;
using Cells = std::span<const Cell>;

/// Gets a row's cells, key columns first; they are valid during the call. Returning false ends a scan.
using RowVisitor = std::function<bool(Cells row)>;

/// A half-open range of keys. An end that is empty is open; otherwise it names the first key columns, or all of them.
struct KeyRange {
  Cells from;
  Cells to;
  bool descending = false;
  std::uint64_t limit = UINT64_MAX;
};

/// Reads what was committed, at the time of the call.
class RowReader {
 public:
  virtual ~RowReader() = default;
  virtual Result<std::vector<TableSpec>> tables() = 0;
  /// Visits the row with this key, if there is one; tells whether there was. Errors: not_found (no such table), io, corrupt.
  virtual Result<bool> get(std::string_view table, Cells key, const RowVisitor& visit) = 0;
  /// Visits the rows of the range in key order, all as of one moment. Errors: as get().
  virtual Result<void> scan(std::string_view table, const KeyRange& range, const RowVisitor& visit) = 0;
};

/// Where a store finds its file, and how it is opened.
struct StoreSite {
  Ports ports;
  std::string directory;   // relative store paths lie here; empty: they are relative to the process
  bool read_only = false;  // beside another process's engine: takes no lock, writes nothing
};

/// Handle of a table; good until the table is dropped.
using TableId = Id<struct TableTag, std::int32_t>;

class StateStore {
 public:
  virtual ~StateStore() = default;

  /// Opens or makes the store and takes its lock. To be called once, before everything else.
  /// Errors: locked (names the holder); newer_format; corrupt; not_found (read-only, nothing there); no_space, io.
  virtual Result<void> open(const StoreSite& site) = 0;
  /// Kind and place, e.g. "sqlite views.db"; for messages and the directory's list of stores. Empty kind of place: not listed.
  [[nodiscard]] virtual std::string describe() const = 0;
  /// A further view of the committed rows, for another thread. The store must outlive it.
  virtual Result<std::unique_ptr<RowReader>> reader() = 0;

  /// Begins the one transaction; everything below until commit() belongs to it. Errors: no_space, io.
  virtual Result<void> begin() = 0;
  /// Makes all of it visible at once. After an error nothing of it is; rollback() ends it. Errors: no_space, locked, io.
  virtual Result<void> commit() = 0;
  /// Forgets the transaction, if one is open.
  virtual void rollback() = 0;

  /// Opens the table, made when absent. Inside or outside of a transaction. Errors: already_exists with other columns; io.
  virtual Result<TableId> open_table(const TableSpec& spec) = 0;
  /// Drops the table, if there is one; its handles are void. Errors: no_space, locked, io.
  virtual Result<void> drop_table(const std::string& name) = 0;
  /// Handles go on naming the same table. Errors: not_found, already_exists.
  virtual Result<void> rename_table(const std::string& name, const std::string& new_name) = 0;

  /// Visits the row with this key, if there is one; tells whether there was. Sees the open transaction. Errors: corrupt,
  /// locked, io.
  virtual Result<bool> get(TableId table, Cells key, const RowVisitor& visit) = 0;
  /// Inserts or replaces a row: key cells, then value cells. Ascending keys are the fast order. Errors: no_space, locked, io.
  virtual Result<void> put(TableId table, Cells row) = 0;
  /// Removes the row, if there is one. Errors: no_space, locked, io.
  virtual Result<void> erase(TableId table, Cells key) = 0;
};

/// Rows in this process's memory; nothing survives it.
std::unique_ptr<StateStore> memory();

struct SqliteOptions {
  std::string vfs;                        // name of a registered SQLite VFS; empty: the default one
  std::uint32_t cache_bytes = 16u << 20;  // SQLite's page cache of the writing connection
  std::uint32_t wal_bytes = 16u << 20;    // the write-ahead log is folded into the file when it has grown to about this
};

/// Rows in an SQLite file (WAL, synchronous=NORMAL: a power cut may lose the last commits, rows and positions together).
/// `path` is absolute or relative to the data directory. Every field is a column, so `sqlite3 FILE 'select * from TopPages'`
/// works.
std::unique_ptr<StateStore> sqlite(std::string path, SqliteOptions options = {});

}  // namespace lungo
