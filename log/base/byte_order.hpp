// Fixed-width integers at any address, in big-endian (Kafka's files and wire) and little-endian (our own files) order.
//
// For log/ only. The caller has checked that the bytes are there; byte_reader.hpp does so for untrusted input.
#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

namespace lungo {

template <std::integral T>
constexpr T swap_bytes(T value) {
  using U = std::make_unsigned_t<T>;
  const U bits = static_cast<U>(value);
  if constexpr (sizeof(T) == 8) return static_cast<T>(__builtin_bswap64(bits));
  if constexpr (sizeof(T) == 4) return static_cast<T>(__builtin_bswap32(bits));
  if constexpr (sizeof(T) == 2) return static_cast<T>(__builtin_bswap16(bits));
  return value;
}

template <std::integral T>
T load_big_endian(const std::byte* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  return std::endian::native == std::endian::big ? value : swap_bytes(value);
}

template <std::integral T>
void store_big_endian(std::byte* at, T value) {
  const T stored = std::endian::native == std::endian::big ? value : swap_bytes(value);
  std::memcpy(at, &stored, sizeof stored);
}

template <std::integral T>
T load_little_endian(const std::byte* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  return std::endian::native == std::endian::little ? value : swap_bytes(value);
}

template <std::integral T>
void store_little_endian(std::byte* at, T value) {
  const T stored = std::endian::native == std::endian::little ? value : swap_bytes(value);
  std::memcpy(at, &stored, sizeof stored);
}

}  // namespace lungo
