#include "backup_partition.hpp"

#include <algorithm>
#include <map>

#include "damage.hpp"
#include "epoch_history.hpp"
#include "partition_directories.hpp"
#include "readable_bytes.hpp"
#include "segment.hpp"
#include "segment_digest.hpp"
#include "segment_directory.hpp"
#include "segment_swap.hpp"
#include "segment_walk.hpp"
#include "synced_mark.hpp"

namespace lungo {
namespace {

constexpr int kAttempts = 20;
constexpr std::uint64_t kSidecarBytesMax = 256u << 20;
constexpr std::size_t kCopiedBytes = 256u << 10;

class PartitionCopier {
 public:
  explicit PartitionCopier(const PartitionCopy& copy) : copy_(copy), storage_(copy.storage) {}

  Result<CopiedPartition> run() {
    for (int attempt = 1;; ++attempt) {
      const Result<bool> copied = try_to_copy();
      if (copied && *copied) break;
      if (!copied && copied.error() != Errc::not_found) return copied.error();
      const Result<bool> is_there = storage_.exists(copy_.from);
      if (!is_there) return is_there.error();
      if (!*is_there) return Error{Errc::not_found, copy_.from + " is gone"};
      if (attempt == kAttempts) return Error{Errc::busy, copy_.from + " changes faster than it can be copied"};
    }
    if (Result<void> looked = look_at_copy(); !looked) return looked.error();
    return std::move(result_);
  }

 private:
  struct Source {
    ReadableSegment segment;
    std::uint64_t identity = 0;
    std::uint64_t size = 0;
    bool may_change = false;  // in its place, here or in the copy, which goes on in its last segment
    friend bool operator==(const Source&, const Source&) = default;
  };

  [[nodiscard]] std::string source_path(const Source& source) const {
    const std::string_view suffix = source.segment.waits ? kSwapSuffix : std::string_view{};
    return copy_.from + "/" + segment_file_name(source.segment.base, kLogSuffix) + std::string(suffix);
  }
  [[nodiscard]] std::string target_path(std::string_view name) const { return copy_.to + "/" + std::string(name); }

  /// False: it changed meanwhile. What was copied before and has not changed stays.
  Result<bool> try_to_copy() {
    result_ = {};
    if (added_end_) {
      if (Result<void> removed = remove_segment(storage_, copy_.to, *added_end_); !removed) return removed.error();
      added_end_.reset();
    }
    if (Result<void> made = make_directories_durably(storage_, copy_.to); !made) return made.error();
    if (Result<void> marked = find_promised(); !marked) return marked.error();
    const Result<std::vector<Source>> there = look();
    if (!there) return there.error();
    if (Result<void> found = find_start(); !found) return found.error();
    const std::vector<Source> wanted = wanted_of(*there);
    if (Result<void> removed = remove_changed(wanted); !removed) return removed.error();
    for (const Source& source : wanted) {
      if (std::ranges::find(copied_, source) != copied_.end()) continue;
      if (Result<void> copied = copy_segment(source); !copied) return copied.error();
      copied_.push_back(source);
    }
    std::ranges::sort(copied_, {}, [](const Source& source) { return source.segment.base; });
    if (!copied_.empty()) {
      if (Result<void> cut = cut_last(); !cut) return cut.error();
    }
    if (Result<void> copied = copy_rest(); !copied) return copied.error();
    const Result<std::vector<Source>> again = look();
    if (!again) return again.error();
    if (Result<void> dropped = drop_deleted(); !dropped) return dropped.error();
    return are_still_there(*again);
  }

  /// What of it is to be copied, and how.
  std::vector<Source> wanted_of(const std::vector<Source>& there) const {
    std::vector<Source> wanted;
    for (std::size_t i = 0; i < there.size(); ++i) {
      const bool is_sealed = i + 1 < there.size();
      if (is_sealed && there[i + 1].segment.base <= start_) continue;  // deleted
      if (is_behind(there[i].segment.base) && !wanted.empty()) break;
      wanted.push_back(there[i]);
      const bool is_last = !is_sealed || is_behind(there[i + 1].segment.base);
      wanted.back().may_change = is_last || there[i + 1].segment.base >= mark_;
    }
    return wanted;
  }

  /// The last one, too: it has been cut, and may have grown.
  Result<void> remove_changed(const std::vector<Source>& wanted) {
    std::vector<Source> kept;
    for (const Source& source : copied_) {
      if (source != copied_.back() && std::ranges::find(wanted, source) != wanted.end()) {
        kept.push_back(source);
      } else if (Result<void> removed = remove_segment(storage_, copy_.to, source.segment.base); !removed) {
        return removed;
      }
    }
    copied_ = std::move(kept);
    return {};
  }

