// Reads fields off the front of untrusted bytes; every length is checked against the bytes that remain.
//
// For log/ only. A read that does not fit returns zero or nothing and makes ok() false for good, so that a parser may read a
// whole structure and ask once. Nothing is allocated. The reader keeps a view: the bytes must outlive it.
#pragma once

#include <cstdint>
#include <limits>

#include <lungo/log/bytes.hpp>

#include "base/byte_order.hpp"
#include "base/varint.hpp"

namespace lungo {

class ByteReader {
 public:
  explicit ByteReader(BytesView bytes) : rest_(bytes) {}

  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] BytesView rest() const { return rest_; }
  [[nodiscard]] std::size_t remaining() const { return rest_.size(); }

  template <std::integral T>
  T big_endian() {
    if (rest_.size() < sizeof(T)) return fail<T>();
    const T value = load_big_endian<T>(rest_.data());
    rest_ = rest_.subspan(sizeof(T));
    return value;
  }

  /// At most ten bytes; a longer or overflowing one is malformed.
  std::uint64_t varint() {
    std::uint64_t bits = 0;
    const std::size_t limit = rest_.size() < kVarintBytesMax ? rest_.size() : kVarintBytesMax;
    for (std::size_t i = 0; i < limit; ++i) {
      const auto byte = std::to_integer<std::uint64_t>(rest_[i]);
      if (i == 9 && byte > 1) break;
      bits |= (byte & 0x7f) << (7 * i);
      if (byte < 0x80) {
        rest_ = rest_.subspan(i + 1);
        return bits;
      }
    }
    return fail<std::uint64_t>();
  }

  std::int64_t signed_varint() { return unzigzag(varint()); }

  /// A zigzag varint that must fit 32 bits: Kafka's `varint`.
  std::int32_t signed_varint32() {
    const std::int64_t value = signed_varint();
    if (value < std::numeric_limits<std::int32_t>::min() || value > std::numeric_limits<std::int32_t>::max()) {
      return fail<std::int32_t>();
    }
    return static_cast<std::int32_t>(value);
  }

  BytesView bytes(std::size_t count) {
    if (count > rest_.size()) return fail<BytesView>();
    const BytesView taken = rest_.first(count);
    rest_ = rest_.subspan(count);
    return taken;
  }

 private:
  template <class T>
  T fail() {
    ok_ = false;
    rest_ = {};
    return T{};
  }

  BytesView rest_;
  bool ok_ = true;
};

}  // namespace lungo
