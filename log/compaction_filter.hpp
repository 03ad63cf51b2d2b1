// What compaction leaves of one batch. Pure: bytes in, bytes out.
//
// Of records with the same key only the last one stays. A batch keeps its base offset, last offset delta, epoch, producer
// fields and codec, and its records keep their offsets, times and bytes; with records missing it gets another count, length,
// CRC and, unless its times are the log's, largest time. It stays as it is, byte for byte,
//
//   * when no record goes;
//   * when it is a control batch, or of a transaction: which ones were aborted is not known here, and a record of an aborted
//     one must not take the place of another. Its keys take part in nothing, and above a transaction's records no tombstone
//     goes;
//   * where its records lie at or above the range that the keys were taken from.
//
// A record without a key stays. A record without a value, a tombstone, is the last one of its key and stays for
// `tombstone_age`, so that readers that are late see it: the first time it is met here, its batch gets a delete horizon
// (KIP-534), and it goes when that has passed. The horizon is the batch's base time, with bit 0x40 of the attributes, and the
// records' deltas count from it.
//
// A batch without records left goes, or stays as a header without records, uncompressed, with base time -1 (as Kafka's
// cleaner writes it).
#pragma once

#include <lungo/log/record_batch.hpp>
#include <lungo/log/result.hpp>

#include "key_offsets.hpp"

namespace lungo {

inline constexpr std::int16_t kTransactionalBit = 0x10;

/// Whether the batch's records take the place of others, and give place to them.
inline bool takes_part(const BatchHeader& header) {
  return !header.is_control() && (header.attributes & kTransactionalBit) == 0;
}

/// Which batches stay although no record is left.
enum class Emptied { goes, stays };

class CompactionFilter {
 public:
  struct Settings {
    Timestamp now;
    std::chrono::milliseconds tombstone_age{0};
  };
  /// `keys` outlives the filter.
  CompactionFilter(const KeyOffsets& keys, Settings settings);
  ~CompactionFilter();
  CompactionFilter(const CompactionFilter&) = delete;
  CompactionFilter& operator=(const CompactionFilter&) = delete;

  /// From now on none goes, however old it is.
  void keep_tombstones() { tombstones_stay_ = true; }
  /// What is left of a whole verified batch: nothing, the batch itself (the same view), or another, which holds until the next
  /// call. Errors: corrupt, too_large, unsupported codec: of the records.
  Result<BytesView> clean(BytesView batch, Emptied emptied);

 private:
  struct Record;

  Result<void> take_records(const BatchHeader& header, BytesView records);
  [[nodiscard]] bool stays(const Record& record, const BatchHeader& header) const;
  BytesView rebuilt(const BatchHeader& header, BytesView batch);
  BytesView header_alone(const BatchHeader& header, BytesView batch);
  void finish_header(std::int16_t attributes, std::int64_t base_time, std::int64_t max_time, std::int32_t count);

  const KeyOffsets& keys_;
  const Settings settings_;
  bool tombstones_stay_ = false;
  Bytes decompressed_;
  Bytes out_;
  Bytes compressed_;
  std::vector<Record> kept_;
  std::size_t dropped_ = 0;
  bool needs_horizon_ = false;
};

}  // namespace lungo
