// EncodedRecords and BatchBuilder: how records become a batch. Grammar in record_batch.hpp.

#include <lungo/log/record_batch.hpp>

#include <algorithm>
#include <cstring>

#include <lungo/log/check.hpp>

#include "base/byte_order.hpp"
#include "base/crc32c.hpp"
#include "base/varint.hpp"
#include "batch_layout.hpp"

namespace lungo {
namespace {

using namespace batch_layout;

// length, attributes, timestampDelta and offsetDelta at their longest
constexpr std::size_t kFramingBytesMax = 3 * kVarintBytesMax + 1;

std::size_t field_size(std::optional<BytesView> bytes) {
  return bytes ? signed_varint_size(static_cast<std::int64_t>(bytes->size())) + bytes->size() : signed_varint_size(-1);
}

std::byte* write_bytes(std::byte* out, BytesView bytes) {
  if (!bytes.empty()) std::memcpy(out, bytes.data(), bytes.size());
  return out + bytes.size();
}

std::byte* write_field(std::byte* out, std::optional<BytesView> bytes) {
  if (!bytes) return write_signed_varint(out, -1);
  return write_bytes(write_signed_varint(out, static_cast<std::int64_t>(bytes->size())), *bytes);
}

std::optional<BytesView> value_of(const HeaderView& header) {
  return header.has_value ? std::optional{header.value} : std::nullopt;
}

std::size_t body_size(const RecordFields& fields) {
  std::size_t size = field_size(fields.key) + field_size(fields.value);
  size += signed_varint_size(static_cast<std::int64_t>(fields.headers.size()));
  for (const HeaderView& header : fields.headers) size += field_size(as_bytes(header.name)) + field_size(value_of(header));
  return size;
}

// Subtracted as unsigned: two extreme times may lie further apart than a signed number can say, and the reader's sum wraps
// back.
std::int64_t delta(Timestamp time, Timestamp base) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(time.time_since_epoch().count()) -
                                   static_cast<std::uint64_t>(base.time_since_epoch().count()));
}

// What stands before a record's body.
std::byte* write_framing(std::byte* out, std::int64_t timestamp_delta, std::int32_t offset_delta, std::size_t body_bytes) {
  const std::size_t size = 1 + signed_varint_size(timestamp_delta) + signed_varint_size(offset_delta) + body_bytes;
  out = write_signed_varint(out, static_cast<std::int64_t>(size));
  *out++ = std::byte{0};  // attributes, none are defined
  out = write_signed_varint(out, timestamp_delta);
  return write_signed_varint(out, offset_delta);
}

// All of the header but the place in the log.
void write_header(GrowingBytes& batch, std::int32_t count, Timestamp base, Timestamp max, std::int16_t attributes = 0) {
  check(count > 0, "a batch holds at least one record");
  std::byte* const at = batch.data();
  store_big_endian(at + kLengthAt, static_cast<std::int32_t>(batch.size() - kBatchPrefixBytes));
  store_big_endian(at + kMagicAt, std::int8_t{2});
  store_big_endian(at + kAttributesAt, attributes);
  store_big_endian(at + kLastDeltaAt, count - 1);
  store_big_endian(at + kBaseTimestampAt, std::int64_t{base.time_since_epoch().count()});
  store_big_endian(at + kMaxTimestampAt, std::int64_t{max.time_since_epoch().count()});
  store_big_endian(at + kProducerAt, kNoProducer.value());
  store_big_endian(at + kProducerEpochAt, std::int16_t{-1});
  store_big_endian(at + kBaseSequenceAt, std::int32_t{-1});
  store_big_endian(at + kCountAt, count);
  store_big_endian(at + kCrcAt, crc32c(batch.view().subspan(kCrcCoversFrom)));
}

// The CRC covers neither.
void write_place(std::byte* batch, Offset base, LeaderEpoch epoch) {
  store_big_endian(batch, base.value());
  store_big_endian(batch + kEpochAt, epoch.value());
}

}  // namespace

