#include <algorithm>

#include "damage.hpp"
#include "readable_bytes.hpp"
#include "segment.hpp"
#include "segment_digest.hpp"
#include "segment_directory.hpp"
#include "segment_swap.hpp"
#include "segment_walk.hpp"
#include "verify.hpp"
#include "verify_indexes.hpp"
#include "verify_sidecars.hpp"

namespace lungo {
namespace {

constexpr std::uint64_t kIndexBytesMax = 512u << 20;
constexpr int kAttempts = 5;

class PartitionVerifier {
 public:
  PartitionVerifier(Storage& storage, const std::string& directory, const PartitionFacts& facts, const VerifyOptions& options)
      : storage_(storage), directory_(directory), facts_(facts), options_(options) {}

  /// Errors: not_found: a writer has exchanged or removed files meanwhile; io.
  Result<void> run() {
    const Result<DamageList> known = DamageList::read(storage_, directory_);
    if (!known && known.error() == Errc::io) return known.error();
    promised_ = facts_.proven;
    if (known && !known->empty()) promised_ = std::max(promised_, known->ranges().back().end);  // noted behind a sync
    if (!known) add(FaultSeverity::warning, DamageList::kFileName, std::string(known.error().text()));
    const Result<std::vector<ReadableSegment>> segments = readable_segments(storage_, directory_);
    if (!segments && segments.error() == Errc::corrupt) add(FaultSeverity::error, {}, std::string(segments.error().text()));
    if (!segments) return segments.error() == Errc::corrupt ? Result<void>{} : segments.error();
    if (Result<void> begun = begin(*segments); !begun) return begun;
    for (std::size_t i = 0; i < segments->size(); ++i) {
      const bool is_last = i + 1 == segments->size();
      end_max_ = !is_last ? (*segments)[i + 1].base : facts_.clean ? facts_.clean->end : kNoEndMax;
      if (Result<void> looked = look_at((*segments)[i], is_last); !looked) return looked;
    }
    is_torn_ = false;  // what is said from here on is of all of it
    if (known) compare_damage(*known);
    return finish();
  }

  [[nodiscard]] const std::vector<Finding>& findings() const { return findings_; }
  [[nodiscard]] const VerifyReport& report() const { return report_; }
  [[nodiscard]] VerifiedPartition seen() const { return {first_, expected_, last_crc_}; }

 private:
  Result<void> begin(const std::vector<ReadableSegment>& segments) {
    const Offset start = facts_.start();
    first_ = expected_ = segments.empty() ? Offset{0} : segments.front().base;
    if (!facts_.is_foreign && !segments.empty() && first_ > start) {
      add_range({}, start, first_, "are missing: no segment has them, and nobody has deleted them");
    }
    from_ = std::max(first_, start);
    if (Result<void> begun = snapshots_.begin(storage_, directory_, take_); !begun) return begun;
    return facts_.streams ? streams_.begin(storage_, directory_, from_, facts_.gaps) : Result<void>{};
  }

  Result<void> look_at(const ReadableSegment& segment, bool is_last) {
    const std::string suffix{segment.waits ? kSwapSuffix : std::string_view{}};
    file_ = segment_file_name(segment.base, kLogSuffix) + suffix;
    const Result<std::unique_ptr<File>> file = storage_.open(directory_ + "/" + file_, OpenMode::read);
    if (!file) return file.error();
    const Result<std::uint64_t> identity = (*file)->identity();
    const Result<std::uint64_t> size = (*file)->size();
    if (!identity || !size) return identity ? size.error() : identity.error();
    const Result<IndexCheck::Files> indexes = read_indexes(segment.base, suffix);
    if (!indexes) return indexes.error();
    const Result<std::optional<SegmentDigest>> digest =
        is_last ? Result<std::optional<SegmentDigest>>{std::optional<SegmentDigest>{}} : read_digest_of(segment.base, suffix);
    if (!digest) return digest.error();

    const bool is_dense = is_last && !facts_.is_foreign && is_as_appended(storage_, directory_, segment.base);
    may_have_gaps_ = facts_.gaps && !is_dense;
    const std::size_t damage_before = damage_;
    PatchedFile bytes{**file, *size};
    if (Result<void> walked = walk(bytes, *size, segment.base, is_last, *indexes); !walked) return walked;
    for (const PatchedFile::Range& range : bytes.patches()) add_unreadable(range);
    report_.segments += 1;
    const bool is_whole = damage_ == damage_before;
    if (*digest) {
      report_.digests += 1;
      const std::string differs = is_whole ? difference(**digest, digest_->finish()) : std::string{};
      if (!differs.empty()) add(FaultSeverity::error, file_, "is not as its digest says: " + differs);
    }
    // Of the last segment that nobody writes to: every entry, too, though not all have to be there.
    const bool is_closed = is_last && facts_.clean && expected_ == facts_.clean->end;
    for (const IndexCheck::Fault& fault :
         indexes_->finish(is_whole && (!is_last || is_closed), !is_last && !facts_.is_foreign)) {
      add(is_unproven(expected_) ? FaultSeverity::note : FaultSeverity::warning,
          segment_file_name(segment.base, fault.suffix) + suffix, fault.what);
    }
    return check_is_there_still(*identity);
  }

