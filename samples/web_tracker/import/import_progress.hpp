// How far each log file was imported: one record per (file, partition) in a compacted topic, written each second. Beside them
// one record by which a changed secret is known.
//
// A record says: all lines before `mark` whose events lie in this partition are committed, and behind `next_offset` may be
// events of later lines, which a restart looks for by their l.id = FILE:LINE. In a copy of the log, which another topic's id
// shows, offsets are others: there a restart looks through the whole partition once.
// Threads: one at a time.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <lungo/framework/event_store.hpp>

#include "import/access_line.hpp"
#include "import/line_reader.hpp"

namespace tracker {

inline constexpr std::string_view kProgressTopic = "__lungo_import_progress";

/// Key: FILE/TOPIC-PARTITION.
struct ImportProgress {
  std::string file;  // fingerprint, see file_id in log_import.hpp
  std::string path;  // as the user named it last
  std::string topic;
  std::int32_t partition = 0;
  std::uint64_t lines = 0;
  std::uint64_t bytes = 0;  // uncompressed
  std::uint64_t hash = 0;   // of those bytes
  bool inside_line = false;
  std::vector<std::uint64_t> drops;  // per DropReason, of the whole file
  std::int64_t last_time_ms = 0;     // of the last good line
  std::int64_t next_offset = 0;
  std::uint64_t first_line_bytes = 0;  // so many had the first line, still without its end, when it was fingerprinted; 0: all
  bool closed = false;                 // inside_line, and what is written later of that line changes nothing
  std::array<std::uint8_t, 16> topic_id{};  // that next_offset is of; zeros in records of before

  [[nodiscard]] LogMark mark() const { return {.lines = lines, .bytes = bytes, .hash = hash, .inside_line = inside_line}; }
};

/// Tells another secret from the one that the directory's imports were made with. Key: secret-check.
struct SecretCheck {
  std::uint64_t hash = 0;  // Secret::check_value()
};

/// All records, the newest of each key.
class ProgressBook {
 public:
  /// Makes the topic when absent, and reads it. Errors: as EventLog::create_topic() and read().
  static lungo::Result<ProgressBook> open(lungo::EventStore store);

  /// Ids of the files whose id is `fingerprint` or begins with `fingerprint` and "-".
  [[nodiscard]] std::vector<std::string> files_like(std::string_view fingerprint) const;
  /// Ids and `first_line_bytes` of the files whose first line had no end when they were fingerprinted.
  [[nodiscard]] std::map<std::string, std::uint64_t> files_begun_in_first_line() const;
  /// The file's records; empty when it is not known.
  [[nodiscard]] std::vector<ImportProgress> of(const std::string& file) const;
  /// The file that was last imported or followed as `path`; nothing when that file has been given under another name since.
  [[nodiscard]] std::optional<std::string> last_file_of(const std::string& path) const;
  /// The file goes by this name now; for last_file_of(), as long as this object lives.
  void set_path(const std::string& file, const std::string& path);
  /// Writes the records as one batch and waits until it is committed.
  lungo::Result<void> write(const std::vector<ImportProgress>& records);

  /// Nothing in a directory that was last written by a version without it.
  [[nodiscard]] std::optional<SecretCheck> secret_check() const { return secret_check_; }
  /// Writes it and waits until it is committed.
  lungo::Result<void> write(SecretCheck check);

  /// Lines and drops of all files together.
  struct Totals {
    std::uint64_t lines = 0;
    std::array<std::uint64_t, kDropReasons> drops{};
  };
  [[nodiscard]] Totals totals() const;

 private:
  explicit ProgressBook(lungo::EventStore store) : store_(std::move(store)) {}
  lungo::Result<void> load();

  lungo::EventStore store_;
  std::optional<SecretCheck> secret_check_;
  std::map<std::string, std::map<std::string, ImportProgress>> files_;  // file -> topic-partition -> record
  std::map<std::string, std::string> path_of_;                          // file -> the name it was given by last
  std::map<std::string, std::string> file_of_;                          // path -> the file that was given by it last
};

}  // namespace tracker
