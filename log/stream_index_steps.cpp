// StreamIndex: tables become runs, and runs fewer runs, in bounded steps. All with `working_` held.

#include <algorithm>
#include <utility>

#include "base/logger.hpp"
#include "stream_index.hpp"
#include "stream_merge_choice.hpp"

namespace lungo {

// ---- runs ----

Result<std::shared_ptr<const StreamRunReader>> StreamIndex::write(const Table& table) const {
  const std::string path = path_of(table.records.begin(), table.records.end());
  // Not synced: what a crash spoils fails its checks, and is read from the log again.
  Result<void> written = table.records.write(log_.storage, path, table.crc, table.epoch, false);
  if (!written) return written.error();
  return StreamRunReader::open(log_.storage, path);
}

void StreamIndex::make_hole_of(const std::shared_ptr<const StreamRunReader>& run, const Error& cause) {
  const std::shared_ptr<const Pieces> list = pieces();
  const auto piece = std::ranges::find(*list, run, &Piece::run);
  if (piece == list->end()) return;
  logger()->warn("stream index is made anew: {}", cause.text());
  if (std::ranges::find(merging_, run) != merging_.end()) drop_merge();
  // The file first: what is made in its place gets its name.
  if (writes()) static_cast<void>(log_.storage.remove(run->path()).has_value());
  replace(piece->begin, piece->end, {{.begin = piece->begin, .end = piece->end}});
}

// ---- steps ----

Result<bool> StreamIndex::step() {
  const std::lock_guard working(working_);
  if (!writes()) return false;
  is_due_ = false;  // before anything is looked at: what comes now calls again
  if (!loaded_) {
    Result<void> loaded = load();
    return loaded ? Result<bool>{true} : loaded.error();
  }
  if (Result<void> dropped = drop_deleted(); !dropped) return dropped.error();
  Result<bool> done = write_oldest_table();
  if (done && !*done) done = fill_a_hole();
  if (done && !*done) done = merge();
  return done;
}

// Of records below the log's start.
Result<void> StreamIndex::drop_deleted() {
  const std::shared_ptr<const Pieces> list = pieces();
  const auto kept = std::ranges::find_if(*list, [this](const Piece& piece) { return piece.end > start(); });
  if (kept == list->begin()) return {};
  for (auto piece = list->begin(); piece != kept; ++piece) {
    if (std::ranges::find(merging_, piece->run) != merging_.end()) drop_merge();
    if (piece->run == nullptr) continue;
    Result<void> removed = log_.storage.remove(piece->run->path());
    if (!removed && removed.error() != Errc::not_found) return removed;
  }
  replace(list->front().begin, std::prev(kept)->end, {});
  return {};
}

Result<bool> StreamIndex::write_oldest_table() {
  const std::shared_ptr<const Pieces> list = pieces();
  const auto piece = std::ranges::find_if(*list, [](const Piece& each) { return each.table != nullptr; });
  if (piece == list->end() || !writes()) return false;
  Result<std::shared_ptr<const StreamRunReader>> run = write(*piece->table);
  if (!run) return run.error();
  replace(piece->begin, piece->end, {{.begin = piece->begin, .end = piece->end, .run = std::move(*run)}});
  merge_failed_ = false;
  return true;
}

Result<bool> StreamIndex::fill_a_hole() {
  const std::shared_ptr<const Pieces> list = pieces();
  const auto hole = std::ranges::find_if(*list, [this](const Piece& piece) {
    return piece.is_hole() && std::ranges::find(unreadable_, piece.end) == unreadable_.end();
  });
  if (hole == list->end()) return false;
  const Offset last = hole->end.plus(-1);
  if (!segment_index(*log_.segments.snapshot(), last)) {  // in front of all files
    unreadable_.push_back(hole->end);
    return true;
  }
  if (const std::optional<DamagedRange> lost = lost_at(last)) {  // that stays, apart from what can be read
    const Offset begin = std::max(hole->begin, lost->from);
    Pieces apart{{.begin = begin, .end = hole->end}};
    if (hole->begin < begin) apart.insert(apart.begin(), {.begin = hole->begin, .end = begin});
    replace(hole->begin, hole->end, apart);
    unreadable_.push_back(hole->end);
    return true;
  }
  Result<void> filled = fill_part(*hole, last);
  if (filled) return true;
  if (filled.error() == Errc::corrupt) unreadable_.push_back(hole->end);
  return filled.error();
}

Result<bool> StreamIndex::merge() {
  if (merge_ == nullptr) return begin_merge();
  const Result<bool> done = merge_->step(kStepBytes);
  if (done && *done) {
    Result<void> finished = finish_merge();
    return finished ? Result<bool>{true} : finished.error();
  }
  if (done) return true;
  const StreamRunMerge::Runs inputs = merging_;
  drop_merge();
  merge_failed_ = true;
  if (done.error() != Errc::corrupt) return done.error();
  for (const std::shared_ptr<const StreamRunReader>& run : inputs) {
    if (done.error().text().find(run->path()) != std::string_view::npos) make_hole_of(run, done.error());
  }
  return true;
}

Result<bool> StreamIndex::begin_merge() {
  if (merge_failed_) return false;
  const std::shared_ptr<const Pieces> list = pieces();
  std::vector<std::uint64_t> bytes;
  for (const Piece& piece : *list) bytes.push_back(piece.run != nullptr ? piece.run->file_bytes() : 0);
  const MergeChoice choice = choose_merge(bytes);
  if (choice.count == 0) return false;
  const std::span<const Piece> pieces = std::span{*list}.subspan(choice.first, choice.count);
  StreamRunMerge::Runs runs;
  for (const Piece& piece : pieces) runs.push_back(piece.run);
  const Offset from = start();
  merged_path_ = path_of(std::max(pieces.front().run->origin().begin, from), pieces.back().end);
  Result<std::unique_ptr<StreamRunMerge>> merge = StreamRunMerge::begin(log_.storage, merged_path_, runs, from);
  if (!merge) {
    merge_failed_ = true;
    return merge.error();
  }
  merge_ = std::move(*merge);
  merging_ = std::move(runs);
  return true;
}

Result<void> StreamIndex::finish_merge() {
  const StreamRunMerge::Runs inputs = merging_;
  drop_merge();
  Result<std::shared_ptr<const StreamRunReader>> run = StreamRunReader::open(log_.storage, merged_path_);
  if (!run) {
    merge_failed_ = true;
    return run.error();
  }
  const StreamRunOrigin& origin = (*run)->origin();
  replace(inputs.front()->origin().begin, origin.end, {{.begin = origin.begin, .end = origin.end, .run = std::move(*run)}});
  for (const std::shared_ptr<const StreamRunReader>& input : inputs) {
    // One that stays lies inside the merged run, and goes at the next opening.
    if (input->path() != merged_path_) static_cast<void>(log_.storage.remove(input->path()).has_value());
  }
  return {};
}

void StreamIndex::drop_merge() {
  merge_.reset();
  merging_.clear();
}

}  // namespace lungo
