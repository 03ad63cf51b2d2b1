// LEB128 variable-length integers and zigzag signs, as Kafka's records use them: seven bits a byte, low ones first.
//
// For log/ only. Writing side; byte_reader.hpp reads.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

namespace lungo {

inline constexpr std::size_t kVarintBytesMax = 10;  // of a 64-bit value

/// Maps small magnitudes of either sign to small numbers: 0, -1, 1, -2 become 0, 1, 2, 3.
constexpr std::uint64_t zigzag(std::int64_t value) {
  return (static_cast<std::uint64_t>(value) << 1) ^ static_cast<std::uint64_t>(value >> 63);
}

constexpr std::int64_t unzigzag(std::uint64_t bits) { return static_cast<std::int64_t>((bits >> 1) ^ (~(bits & 1) + 1)); }

constexpr std::size_t varint_size(std::uint64_t bits) { return (static_cast<std::size_t>(std::bit_width(bits | 1)) + 6) / 7; }

constexpr std::size_t signed_varint_size(std::int64_t value) { return varint_size(zigzag(value)); }

/// Writes at `out`, which has room for kVarintBytesMax, and returns one past the last byte.
inline std::byte* write_varint(std::byte* out, std::uint64_t bits) {
  while (bits >= 0x80) {
    *out++ = static_cast<std::byte>(bits | 0x80);
    bits >>= 7;
  }
  *out++ = static_cast<std::byte>(bits);
  return out;
}

inline std::byte* write_signed_varint(std::byte* out, std::int64_t value) { return write_varint(out, zigzag(value)); }

}  // namespace lungo
