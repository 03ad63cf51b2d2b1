// EncodedRecords and BatchBuilder: how records become a batch. Grammar in record_batch.hpp.

#include <lungo/log/record_batch.hpp>

#include <algorithm>

#include <lungo/log/check.hpp>

#include "batch_layout.hpp"
#include "record_writing.hpp"

namespace lungo {
namespace {

using namespace batch_layout;

// All of the header but the place in the log.
void write_header(GrowingBytes& batch, std::int32_t count, Timestamp base, Timestamp max, std::int16_t attributes = 0) {
  check(count > 0, "a batch holds at least one record");
  write_batch_header(
      batch.data(), batch.size(),
      {.count = count, .last_offset_delta = count - 1, .base_timestamp = base, .max_timestamp = max, .attributes = attributes});
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
  out = write_framing(out, time_delta(fields.timestamp, base), static_cast<std::int32_t>(entries_.size()), size);

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
  out = write_header_count(out, fields);
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
    out = write_framing(out, time_delta(records.entries()[i].timestamp, base_timestamp_), count_, body.size());
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
