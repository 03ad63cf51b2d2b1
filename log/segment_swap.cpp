#include "segment_swap.hpp"

#include <algorithm>
#include <optional>
#include <vector>

#include <lungo/log/text.hpp>

#include "base/logger.hpp"
#include "batch_scanner.hpp"
#include "segment.hpp"
#include "segment_digest.hpp"
#include "segment_directory.hpp"

namespace lungo {
namespace {

// The base in `BASE.anything`.
std::optional<Offset> base_in(std::string_view name) {
  const std::size_t dot = name.find('.');
  return dot == std::string_view::npos ? std::nullopt : segment_base(name, name.substr(dot));
}

bool is_log(std::string_view name) { return name.ends_with(std::string(kLogSuffix) + std::string(kSwapSuffix)); }

class Swaps {
 public:
  Swaps(Storage& storage, const std::string& directory) : storage_(storage), directory_(directory) {}

  Result<void> finish() {
    const Result<std::vector<DirEntry>> entries = look();
    if (!entries) return entries.error();
    if (deleted_.empty() && cleaned_.empty() && swaps_.empty() && void_swaps_.empty()) return {};
    const Result<Range> range = replaced();
    if (!range) return range.error();
    // A .swap that does not count must never be found without the .cleaned that says so.
    if (Result<void> removed = remove_durably(void_swaps_); !removed) return removed;
    if (Result<void> removed = remove_durably(cleaned_); !removed) return removed;
    if (Result<void> removed = remove_durably(deleted_); !removed) return removed;
    return put_in_place(*range, *entries);
  }

  Result<std::vector<ReadableSegment>> readable() {
    const Result<std::vector<DirEntry>> entries = look();
    if (!entries) return entries.error();
    const Result<Range> range = replaced();
    if (!range) return range.error();
    std::vector<ReadableSegment> found;
    for (const DirEntry& entry : *entries) {
      const std::optional<Offset> base = segment_base(entry.name, kLogSuffix);
      if (base && (*base < range->begin || *base >= range->end)) found.push_back({.base = *base});
    }
    for (const std::string& name : swaps_) {
      if (is_log(name)) found.push_back({.base = *base_in(name), .waits = true});
    }
    std::ranges::sort(found, {}, &ReadableSegment::base);
    return found;
  }

  Result<void> discard() {
    const Result<std::vector<DirEntry>> entries = look();
    if (!entries) return entries.error();
    if (std::ranges::any_of(swaps_, is_log)) return Error{Errc::io, directory_ + " has an exchange to be finished"};
    if (Result<void> removed = remove_durably(void_swaps_); !removed) return removed;
    if (Result<void> removed = remove_durably(swaps_); !removed) return removed;
    return remove_durably(cleaned_);
  }

 private:
  struct Range {
    Offset begin;
    Offset end;
  };

  /// What is there, sorted into the lists below.
  Result<std::vector<DirEntry>> look() {
    Result<std::vector<DirEntry>> entries = storage_.list(directory_);
    if (!entries && entries.error() == Errc::not_found) entries = std::vector<DirEntry>{};
    if (!entries) return entries;
    for (const DirEntry& entry : *entries) {
      if (!entry.is_directory) sort_in(entry.name);
    }
    take_back_unfinished();
    return entries;
  }

  void sort_in(const std::string& name) {
    const std::optional<Offset> base = base_in(name);
    if (!base) return;
    if (name.ends_with(kDeletedSuffix)) deleted_.push_back(name);
    if (name.ends_with(kSwapSuffix)) swaps_.push_back(name);
    if (!name.ends_with(kCleanedSuffix)) return;
    cleaned_.push_back(name);
    first_cleaned_ = std::min(first_cleaned_.value_or(*base), *base);
  }

  void take_back_unfinished() {
    if (!first_cleaned_) return;
    const auto counts = [this](const std::string& name) { return *base_in(name) < *first_cleaned_; };
    const auto first_void = std::ranges::stable_partition(swaps_, counts).begin();
    void_swaps_.assign(first_void, swaps_.end());
    swaps_.erase(first_void, swaps_.end());
  }

