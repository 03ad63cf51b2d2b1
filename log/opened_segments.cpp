#include "opened_segments.hpp"

#include <algorithm>

#include "segment_digest.hpp"
#include "segment_directory.hpp"
#include "segment_swap.hpp"

namespace lungo {
namespace {

/// The last segment may be one from which nothing is missing.
void expect_dense_end(Storage& storage, const std::string& directory, const PartitionOptions& options,
                      const Segments& segments) {
  if (!options.dense_end || segments.empty()) return;
  Segment& last = *segments.back();
  if (is_as_appended(storage, directory, last.base())) last.expect_no_gaps();
}

Result<void> leave_out_deleted(Storage& storage, const std::string& directory, Offset start, std::vector<Offset>& bases) {
  const auto first = std::ranges::upper_bound(bases, start);
  if (first - bases.begin() < 2) return {};
  const std::vector<Offset> deleted(bases.begin(), std::prev(first));
  bases.erase(bases.begin(), std::prev(first));
  // As when they were to be removed first: the name of what follows may not be durable.
  if (Result<void> synced = storage.sync_directory(directory); !synced) return synced;
  for (const Offset base : deleted) {
    if (Result<void> removed = remove_segment(storage, directory, base); !removed) return removed;
  }
  return {};
}

Result<Segments> open_to_write(Storage& storage, const std::string& directory, const PartitionOptions& options,
                               const DamageList& known) {
  if (Result<void> finished = finish_swaps(storage, directory); !finished) return finished.error();
  Result<std::vector<Offset>> bases = list_segments(storage, directory, true);
  if (!bases) return bases.error();
  if (Result<void> left_out = leave_out_deleted(storage, directory, options.start, *bases); !left_out) return left_out.error();
  Segments segments;
  for (const Offset base : *bases) {
    Result<std::shared_ptr<Segment>> segment = Segment::open(storage, directory, base, options);
    if (!segment) return segment.error();
    (*segment)->set_damage(known.of_file((*segment)->file_name()));
    segments.push_back(std::move(*segment));
  }
  expect_dense_end(storage, directory, options, segments);
  // The last one is appended to, or else it has the digest that compaction gave it.
  if (segments.empty() || (options.dense_end && segments.back()->may_have_gaps())) return segments;
  const Result<void> removed = remove_digest(storage, directory, segments.back()->base());
  return removed ? Result<Segments>{std::move(segments)} : removed.error();
}

Result<Segments> open_to_read(Storage& storage, const std::string& directory, const PartitionOptions& options,
                              const DamageList& known) {
  Result<std::vector<ReadableSegment>> found = readable_segments(storage, directory);
  if (!found) return found.error();
  const auto first = std::ranges::upper_bound(*found, options.start, {}, &ReadableSegment::base);
  if (first - found->begin() > 1) found->erase(found->begin(), std::prev(first));  // deleted
  Segments segments;
  for (const auto& [base, waits] : *found) {
    Result<std::shared_ptr<Segment>> segment =
        Segment::open(storage, directory, base, options, waits ? kSwapSuffix : std::string_view{});
    if (!segment) return segment.error();
    // What waits is whole, and has not the bytes of the file whose name it gets.
    if (!waits) (*segment)->set_damage(known.of_file((*segment)->file_name()));
    segments.push_back(std::move(*segment));
  }
  expect_dense_end(storage, directory, options, segments);
  return segments;
}

}  // namespace

Result<Segments> open_segments(Storage& storage, const std::string& directory, const PartitionOptions& options,
                               const DamageList& known) {
  constexpr int kAttempts = 5;
  for (int attempt = 1;; ++attempt) {
    Result<Segments> opened = options.read_only ? open_to_read(storage, directory, options, known)
                                                : open_to_write(storage, directory, options, known);
    if (opened) bound(*opened);
    // The writer beside this reader may have removed one since the look at the names.
    if (opened || opened.error() != Errc::not_found || !options.read_only || attempt == kAttempts) return opened;
  }
}

}  // namespace lungo
