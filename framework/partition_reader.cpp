#include <lungo/framework/partition_reader.hpp>

namespace lungo {

PartitionReader::PartitionReader(EventLog& log, const TopicInfo& topic, Position from, std::size_t chunk_bytes)
    : log_(&log), partition_{topic.spec.name, from.partition}, position_(from), chunk_bytes_(chunk_bytes) {}

Result<const Envelope*> PartitionReader::next() {
  while (true) {
    if (cursor_) {
      if (const RecordView* record = cursor_->next()) {
        position_.offset = record->offset.next();
        position_.epoch = record->epoch;
        Result<void> parsed = parse_envelope_into(partition_.topic, partition_.partition, *record, envelope_);
        if (!parsed) return parsed.error();
        return &envelope_;
      }
      if (cursor_->error()) {
        const Error error = *cursor_->error();
        cursor_.reset();  // the next call reads again from position_
        return error.with_context(to_string(partition_));
      }
      position_ = chunk_->next();
      cursor_.reset();
    }
    Result<bool> more = fetch();
    if (!more) return more.error();
    if (!*more) return nullptr;
  }
}

Result<bool> PartitionReader::fetch() {
  Result<Fetched> chunk = log_->read(partition_, position_.offset, chunk_bytes_);
  if (!chunk) return chunk.error();
  committed_end_ = chunk->committed_end();
  if (chunk->empty()) {
    // Where offsets are missing up to the end: what comes next is above it, and waiting for less would never pause.
    if (chunk->next().offset > position_.offset) position_ = chunk->next();
    return false;
  }
  chunk_.emplace(std::move(*chunk));
  cursor_.emplace(chunk_->records());
  return true;
}

void PartitionReader::seek(const Position& position) {
  position_ = position;
  cursor_.reset();
  chunk_.reset();
}

}  // namespace lungo