  Result<void> find_start() {
    const Result<Offset> start = copy_.start();
    if (!start) return start.error();
    start_ = *start;
    return {};
  }

  /// Segments that were deleted meanwhile go from the copy, too.
  Result<void> drop_deleted() {
    if (Result<void> found = find_start(); !found) return found;
    while (copied_.size() > 1 && copied_[1].segment.base <= start_) {
      if (Result<void> removed = remove_segment(storage_, copy_.to, copied_.front().segment.base); !removed) return removed;
      copied_.erase(copied_.begin());
    }
    return {};
  }

  /// Without a change; new segments may have come behind.
  [[nodiscard]] bool are_still_there(const std::vector<Source>& again) const {
    if (copied_.empty()) return true;
    const auto first = std::ranges::find(again, copied_.front().segment, &Source::segment);
    const auto left = static_cast<std::size_t>(again.end() - first);
    const auto is_same = [](const Source& a, const Source& b) { return a.segment == b.segment && a.identity == b.identity; };
    return left >= copied_.size() && std::equal(copied_.begin(), copied_.end(), first, is_same);
  }

  Result<void> find_promised() {
    const Result<std::optional<Offset>> mark = SyncedMark::read(storage_, copy_.from);
    if (!mark) return mark.error();
    mark_ = mark->value_or(Offset{0});
    promised_ = std::max(copy_.synced, copy_.reach ? copy_.reach->synced : mark_);
    if (copy_.end) promised_ = std::min(promised_, *copy_.end);
    return {};
  }

  Result<std::vector<Source>> look() {
    const Result<std::vector<ReadableSegment>> segments = readable_segments(storage_, copy_.from);
    if (!segments) return segments.error();
    std::vector<Source> sources;
    for (const ReadableSegment& segment : *segments) {
      Source source{.segment = segment};
      const Result<std::unique_ptr<File>> file = storage_.open(source_path(source), OpenMode::read);
      if (!file) return file.error();
      const Result<std::uint64_t> identity = (*file)->identity();
      const Result<std::uint64_t> size = (*file)->size();
      if (!identity || !size) return identity ? size.error() : identity.error();
      source.identity = *identity;
      source.size = *size;
      sources.push_back(source);
    }
    return sources;
  }

  [[nodiscard]] bool is_behind(Offset base) const {
    return (copy_.end && base > *copy_.end) || (copy_.reach && base > copy_.reach->base);
  }

  /// Where the mark has passed the next one's base nothing is cut and nothing appended any more; above it a segment may be
  /// torn, and an opening cuts it and goes on in it, as an appender does whose roll has failed.
  Result<void> copy_segment(const Source& source) {
    const std::string name = segment_file_name(source.segment.base, kLogSuffix);
    if (Result<void> removed = remove_if_present(storage_, target_path(name)); !removed) return removed;
    const bool is_reach = copy_.reach && copy_.reach->base == source.segment.base;
    const std::uint64_t size = is_reach ? std::min(copy_.reach->size, source.size) : source.size;
    patches_.erase(source.segment.base);
    if (copy_.hard_links && !source.may_change) return storage_.link(source_path(source), target_path(name));
    const Result<void> copied = storage_.copy(source_path(source), target_path(name), size);
    return copied || copied.error() != Errc::io ? copied : copy_what_is_read(source, target_path(name), size);
  }

  /// Where the disk does not read all of it: the copy has damage there.
  Result<void> copy_what_is_read(const Source& source, const std::string& to, std::uint64_t size) {
    const Result<std::unique_ptr<File>> from = storage_.open(source_path(source), OpenMode::read);
    if (!from) return from.error();
    if (Result<void> removed = remove_if_present(storage_, to); !removed) return removed;
    const Result<std::unique_ptr<File>> made = storage_.open(to, OpenMode::create);
    if (!made) return made.error();
    PatchedFile file{**from, size};
    Bytes buffer(kCopiedBytes);
    for (std::uint64_t position = 0; position < size;) {
      const Result<std::size_t> read = file.read_at(position, buffer);
      if (!read) return read.error();
      if (*read == 0) break;
      if (Result<void> written = (*made)->write_at(position, BytesView{buffer}.first(*read)); !written) return written;
      position += *read;
    }
    patches_[source.segment.base] = file.patches();
    return {};
  }

