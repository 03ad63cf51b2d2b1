// The state store in an SQLite file: one WITHOUT ROWID table per projection, so a table is its key order.
//
// The file carries application_id "LNGO" and the format's version as user_version; the lock is FILE.lock, held by the one
// engine. The engine writes on one connection, whose page cache stays warm; each RowReader has its own, and WAL lets them run
// beside it. What is opened read-only in a directory that can't be written is in open_read_only(). Declared types: INTEGER,
// REAL, TEXT, BLOB, and "JSON TEXT" (not "JSON", whose affinity would turn "1" into 1).
#include <unistd.h>

#include <map>
#include <optional>
#include <utility>

#include <lungo/log/check.hpp>
#include <lungo/projections/state_store.hpp>

#include "sqlite_connection.hpp"
#include "unchanged_file.hpp"

namespace lungo {
namespace {

constexpr std::int64_t kApplicationId = 0x4c4e474f;  // "LNGO"
constexpr std::int64_t kFormatVersion = 1;
constexpr std::int64_t kPageBytes = 4096;

std::string_view declared(ColumnType type) {
  switch (type) {
    case ColumnType::integer:
      return "INTEGER";
    case ColumnType::real:
      return "REAL";
    case ColumnType::text:
      return "TEXT";
    case ColumnType::blob:
      return "BLOB";
    case ColumnType::json:
      return "JSON TEXT";
  }
  return "BLOB";
}

ColumnType type_of(std::string_view declaration) {
  for (const ColumnType type : {ColumnType::integer, ColumnType::real, ColumnType::text, ColumnType::json})
    if (declaration == declared(type)) return type;
  return ColumnType::blob;
}

std::string names_of(const std::vector<Column>& columns, std::size_t count) {
  std::string out;
  for (std::size_t index = 0; index < count; ++index) out += (index == 0 ? "" : ", ") + quoted(columns[index].name);
  return out;
}

std::string parameters(std::size_t first, std::size_t count) {
  std::string out;
  for (std::size_t index = 0; index < count; ++index) out += (index == 0 ? "?" : ", ?") + std::to_string(first + index);
  return out;
}

std::string create_sql(const TableSpec& spec) {
  std::string sql = "CREATE TABLE " + quoted(spec.name) + " (";
  for (const Column& column : spec.key) sql += quoted(column.name) + ' ' + std::string(declared(column.type)) + " NOT NULL, ";
  for (const Column& column : spec.values) sql += quoted(column.name) + ' ' + std::string(declared(column.type)) + ", ";
  return sql + "PRIMARY KEY (" + names_of(spec.key, spec.key.size()) + ")) WITHOUT ROWID";
}

std::string key_condition(const TableSpec& spec) {
  const std::size_t count = spec.key.size();
  return " WHERE (" + names_of(spec.key, count) + ") = (" + parameters(1, count) + ")";
}

std::string put_sql(const TableSpec& spec) {
  return "REPLACE INTO " + quoted(spec.name) + " VALUES (" + parameters(1, spec.key.size() + spec.values.size()) + ")";
}

std::string get_sql(const TableSpec& spec) { return "SELECT * FROM " + quoted(spec.name) + key_condition(spec); }

std::string erase_sql(const TableSpec& spec) { return "DELETE FROM " + quoted(spec.name) + key_condition(spec); }

std::string scan_sql(const TableSpec& spec, const KeyRange& range) {
  std::string sql = "SELECT * FROM " + quoted(spec.name);
  if (!range.from.empty())
    sql += " WHERE (" + names_of(spec.key, range.from.size()) + ") >= (" + parameters(1, range.from.size()) + ")";
  if (!range.to.empty()) {
    sql += range.from.empty() ? " WHERE (" : " AND (";
    sql += names_of(spec.key, range.to.size()) + ") < (" + parameters(range.from.size() + 1, range.to.size()) + ")";
  }
  sql += " ORDER BY ";
  for (std::size_t index = 0; index < spec.key.size(); ++index)
    sql += (index == 0 ? "" : ", ") + quoted(spec.key[index].name) + (range.descending ? " DESC" : "");
  return sql;
}

/// What the file says about one table; nothing when there is none. `spec.name` as given.
Result<std::optional<TableSpec>> read_spec(SqliteConnection& connection, std::string_view name) {
  Result<SqliteStatement> info = connection.prepare("SELECT name, type, pk FROM pragma_table_info(?1) ORDER BY cid");
  if (!info) return info.error();
  const Cell table{name};
  info->bind(1, Cells{&table, 1});
  TableSpec spec{std::string(name), {}, {}};
  Result<bool> any = info->run([&spec](Cells row) {
    Column column{std::string(std::get<std::string_view>(row[0])), type_of(std::get<std::string_view>(row[1]))};
    // Key columns come first in the table and in the order of the key: create_sql() writes them so.
    (std::get<std::int64_t>(row[2]) > 0 ? spec.key : spec.values).push_back(std::move(column));
    return true;
  });
  if (!any) return any.error();
  if (!*any) return std::optional<TableSpec>{};
  return std::optional<TableSpec>{std::move(spec)};
}

/// A connection for committed rows. Keeps one prepared look-up per table; scans are prepared as they come.
class SqliteReader final : public RowReader {
 public:
  SqliteReader(std::unique_ptr<SqliteConnection> connection, std::optional<UnchangedFile> unchanged)
      : connection_(std::move(connection)), unchanged_(std::move(unchanged)) {}

