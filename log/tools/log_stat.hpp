// `lungo log stat`: how large topics and their partitions are, and what they hold. Threads: one.
#pragma once

#include <string>
#include <vector>

#include <lungo/log/printed.hpp>

#include "tool_log.hpp"

namespace CLI {
class App;
}

namespace lungo {

struct StatOptions {
  std::vector<std::string> topics;  // none: all
};

void describe_stat(CLI::App& app, StatOptions& options);
Result<void> run_stat(const ToolOptions& tool, const StatOptions& options, Output& out);

/// What it prints of an open log. One of all topics that is deleted meanwhile is left out. Errors: not_found, of a topic that
/// was named; io.
Result<void> print_stat(EventLog& log, const ToolOptions& tool, const StatOptions& options, Output& out);

/// What the files of a partition, or of several, take.
struct FileSizes {
  std::uint64_t segments = 0;
  std::uint64_t log_bytes = 0;
  std::uint64_t index_bytes = 0;   // offsets and times
  std::uint64_t stream_bytes = 0;  // stream indexes
  std::uint64_t other_bytes = 0;
};
/// Of the partition's directory as it is now; a file that goes meanwhile counts as nothing.
FileSizes sizes_in(const std::string& directory);

}  // namespace lungo
