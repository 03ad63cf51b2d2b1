#include "segment.hpp"

#include <algorithm>
#include <limits>
#include <utility>

#include <lungo/log/text.hpp>

#include "base/logger.hpp"
#include "readable_bytes.hpp"

namespace lungo {
namespace {

constexpr std::size_t kBaseDigits = 20;
constexpr std::uint64_t kReservedBytesMax = 8u << 20;
constexpr std::uint64_t kCopiedBytes = 256u << 10;

}  // namespace

std::string segment_file_name(Offset base, std::string_view suffix) {
  const std::string digits = std::to_string(base.value());
  return std::string(kBaseDigits - digits.size(), '0') + digits + std::string(suffix);
}

std::optional<Offset> segment_base(std::string_view file_name, std::string_view suffix) {
  if (file_name.size() != kBaseDigits + suffix.size() || !file_name.ends_with(suffix)) return std::nullopt;
  const std::optional<std::int64_t> base = parse_number<std::int64_t>(file_name.substr(0, kBaseDigits));
  if (!base || *base < 0) return std::nullopt;
  return Offset{*base};
}

Result<std::shared_ptr<Segment>> Segment::open(Storage& storage, const std::string& directory, Offset base,
                                               const PartitionOptions& options, std::string_view name_suffix) {
  const OpenMode mode = options.read_only ? OpenMode::read : OpenMode::create;
  const std::string path = directory + "/" + segment_file_name(base, kLogSuffix);
  const auto name = [&](std::string_view suffix) {
    return directory + "/" + segment_file_name(base, suffix) + std::string(name_suffix);
  };
  Result<std::unique_ptr<File>> file = storage.open(name(kLogSuffix), mode);
  if (!file) return file.error();
  Result<std::unique_ptr<OffsetIndex>> offsets = OffsetIndex::open(storage, name(kIndexSuffix), mode);
  if (!offsets) return offsets.error();
  Result<std::unique_ptr<TimeIndex>> times = TimeIndex::open(storage, name(kTimeIndexSuffix), mode);
  if (!times) return times.error();
  const Result<std::uint64_t> size = (*file)->size();
  if (!size) return size.error();
  std::shared_ptr<Segment> segment{new Segment(base, path, std::move(*file), std::move(*offsets), std::move(*times), options)};
  segment->size_ = segment->reserved_ = *size;
  return segment;
}

Segment::Segment(Offset base, std::string path, std::unique_ptr<File> file, std::unique_ptr<OffsetIndex> offsets,
                 std::unique_ptr<TimeIndex> times, const PartitionOptions& options)
    : base_(base),
      path_(std::move(path)),
      file_(std::move(file)),
      offsets_(std::move(offsets)),
      times_(std::move(times)),
      index_interval_bytes_(options.index_interval_bytes),
      may_have_gaps_(options.gaps),
      gaps_inside_(options.gaps_inside) {}

BatchScanner Segment::scanner(BatchScanner::Depth depth, Place from, LeaderEpoch epoch) const {
  BatchScanner scan{*file_, path_, depth, from.position, size(), from.expected, epoch, gaps_below()};
  scan.end_at_most(end_max());
  scan.pass_over(damage());
  return scan;
}

Result<bool> Segment::has_its_name(Storage& storage) const {
  const Result<std::unique_ptr<File>> named = storage.open(path_, OpenMode::read);
  if (!named) return named.error();
  const Result<std::uint64_t> ours = file_->identity();
  const Result<std::uint64_t> its = (*named)->identity();
  if (!ours || !its) return ours ? its.error() : ours.error();
  return *ours == *its;
}

bool Segment::is_lost(Offset offset) const {
  const std::shared_ptr<const DamageList> list = damage();
  return list != nullptr && list->first_in(offset, offset.next()) != nullptr;
}

// Of the times up to the last offset entry the largest is in the time index, so the batches behind that entry are enough. Both
// entries have to name a batch's end. Where that batch is known to be lost nobody can check the time, and all that are left
// tell theirs; the offset entry has to lie in the bytes that are lost.
Result<SegmentScan> Segment::load_tail() {
  const std::optional<TimeEntry> time = times_->last();
  const std::optional<OffsetEntry> indexed = offsets_->last();
  if ((times_->count() > 0 && !time) || (offsets_->count() > 0 && !indexed)) return corrupt_at(path_, 0, "unreadable index");
  const bool is_time_lost = time && is_lost(base_.plus(time->relative_offset));
  largest_time_ = is_time_lost ? std::nullopt : time;
  if (time && !is_time_lost) {
    const Result<std::optional<Place>> named = place_named_by(*time);
    if (!named) return named.error();
    if (!*named) return corrupt_at(path_, 0, "the time index does not fit");
  }
  Place from{0, base_};
  if (indexed) {
    const auto position = static_cast<std::uint64_t>(indexed->position);
    const bool is_index_lost = is_lost(base_.plus(indexed->relative_offset));
    const Place named = is_index_lost ? from : place_of(indexed);
    if (is_index_lost ? !damage()->holds_byte(position) : named.position != position) {
      return corrupt_at(path_, 0, "the index does not fit");
    }
    if (!is_time_lost) from = named;
  }
  SegmentScan result{.end = base_, .position = 0, .last = std::nullopt, .damage = std::nullopt};
  BatchScanner scan = scanner(BatchScanner::Depth::headers, from);
  for (;;) {
    const Result<std::optional<ScannedBatch>> next = scan.next();
    if (!next) return next.error();
    if (!*next) break;
    const BatchHeader& header = (*next)->header;
    result.last = header;
    if (header.records_count > 0)
      note_time({header.max_timestamp.time_since_epoch().count(), relative(header.end_offset()) - 1});
  }
  last_indexed_time_ = time ? std::optional{time->timestamp} : std::nullopt;
  bytes_since_index_ = size() - (indexed ? static_cast<std::uint64_t>(indexed->position) : 0);
  result.end = scan.expected();
  result.position = scan.position();
  return result;
}

Result<SegmentScan> Segment::rebuild(bool write_indexes, LeaderEpoch epoch_at_least,
                                     const std::function<void(const BatchHeader&)>& note, Offset gaps_below,
                                     const PassDamage& pass) {
  IndexEntries entries;
  largest_time_.reset();
  last_indexed_time_.reset();
  bytes_since_index_ = 0;
  SegmentScan result{.end = base_, .position = 0, .last = std::nullopt, .damage = std::nullopt};
  DamageSite site{
      .position = 0, .expected = base_, .epoch = epoch_at_least, .previous = std::nullopt, .epoch_before = epoch_at_least};
  std::optional<BatchScanner> scan;
  const auto go_on = [&] {
    scan.emplace(*file_, path_, BatchScanner::Depth::checked, site.position, size(), site.expected, site.epoch,
                 std::min(gaps_below, this->gaps_below()));
    scan->end_at_most(end_max());
    scan->pass_over(damage());
  };
  go_on();
  Offset due = base_;              // of the next batch
  std::size_t offsets_before = 0;  // entries, when the last batch behind a gap was met
  std::size_t times_before = 0;
  std::optional<TimeEntry> largest_time_before;
  const auto take = [&](const ScannedBatch& batch) {
    if (batch.header.base_offset != due) {
      offsets_before = entries.offsets.size();
      times_before = entries.times.size();
      largest_time_before = largest_time_;
    }
    site.due_before = std::exchange(due, batch.header.end_offset());
    collect(batch, entries);
    site.epoch_before = std::exchange(site.epoch, batch.header.epoch);
    site.previous = batch;
    note(batch.header);
  };
  const auto keep_last = [&] {
    if (!site.previous) return;
    result.last = site.previous->header;
    result.last_position = site.previous->position;
    result.epoch_before = site.epoch_before.value_or(kNoEpoch);
  };
  for (;;) {
    while (const ScannedBatch* const batch = scan->advance()) take(*batch);
    const Result<std::optional<ScannedBatch>> next = scan->next();
    site.is_unreadable = !next && next.error() == Errc::io;
    if (!next && next.error() != Errc::corrupt && !site.is_unreadable) return next.error();
    site.position = scan->position();
    site.expected = scan->expected();
    if (next && *next) {
      take(**next);
      continue;
    }
    keep_last();
    if (next) break;
    const Result<std::optional<DamagedRange>> range = pass ? pass(site) : std::optional<DamagedRange>{};
    if (!range) return range.error();
    if (!*range && site.is_unreadable) return next.error();
    if (!*range) result.damage = next.error();
    if (!*range) break;
    damage_.add(**range);
    if ((*range)->position < site.position) site.epoch = site.epoch_before.value_or(kNoEpoch);
    // Its offsets were wrong, and so is what the indexes say of it.
    if ((*range)->position < site.position && site.previous && site.previous->header.base_offset != site.due_before) {
      entries.offsets.resize(offsets_before);
      entries.times.resize(times_before);
      largest_time_ = largest_time_before;
    }
    site.position = (*range)->position + (*range)->bytes;
    site.expected = (*range)->end;
    site.previous.reset();
    due = site.expected;
    go_on();
  }
  result.end = site.expected;
  result.position = site.position;
  note_verified(0, result.position);
  // A time that is not known now may be the largest later: entries behind it would lead past it.
  const std::shared_ptr<const DamageList> lost = damage();
  is_unindexed_ =
      lost != nullptr && std::ranges::any_of(lost->ranges(), [](const DamagedRange& range) { return range.is_unreadable; });
  if (is_unindexed_) entries = {};
  if (!entries.times.empty()) last_indexed_time_ = entries.times.back().timestamp;
  if (write_indexes) {
    if (Result<void> written = offsets_->replace(entries.offsets); !written) return written.error().with_context(path_);
    if (Result<void> written = times_->replace(entries.times); !written) return written.error().with_context(path_);
  }
  return result;
}

// As append() would have indexed the batch.
void Segment::collect(const ScannedBatch& batch, IndexEntries& entries) {
  const std::int32_t last = relative(batch.header.end_offset()) - 1;
  if (batch.header.records_count > 0) note_time({batch.header.max_timestamp.time_since_epoch().count(), last});
  if (bytes_since_index_ > index_interval_bytes_) {
    entries.offsets.push_back({last, static_cast<std::int32_t>(batch.position)});
    if (largest_time_ && (entries.times.empty() || largest_time_->timestamp > entries.times.back().timestamp)) {
      entries.times.push_back(*largest_time_);
    }
    bytes_since_index_ = 0;
  }
  bytes_since_index_ += batch.header.size_bytes();
}

Result<SegmentScan> Segment::walk_headers(const std::function<void(const BatchHeader&)>& note) const {
  BatchScanner scan = scanner(BatchScanner::Depth::headers, {0, base_});
  SegmentScan result{.end = base_, .position = 0, .last = std::nullopt, .damage = std::nullopt};
  for (;;) {
    const Result<std::optional<ScannedBatch>> next = scan.next();
    if (!next) return next.error();
    if (!*next) break;
    result.last = (*next)->header;
    note((*next)->header);
  }
  result.end = scan.expected();
  result.position = scan.position();
  return result;
}

Result<void> Segment::write_again(Offset from) {
  const Result<std::uint64_t> border = border_at(from);
  if (!border && border.error() != Errc::invalid_argument) return border.error();
  const std::uint64_t begin = border ? *border : 0;
  Bytes piece(std::min<std::uint64_t>(kCopiedBytes, size() - begin));
  const std::shared_ptr<const DamageList> lost = damage();
  for (std::uint64_t position = begin; position < size();) {
    const std::size_t wanted = std::min<std::uint64_t>(piece.size(), size() - position);
    const ReadableBytes read = read_readable(*file_, position, std::span{piece}.first(wanted));
    if (read.size == 0 && read.fault && lost != nullptr && lost->holds_byte(position)) {
      position = block_end(position);
      continue;
    }
    if (read.size == 0 && read.fault) return read.fault->with_context(path_);
    if (read.size != wanted && !read.fault) return corrupt_at(path_, position + read.size, "the file ends early");
    if (Result<void> written = file_->write_at(position, BytesView{piece}.first(read.size)); !written) {
      return written.error().with_context(path_);
    }
    position += read.size;
  }
  return {};
}

Result<void> Segment::refresh() {
  const Result<std::uint64_t> size = file_->size();
  if (!size) return size.error().with_context(path_);
  size_.store(*size, std::memory_order_release);
  if (Result<void> refreshed = offsets_->refresh(); !refreshed) return refreshed;
  return times_->refresh();
}

bool Segment::is_full_for(std::size_t batch_bytes, Offset last_offset, std::uint64_t segment_bytes) const {
  return size() > 0 && (size() + batch_bytes > segment_bytes || last_offset - base_ > std::numeric_limits<std::int32_t>::max());
}

// Room in growing pieces, so that a busy segment extends rarely and an idle one takes little.
void Segment::reserve_room(std::size_t batch_bytes) {
  const std::uint64_t needed = size() + batch_bytes;
  if (needed <= reserved_) return;
  const std::uint64_t piece = std::max<std::uint64_t>(std::clamp(size(), kReservedBytesMin, kReservedBytesMax), batch_bytes);
  // Not being able to is no failure: the write itself will tell when there is no space.
  static_cast<void>(file_->preallocate(size(), piece).has_value());
  reserved_ = size() + piece;
}

Result<void> Segment::append(BytesView batch, Offset last_offset, std::optional<Timestamp> max_timestamp) {
  if (Result<void> cut = cut_back(); !cut) return cut;
  const std::uint64_t position = size();
  reserve_room(batch.size());
  if (Result<void> written = file_->write_at(position, batch); !written) {
    reserved_ = position;
    is_to_be_cut_ = true;
    if (Result<void> cut = cut_back(); !cut && can_be_opened()) {
      return Error{Errc::partition_failed, std::string(cut.error().text()) + ", could not be cut back to byte " +
                                               std::to_string(position) + " after a failed write (" +
                                               std::string(written.error().text()) + ")"};
    }
    return written.error().with_context(path_);
  }
  index_batch(batch.size(), last_offset, max_timestamp, position);
  note_verified(position, position + batch.size());
  size_.store(position + batch.size(), std::memory_order_release);
  return {};
}

Result<void> Segment::cut_back() {
  if (!is_to_be_cut_) return {};
  if (Result<void> cut = file_->truncate(size()); !cut) return cut.error().with_context(path_);
  is_to_be_cut_ = false;
  return {};
}

void Segment::note_time(TimeEntry entry) {
  if (!largest_time_ || entry.timestamp > largest_time_->timestamp) largest_time_ = entry;
}

// A failed index write is let pass: entries are hints, and the next one comes soon.
void Segment::index_batch(std::size_t bytes, Offset last_offset, std::optional<Timestamp> max_timestamp,
                          std::uint64_t position) {
  if (max_timestamp) note_time({max_timestamp->time_since_epoch().count(), relative(last_offset)});
  if (is_unindexed_) return;
  // The time first: an offset entry says that the largest time up to it has one.
  if (bytes_since_index_ > index_interval_bytes_ && finish_indexes()) {
    static_cast<void>(offsets_->append({relative(last_offset), static_cast<std::int32_t>(position)}).has_value());
    bytes_since_index_ = 0;
  }
  bytes_since_index_ += bytes;
}

bool Segment::finish_indexes() {
  if (is_unindexed_) return true;
  if (!largest_time_ || (last_indexed_time_ && largest_time_->timestamp <= *last_indexed_time_)) return true;
  const bool is_written = times_->append(*largest_time_).has_value();
  if (is_written) last_indexed_time_ = largest_time_->timestamp;
  return is_written;
}

void Segment::seal() {
  static_cast<void>(finish_indexes());
  give_back_room();
  reserved_ = size();
}

void Segment::give_back_room() {
  // The file keeps its size, so no crash can make of it anything but what it is. Not being able to is no failure.
  static_cast<void>(file_->truncate(size()).has_value());
}

Result<void> Segment::cut(std::uint64_t position) {
  if (Result<void> done = file_->truncate(position); !done) return done.error().with_context(path_);
  size_.store(position, std::memory_order_release);
  verified_up_to_.store(std::min(verified_up_to(), position), std::memory_order_release);
  reserved_ = position;
  return {};
}

Result<void> Segment::sync(bool with_indexes) {
  if (Result<void> synced = file_->sync(); !synced) return synced.error().with_context(path_);
  if (!with_indexes) return {};
  if (Result<void> synced = offsets_->sync(); !synced) return synced.error().with_context(path_);
  if (Result<void> synced = times_->sync(); !synced) return synced.error().with_context(path_);
  return {};
}

}  // namespace lungo
