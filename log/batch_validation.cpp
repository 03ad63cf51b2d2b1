#include "batch_validation.hpp"

#include <algorithm>
#include <array>

#include <lungo/log/compression.hpp>

#include "base/byte_order.hpp"
#include "base/crc32c.hpp"
#include "batch_layout.hpp"
#include "key_hash.hpp"

namespace lungo {
namespace {

using namespace batch_layout;

constexpr int kCodecs = 5;  // none, gzip, snappy, lz4, zstd
constexpr auto kUnknownBits = std::int16_t(~0x7f);

Error corrupt(std::string text) { return {Errc::corrupt, "a producer's batch: " + std::move(text)}; }
Error refused(std::string text) { return {Errc::invalid_argument, "a producer's batch " + std::move(text)}; }

// The offset that a producer wrote says nothing, and may be anything.
Result<BatchHeader> parse_without_place(BytesView bytes) {
  std::array<std::byte, kBatchHeaderBytes> copy{};
  const std::size_t size = std::min(bytes.size(), copy.size());
  std::copy_n(bytes.begin(), size, copy.begin());
  store_big_endian(copy.data(), std::int64_t{0});
  return parse_batch_header(BytesView{copy}.first(size));
}

Result<void> check_attributes(const BatchHeader& header) {
  if (header.compression() >= kCodecs) {
    return Error{Errc::unsupported,
                 "a producer's batch has codec " + std::to_string(header.compression()) + ", which has no name"};
  }
  if (header.is_control()) return refused("is a control batch");
  if (header.is_transactional()) return Error{Errc::unsupported, "a producer's batch is part of a transaction"};
  if (header.is_log_append_time()) return refused("claims the log's time for its own");
  if ((header.attributes & (kDeleteHorizonBit | kUnknownBits)) != 0) {
    return refused("has attributes " + std::to_string(header.attributes) + ", of which some are not a producer's");
  }
  return {};
}

Result<void> check_producer(const BatchHeader& header) {
  if (header.producer == kNoProducer) return {};
  if (header.producer < kNoProducer) return refused("has producer id " + std::to_string(header.producer.value()));
  if (header.producer_epoch < 0 || header.base_sequence < 0) {
    return refused("of producer " + std::to_string(header.producer.value()) + " has epoch " +
                   std::to_string(header.producer_epoch) + " and sequence " + std::to_string(header.base_sequence));
  }
  return {};
}

bool has_whole_headers(const RecordView& record) {
  HeaderCursor headers{record};
  while (headers.next() != nullptr) continue;
  return headers.ok();
}

}  // namespace

Result<ProducerBatch> ProducerBatch::validate(BytesView bytes, const BatchRules& rules) {
  if (bytes.size() > rules.bytes_max) {
    return Error{Errc::too_large, "a producer's batch takes " + std::to_string(bytes.size()) + " bytes, at most " +
                                      std::to_string(rules.bytes_max) + " are allowed"};
  }
  const Result<BatchHeader> header = parse_without_place(bytes);
  if (!header) return corrupt(std::string(header.error().text()));
  if (header->size_bytes() != bytes.size()) {
    return corrupt("its length says " + std::to_string(header->size_bytes()) + " bytes, here are " +
                   std::to_string(bytes.size()));
  }
  if (crc32c(bytes.subspan(kCrcCoversFrom)) != header->crc) return corrupt("its CRC differs");
  if (Result<void> good = check_attributes(*header); !good) return good.error();
  if (Result<void> good = check_producer(*header); !good) return good.error();
  if (header->records_count < 1 || header->records_count - 1 != header->last_offset_delta) {
    return refused("has " + std::to_string(header->records_count) + " records and a last offset delta of " +
                   std::to_string(header->last_offset_delta));
  }
  ProducerBatch batch{bytes, *header};
  store_big_endian(batch.bytes_.data(), std::int64_t{0});
  if (Result<void> good = batch.check_records(rules); !good) return good.error();
  return batch;
}

// As a reader goes through them.
Result<void> ProducerBatch::check_records(const BatchRules& rules) {
  RecordCursor records{bytes_, Offset{0}};
  Timestamp newest = Timestamp::min();
  Offset expected;
  while (const RecordView* record = records.next()) {
    const auto what = [&expected] { return "has a record at offset delta " + std::to_string(expected.value()); };
    if (record->offset != expected) return refused(what() + " that calls itself " + std::to_string(record->offset.value()));
    if (!has_whole_headers(*record))
      return corrupt("the headers of the record at offset delta " + std::to_string(expected.value()));
    if (rules.keys_needed && !record->has_key) return refused(what() + " without a key, and the topic is compacted");
    if (rules.key_hashes) key_hashes_.push_back(record->has_key ? key_hash(as_text(record->key)) : kNoKeyHash);
    newest = std::max(newest, record->timestamp);
    expected = expected.next();
  }
  if (records.error()) {
    const Error& error = *records.error();
    return Error{error.code(), "a producer's batch: " + std::string(error.text())};
  }
  if (header_.max_timestamp != newest) set_max_timestamp(newest);
  return {};
}

void ProducerBatch::set_max_timestamp(Timestamp time) {
  header_.max_timestamp = time;
  store_big_endian(bytes_.data() + kMaxTimestampAt, std::int64_t{time.time_since_epoch().count()});
  header_.crc = crc32c(BytesView{bytes_}.subspan(kCrcCoversFrom));
  store_big_endian(bytes_.data() + kCrcAt, header_.crc);
}

BytesView ProducerBatch::stamp(Offset base, LeaderEpoch epoch, std::optional<Timestamp> log_append_time) {
  header_.base_offset = base;
  header_.epoch = epoch;
  store_big_endian(bytes_.data(), base.value());
  store_big_endian(bytes_.data() + kEpochAt, epoch.value());
  if (log_append_time) {
    header_.attributes |= kLogAppendTimeBit;
    store_big_endian(bytes_.data() + kAttributesAt, header_.attributes);
    set_max_timestamp(*log_append_time);
  }
  return bytes_;
}

}  // namespace lungo
