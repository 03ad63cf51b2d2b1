// Segments that others take the place of, as Kafka's cleaner does it and its LogLoader reads it, by the ends of the names:
//
//   BASE.log.cleaned   being written: nothing yet
//   BASE.log.swap      whole and synced. Those of one exchange are renamed from .cleaned in descending order of their bases, so
//                      the exchange counts when none of .cleaned is left; a .swap at or above one that is left does not count
//   BASE.log           the last step, behind the removal of the segments in [first base, end of the last one's records)
//   BASE.log.deleted   its removal has begun
//
// The files beside a log (.index and so on) go through the same names. A crash leaves a directory at any of these steps.
#pragma once

#include <span>
#include <string>
#include <vector>

#include <lungo/log/storage.hpp>

namespace lungo {

inline constexpr std::string_view kCleanedSuffix = ".cleaned";
inline constexpr std::string_view kSwapSuffix = ".swap";

/// Finishes or takes back what a crash interrupted; a crash meanwhile does no harm. An absent directory needs nothing.
/// Errors: corrupt, when what is to take a place is not whole: then nothing was changed;
/// io.
Result<void> finish_swaps(Storage& storage, const std::string& directory);

// The writer's side of an exchange, in this order. Where a step fails, what is there is as after a crash.

/// Removes all that is no part of an exchange that counts: before one begins. Errors: io.
Result<void> discard_cleaned(Storage& storage, const std::string& directory);
/// The indexes and the digest of the cleaned segment get their next names, behind a sync of those that they have; nothing
/// counts yet. Errors: io.
Result<void> prepare_swap(Storage& storage, const std::string& directory, Offset base);
/// Its log, too: from then on the exchange counts. Errors: io: then it may count, or not.
Result<void> commit_swap(Storage& storage, const std::string& directory, Offset base);
/// Sets the files of the segments `replaced` aside, and puts the new one in the place of the first. `set_aside` gets the paths
/// that are to be removed. Errors: io.
Result<void> put_in_place(Storage& storage, const std::string& directory, std::span<const Offset> replaced,
                          std::vector<std::string>& set_aside);

/// A log file that a reader has to open.
struct ReadableSegment {
  Offset base;
  bool waits = false;  // its files end with .swap: the exchange counts, and the old ones are passed over
  friend bool operator==(const ReadableSegment&, const ReadableSegment&) = default;
};
/// Those of a partition, ascending, for a reader that may change nothing: beside a writer, or of what a crash left. One that is
/// not found after this has been exchanged meanwhile. An absent directory holds nothing. Errors: corrupt; not_found, while an
/// exchange goes on; io.
Result<std::vector<ReadableSegment>> readable_segments(Storage& storage, const std::string& directory);

/// Whether the log file at `base`, which was opened before, is the last one and compaction has not written it, so that nothing
/// is missing from it. Compaction leaves the last one alone; where others behind it were lost, its digest tells. False in
/// doubt.
bool is_as_appended(Storage& storage, const std::string& directory, Offset base);

}  // namespace lungo