  Result<void> walk(PatchedFile& file, std::uint64_t size, Offset base, bool is_last, const IndexCheck::Files& indexes) {
    indexes_.emplace(base, indexes, PartitionOptions{}.index_interval_bytes);
    digest_.emplace(base);
    close_lost(base);
    if (base != expected_ && !(facts_.gaps && base > expected_)) missing(base, 0);
    expected_ = base;
    const WalkVisitor visitor{[&](const WalkedBatch& batch) {
                                take_batch(batch);
                                return true;
                              },
                              [&](const WalkedDamage& damage) {
                                take_damage(damage, is_last && !file.has_patch_in(damage.position, damage.bytes));
                                return true;
                              }};
    const Result<WalkCounts> counts = walk_segment(file, size, visitor);
    if (!counts) return counts.error().with_context(directory_ + "/" + file_);
    report_.batches += counts->batches;
    report_.records += counts->records;
    report_.bytes += size;
    return {};
  }

  void take_batch(const WalkedBatch& batch) {
    const BatchHeader& header = batch.header;
    if (options_.read_some) options_.read_some(header.size_bytes());
    if (!batch.crc_holds) {
      return add_lost(batch.position, header.size_bytes(), "the batch fails its checksum");
    }
    if (header.end_offset() > end_max_) {  // where offsets may be missing, a base offset that has rotted seems to follow
      return add_lost(batch.position, header.size_bytes(),
                      "the batch is said to end at offset " + std::to_string(header.end_offset().value()) +
                          ", above what follows at " + std::to_string(end_max_.value()));
    }
    close_lost(header.base_offset);
    const bool continues_it = header.base_offset == expected_ || (may_have_gaps_ && header.base_offset > expected_);
    if (!batch.fault.empty() || header.base_offset < expected_) {
      note_damage();
      add_bytes(batch.position, header.size_bytes(), header.base_offset, header.end_offset(),
                batch.fault.empty() ? "the batch begins below the end of the one before" : batch.fault);
    } else if (header.epoch < epoch_) {
      note_damage();
      add_bytes(
          batch.position, header.size_bytes(), header.base_offset, header.end_offset(),
          "leader epoch goes back from " + std::to_string(epoch_.value()) + " to " + std::to_string(header.epoch.value()));
    } else if (!continues_it) {
      missing(header.base_offset, batch.position);
    }
    take_records(batch);
    digest_->add(header, batch.bytes.first(kBatchHeaderBytes));
    indexes_->add(header, batch.position);
    epochs_.add(header);
    snapshots_.add(header);
    expected_ = std::max(expected_, header.end_offset());
    epoch_ = std::max(epoch_, header.epoch);
    last_crc_ = header.crc;
  }

  void take_records(const WalkedBatch& batch) {
    RecordCursor cursor{batch.bytes, Offset{0}};
    while (const RecordView* record = cursor.next()) {
      if (!streams_.empty()) streams_.add(*record);
    }
    if (!cursor.error()) return;
    note_damage();
    add_bytes(batch.position, batch.header.size_bytes(), batch.header.base_offset, batch.header.end_offset(),
              std::string(cursor.error()->text()));
  }

  void take_damage(const WalkedDamage& damage, bool may_be_torn) {
    if (options_.read_some) options_.read_some(damage.bytes);
    if (may_be_torn && damage.at_the_end && expected_ >= facts_.proven) {
      Finding note = finding(FaultSeverity::note, file_, damage.what + ": a torn tail, or an append that is under way");
      note.position = damage.position;
      note.bytes = damage.bytes;
      add(std::move(note));
      return;
    }
    add_lost(damage.position, damage.bytes, damage.what);
  }