  Result<std::vector<TableSpec>> tables() override {
    Result<SqliteStatement> list = connection_->prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name");
    if (!list) return list.error();
    std::vector<std::string> names;
    Result<bool> ran = list->run([&names](Cells row) {
      names.emplace_back(std::get<std::string_view>(row[0]));
      return true;
    });
    if (!ran) return ran.error();
    if (Result<void> same = check_unchanged(); !same) return same.error();
    std::vector<TableSpec> specs;
    for (const std::string& name : names) {
      Result<std::optional<TableSpec>> spec = read_spec(*connection_, name);
      if (!spec) return spec.error();
      if (*spec) specs.push_back(std::move(**spec));
    }
    return specs;
  }

  Result<bool> get(std::string_view table, Cells key, const RowVisitor& visit) override {
    auto known = look_ups_.find(table);
    if (known == look_ups_.end()) {
      Result<TableSpec> spec = spec_of(table);
      if (!spec) return spec.error();
      Result<SqliteStatement> statement = connection_->prepare(get_sql(*spec));
      if (!statement) return statement.error();
      known = look_ups_.emplace(std::string(table), std::move(*statement)).first;
    }
    known->second.bind(1, key);
    Result<bool> found = known->second.run(visit);
    if (Result<void> same = check_unchanged(); !same) return same.error();
    return found;
  }

  Result<void> scan(std::string_view table, const KeyRange& range, const RowVisitor& visit) override {
    if (range.limit == 0) return {};
    Result<TableSpec> spec = spec_of(table);
    if (!spec) return spec.error();
    Result<SqliteStatement> statement = connection_->prepare(scan_sql(*spec, range));
    if (!statement) return statement.error();
    statement->bind(1, range.from);
    statement->bind(static_cast<int>(range.from.size()) + 1, range.to);
    std::uint64_t left = range.limit;
    Result<bool> ran = statement->run([&](Cells row) { return visit(row) && --left > 0; });
    if (Result<void> same = check_unchanged(); !same) return same;
    if (!ran) return ran.error();
    return {};
  }

 private:
  [[nodiscard]] Result<void> check_unchanged() const { return unchanged_ ? unchanged_->check() : Result<void>{}; }

  Result<TableSpec> spec_of(std::string_view table) {
    Result<std::optional<TableSpec>> spec = read_spec(*connection_, table);
    if (!spec) return spec.error();
    if (!*spec) return Error{Errc::not_found, "the state store has no table " + std::string(table)};
    return std::move(**spec);
  }

  std::unique_ptr<SqliteConnection> connection_;
  const std::optional<UnchangedFile> unchanged_;
  std::map<std::string, SqliteStatement, std::less<>> look_ups_;
};

class SqliteStore final : public StateStore {
 public:
  SqliteStore(std::string path, SqliteOptions options) : name_(std::move(path)), options_(std::move(options)) {}

  Result<void> open(const StoreSite& site) override;
  std::string describe() const override { return "sqlite " + name_; }
  Result<std::unique_ptr<RowReader>> reader() override;

