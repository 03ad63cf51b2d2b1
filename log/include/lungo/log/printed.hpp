// What command-line tools of all folders print and take in: text that drives no terminal, JSON, times, lines.
//
// Promise: no byte of a log or a store reaches a terminal as a command, breaks a line or a column, or makes JSON invalid; see
// printable() and printable_json(). Threads: one for an Output; any for the rest.
#pragma once

#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <lungo/log/bytes.hpp>
#include <lungo/log/result.hpp>

namespace lungo {

/// The first character of a text that is not empty.
struct Utf8Char {
  bool is_valid = false;  // otherwise its first byte begins no UTF-8: no overlong form, surrogate or code above U+10FFFF
  std::uint32_t code = 0;
  std::size_t bytes = 1;
};
Utf8Char first_of_utf8(std::string_view text);
bool is_utf8_text(std::string_view text);

/// `text` with everything a terminal might act on written out: \t, \n, \r and \\; \u009B for C1 controls and for marks that
/// turn the direction of writing or break lines; \x1B for other control characters and for bytes that are no UTF-8.
std::string printable(std::string_view text);

/// JSON `text` with DEL and what printable() writes as \u009B in that form: the same value. A byte that is no UTF-8, which only
/// a name of a field in a foreign shape can bring, becomes \uFFFD.
std::string printable_json(std::string_view text);

/// Appends `text`, which is UTF-8, as a JSON string without anything that a terminal acts on.
void append_json_string(std::string_view text, std::string& out);

/// An error's text, its lines kept, without anything that a terminal would act on.
std::string printable(const Error& error);

/// "2024-05-01T12:00:00.000Z"
std::string time_text(Timestamp time);
/// "2024-05-01", "2024-05-01T12:00", "2024-05-01T12:00:00", "2024-05-01T12:00:00.5", each with or without "Z", always UTC; or
/// milliseconds since 1970. Nothing for other text.
std::optional<Timestamp> parse_time(const std::string& text);

/// The one of `known` that somebody who wrote `text` most likely meant; nothing when none is near.
std::optional<std::string> nearest(std::string_view text, const std::vector<std::string>& known);

/// Standard output, until a write fails: a reader that is gone (`| head`), a full disk.
class Output {
 public:
  explicit Output(std::FILE* file) : file_(file) {}
  void line(std::string_view text);
  /// False when nothing more arrives; errno's value is in failure().
  [[nodiscard]] bool ok() const { return failure_ == 0; }
  [[nodiscard]] int failure() const { return failure_; }
  void flush();
  /// For the end of a program: false when not all arrived, and says on standard error why. A reader that is gone has seen
  /// enough: then it is true.
  [[nodiscard]] bool close(std::string_view program);

 private:
  std::FILE* file_;
  int failure_ = 0;
};

/// A printed line: names and values, as columns with tabs between them or as a JSON object.
class PrintedLine {
 public:
  /// Text that is no UTF-8 is {"$bytes": base64} in JSON.
  void add(std::string_view name, std::string_view text);
  void add(std::string_view name, std::int64_t number);
  /// A value that is JSON already, on one line.
  void add_json(std::string_view name, std::string_view json);
  /// A value that is JSON already, and how it looks in a column.
  void add_json(std::string_view name, std::string_view json, std::string_view plain);

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

/// {"$bytes": base64}: how JSON says bytes that nothing describes, as docs/reference/codec.md does.
std::string json_of_bytes(BytesView bytes);

}  // namespace lungo
