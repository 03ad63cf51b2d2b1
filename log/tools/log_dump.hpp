// `lungo log dump`: what the bytes of segments say, with or without a data directory around them. Threads: one.
#pragma once

#include <string>
#include <vector>

#include <lungo/log/printed.hpp>

#include "tool_log.hpp"

namespace CLI {
class App;
}

namespace lungo {

struct DumpOptions {
  std::vector<std::string> paths;
  bool records = false;
};

void describe_dump(CLI::App& app, DumpOptions& options);
/// Returns the exit status: 1 when anything is damaged. Errors: not_found; io.
Result<int> run_dump(const ToolOptions& tool, const DumpOptions& options, Output& out);

/// The segment files that a path stands for, in the order of their names: itself, those of a partition's directory, or those of
/// all partitions of a data directory. Errors: not_found, saying what there is instead; invalid_argument for a pipe or a
/// device; io.
Result<std::vector<std::string>> segment_files(const std::string& path);

}  // namespace lungo
