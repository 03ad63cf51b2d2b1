// The records of record_batch.hpp's batches, read back. All bytes are hostile: each length is checked against the bytes that
// remain, and nothing is allocated but the text of an error, and the room for a compressed batch's records.
//
// Two ways through a record: take_short() is quick and takes only what it has fully checked; everything else goes to take(),
// which decides what is malformed.

#include <lungo/log/record_batch.hpp>

#include <algorithm>
#include <limits>

#include "base/byte_reader.hpp"
#include "batch_compression.hpp"
#include "batch_header.hpp"

namespace lungo {
namespace {

constexpr std::size_t kHeaderBytesMin = 2;
constexpr std::ptrdiff_t kShortVarintBytes = 3;
// From here to the end of the batch, take_short() reads ahead of what it has checked: length, attributes, timestampDelta,
// offsetDelta and keyLength, and with a null key valueLength and headerCount.
constexpr std::ptrdiff_t kFrontBytesMax = 20;
static_assert(kFrontBytesMax >= 5 * kShortVarintBytes + 2);

Error corrupt(std::string text) { return Error{Errc::corrupt, std::move(text)}; }

Timestamp timestamp_of(std::int64_t milliseconds) { return Timestamp{std::chrono::milliseconds{milliseconds}}; }

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

// Reads the signed varint at `at`, where at least kShortVarintBytes can be read, and moves `at` behind it. False for a longer
// one.
inline bool read_short(const std::byte*& at, std::int32_t& value) {
  auto bits = std::to_integer<std::uint32_t>(*at++);
  if (bits >= 0x80) {
    const auto second = std::to_integer<std::uint32_t>(*at++);
    bits = (bits & 0x7f) | (second & 0x7f) << 7;
    if (second >= 0x80) {
      const auto third = std::to_integer<std::uint32_t>(*at++);
      if (third >= 0x80) return false;
      bits |= third << 14;
    }
  }
  value = static_cast<std::int32_t>((bits >> 1) ^ (~(bits & 1) + 1));
  return true;
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

Result<RecordView> parse_record_body(BytesView body) {
  ByteReader reader{body};
  RecordView record;
  if (!read_body(reader, record)) return corrupt("the bytes are no record body");
  return record;
}

RecordCursor::RecordCursor(BytesView batches, Offset from) : rest_(batches), from_(from) {}

bool RecordCursor::fail(Error error) {
  error_ = std::move(error);
  rest_ = {};
  records_ = {};
  left_ = 0;
  return false;
}

const RecordView* RecordCursor::next() {
  do {
    if (left_ == 0 && !open_batch()) return nullptr;
    if (!take_short() && !take()) return nullptr;
  } while (record_.offset < from_);
  return &record_;
}

// Opens the next batch that has records for the caller; false at the end or when the bytes are bad.
bool RecordCursor::open_batch() {
  while (left_ == 0) {
    if (!records_.empty()) {
      return fail(corrupt("bytes are left over behind the records of the batch at offset " +
                          std::to_string(header_.base_offset.value())));
    }
    if (rest_.empty()) return false;
    if (rest_.size() < kBatchHeaderBytes || load_batch_header(rest_.data(), header_) != HeaderFault::none) {
      return fail(parse_batch_header(rest_).error());
    }
    if (header_.size_bytes() > rest_.size()) {
      return fail(corrupt("batch at offset " + std::to_string(header_.base_offset.value()) + " is cut off"));
    }
    const BytesView batch = rest_.first(header_.size_bytes());
    rest_ = rest_.subspan(header_.size_bytes());
    if (header_.is_control() || header_.end_offset() <= from_) continue;  // nothing in it for the caller
    records_ = batch.subspan(kBatchHeaderBytes);
    if (header_.compression() != kNoCompression && !decompress(batch)) return false;
    left_ = header_.records_count;
  }
  return true;
}

// Points records_ at the batch's records, decompressed; false when they can't be.
bool RecordCursor::decompress(BytesView batch) {
  // The buffer is used again, unless somebody keeps the records of an earlier batch.
  if (decompressed_ == nullptr || decompressed_.use_count() > 1) decompressed_ = std::make_shared<Bytes>();
  const Result<BytesView> records = decompressed_records(header_, batch, *decompressed_);
  if (!records) return fail(records.error());
  records_ = *records;
  return true;
}

// Fills record_ from the next record, if its numbers are short and all is as it should be; false leaves the cursor as it was.
inline bool RecordCursor::take_short() {
  const std::byte* at = records_.data();
  const std::byte* const end = at + records_.size();
  if (end - at < kFrontBytesMax) return false;
  std::int32_t size = 0;
  if (!read_short(at, size) || size < 0 || size > end - at) return false;
  const std::byte* const record_end = at + size;

  ++at;  // attributes, none are defined
  std::int32_t timestamp_delta = 0;
  std::int32_t offset_delta = 0;
  std::int32_t key_size = 0;
  if (!read_short(at, timestamp_delta) || !read_short(at, offset_delta) || !read_short(at, key_size)) return false;
  if (offset_delta < 0 || offset_delta > header_.last_offset_delta || key_size < -1) return false;
  const std::byte* const key = at;
  if (key_size > 0) {
    if (key_size > end - at - kShortVarintBytes) return false;  // whether it ends before the record does, the value tells
    at += key_size;
  }

  std::int32_t value_size = 0;
  if (!read_short(at, value_size) || value_size < -1) return false;
  const std::byte* const value = at;
  // headerCount follows, and nothing else unless it says so.
  const std::int32_t value_bytes = std::max(value_size, 0);
  if (value_bytes >= record_end - at) return false;
  at += value_bytes;
  const auto header_bits = std::to_integer<std::int32_t>(*at++);
  if (header_bits >= 0x80 || header_bits % 2 != 0) return false;  // 64 and more, or negative
  const std::ptrdiff_t header_bytes = record_end - at;
  if (header_bits == 0 ? header_bytes != 0 : header_bits / 2 > header_bytes / static_cast<std::ptrdiff_t>(kHeaderBytesMin)) {
    return false;
  }

  record_.has_key = key_size >= 0;
  record_.has_value = value_size >= 0;
  record_.key = record_.has_key ? BytesView{key, static_cast<std::size_t>(key_size)} : BytesView{};
  record_.value = record_.has_value ? BytesView{value, static_cast<std::size_t>(value_size)} : BytesView{};
  record_.header_count = header_bits / 2;
  record_.headers = BytesView{at, record_end};
  accept(timestamp_delta, offset_delta);
  records_ = BytesView{record_end, end};
  return true;
}

// The same for any record; fails the cursor on a malformed one.
bool RecordCursor::take() {
  ByteReader reader{records_};
  const std::int32_t size = reader.signed_varint32();
  ByteReader body{size < 0 ? BytesView{} : reader.bytes(static_cast<std::size_t>(size))};
  static_cast<void>(body.big_endian<std::int8_t>());  // attributes, none are defined
  const std::int64_t timestamp_delta = body.signed_varint();
  const std::int32_t offset_delta = body.signed_varint32();
  if (!reader.ok() || !read_body(body, record_) || offset_delta < 0 || offset_delta > header_.last_offset_delta) {
    return fail(corrupt("record in the batch at offset " + std::to_string(header_.base_offset.value()) + " is malformed"));
  }
  accept(timestamp_delta, offset_delta);
  records_ = reader.rest();
  return true;
}

inline void RecordCursor::accept(std::int64_t timestamp_delta, std::int32_t offset_delta) {
  record_.offset = header_.base_offset.plus(offset_delta);
  // Added as unsigned: hostile deltas wrap instead of being undefined.
  const auto base = static_cast<std::uint64_t>(header_.base_timestamp.time_since_epoch().count());
  record_.timestamp = header_.is_log_append_time()
                          ? header_.max_timestamp
                          : timestamp_of(static_cast<std::int64_t>(base + static_cast<std::uint64_t>(timestamp_delta)));
  record_.epoch = header_.epoch;
  --left_;
}

}  // namespace lungo
