// PartitionLog's readers' side. No lock is held while anything is read.

#include <algorithm>

#include "partition_parts.hpp"
#include "segment_swap.hpp"

namespace lungo {

Offset PartitionLog::start() const { return Offset{parts_->start.load(std::memory_order_acquire)}; }
Offset PartitionLog::written_end() const { return Offset{parts_->written_end.load(std::memory_order_acquire)}; }
Offset PartitionLog::synced_end() const { return Offset{parts_->synced_end.load(std::memory_order_acquire)}; }
LeaderEpoch PartitionLog::last_epoch() const { return parts_->epochs.last(); }
RecoveryReport PartitionLog::recovery() const { return parts_->recovery; }

std::uint64_t PartitionLog::unsynced_bytes() const {
  const std::uint64_t synced = parts_->synced_bytes.load(std::memory_order_relaxed);
  const std::uint64_t written = parts_->written_bytes.load(std::memory_order_relaxed);
  return written - std::min(written, synced);
}

std::optional<Offset> PartitionLog::end_of_epoch(LeaderEpoch epoch) const {
  return parts_->epochs.end_of(epoch, written_end());
}

Result<Fetched> PartitionLog::read(Offset from, Offset end, std::size_t bytes_max, const TopicId& topic,
                                   PartitionId partition) {
  if (parts_->unreadable) return *parts_->unreadable;
  for (;;) {  // once more for each damage that it meets first: up to it, or the answer that names it
    bool is_news = false;
    Result<Fetched> fetched = parts_->read(from, end, bytes_max, topic, partition, is_news);
    if (!is_news) return fetched;
  }
}

// What `look` finds in the first segment that has something in [from, end); an empty one where none has. `is_news` as in
// is_new_damage().
template <class Run, class Look>
Result<std::optional<Run>> PartitionLog::Parts::first_run(Offset from, Offset end, bool& is_news, Look look) {
  const auto out_of_range = [&](Offset offset) {
    return Error{Errc::offset_out_of_range, "offset " + std::to_string(offset.value()) + " is not in [" +
                                                std::to_string(start.load()) + ", " +
                                                std::to_string(std::min(end, Offset{written_end}).value()) + ")"};
  };
  if (from < Offset{start} || from > end || end > Offset{written_end}) return out_of_range(from);
  if (from == end) return std::optional<Run>{};

  const std::shared_ptr<const DamageList> lost = damage.get();
  const DamagedRange* const hole = lost == nullptr ? nullptr : lost->first_in(from, end);
  if (hole != nullptr && hole->from <= from) {
    is_news = reads_again(*hole);
    return damaged(directory, *hole);
  }
  const Offset readable_end = hole == nullptr ? end : hole->from;

  const std::shared_ptr<const Segments> list = segments.snapshot();
  const std::optional<std::size_t> index = segment_index(*list, from);
  if (!index) return Error{Errc::offset_out_of_range, "no segment holds offset " + std::to_string(from.value())};
  for (std::size_t i = *index; i < list->size() && (*list)[i]->base() < readable_end; ++i) {
    if (finds_rotten_headers(*list, i)) {
      is_news = true;
      return Error{Errc::corrupt, (*list)[i]->path()};
    }
    // The history begins at the start, which may lie inside a batch.
    Result<Run> run = look(*(*list)[i], readable_end, Offset{start});
    if (!run && from < Offset{start}) return out_of_range(from);  // the log may have been trimmed meanwhile
    if (!run) {
      is_news = may_be_damage(run.error()) && is_new_damage(*list, i, from, from.next(), lost);
      return run.error();
    }
    if (!run->empty()) return std::optional{std::move(*run)};
    if (!options.gaps) {
      return Error{Errc::corrupt, (*list)[i]->path() + " ends at offset " + std::to_string(run->end.value()) +
                                      ", but the log has records up to " + std::to_string(end.value())};
    }
  }
  if (hole != nullptr) return damaged(directory, *hole);
  return std::optional<Run>{};
}

Result<Fetched> PartitionLog::Parts::read(Offset from, Offset end, std::size_t bytes_max, const TopicId& topic,
                                          PartitionId partition, bool& is_news) {
  Result<std::optional<BatchRun>> run =
      first_run<BatchRun>(from, end, is_news, [&](const Segment& segment, Offset readable_end, Offset begin) {
        return segment.read(from, readable_end, bytes_max, buffers, epochs, begin);
      });
  if (!run) return run.error();
  Position next{.topic = topic, .partition = partition, .offset = end, .epoch = kNoEpoch};
  if (!*run) {
    next.epoch = epochs.epoch_at(end.plus(-1));
    return Fetched{nullptr, {}, from, next, end};
  }
  next.offset = (*run)->end;
  next.epoch = (*run)->epoch;
  return Fetched{std::move((*run)->buffer), (*run)->batches, from, next, end};
}

Result<FileRange> PartitionLog::read_range(Offset from, Offset end, std::uint64_t bytes_max, const TopicId& topic,
                                           PartitionId partition) {
  if (parts_->unreadable) return *parts_->unreadable;
  for (;;) {
    bool is_news = false;
    Result<FileRange> range = parts_->read_range(from, end, bytes_max, topic, partition, is_news);
    if (!is_news) return range;
  }
}

Result<FileRange> PartitionLog::Parts::read_range(Offset from, Offset end, std::uint64_t bytes_max, const TopicId& topic,
                                                  PartitionId partition, bool& is_news) {
  Result<std::optional<ByteRun>> run =
      first_run<ByteRun>(from, end, is_news, [&](const Segment& segment, Offset readable_end, Offset begin) {
        return segment.range(from, readable_end, bytes_max, buffers, epochs, begin);
      });
  if (!run) return run.error();
  FileRange range;
  range.next = {.topic = topic, .partition = partition, .offset = *run ? (*run)->end : end, .epoch = kNoEpoch};
  range.next.epoch = *run ? (*run)->epoch : epochs.epoch_at(end.plus(-1));
  range.committed_end = end;
  if (!*run) return range;
  range.file = std::move((*run)->file);
  range.position = (*run)->position;
  range.bytes = (*run)->bytes;
  return range;
}

Result<Fetched> PartitionLog::read_back(Offset end, Offset committed, std::size_t bytes_max, const TopicId& topic,
                                        PartitionId partition) {
  if (parts_->unreadable) return *parts_->unreadable;
  for (;;) {
    bool is_news = false;
    Result<Fetched> fetched = parts_->read_back(end, committed, bytes_max, topic, partition, is_news);
    if (!is_news) return fetched;
  }
}

Result<Fetched> PartitionLog::Parts::read_back(Offset end, Offset committed, std::size_t bytes_max, const TopicId& topic,
                                               PartitionId partition, bool& is_news) {
  const Offset begin{start};
  const auto out_of_range = [&] {
    return Error{Errc::offset_out_of_range, "offset " + std::to_string(end.value()) + " is not in [" +
                                                std::to_string(start.load()) + ", " + std::to_string(written_end.load()) + "]"};
  };
  if (end < begin || end > Offset{written_end}) return out_of_range();
  const std::shared_ptr<const DamageList> lost = damage.get();
  const DamagedRange* const hole = lost == nullptr ? nullptr : lost->last_in(begin, end);
  if (hole != nullptr && hole->end >= end) {
    is_news = reads_again(*hole);
    return damaged(directory, *hole);
  }
  const std::shared_ptr<const Segments> list = segments.snapshot();
  const std::optional<std::size_t> last = segment_index(*list, end.plus(-1));
  for (std::size_t index = last ? *last + 1 : 0; index-- > 0 && end > begin;) {
    if (finds_rotten_headers(*list, index)) {
      is_news = true;
      return Error{Errc::corrupt, (*list)[index]->path()};
    }
    Result<BatchRun> run = (*list)[index]->read_back(end, bytes_max, buffers, epochs, begin);
    if (!run && end < Offset{start}) return out_of_range();  // the log may have been trimmed meanwhile
    if (!run) {
      const Offset lowest = std::max((*list)[index]->base(), begin);
      is_news = may_be_damage(run.error()) && is_new_damage(*list, index, lowest, end, lost);
      return run.error();
    }
    if (run->batches.empty()) continue;  // `end` lies in the first batch here
    if (run->end <= begin || (hole != nullptr && run->end <= hole->from)) break;
    const Result<BatchHeader> first = parse_batch_header(run->batches);
    if (!first) return first.error();
    const Position next{.topic = topic, .partition = partition, .offset = run->end, .epoch = run->epoch};
    return Fetched{std::move(run->buffer), run->batches, std::max(first->base_offset, begin), next, committed};
  }
  if (hole != nullptr) return damaged(directory, *hole);
  const Position next{.topic = topic, .partition = partition, .offset = end, .epoch = epochs.epoch_at(end.plus(-1))};
  return Fetched{nullptr, {}, end, next, committed};
}

// A record in a damaged range may have had that time: what lies behind one is no answer.
Result<std::optional<Offset>> PartitionLog::offset_at(Timestamp time, Offset end) {
  if (parts_->unreadable) return *parts_->unreadable;
  Result<std::optional<Offset>> found = find_time(time, end);
  const std::shared_ptr<const DamageList> lost = found ? parts_->damage.get() : nullptr;
  const DamagedRange* const hole = lost == nullptr ? nullptr : lost->first_in(start(), found->value_or(end));
  return hole == nullptr ? std::move(found) : damaged(parts_->directory, *hole);
}

Result<std::optional<Offset>> PartitionLog::offset_at_of_what_is_left(Timestamp time, Offset end) {
  if (parts_->unreadable) return *parts_->unreadable;
  for (;;) {  // once more for each damage that it meets first
    const std::shared_ptr<const DamageList> known = parts_->damage.get();
    Result<std::optional<Offset>> found = find_time(time, end);
    if (found || found.error() != Errc::corrupt || parts_->damage.get() == known) return found;
  }
}

Result<std::optional<Offset>> PartitionLog::find_time(Timestamp time, Offset end) {
  const std::shared_ptr<const Segments> list = parts_->segments.snapshot();
  static_cast<void>(parts_->finds_rotten_headers(*list, end));
  for (const std::shared_ptr<Segment>& segment : *list) {
    if (segment->base() >= end) break;
    for (Offset from = start();;) {
      const std::shared_ptr<const DamageList> known = parts_->damage.get();
      const Result<std::optional<Offset>> batch = segment->first_batch_at(time, from);
      if (!batch && may_be_damage(batch.error())) {  // known from here on, as if it had been read
        const auto index = static_cast<std::size_t>(std::ranges::find(*list, segment) - list->begin());
        const Offset segment_end = index + 1 < list->size() ? std::min(end, (*list)[index + 1]->base()) : end;
        if (parts_->is_new_damage(*list, index, segment->base(), segment_end, known)) continue;
      }
      if (!batch) return batch.error();
      if (!*batch || **batch >= end) break;
      const Result<Fetched> fetched = read(std::max(**batch, from), end, 0, {}, {});
      if (!fetched && start() > from) {  // moved up meanwhile
        from = start();
        continue;
      }
      if (!fetched) return fetched.error();
      RecordCursor records = fetched->records();
      while (const RecordView* record = records.next()) {
        if (record->timestamp >= time) return std::optional{record->offset};
      }
      if (records.error()) return records.error()->with_context(segment->path());
      from = fetched->next().offset;
    }
  }
  return std::optional<Offset>{};
}

Result<void> PartitionLog::refresh(Offset end) {
  if (!parts_->options.read_only || end <= written_end()) return {};
  const std::lock_guard turn(parts_->sync_turn);  // so that the end never goes back; a read-only log has no other use for it
  return end <= written_end() ? Result<void>{} : parts_->follow(end);
}

Result<void> PartitionLog::Parts::follow(Offset end) {
  Segments list = *segments.snapshot();
  if (list.empty()) {
    const Result<std::shared_ptr<Segment>> first = open_to_read(Offset{0});
    if (!first) return first.error();
    list.push_back(*first);
  }
  Offset reached{written_end.load(std::memory_order_acquire)};
  std::optional<std::pair<Offset, Offset>> tried;  // the base of the segment that was opened last, and what for
  for (;;) {
    Segment& last = *list.back();
    if (Result<void> refreshed = last.refresh(); !refreshed) return refreshed;
    const Result<Offset> walked = last.walk_from(reached, end, epochs);
    if (!walked && may_be_damage(walked.error())) {
      const SearchLimits limits{.base_max = end, .gaps_below = last.gaps_below()};
      if (note_damage(last, last.find_damage(reached, end, limits, nullptr, reached))) continue;
    }
    if (!walked) return walked.error();
    reached = *walked;
    if (reached >= end) break;
    const Result<std::shared_ptr<Segment>> next = open_to_read_behind(reached);
    if (!next) return next.error().with_context("the writer's end is " + std::to_string(end.value()));
    if (tried && *tried == std::pair{(*next)->base(), reached}) {  // it has no more than when it was opened before
      return Error{Errc::not_found, (*next)->path() + " ends at offset " + std::to_string(reached.value()) +
                                        ", the writer's end is " + std::to_string(end.value())};
    }
    tried = {(*next)->base(), reached};
    // One that was exchanged begins further down, and has all that is left of the records of those.
    while (!list.empty() && list.back()->base() >= (*next)->base()) {
      damage.forget(list.back()->file_name());
      list.pop_back();
    }
    list.push_back(*next);
  }
  start.store(std::max({Offset{start}, options.start, list.front()->base()}).value(), std::memory_order_release);
  segments.assign(std::move(list));
  written_end.store(reached.value(), std::memory_order_release);
  synced_end.store(reached.value(), std::memory_order_release);
  return {};
}

Result<std::shared_ptr<Segment>> PartitionLog::Parts::open_to_read(Offset base, bool waits) const {
  Result<std::shared_ptr<Segment>> segment =
      Segment::open(ports.storage, directory, base, options, waits ? kSwapSuffix : std::string_view{});
  if (segment && options.dense_end && is_as_appended(ports.storage, directory, base)) (*segment)->expect_no_gaps();
  return segment;
}

// The segment that goes on at `reached`. With gaps that may be another one than that of which all has been read, and has its
// name: compaction puts several together. Only where none that begins below has more, there is a gap.
Result<std::shared_ptr<Segment>> PartitionLog::Parts::open_to_read_behind(Offset reached) const {
  if (!options.gaps) return open_to_read(reached);
  const Result<std::vector<ReadableSegment>> found = readable_segments(ports.storage, directory);
  if (!found) return found.error();
  const auto open_it = [this](const ReadableSegment& segment) { return open_to_read(segment.base, segment.waits); };
  const auto next = std::ranges::upper_bound(*found, reached, {}, &ReadableSegment::base);
  if (next != found->begin()) {
    Result<std::shared_ptr<Segment>> below = open_it(*std::prev(next));
    if (!below || (*below)->base() == reached) return below;
    const Result<std::optional<BatchHeader>> goes_on = (*below)->batch_holding(reached);
    if (!goes_on) return goes_on.error();
    if (*goes_on) return below;
  }
  if (next == found->end()) return Error{Errc::not_found, directory + " ends at offset " + std::to_string(reached.value())};
  return open_it(*next);
}

}  // namespace lungo
