// PartitionLog's append of finished batches: a producer's (is it new, its place, its records' keys and ids), and a copy's.

#include <lungo/log/check.hpp>
#include <lungo/log/mirror_batch.hpp>

#include "batch_validation.hpp"
#include "partition_parts.hpp"

namespace lungo {

// Check, write and note are one under the owner: of two batches that queued one behind the other the second is judged by what
// became of the first, and one that could not be written leaves nothing.
Result<Appended> PartitionLog::Parts::append_batch(ProducerBatch& batch, LeaderEpoch epoch) {
  const Offset first{written_end.load(std::memory_order_relaxed)};
  const Timestamp now = batch.has_producer() ? ports.clock.now() : Timestamp{};
  if (batch.has_producer()) {
    const Result<std::optional<Appended>> there = check_producer(batch.header(), now);
    if (!there) return there.error();
    if (*there) return **there;
  }
  const BytesView bytes = batch.stamp(first, epoch, log_append_time());
  check(!streams || batch.key_hashes().size() == static_cast<std::size_t>(batch.count()),
        "a stream topic's batch brings its keys");
  const Result<void> written = write(bytes, epoch, batch.count(), batch.header().max_timestamp, batch.key_hashes());
  if (!written) return written.error();
  if (batch.has_producer()) producers.note(batch.header(), now);
  if (recent_ids) {
    RecordCursor records{bytes, first};
    while (const RecordView* record = records.next()) {
      if (const std::optional<std::string_view> id = id_of(*record)) recent_ids->add(key_of(*record), *id, record->offset);
    }
  }
  return Appended{.first = first, .end = first.plus(batch.count()), .epoch = epoch};
}

// Where the batch is, if it is there already. It may still wait for its sync, and so does who sent it again: for its end.
Result<std::optional<Appended>> PartitionLog::Parts::check_producer(const BatchHeader& batch, Timestamp now) {
  const Result<std::optional<ProducedBatch>> there = producers.check(*segments.snapshot(), Offset{written_end}, batch, now);
  if (!there) return there.error().with_context(directory);
  if (!*there) return std::optional<Appended>{};
  const ProducedBatch& known = **there;
  return std::optional{
      Appended{.first = known.first(), .end = known.last.next(), .epoch = epochs.epoch_at(known.first()), .repeated = true}};
}

Result<void> PartitionLog::append_copy(const CopiedBatch& batch) {
  Parts& parts = *parts_;
  if (const std::optional<Error> refusal = parts.refusal()) return *refusal;
  if (!parts.options.gaps) return Error{Errc::unsupported, parts.directory + " takes no copies: its offsets have no gaps"};
  if (batch.base != written_end()) {
    return Error{Errc::invalid_argument,
                 "a copy from offset " + std::to_string(batch.base.value()) + " on can't be put in " + parts.directory +
                     ", which ends at " + std::to_string(written_end().value()),
                 written_end()};
  }
  const Result<StreamIndex::Batch> placed = parts.write_to_segment(batch.bytes, kMirrorEpoch, batch.end, batch.newest);
  if (!placed) return placed.error();
  if (parts.streams) parts.streams->add(*placed, batch.key_hashes, batch.offset_deltas, batch.end);
  parts.recent_ids.reset();  // it has none of these
  parts.move_end(batch.end, batch.bytes.size());
  return {};
}

}  // namespace lungo
