// `lungo log adopt`. Threads: one.
#pragma once

#include <lungo/log/printed.hpp>

#include "tool_log.hpp"

namespace CLI {
class App;
}

namespace lungo {

void describe_adopt(CLI::App& app);
/// Errors: as adopt_kafka_directory().
Result<void> run_adopt(const ToolOptions& tool, Output& out);

}  // namespace lungo
