// The reading side of record_batch.hpp. All bytes are hostile: each length is checked against the bytes that remain, and
// nothing is allocated but the text of an error.

#include <lungo/log/record_batch.hpp>

#include <limits>

#include "base/byte_reader.hpp"
#include "base/crc32c.hpp"
#include "batch_layout.hpp"

namespace lungo {
namespace {

// length, attributes, timestampDelta, offsetDelta, keyLength, valueLength and headerCount at their shortest
constexpr std::size_t kRecordBytesMin = 7;
constexpr std::size_t kHeaderBytesMin = 2;
constexpr int kNoCompression = 0;
// Readers make room for a whole batch before they can check it. No batch of ours comes near (appends of 64 MiB of bodies, of
// which the smallest take seven times their size with framing), and Kafka's brokers take 1 MB unless told otherwise.
constexpr std::int32_t kBatchLengthMax = 512 << 20;

Error corrupt(std::string text) { return Error{Errc::corrupt, std::move(text)}; }

Timestamp timestamp_of(std::int64_t milliseconds) { return Timestamp{std::chrono::milliseconds{milliseconds}}; }

// What is wrong with a header whose bytes are all there; empty when nothing is.
std::string fault_in(const BatchHeader& header, std::int8_t magic) {
  if (magic != 2) return "batch has magic " + std::to_string(magic) + ", expected 2";
  if (header.batch_length < static_cast<std::int32_t>(kBatchHeaderBytes - kBatchPrefixBytes)) {
    return "batch length " + std::to_string(header.batch_length) + " is shorter than a batch header";
  }
  if (header.batch_length > kBatchLengthMax) {
    return "batch length " + std::to_string(header.batch_length) + " is above " + std::to_string(kBatchLengthMax);
  }
  if (header.base_offset.value() < 0) return "base offset " + std::to_string(header.base_offset.value()) + " is negative";
  if (header.last_offset_delta < 0 ||
      header.base_offset.value() > std::numeric_limits<std::int64_t>::max() - header.last_offset_delta - 1) {
    return "last offset delta " + std::to_string(header.last_offset_delta) + " can't be";
  }
  if (header.records_count < 0 || header.records_count - 1 > header.last_offset_delta) {
    return std::to_string(header.records_count) + " records can't have a last offset delta of " +
           std::to_string(header.last_offset_delta);
  }
  const std::size_t payload = header.size_bytes() - kBatchHeaderBytes;
  if (header.compression() == kNoCompression && static_cast<std::size_t>(header.records_count) > payload / kRecordBytesMin) {
    return std::to_string(header.records_count) + " records can't fit " + std::to_string(payload) + " bytes";
  }
  return {};
}

// keyLength or valueLength and its bytes; false for null.
bool read_nullable(ByteReader& reader, BytesView& out) {
  const std::int32_t size = reader.signed_varint32();
  if (size < 0) {
    if (size != -1) static_cast<void>(reader.bytes(std::numeric_limits<std::size_t>::max()));  // makes the reader fail
    out = {};
    return false;
  }
  out = reader.bytes(static_cast<std::size_t>(size));
  return true;
}

// Fills key, value and headers; false when the bytes are no record body.
bool read_body(ByteReader& reader, RecordView& record) {
  record.has_key = read_nullable(reader, record.key);
  record.has_value = read_nullable(reader, record.value);
  record.header_count = reader.signed_varint32();
  record.headers = reader.rest();
  return reader.ok() && record.header_count >= 0 &&
         static_cast<std::size_t>(record.header_count) <= record.headers.size() / kHeaderBytesMin &&
         (record.header_count > 0 || record.headers.empty());
}

}  // namespace

const HeaderView* HeaderCursor::next() {
  if (left_ == 0) {
    ok_ = ok_ && rest_.empty();
    return nullptr;
  }
  ByteReader reader{rest_};
  BytesView name;
  const bool has_name = read_nullable(reader, name);
  header_.has_value = read_nullable(reader, header_.value);
  if (!reader.ok() || !has_name) {
    ok_ = false;
    left_ = 0;
    rest_ = {};
    return nullptr;
  }
  header_.name = as_text(name);
  rest_ = reader.rest();
  --left_;
  return &header_;
}

std::optional<BytesView> find_header(const RecordView& record, std::string_view name) {
  HeaderCursor cursor{record};
  while (const HeaderView* header = cursor.next()) {
    if (header->name == name) return header->has_value ? std::optional{header->value} : std::nullopt;
  }
  return std::nullopt;
}

Result<BatchHeader> parse_batch_header(BytesView bytes) {
  if (bytes.size() < kBatchHeaderBytes) {
    return corrupt("a batch header takes " + std::to_string(kBatchHeaderBytes) + " bytes, here are " +
                   std::to_string(bytes.size()));
  }
  ByteReader reader{bytes};
  BatchHeader header;
  header.base_offset = Offset{reader.big_endian<std::int64_t>()};
  header.batch_length = reader.big_endian<std::int32_t>();
  header.epoch = LeaderEpoch{reader.big_endian<std::int32_t>()};
  const auto magic = reader.big_endian<std::int8_t>();
  header.crc = reader.big_endian<std::uint32_t>();
  header.attributes = reader.big_endian<std::int16_t>();
  header.last_offset_delta = reader.big_endian<std::int32_t>();
  header.base_timestamp = timestamp_of(reader.big_endian<std::int64_t>());
  header.max_timestamp = timestamp_of(reader.big_endian<std::int64_t>());
  header.producer = ProducerId{reader.big_endian<std::int64_t>()};
  header.producer_epoch = reader.big_endian<std::int16_t>();
  header.base_sequence = reader.big_endian<std::int32_t>();
  header.records_count = reader.big_endian<std::int32_t>();
  if (std::string fault = fault_in(header, magic); !fault.empty()) return corrupt(std::move(fault));
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

RecordCursor::RecordCursor(BytesView batches, Offset from) : rest_(batches), from_(from) {}

const RecordView* RecordCursor::fail(Error error) {
  error_ = std::move(error);
  rest_ = {};
  records_ = {};
  left_ = 0;
  return nullptr;
}

bool RecordCursor::open_batch() {
  const Result<BatchHeader> header = parse_batch_header(rest_);
  if (!header) {
    fail(header.error());
    return false;
  }
  if (header->size_bytes() > rest_.size()) {
    fail(corrupt("batch at offset " + std::to_string(header->base_offset.value()) + " is cut off"));
    return false;
  }
  header_ = *header;
  const BytesView batch = rest_.first(header_.size_bytes());
  rest_ = rest_.subspan(header_.size_bytes());
  if (header_.is_control() || header_.end_offset() <= from_) return true;  // nothing in it for the caller
  if (header_.compression() != kNoCompression) {
    fail(Error{Errc::unsupported, "batch at offset " + std::to_string(header_.base_offset.value()) +
                                      " is compressed with codec " + std::to_string(header_.compression()) +
                                      ", which this build can't read"});
    return false;
  }
  records_ = batch.subspan(kBatchHeaderBytes);
  left_ = header_.records_count;
  return true;
}

const RecordView* RecordCursor::next() {
  for (;;) {
    while (left_ == 0) {
      if (!records_.empty()) {
        return fail(corrupt("bytes are left over behind the records of the batch at offset " +
                            std::to_string(header_.base_offset.value())));
      }
      if (rest_.empty() || !open_batch()) return nullptr;
    }
    ByteReader reader{records_};
    const std::int32_t size = reader.signed_varint32();
    ByteReader body{size < 0 ? BytesView{} : reader.bytes(static_cast<std::size_t>(size))};
    records_ = reader.rest();
    --left_;
    static_cast<void>(body.big_endian<std::int8_t>());  // attributes, none are defined
    const std::int64_t timestamp_delta = body.signed_varint();
    const std::int32_t offset_delta = body.signed_varint32();
    if (!reader.ok() || !read_body(body, record_) || offset_delta < 0 || offset_delta > header_.last_offset_delta) {
      return fail(corrupt("record in the batch at offset " + std::to_string(header_.base_offset.value()) + " is malformed"));
    }
    record_.offset = header_.base_offset.plus(offset_delta);
    if (record_.offset < from_) continue;
    // Added as unsigned: hostile deltas wrap instead of being undefined.
    const auto base = static_cast<std::uint64_t>(header_.base_timestamp.time_since_epoch().count());
    record_.timestamp = header_.is_log_append_time()
                            ? header_.max_timestamp
                            : timestamp_of(static_cast<std::int64_t>(base + static_cast<std::uint64_t>(timestamp_delta)));
    record_.epoch = header_.epoch;
    return &record_;
  }
}

Result<RecordView> parse_record_body(BytesView body) {
  ByteReader reader{body};
  RecordView record;
  if (!read_body(reader, record)) return corrupt("the bytes are no record body");
  return record;
}

}  // namespace lungo
