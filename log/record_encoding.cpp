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

std::string_view text_at(const Bytes& bytes, std::uint32_t begin, std::int32_t size) {
  return as_text(BytesView{bytes}.subspan(begin, static_cast<std::size_t>(size)));
}

}  // namespace

Result<void> EncodedRecords::add(const RecordFields& fields) {
  const std::size_t size = body_size(fields);
  if (bodies_.size() + size > kRecordBytesMax) {
    return Error{Errc::too_large, "the records of one append take " + std::to_string(bodies_.size() + size) +
                                      " bytes, at most " + std::to_string(kRecordBytesMax) + " are allowed"};
  }
  const std::size_t begin = bodies_.size();
  bodies_.resize(begin + size);
  const auto position = [this](const std::byte* at) { return static_cast<std::uint32_t>(at - bodies_.data()); };

  Entry entry{.timestamp = fields.timestamp};
  std::byte* out = write_field(bodies_.data() + begin, fields.key);
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
  check(entry.body_end == bodies_.size(), "a record's body takes as many bytes as were counted");
  entries_.push_back(entry);
  return {};
}

void EncodedRecords::clear() {
  bodies_.clear();
  entries_.clear();
}

BytesView EncodedRecords::body(std::size_t index) const {
  const std::size_t begin = index == 0 ? 0 : entries_[index - 1].body_end;
  return BytesView{bodies_}.subspan(begin, entries_[index].body_end - begin);
}

std::optional<std::string_view> EncodedRecords::key(std::size_t index) const {
  const Entry& entry = entries_[index];
  if (entry.key_size < 0) return std::nullopt;
  return text_at(bodies_, entry.key_begin, entry.key_size);
}

std::optional<std::string_view> EncodedRecords::id(std::size_t index) const {
  const Entry& entry = entries_[index];
  if (entry.id_size < 0) return std::nullopt;
  return text_at(bodies_, entry.id_begin, entry.id_size);
}

void BatchBuilder::add(const EncodedRecords& records) {
  if (count_ == 0 && !records.empty()) {
    base_timestamp_ = max_timestamp_ = records.entries().front().timestamp;
    size_ = kBatchHeaderBytes;
  }
  // The buffer only ever grows, so that its zero-filling is paid once and not per record.
  const std::size_t room = size_ + records.size_bytes() + records.count() * kFramingBytesMax;
  if (buffer_.size() < room) buffer_.resize(std::max(room, 2 * buffer_.size()));

  std::byte* out = buffer_.data() + size_;
  for (std::size_t i = 0; i < records.count(); ++i) {
    const EncodedRecords::Entry& entry = records.entries()[i];
    const BytesView body = records.body(i);
    // Subtracted as unsigned: two extreme times may lie further apart than a signed number can say, and the reader's sum
    // wraps back.
    const auto timestamp_delta =
        static_cast<std::int64_t>(static_cast<std::uint64_t>(entry.timestamp.time_since_epoch().count()) -
                                  static_cast<std::uint64_t>(base_timestamp_.time_since_epoch().count()));
    const std::size_t size = 1 + signed_varint_size(timestamp_delta) + signed_varint_size(count_) + body.size();
    out = write_signed_varint(out, static_cast<std::int64_t>(size));
    *out++ = std::byte{0};  // attributes, none are defined
    out = write_signed_varint(out, timestamp_delta);
    out = write_signed_varint(out, count_);
    out = write_bytes(out, body);
    max_timestamp_ = std::max(max_timestamp_, entry.timestamp);
    ++count_;
  }
  size_ = static_cast<std::size_t>(out - buffer_.data());
}

void BatchBuilder::clear() {
  size_ = 0;
  count_ = 0;
}

BytesView BatchBuilder::finish(Offset base, LeaderEpoch epoch) {
  check(count_ > 0, "a batch holds at least one record");
  std::byte* const at = buffer_.data();
  store_big_endian(at, base.value());
  store_big_endian(at + kLengthAt, static_cast<std::int32_t>(size_ - kBatchPrefixBytes));
  store_big_endian(at + kEpochAt, epoch.value());
  store_big_endian(at + kMagicAt, std::int8_t{2});
  store_big_endian(at + kAttributesAt, std::int16_t{0});
  store_big_endian(at + kLastDeltaAt, count_ - 1);
  store_big_endian(at + kBaseTimestampAt, std::int64_t{base_timestamp_.time_since_epoch().count()});
  store_big_endian(at + kMaxTimestampAt, std::int64_t{max_timestamp_.time_since_epoch().count()});
  store_big_endian(at + kProducerAt, kNoProducer.value());
  store_big_endian(at + kProducerEpochAt, std::int16_t{-1});
  store_big_endian(at + kBaseSequenceAt, std::int32_t{-1});
  store_big_endian(at + kCountAt, count_);
  const BytesView batch = BytesView{buffer_}.first(size_);
  store_big_endian(at + kCrcAt, crc32c(batch.subspan(kCrcCoversFrom)));
  return batch;
}

}  // namespace lungo
