// What `--exit` prints: the read models in short, as text or as one JSON object.
//
// Threads: one at a time.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include <lungo/log/result.hpp>

#include "import/access_line.hpp"
#include "import/log_import.hpp"
#include "tracker.hpp"

namespace tracker {

/// All that is in the data directory, however many imports it took.
struct Summary {
  std::uint64_t lines = 0;
  std::uint64_t events = 0;
  std::array<std::uint64_t, kDropReasons> drops{};
  std::int64_t late = 0;  // of this run: events older than the allowed lateness when the sessions saw them
  std::map<std::string, std::int64_t> hits_per_day;
  std::map<std::int32_t, std::int64_t> hits_per_status;
  std::vector<std::pair<std::string, std::int64_t>> top_pages;  // 20, ties by name
  std::map<std::string, std::int64_t> visitors_per_day;
  std::int64_t visitors = 0;                                 // distinct (day, address, user agent)
  double visitors_estimate = 0;                              // the same by the merged sketches
  SessionsPerDay::State sessions;                            // of all days
  std::vector<std::pair<std::string, std::int64_t>> funnel;  // step -> sessions that came so far
};

/// What one file of this run brought.
struct FileReport {
  std::string path;
  ImportReport report;
  std::array<StepCount, 4> steps;  // of the chain that its lines went through
};

/// `late` is of this run. Errors: as Projection::scan().
lungo::Result<Summary> summarize(Tracker& tracker);

/// `verbose`: with the steps' counts.
void print_text(std::ostream& out, const Summary& summary, const std::vector<FileReport>& files, bool verbose);
/// Keys: lines, events, drops {reason: n}, hits_per_day {day: n}, hits_per_status {code: n}, top_pages [{page, hits}],
/// distinct_visitors, distinct_visitors_per_day {day: n}, distinct_visitors_estimate, sessions {...}, funnel [{step,
/// sessions}], imports [{path, lines, events, drops {reason: {lines, first}}, waiting_bytes, steps [{step, lines, dropped}]}]
/// (bytes of a begun last line that was left until it is whole). Bytes that are no UTF-8 are given as \xNN.
void print_json(std::ostream& out, const Summary& summary, const std::vector<FileReport>& files);

}  // namespace tracker
