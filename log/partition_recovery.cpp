#include "partition_recovery.hpp"

#include <algorithm>

#include "base/logger.hpp"
#include "segment_directory.hpp"
#include "segment_swap.hpp"
#include "synced_mark.hpp"

namespace lungo {
namespace {

constexpr std::uint64_t kEpochFileBytesMax = 16u << 20;

class Recovery {
 public:
  Recovery(Storage& storage, const std::string& directory, const PartitionOptions& options, EpochHistory& epochs)
      : storage_(storage), directory_(directory), options_(options), epochs_(epochs) {}

  Result<RecoveredLog> run(std::optional<CleanEnd> clean, Offset recovery_point) {
    // Before the segments: a writer that goes on beside a reader moves the mark only behind its bytes.
    const Result<std::optional<Offset>> mark = SyncedMark::read(storage_, directory_);
    if (!mark) return mark.error();
    has_mark_ = mark->has_value();
    proven_ = std::max({recovery_point, options_.start, mark->value_or(Offset{0}), clean ? clean->end : Offset{0}});
    if (options_.gaps) gaps_below_ = has_mark_ ? proven_ : kGapsAnywhere;
    if (Result<void> opened = open_segments(); !opened) return opened.error();
    if (Result<void> loaded = load_epochs(); !loaded) return loaded.error();
    if (clean) {
      const Result<bool> whole = accept_clean_end(*clean);
      if (!whole) return whole.error();
      if (*whole) return std::move(log_);
      logger()->warn("partition {} is not as its clean-stop marker says, it is read in full", directory_);
    }
    if (Result<void> scanned = scan(recovery_point); !scanned) return scanned.error();
    if (log_.end < options_.start && !options_.read_only) {
      return Error{Errc::corrupt, directory_ + " ends at offset " + std::to_string(log_.end.value()) +
                                      ", but its records are said to begin at " + std::to_string(options_.start.value())};
    }
    return std::move(log_);
  }

 private:
  Result<void> open_segments() {
    if (!options_.read_only) {
      if (Result<void> finished = finish_swaps(storage_, directory_); !finished) return finished;
    }
    constexpr int kAttempts = 5;
    for (int attempt = 1;; ++attempt) {
      log_.segments.clear();
      Result<void> opened = open_listed_segments();
      // The writer beside this reader may have removed one since the look at the names.
      if (opened || opened.error() != Errc::not_found || !options_.read_only || attempt == kAttempts) return opened;
    }
  }

  Result<void> open_listed_segments() {
    if (options_.read_only) return open_readable_segments();
    Result<std::vector<Offset>> bases = list_segments(storage_, directory_, true);
    if (!bases) return bases.error();
    if (Result<void> left_out = leave_out_deleted(*bases); !left_out) return left_out;
    for (const Offset base : *bases) {
      Result<std::shared_ptr<Segment>> segment = Segment::open(storage_, directory_, base, options_);
      if (!segment) return segment.error();
      log_.segments.push_back(std::move(*segment));
    }
    log_.end = log_.segments.empty() ? Offset{0} : log_.segments.front()->base();
    return {};
  }

  Result<void> open_readable_segments() {
    Result<std::vector<ReadableSegment>> found = readable_segments(storage_, directory_);
    if (!found) return found.error();
    const auto first = std::ranges::upper_bound(*found, options_.start, {}, &ReadableSegment::base);
    if (first - found->begin() > 1) found->erase(found->begin(), std::prev(first));  // deleted
    for (const auto& [base, waits] : *found) {
      Result<std::shared_ptr<Segment>> segment =
          Segment::open(storage_, directory_, base, options_, waits ? kSwapSuffix : std::string_view{});
      if (!segment) return segment.error();
      log_.segments.push_back(std::move(*segment));
    }
    log_.end = log_.segments.empty() ? Offset{0} : log_.segments.front()->base();
    return {};
  }

  Result<void> leave_out_deleted(std::vector<Offset>& bases) {
    const auto first = std::ranges::upper_bound(bases, options_.start);
    if (first - bases.begin() < 2) return {};
    const std::vector<Offset> deleted(bases.begin(), std::prev(first));
    bases.erase(bases.begin(), std::prev(first));
    // As when they were to be removed first: the name of what follows may not be durable.
    if (Result<void> synced = storage_.sync_directory(directory_); !synced) return synced;
    for (const Offset base : deleted) {
      if (Result<void> removed = remove_segment(storage_, directory_, base); !removed) return removed;
    }
    return {};
  }

