// Cuts a log's bytes into lines and keeps account of where it is: line number, byte, and a hash of everything before.
//
// Threads: one at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "import/byte_source.hpp"

struct XXH3_state_s;  // of xxhash.h

namespace tracker {

/// A place between two lines of a log: so many lines and uncompressed bytes lie before it, and this is their hash.
struct LogMark {
  std::uint64_t lines = 0;
  std::uint64_t bytes = 0;
  std::uint64_t hash = 0;    // XXH3-64, seeded
  bool inside_line = false;  // the last of those lines had no end yet
  friend bool operator==(const LogMark&, const LogMark&) = default;
};

/// The state of a hash that can be copied and goes on from there.
class RollingHash {
 public:
  explicit RollingHash(std::uint64_t seed);
  RollingHash(const RollingHash& other);
  RollingHash& operator=(const RollingHash& other);
  ~RollingHash() = default;
  void add(std::string_view bytes);
  [[nodiscard]] std::uint64_t value() const;

 private:
  struct Free {
    void operator()(XXH3_state_s* state) const;
  };
  std::unique_ptr<XXH3_state_s, Free> state_;
};

/// Bytes of a line that are kept: of a longer one the rest is read over.
inline constexpr std::size_t kLineBytesKept = 512u << 10;

struct Line {
  std::string_view text;     // without "\n" or "\r\n"; valid until the next call of the reader
  std::uint64_t number = 0;  // from 1
  std::uint64_t bytes = 0;   // with its line end; more than the text when only the first kLineBytesKept were kept
  bool ended = true;         // false: the file's end cut it off
  bool continues = false;    // what was written later of the line that bears this number and was given without its end
};

class LineReader {
 public:
  /// `hash` and `mark` say what lies before the source's place.
  LineReader(std::unique_ptr<ByteSource> source, const RollingHash& hash, const LogMark& mark);

  /// The next whole line; nothing at the end of what there is, in which case a file that grows has more later.
  /// Errors: as ByteSource::read(); lines before it were given, and after timed_out and canceled the next call goes on.
  lungo::Result<std::optional<Line>> next();
  /// At the end of what there is: the begun line that has no end, if there is one. begun() looks at it, rest() takes it.
  [[nodiscard]] std::optional<Line> begun() const;
  std::optional<Line> rest();
  /// Behind the line that was given last.
  [[nodiscard]] LogMark mark();
  [[nodiscard]] ByteSource& source() { return *source_; }
  /// Gives the source back; the reader is of no use any more.
  [[nodiscard]] std::unique_ptr<ByteSource> release() { return std::move(source_); }

 private:
  lungo::Result<std::size_t> fill();
  [[nodiscard]] Line line_to(std::size_t end, bool ended) const;
  Line take(std::size_t end, bool ended);

  std::unique_ptr<ByteSource> source_;
  RollingHash hash_;
  LogMark mark_;  // its hash is up to date where mark() has set it, and while a line is overlong
  std::vector<char> buffer_;
  std::size_t hashed_ = 0;      // bytes of the buffer before this are in hash_; not above begin_, unless a line is overlong
  std::size_t begin_ = 0;       // first byte not given
  std::size_t searched_ = 0;    // no line end in [begin, searched)
  std::size_t end_ = 0;         // of what was read
  std::uint64_t overlong_ = 0;  // bytes of the line at begin_ that were read over and are not in the buffer
};

}  // namespace tracker
