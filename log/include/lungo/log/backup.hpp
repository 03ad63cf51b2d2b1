// Copies of a data directory that a program may be writing to, and bringing one back.
//
// Promise: a copy holds, of each partition, a prefix of its records (from its start on), and in it all that was acknowledged
// before the call. `lungo.backup` is written last and names every file with its size and hash: a directory without it is no
// backup, and a backup of which anything has changed is not restored. What can be made anew is left out: indexes of offsets and
// times, stream indexes, state stores (*.db); they are made again after a restore, by the first opening, which reads
// everything. Threads: any.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include <lungo/log/event_log.hpp>

namespace lungo {

enum class BackupKind {
  copy,        // files of their own; file systems that can share the blocks do
  hard_links,  // full segments that were synced are the same files under a second name, as nobody changes them any more (but
               // for PartitionLog::truncate_to); on one file system only
};

struct BackupOptions {
  BackupKind kind = BackupKind::copy;
  const Ports* ports = nullptr;                        // null: the real ones
  std::function<void(std::uint64_t bytes)> read_some;  // of files, since it was called last; may be empty
};

struct BackupReport {
  std::uint64_t partitions = 0;
  std::uint64_t files = 0;
  std::uint64_t bytes = 0;
  std::uint64_t records = 0;
  /// What is damaged in the directory that was copied, a line each. It is in the copy as it is there.
  std::vector<std::string> damage;
};

/// Copies `directory` to `to`, which is made, or is empty. Changes nothing in `directory`, needs no lock, and no program has to
/// stop. After an error `to` is to be removed.
/// Errors: not_found (no data directory); invalid_argument (`to` lies in it); already_exists (`to` has something in it);
/// unsupported (hard links across file systems); busy (the writer changes files faster than they can be copied); corrupt;
/// newer_format; no_space, io.
Result<BackupReport> back_up(const std::string& directory, const std::string& to, const BackupOptions& options = {});

/// Copies the backup `from` to `to`, which is made, or is empty, and checks everything: each file against what the backup says
/// of it, then all records. Only then `to` becomes a data directory. After an error it is empty again, as far as possible.
/// Errors: not_found (`from` is no backup, or not a complete one); already_exists (`to` has something in it); corrupt (`from`
/// has changed); newer_format; no_space, io.
Result<BackupReport> restore(const std::string& from, const std::string& to, const BackupOptions& options = {});

}  // namespace lungo
