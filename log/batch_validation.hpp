// A producer's finished batch: from hostile bytes to what may be written, or the reason why not.
//
// Checked, in this order, the cheap things first: size against the limit, length, magic, the counts of the header, CRC,
// attributes, the producer's fields; then every record, decompressed under the readers' cap. Nothing is allocated before the
// CRC holds, and then no more than the batch's own size and that cap. What passes is read by every reader, and by Kafka's.
//
// The bytes are kept as they are. Changed are the fields that only the log can know: base offset and leader epoch, which the
// CRC does not cover; the largest time where it isn't the records', because the time index rests on it; and, where the topic
// says so, the time of the log (attribute bit 3 and the largest time), with a new CRC. Threads: none of its own; validation
// needs no lock.
#pragma once

#include <vector>

#include <lungo/log/record_batch.hpp>

namespace lungo {

/// What a topic asks of a producer's batch.
struct BatchRules {
  std::uint32_t bytes_max = 1'048'588;
  bool keys_needed = false;  // the topic is compacted
  bool key_hashes = false;   // there is a stream index, which must not miss a record
};

class ProducerBatch {
 public:
  /// Takes a copy of `bytes`, exactly one batch. Errors: as Appender::append_batch().
  static Result<ProducerBatch> validate(BytesView bytes, const BatchRules& rules);

  /// Its base offset and epoch are those of the last stamp().
  [[nodiscard]] const BatchHeader& header() const { return header_; }
  /// Of memory: a batch that is small on the wire may have millions of records, each of which has a hash.
  [[nodiscard]] std::size_t size_bytes() const { return bytes_.size() + key_hashes_.capacity() * sizeof(std::uint64_t); }
  [[nodiscard]] BytesView bytes() const { return bytes_; }
  [[nodiscard]] std::int32_t count() const { return header_.records_count; }
  [[nodiscard]] bool has_producer() const { return header_.producer != kNoProducer; }
  /// Of each record, in order; kNoKeyHash for one without a key. Empty unless the rules ask for them.
  [[nodiscard]] const std::vector<std::uint64_t>& key_hashes() const { return key_hashes_; }

  /// Gives the batch its place in the log, and the log's time if there is one. The view holds as long as the object stays.
  BytesView stamp(Offset base, LeaderEpoch epoch, std::optional<Timestamp> log_append_time);

 private:
  ProducerBatch(BytesView bytes, const BatchHeader& header) : bytes_(bytes.begin(), bytes.end()), header_(header) {}
  Result<void> check_records(const BatchRules& rules);
  void set_max_timestamp(Timestamp time);

  Bytes bytes_;
  BatchHeader header_;
  std::vector<std::uint64_t> key_hashes_;
};

}  // namespace lungo