  /// Where the copy ends: behind the last whole batch, or at the end that is asked for. What was promised stays, damaged or
  /// not.
  Result<void> cut_last() {
    const std::string path = target_path(segment_file_name(copied_.back().segment.base, kLogSuffix));
    const Result<std::unique_ptr<File>> file = storage_.open(path, OpenMode::read);
    if (!file) return file.error();
    const Result<std::uint64_t> size = (*file)->size();
    if (!size) return size.error();
    std::uint64_t position = 0;
    Offset end = copied_.back().segment.base;
    bool lacks_records = false;
    const WalkVisitor visitor{[&](const WalkedBatch& batch) {
                                if (copy_.end && batch.header.base_offset >= *copy_.end) return false;
                                if (!batch.crc_holds) return true;
                                lacks_records = lacks_records || batch.header.base_offset != end ||
                                                end.plus(batch.header.records_count) != batch.header.end_offset();
                                position = batch.position + batch.header.size_bytes();
                                end = batch.header.end_offset();
                                return true;
                              },
                              [](const WalkedDamage&) { return true; }};
    const Result<WalkCounts> walked = walk_segment(**file, *size, visitor);
    if (!walked) return walked.error();
    if (position != *size && end >= promised_) {
      if (Result<void> cut = truncate(path, position); !cut) return cut;
      position = *size;
    }
    return position == *size && lacks_records && copy_.gaps && !copy_.is_foreign ? add_end(end) : Result<void>{};
  }

  /// Compaction has written the last one since it was looked where the copy is to end, and nothing may be missing from the last
  /// segment (is_as_appended()).
  Result<void> add_end(Offset end) {
    const Result<std::unique_ptr<File>> made = storage_.open(target_path(segment_file_name(end, kLogSuffix)), OpenMode::create);
    if (made) added_end_ = end;
    return made ? Result<void>{} : Result<void>{made.error()};
  }

  Result<void> truncate(const std::string& path, std::uint64_t size) {
    const Result<std::unique_ptr<File>> file = storage_.open(path, OpenMode::read_write);
    return file ? (*file)->truncate(size) : Result<void>{file.error()};
  }

  Result<void> copy_rest() {
    if (Result<void> copied = copy_file(kPartitionMetadataFile); !copied) return copied;
    for (const Source& segment : copied_) {
      for (const std::string_view suffix : {kDigestSuffix, kTxnIndexSuffix}) {
        if (suffix == kDigestSuffix && segment == copied_.back()) continue;
        const std::string name = segment_file_name(segment.segment.base, suffix);
        // Beside one that waits lies what belongs to the one that it replaces.
        const std::string source = segment.segment.waits ? name + std::string(kSwapSuffix) : name;
        if (Result<void> copied = copy_file(source, name); !copied) return copied;
      }
    }
    return {};
  }

  Result<void> copy_file(std::string_view name) { return copy_file(name, name); }

  /// If it is there; in the place of the one of the time before.
  Result<void> copy_file(std::string_view from, std::string_view name) {
    if (Result<void> removed = remove_if_present(storage_, target_path(name)); !removed) return removed;
    const Result<void> copied = storage_.copy(copy_.from + "/" + std::string(from), target_path(name), kSidecarBytesMax);
    return !copied && copied.error() == Errc::not_found ? Result<void>{} : copied;
  }

  /// Goes over what was copied, and writes what speaks of it.
  Result<void> look_at_copy() {
    PartitionFacts facts;
    facts.name = copy_.name;
    facts.gaps = copy_.gaps;
    facts.is_foreign = copy_.is_foreign;
    facts.proven = promised_;
    facts.start = [this] { return start_; };
    VerifyReport report;
    VerifyOptions options;
    options.read_some = copy_.read_some;
    const Result<VerifiedPartition> seen =
        verify_partition(storage_, copy_.to, facts, options, report, [this](const Finding& finding) {
          if (finding.severity == FaultSeverity::error) result_.damage.push_back(finding);
        });
    if (!seen) return seen.error();
    const Offset first = copied_.empty() ? Offset{0} : copied_.front().segment.base;
    result_.end = std::max(seen->end, first);
    // Where a broker has removed segments and not said so, the first one tells; otherwise one is missing.
    result_.start = std::min(copy_.is_foreign ? std::max(start_, first) : start_, result_.end);
    result_.last_batch_crc = seen->last_batch_crc;
    result_.records = report.records;
    if (Result<void> written = write_epochs(); !written) return written;
    if (Result<void> written = write_damage(); !written) return written;
    if (Result<void> copied = copy_snapshots(); !copied) return copied;
    if (Result<void> noted = note_synced(); !noted) return noted;
    return make_durable();
  }

  void tell_unreadable(const std::string& name, const std::vector<PatchedFile::Range>& ranges) {
    for (const PatchedFile::Range& range : ranges) {
      Finding one{.partition = copy_.name, .file = name};
      one.position = range.position;
      one.bytes = range.bytes;
      one.what = "the disk does not read it";
      result_.unreadable.push_back(std::move(one));
    }
  }

