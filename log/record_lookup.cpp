#include "record_lookup.hpp"

#include <algorithm>

#include "key_hash.hpp"

namespace lungo {
namespace {

constexpr std::size_t kCollectedBytesMax = 8u << 20;  // then the caller goes on from KeyRecords::next

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

RecordLookup::RecordLookup(std::shared_ptr<const Segments> segments, Offset start, Offset end, const EpochHistory& epochs,
                           BufferPool& buffers)
    : segments_(std::move(segments)), start_(start), end_(end), epochs_(epochs), buffers_(buffers) {}

Result<const RecordView*> RecordLookup::load(Offset offset) {
  if (run_.buffer == nullptr || offset < run_begin_ || offset >= run_.end) {
    const std::optional<std::size_t> index = segment_index(*segments_, offset);
    if (!index) return Error{Errc::offset_out_of_range, "no segment holds offset " + std::to_string(offset.value())};
    Result<BatchRun> run = (*segments_)[*index]->read(offset, end_, 0, buffers_, epochs_, start_);
    if (!run) return run.error();
    if (run->batches.empty() && (*segments_)[*index]->may_have_gaps()) return static_cast<const RecordView*>(nullptr);
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
  }
  const std::optional<Error> error = cursor_->error();
  cursor_.reset();
  if (error) return *error;
  const bool may_be_gone = !segments_->empty() && segments_->front()->may_have_gaps();
  if (may_be_gone) return static_cast<const RecordView*>(nullptr);
  return Error{Errc::corrupt,
               "the batch at offset " + std::to_string(run_begin_.value()) + " lacks offset " + std::to_string(offset.value())};
}

// What the segment's stream index has for this hash in [begin, end).
Result<std::vector<Offset>> RecordLookup::candidates(std::size_t segment, std::uint64_t hash, Offset begin) const {
  const Segments& segments = *segments_;
  const bool is_sealed = segment + 1 < segments.size();
  const std::optional<Offset> sealed_end = is_sealed ? std::optional{segments[segment + 1]->base()} : std::nullopt;
  std::vector<Offset> offsets;
  Result<void> found = segments[segment]->streams()->find(hash, std::max(begin, segments[segment]->base()),
                                                          std::min(end_, sealed_end.value_or(end_)), sealed_end, offsets);
  if (!found) return found.error();
  return offsets;
}

Result<std::optional<Offset>> RecordLookup::latest(std::string_view key, Offset begin,
                                                   const std::function<bool(const RecordView&)>& accept) {
  const std::uint64_t hash = key_hash(key);
  for (std::size_t segment = segments_->size(); segment-- > 0 && begin < end_;) {
    if ((*segments_)[segment]->base() >= end_) continue;
    const Result<std::vector<Offset>> offsets = candidates(segment, hash, begin);
    if (!offsets) return offsets.error();
    for (auto offset = offsets->rbegin(); offset != offsets->rend(); ++offset) {
      const Result<const RecordView*> record = load(*offset);
      if (!record) return record.error();
      if (*record != nullptr && key_of(**record) == key && accept(**record)) return std::optional{*offset};
    }
    if ((*segments_)[segment]->base() <= begin) break;
  }
  return std::optional<Offset>{};
}

Result<KeyRecords> RecordLookup::collect(std::string_view key, Offset begin, std::size_t records_max) {
  const std::uint64_t hash = key_hash(key);
  Arena found;
  const std::size_t first = begin < end_ ? segment_index(*segments_, begin).value_or(0) : segments_->size();
  for (std::size_t segment = first; segment < segments_->size() && (*segments_)[segment]->base() < end_; ++segment) {
    const Result<std::vector<Offset>> offsets = candidates(segment, hash, begin);
    if (!offsets) return offsets.error();
    for (const Offset offset : *offsets) {
      if (found.count() >= records_max || found.size_bytes() >= kCollectedBytesMax) return found.finish(offset, false);
      const Result<const RecordView*> record = load(offset);
      if (!record) return record.error();
      if (*record != nullptr && key_of(**record) == key) found.add(**record);
    }
  }
  return found.finish(std::max(begin, end_), true);
}

}  // namespace lungo
