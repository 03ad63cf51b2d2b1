// `lungo.backup`: what a backup is made of.
//
//   file  = property file (base/property_file.hpp) of the kind "backup", version 1
//   lines = "directory.id=" ID, "epoch=" N, "taken.ms=" MILLISECONDS since 1970
//           "file=" SIZE " " HASH " " PATH             PATH below the directory, HASH: XXH3-128 of its bytes in 32 hex digits
//           "partition=" START " " END " " CRC " " NAME    its records [START, END); CRC of its last batch in decimal, 0: none
//           "damaged=" FROM " " END " " NAME               offsets of the partition that were lost already
//
// Example:
//
//   lungo-backup 1
//   directory.id=pQ3OX3PmQVaKq0vTAnT1cw
//   epoch=3
//   taken.ms=1714564800000
//   file=216 5f2b0c... orders-0/00000000000000000000.log
//   partition=0 3 2774651920 orders-0
//   crc32c=0a1b2c3d
//
// Threads: none of its own.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include <lungo/log/storage.hpp>

#include "base/property_file.hpp"

namespace lungo {

inline constexpr std::string_view kBackupFile = "lungo.backup";

struct BackedUpFile {
  std::string path;
  std::uint64_t size = 0;
  std::string hash;  // 32 hex digits
  friend bool operator==(const BackedUpFile&, const BackedUpFile&) = default;
};

struct BackedUpPartition {
  std::string name;
  Offset start;
  Offset end;
  std::uint32_t last_batch_crc = 0;
  friend bool operator==(const BackedUpPartition&, const BackedUpPartition&) = default;
};

struct BackedUpDamage {
  std::string partition;
  Offset from;
  Offset end;
  friend bool operator==(const BackedUpDamage&, const BackedUpDamage&) = default;
};

struct BackupManifest {
  std::string directory_id;
  std::int64_t epoch = 0;
  std::int64_t taken_ms = 0;
  std::vector<BackedUpFile> files;
  std::vector<BackedUpPartition> partitions;
  std::vector<BackedUpDamage> damage;
  friend bool operator==(const BackupManifest&, const BackupManifest&) = default;
};

std::string format_manifest(const BackupManifest& manifest);
/// Errors: corrupt; newer_format. No path leads out of the directory.
Result<BackupManifest> parse_manifest(const std::string& path, BytesView bytes);

/// Size and hash of a file as it is. `read_some`, which may be empty, is told of the bytes. Errors: not_found, io.
Result<BackedUpFile> hash_of_file(Storage& storage, const std::string& path,
                                  const std::function<void(std::uint64_t)>& read_some);

}  // namespace lungo
