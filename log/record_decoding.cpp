// The headers of record_batch.hpp's batches, read back. All bytes are hostile: nothing is believed before it was checked
// against the bytes at hand. record_cursor.cpp reads the records.

#include <lungo/log/record_batch.hpp>

#include "base/crc32c.hpp"
#include "batch_header.hpp"

namespace lungo {
namespace {

Error corrupt(std::string text) { return Error{Errc::corrupt, std::move(text)}; }

std::string text_of(HeaderFault fault, const BatchHeader& header, std::byte magic) {
  const std::string length = std::to_string(header.batch_length);
  switch (fault) {
    case HeaderFault::none:
      break;
    case HeaderFault::magic:
      return "batch has magic " + std::to_string(std::to_integer<std::int8_t>(magic)) + ", expected 2";
    case HeaderFault::length_low:
      return "batch length " + length + " is shorter than a batch header";
    case HeaderFault::length_high:
      return "batch length " + length + " is above " + std::to_string(kBatchLengthMax);
    case HeaderFault::base_offset:
      return "base offset " + std::to_string(header.base_offset.value()) + " is negative";
    case HeaderFault::last_delta:
      return "last offset delta " + std::to_string(header.last_offset_delta) + " can't be";
    case HeaderFault::count:
      return std::to_string(header.records_count) + " records can't have a last offset delta of " +
             std::to_string(header.last_offset_delta);
    case HeaderFault::room:
      return std::to_string(header.records_count) + " records can't fit " +
             std::to_string(header.size_bytes() - kBatchHeaderBytes) + " bytes";
  }
  return {};
}

}  // namespace

Result<BatchHeader> parse_batch_header(BytesView bytes) {
  if (bytes.size() < kBatchHeaderBytes) {
    return corrupt("a batch header takes " + std::to_string(kBatchHeaderBytes) + " bytes, here are " +
                   std::to_string(bytes.size()));
  }
  BatchHeader header;
  const HeaderFault fault = load_batch_header(bytes.data(), header);
  if (fault != HeaderFault::none) return corrupt(text_of(fault, header, bytes[batch_layout::kMagicAt]));
  return header;
}

Result<BatchHeader> verify_batch(BytesView bytes) {
  const Result<BatchHeader> header = parse_batch_header(bytes);
  if (!header) return header;
  if (header->size_bytes() > bytes.size()) {
    return corrupt("batch of " + std::to_string(header->size_bytes()) + " bytes is cut off after " +
                   std::to_string(bytes.size()));
  }
  const std::uint32_t crc = crc32c(bytes.first(header->size_bytes()).subspan(batch_layout::kCrcCoversFrom));
  if (crc != header->crc)
    return corrupt("CRC of the batch at offset " + std::to_string(header->base_offset.value()) + " differs");
  return header;
}

}  // namespace lungo
