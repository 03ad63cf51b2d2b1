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

RecordLookup::RecordLookup(std::shared_ptr<const Segments> segments, StreamIndex* streams, Offset start, Offset end,
                           const EpochHistory& epochs, BufferPool& buffers, bool gaps)
    : segments_(std::move(segments)),
      streams_(streams),
      start_(start),
      end_(end),
      epochs_(epochs),
      buffers_(buffers),
      gaps_(gaps) {}

Result<BatchRun> RecordLookup::read(Offset offset, std::optional<std::uint32_t> place) {
  const std::optional<std::size_t> index = segment_index(*segments_, offset);
  if (!index) return Error{Errc::offset_out_of_range, "no segment holds offset " + std::to_string(offset.value())};
  const Segment& segment = *(*segments_)[*index];
  if (place) {
    const Offset segment_end = *index + 1 < segments_->size() ? (*segments_)[*index + 1]->base() : end_;
    Result<std::optional<BatchRun>> run = segment.read_hinted(*place, offset, segment_end, buffers_, epochs_, start_);
    if (!run) return run.error();
    if (*run) return std::move(**run);
  }
  return segment.read(offset, end_, 0, buffers_, epochs_, start_);
}

Result<const RecordView*> RecordLookup::load(Offset offset, std::optional<std::uint32_t> place) {
  if (run_.buffer == nullptr || offset < run_begin_ || offset >= run_.end) {
    Result<BatchRun> run = read(offset, place);
    if (!run) return run.error();
    if (run->batches.empty() && gaps_) return nullptr;  // the segment ends below it by now
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
  if (gaps_) return nullptr;
  return Error{Errc::corrupt,
               "the batch at offset " + std::to_string(run_begin_.value()) + " lacks offset " + std::to_string(offset.value())};
}

Result<std::optional<Offset>> RecordLookup::latest(std::string_view key, Offset begin,
                                                   const std::function<bool(const RecordView&)>& accept) {
  StreamWalk hits{*streams_, key_hash(key), begin, end_};
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
  std::vector<Offset> offsets;
  for (Offset from = begin; from < end_;) {
    offsets.clear();
    // One more than is wanted tells where the caller has to go on.
    const std::size_t limit = std::min(records_max - found.count(), kHitsMax) + 1;
    const Result<Offset> searched = streams_->find(hash, from, end_, limit, offsets);
    if (!searched) return searched.error();
    for (const Offset offset : offsets) {
      if (found.count() >= records_max || found.size_bytes() >= kCollectedBytesMax) return found.finish(offset, false);
      const Result<const RecordView*> record = load(offset);
      if (!record) return record.error();
      if (*record != nullptr && key_of(**record) == key) found.add(**record);
    }
    from = *searched;
  }
  return found.finish(std::max(begin, end_), true);
}

}  // namespace lungo
