// Where a log's bytes come from: a file, a gzip file, standard input.
//
// What a file is, its first bytes tell, not its name. Gzip may have several members, as log rotation and pigz make them.
// Threads: one at a time.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include <lungo/log/result.hpp>

namespace tracker {

/// Which file it is, whatever it is called at the moment.
struct FileIdentity {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  friend bool operator==(const FileIdentity&, const FileIdentity&) = default;
};

/// A pipe that is silent for so long gets its reader back, who may have something to write down.
inline constexpr std::chrono::milliseconds kSilenceMax{200};

/// A log's bytes, uncompressed.
class ByteSource {
 public:
  virtual ~ByteSource() = default;
  /// Fills up to `out.size()` bytes; 0 = at the end, for now. Errors: io; canceled (a signal came); timed_out (a pipe was
  /// silent for kSilenceMax; more may come); corrupt (compressed data that is damaged or ends early; everything before it was
  /// given).
  virtual lungo::Result<std::size_t> read(std::span<char> out) = 0;
  /// Skips that many uncompressed bytes; fewer only at the end. Errors: as read().
  virtual lungo::Result<std::uint64_t> skip(std::uint64_t bytes);
  /// Back to the first byte. Errors: unsupported for standard input and pipes; io.
  virtual lungo::Result<void> rewind() = 0;
  [[nodiscard]] virtual bool can_rewind() const = 0;
  /// How much of the file was read, and how much there is now. A total of 0 is unknown.
  [[nodiscard]] virtual std::uint64_t stored_bytes_read() const = 0;
  [[nodiscard]] virtual std::uint64_t stored_bytes_total() const = 0;
  [[nodiscard]] virtual FileIdentity identity() const = 0;
  /// True where there may be more later: a plain file that was named. Standard input is taken for all that there is.
  [[nodiscard]] virtual bool can_grow() const = 0;
};

/// "-" is standard input. Errors: not_found, io (the system's words, with the path); unsupported for a directory, for a file in
/// another compression, which is named, and for one that is no text: a NUL byte in its first 4 KiB and no line there that looks
/// like a log's.
lungo::Result<std::unique_ptr<ByteSource>> open_source(const std::string& path);

/// Refuses what never grows as a log does, before opening it: a pipe would make its reader wait for a writer. Errors:
/// not_found, io; unsupported for anything but a regular file.
lungo::Result<void> check_can_be_followed(const std::string& path);

/// Identity of the file that `path` names now. Errors: not_found, io.
lungo::Result<FileIdentity> identity_of(const std::string& path);

}  // namespace tracker
