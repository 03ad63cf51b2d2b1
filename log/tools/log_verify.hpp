// `lungo log verify`: whether what lies on disk is what was written. Threads: one.
#pragma once

#include <string>
#include <vector>

#include <lungo/log/printed.hpp>

#include "tool_log.hpp"

namespace CLI {
class App;
}

namespace lungo {

struct Finding;

struct VerifyToolOptions {
  std::vector<std::string> names;  // a directory, or none, and topics
};

void describe_verify(CLI::App& app, VerifyToolOptions& options);
/// Returns the exit status: 1 when something is wrong. Errors: as verify_directory().
Result<int> run_verify(const ToolOptions& tool, const VerifyToolOptions& options, Output& out);

/// One finding as a line, or as an object.
void print_finding(const Finding& finding, bool json, Output& out);

}  // namespace lungo
