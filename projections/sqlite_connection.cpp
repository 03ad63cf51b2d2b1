#include "sqlite_connection.hpp"

#include <cerrno>

namespace lungo {
namespace {

/// A full disk is SQLITE_FULL where SQLite writes the database, and an I/O error where it grows what lies beside it.
bool is_full_disk(int code, int system_error) {
  const bool from_system = (code & 0xff) == SQLITE_IOERR && (system_error == ENOSPC || system_error == EDQUOT);
  return from_system || code == SQLITE_IOERR_SHMSIZE;
}

Errc errc_of(int code, int system_error) {
  if (is_full_disk(code, system_error)) return Errc::no_space;
  switch (code & 0xff) {
    case SQLITE_FULL:
      return Errc::no_space;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return Errc::corrupt;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return Errc::locked;
    default:
      return Errc::io;
  }
}

void bind_cell(sqlite3_stmt* statement, int parameter, const Cell& cell) {
  if (const auto* integer = std::get_if<std::int64_t>(&cell)) {
    sqlite3_bind_int64(statement, parameter, *integer);
  } else if (const auto* real = std::get_if<double>(&cell)) {
    sqlite3_bind_double(statement, parameter, *real);
  } else if (const auto* text = std::get_if<std::string_view>(&cell)) {
    // A null pointer would bind NULL, also for an empty text.
    sqlite3_bind_text64(statement, parameter, text->data() == nullptr ? "" : text->data(), text->size(), SQLITE_STATIC,
                        SQLITE_UTF8);
  } else if (const auto* blob = std::get_if<BytesView>(&cell)) {
    if (blob->empty()) {
      sqlite3_bind_zeroblob(statement, parameter, 0);
    } else {
      sqlite3_bind_blob64(statement, parameter, blob->data(), blob->size(), SQLITE_STATIC);
    }
  } else {
    sqlite3_bind_null(statement, parameter);
  }
}

Cell read_cell(sqlite3_stmt* statement, int column) {
  switch (sqlite3_column_type(statement, column)) {
    case SQLITE_INTEGER:
      return sqlite3_column_int64(statement, column);
    case SQLITE_FLOAT:
      return sqlite3_column_double(statement, column);
    case SQLITE_TEXT: {
      const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement, column));
      return std::string_view{text, static_cast<std::size_t>(sqlite3_column_bytes(statement, column))};
    }
    case SQLITE_BLOB: {
      const auto* bytes = static_cast<const std::byte*>(sqlite3_column_blob(statement, column));
      return BytesView{bytes, static_cast<std::size_t>(sqlite3_column_bytes(statement, column))};
    }
    default:
      return Cell{};
  }
}

/// `path` as an SQLite URI that says that the file does not change.
std::string immutable_uri(std::string_view path) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string uri = path.starts_with('/') ? "file://" : "file:";
  for (const char c : path) {
    if (c != '%' && c != '?' && c != '#') {
      uri += c;
    } else {
      uri += '%';
      uri += kDigits[static_cast<unsigned char>(c) >> 4];
      uri += kDigits[static_cast<unsigned char>(c) & 15];
    }
  }
  return uri + "?immutable=1";
}

}  // namespace

std::string quoted(std::string_view name) {
  std::string out = "\"";
  for (const char c : name) out.append(c == '"' ? 2 : 1, c);
  return out + '"';
}

Result<std::unique_ptr<SqliteConnection>> SqliteConnection::open(const SqliteOpen& options) {
  int access = options.read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
  if (options.immutable) access |= SQLITE_OPEN_URI;
  const std::string name = options.immutable ? immutable_uri(options.path) : options.path;
  sqlite3* handle = nullptr;
  // The caller serialises each connection, so SQLite needs no mutex of its own in it.
  const int code =
      sqlite3_open_v2(name.c_str(), &handle, access | SQLITE_OPEN_NOMUTEX, options.vfs.empty() ? nullptr : options.vfs.c_str());
  std::unique_ptr<SqliteConnection> connection{new SqliteConnection{options.path, handle}};
  if (code == SQLITE_OK) return connection;
  return connection->error(code);
}

Error SqliteConnection::error(int code) const {
  if (handle_ == nullptr) return Error{errc_of(code, 0), "state store " + path_ + ": " + sqlite3_errstr(code)};
  const int extended = sqlite3_extended_errcode(handle_.get());
  const Errc errc = errc_of((extended & 0xff) == (code & 0xff) ? extended : code, sqlite3_system_errno(handle_.get()));
  return Error{errc, "state store " + path_ + ": " + sqlite3_errmsg(handle_.get())};
}

Result<void> SqliteConnection::execute(const std::string& sql) {
  const int code = sqlite3_exec(handle_.get(), sql.c_str(), nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return error(code);
  return {};
}

Result<SqliteStatement> SqliteConnection::prepare(const std::string& sql) {
  sqlite3_stmt* statement = nullptr;
  const int code = sqlite3_prepare_v3(handle_.get(), sql.data(), static_cast<int>(sql.size()), SQLITE_PREPARE_PERSISTENT,
                                      &statement, nullptr);
  if (code != SQLITE_OK) return error(code);
  return SqliteStatement{*this, statement};
}

Result<std::int64_t> SqliteConnection::integer(const std::string& sql) {
  Result<SqliteStatement> statement = prepare(sql);
  if (!statement) return statement.error();
  std::int64_t value = 0;
  Result<bool> ran = statement->run([&value](Cells row) {
    if (const auto* integer = std::get_if<std::int64_t>(&row[0])) value = *integer;
    return false;
  });
  if (!ran) return ran.error();
  return value;
}

void SqliteStatement::bind(int first, Cells cells) {
  for (const Cell& cell : cells) bind_cell(handle_.get(), first++, cell);
}

void SqliteStatement::read_row() {
  row_.clear();
  const int columns = sqlite3_column_count(handle_.get());
  for (int column = 0; column < columns; ++column) row_.push_back(read_cell(handle_.get(), column));
}

Result<bool> SqliteStatement::run(const RowVisitor& visit) {
  bool any = false;
  int code = sqlite3_step(handle_.get());
  for (; code == SQLITE_ROW; code = sqlite3_step(handle_.get())) {
    any = true;
    read_row();
    if (!visit(row_)) {
      code = SQLITE_DONE;
      break;
    }
  }
  std::optional<Error> failed;
  if (code != SQLITE_DONE) failed = connection_->error(code);
  sqlite3_reset(handle_.get());
  if (failed) return *failed;
  return any;
}

Result<void> SqliteStatement::run() {
  const int code = sqlite3_step(handle_.get());
  std::optional<Error> failed;
  if (code != SQLITE_DONE && code != SQLITE_ROW) failed = connection_->error(code);
  sqlite3_reset(handle_.get());
  if (failed) return *failed;
  return {};
}

}  // namespace lungo
