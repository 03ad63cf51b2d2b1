// StreamIndex: what the owner adds, and look-ups.

#include "stream_index.hpp"

#include <algorithm>
#include <utility>

#include <lungo/log/check.hpp>

#include "stream_merge_choice.hpp"

namespace lungo {

// ---- opening ----

Result<std::unique_ptr<StreamIndex>> StreamIndex::open(const Log& log, Offset end) {
  const Offset start{log.start.load()};
  if (log.options.read_only) return std::unique_ptr<StreamIndex>{new StreamIndex(log, end, false)};
  const Result<std::vector<StreamRunName>> names = list_stream_runs(log.storage, log.directory);
  if (!names) return names.error();
  bool removed = false;
  std::int64_t covered = 0;
  for (const StreamRunName& name : *names) {
    if (name.end <= end) {
      covered += std::max<std::int64_t>(0, name.end - std::max(name.begin, start));
      continue;
    }
    Result<void> gone = log.storage.remove(log.directory + "/" + to_file_name(name));
    if (!gone && gone.error() != Errc::not_found) return gone.error();
    removed = true;
  }
  // Durably: the log may grow over their end with other records, and a power cut must not bring them back then.
  if (removed) {
    if (Result<void> synced = log.storage.sync_directory(log.directory); !synced) return synced.error();
  }
  const bool is_due = covered != std::max<std::int64_t>(0, end - start) || names->size() > kMergedRunsMax;
  return std::unique_ptr<StreamIndex>{new StreamIndex(log, end, is_due)};
}

StreamIndex::StreamIndex(const Log& log, Offset end, bool is_due)
    : log_(log),
      table_(std::make_unique<OpenStreamRun>(end, log.options.stream_table_records)),
      pieces_(std::make_shared<const Pieces>(end > Offset{0} ? Pieces{{.begin = Offset{0}, .end = end}} : Pieces{})),
      is_due_(is_due) {}

// ---- the owner's side ----

void StreamIndex::add(const Batch& batch, std::span<const std::uint64_t> hashes) {
  const auto place = static_cast<std::uint32_t>(batch.place);
  bool is_full = false;
  {
    const std::lock_guard lock(mutex_);
    check(batch.first == table_->end(), "each batch is added to the stream index");
    Offset next = batch.first;
    for (const std::uint64_t hash : hashes) {
      table_->add(next, hash, place);
      next = next.next();
    }
    is_full = table_->full();
  }
  note_last(batch, is_full);
}

void StreamIndex::add(const Batch& batch, std::span<const std::uint64_t> hashes, std::span<const std::int32_t> deltas,
                      Offset end) {
  const auto place = static_cast<std::uint32_t>(batch.place);
  bool is_full = false;
  {
    const std::lock_guard lock(mutex_);
    check(batch.first == table_->end() && hashes.size() == deltas.size(), "each batch is added to the stream index");
    for (std::size_t i = 0; i < hashes.size(); ++i) table_->add(batch.first.plus(deltas[i]), hashes[i], place);
    table_->pass(end);
    is_full = table_->full();
  }
  note_last(batch, is_full);
}

void StreamIndex::note_last(const Batch& batch, bool is_full) {
  last_crc_ = batch.crc;
  last_epoch_ = batch.epoch;
  if (!is_full) return;
  rest_table();
  call_due();
}

// A new table begins. Of those that rest already the oldest goes when they are too many: a hole, which is read again.
void StreamIndex::rest_table() {
  const std::lock_guard lock(mutex_);
  const Offset begin = table_->begin();
  const Offset end = table_->end();
  auto next = std::make_unique<OpenStreamRun>(end, log_.options.stream_table_records);
  const auto table =
      std::make_shared<const Table>(Table{.records = std::move(*table_), .crc = last_crc_, .epoch = last_epoch_});
  table_ = std::move(next);
  Pieces pieces = *pieces_;
  pieces.push_back({.begin = begin, .end = end, .table = table});
  std::size_t tables = 0;
  for (auto piece = pieces.rbegin(); piece != pieces.rend(); ++piece) {
    if (piece->table != nullptr && ++tables > kTablesMax) piece->table.reset();
  }
  pieces_ = std::make_shared<const Pieces>(std::move(pieces));
}

Result<void> StreamIndex::truncate(Offset end) {
  const std::lock_guard working(working_);
  drop_merge();
  const Result<std::vector<StreamRunName>> names = list_stream_runs(log_.storage, log_.directory);
  if (!names) return names.error();
  for (const StreamRunName& name : *names) {
    if (name.end <= end) continue;
    Result<void> gone = log_.storage.remove(path_of(name.begin, name.end));
    if (!gone && gone.error() != Errc::not_found) return gone;
  }
  {
    const std::lock_guard lock(mutex_);
    Pieces kept;
    for (const Piece& piece : *pieces_) {
      if (piece.begin >= end) break;
      kept.push_back(piece.end <= end ? piece : Piece{.begin = piece.begin, .end = end});
    }
    if (table_->begin() < end && table_->end() > end) kept.push_back({.begin = table_->begin(), .end = end});
    if (table_->end() > end) table_ = std::make_unique<OpenStreamRun>(end, log_.options.stream_table_records);
    pieces_ = std::make_shared<const Pieces>(std::move(kept));
  }
  call_due();
  return {};
}

Result<void> StreamIndex::save() {
  Result<void> saved;
  for (const bool open_table : {false, true}) {
    const std::lock_guard working(working_);
    if (open_table && table_->end() > table_->begin()) rest_table();
    for (bool more = true; saved && more;) {
      const Result<bool> written = write_oldest_table();
      if (!written) saved = written.error();
      more = written && *written;
    }
  }
  const std::lock_guard working(working_);
  stop();
  return saved;
}

bool StreamIndex::try_stop() {
  const std::unique_lock working(working_, std::try_to_lock);
  if (working) stop();
  return working.owns_lock();
}

/// With `working_`.
void StreamIndex::stop() {
  drop_merge();
  stopped_ = true;
  const std::lock_guard lock(mutex_);
  wake_ = {};
}

void StreamIndex::when_due(std::function<void()> wake) {
  {
    const std::lock_guard lock(mutex_);
    wake_ = wake;
  }
  if (is_due_) wake();
}

void StreamIndex::call_due() {
  if (is_due_.exchange(true)) return;
  std::function<void()> wake;
  {
    const std::lock_guard lock(mutex_);
    wake = wake_;
  }
  if (wake) wake();
}

// ---- look-ups ----

Offset StreamIndex::end() const {
  const std::lock_guard lock(mutex_);
  return table_->end();
}

std::shared_ptr<const StreamIndex::Pieces> StreamIndex::pieces() const {
  const std::lock_guard lock(mutex_);
  return pieces_;
}

// Calls `use` with the table that holds `offset`, if one does; with the open one under the mutex.
std::optional<StreamIndex::Found> StreamIndex::use_piece(Offset offset,
                                                         const std::function<void(const OpenStreamRun&)>& use) const {
  std::shared_ptr<const Pieces> pieces;
  {
    const std::lock_guard lock(mutex_);
    if (offset >= table_->end()) return std::nullopt;
    if (offset >= table_->begin()) {
      use(*table_);
      return Found{.begin = table_->begin(), .end = table_->end(), .in_table = true};
    }
    pieces = pieces_;
  }
  const auto above = std::ranges::upper_bound(*pieces, offset, {}, &Piece::begin);
  if (above == pieces->begin()) return std::nullopt;
  const Piece& piece = *std::prev(above);
  if (offset >= piece.end) return std::nullopt;  // deleted
  if (piece.table != nullptr) use(piece.table->records);
  return Found{.begin = piece.begin, .end = piece.end, .in_table = piece.table != nullptr, .run = piece.run};
}

Result<Offset> StreamIndex::find(std::uint64_t hash, Offset from, Offset end, std::size_t limit, std::vector<Offset>& out) {
  const std::size_t before = out.size();
  if (Result<void> reached = reach(end); !reached) return reached.error();
  for (;;) {
    const std::optional<Found> found =
        use_piece(from, [&](const OpenStreamRun& table) { table.find(hash, from, end, limit, out); });
    if (!found) return end;
    if (!found->in_table && found->run == nullptr) {
      if (Result<void> filled = fill(from); !filled) return filled.error();
      continue;
    }
    if (found->run != nullptr) {
      const Result<void> searched = found->run->find(hash, from, end, limit, out);
      if (!searched) {
        if (searched.error() != Errc::corrupt) return searched.error();
        discard(found->run, searched.error());
        out.resize(before);
        continue;
      }
    }
    return out.size() - before == limit ? out.back().next() : std::min(found->end, end);
  }
}

void StreamIndex::discard(const std::shared_ptr<const StreamRunReader>& run, const Error& cause) {
  {
    const std::lock_guard working(working_);
    make_hole_of(run, cause);
  }
  call_due();
}

}  // namespace lungo
