#include "partition_producers.hpp"

#include <algorithm>

#include "base/logger.hpp"
#include "producer_snapshot.hpp"
#include "segment_directory.hpp"

namespace lungo {

std::string PartitionProducers::path(Offset base) const { return directory_ + "/" + segment_file_name(base, kSnapshotSuffix); }

// ---- on disk ----

Result<void> PartitionProducers::open(const Segments& segments, Offset end, bool batches_seen,
                                      std::optional<Offset> unsynced_from, Timestamp now) {
  const Result<std::vector<DirEntry>> entries = storage_.list(directory_);
  if (!entries) return entries.error();
  for (const DirEntry& entry : *entries) {
    const std::optional<Offset> base = segment_base(entry.name, kSnapshotSuffix);
    if (base && !entry.is_directory) snapshots_.push_back(*base);
  }
  std::ranges::sort(snapshots_);
  const Result<void> trimmed =
      remove_where([](Offset snapshot, Offset border) { return snapshot < border; }, segments.front()->base());
  if (!trimmed) return trimmed;
  has_any_ = batches_seen || !snapshots_.empty();
  if (!snapshots_.empty() && snapshots_.back() > end) {
    if (Result<void> removed = cut(end); !removed) return removed;
    if (Result<void> synced = storage_.sync_directory(directory_); !synced) return synced;
  }
  if (!unsynced_from) return {};
  if (Result<void> synced = sync_again(*unsynced_from); !synced) return synced;
  // Now nobody waits for it. Where it can't be read, the first one that needs it tries again. First, as five batches of a
  // producer are known by the log and only the last one by a snapshot.
  if (has_any_ && snapshots_.empty()) static_cast<void>(load(segments, end, now).has_value());
  return make_up_for_lost(segments, *unsynced_from, now);
}

Result<void> PartitionProducers::sync_again(Offset from) {
  for (const Offset snapshot : snapshots_) {
    if (snapshot < from) continue;
    const Result<std::unique_ptr<File>> file = storage_.open(path(snapshot), OpenMode::read_write);
    if (!file) return file.error();
    if (Result<void> synced = (*file)->sync(); !synced) return synced.error().with_context(path(snapshot));
  }
  return {};
}

// The next recovery may read nothing of what lies below them, and would not know that there are producers.
Result<void> PartitionProducers::make_up_for_lost(const Segments& segments, Offset from, Timestamp now) {
  for (std::size_t i = 0; i < segments.size(); ++i) {
    if (segments[i]->base() < from) continue;
    if (Result<void> kept = keep(segments, i, now); !kept) return kept;
  }
  // Without any the whole log would be read at each opening, or at the first roll.
  if (has_any_ && snapshots_.empty()) static_cast<void>(keep(segments, segments.size() - 1, now).has_value());
  if (unsynced_.empty()) return {};
  if (Result<void> synced = sync(); !synced) return synced;
  return storage_.sync_directory(directory_);
}

Result<void> PartitionProducers::remove_where(bool (*gone)(Offset snapshot, Offset border), Offset border) {
  for (const Offset snapshot : snapshots_) {
    if (!gone(snapshot, border)) continue;
    if (Result<void> removed = remove_if_present(storage_, path(snapshot)); !removed) return removed;
  }
  std::erase_if(snapshots_, [&](Offset snapshot) { return gone(snapshot, border); });
  return {};
}

Result<void> PartitionProducers::cut(Offset end) {
  state_.reset();  // made again of what is left
  if (none_below_) none_below_ = std::min(*none_below_, end);
  return remove_where([](Offset snapshot, Offset border) { return snapshot > border; }, end);
}

Result<void> PartitionProducers::roll(const Segments& segments, Offset base, Timestamp now) {
  if (!has_any_) return {};
  if (Result<void> loaded = load(segments, base, now); !loaded) return loaded;
  state_->expire(now);
  if (Result<void> written = write_snapshot(base, *state_); !written) return written;
  if (snapshots_.empty() || snapshots_.back() < base) snapshots_.push_back(base);
  if (!written_from_) written_from_ = base;
  return {};
}

Result<void> PartitionProducers::write_snapshot(Offset base, const ProducerState& state) {
  const Bytes bytes = format_producer_snapshot(state.producers());
  Result<std::unique_ptr<File>> file = storage_.open(path(base), OpenMode::create);
  if (!file) return file.error();
  Result<void> written = (*file)->truncate(0);
  if (written) written = (*file)->write_at(0, bytes);
  if (!written) {
    static_cast<void>(storage_.remove(path(base)).has_value());  // what is left of it fails its check
    return written.error().with_context(path(base));
  }
  const std::lock_guard lock(unsynced_mutex_);
  unsynced_.push_back(std::move(*file));
  return {};
}

// One that was found at the opening may be torn, or missing, as nobody has looked at it or waited for it.
Result<void> PartitionProducers::keep(const Segments& segments, std::size_t kept, Timestamp now) {
  const Offset base = segments[kept]->base();
  if (!has_any_ || kept == 0 || (none_below_ && base <= *none_below_)) return {};
  if (written_from_ && base >= *written_from_) return {};
  ProducerState read{expiry_};
  const Result<bool> is_good = load_snapshot(base, read, now);
  if (!is_good) return is_good.error();
  if (*is_good) return {};
  ProducerState state{expiry_};
  Made made{.state = state, .lost_from = {}};
  if (Result<void> done = make(std::span{segments}.first(kept), base, now, made); !done) return done;
  if (Result<void> written = write_snapshot(base, state); !written) return written;
  snapshots_.insert(std::ranges::lower_bound(snapshots_, base), base);
  return {};
}

Result<void> PartitionProducers::sync() {
  std::vector<std::unique_ptr<File>> files;
  {
    const std::lock_guard lock(unsynced_mutex_);
    files.swap(unsynced_);
  }
  for (const std::unique_ptr<File>& file : files) {
    if (Result<void> synced = file->sync(); !synced) return synced.error().with_context(directory_ + "/*.snapshot");
  }
  return {};
}

// Where nobody asked, what lies on disk still says all: it is of this log, and older. Without a snapshot nothing would say that
// there are producers.
Result<void> PartitionProducers::save(const Segments& segments, Offset end, Timestamp now) {
  if (!has_any_ || (!state_ && !snapshots_.empty())) return {};
  if (Result<void> loaded = load(segments, end, now); !loaded) return loaded;
  state_->expire(now);
  if (Result<void> written = write_file_atomically(storage_, path(end), format_producer_snapshot(state_->producers()));
      !written) {
    return written;
  }
  for (const Offset snapshot : snapshots_) {
    const bool is_needed =
        snapshot == end || std::ranges::any_of(segments, [&](const auto& s) { return s->base() == snapshot; });
    if (is_needed) continue;
    if (Result<void> removed = remove_if_present(storage_, path(snapshot)); !removed) return removed;
  }
  return {};
}

// ---- the state ----

void PartitionProducers::set_expiry(std::chrono::milliseconds expiry) {
  expiry_ = expiry;
  if (state_) state_->set_expiry(expiry);
}

Result<std::optional<ProducedBatch>> PartitionProducers::check(const Segments& segments, Offset end, const BatchHeader& batch,
                                                               Timestamp now) {
  if (Result<void> loaded = load(segments, end, now); !loaded) return loaded.error();
  return state_->check(batch, now, lost_from_);
}

void PartitionProducers::note(const BatchHeader& batch, Timestamp now) {
  if (!has_any_) none_below_ = batch.base_offset;
  has_any_ = true;
  state_->note(batch, now);
}

Result<void> PartitionProducers::load(const Segments& segments, Offset end, Timestamp now) {
  if (state_) return {};
  auto state = std::make_unique<ProducerState>(expiry_);
  Made made{.state = *state, .lost_from = {}};
  if (Result<void> done = make(segments, end, now, made); !done) return done;
  state_ = std::move(state);
  lost_from_ = made.lost_from;
  return {};
}

Result<void> PartitionProducers::make(std::span<const std::shared_ptr<Segment>> segments, Offset end, Timestamp now,
                                      Made& made) {
  for (const std::shared_ptr<Segment>& segment : segments) {
    const std::shared_ptr<const DamageList> damage = segment->damage();
    const DamagedRange* const lost = damage == nullptr ? nullptr : damage->last_in(segment->base(), end);
    if (lost != nullptr) made.note_lost(lost->end.plus(-1));
  }
  if (!has_any_) return {};
  std::size_t from = 0;
  for (std::size_t i = segments.size(); i-- > 0;) {
    const Result<bool> loaded = load_snapshot(segments[i]->base(), made.state, now);
    if (!loaded) return loaded.error();
    from = i;
    if (*loaded) break;
  }
  if (Result<void> walked = walk(segments.subspan(from), end, made, now); !walked) return walked;
  // A stop's: it may know who was only in segments that are gone, or what is damaged by now. Otherwise what was walked is
  // newer, or the same.
  const auto behind = std::ranges::upper_bound(snapshots_, segments.back()->base());
  for (const Offset snapshot : std::vector(behind, std::ranges::upper_bound(snapshots_, end))) {
    if (const Result<bool> loaded = load_snapshot(snapshot, made.state, now); !loaded) return loaded.error();
  }
  return {};
}

/// False when there is none, or none that can be used. Errors: io.
Result<bool> PartitionProducers::load_snapshot(Offset base, ProducerState& state, Timestamp now) {
  if (!std::ranges::binary_search(snapshots_, base)) return false;
  const Result<Bytes> bytes = read_file(storage_, path(base), kSnapshotBytesMax);
  if (!bytes && bytes.error() == Errc::not_found) return false;
  if (!bytes && bytes.error() != Errc::too_large) return bytes.error().with_context(path(base));
  const Result<std::vector<Producer>> producers =
      bytes ? parse_producer_snapshot(path(base), base, *bytes) : Result<std::vector<Producer>>{bytes.error()};
  if (!producers) {
    logger()->warn("{}; the producers are made anew of an older one and the log", producers.error().text());
    if (Result<void> removed = remove_if_present(storage_, path(base)); !removed) return removed.error();
    std::erase(snapshots_, base);
    return false;
  }
  for (const Producer& producer : *producers) state.add(producer, now);
  return true;
}

/// What is damaged is lost to its producers as it is to readers.
Result<void> PartitionProducers::walk(std::span<const std::shared_ptr<Segment>> segments, Offset end, Made& made,
                                      Timestamp now) {
  for (std::size_t i = 0; i < segments.size(); ++i) {
    const Result<SegmentScan> walked = segments[i]->walk_headers([&](const BatchHeader& batch) {
      if (batch.producer > kNoProducer) made.state.note(batch, now);
    });
    if (walked) continue;
    if (walked.error() != Errc::corrupt) return walked.error();
    logger()->warn("{}; batches of producers behind it are not known", walked.error().text());
    made.note_lost((i + 1 < segments.size() ? segments[i + 1]->base() : end).plus(-1));
  }
  return {};
}

}  // namespace lungo
