#include "base/crc32c_x86.hpp"

#if defined(__x86_64__)
#include <immintrin.h>

#include <array>

#include "base/byte_order.hpp"

namespace lungo {
namespace {

// x^n mod P.
constexpr std::uint32_t power_of_x(int n) {
  std::uint32_t power = 1u << 31;
  for (int i = 0; i < n; ++i) power = crc32c_times_x(power);
  return power;
}

// One instruction takes eight bytes in three cycles but may start every cycle: three runs side by side keep it busy. Each run
// starts from zero and is then moved over the bytes behind it by a table that multiplies by x^(8 * kRunBytes).
constexpr std::size_t kRunBytes = 1024;

using ShiftTables = std::array<std::array<std::uint32_t, 256>, 4>;

ShiftTables make_shift_tables() {
  ShiftTables tables{};
  for (std::size_t position = 0; position < 4; ++position) {
    for (std::uint32_t bit = 1; bit < 256; bit <<= 1) {
      std::uint32_t shifted = bit << (8 * position);
      for (std::size_t i = 0; i < 8 * kRunBytes; ++i) shifted = crc32c_times_x(shifted);
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

__attribute__((target("sse4.2"))) std::uint32_t one_run(const std::byte* at, std::size_t left, std::uint32_t state) {
  std::uint64_t crc = state;
  for (; left >= 8; at += 8, left -= 8) crc = _mm_crc32_u64(crc, word_at(at));
  auto tail = static_cast<std::uint32_t>(crc);
  if (left >= 4) {
    tail = _mm_crc32_u32(tail, load_little_endian<std::uint32_t>(at));
    at += 4;
    left -= 4;
  }
  for (; left > 0; ++at, --left) tail = _mm_crc32_u8(tail, std::to_integer<std::uint8_t>(*at));
  return tail;
}

// The factors that move a register's halves of 64 bits over so many bits. Products of reflected numbers come out one bit
// short, hence the shift.
struct Factors {
  std::uint64_t low, high;
};
constexpr Factors factors(int bits) {
  return {std::uint64_t{power_of_x(bits + 32)} << 1, std::uint64_t{power_of_x(bits - 32)} << 1};
}

constexpr std::size_t kLaneBytes = 64;
constexpr std::size_t kLanes = 4;
constexpr Factors kOverOneLane = factors(8 * kLaneBytes);
constexpr Factors kOverAllLanes = factors(8 * kLaneBytes * kLanes);

__attribute__((target("avx512f,vpclmulqdq,sse4.2"))) __m512i broadcast(Factors by) {
  const auto low = static_cast<std::int64_t>(by.low);
  const auto high = static_cast<std::int64_t>(by.high);
  return _mm512_set_epi64(high, low, high, low, high, low, high, low);
}

// `lane`, moved over the bits that `by` stands for, plus `next`.
__attribute__((target("avx512f,vpclmulqdq,sse4.2"))) __m512i fold(__m512i lane, __m512i by, __m512i next) {
  constexpr int kXorOfThree = 0x96;
  return _mm512_ternarylogic_epi64(_mm512_clmulepi64_epi128(lane, by, 0x00), _mm512_clmulepi64_epi128(lane, by, 0x11), next,
                                   kXorOfThree);
}

__attribute__((target("avx512f,vpclmulqdq,sse4.2"))) __m512i lane_at(const std::byte* at) { return _mm512_loadu_si512(at); }

}  // namespace

bool has_crc32c_instruction() { return __builtin_cpu_supports("sse4.2") != 0; }

__attribute__((target("sse4.2"))) std::uint32_t crc32c_instruction(BytesView bytes, std::uint32_t before) {
  static const ShiftTables shift = make_shift_tables();
  std::uint64_t crc = ~before;
  const std::byte* at = bytes.data();
  std::size_t left = bytes.size();
  for (; left >= 3 * kRunBytes; at += 3 * kRunBytes, left -= 3 * kRunBytes) {
    std::uint64_t second = 0;
    std::uint64_t third = 0;
    for (std::size_t i = 0; i < kRunBytes; i += 8) {
      crc = _mm_crc32_u64(crc, word_at(at + i));
      second = _mm_crc32_u64(second, word_at(at + kRunBytes + i));
      third = _mm_crc32_u64(third, word_at(at + 2 * kRunBytes + i));
    }
    crc = shift_run(shift, static_cast<std::uint32_t>(crc)) ^ second;
    crc = shift_run(shift, static_cast<std::uint32_t>(crc)) ^ third;
  }
  return ~one_run(at, left, static_cast<std::uint32_t>(crc));
}

bool has_crc32c_folded() {
  return __builtin_cpu_supports("avx512f") != 0 && __builtin_cpu_supports("vpclmulqdq") != 0 && has_crc32c_instruction();
}

__attribute__((target("avx512f,vpclmulqdq,sse4.2"))) std::uint32_t crc32c_folded(BytesView bytes, std::uint32_t before) {
  if (bytes.size() < 2 * kLanes * kLaneBytes) return ~one_run(bytes.data(), bytes.size(), ~before);
  const std::byte* at = bytes.data();
  std::size_t left = bytes.size();
  __m512i lanes[kLanes];
  for (std::size_t i = 0; i < kLanes; ++i) lanes[i] = lane_at(at + i * kLaneBytes);
  lanes[0] = _mm512_xor_si512(lanes[0], _mm512_zextsi128_si512(_mm_cvtsi32_si128(static_cast<int>(~before))));
  at += kLanes * kLaneBytes;
  left -= kLanes * kLaneBytes;

  const __m512i over_all = broadcast(kOverAllLanes);
  for (; left >= kLanes * kLaneBytes; at += kLanes * kLaneBytes, left -= kLanes * kLaneBytes) {
    for (std::size_t i = 0; i < kLanes; ++i) lanes[i] = fold(lanes[i], over_all, lane_at(at + i * kLaneBytes));
  }
  const __m512i over_one = broadcast(kOverOneLane);
  __m512i lane = lanes[0];
  for (std::size_t i = 1; i < kLanes; ++i) lane = fold(lane, over_one, lanes[i]);
  for (; left >= kLaneBytes; at += kLaneBytes, left -= kLaneBytes) lane = fold(lane, over_one, lane_at(at));

  // What is left stands for all the bytes before it: its CRC, begun with nothing, is theirs.
  std::array<std::byte, kLaneBytes> rest;
  _mm512_storeu_si512(rest.data(), lane);
  return ~one_run(at, left, one_run(rest.data(), rest.size(), 0));
}

}  // namespace lungo

#else

namespace lungo {

bool has_crc32c_instruction() { return false; }
bool has_crc32c_folded() { return false; }
std::uint32_t crc32c_instruction(BytesView bytes, std::uint32_t before) { return crc32c_portable(bytes, before); }
std::uint32_t crc32c_folded(BytesView bytes, std::uint32_t before) { return crc32c_portable(bytes, before); }

}  // namespace lungo

#endif