  Result<void> begin() override;
  Result<void> commit() override;
  void rollback() override;

  Result<TableId> open_table(const TableSpec& spec) override;
  Result<void> drop_table(const std::string& name) override;
  Result<void> rename_table(const std::string& name, const std::string& new_name) override;

  Result<bool> get(TableId table, Cells key, const RowVisitor& visit) override;
  Result<void> put(TableId table, Cells row) override;
  Result<void> erase(TableId table, Cells key) override;

 private:
  struct Table {
    TableSpec spec;
    bool open = true;
    std::optional<SqliteStatement> get, put, erase;  // prepared at first use

    void forget_statements() {
      get.reset();
      put.reset();
      erase.reset();
    }
    void close() {
      forget_statements();
      open = false;
    }
  };

  Result<void> open_read_only(Storage& storage);
  Result<void> connect();
  Result<void> prepare_file();
  Result<void> check_format();
  Table& at(TableId id);
  Result<SqliteStatement*> statement(std::optional<SqliteStatement>& kept, const std::string& sql);
  Result<void> begin_reads();
  void end_reads();
  /// Remembers the tables as they are, for rollback().
  void before_change();

  std::string name_;
  SqliteOptions options_;
  std::string path_;
  bool read_only_ = false;
  bool immutable_ = false;
  std::unique_ptr<FileLock> lock_;
  std::unique_ptr<SqliteConnection> connection_;
  std::vector<Table> tables_;  // by TableId
  // A transaction that only reads is open. Alone, each look-up would take and leave its locks, a third of its cost. It holds no
  // commit back, since the one who commits is this store.
  bool reads_ = false;
  struct Before {
    std::string name;
    bool open = true;
  };
  std::optional<std::vector<Before>> before_;  // of the open transaction, once it changed a table
};

Result<void> SqliteStore::open(const StoreSite& site) {
  path_ = name_.starts_with('/') || site.directory.empty() ? name_ : site.directory + '/' + name_;
  read_only_ = site.read_only;
  if (read_only_) return open_read_only(site.ports.storage);
  if (const std::size_t slash = path_.rfind('/'); slash != std::string::npos && slash > 0) {
    Result<void> made = site.ports.storage.make_directories(path_.substr(0, slash));
    if (!made) return made.error();
  }
  Result<std::unique_ptr<FileLock>> lock =
      site.ports.storage.lock(path_ + ".lock", "projection engine, process " + std::to_string(::getpid()));
  if (!lock) return lock.error().with_context("state store " + path_);
  lock_ = std::move(*lock);
  // SQLite would make the file as the umask says, and rows may hold personal data. What it puts beside takes this file's
  // mode. Never opened when present: closing it would end the locks that SQLite holds on it elsewhere in this process.
  Result<std::unique_ptr<File>> made = site.ports.storage.open(path_, OpenMode::create_new);
  if (!made && made.error().code() != Errc::already_exists) return made.error().with_context("state store " + path_);
  Result<void> known = connect();
  return known ? prepare_file() : known;
}

/// Opens without writing. SQLite's WAL needs a shared index, NAME-shm, which it makes where it may write. Where it may not:
///   NAME-wal and NAME-shm are there   a living engine keeps them: SQLite reads its index. A killed one left them: SQLite makes
///                                     an index in memory. Both are SQLite's own work, since 3.22.
///   no NAME-wal, or an empty one      an engine has both files from its first to its last moment, so none runs, and a clean
///                                     stop has moved all commits into NAME: it is read as `immutable`, without any index. That
///                                     is right as long as no engine starts meanwhile, which each reading checks at its end.
///   NAME-wal alone                    its commits can't be read: refused, since NAME alone would show rows of the past.
Result<void> SqliteStore::open_read_only(Storage& storage) {
  Result<bool> there = storage.exists(path_);
  if (!there) return there.error();
  if (!*there) return Error{Errc::not_found, "no state store " + path_};
  Result<void> connected = connect();
  if (connected || connected.error() != Errc::io) return connected;
  if (wal_bytes_of(path_) > 0)
    return Error{Errc::io, std::string(connected.error().text()) + "; " + path_ +
                               "-wal holds commits that can't be read where nothing can be written: copy the directory to a "
                               "place where you may write, and look at the copy"};
  immutable_ = true;
  return connect();
}

Result<void> SqliteStore::connect() {
  connection_.reset();
  Result<std::unique_ptr<SqliteConnection>> connection = SqliteConnection::open({path_, options_.vfs, read_only_, immutable_});
  if (!connection) return connection.error();
  connection_ = std::move(*connection);
  return check_format();
}

Result<void> SqliteStore::check_format() {
  Result<std::int64_t> id = connection_->integer("PRAGMA application_id");
  if (!id) return id.error();
  Result<std::int64_t> version = connection_->integer("PRAGMA user_version");
  if (!version) return version.error();
  Result<std::int64_t> tables = connection_->integer("SELECT count(*) FROM sqlite_schema");
  if (!tables) return tables.error();
  const bool fresh = *id == 0 && *version == 0 && *tables == 0;
  if (*id != kApplicationId && !fresh)
    return Error{Errc::corrupt, path_ + " is an SQLite file, but not a state store of Lungo"};
  if (*version > kFormatVersion)
    return Error{Errc::newer_format, "state store " + path_ + " has format version " + std::to_string(*version) +
                                         "; this program knows up to " + std::to_string(kFormatVersion)};
  return {};
}

Result<void> SqliteStore::prepare_file() {
  // The page size counts only before the first page is written, the journal mode stays in the file. Debian's SQLite overwrites
  // what is deleted, which makes dropping the table that a rebuild replaces as dear as writing it; FAST does so where it costs
  // no writing.
  const std::string pragmas =
      "PRAGMA page_size = " + std::to_string(kPageBytes) +
      "; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA temp_store = MEMORY; PRAGMA secure_delete = FAST"
      "; PRAGMA cache_size = -" +
      std::to_string(options_.cache_bytes / 1024) +
      "; PRAGMA wal_autocheckpoint = " + std::to_string(options_.wal_bytes / kPageBytes) +
      "; PRAGMA journal_size_limit = " + std::to_string(options_.wal_bytes);
  Result<void> set = connection_->execute(pragmas);
  if (!set) return set.error();
  Result<std::int64_t> id = connection_->integer("PRAGMA application_id");
  if (!id) return id.error();
  if (*id == kApplicationId) return {};
  return connection_->execute("BEGIN IMMEDIATE; PRAGMA application_id = " + std::to_string(kApplicationId) +
                              "; PRAGMA user_version = " + std::to_string(kFormatVersion) + "; COMMIT");
}

Result<std::unique_ptr<RowReader>> SqliteStore::reader() {
  // A reader of a live store is opened for writing, as WAL's shared index may have to be made, but refuses to write.
  Result<std::unique_ptr<SqliteConnection>> connection = SqliteConnection::open({path_, options_.vfs, read_only_, immutable_});
  if (!connection) return connection.error();
  std::optional<UnchangedFile> unchanged;
  if (immutable_) unchanged.emplace(path_);
  Result<void> set = (*connection)->execute("PRAGMA query_only = ON; PRAGMA temp_store = MEMORY");
  if (!set) return set.error();
  return std::unique_ptr<RowReader>{new SqliteReader{std::move(*connection), std::move(unchanged)}};
}

Result<void> SqliteStore::begin() {
  end_reads();
  return connection_->execute("BEGIN IMMEDIATE");
}

Result<void> SqliteStore::begin_reads() {
  if (connection_->in_transaction()) return {};
  Result<void> begun = connection_->execute("BEGIN");
  reads_ = begun.has_value();
  return begun;
}

void SqliteStore::end_reads() {
  // It fails only where SQLite has ended the transaction by itself, after an error that the look-up has told.
  if (std::exchange(reads_, false) && connection_->in_transaction())
    static_cast<void>(connection_->execute("COMMIT").has_value());
}

Result<void> SqliteStore::commit() {
  if (Result<void> done = connection_->execute("COMMIT"); !done) return done;
  before_.reset();
  return {};
}

void SqliteStore::rollback() {
  if (!connection_) return;
  reads_ = false;
  // SQLite has rolled back by itself after some errors, a full disk among them.
  if (connection_->in_transaction()) static_cast<void>(connection_->execute("ROLLBACK").has_value());
  if (!before_) return;
  for (std::size_t index = 0; index < tables_.size(); ++index) {
    Table& table = tables_[index];
    table.forget_statements();
    table.open = index < before_->size() && (*before_)[index].open;
    if (index < before_->size()) table.spec.name = (*before_)[index].name;
  }
  before_.reset();
}

void SqliteStore::before_change() {
  if (before_ || !connection_->in_transaction()) return;
  before_.emplace();
  for (const Table& table : tables_) before_->push_back({table.spec.name, table.open});
}

Result<TableId> SqliteStore::open_table(const TableSpec& spec) {
  check(!spec.key.empty(), "a table has a key");
  end_reads();
  Result<std::optional<TableSpec>> found = read_spec(*connection_, spec.name);
  if (!found) return found.error();
  if (*found && **found != spec) return Error{Errc::already_exists, "table " + spec.name + " has other columns in " + path_};
  before_change();
  if (!*found) {
    Result<void> made = connection_->execute(create_sql(spec));
    if (!made) return made.error();
  }
  tables_.emplace_back().spec = spec;
  return TableId{static_cast<std::int32_t>(tables_.size() - 1)};
}

Result<void> SqliteStore::drop_table(const std::string& name) {
  end_reads();
  before_change();
  for (Table& table : tables_)
    if (table.spec.name == name) table.close();
  return connection_->execute("DROP TABLE IF EXISTS " + quoted(name));
}

Result<void> SqliteStore::rename_table(const std::string& name, const std::string& new_name) {
  end_reads();
  Result<std::optional<TableSpec>> from = read_spec(*connection_, name);
  if (!from) return from.error();
  if (!*from) return Error{Errc::not_found, "no table " + name + " in " + path_};
  Result<std::optional<TableSpec>> to = read_spec(*connection_, new_name);
  if (!to) return to.error();
  if (*to) return Error{Errc::already_exists, "there is a table " + new_name + " in " + path_ + " already"};
  before_change();
  Result<void> renamed = connection_->execute("ALTER TABLE " + quoted(name) + " RENAME TO " + quoted(new_name));
  if (!renamed) return renamed.error();
  for (Table& table : tables_) {
    if (!table.open || table.spec.name != name) continue;
    table.forget_statements();
    table.spec.name = new_name;
  }
  return {};
}

Result<bool> SqliteStore::get(TableId id, Cells key, const RowVisitor& visit) {
  Table& table = at(id);
  if (Result<void> begun = begin_reads(); !begun) return begun.error();
  Result<SqliteStatement*> prepared = statement(table.get, table.get ? std::string{} : get_sql(table.spec));
  if (!prepared) return prepared.error();
  (*prepared)->bind(1, key);
  return (*prepared)->run(visit);
}

Result<void> SqliteStore::put(TableId id, Cells row) {
  end_reads();
  Table& table = at(id);
  Result<SqliteStatement*> prepared = statement(table.put, table.put ? std::string{} : put_sql(table.spec));
  if (!prepared) return prepared.error();
  (*prepared)->bind(1, row);
  return (*prepared)->run();
}

Result<void> SqliteStore::erase(TableId id, Cells key) {
  end_reads();
  Table& table = at(id);
  Result<SqliteStatement*> prepared = statement(table.erase, table.erase ? std::string{} : erase_sql(table.spec));
  if (!prepared) return prepared.error();
  (*prepared)->bind(1, key);
  return (*prepared)->run();
}

SqliteStore::Table& SqliteStore::at(TableId id) {
  const auto index = static_cast<std::size_t>(id.value());
  check(index < tables_.size() && tables_[index].open, "the table is open");
  return tables_[index];
}

Result<SqliteStatement*> SqliteStore::statement(std::optional<SqliteStatement>& kept, const std::string& sql) {
  if (!kept) {
    Result<SqliteStatement> prepared = connection_->prepare(sql);
    if (!prepared) return prepared.error();
    kept.emplace(std::move(*prepared));
  }
  return &*kept;
}

}  // namespace

std::unique_ptr<StateStore> sqlite(std::string path, SqliteOptions options) {
  return std::make_unique<SqliteStore>(std::move(path), std::move(options));
}

}  // namespace lungo
