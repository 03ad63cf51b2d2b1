// `lungo log copy`: topics of one log into another, each a data directory or, by its address, a log elsewhere.
//
// How a log elsewhere is opened, and what the framework keeps by offset, is not known here: main() hands it in. Threads: one.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <lungo/log/copy.hpp>
#include <lungo/log/printed.hpp>

#include "stop_signals.hpp"
#include "tool_log.hpp"

namespace CLI {
class App;
}

namespace lungo {

/// What a user says of a log elsewhere.
struct RemoteAddress {
  std::string address;
  bool to_write = false;
  std::string config_file;  // --kafka-config; empty: not given
  std::string mirror;       // --mirror; empty: not given
};

/// What main() hands in of folders that log/ does not see.
struct CopyParts {
  /// Opens a log elsewhere. Nothing: the program was built without them.
  std::function<Result<std::shared_ptr<EventLog>>(const RemoteAddress&)> open;
  /// What CopyOptions::refuses is for a copy to there.
  std::function<std::optional<std::string>(const TopicSpec&, const RecordView&)> refuses;
  /// The rights that a copy needs there, as lines for a shell; `topics` may be empty where they are not known. Errors:
  /// invalid_argument for the address.
  std::function<Result<std::vector<std::string>>(const RemoteAddress&, const std::vector<std::string>& topics)> rights;
  /// The offsets that the framework keeps of these topics. Nothing: they are left out.
  std::function<Result<MovedOffsets>(const std::shared_ptr<EventLog>& from, const std::set<std::string>& topics)> move_offsets;
};

struct CopyToolOptions {
  std::string from;  // empty: nothing is copied, only explained
  std::string to;
  std::vector<std::string> topics;  // none: all that a copy takes by itself
  std::string config_file;
  std::string mirror;
  bool no_verify = false;
  bool explain = false;
};

void describe_copy(CLI::App& app, CopyToolOptions& options);
/// Returns the exit status. Errors: as copy_log() and the opening of both; unsupported from one log elsewhere to another, and
/// for an address where `parts` can open none; not_found for a topic that the source lacks; invalid_argument without a source,
/// which only the rights at an address do without.
Result<int> run_copy(const ToolOptions& tool, const CopyToolOptions& options, const CopyParts& parts, StopSignals& signals,
                     Output& out);

}  // namespace lungo
