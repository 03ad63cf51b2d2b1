#include "record_lookup.hpp"

#include <algorithm>

#include "key_hash.hpp"
#include "stream_walk.hpp"

namespace lungo {
namespace {

constexpr std::size_t kCollectedBytesMax = 8u << 20;  // then the caller goes on from KeyRecords::next
constexpr std::size_t kHitsMax = 4096;                // taken out of the index at once

// Copies records into one buffer. The views are set at the end, as the buffer moves while it grows.
class Arena {
 public:
  void add(const RecordView& record) {
    records_.push_back(record);
    bytes_.insert(bytes_.end(), record.key.begin(), record.key.end());
    bytes_.insert(bytes_.end(), record.value.begin(), record.value.end());
    bytes_.insert(bytes_.end(), record.headers.begin(), record.headers.end());
  }
  [[nodiscard]] std::size_t count() const { return records_.size(); }
  [[nodiscard]] std::size_t size_bytes() const { return bytes_.size(); }

  KeyRecords finish(Offset next, bool done) {
    const auto buffer = std::make_shared<const Bytes>(std::move(bytes_));
    BytesView rest{*buffer};
    const auto take = [&rest](BytesView& view) {
      const std::size_t size = view.size();
      view = rest.first(size);
      rest = rest.subspan(size);
    };
    for (RecordView& record : records_) {
      take(record.key);
      take(record.value);
      take(record.headers);
    }
    return {.buffers = {buffer}, .records = std::move(records_), .next = next, .done = done};
  }

 private:
  Bytes bytes_;
  std::vector<RecordView> records_;
};

}  // namespace

std::optional<std::string_view> key_of(const RecordView& record) {
  return record.has_key ? std::optional{as_text(record.key)} : std::nullopt;
}

std::optional<std::string_view> id_of(const RecordView& record) {
  const std::optional<BytesView> id = find_header(record, kIdHeader);
  return id ? std::optional{as_text(*id)} : std::nullopt;
}

RecordLookup::RecordLookup(const Log& log, std::shared_ptr<const Segments> segments, Offset start, Offset end,
                           std::shared_ptr<const DamageList> damage)
    : log_(log), segments_(std::move(segments)), start_(start), end_(end), damage_(std::move(damage)) {}

Result<BatchRun> RecordLookup::read(Offset offset, std::optional<std::uint32_t> place) {
  const std::optional<std::size_t> index = segment_index(*segments_, offset);
  if (!index) return Error{Errc::offset_out_of_range, "no segment holds offset " + std::to_string(offset.value())};
  const Segment& segment = *(*segments_)[*index];
  if (place) {
    const Offset segment_end = *index + 1 < segments_->size() ? (*segments_)[*index + 1]->base() : end_;
    Result<std::optional<BatchRun>> run = segment.read_hinted(*place, offset, segment_end, log_.buffers, log_.epochs, start_);
    if (!run) return run.error();
    if (*run) return std::move(**run);
  }
  Result<BatchRun> run = segment.read(offset, end_, 0, log_.buffers, log_.epochs, start_);
  if (run || run.error() != Errc::corrupt || !log_.relearn || !log_.relearn(*segments_, *index, offset)) return run;
  return segment.read(offset, end_, 0, log_.buffers, log_.epochs, start_);
}

Result<const RecordView*> RecordLookup::load(Offset offset, std::optional<std::uint32_t> place) {
  if (run_.buffer == nullptr || offset < run_begin_ || offset >= run_.end) {
    Result<BatchRun> run = read(offset, place);
    if (!run) return run.error();
    if (run->batches.empty() && log_.gaps) return nullptr;  // the segment ends below it by now
    const Result<BatchHeader> header = parse_batch_header(run->batches);
    if (!header) return header.error();
    run_ = std::move(*run);
    run_begin_ = header->base_offset;
    cursor_.reset();
  }
  if (!cursor_ || offset < cursor_at_) cursor_.emplace(run_.batches, run_begin_);
  while (const RecordView* record = cursor_->next()) {
    cursor_at_ = record->offset.next();
    if (record->offset == offset) return record;
    if (record->offset > offset) break;
  }
  const std::optional<Error> error = cursor_->error();
  cursor_.reset();
  if (error) return *error;
  if (log_.gaps) return nullptr;
  return Error{Errc::corrupt,
               "the batch at offset " + std::to_string(run_begin_.value()) + " lacks offset " + std::to_string(offset.value())};
}

// ---- by key ----

std::optional<Error> RecordLookup::damage_in(Offset begin) const {
  const DamagedRange* const lost = damage_ == nullptr ? nullptr : damage_->last_in(begin, end_);
  return lost == nullptr ? std::nullopt : std::optional{damaged(log_.directory, *lost)};
}

Result<std::optional<Offset>> RecordLookup::latest(std::string_view key, Offset begin,
                                                   const std::function<bool(const RecordView&)>& accept) {
  const DamagedRange* const lost = damage_ == nullptr ? nullptr : damage_->last_in(begin, end_);
  Result<std::optional<Offset>> found = latest_behind(lost == nullptr ? begin : lost->end, key, accept);
  if (lost == nullptr || !found || *found) return found;
  return damaged(log_.directory, *lost);
}

Result<std::optional<Offset>> RecordLookup::latest_behind(Offset begin, std::string_view key,
                                                          const std::function<bool(const RecordView&)>& accept) {
  StreamWalk hits{*log_.streams, key_hash(key), begin, end_};
  for (;;) {
    const Result<std::optional<StreamHit>> hit = hits.next();
    if (!hit) return hit.error();
    if (!*hit) return std::optional<Offset>{};
    const Result<const RecordView*> record = load((*hit)->offset, (*hit)->place);
    if (!record) return record.error();
    if (*record != nullptr && key_of(**record) == key && accept(**record)) return std::optional{(*hit)->offset};
  }
}

Result<KeyRecords> RecordLookup::collect(std::string_view key, Offset begin, std::size_t records_max) {
  const std::uint64_t hash = key_hash(key);
  Arena found;
  const DamagedRange* const lost = damage_ == nullptr ? nullptr : damage_->first_in(begin, end_);
  const Offset end = lost == nullptr ? end_ : std::max(begin, lost->from);
  std::vector<Offset> offsets;
  for (Offset from = begin; from < end;) {
    offsets.clear();
    // One more than is wanted tells where the caller has to go on.
    const std::size_t limit = std::min(records_max - found.count(), kHitsMax) + 1;
    const Result<Offset> searched = log_.streams->find(hash, from, end, limit, offsets);
    if (!searched) return searched.error();
    for (const Offset offset : offsets) {
      if (found.count() >= records_max || found.size_bytes() >= kCollectedBytesMax) return found.finish(offset, false);
      const Result<const RecordView*> record = load(offset);
      if (!record) return record.error();
      if (*record != nullptr && key_of(**record) == key) found.add(**record);
    }
    from = *searched;
  }
  if (lost != nullptr && found.count() == 0) return damaged(log_.directory, *lost);
  if (lost != nullptr) return found.finish(end, false);
  return found.finish(std::max(begin, end_), true);
}

}  // namespace lungo
