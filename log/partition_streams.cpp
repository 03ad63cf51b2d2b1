// PartitionLog by key and by id: look-ups through the stream index, and keeping it on disk.

#include <algorithm>

#include "base/logger.hpp"
#include "partition_parts.hpp"

namespace lungo {

RecordLookup PartitionLog::Parts::lookup(Offset end) const {
  return {segments.snapshot(), Offset{start}, end, epochs, buffers};
}

Result<KeyRecords> PartitionLog::read_key(std::string_view key, Offset begin, Offset end, std::size_t records_max) {
  if (!parts_->options.streams) return Error{Errc::unsupported, parts_->directory + " keeps no stream index"};
  RecordLookup lookup = parts_->lookup(std::min(end, written_end()));
  const auto trimmed = [&] {
    return Error{Errc::history_trimmed, parts_->directory + " starts at offset " + std::to_string(start().value())};
  };
  if (begin < start()) return trimmed();
  Result<KeyRecords> found = lookup.collect(key, begin, records_max);
  return !found && begin < start() ? trimmed() : std::move(found);
}

Result<const RecentIds*> PartitionLog::Parts::ids() {
  if (recent_ids) return recent_ids.get();
  auto built = std::make_unique<RecentIds>();
  const Offset end{written_end};
  const Offset begin{std::max(start.load(), end.value() - RecentIds::kRecords)};
  const std::shared_ptr<const Segments> list = segments.snapshot();
  for (std::size_t i = segment_index(*list, begin).value_or(0); i < list->size(); ++i) {
    const Segment& segment = *(*list)[i];
    const Offset segment_end = i + 1 < list->size() ? (*list)[i + 1]->base() : end;
    const Result<void> read = segment.scan_records(std::max(begin, segment.base()), segment_end, [&](const RecordView& record) {
      if (const std::optional<std::string_view> id = id_of(record)) built->add(key_of(record), *id, record.offset);
    });
    if (!read) return read.error();
  }
  recent_ids = std::move(built);
  return recent_ids.get();
}

// Segments that were sealed since the last sync get their run and give their table's memory back. Nobody's result hangs on it.
void PartitionLog::Parts::write_stream_runs() {
  if (!options.streams) return;
  const std::shared_ptr<const Segments> list = segments.snapshot();
  for (std::size_t i = 0; i + 1 < list->size(); ++i) {
    if ((*list)[i]->base() < first_unindexed_segment) continue;
    if (Result<void> sealed = (*list)[i]->streams()->seal((*list)[i + 1]->base()); !sealed) {
      logger()->warn("stream index of {} is made at the next need: {}", (*list)[i]->path(), sealed.error().text());
    }
  }
  first_unindexed_segment = list->back()->base();
}

}  // namespace lungo
