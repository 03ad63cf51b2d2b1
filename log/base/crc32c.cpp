#include "base/crc32c.hpp"

#include <array>
#include <cstring>

#include "base/byte_order.hpp"
#include "base/crc32c_x86.hpp"

namespace lungo {
namespace {

// kTables[k][b] is the CRC of byte b followed by k zero bytes, so that eight bytes take eight independent look-ups.
constexpr std::array<std::array<std::uint32_t, 256>, 8> make_tables() {
  std::array<std::array<std::uint32_t, 256>, 8> tables{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = crc32c_times_x(crc);
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
  using Form = std::uint32_t (*)(BytesView, std::uint32_t);
  static const Form form = [] {
    if (has_crc32c_folded()) return crc32c_folded;
    return has_crc32c_instruction() ? crc32c_instruction : crc32c_portable;
  }();
  return form(bytes, before);
}

}  // namespace lungo
