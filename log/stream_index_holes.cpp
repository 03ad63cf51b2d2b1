// StreamIndex: which runs there are, and what of the log none covers. All with `working_` held.

#include <algorithm>
#include <utility>

#include "base/logger.hpp"
#include "key_hash.hpp"
#include "stream_index.hpp"

namespace lungo {

// ---- what there is ----

std::string StreamIndex::path_of(Offset begin, Offset end) const { return log_.directory + "/" + to_file_name({begin, end}); }

// Puts `by` in the place of the pieces of [begin, end), which ends where one of them ends; the first one may begin below.
void StreamIndex::replace(Offset begin, Offset end, const Pieces& by) {
  const std::lock_guard lock(mutex_);
  Pieces pieces;
  for (const Piece& piece : *pieces_) {
    if (piece.end <= begin || piece.begin >= end) pieces.push_back(piece);
    if (piece.end != end) continue;
    pieces.insert(pieces.end(), by.begin(), by.end());
  }
  pieces_ = std::make_shared<const Pieces>(std::move(pieces));
}

// Finds the runs that belong to this log, the widest first: a merged one before what it was made of. Those that are left over
// or no good are removed; what none covers is a hole.
Result<void> StreamIndex::load() {
  const std::shared_ptr<const Pieces> list = pieces();
  loaded_ = list->empty() || !list->front().is_hole();
  if (loaded_) return {};
  const Offset end = list->front().end;
  constexpr int kAttempts = 5;
  Result<Pieces> runs = open_runs(end);
  // Beside a writer a run may go between the look at the names and its opening: into another one.
  for (int attempt = 1; !runs && runs.error() == Errc::not_found && attempt < kAttempts; ++attempt) runs = open_runs(end);
  if (!runs) return runs.error();
  Pieces pieces;
  Offset covered = runs->empty() ? start() : std::min(start(), runs->front().begin);
  for (Piece& run : *runs) {
    if (covered < run.begin) pieces.push_back({.begin = covered, .end = run.begin});
    covered = run.end;
    pieces.push_back(std::move(run));
  }
  if (covered < end) pieces.push_back({.begin = covered, .end = end});
  replace(list->front().begin, end, pieces);
  loaded_ = true;
  return {};
}

// Those up to `end`, ascending. Errors: not_found, of a read-only log: to be tried again; io.
Result<StreamIndex::Pieces> StreamIndex::open_runs(Offset end) const {
  const Result<std::vector<StreamRunName>> names = list_stream_runs(log_.storage, log_.directory);
  if (!names) return names.error();
  Pieces runs;
  for (const StreamRunName& name : *names) {
    if (name.begin >= end) continue;  // written since
    const bool is_taken = std::ranges::any_of(runs, [&](const Piece& p) { return p.begin < name.end && name.begin < p.end; });
    Result<std::shared_ptr<const StreamRunReader>> run{std::shared_ptr<const StreamRunReader>{}};
    if (!is_taken) run = open_run(name, end);
    if (!run) return run.error();
    if (*run != nullptr) {
      runs.push_back({.begin = name.begin, .end = name.end, .run = std::move(*run)});
    } else if (writes()) {
      static_cast<void>(log_.storage.remove(path_of(name.begin, name.end)).has_value());
    }
  }
  std::ranges::sort(runs, {}, &Piece::begin);
  return runs;
}

// Null: it is damaged, of a newer version, or of another history.
Result<std::shared_ptr<const StreamRunReader>> StreamIndex::open_run(const StreamRunName& name, Offset end) const {
  const std::shared_ptr<const StreamRunReader> none;
  if (name.end > end || name.end <= start()) return none;
  Result<std::shared_ptr<const StreamRunReader>> run = StreamRunReader::open(log_.storage, path_of(name.begin, name.end));
  if (!run) {
    const Errc code = run.error().code();
    if (code == Errc::not_found && writes()) return none;
    if (code != Errc::corrupt && code != Errc::newer_format) return run.error();
    logger()->warn("stream index is made anew: {}", run.error().text());
    return none;
  }
  const StreamRunOrigin& origin = (*run)->origin();
  if (origin.begin != name.begin || origin.end != name.end) return none;
  const Result<bool> ours = belongs(origin);
  if (!ours) return ours.error();
  return *ours ? *run : none;
}

// Whether the batch that ends at its end is the run's. Where records are compacted away batches are made anew, with the epoch.
Result<bool> StreamIndex::belongs(const StreamRunOrigin& origin) const {
  const Offset last = origin.end.plus(-1);
  if (log_.epochs.epoch_at(last) != origin.epoch) return false;
  if (log_.options.gaps && !log_.options.gaps_inside) return true;
  const std::shared_ptr<const Segments> segments = log_.segments.snapshot();
  const std::optional<std::size_t> index = segment_index(*segments, last);
  if (!index) return false;
  const Result<std::optional<BatchHeader>> batch = (*segments)[*index]->batch_holding(last);
  if (!batch) return batch.error() == Errc::corrupt ? Result<bool>{false} : batch.error();
  return *batch && (*batch)->end_offset() == origin.end && (*batch)->crc == origin.batch_crc;
}

// ---- holes ----

Result<void> StreamIndex::fill(Offset wanted) {
  const std::lock_guard working(working_);
  if (!loaded_) return load();
  const std::shared_ptr<const Pieces> list = pieces();
  const auto above = std::ranges::upper_bound(*list, wanted, {}, &Piece::begin);
  if (above == list->begin() || !std::prev(above)->is_hole()) return {};  // somebody was faster
  return fill_part(*std::prev(above), wanted);
}

// As far as the hole shares a segment with `wanted`, and no damage lies between: who looks may need no more.
Result<void> StreamIndex::fill_part(const Piece& hole, Offset wanted) {
  const Offset begin = std::max(hole.begin, start());
  const std::shared_ptr<const Segments> segments = log_.segments.snapshot();
  const std::optional<std::size_t> index = segment_index(*segments, std::max(wanted, begin));
  if (!index) return {};    // the start moves: who looks, looks again
  if (begin >= hole.end) {  // deleted meanwhile
    replace(hole.begin, hole.end, {});
    return {};
  }
  const Segment& segment = *(*segments)[*index];
  Offset from = std::max(begin, segment.base());
  Offset end = *index + 1 < segments->size() ? std::min(hole.end, (*segments)[*index + 1]->base()) : hole.end;
  if (const std::shared_ptr<const DamageList> damage = segment.damage()) {
    const Offset at = std::max(wanted, begin);
    if (const DamagedRange* const lost = damage->first_in(at, at.next())) return damaged(log_.directory, *lost);
    if (const DamagedRange* const below = damage->last_in(from, at)) from = below->end;
    if (const DamagedRange* const above = damage->first_in(at, end)) end = above->from;
  }
  Pieces made;
  if (begin < from) made.push_back({.begin = begin, .end = from});
  const Result<void> read = read_log(segment, from, end, [&](Table table) -> Result<void> {
    Piece piece{.begin = table.records.begin(), .end = table.records.end()};
    Result<std::shared_ptr<const StreamRunReader>> run{std::shared_ptr<const StreamRunReader>{}};
    if (writes()) run = write(table);
    if (!run) logger()->warn("stream index stays in memory: {}", run.error().text());
    if (run && *run != nullptr) {
      piece.run = std::move(*run);
    } else {
      piece.table = std::make_shared<const Table>(std::move(table));
    }
    made.push_back(std::move(piece));
    return {};
  });
  if (!read) return read;
  if (end < hole.end) made.push_back({.begin = end, .end = hole.end});
  replace(hole.begin, hole.end, made);
  return {};
}

std::optional<DamagedRange> StreamIndex::lost_at(Offset offset) const {
  const std::shared_ptr<const Segments> segments = log_.segments.snapshot();
  const std::optional<std::size_t> index = segment_index(*segments, offset);
  const std::shared_ptr<const DamageList> damage = index ? (*segments)[*index]->damage() : nullptr;
  const DamagedRange* const lost = damage == nullptr ? nullptr : damage->first_in(offset, offset.next());
  return lost == nullptr ? std::nullopt : std::optional{*lost};
}

// Hands over the records of [begin, end), which lie in one segment, in tables that end between two batches.
Result<void> StreamIndex::read_log(const Segment& segment, Offset begin, Offset end,
                                   const std::function<Result<void>(Table)>& take) const {
  const auto fresh = [this](Offset at) { return Table{.records = OpenStreamRun{at, log_.options.stream_table_records}}; };
  Table table = fresh(begin);
  std::uint32_t place = 0;
  const auto take_record = [&](const RecordView& record) {
    if (record.offset >= end) return;
    table.records.add(record.offset, record.has_key ? key_hash(as_text(record.key)) : kNoKeyHash, place);
  };
  const auto begin_batch = [&](const BatchHeader& header, std::uint64_t position) -> Result<void> {
    if (table.records.full()) {
      table.records.pass(std::max(table.records.end(), std::min(header.base_offset, end)));
      const Offset next = table.records.end();
      Result<void> taken = take(std::exchange(table, fresh(next)));
      if (!taken) return taken;
    }
    place = static_cast<std::uint32_t>(position);
    table.crc = header.crc;
    table.epoch = header.epoch;
    return {};
  };
  if (Result<void> read = segment.scan_records(begin, end, take_record, begin_batch); !read) return read;
  table.records.pass(std::max(end, table.records.end()));
  table.epoch = log_.epochs.epoch_at(end.plus(-1));
  return take(std::move(table));
}

// The writer has made runs of it, by and by: when too much is in memory all is looked for in the directory again.
void StreamIndex::rest_table_of_reader() {
  rest_table();
  const std::lock_guard lock(mutex_);
  if (std::ranges::none_of(*pieces_, &Piece::is_hole)) return;
  pieces_ = std::make_shared<const Pieces>(Pieces{{.begin = pieces_->front().begin, .end = pieces_->back().end}});
  loaded_ = false;
}

// A read-only log's own table follows the log.
Result<void> StreamIndex::reach(Offset end) {
  if (!log_.options.read_only || this->end() >= end) return {};
  const std::lock_guard working(working_);
  const std::shared_ptr<const Segments> segments = log_.segments.snapshot();
  if (!loaded_) {  // the writer's runs may reach further by now
    const std::lock_guard lock(mutex_);
    if (table_->begin() == table_->end() && table_->end() < end) {
      const Offset begin = pieces_->empty() ? table_->begin() : pieces_->front().begin;
      pieces_ = std::make_shared<const Pieces>(Pieces{{.begin = begin, .end = end}});
      table_ = std::make_unique<OpenStreamRun>(end, log_.options.stream_table_records);
    }
  }
  for (Offset at = this->end(); at < end; at = this->end()) {
    if (segments->empty()) break;
    const std::size_t index = segment_index(*segments, at).value_or(0);
    at = std::max(at, (*segments)[index]->base());  // what is deleted is not asked for
    const Offset segment_end = index + 1 < segments->size() ? std::min(end, (*segments)[index + 1]->base()) : end;
    Result<void> read = (*segments)[index]->scan_records(
        at, segment_end,
        [&](const RecordView& record) {
          if (record.offset >= segment_end) return;
          const std::lock_guard lock(mutex_);
          table_->add(record.offset, record.has_key ? key_hash(as_text(record.key)) : kNoKeyHash, reading_place_);
        },
        [&](const BatchHeader& /*header*/, std::uint64_t position) -> Result<void> {
          reading_place_ = static_cast<std::uint32_t>(position);
          if (table_->full()) rest_table_of_reader();
          return {};
        });
    if (!read) return read;
    const std::lock_guard lock(mutex_);
    table_->pass(std::max(segment_end, table_->end()));
  }
  return {};
}

}  // namespace lungo
