// The forms of CRC-32C that 64-bit processors of Intel and AMD have; elsewhere has_...() is false and they are the portable
// one.
#pragma once

#include "base/crc32c.hpp"

namespace lungo {

/// SSE 4.2: an instruction for eight bytes. Only where has_crc32c_instruction().
bool has_crc32c_instruction();
std::uint32_t crc32c_instruction(BytesView bytes, std::uint32_t before);

/// AVX-512 with VPCLMULQDQ: 64 bytes at a time are multiplied over those behind them. Only where has_crc32c_folded().
bool has_crc32c_folded();
std::uint32_t crc32c_folded(BytesView bytes, std::uint32_t before);

}  // namespace lungo
