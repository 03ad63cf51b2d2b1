// The import of one log file: reads its lines, makes events of them, remembers how far it came, and resumes there.
//
// A file is known by its fingerprint, a keyed hash of its first line; where another file has the same first line, "-2", "-3"...
// is added. Every record carries l.id = FILE:LINE. Each second all appends are awaited and a mark {lines, bytes, hash, drops}
// is committed per partition. A restart
//   1. reads the file up to its mark and compares the hash, so a file that merely begins alike is told apart;
//   2. looks behind the mark, in each partition, for events of this file, and compares who and when they name with the file's
//      lines, which finds a look-alike whose import stopped before its first mark;
//   3. goes on at the mark, and repeats no line that it found.
// A last line without its end is taken when nothing that follows can change its event, or when nothing can follow; see
// finish(). Threads: one at a time.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "import/batched_appends.hpp"
#include "import/import_progress.hpp"
#include "import/ingest_chain.hpp"
#include "import/line_reader.hpp"
#include "import/open_files.hpp"

namespace tracker {

/// A begun line at the end of a file, left there until it is whole.
struct WaitingLine {
  std::uint64_t number = 0;  // from 1
  std::uint64_t begin = 0;   // byte of the file
  std::uint64_t bytes = 0;   // what there is of it
};

/// What an import has done since it was opened.
struct ImportReport {
  std::uint64_t lines = 0;
  std::uint64_t events = 0;
  std::array<std::uint64_t, kDropReasons> drops{};
  /// The first lines that were dropped, at most kPositionsKept per reason.
  std::array<std::vector<std::uint64_t>, kDropReasons> positions;
  static constexpr std::size_t kPositionsKept = 3;
  std::optional<WaitingLine> waiting;  // as finish() found it
};

/// What imports share; all must outlive them.
struct ImportSite {
  lungo::EventStore store;
  EventAppends& appends;
  ProgressBook& book;
  const Secret& secret;
  OpenFiles& open_files;
};

enum class ImportMode {
  whole,   // to the file's end; a lane of its own, in which no clock ticks
  follow,  // the file grows; the live lane
};

class LogImport {
 public:
  /// Opens `path` and finds its place. Nothing when a followed file has no whole line yet, or is open in this process under
  /// whatever name: it counts once.
  /// Errors: unsupported for what can't be followed; locked when a file to be imported is open; as open_source(),
  /// ByteSource::read() and EventLog.
  static lungo::Result<std::unique_ptr<LogImport>> open(ImportSite site, const std::string& path, ImportMode mode);
  /// Waits for what is in flight; a mark that was not written costs a longer resume, nothing else.
  ~LogImport();
  LogImport(const LogImport&) = delete;
  LogImport& operator=(const LogImport&) = delete;

  /// What a step came to.
  struct Step {
    std::size_t lines = 0;
    bool at_end = false;     // of what there is; a pipe that is only silent is not at its end
    bool committed = false;  // all lines handled so far
  };
  /// Handles up to `lines_max` lines; ends early at the end of what there is and when a pipe makes it wait. Commits everything
  /// and writes a mark each second. Errors: as ByteSource::read() (the lines before were handled) and EventLog::append().
  lungo::Result<Step> step(std::size_t lines_max);
  /// Everything so far is committed and marked when it returns. `at_end`, after a step that said so: a last line without its
  /// end is taken too when it is closed (see is_closed_line), or when the source can't grow; otherwise the report says that it
  /// waits. An event made of half a line would name another visitor than the whole one does.
  lungo::Result<void> finish(bool at_end);

  [[nodiscard]] const ImportReport& report() const;
  [[nodiscard]] const std::string& path() const;
  /// The id that the file is known by; empty for one without a first line.
  [[nodiscard]] const std::string& file() const;
  [[nodiscard]] ByteSource& source();
  [[nodiscard]] std::array<StepCount, 4> steps() const;

 private:
  struct Parts;
  explicit LogImport(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace tracker