  // A missing or damaged file is made anew out of the batches.
  Result<void> load_epochs() {
    const Result<Bytes> text = read_file(storage_, directory_ + "/" + EpochHistory::kFileName, kEpochFileBytesMax);
    if (!text) return text.error() == Errc::not_found ? Result<void>{} : Result<void>{text.error()};
    Result<std::vector<EpochStart>> entries = EpochHistory::parse(as_text(*text));
    if (!entries && entries.error() == Errc::newer_format) return entries.error().with_context(directory_);
    if (entries) epochs_.assign(std::move(*entries));
    return {};
  }

  // Looks at the tails alone. False: something does not fit, read everything.
  Result<bool> accept_clean_end(const CleanEnd& clean) {
    if (clean.end < options_.start) return false;
    std::optional<BatchHeader> last;
    for (std::size_t i = 0; i < log_.segments.size(); ++i) {
      const Result<SegmentScan> tail = log_.segments[i]->load_tail();
      if (!tail && tail.error() == Errc::corrupt) return false;
      if (!tail) return tail.error();
      const bool is_last = i + 1 == log_.segments.size();
      const Offset next = is_last ? clean.end : log_.segments[i + 1]->base();
      if (is_last ? tail->end != next : !continues(next, tail->end, gaps_below_)) return false;
      if (tail->last) last = tail->last;
    }
    if (last.has_value() ? last->crc != clean.last_batch_crc : clean.end != log_.end) return false;
    if (last) log_.last_batch_crc = last->crc;
    log_.end = clean.end;
    epochs_.trim_to(log_.end);
    if (!last || epochs_.last() == last->epoch) return true;
    const Result<void> learnt = relearn_epochs(log_.segments.size());
    if (!learnt && learnt.error() == Errc::corrupt) return false;
    return learnt ? Result<bool>{true} : learnt.error();
  }

  // Of the first `count` segments. Errors: corrupt: the history of what is behind the damage can't be known; io.
  Result<void> relearn_epochs(std::size_t count) {
    epochs_.assign({});
    for (std::size_t i = 0; i < count; ++i) {
      const Result<SegmentScan> walked =
          log_.segments[i]->walk_headers([this](const BatchHeader& header) { epochs_.note(header.epoch, header.base_offset); });
      if (!walked) return walked.error();
    }
    return {};
  }

  Result<void> scan(Offset recovery_point) {
    const std::size_t first = first_to_verify(recovery_point);
    for (std::size_t i = 0; i < log_.segments.size(); ++i) {
      // What the history says about a range that is read again is learnt again.
      if (i == first) epochs_.trim_to(log_.segments[i]->base());
      Result<SegmentScan> scanned = i < first ? trusted_tail(i) : verify(i);
      if (!scanned) return scanned.error();
      if (scanned->last) log_.last_batch_crc = scanned->last->crc;
      if (i < first && scanned->last && epochs_.epoch_at(scanned->last->base_offset) != scanned->last->epoch) {
        // Of those that are not read in full: the others teach what they hold, and may end in a torn tail.
        if (Result<void> learnt = relearn_epochs(first); !learnt) return learnt;
      }
      log_.end = scanned->end;
      const bool is_torn = i + 1 < log_.segments.size() && !continues(log_.segments[i + 1]->base(), scanned->end, gaps_below_);
      if (is_torn && !scanned->damage) {
        scanned->damage = corrupt_at(log_.segments[i]->path(), scanned->position,
                                     "segment ends at offset " + std::to_string(scanned->end.value()) +
                                         ", the next begins at " + std::to_string(log_.segments[i + 1]->base().value()));
      }
      if (scanned->damage) {
        if (Result<void> cut = cut_or_refuse(i, *scanned); !cut) return cut;
        break;
      }
    }
    if (log_.end < proven_) {
      return Error{Errc::corrupt, directory_ + " ends at offset " + std::to_string(log_.end.value()) + ", but offsets below " +
                                      std::to_string(proven_.value()) + " were synced"};
    }
    epochs_.trim_to(log_.end);
    return options_.read_only ? Result<void>{} : sync_verified();
  }

