// PartitionLog's append of finished batches: a producer's (is it new, its place, its records' keys and ids), and a copy's; and
// what is asked of a log of copies before its source is appended to.

#include <lungo/log/check.hpp>
#include <lungo/log/mirror_batch.hpp>

#include "append_checks.hpp"
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
  note_ids(bytes, first);
  return Appended{.first = first, .end = first.plus(batch.count()), .epoch = epoch};
}

void PartitionLog::Parts::note_ids(BytesView batch, Offset first) {
  if (!recent_ids) return;
  RecordCursor records{batch, first};
  while (const RecordView* record = records.next()) {
    if (const std::optional<std::string_view> id = id_of(*record)) recent_ids->add(key_of(*record), *id, record->offset);
  }
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
  parts.note_ids(batch.bytes, batch.base);
  parts.move_end(batch.end, batch.bytes.size());
  return {};
}

Result<std::optional<Appended>> PartitionLog::find_appended(const EncodedRecords& records, std::optional<Offset> since) {
  Parts& parts = *parts_;
  const Offset end = written_end();
  AppendChecks checks{{.start = start(),
                       .end = end,
                       .epoch = kMirrorEpoch,
                       .epochs = parts.epochs,
                       .streams = parts.options.streams,
                       .copied = true},
                      parts.lookup(end),
                      [&parts] { return parts.ids(); }};
  const Verdict verdict = checks.judge_id(records, since);
  if (!verdict.outcome) return std::optional<Appended>{};
  if (!*verdict.outcome) return verdict.outcome->error();
  return std::optional{**verdict.outcome};
}

Result<std::optional<Offset>> PartitionLog::find_latest(std::string_view key, Offset from) {
  if (!parts_->options.streams) return Error{Errc::unsupported, parts_->directory + " keeps no stream index"};
  return parts_->lookup(written_end()).latest(key, from, [](const RecordView&) { return true; });
}

}  // namespace lungo
