#include "base/crc32c.hpp"

#include <array>
#include <cstring>

#include "base/byte_order.hpp"

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

namespace lungo {
namespace {

constexpr std::uint32_t kPolynomial = 0x82f63b78;  // reflected

// kTables[k][b] is the CRC of byte b followed by k zero bytes, so that eight bytes take eight independent look-ups.
constexpr std::array<std::array<std::uint32_t, 256>, 8> make_tables() {
  std::array<std::array<std::uint32_t, 256>, 8> tables{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? kPolynomial : 0);
    tables[0][byte] = crc;
  }
  for (std::size_t k = 1; k < tables.size(); ++k) {
    for (std::size_t byte = 0; byte < 256; ++byte) {
      const std::uint32_t crc = tables[k - 1][byte];
      tables[k][byte] = (crc >> 8) ^ tables[0][crc & 0xff];
    }
  }
  return tables;
}

constexpr auto kTables = make_tables();

#if defined(__x86_64__)

// One instruction takes eight bytes in three cycles but may start every cycle: three runs side by side keep it busy. Each run
// starts from zero and is then moved over the bytes behind it by a table that multiplies by x^(8 * kRunBytes).
constexpr std::size_t kRunBytes = 1024;

constexpr std::uint32_t shift_by_zero_bytes(std::uint32_t crc, std::size_t bytes) {
  for (std::size_t i = 0; i < bytes; ++i) crc = (crc >> 8) ^ kTables[0][crc & 0xff];
  return crc;
}

using ShiftTables = std::array<std::array<std::uint32_t, 256>, 4>;

ShiftTables make_shift_tables() {
  ShiftTables tables{};
  for (std::size_t position = 0; position < 4; ++position) {
    for (std::uint32_t bit = 1; bit < 256; bit <<= 1) {
      const std::uint32_t shifted = shift_by_zero_bytes(bit << (8 * position), kRunBytes);
      // The map is linear over xor: fill every byte that has this bit as its highest from the ones below it.
      for (std::uint32_t low = 0; low < bit; ++low) tables[position][bit | low] = shifted ^ tables[position][low];
    }
  }
  return tables;
}

std::uint32_t shift_run(const ShiftTables& tables, std::uint32_t crc) {
  return tables[0][crc & 0xff] ^ tables[1][(crc >> 8) & 0xff] ^ tables[2][(crc >> 16) & 0xff] ^ tables[3][crc >> 24];
}

std::uint64_t word_at(const std::byte* at) { return load_little_endian<std::uint64_t>(at); }

__attribute__((target("sse4.2"))) std::uint32_t crc32c_sse42(BytesView bytes, std::uint32_t before) {
  static const ShiftTables shift = make_shift_tables();
  std::uint64_t crc = ~before;
  const std::byte* at = bytes.data();
  std::size_t left = bytes.size();
  while (left >= 3 * kRunBytes) {
    std::uint64_t second = 0;
    std::uint64_t third = 0;
    for (std::size_t i = 0; i < kRunBytes; i += 8) {
      crc = _mm_crc32_u64(crc, word_at(at + i));
      second = _mm_crc32_u64(second, word_at(at + kRunBytes + i));
      third = _mm_crc32_u64(third, word_at(at + 2 * kRunBytes + i));
    }
    crc = shift_run(shift, static_cast<std::uint32_t>(crc)) ^ second;
    crc = shift_run(shift, static_cast<std::uint32_t>(crc)) ^ third;
    at += 3 * kRunBytes;
    left -= 3 * kRunBytes;
  }
  for (; left >= 8; at += 8, left -= 8) crc = _mm_crc32_u64(crc, word_at(at));
  auto tail = static_cast<std::uint32_t>(crc);
  for (; left > 0; ++at, --left) tail = _mm_crc32_u8(tail, std::to_integer<std::uint8_t>(*at));
  return ~tail;
}

bool has_crc_instruction() { return __builtin_cpu_supports("sse4.2") != 0; }

#endif

}  // namespace

std::uint32_t crc32c_portable(BytesView bytes, std::uint32_t before) {
  std::uint32_t crc = ~before;
  const std::byte* at = bytes.data();
  std::size_t left = bytes.size();
  for (; left >= 8; at += 8, left -= 8) {
    const std::uint64_t word = load_little_endian<std::uint64_t>(at) ^ crc;
    crc = 0;
    for (std::size_t k = 0; k < 8; ++k) crc ^= kTables[7 - k][(word >> (8 * k)) & 0xff];
  }
  for (; left > 0; ++at, --left) crc = (crc >> 8) ^ kTables[0][(crc ^ std::to_integer<std::uint32_t>(*at)) & 0xff];
  return ~crc;
}

std::uint32_t crc32c(BytesView bytes, std::uint32_t before) {
#if defined(__x86_64__)
  static const bool instruction = has_crc_instruction();
  if (instruction) return crc32c_sse42(bytes, before);
#endif
  return crc32c_portable(bytes, before);
}

}  // namespace lungo
