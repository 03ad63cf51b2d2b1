// The names in a partition's directory: which segments there are, what a crash left over, how a segment is removed.
#pragma once

#include <string>
#include <vector>

#include <lungo/log/storage.hpp>

namespace lungo {

inline constexpr std::string_view kTxnIndexSuffix = ".txnindex";  // Kafka's: aborted transactions; read by nobody here
inline constexpr std::string_view kSnapshotSuffix = ".snapshot";  // Kafka's: producers as of this end (partition_producers.hpp)
inline constexpr std::string_view kTemporarySuffix = ".tmp";
inline constexpr std::string_view kDeletedSuffix = ".deleted";  // behind a whole name: the file is about to be removed

/// Base offsets of the segments, ascending. With `clean_up` temporary files, those that were about to be removed, sidecars
/// without a log file, and stream indexes of version 1, which had one file a segment, are removed. An absent directory holds
/// nothing. Snapshots of producers, which need no segment, are left alone. Errors: io.
Result<std::vector<Offset>> list_segments(Storage& storage, const std::string& directory, bool clean_up);

/// Removes a file, if it is there. Errors: io.
Result<void> remove_if_present(Storage& storage, const std::string& path);

/// Removes a segment's files, the log file first: sidecars that stay behind are cleaned up later. Errors: io.
Result<void> remove_segment(Storage& storage, const std::string& directory, Offset base);

/// Gives a segment's files the names under which they wait to be removed, the log file first, and appends those to `paths`;
/// where there is no room for a name the file goes at once.
/// What is known of producers as of its base may stay: where another segment has that. Errors: io.
Result<void> set_segment_aside(Storage& storage, const std::string& directory, Offset base, std::vector<std::string>& paths,
                               bool with_snapshot = true);

}  // namespace lungo