  /// Where a mark says what was synced, damage above that is a torn tail, whatever follows: the next opening cuts it there.
  void note_damage() {
    ++damage_;
    is_torn_ = is_torn_ || (facts_.has_mark && expected_ >= promised_);
  }

  /// Whatever is there: no opening cuts it.
  void add_unreadable(const PatchedFile::Range& range) {
    Finding one = finding(FaultSeverity::error, file_, "the disk does not read it");
    one.position = range.position;
    one.bytes = range.bytes;
    findings_.push_back(std::move(one));
  }

  /// What is lost there shows by what comes next.
  void add_lost(std::uint64_t position, std::uint64_t bytes, const std::string& what) {
    note_damage();
    lost_ = lost_.value_or(findings_.size());
    Finding lost = finding(FaultSeverity::error, file_, what);
    lost.position = position;
    lost.bytes = bytes;
    lost.from = expected_;
    add(std::move(lost));
  }

  void close_lost(Offset next) {
    if (!lost_ || next < expected_) return;
    for (std::size_t i = *lost_; i < findings_.size(); ++i) {
      if (findings_[i].from == expected_ && !findings_[i].end) findings_[i].end = next;
    }
    lost_.reset();
    expected_ = next;
  }

  void missing(Offset found, std::uint64_t position) {
    note_damage();
    if (found < expected_) return add(FaultSeverity::error, file_, "begins below the end of the one before");
    Finding gap = finding(FaultSeverity::error, file_, "records are missing in front of this");
    gap.position = position;
    gap.from = expected_;
    gap.end = found;
    add(std::move(gap));
  }

  Result<IndexCheck::Files> read_indexes(Offset base, const std::string& suffix) {
    IndexCheck::Files files;
    for (const auto& [kind, bytes] : {std::pair{kIndexSuffix, &files.offsets}, std::pair{kTimeIndexSuffix, &files.times}}) {
      Result<Bytes> read = read_file(storage_, directory_ + "/" + segment_file_name(base, kind) + suffix, kIndexBytesMax);
      if (!read && read.error() != Errc::not_found) return read.error();
      if (read) *bytes = std::move(*read);
    }
    return files;
  }

  Result<std::optional<SegmentDigest>> read_digest_of(Offset base, const std::string& suffix) {
    if (!suffix.empty()) return std::optional<SegmentDigest>{};
    Result<std::optional<SegmentDigest>> digest = read_digest(storage_, directory_, base);
    if (digest || digest.error() == Errc::io) return digest;
    add(FaultSeverity::warning, segment_file_name(base, kDigestSuffix), std::string(digest.error().text()));
    return std::optional<SegmentDigest>{};
  }

  /// What was found in another file than that of its name, or beside another one, says nothing.
  Result<void> check_is_there_still(std::uint64_t identity) {
    const Result<std::unique_ptr<File>> file = storage_.open(directory_ + "/" + file_, OpenMode::read);
    if (!file) return file.error();
    const Result<std::uint64_t> now = (*file)->identity();
    if (!now) return now.error();
    return *now == identity ? Result<void>{} : Error{Errc::not_found, file_ + " was exchanged"};
  }

  /// What is known to be lost, and was not met.
  void compare_damage(const DamageList& known) {
    const Offset start = facts_.start();
    for (const DamagedRange& range : known.ranges()) {
      if (range.end <= start) continue;  // deleted: the next stop, or opening, forgets it
      const auto is_it = [&](const Finding& one) {
        if (one.severity != FaultSeverity::error || one.file != range.file || !one.position) return false;
        const std::uint64_t end = *one.position + one.bytes;
        const std::uint64_t range_end = range.position + range.bytes;
        if (one.bytes > 0 && range.bytes > 0) return *one.position < range_end && end > range.position;
        return *one.position <= range_end && end >= range.position;
      };
      if (std::ranges::any_of(findings_, is_it)) continue;
      const bool lies_here = range.from < expected_ && range.bytes > 0;
      Finding one =
          finding(lies_here ? FaultSeverity::warning : FaultSeverity::error, lies_here ? DamageList::kFileName : range.file,
                  lies_here ? "names these records as lost, but they are whole" : "these records are known to be lost");
      one.from = range.from;
      one.end = range.end;
      add(std::move(one));
    }
  }