  // What the logs among the swaps replace: from the first one's base to the end of the last one's records.
  Result<Range> replaced() const {
    Range range{.begin = kGapsAnywhere, .end = Offset{0}};
    for (const std::string& name : swaps_) {
      if (!is_log(name)) continue;
      const Offset base = *base_in(name);
      const Result<Offset> end = end_of(directory_ + "/" + name, base);
      if (!end) return end.error();
      range.begin = std::min(range.begin, base);
      range.end = std::max(range.end, *end);
    }
    return range;
  }

  // It was synced under its earlier name, so damage is no torn tail. How far it reaches decides what is removed, and base
  // offsets are outside of the CRCs: that takes the digest, which Kafka's have not.
  [[nodiscard]] Result<Offset> end_of(const std::string& path, Offset base) const {
    const std::optional<SegmentDigest> noted = digest_of(base);
    const Result<std::unique_ptr<File>> file = storage_.open(path, OpenMode::read);
    if (!file) return file.error();
    const Result<std::uint64_t> size = (*file)->size();
    if (!size) return size.error();
    BatchScanner scan{**file, path, BatchScanner::Depth::checked, 0, *size, base, kNoEpoch, kGapsAnywhere};
    HeaderDigest found{base};
    for (;;) {
      const Result<std::optional<ScannedBatch>> next = scan.next();
      if (!next) return next.error();
      if (!*next) break;
      found.add((*next)->header, (*next)->head);
    }
    const std::string differs = noted ? difference(*noted, found.finish()) : std::string{};
    // Beside a writer it may be another exchange's meanwhile, and then it says nothing.
    if (!differs.empty() && digest_of(base) == noted)
      return Error{Errc::corrupt, path + " is not as its digest says: " + differs};
    return scan.expected();
  }

  // It goes to its name before its log does, and leaves it behind it. A bad one counts as none.
  [[nodiscard]] std::optional<SegmentDigest> digest_of(Offset base) const {
    const Result<std::optional<SegmentDigest>> digest = read_digest(storage_, directory_, base, kSwapSuffix);
    return digest ? *digest : std::nullopt;
  }

  Result<void> remove_durably(const std::vector<std::string>& names) {
    if (names.empty()) return {};
    for (const std::string& name : names) {
      if (Result<void> removed = remove_if_present(storage_, directory_ + "/" + name); !removed) return removed;
    }
    return storage_.sync_directory(directory_);
  }

  Result<void> put_in_place(const Range& range, const std::vector<DirEntry>& entries) {
    if (swaps_.empty()) return {};
    std::vector<std::string> old;
    for (const DirEntry& entry : entries) {
      const std::optional<Offset> base = base_in(entry.name);
      const bool is_plain = std::ranges::none_of(kSuffixes, [&](std::string_view end) { return entry.name.ends_with(end); });
      if (base && is_plain && !entry.is_directory && *base >= range.begin && *base < range.end) old.push_back(entry.name);
    }
    logger()->info("{}: {} files take the place of {}, which a crash interrupted", directory_, swaps_.size(), old.size());
    // Who was killed may not have come to it: the names of what replaces are durable before anything goes.
    if (Result<void> durable = storage_.sync_directory(directory_); !durable) return durable;
    // Durable before anything has their place, or a power cut could bring some back beside it.
    if (Result<void> removed = remove_durably(old); !removed) return removed;
    // The logs first: from then on nothing is removed any more.
    if (Result<void> renamed = rename_durably([](const std::string& name) { return is_log(name); }); !renamed) return renamed;
    return rename_durably([](const std::string& name) { return !is_log(name); });
  }

  template <class Predicate>
  Result<void> rename_durably(Predicate wanted) {
    for (const std::string& name : swaps_) {
      if (!wanted(name)) continue;
      const std::string from = directory_ + "/" + name;
      if (Result<void> renamed = storage_.rename(from, from.substr(0, from.size() - kSwapSuffix.size())); !renamed)
        return renamed;
    }
    return storage_.sync_directory(directory_);
  }

