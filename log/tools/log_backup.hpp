// `lungo log backup` and `restore`. Threads: one.
#pragma once

#include <string>
#include <vector>

#include <lungo/log/printed.hpp>

#include "tool_log.hpp"

namespace CLI {
class App;
}

namespace lungo {

struct BackupToolOptions {
  std::vector<std::string> directories;  // of the data, which may be left out, and of the copy
  bool snapshot = false;
};

void describe_backup(CLI::App& app, BackupToolOptions& options);
/// Returns the exit status: 1 when something is damaged. Errors: as back_up().
Result<int> run_backup(const ToolOptions& tool, const BackupToolOptions& options, Output& out);

struct RestoreToolOptions {
  std::string from;
  std::string to;
};

void describe_restore(CLI::App& app, RestoreToolOptions& options);
/// Returns the exit status: 1 when something was damaged already when the backup was made. Errors: as restore().
Result<int> run_restore(const ToolOptions& tool, const RestoreToolOptions& options, Output& out);

}  // namespace lungo
