// The command line of `lungo log`: options, help, exit statuses. Threads: call it from main(), before there are others.
#pragma once

#include "log_copy.hpp"

namespace lungo {

/// Runs the tool on the arguments after the program's name, with what main() knows of logs elsewhere, and returns the exit
/// status: 0 done; 1 not there or failed, the reason is on stderr; 2 wrong arguments; 75 the disk is full; 128 + N ended by
/// signal N before all was done.
int run_log_tool(int argc, const char* const* argv, const CopyParts& parts);

}  // namespace lungo
