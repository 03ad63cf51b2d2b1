// What a partition knows of its idempotent producers: the last five batches of each, and whether another one may follow.
//
// Pure: headers and times in, verdicts out. The rules are Kafka's (KIP-98, KIP-360; ProducerStateManager, ProducerAppendInfo):
//   - of a producer that is not known, any batch;
//   - an older epoch: fenced. A newer one begins with sequence 0 and forgets the batches of the one before;
//   - one of the last five batches again, by first and last sequence: a duplicate, answered with its offsets;
//   - otherwise the first sequence is the one after the last, and 0 comes after 2,147,483,647. Else: out of sequence.
// Where some of the log is damaged nobody knows whose batches were there. What a producer sends that has none known behind it
// may be one of those again, and what comes between may be lost: out of sequence, which tells a Kafka client of possible loss,
// and makes it begin a new epoch. Not so the first of an epoch, or of a producer that is not known: that may be written, as
// ever. A producer that has not appended for `expiry` is forgotten, unless it has a transaction open (in a log of Apache
// Kafka's). Of more than a million producers those go first that have been quiet the longest. Threads: the owner's.
#pragma once

#include <array>
#include <map>
#include <optional>
#include <span>
#include <vector>

#include <lungo/log/record_batch.hpp>

namespace lungo {

/// The sequence `delta` records behind `sequence`.
std::int32_t sequence_after(std::int32_t sequence, std::int32_t delta);

/// A batch that a producer has written.
struct ProducedBatch {
  std::int32_t last_sequence = -1;
  Offset last;
  std::int32_t offset_delta = 0;  // of its last record

  [[nodiscard]] Offset first() const { return last.plus(-std::int64_t{offset_delta}); }
  [[nodiscard]] std::int32_t first_sequence() const;
  friend bool operator==(const ProducedBatch&, const ProducedBatch&) = default;
};

inline constexpr std::int32_t kNoCoordinator = -1;

struct Producer {
  static constexpr std::size_t kBatches = 5;

  ProducerId id = kNoProducer;
  std::int16_t epoch = -1;
  std::uint8_t batch_count = 0;
  std::array<ProducedBatch, kBatches> batches{};  // the first `batch_count`, oldest first
  Timestamp seen;                                 // when it appended last
  // Kafka's transactions, carried along for it.
  std::int32_t coordinator_epoch = kNoCoordinator;
  std::optional<Offset> transaction;  // that is open: its first record

  [[nodiscard]] std::span<const ProducedBatch> known() const { return std::span{batches}.first(batch_count); }
  void add(const ProducedBatch& batch);
  friend bool operator==(const Producer&, const Producer&) = default;
};

class ProducerState {
 public:
  static constexpr std::size_t kProducersMax = 1'000'000;

  explicit ProducerState(std::chrono::milliseconds expiry, std::size_t producers_max = kProducersMax)
      : expiry_(expiry), producers_max_(producers_max) {}

  /// What is to become of a producer's batch that wants to be appended: nothing when it may be written, the batch that is there
  /// already when it is a duplicate. Changes nothing. `lost_from`: where the last records begin that are damaged, if any are.
  /// Errors: out_of_sequence, producer_fenced.
  [[nodiscard]] Result<std::optional<ProducedBatch>> check(const BatchHeader& batch, Timestamp now,
                                                           std::optional<Offset> lost_from = std::nullopt) const;
  /// The batch of a producer lies in the log, at its base offset. Also for those that are read again: nothing is checked.
  void note(const BatchHeader& batch, Timestamp now);
  /// Adds one that a snapshot knows, unless it is known already up to there, or expired.
  void add(Producer producer, Timestamp now);
  void set_expiry(std::chrono::milliseconds expiry) { expiry_ = expiry; }
  /// Forgets who has expired.
  void expire(Timestamp now);

  [[nodiscard]] std::size_t size() const { return producers_.size(); }
  /// Ascending by id.
  [[nodiscard]] std::vector<Producer> producers() const;

 private:
  [[nodiscard]] bool is_expired(const Producer& producer, Timestamp now) const;
  Producer& find_or_add(ProducerId id, Timestamp now);
  void make_room(Timestamp now);

  std::chrono::milliseconds expiry_;
  const std::size_t producers_max_;
  std::map<ProducerId, Producer> producers_;  // ids are the clients' to choose: no hash table
  std::optional<Timestamp> swept_;
};

}  // namespace lungo
