// `lungo log consume`: records of a topic, the oldest first, now or as they come. Threads: one.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "record_text.hpp"
#include "stop_signals.hpp"
#include "tool_log.hpp"

namespace CLI {
class App;
}

namespace lungo {

struct ConsumeOptions {
  std::string topic;
  std::vector<std::int32_t> partitions;
  std::optional<std::string> from;
  std::optional<std::uint64_t> last;
  std::optional<std::uint64_t> max;
  bool follow = false;
  bool skip_damaged = false;
  std::vector<std::string> columns;
};

void describe_consume(CLI::App& app, ConsumeOptions& options);

/// Returns the exit status. Errors: invalid_argument; not_found, also when the topic goes meanwhile; as EventLog::read().
Result<int> run_consume(const ToolOptions& tool, const ConsumeOptions& options, StopSignals& signals);

/// Where reading begins, in each partition.
struct ReadFrom {
  enum class Kind { earliest, latest, offset, time };
  Kind kind = Kind::earliest;
  Offset offset;
  Timestamp time;
  friend bool operator==(const ReadFrom&, const ReadFrom&) = default;
};
/// "earliest", "latest", "42", "2024-05-01T12:00:00Z", "@1714564800000". Errors: invalid_argument.
Result<ReadFrom> parse_from(const std::string& text);

}  // namespace lungo
