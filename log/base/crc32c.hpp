// CRC-32C (Castagnoli), the checksum of Kafka's batches and of our own files.
//
// Uses the fastest form that the processor has, found at run time; all give the same value. Any thread.
#pragma once

#include <cstdint>

#include <lungo/log/bytes.hpp>

namespace lungo {

/// A remainder of the polynomial, bit 31 of which is x^0, times x: what all tables and factors are made with.
constexpr std::uint32_t crc32c_times_x(std::uint32_t remainder) {
  return (remainder >> 1) ^ ((remainder & 1) != 0 ? 0x82f63b78 : 0);
}

/// CRC-32C of `bytes`; `before` is the value of the bytes in front of them, to go on from. Source: RFC 3720, appendix B.4.
std::uint32_t crc32c(BytesView bytes, std::uint32_t before = 0);

/// The table form, which every machine has. For tests and for processors without the instruction.
std::uint32_t crc32c_portable(BytesView bytes, std::uint32_t before = 0);

}  // namespace lungo