  Result<void> finish() {
    const bool is_whole = damage_ == 0;
    if (expected_ < facts_.proven && is_whole) add_range({}, expected_, facts_.proven, "were synced, and are not there");
    if (facts_.clean && is_whole && expected_ == facts_.clean->end && last_crc_ != facts_.clean->last_batch_crc &&
        report_.batches > 0) {
      add(FaultSeverity::error, {}, "the last batch is not the one that the clean-stop marker names");
    }
    if (Result<void> done = epochs_.finish(storage_, directory_, facts_.proven, take_); !done) return done;
    // Compaction takes batches that a snapshot names, and leaves the snapshot alone.
    snapshots_.finish(first_, expected_, is_whole && !facts_.gaps, take_);
    return streams_.finish(storage_, directory_, expected_, is_whole, take_);
  }

  /// Whether a power cut may have torn the files beside the segments that end, or begin, at `border`; the next opening makes
  /// them anew.
  [[nodiscard]] bool is_unproven(Offset border) const { return facts_.has_mark && !facts_.clean && border >= facts_.proven; }
  [[nodiscard]] FaultSeverity severity_of(FaultSeverity severity, const std::string& file) const {
    const std::optional<Offset> base = segment_base(file, kSnapshotSuffix);
    return base && severity == FaultSeverity::warning && is_unproven(*base) ? FaultSeverity::note : severity;
  }

  [[nodiscard]] Finding finding(FaultSeverity severity, const std::string& file, const std::string& what) const {
    Finding one;
    one.severity = severity;
    one.partition = facts_.name;
    one.file = file;
    one.what = what;
    return one;
  }
  void add(Finding one) {
    if (is_torn_ && one.severity == FaultSeverity::error) {
      one.severity = FaultSeverity::note;
      one.what += ": above what was synced, and is cut";
    }
    findings_.push_back(std::move(one));
  }
  void add(FaultSeverity severity, const std::string& file, const std::string& what) { add(finding(severity, file, what)); }
  void add_range(const std::string& file, Offset from, Offset end, const std::string& what) {
    Finding one = finding(FaultSeverity::error, file, what);
    one.from = from;
    one.end = end;
    add(std::move(one));
  }
  void add_bytes(std::uint64_t position, std::uint64_t bytes, Offset from, Offset end, const std::string& what) {
    Finding one = finding(FaultSeverity::error, file_, what);
    one.position = position;
    one.bytes = bytes;
    one.from = from;
    one.end = end;
    add(std::move(one));
  }

  Storage& storage_;
  const std::string& directory_;
  const PartitionFacts& facts_;
  const VerifyOptions& options_;
  const TakeFault take_ = [this](FaultSeverity severity, const std::string& file, const std::string& what) {
    add(severity_of(severity, file), file, what);
  };
  std::vector<Finding> findings_;
  VerifyReport report_;

  std::string file_;  // that is read
  Offset first_;
  Offset from_;  // records below it may be missing from what lies beside
  Offset expected_;
  LeaderEpoch epoch_ = kNoEpoch;
  std::uint32_t last_crc_ = 0;
  std::size_t damage_ = 0;           // places
  Offset promised_;                  // proven, or known to be lost
  bool is_torn_ = false;             // the last of them, and what follows, lie above what was synced
  Offset end_max_ = kNoEndMax;       // of the segment's records
  bool may_have_gaps_ = false;       // the segment
  std::optional<std::size_t> lost_;  // the first of the findings whose end is not known yet
  std::optional<IndexCheck> indexes_;
  std::optional<HeaderDigest> digest_;
  EpochCheck epochs_;
  SnapshotCheck snapshots_;
  StreamRunCheck streams_;
};

}  // namespace

Result<VerifiedPartition> verify_partition(Storage& storage, const std::string& directory, const PartitionFacts& facts,
                                           const VerifyOptions& options, VerifyReport& report, const TakeFinding& take) {
  // Retention takes the oldest segments: what was read of those is worth nothing, and the next attempt begins behind them.
  Offset first;
  for (int attempt = 1;; ++attempt) {
    PartitionVerifier verifier{storage, directory, facts, options};
    const Result<void> done = verifier.run();
    if (verifier.seen().start > first) attempt = 1;
    first = std::max(first, verifier.seen().start);
    if (!done && done.error() == Errc::not_found && attempt < kAttempts) continue;
    if (!done) return done.error();
    for (const Finding& finding : verifier.findings()) {
      take(finding);
      report.errors += finding.severity == FaultSeverity::error ? 1 : 0;
      report.warnings += finding.severity == FaultSeverity::warning ? 1 : 0;
      report.notes += finding.severity == FaultSeverity::note ? 1 : 0;
    }
    report.partitions += 1;
    report.add(verifier.report());
    return verifier.seen();
  }
}

}  // namespace lungo
