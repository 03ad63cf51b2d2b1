// A replay tool in one line:
//
//   int main(int argc, char** argv) { return lungo::replay_main<TopPages, HitsPerDay>(argc, argv); }
//
// Commands: list | status | show PROJECTION [KEY] | events STREAM | rebuild [PROJECTION]. Only `rebuild` needs the projections'
// code; the others work on any data directory, and `lungo replay` offers them without an application. `lungo replay --app PATH
// rebuild` runs `PATH replay rebuild`: an application that has other commands too hands what follows `replay` to
// run_replay_tool().
// Threads: call it from main().
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include <lungo/projections/engine.hpp>

namespace lungo {

struct ReplayTool {
  std::string program;                           // named in the help
  std::string data = "data";                     // default of --data
  std::function<void(Engine&)> add_projections;  // empty: a tool without the application's code
  EngineOptions engine;                          // of `rebuild`
};

/// Runs the tool on the arguments after the program's name. Returns the exit status: 0, or 1 with the reason on stderr, or 2
/// for arguments that make no sense.
int run_replay_tool(const ReplayTool& tool, int argc, const char* const* argv);

/// A first argument `replay` is passed over, so that `lungo replay --app` runs this program too.
template <class... P>
int replay_main(int argc, const char* const* argv) {
  ReplayTool tool;
  tool.program = argc > 0 ? argv[0] : "replay";
  tool.add_projections = [](Engine& engine) { (engine.add<P>(), ...); };
  if (argc > 1 && argv[1] == std::string_view{"replay"}) {
    --argc;
    ++argv;
  }
  return run_replay_tool(tool, argc, argv);
}

}  // namespace lungo
