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

#include <string>

#include <lungo/log/storage.hpp>

namespace lungo {

inline constexpr std::string_view kCleanedSuffix = ".cleaned";
inline constexpr std::string_view kSwapSuffix = ".swap";

/// Finishes or takes back what a crash interrupted; a crash meanwhile does no harm. An absent directory needs nothing.
/// Errors: corrupt, when what is to take a place is not whole: then nothing was changed; unsupported, with `read_only`, when
/// there is an exchange to be finished: the segments that are there are neither the old nor the new ones; io.
Result<void> finish_swaps(Storage& storage, const std::string& directory, bool read_only);

}  // namespace lungo