Result<void> EncodedRecords::add(const RecordFields& fields) {
  const std::size_t size = body_size(fields);
  if (body_bytes_ + size > kRecordBytesMax) {
    return Error{Errc::too_large, "the records of one append take " + std::to_string(body_bytes_ + size) + " bytes, at most " +
                                      std::to_string(kRecordBytesMax) + " are allowed"};
  }
  // All memory first: what throws leaves everything as it was.
  if (entries_.size() == entries_.capacity()) entries_.reserve(std::max<std::size_t>(1, 2 * entries_.size()));
  std::byte* out = batch_.make_room((entries_.empty() ? kBatchHeaderBytes : 0) + kFramingBytesMax + size);
  if (entries_.empty()) {
    max_timestamp_ = fields.timestamp;
    out += kBatchHeaderBytes;
    batch_.take_to(out);
  }
  const Timestamp base = entries_.empty() ? fields.timestamp : entries_.front().timestamp;
  const auto position = [this](const std::byte* at) { return static_cast<std::uint32_t>(at - batch_.data()); };
  out = write_framing(out, delta(fields.timestamp, base), static_cast<std::int32_t>(entries_.size()), size);

  // In its place from the start: made elsewhere and moved, its small fields are waited for when they are read back as one.
  Entry& entry = entries_.emplace_back();
  entry.timestamp = fields.timestamp;
  entry.body_begin = position(out);
  out = write_field(out, fields.key);
  if (fields.key) {
    entry.key_size = static_cast<std::int32_t>(fields.key->size());
    entry.key_begin = position(out) - static_cast<std::uint32_t>(fields.key->size());
  }
  out = write_field(out, fields.value);
  out = write_signed_varint(out, static_cast<std::int64_t>(fields.headers.size()));
  for (const HeaderView& header : fields.headers) {
    out = write_field(out, as_bytes(header.name));
    out = write_field(out, value_of(header));
    if (entry.id_size < 0 && header.has_value && header.name == kIdHeader) {
      entry.id_size = static_cast<std::int32_t>(header.value.size());
      entry.id_begin = position(out) - static_cast<std::uint32_t>(header.value.size());
    }
  }
  entry.body_end = position(out);
  check(entry.body_end - entry.body_begin == size, "a record's body takes as many bytes as were counted");
  batch_.take_to(out);
  body_bytes_ += size;
  max_timestamp_ = std::max(max_timestamp_, fields.timestamp);
  sealed_ = false;
  return {};
}

void EncodedRecords::clear() {
  batch_.clear();
  entries_.clear();
  body_bytes_ = 0;
  sealed_ = false;
}

void EncodedRecords::truncate(std::size_t count) {
  if (count >= entries_.size()) return;
  if (count == 0) return clear();
  for (std::size_t i = count; i < entries_.size(); ++i) body_bytes_ -= entries_[i].body_end - entries_[i].body_begin;
  entries_.resize(count);
  batch_.take_to(batch_.data() + entries_.back().body_end);
  max_timestamp_ = std::ranges::max(entries_, {}, &Entry::timestamp).timestamp;
  sealed_ = false;
}

BytesView EncodedRecords::body(std::size_t index) const {
  const Entry& entry = entries_[index];
  return batch_.view().subspan(entry.body_begin, entry.body_end - entry.body_begin);
}

std::string_view EncodedRecords::text_at(std::uint32_t begin, std::int32_t size) const {
  return as_text(batch_.view().subspan(begin, static_cast<std::size_t>(size)));
}

std::optional<std::string_view> EncodedRecords::key(std::size_t index) const {
  const Entry& entry = entries_[index];
  if (entry.key_size < 0) return std::nullopt;
  return text_at(entry.key_begin, entry.key_size);
}

std::optional<std::string_view> EncodedRecords::id(std::size_t index) const {
  const Entry& entry = entries_[index];
  if (entry.id_size < 0) return std::nullopt;
  return text_at(entry.id_begin, entry.id_size);
}

void EncodedRecords::seal() {
  if (sealed_ || entries_.empty()) return;
  write_header(batch_, static_cast<std::int32_t>(entries_.size()), entries_.front().timestamp, max_timestamp_);
  sealed_ = true;
}

BytesView EncodedRecords::stamp(Offset base, LeaderEpoch epoch, std::optional<Timestamp> log_append_time) {
  check(!entries_.empty(), "a batch holds at least one record");
  if (log_append_time) {
    write_header(batch_, static_cast<std::int32_t>(entries_.size()), entries_.front().timestamp, *log_append_time,
                 kLogAppendTimeBit);
    sealed_ = false;  // another topic keeps the records' own times
  } else {
    seal();
  }
  write_place(batch_.data(), base, epoch);
  return batch_.view();
}

void BatchBuilder::add(const EncodedRecords& records) {
  if (records.empty()) return;
  if (count_ == 0) {
    base_timestamp_ = max_timestamp_ = records.entries().front().timestamp;
    batch_.take_to(batch_.make_room(kBatchHeaderBytes) + kBatchHeaderBytes);
  }
  std::byte* out = batch_.make_room(records.size_bytes() + records.count() * kFramingBytesMax);
  for (std::size_t i = 0; i < records.count(); ++i) {
    const BytesView body = records.body(i);
    out = write_framing(out, delta(records.entries()[i].timestamp, base_timestamp_), count_, body.size());
    out = write_bytes(out, body);
    ++count_;
  }
  batch_.take_to(out);
  max_timestamp_ = std::max(max_timestamp_, records.max_timestamp());
}

void BatchBuilder::clear() {
  batch_.clear();
  count_ = 0;
}

BytesView BatchBuilder::finish(Offset base, LeaderEpoch epoch, std::optional<Timestamp> log_append_time) {
  write_header(batch_, count_, base_timestamp_, log_append_time.value_or(max_timestamp_),
               log_append_time ? kLogAppendTimeBit : std::int16_t{0});
  write_place(batch_.data(), base, epoch);
  return batch_.view();
}

}  // namespace lungo