  Result<void> write_epochs() {
    const std::string name = EpochHistory::kFileName;
    const Result<Bytes> text = read_file(storage_, copy_.from + "/" + name, kSidecarBytesMax);
    if (!text) return text.error() == Errc::not_found ? Result<void>{} : Result<void>{text.error()};
    Result<std::vector<EpochStart>> entries = EpochHistory::parse(as_text(*text));
    if (!entries) return {};  // it is made anew from the batches
    EpochHistory history;
    history.assign(std::move(*entries));
    history.trim_to(result_.end);
    return write_file_atomically(storage_, target_path(name), as_bytes(EpochHistory::to_text(history.entries())));
  }

  Result<void> write_damage() {
    const Result<DamageList> known = DamageList::read(storage_, copy_.from);
    if (!known) return known.error() == Errc::io ? Result<void>{known.error()} : Result<void>{};
    const DamageList here = known->from(result_.start).below(std::max(promised_, result_.end));
    return here.empty() ? Result<void>{} : here.write(storage_, copy_.to);
  }

  Result<void> copy_snapshots() {
    const Result<std::vector<DirEntry>> entries = storage_.list(copy_.from);
    if (!entries) return entries.error();
    for (const DirEntry& entry : *entries) {
      const std::optional<Offset> base = segment_base(entry.name, kSnapshotSuffix);
      if (!base || *base > result_.end) continue;
      if (Result<void> copied = copy_file(entry.name); !copied) return copied;
    }
    return {};
  }

  /// All of it is going to be, and what was promised stays so: damage is a hole to the first opening, also at the end.
  Result<void> note_synced() {
    if (copied_.empty()) return {};
    const Result<std::unique_ptr<SyncedMark>> mark = SyncedMark::open(storage_, copy_.to, std::max(promised_, result_.end));
    return mark ? Result<void>{} : Result<void>{mark.error()};
  }

  /// And takes down what each file is.
  Result<void> make_durable() {
    const Result<std::vector<DirEntry>> entries = storage_.list(copy_.to);
    if (!entries) return entries.error();
    for (const DirEntry& entry : *entries) {
      Result<BackedUpFile> file = taken_down(entry.name);
      if (!file) return file.error();
      file->path = entry.name;
      result_.files.push_back(std::move(*file));
      const Result<std::unique_ptr<File>> open = storage_.open(target_path(entry.name), OpenMode::read);
      if (!open) return open.error();
      if (Result<void> synced = (*open)->sync(); !synced) return synced;
    }
    return storage_.sync_directory(copy_.to);
  }

  /// A second name, and a copy that shares the blocks of its source, has its bad sectors, too: it becomes a copy of the rest.
  Result<BackedUpFile> taken_down(const std::string& name) {
    const auto is_it = [&name](const Source& source) { return name == segment_file_name(source.segment.base, kLogSuffix); };
    const auto source = std::ranges::find_if(copied_, is_it);
    Result<BackedUpFile> file = hash_of_file(storage_, target_path(name), copy_.read_some);
    if (source == copied_.end()) return file;
    if (!file && file.error() == Errc::io) {
      if (Result<void> copied = copy_what_is_read(*source, target_path(name), source->size); !copied) return copied.error();
      file = hash_of_file(storage_, target_path(name), copy_.read_some);
    }
    tell_unreadable(name, patches_[source->segment.base]);
    return file;
  }

  const PartitionCopy& copy_;
  Storage& storage_;
  Offset mark_;      // what `synced-end` says
  Offset promised_;  // below it the copy has to have everything
  Offset start_;
  std::vector<Source> copied_;                                 // ascending; of the last one maybe not all
  std::optional<Offset> added_end_;                            // an empty segment of the copy alone, behind those
  std::map<Offset, std::vector<PatchedFile::Range>> patches_;  // of segments
  CopiedPartition result_;
};

}  // namespace

Result<std::optional<LogReach>> reach_of(Storage& storage, const std::string& directory) {
  const Result<std::optional<Offset>> mark = SyncedMark::read(storage, directory);  // before what it speaks of
  if (!mark) return mark.error();
  const Result<std::vector<ReadableSegment>> segments = readable_segments(storage, directory);
  if (!segments) return segments.error();
  if (segments->empty()) return std::optional<LogReach>{};
  const Offset base = segments->back().base;
  const std::string_view suffix = segments->back().waits ? kSwapSuffix : std::string_view{};
  const Result<std::unique_ptr<File>> file =
      storage.open(directory + "/" + segment_file_name(base, kLogSuffix) + std::string(suffix), OpenMode::read);
  if (!file) return file.error();
  const Result<std::uint64_t> size = (*file)->size();
  if (!size) return size.error();
  return std::optional{LogReach{base, *size, mark->value_or(Offset{0})}};
}

Result<CopiedPartition> copy_partition_files(const PartitionCopy& copy) { return PartitionCopier{copy}.run(); }

}  // namespace lungo
