#include "batch_compression.hpp"

#include <lungo/log/check.hpp>

#include "base/byte_order.hpp"
#include "base/compression.hpp"
#include "base/crc32c.hpp"
#include "batch_header.hpp"

namespace lungo {

BytesView compressed_batch(BytesView batch, Compression codec, Bytes& out) {
  using namespace batch_layout;
  const BytesView front = batch.first(kBatchHeaderBytes);
  const BytesView records = batch.subspan(kBatchHeaderBytes);
  out.assign(front.begin(), front.end());
  check(compress(codec, records, out).has_value(), "a topic's codec is known");
  const std::size_t compressed = out.size() - kBatchHeaderBytes;
  if (compressed >= records.size() || records.size() > decompressed_bytes_max(compressed)) return batch;

  store_big_endian(out.data() + kLengthAt, static_cast<std::int32_t>(out.size() - kBatchPrefixBytes));
  const auto attributes = load_big_endian<std::int16_t>(out.data() + kAttributesAt);
  store_big_endian(out.data() + kAttributesAt, static_cast<std::int16_t>(attributes | static_cast<std::int16_t>(codec)));
  store_big_endian(out.data() + kCrcAt, crc32c(BytesView{out}.subspan(kCrcCoversFrom)));
  return out;
}

Result<BytesView> decompressed_records(const BatchHeader& header, BytesView batch, Bytes& out) {
  const auto context = [&header] { return "batch at offset " + std::to_string(header.base_offset.value()); };
  const BytesView compressed = batch.subspan(kBatchHeaderBytes);
  const Result<std::size_t> size =
      decompress(static_cast<Compression>(header.compression()), compressed, decompressed_bytes_max(compressed.size()), out);
  if (!size) return size.error().with_context(context());
  if (static_cast<std::size_t>(header.records_count) > *size / kRecordBytesMin) {
    return Error{Errc::corrupt, context() + ": " + std::to_string(header.records_count) + " records can't fit " +
                                    std::to_string(*size) + " bytes"};
  }
  return BytesView{out}.first(*size);
}

}  // namespace lungo
