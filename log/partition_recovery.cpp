#include "partition_recovery.hpp"

#include <algorithm>
#include <map>

#include "base/logger.hpp"
#include "opened_segments.hpp"
#include "segment_digest.hpp"
#include "segment_directory.hpp"
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
    if (Result<void> loaded = load_damage(); !loaded) return loaded.error();
    if (!known_.empty()) proven_ = std::max(proven_, known_.ranges().back().end);
    // Nothing was appended behind the end that a clean stop has noted. (What a reader was told may be old.)
    const bool end_is_known = has_mark_ || (clean && !options_.read_only);
    if (options_.gaps && !options_.gaps_inside) gaps_below_ = end_is_known ? proven_ : kGapsAnywhere;
    Result<Segments> opened = open_segments(storage_, directory_, options_, known_);
    if (!opened) return opened.error();
    log_.segments = std::move(*opened);
    log_.end = log_.segments.empty() ? Offset{0} : log_.segments.front()->base();
    if (Result<void> learnt = learn_gaps(); !learnt) return learnt.error();
    if (Result<void> loaded = load_epochs(); !loaded) return loaded.error();
    if (Result<void> looked = look(clean, damage_is_known_ ? recovery_point : Offset{0}); !looked) return looked.error();
    return finish(clean);
  }

 private:
  Result<void> look(const std::optional<CleanEnd>& clean, Offset recovery_point) {
    if (clean && damage_is_known_) {
      const Result<bool> whole = accept_clean_end(*clean);
      if (!whole) return whole.error();
      if (*whole) return {};
      logger()->warn("partition {} is not as its clean-stop marker says, it is read in full", directory_);
    }
    return scan(recovery_point);
  }

  Result<RecoveredLog> finish(const std::optional<CleanEnd>& clean) {
    std::vector<DamagedRange> ranges;
    for (const std::shared_ptr<Segment>& segment : log_.segments) {
      if (const std::shared_ptr<const DamageList> damage = segment->damage()) {
        std::ranges::copy(damage->ranges(), std::back_inserter(ranges));
      }
    }
    std::ranges::copy(nowhere_, std::back_inserter(ranges));
    log_.begin = log_.segments.empty() ? Offset{0} : log_.segments.front()->base();
    for (const DamagedRange& range : known_.ranges()) {  // what lay in front of the first file that is left
      if (log_.segments.empty() || range.end != log_.begin || range.from < options_.start) continue;
      ranges.push_back(range);
      log_.begin = range.from;
      break;
    }
    const DamageList all{std::move(ranges)};
    log_.damage = all.from(options_.start);
    log_.report.damaged_ranges = log_.damage.ranges().size();
    for (const DamagedRange& range : log_.damage.ranges()) logger()->warn("{}", damaged(directory_, range).text());
    if (!all.empty()) {  // also below the start: nothing is appended behind it in its file
      const DamagedRange& last = all.ranges().back();
      const bool is_last_file = log_.segments.empty() || log_.segments.back()->file_name() == last.file;
      log_.ends_in_damage = log_.ends_in_damage || (last.end == log_.end && is_last_file);
      // By the start only where nothing more can stand there.
      const bool end_is_known = (clean && clean->end == log_.end) || (options_.start == log_.end && !last.is_unreadable);
      if (log_.ends_in_damage && !end_is_known) {
        log_.refusal = Error{Errc::partition_failed, "writes to " + directory_ + " are refused: " + to_string(last) +
                                                         " up to the end, and whether more followed is not known"};
        logger()->error("{}", log_.refusal->text());
      }
    }
    log_.last_is_sealed = options_.dense_end && !log_.segments.empty() && log_.segments.back()->may_have_gaps() &&
                          log_.segments.back()->size() > 0;
    if (!options_.read_only && (log_.damage.proved() != known_ || !damage_is_known_)) {
      if (Result<void> written = log_.damage.write(storage_, directory_); !written) return written.error();
    }
    return std::move(log_);
  }

  Result<void> load_damage() {
    Result<DamageList> known = DamageList::read(storage_, directory_);
    damage_is_known_ = known || known.error() != Errc::corrupt;
    if (known) known_ = std::move(*known);
    if (known) return {};
    if (damage_is_known_) return known.error();
    logger()->warn("{}; the partition is read in full", known.error().text());
    return {};
  }

  // Beside a writer that compacts: a gap in what was opened may be newer than the look at the mark, which moves before.
  Result<void> learn_gaps() {
    if (!options_.read_only || !options_.gaps || options_.gaps_inside || !has_mark_) return {};
    const Result<std::optional<Offset>> mark = SyncedMark::read(storage_, directory_);
    if (!mark) return mark.error();
    gaps_below_ = std::max(gaps_below_, mark->value_or(Offset{0}));
    return {};
  }

  // A missing or damaged file is made anew out of the batches.
  Result<void> load_epochs() {
    const Result<Bytes> text = read_file(storage_, directory_ + "/" + EpochHistory::kFileName, kEpochFileBytesMax);
    if (!text) return text.error() == Errc::not_found ? Result<void>{} : Result<void>{text.error()};
    Result<std::vector<EpochStart>> entries = EpochHistory::parse(as_text(*text));
    if (!entries && entries.error() == Errc::newer_format) return entries.error().with_context(directory_);
    if (entries) epochs_.assign(known_epochs_ = std::move(*entries));
    return {};
  }

  // What the disk does not read may be there again later, and then its epochs have to be in the history.
  Result<void> keep_epochs_of(const DamagedRange& range, const Segment& segment) {
    const Result<std::optional<BatchHeader>> behind = segment.header_if_any(range.position + range.bytes);
    if (!behind) return behind.error();
    for (const EpochStart& known : known_epochs_) {
      const bool may_be = range.from <= known.start && known.start < range.end;
      if (may_be && (!*behind || known.epoch <= (*behind)->epoch)) epochs_.note(known.epoch, known.start);
    }
    return {};
  }

  // Looks at the tails alone. False: something does not fit, read everything.
  Result<bool> accept_clean_end(const CleanEnd& clean) {
    if (clean.end < options_.start) return false;
    std::optional<BatchHeader> last;
    for (std::size_t i = 0; i < log_.segments.size(); ++i) {
      const Result<SegmentScan> tail = log_.segments[i]->load_tail();
      if (!tail && may_be_damage(tail.error())) return false;
      if (!tail) return tail.error();
      const bool is_last = i + 1 == log_.segments.size();
      const Offset next = is_last ? clean.end : log_.segments[i + 1]->base();
      if (is_last ? tail->end != next : !continues(next, tail->end, gaps_below_)) return false;
      if (tail->last) last = tail->last;
    }
    if (known_.first_in(clean.end.plus(-1), clean.end) != nullptr) {  // the marker's batch itself is known to be lost
      log_.last_batch_crc = clean.last_batch_crc;
    } else if (last.has_value() ? last->crc != clean.last_batch_crc : clean.end != log_.end) {
      return false;
    } else if (last) {
      log_.last_batch_crc = last->crc;
    }
    log_.end = clean.end;
    epochs_.trim_to(log_.end);
    if (!last || epochs_.last() == last->epoch) return true;
    const Result<void> learnt = relearn_epochs(log_.segments.size());
    if (!learnt && learnt.error() == Errc::corrupt) return false;
    return learnt ? Result<bool>{true} : learnt.error();
  }

  // Of the first `count` segments. Errors: corrupt: the history of what is behind the damage can't be known; io.
  Result<void> relearn_epochs(std::size_t count) {
    const std::vector<EpochStart> known = epochs_.entries();
    const Offset first = log_.segments.empty() ? Offset{0} : log_.segments.front()->base();
    epochs_.assign({});
    std::optional<SegmentScan> before;
    for (std::size_t i = 0; i < count; ++i) {
      if (Result<void> unlearnt = unlearn_odd_epoch(i, before); !unlearnt) return unlearnt;
      const Result<SegmentScan> walked =
          log_.segments[i]->walk_headers([this](const BatchHeader& header) { epochs_.note(header.epoch, header.base_offset); });
      if (walked) before = *walked;
      if (walked) continue;
      if (!may_be_damage(walked.error())) return walked.error();
      epochs_.trim_to(log_.segments[i]->base());
      const Result<SegmentScan> scanned = verify(i);
      if (!scanned) return scanned.error();
      if (scanned->damage) return *scanned->damage;
      before = *scanned;
    }
    if (Result<void> unlearnt = unlearn_odd_epoch(count, before); !unlearnt) return unlearnt;
    std::vector<EpochStart> learnt = epochs_.entries();
    epochs_.assign(known);
    epochs_.replace(first, kNoEndMax, std::move(learnt));
    return {};
  }

  // In front of segment `index`: an epoch that began with the last batch there, and that the first one here has not, is none.
  // Within a segment, the walk finds that out.
  Result<void> unlearn_odd_epoch(std::size_t index, const std::optional<SegmentScan>& before) {
    const std::vector<EpochStart> known = epochs_.entries();
    if (!before || !before->last || index >= log_.segments.size() || known.empty()) return {};
    const EpochStart& last = known.back();
    if (before->last->base_offset != last.start) return {};
    const LeaderEpoch epoch_before = known.size() < 2 ? kNoEpoch : known[known.size() - 2].epoch;
    const Result<bool> is_odd = log_.segments[index]->is_odd_in_front(0, before->end, last.epoch, epoch_before);
    if (!is_odd) return is_odd.error();
    if (*is_odd) epochs_.trim_to(last.start);
    return {};
  }

  Result<void> scan(Offset recovery_point) {
    const std::size_t first = first_to_verify(recovery_point);
    for (std::size_t i = 0; i < log_.segments.size(); ++i) {
      // What the history says about a range that is read again is learnt again.
      if (i == first) epochs_.trim_to(log_.segments[i]->base());
      if (Result<void> judged = judge_last_batch(i); !judged) return judged;
      Result<SegmentScan> scanned = i < first ? trusted_tail(i) : verify(i);
      if (!scanned) return scanned.error();
      if (scanned->last) log_.last_batch_crc = scanned->last->crc;
      if (i < first && scanned->last && epochs_.epoch_at(scanned->last->base_offset) != scanned->last->epoch) {
        // Of those that are not read in full: the others teach what they hold, and may end in a torn tail.
        if (Result<void> learnt = relearn_epochs(first); !learnt) return learnt;
      }
      log_.end = scanned->end;
      if (!scanned->damage && i + 1 < log_.segments.size()) {
        if (Result<void> closed = close_gap(i, *scanned); !closed) return closed;
      }
      if (scanned->damage) {
        if (Result<void> cut = cut_torn_tail(i, *scanned); !cut) return cut;
        break;
      }
    }
    if (log_.end < options_.start && !options_.read_only && known_.from(options_.start.plus(-1)).empty()) {
      return Error{Errc::corrupt, directory_ + " ends at offset " + std::to_string(log_.end.value()) +
                                      ", but its records are said to begin at " + std::to_string(options_.start.value())};
    }
    if (log_.end < proven_) lose_the_end();
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
    if (const auto known = verified_.find(index); known != verified_.end()) return known->second;
    Result<SegmentScan> tail = log_.segments[index]->load_tail();
    return !tail && may_be_damage(tail.error()) ? verify(index) : tail;
  }

  Result<SegmentScan> verify(std::size_t index) {
    Segment& segment = *log_.segments[index];
    log_.report.bytes_scanned += segment.size();
    segment.set_damage({});        // it is found again, or it is gone
    LeaderEpoch noted = kNoEpoch;  // the history has a lock, and most batches nothing new for it
    Result<SegmentScan> scanned = segment.rebuild(
        !options_.read_only, epochs_.epoch_at(segment.base()),
        [&](const BatchHeader& header) {
          if (header.epoch != noted) epochs_.note(header.epoch, header.base_offset);
          noted = header.epoch;
          log_.has_producers = log_.has_producers || header.producer != kNoProducer;
        },
        gaps_below_,
        [&](const DamageSite& site) {
          noted = kNoEpoch;  // it may be cut
          return judge(index, site);
        });
    if (scanned && !options_.read_only && index + 1 < log_.segments.size()) static_cast<void>(segment.finish_indexes());
    if (scanned) verified_.insert_or_assign(index, *scanned);
    return scanned;
  }

  // In front of segment `index`: the first batch there may show that the last one before it is odd.
  Result<void> judge_last_batch(std::size_t index) {
    const auto found = index == 0 ? verified_.end() : verified_.find(index - 1);
    if (found == verified_.end() || !found->second.last) return {};
    const SegmentScan& before = found->second;
    const BatchHeader& last = *before.last;
    if (before.end != last.end_offset()) return {};
    Result<bool> is_odd = log_.segments[index]->is_odd_in_front(0, before.end, last.epoch, before.epoch_before);
    if (is_odd && *is_odd) is_odd = is_promised(index - 1, before.last_position, last.base_offset);
    if (!is_odd) return is_odd.error();
    if (!*is_odd) return {};
    Segment& segment = *log_.segments[index - 1];
    segment.add_damage({last.base_offset, last.end_offset(), segment.file_name(), before.last_position, last.size_bytes()});
    epochs_.trim_to(last.base_offset);
    return {};
  }

  // Whether it is a torn tail (nothing), or damage to what was promised, and how far that reaches.
  Result<std::optional<DamagedRange>> judge(std::size_t index, const DamageSite& site) {
    const Segment& segment = *log_.segments[index];
    if (site.is_unreadable && !segment.can_be_opened()) return std::optional<DamagedRange>{};
    const std::uint64_t faults_before = read_faults();
    if (const std::optional<DamagedRange> known = known_in_front(segment, site)) {
      epochs_.trim_to(known->from);
      return known;
    }
    Result<std::optional<DamagedRange>> risen = segment.risen_one_in_front(site);
    if (!risen) return risen;
    Result<bool> is_kept = is_promised(index, site.position, *risen ? (*risen)->from : site.expected);
    if (!is_kept) return is_kept.error();
    if (*risen && !has_mark_) *is_kept = true;  // a whole batch behind it told so
    if (!*is_kept && !site.is_unreadable) return std::optional<DamagedRange>{};
    const bool is_last = index + 1 == log_.segments.size();
    const Offset limit = is_last ? std::max(proven_, site.expected.next()) : log_.segments[index + 1]->base();
    const SearchLimits limits{.base_max = is_last && (!has_mark_ || !*is_kept) ? kGapsAnywhere : limit,
                              .gaps_below = std::min(gaps_below_, segment.gaps_below())};
    Result<std::optional<DamagedRange>> range = segment.damage_up_to_batches(site, limits);
    // Whether there is a torn tail nobody can see, and none is cut for that.
    if (range && !*range && !*is_kept) return range;
    if (range) range = or_known_before(segment, site, *range);
    if (!range) return range;
    if (!*range && limit <= site.expected) {
      const Result<bool> overlaps = limit < site.expected ? true : segment.is_batch_at(site.position, site.expected);
      if (!overlaps) return overlaps.error();
      if (*overlaps) {
        return corrupt_at(segment.path(), site.position,
                          "offset " + std::to_string(site.expected.value()) + " is due, but the next segment begins at " +
                              std::to_string(limit.value()));
      }
    }
    if (!*range) {
      *range = DamagedRange{.from = site.expected,
                            .end = limit,
                            .file = segment.file_name(),
                            .position = site.position,
                            .bytes = segment.size() - site.position,
                            .is_unreadable = site.is_unreadable || read_faults() != faults_before};
    }
    epochs_.trim_to((*range)->from);
    if (!(*range)->is_unreadable) return range;
    const Result<void> kept = keep_epochs_of(**range, segment);
    return kept ? range : kept.error();
  }

  [[nodiscard]] std::uint64_t read_faults() const {
    std::uint64_t faults = 0;
    for (const std::shared_ptr<Segment>& segment : log_.segments) faults += segment->read_faults();
    return faults;
  }

  // What was known before of the damage that begins there.
  std::optional<DamagedRange> known_at(const Segment& segment, std::uint64_t position, Offset from) const {
    const DamageList known = known_.of_file(segment.file_name());
    const DamagedRange* const range = known.at(position, from);
    const bool is_there = range != nullptr && range->from == from && range->position + range->bytes <= segment.size();
    return is_there ? std::optional{*range} : std::nullopt;
  }

  // The batch in front came behind a gap, and was known to be lost: what was appended since proves more, and may let its base
  // offset pass that did not pass before. One that is whole again is behind no gap.
  std::optional<DamagedRange> known_in_front(const Segment& segment, const DamageSite& site) const {
    const bool is_behind_gap = site.previous && site.previous->end_position() == site.position && site.due_before &&
                               site.previous->header.base_offset > *site.due_before;
    return is_behind_gap ? known_at(segment, site.previous->position, *site.due_before) : std::nullopt;
  }

  // A torn tail may hide where damage ends, or what is proven now may move what a search takes: then what was known before
  // tells, if it is less and the batch behind it is still there.
  Result<std::optional<DamagedRange>> or_known_before(const Segment& segment, const DamageSite& site,
                                                      const std::optional<DamagedRange>& found) const {
    const std::optional<DamagedRange> known = known_at(segment, site.position, site.expected);
    if (!known || (found && (found->position != site.position || found->end <= known->end))) return found;
    const Result<bool> goes_on = segment.is_batch_at(known->position + known->bytes, known->end);
    if (!goes_on) return goes_on.error();
    return *goes_on ? known : found;
  }

  Result<bool> is_promised(std::size_t index, std::uint64_t position, Offset expected) {
    if (expected < proven_) return true;
    return has_mark_ ? Result<bool>{false} : whole_batches_follow(index, position, expected);
  }

  // Between a segment that ends whole and the next one.
  Result<void> close_gap(std::size_t index, SegmentScan& scanned) {
    const Segment& segment = *log_.segments[index];
    const Offset next = log_.segments[index + 1]->base();
    if (continues(next, scanned.end, gaps_below_)) return {};
    const Error gap = corrupt_at(segment.path(), scanned.position,
                                 "segment ends at offset " + std::to_string(scanned.end.value()) + ", the next begins at " +
                                     std::to_string(next.value()));
    const Result<bool> is_kept = is_promised(index, scanned.position, scanned.end);
    if (!is_kept) return is_kept.error();
    if (*is_kept && next < scanned.end) return gap;
    if (!*is_kept) {
      scanned.damage = gap;
      return {};
    }
    log_.segments[index]->add_damage({scanned.end, next, segment.file_name(), scanned.position, 0});
    log_.end = next;
    return {};
  }

  // Records were synced that are not there any more.
  void lose_the_end() {
    const DamagedRange range{
        log_.end, proven_, log_.segments.empty() ? segment_file_name(log_.end, kLogSuffix) : log_.segments.back()->file_name(),
        log_.segments.empty() ? 0 : log_.segments.back()->size(), 0};
    if (log_.segments.empty()) {
      nowhere_.push_back(range);
    } else {
      log_.segments.back()->add_damage(range);
    }
    log_.end = proven_;
    log_.ends_in_damage = true;
  }

  Result<void> cut_torn_tail(std::size_t index, const SegmentScan& scanned) {
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
      if (Result<void> removed = remove_digest(storage_, directory_, segment.base()); !removed) return removed;
      if (Result<void> cut = segment.cut(scanned.position); !cut) return cut;
    }
    log_.segments.resize(index + 1);
    return {};
  }

  Result<bool> whole_batches_follow(std::size_t index, std::uint64_t position, Offset expected) {
    for (std::size_t i = index; i < log_.segments.size(); ++i) {
      const std::uint64_t from = i == index ? position + 1 : 0;
      const Result<bool> found = log_.segments[i]->holds_batch_after(from, expected);
      if (!found || *found) return found;
    }
    return false;
  }

  // What was read may have been in the page cache only, and its indexes are new; from here on it counts as synced. Above the
  // proven end even a sync that succeeds proves nothing: the pages may be clean since an earlier one failed.
  Result<void> sync_verified() {
    for (const auto& [index, scanned] : verified_) {
      if (index >= log_.segments.size()) break;  // cut off
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
  std::map<std::size_t, SegmentScan> verified_;  // segments that were read in full
  bool has_mark_ = false;
  Offset proven_;
  DamageList known_;  // before this opening
  std::vector<EpochStart> known_epochs_;
  bool damage_is_known_ = true;        // its file is there, or there never was one
  std::vector<DamagedRange> nowhere_;  // where there is no segment
  // Compaction takes only what is synced, and our own appends leave no gap: above the proven end one is a torn tail.
  Offset gaps_below_ = kNoGaps;
};

}  // namespace

Result<RecoveredLog> recover_partition(Storage& storage, const std::string& directory, const PartitionOptions& options,
                                       std::optional<CleanEnd> clean, Offset recovery_point, EpochHistory& epochs) {
  return Recovery{storage, directory, options, epochs}.run(clean, recovery_point);
}

}  // namespace lungo