  // First segment that is not known to be on disk with its indexes: it reaches up to the recovery point or above. One that ends
  // there may have been sealed behind the sync, which took its log only.
  [[nodiscard]] std::size_t first_to_verify(Offset recovery_point) const {
    std::size_t first = 0;
    while (first + 1 < log_.segments.size() && log_.segments[first + 1]->base() < recovery_point) ++first;
    return first;
  }

  Result<SegmentScan> trusted_tail(std::size_t index) {
    Result<SegmentScan> tail = log_.segments[index]->load_tail();
    return !tail && tail.error() == Errc::corrupt ? verify(index) : tail;
  }

  Result<SegmentScan> verify(std::size_t index) {
    verified_.push_back(index);
    Segment& segment = *log_.segments[index];
    log_.report.bytes_scanned += segment.size();
    return segment.rebuild(
        !options_.read_only, epochs_.epoch_at(segment.base()),
        [this](const BatchHeader& header) {
          epochs_.note(header.epoch, header.base_offset);
          log_.has_producers = log_.has_producers || header.producer != kNoProducer;
        },
        gaps_below_);
  }

  Result<void> cut_or_refuse(std::size_t index, const SegmentScan& scanned) {
    const bool promised = scanned.end < proven_;
    if (promised) {
      return scanned.damage->with_context("offsets below " + std::to_string(proven_.value()) + " were synced, but those from " +
                                          std::to_string(scanned.end.value()) + " on are damaged");
    }
    if (!has_mark_ && !options_.read_only) {
      const Result<bool> followed = whole_batches_follow(index, scanned);
      if (!followed) return followed.error();
      if (*followed) return scanned.damage->with_context("damage, and there may be whole batches behind it");
    }
    Segment& segment = *log_.segments[index];
    log_.report.bytes_cut = segment.size() - scanned.position;
    for (std::size_t i = index + 1; i < log_.segments.size(); ++i) log_.report.bytes_cut += log_.segments[i]->size();
    if (options_.read_only) {
      segment.limit_to(scanned.position);
    } else {
      logger()->warn("partition {} was cut at offset {}: bytes={} cause=\"{}\"", directory_, scanned.end.value(),
                     log_.report.bytes_cut, scanned.damage->text());
      // The later ones first: a crash in between leaves a gap that the next opening finds and cuts again.
      for (std::size_t i = log_.segments.size(); i-- > index + 1;) {
        if (Result<void> removed = remove_segment(storage_, directory_, log_.segments[i]->base()); !removed) return removed;
      }
      if (Result<void> cut = segment.cut(scanned.position); !cut) return cut;
    }
    log_.segments.resize(index + 1);
    return {};
  }

  Result<bool> whole_batches_follow(std::size_t index, const SegmentScan& scanned) {
    for (std::size_t i = index; i < log_.segments.size(); ++i) {
      const std::uint64_t from = i == index ? scanned.position + 1 : 0;
      const Result<bool> found = log_.segments[i]->holds_batch_after(from, scanned.end);
      if (!found || *found) return found;
    }
    return false;
  }

  // What was read may have been in the page cache only, and its indexes are new; from here on it counts as synced. Above the
  // proven end even a sync that succeeds proves nothing: the pages may be clean since an earlier one failed.
  Result<void> sync_verified() {
    for (const std::size_t index : verified_) {
      Segment& segment = *log_.segments[index];
      const Offset end = index + 1 < log_.segments.size() ? log_.segments[index + 1]->base() : log_.end;
      if (has_mark_ && proven_ < end) {
        if (Result<void> written = segment.write_again(std::max(proven_, segment.base())); !written) return written;
      }
      if (Result<void> synced = segment.sync(true); !synced) return synced;
    }
    return storage_.sync_directory(directory_);
  }

  Storage& storage_;
  const std::string& directory_;
  const PartitionOptions& options_;
  EpochHistory& epochs_;
  RecoveredLog log_;
  std::vector<std::size_t> verified_;  // segments that were read in full
  bool has_mark_ = false;
  Offset proven_;
  // Compaction takes only what is synced, and our own appends leave no gap: above the proven end one is a torn tail.
  Offset gaps_below_ = kNoGaps;
};

}  // namespace

Result<RecoveredLog> recover_partition(Storage& storage, const std::string& directory, const PartitionOptions& options,
                                       std::optional<CleanEnd> clean, Offset recovery_point, EpochHistory& epochs) {
  return Recovery{storage, directory, options, epochs}.run(clean, recovery_point);
}

}  // namespace lungo
