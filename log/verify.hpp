// Checks what lies in a data directory, or in one partition's, against itself: every batch and record, the digests of segments,
// the indexes, epochs and producers against those that the batches make, stream runs, checkpoints, known damage.
//
// For reading only, beside a live writer too: what a writer is just about to do is no finding, and where it has exchanged or
// removed files meanwhile they are looked at again. Nothing found is repaired here; the next opening for writing makes anew
// what can be (docs/internals/recovery.md). Memory, for each partition that is looked at: the largest batch, a few words for
// each batch of one segment, and eight bytes a record of a topic with streams that is compacted. Threads: the caller's, and
// those of VerifyOptions::executor.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <lungo/log/partition_log.hpp>
#include <lungo/log/storage.hpp>

namespace lungo {

enum class FaultSeverity {
  note,  // nothing is wrong: a torn tail that the next opening cuts, what was written behind it and beside it included; a file
         // that is not there yet
  warning,  // something is wrong that is made anew from the records: an index, a snapshot
  error,    // records are lost or in doubt, or what says where they are
};
std::string_view to_string(FaultSeverity severity);

struct Finding {
  FaultSeverity severity = FaultSeverity::error;
  std::string partition;  // its directory's name; empty: of the data directory
  std::string file;       // in there; may be empty
  std::optional<std::uint64_t> position;
  std::uint64_t bytes = 0;  // from there
  std::optional<Offset> from;
  std::optional<Offset> end;  // of the offsets [from, end)
  std::string what;
};
/// "orders-0/00000000000000000000.log: byte 72, 72 bytes: offsets 1 to before 2: what"
std::string text_of(const Finding& finding);
using TakeFinding = std::function<void(const Finding&)>;

struct VerifyReport {
  std::uint64_t partitions = 0;
  std::uint64_t segments = 0;
  std::uint64_t digests = 0;  // of these
  std::uint64_t batches = 0;
  std::uint64_t records = 0;
  std::uint64_t bytes = 0;  // of batches
  std::uint64_t errors = 0;
  std::uint64_t warnings = 0;
  std::uint64_t notes = 0;
  void add(const VerifyReport& more);
  [[nodiscard]] bool is_fine() const { return errors == 0 && warnings == 0; }
};

struct VerifyOptions {
  std::vector<std::string> topics;                     // empty: all
  std::function<void(std::uint64_t bytes)> read_some;  // of batches, since it was called last; may be empty; one call at a time
  Executor* executor = nullptr;                        // partitions are looked at `width` at a time; null: one after another
  std::size_t width = 1;
};

/// What a partition's files have to agree with.
struct PartitionFacts {
  std::string name;  // of its directory
  bool gaps = false;
  bool is_foreign = false;  // Apache Kafka wrote some of it, by its own rules
  bool streams = false;
  Offset proven;                  // below it all was synced
  bool has_mark = false;          // and what is damaged at or above it the next opening cuts
  std::optional<CleanEnd> clean;  // as the clean-stop marker says
  std::function<Offset()> start;  // below it records were deleted, as of now
};

/// What was seen of it, for who has made a promise about that.
struct VerifiedPartition {
  Offset start;  // of the first segment
  Offset end;
  std::uint32_t last_batch_crc = 0;
};

/// Errors: not_found (no data directory, or not such a topic); newer_format; io: then not all was looked at.
Result<VerifyReport> verify_directory(Storage& storage, const std::string& directory, const VerifyOptions& options,
                                      const TakeFinding& take);
/// The files in `directory` alone; adds to the report. Errors: io.
Result<VerifiedPartition> verify_partition(Storage& storage, const std::string& directory, const PartitionFacts& facts,
                                           const VerifyOptions& options, VerifyReport& report, const TakeFinding& take);

/// Bytes of the segments of all partitions that verify_directory() would look at. Errors: as there.
Result<std::uint64_t> bytes_to_verify(Storage& storage, const std::string& directory, const VerifyOptions& options);

}  // namespace lungo
