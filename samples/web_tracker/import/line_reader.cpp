#include "import/line_reader.hpp"

#include <xxhash.h>

#include <cstring>

#include <lungo/log/check.hpp>

namespace tracker {

using lungo::Result;

namespace {
constexpr std::size_t kBufferBytes = kLineBytesKept + (256u << 10);
}

void RollingHash::Free::operator()(XXH3_state_s* state) const { XXH3_freeState(state); }

RollingHash::RollingHash(std::uint64_t seed) : state_(XXH3_createState()) {
  lungo::check(state_ && XXH3_64bits_reset_withSeed(state_.get(), seed) == XXH_OK, "xxhash starts");
}

RollingHash::RollingHash(const RollingHash& other) : state_(XXH3_createState()) {
  lungo::check(state_ != nullptr, "xxhash starts");
  XXH3_copyState(state_.get(), other.state_.get());
}

RollingHash& RollingHash::operator=(const RollingHash& other) {
  if (this != &other) XXH3_copyState(state_.get(), other.state_.get());
  return *this;
}

void RollingHash::add(std::string_view bytes) { XXH3_64bits_update(state_.get(), bytes.data(), bytes.size()); }
std::uint64_t RollingHash::value() const { return XXH3_64bits_digest(state_.get()); }

LineReader::LineReader(std::unique_ptr<ByteSource> source, const RollingHash& hash, const LogMark& mark)
    : source_(std::move(source)), hash_(hash), mark_(mark), buffer_(kBufferBytes) {}

Result<std::optional<Line>> LineReader::next() {
  while (true) {
    if (const void* found = std::memchr(buffer_.data() + searched_, '\n', end_ - searched_)) {
      return std::optional<Line>{take(static_cast<std::size_t>(static_cast<const char*>(found) - buffer_.data()), true)};
    }
    searched_ = end_;
    Result<std::size_t> got = fill();
    if (!got) return got.error();
    if (*got == 0) return std::optional<Line>{};
  }
}

std::optional<Line> LineReader::begun() const {
  if (begin_ == end_) return std::nullopt;
  return line_to(end_, false);
}

std::optional<Line> LineReader::rest() {
  if (begin_ == end_) return std::nullopt;
  return take(end_, false);
}

// The line [begin_, end) of the buffer; `ended` says that a '\n' stands at `end`.
Line LineReader::line_to(std::size_t end, bool ended) const {
  Line line{.text = {buffer_.data() + begin_, end - begin_},
            .number = mark_.lines + (mark_.inside_line ? 0 : 1),
            .bytes = end - begin_ + (ended ? 1 : 0) + overlong_,
            .ended = ended,
            .continues = mark_.inside_line};
  if (overlong_ > 0) line.text = line.text.substr(0, kLineBytesKept);
  if (line.text.ends_with('\r')) line.text.remove_suffix(1);
  return line;
}

Line LineReader::take(std::size_t end, bool ended) {
  const Line line = line_to(end, ended);
  mark_.lines = line.number;
  mark_.bytes += line.bytes;
  mark_.inside_line = !ended;
  begin_ = searched_ = end + (ended ? 1 : 0);
  overlong_ = 0;
  return line;
}

// Reads more behind end_, after making room. The line that begins at begin_ stays; of an overlong one only its first bytes.
Result<std::size_t> LineReader::fill() {
  constexpr std::size_t kRoomWanted = 64u << 10;
  if (buffer_.size() - end_ < kRoomWanted && begin_ > 0) {
    mark_ = mark();
    std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    searched_ -= begin_;
    hashed_ -= begin_;
    begin_ = 0;
  }
  if (end_ == buffer_.size()) {
    mark_ = mark();
    hash_.add({buffer_.data() + hashed_, end_ - hashed_});
    overlong_ += end_ - kLineBytesKept;
    searched_ = hashed_ = end_ = kLineBytesKept;
  }
  Result<std::size_t> got = source_->read(std::span{buffer_}.subspan(end_));
  if (got) end_ += *got;
  return got;
}

LogMark LineReader::mark() {
  if (overlong_ == 0) {  // otherwise the hash is ahead of the mark, which has kept its own
    hash_.add({buffer_.data() + hashed_, begin_ - hashed_});
    hashed_ = begin_;
    mark_.hash = hash_.value();
  }
  return mark_;
}

}  // namespace tracker
