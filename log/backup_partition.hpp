// Copies one partition's files for a backup, beside a writer or not.
//
// What is copied is what lies there between two looks at its directory that agree. Segments that were deleted meanwhile go from
// the copy, too; where one was exchanged that one is copied again. The last segment is copied up to a batch border. Threads:
// one.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <lungo/log/event_log.hpp>
#include <lungo/log/storage.hpp>

#include "backup_manifest.hpp"
#include "verify.hpp"

namespace lungo {

/// How far a log went at some moment.
struct LogReach {
  Offset base;  // of the last segment
  std::uint64_t size = 0;
  Offset synced;  // below it all was
};
/// Nothing when there is no segment. Errors: not_found, while segments are exchanged; io.
Result<std::optional<LogReach>> reach_of(Storage& storage, const std::string& directory);

struct PartitionCopy {
  Storage& storage;
  std::string from;  // directories
  std::string to;
  std::string name;
  bool gaps = false;
  bool is_foreign = false;  // as in PartitionFacts
  bool hard_links = false;
  std::function<void(std::uint64_t)> read_some;
  std::optional<Offset> end;              // where the copy is to end, at a batch border; absent: with the last whole batch
  std::optional<LogReach> reach;          // and not behind these bytes
  Offset synced;                          // below it all was promised
  std::function<Result<Offset>()> start;  // below it records were deleted, as of now
};

struct CopiedPartition {
  Offset start;
  Offset end;
  std::uint32_t last_batch_crc = 0;
  std::uint64_t records = 0;
  std::vector<BackedUpFile> files;  // paths in its directory
  std::vector<Finding> damage;
  std::vector<Finding>
      unreadable;  // bytes of the source; records that were in them are among the damage, if they were promised
};

/// Durable when it returns. Errors: not_found, when the directory is gone; busy, when a writer changes it all the time;
/// unsupported (hard links); no_space, io.
Result<CopiedPartition> copy_partition_files(const PartitionCopy& copy);

}  // namespace lungo