  static constexpr std::string_view kSuffixes[] = {kCleanedSuffix, kSwapSuffix, kDeletedSuffix};

  Storage& storage_;
  const std::string& directory_;
  std::vector<std::string> deleted_;
  std::vector<std::string> cleaned_;
  std::vector<std::string> swaps_;       // that count
  std::vector<std::string> void_swaps_;  // of an exchange that was not finished
  std::optional<Offset> first_cleaned_;
};

}  // namespace

Result<void> finish_swaps(Storage& storage, const std::string& directory) { return Swaps{storage, directory}.finish(); }

// A directory that is read while a file gets another name may show neither.
Result<std::vector<ReadableSegment>> readable_segments(Storage& storage, const std::string& directory) {
  constexpr int kAttempts = 20;
  Result<std::vector<ReadableSegment>> seen = Swaps{storage, directory}.readable();
  for (int attempt = 1; seen && attempt < kAttempts; ++attempt) {
    Result<std::vector<ReadableSegment>> again = Swaps{storage, directory}.readable();
    if (!again || *again == *seen) return again;
    seen = std::move(again);
  }
  return seen ? Error{Errc::not_found, directory + ": segments are exchanged all the time"} : seen;
}

bool is_as_appended(Storage& storage, const std::string& directory, Offset base) {
  const Result<std::vector<ReadableSegment>> segments = readable_segments(storage, directory);
  if (!segments || segments->empty() || segments->back() != ReadableSegment{base}) return false;
  const Result<std::optional<SegmentDigest>> digest = read_digest(storage, directory, base);
  return digest && (!*digest || (*digest)->generation == 0);
}

// ---- the writer's side ----

Result<void> discard_cleaned(Storage& storage, const std::string& directory) { return Swaps{storage, directory}.discard(); }

namespace {

Result<void> rename_end(Storage& storage, const std::string& path, std::string_view from, std::string_view to) {
  return storage.rename(path + std::string(from), path + std::string(to));
}

}  // namespace

Result<void> prepare_swap(Storage& storage, const std::string& directory, Offset base) {
  // The log's name first: what ends with .swap would take its place, if a power cut left it alone.
  if (Result<void> durable = storage.sync_directory(directory); !durable) return durable;
  for (const std::string_view suffix : {kIndexSuffix, kTimeIndexSuffix, kDigestSuffix}) {
    const std::string path = directory + "/" + segment_file_name(base, suffix);
    if (Result<void> renamed = rename_end(storage, path, kCleanedSuffix, kSwapSuffix); !renamed) return renamed;
  }
  return {};
}

Result<void> commit_swap(Storage& storage, const std::string& directory, Offset base) {
  const std::string path = directory + "/" + segment_file_name(base, kLogSuffix);
  if (Result<void> renamed = rename_end(storage, path, kCleanedSuffix, kSwapSuffix); !renamed) return renamed;
  return storage.sync_directory(directory);
}

Result<void> put_in_place(Storage& storage, const std::string& directory, std::span<const Offset> replaced,
                          std::vector<std::string>& set_aside) {
  for (const Offset base : replaced) {
    const bool with_snapshot = base != replaced.front();
    if (Result<void> aside = set_segment_aside(storage, directory, base, set_aside, with_snapshot); !aside) return aside;
  }
  // As in put_in_place() above: nothing comes back beside what has its place, and behind the log nothing is removed any more.
  if (Result<void> durable = storage.sync_directory(directory); !durable) return durable;
  for (const std::string_view suffix : {kLogSuffix, kIndexSuffix, kTimeIndexSuffix, kDigestSuffix}) {
    const std::string path = directory + "/" + segment_file_name(replaced.front(), suffix);
    if (Result<void> renamed = rename_end(storage, path, kSwapSuffix, ""); !renamed) return renamed;
    if (suffix != kLogSuffix) continue;
    if (Result<void> durable = storage.sync_directory(directory); !durable) return durable;
  }
  return storage.sync_directory(directory);
}

}  // namespace lungo
