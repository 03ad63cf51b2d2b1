// Finished batches as an idempotent producer sends them.
#pragma once

#include "base/byte_order.hpp"
#include "base/crc32c.hpp"
#include "batch_layout.hpp"
#include "batch_validation.hpp"
#include "tests/log/partition_fixture.hpp"

namespace lungo::test {

struct Produced {
  ProducerId producer = kNoProducer;
  std::int16_t epoch = 0;
  std::int32_t sequence = 0;
  std::vector<TestRecord> records{{.key = "k", .value = "v"}};
};

inline void stamp_crc(Bytes& batch) {
  using namespace batch_layout;
  store_big_endian(batch.data() + kCrcAt, crc32c(BytesView{batch}.subspan(kCrcCoversFrom)));
}

inline Bytes encode(const Produced& produced) {
  using namespace batch_layout;
  EncodedRecords records = encode(produced.records);
  const BytesView plain = records.stamp(Offset{0}, kNoEpoch);
  Bytes batch(plain.begin(), plain.end());
  if (produced.producer == kNoProducer) return batch;
  store_big_endian(batch.data() + kProducerAt, produced.producer.value());
  store_big_endian(batch.data() + kProducerEpochAt, produced.epoch);
  store_big_endian(batch.data() + kBaseSequenceAt, produced.sequence);
  stamp_crc(batch);
  return batch;
}

/// `count` records with values that tell producer and sequence.
inline Produced produced_by(std::int64_t producer, std::int32_t sequence, int count = 1, std::int16_t epoch = 0) {
  Produced produced{.producer = ProducerId{producer}, .epoch = epoch, .sequence = sequence, .records = {}};
  for (int i = 0; i < count; ++i) {
    const std::string value = std::to_string(producer) + "/" + std::to_string(epoch) + "/" + std::to_string(sequence + i);
    produced.records.push_back({.key = "p" + std::to_string(producer), .value = value});
  }
  return produced;
}

/// Appends the batch, validated as the partition's options ask for it.
inline Result<Appended> append(PartitionLog& log, const Produced& produced, LeaderEpoch epoch = LeaderEpoch{0},
                               bool key_hashes = false) {
  ProducerBatch batch = ProducerBatch::validate(encode(produced), {.key_hashes = key_hashes}).value();
  GroupItem item;
  item.batch = &batch;
  log.append({&item, 1}, epoch);
  EXPECT_TRUE(item.outcome.has_value());
  return *item.outcome;
}

}  // namespace lungo::test
