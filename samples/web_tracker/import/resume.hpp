// Finds the place where the import of a file goes on; see log_import.hpp for what is promised.
//
// Threads: one at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "import/batched_appends.hpp"
#include "import/import_progress.hpp"
#include "import/line_reader.hpp"
#include "import/open_files.hpp"
#include "ingest/visitor_ids.hpp"

namespace tracker {

/// Orders the records that one line may give rise to: the line, then what was written later of it.
constexpr std::uint64_t place_of(std::uint64_t line, bool continues) { return line * 2 + (continues ? 1 : 0); }

/// Where an import begins.
struct StartingPoint {
  std::string file;                    // its id
  std::unique_ptr<LineReader> reader;  // behind the mark
  ImportProgress counts;               // drops and last time as of the mark
  std::vector<std::uint64_t> done;     // per lane: records up to this place are in the log
  std::vector<lungo::Offset> tail;     // per lane: where the look for them began
  bool is_new = true;
};

struct FirstLine {
  std::string text;
  bool ended = true;
};

/// The starting point of `source`, which begins with `first`; a new file's id where no known one is this file. A file whose
/// first line had no end when it was imported is found by the bytes that it had then; one that is open is another file. Errors:
/// as ByteSource::read() and EventLog::read().
lungo::Result<StartingPoint> find_starting_point(lungo::EventStore store, const ProgressBook& book, const OpenFiles& open_files,
                                                 const Secret& secret, const BatchedAppends& appends, const FirstLine& first,
                                                 std::unique_ptr<ByteSource> source);

/// The hash that marks are made with.
RollingHash mark_hash(const Secret& secret);

/// What the rehearsal compares of an event: its stream and its time.
std::uint64_t who_and_when(std::string_view stream, lungo::Timestamp time);

}  // namespace tracker
