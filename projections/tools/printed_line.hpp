// What the replay tool prints: one row a line, as columns with tabs between them or as a JSON object.
//
// Promise: no byte of a log or a store reaches a terminal as a command, breaks a line or a column, or makes JSON invalid; see
// printable() and printable_json(). Threads: one.
#pragma once

#include <cstdio>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <lungo/projections/state_store.hpp>

namespace lungo {

/// `text` with everything a terminal might act on written out: \t, \n, \r and \\; \u009B for C1 controls and for marks that
/// turn the direction of writing or break lines; \x1B for other control characters and for bytes that are no UTF-8.
std::string printable(std::string_view text);

/// JSON `text` with DEL and what printable() writes as \u009B in that form: the same value. A byte that is no UTF-8, which only
/// a name of a field in a foreign shape can bring, becomes \uFFFD.
std::string printable_json(std::string_view text);

/// Standard output, until a write fails: a reader that is gone (`| head`), a full disk.
class Output {
 public:
  explicit Output(std::FILE* file) : file_(file) {}
  void line(std::string_view text);
  /// False when nothing more arrives; errno's value is in failure().
  [[nodiscard]] bool ok() const { return failure_ == 0; }
  [[nodiscard]] int failure() const { return failure_; }
  void flush();

 private:
  std::FILE* file_;
  int failure_ = 0;
};

/// A printed line: names and values.
class PrintedLine {
 public:
  void add(std::string_view name, std::string_view text);
  void add(std::string_view name, std::int64_t number);
  /// What a column of this type holds. Blobs are printed as hexadecimal digits.
  void add(std::string_view name, const Cell& cell, ColumnType type);
  /// A value that is JSON already, on one line.
  void add_json(std::string_view name, std::string_view json);

  void print(Output& out, bool as_json) const;
  void print_names(Output& out) const;

 private:
  struct Field {
    std::string name;
    std::string json;
    std::string plain;
  };
  std::vector<Field> fields_;
};

/// `text` as one line of valid JSON; nothing when it is none.
std::optional<std::string> as_json_line(std::string_view text);

/// {"$bytes": base64}: how JSON says bytes that nothing describes, as docs/reference/codec.md does.
std::string json_of_bytes(BytesView bytes);

/// The cell that `text` stands for in a key column; it may view into `text` or into `bytes`.
/// Errors: invalid_argument, naming the column and what it holds.
Result<Cell> key_cell(std::string_view text, const Column& column, std::string& bytes);

}  // namespace lungo
