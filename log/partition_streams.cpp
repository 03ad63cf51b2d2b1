// PartitionLog by key and by id: look-ups through the stream index, and keeping it on disk.

#include <algorithm>

#include "partition_parts.hpp"

namespace lungo {

RecordLookup PartitionLog::Parts::lookup(Offset end) {
  const auto relearn = [this](const Segments& list, std::size_t index, Offset offset) {
    const std::shared_ptr<const DamageList> known = damage.get();
    return note_damage(list, index, offset, offset.next()) && damage.get() == known;
  };
  return {{.directory = directory,
           .streams = streams.get(),
           .epochs = epochs,
           .buffers = buffers,
           .gaps = options.gaps,
           .relearn = relearn},
          segments.snapshot(),
          Offset{start},
          end,
          damage.get()};
}

StreamIndex::Log PartitionLog::Parts::stream_log() const {
  return {.storage = ports.storage,
          .directory = directory,
          .segments = segments,
          .epochs = epochs,
          .start = start,
          .options = options};
}

Result<KeyRecords> PartitionLog::read_key(std::string_view key, Offset begin, Offset end, std::size_t records_max) {
  if (parts_->unreadable) return *parts_->unreadable;
  if (!parts_->options.streams) return Error{Errc::unsupported, parts_->directory + " keeps no stream index"};
  static_cast<void>(parts_->finds_rotten_headers(*parts_->segments.snapshot(), end));
  RecordLookup lookup = parts_->lookup(std::min(end, written_end()));
  const auto trimmed = [&] {
    return Error{Errc::history_trimmed, parts_->directory + " starts at offset " + std::to_string(start().value())};
  };
  if (begin < start()) return trimmed();
  Result<KeyRecords> found = lookup.collect(key, begin, records_max);
  return begin < start() ? trimmed() : std::move(found);  // the start moved, and what lay below is not found
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

}  // namespace lungo
