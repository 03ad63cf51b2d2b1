// The two ends of the binary codec: a Writer that appends values, a Reader that takes them from bytes of any origin.
//
// For codec.hpp and decode_plan.hpp; the grammar of values is docs/reference/codec.md. Numbers are little-endian base-128
// varints without needless bytes, signed ones in zigzag form. Promise: a Reader never looks outside its bytes, and once
// something is wrong it only gives zeros and empty values, so that callers test once at the end. Positions in its problem are
// counted from the payload's first byte. Threads: one object, one thread.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>

#include <lungo/log/bytes.hpp>
#include <lungo/log/result.hpp>

namespace lungo {

static_assert(std::endian::native == std::endian::little,
              "lungo: the codec copies floats as they are, on little-endian machines");

/// Structs may hold themselves; a payload nested deeper than this is refused, on both sides.
inline constexpr int kStructDepthMax = 100;

constexpr std::uint64_t zigzag(std::int64_t value) {
  return (static_cast<std::uint64_t>(value) << 1) ^ static_cast<std::uint64_t>(value >> 63);
}
constexpr std::int64_t unzigzag(std::uint64_t value) {
  return static_cast<std::int64_t>(value >> 1) ^ -static_cast<std::int64_t>(value & 1);
}

/// Collects a payload in memory of its own (on the stack while it is small), so that the target grows once, without zeros.
class Writer {
 public:
  Writer() : begin_(stack_), at_(stack_), end_(stack_ + sizeof stack_) {}
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  [[nodiscard]] BytesView bytes() const { return {begin_, at_}; }
  void append_to(Bytes& out) const { out.insert(out.end(), begin_, at_); }

  void byte(std::uint8_t value) {
    room(1);
    *at_++ = static_cast<std::byte>(value);
  }
  void varint(std::uint64_t value) {
    room(kVarintMax);
    put(value);
  }
  void raw(const void* data, std::size_t size) {
    room(size);
    copy(data, size);
  }
  void text(std::string_view value) {
    room(kVarintMax + value.size());
    put(value.size());
    copy(value.data(), value.size());
  }

  /// Begins a length-prefixed value; give the mark to close(). Throws Exception (too_large) when nested deeper than
  /// kStructDepthMax: such bytes could not be read.
  std::size_t open() {
    if (++depth_ > kStructDepthMax) [[unlikely]]
      fail_depth();
    room(1);
    ++at_;  // the length, if it stays below 128
    return size();
  }
  void close(std::size_t mark) {
    --depth_;
    const std::size_t length = size() - mark;
    if (length < 0x80) [[likely]] {
      begin_[mark - 1] = static_cast<std::byte>(length);
    } else {
      widen(mark, length);
    }
  }

 private:
  static constexpr std::size_t kVarintMax = 10;

  [[nodiscard]] std::size_t size() const { return static_cast<std::size_t>(at_ - begin_); }
  void room(std::size_t bytes) {
    if (static_cast<std::size_t>(end_ - at_) < bytes) [[unlikely]]
      grow(bytes);
  }
  void put(std::uint64_t value) {
    for (; value >= 0x80; value >>= 7) *at_++ = static_cast<std::byte>(value | 0x80);
    *at_++ = static_cast<std::byte>(value);
  }
  void copy(const void* data, std::size_t size) {
    if (size == 0) return;  // an empty view may have no data
    std::memcpy(at_, data, size);
    at_ += size;
  }
  void grow(std::size_t bytes);
  void widen(std::size_t mark, std::size_t length);
  [[noreturn]] static void fail_depth();

  std::byte* begin_;
  std::byte* at_;
  std::byte* end_;
  int depth_ = 0;
  std::unique_ptr<std::byte[]> heap_;
  std::byte stack_[1024];  // not initialised on purpose
};

class Reader {
 public:
  explicit Reader(BytesView bytes) : begin_(bytes.data()), at_(begin_), end_(begin_ + bytes.size()) {}

  [[nodiscard]] bool failed() const { return problem_ != nullptr; }
  [[nodiscard]] std::size_t left() const { return static_cast<std::size_t>(end_ - at_); }
  [[nodiscard]] bool at_end() const { return at_ == end_; }

  /// A place to come back to. Once something is wrong there is no way back.
  [[nodiscard]] const std::byte* position() const { return at_; }
  void rewind(const std::byte* position) {
    if (problem_ == nullptr) at_ = position;
  }

  /// Notes what is wrong and where, unless something was before; from now on there is nothing left to read.
  void fail(const char* problem) {
    if (problem_ == nullptr) {
      problem_ = problem;
      problem_at_ = static_cast<std::size_t>(at_ - begin_);
    }
    at_ = end_;
  }

  std::uint8_t byte() {
    if (at_ == end_) [[unlikely]] {
      fail("the payload ends early");
      return 0;
    }
    return static_cast<std::uint8_t>(*at_++);
  }

  bool boolean() {
    const std::uint8_t value = byte();
    if (value > 1) fail("a bool or presence byte that is neither 0 nor 1");
    return value == 1;
  }

  std::uint64_t varint() {
    if (at_ != end_ && static_cast<std::uint8_t>(*at_) < 0x80) [[likely]]
      return static_cast<std::uint8_t>(*at_++);
    return long_varint();
  }

  template <class Float>
  Float floating() {
    Float value{};
    if (left() < sizeof value) {
      fail("the payload ends early");
    } else {
      std::memcpy(&value, at_, sizeof value);
      at_ += sizeof value;
    }
    return value;
  }

  /// `size` bytes, or none of them.
  BytesView raw(std::size_t size) {
    if (size > left()) [[unlikely]] {
      fail("the payload ends early");
      return {};
    }
    const BytesView view{at_, size};
    at_ += size;
    return view;
  }

  /// A length and as many bytes.
  BytesView prefixed() {
    const std::uint64_t length = varint();
    if (length > left()) [[unlikely]] {
      fail("a length beyond the end of the payload");
      return {};
    }
    return raw(length);
  }

  /// A count of elements that take at least `bytes_each` (not 0) bytes each.
  std::size_t count(std::size_t bytes_each) {
    const std::uint64_t value = varint();
    if (value > left() / bytes_each) [[unlikely]] {
      fail("a count beyond the end of the payload");
      return 0;
    }
    return value;
  }

  /// Begins a length-prefixed value: until close() its end is the end. Gives what close() wants.
  const std::byte* open() {
    const std::byte* outer = end_;
    const std::uint64_t length = varint();
    if (length > left()) [[unlikely]] {
      fail("a length beyond the end of the payload");
    } else if (++depth_ > kStructDepthMax) [[unlikely]] {
      fail("structs nested too deep");
    } else {
      end_ = at_ + length;
    }
    return outer;
  }
  void close(const std::byte* outer) {
    --depth_;
    if (at_ != end_) [[unlikely]]
      fail("a struct with bytes left over");
    end_ = outer;
    if (problem_ != nullptr) at_ = end_;
  }

  /// Nothing wrong and nothing left.
  /// Errors: undecodable  naming `what`, the problem and the byte.
  Result<void> finish(std::string_view what);

 private:
  std::uint64_t long_varint();

  const std::byte* begin_;
  const std::byte* at_;
  const std::byte* end_;
  const char* problem_ = nullptr;
  std::size_t problem_at_ = 0;
  int depth_ = 0;
};

}  // namespace lungo
