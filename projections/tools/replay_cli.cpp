// The command line of `lungo replay`, of lungo-replay and of replay_main().
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <iostream>

#include <lungo/log/local_event_log.hpp>
#include <lungo/log/log_text.hpp>
#include <lungo/projections/replay.hpp>

#include "../text.hpp"
#include "replay_commands.hpp"

namespace lungo {
namespace {

struct Arguments {
  std::string data;
  bool json = false;
  std::string projection;
  std::optional<std::string> key;
  std::string stream;
  std::optional<std::string> topic;
  std::vector<std::string> projections;
  std::optional<std::int64_t> from_offset;
  std::optional<std::string> from_time;
  std::optional<std::string> store;
};

/// Draws progress on standard error: a bar on a terminal, a line every five seconds elsewhere.
class ProgressLine {
 public:
  bool operator()(const RebuildProgress& progress) {
    const double share = progress.total == 0 ? 0 : static_cast<double>(progress.events) / static_cast<double>(progress.total);
    std::string left = "?";
    if (progress.left) left = std::to_string(std::chrono::duration_cast<std::chrono::seconds>(*progress.left).count());
    if (is_terminal_) {
      const auto filled = static_cast<std::size_t>(share * 30);
      const std::string bar = std::string(filled, '#') + std::string(30 - filled, ' ');
      std::fprintf(stderr, "\r[%s] %3.0f %%  %llu events  %.0f events/s  %s s left   ", bar.c_str(), share * 100,
                   static_cast<unsigned long long>(progress.events), progress.events_per_second, left.c_str());
      drawn_ = true;
    } else if (progress.elapsed >= next_line_) {
      std::fprintf(stderr, "%.0f %% events=%llu events_per_second=%.0f seconds_left=%s\n", share * 100,
                   static_cast<unsigned long long>(progress.events), progress.events_per_second, left.c_str());
      next_line_ = progress.elapsed + std::chrono::seconds{5};
    }
    return true;
  }
  void end() const {
    if (drawn_) std::fprintf(stderr, "\n");
  }

 private:
  const bool is_terminal_ = ::isatty(STDERR_FILENO) == 1;
  bool drawn_ = false;
  Duration next_line_{std::chrono::seconds{5}};
};

Result<ReplayFrom> replay_from(const Arguments& arguments) {
  if (arguments.from_offset) return ReplayFrom::offset(Offset{*arguments.from_offset});
  if (!arguments.from_time) return ReplayFrom::beginning();
  const std::optional<Timestamp> time = parse_time(*arguments.from_time);
  if (!time)
    return Error{Errc::invalid_argument, "'" + *arguments.from_time + "' is no time; write 2024-05-01 or 2024-05-01T12:00:00Z"};
  return ReplayFrom::time(*time);
}

/// Names of the application's projections, asked of an engine that never starts.
std::vector<std::string> names_of(const ReplayTool& tool, EventStore& store) {
  Engine engine{store, memory()};
  tool.add_projections(engine);
  return engine.names();
}

Result<void> rebuild(const ReplayTool& tool, const Arguments& arguments) {
  if (!tool.add_projections)
    return Error{Errc::unsupported,
                 "rebuilding needs the projections' code, which is in the application: run its own program, e.g. `APPLICATION "
                 "replay rebuild`"};
  Result<ReplayFrom> from = replay_from(arguments);
  if (!from) return from.error();
  std::string path;
  std::shared_ptr<EventLog> log;
  {
    Result<ReplayCommands> commands = ReplayCommands::open(arguments.data, false);
    if (!commands) return commands.error();
    log = commands->log();
    EventStore store{log};
    Result<std::string> description =
        arguments.store ? "sqlite " + *arguments.store : commands->store_of(names_of(tool, store));
    if (!description) return description.error();
    path = description->substr(description->find(' ') + 1);
  }
  EventStore store{log};
  Engine engine{store, sqlite(path)};
  tool.add_projections(engine);
  Result<void> started = engine.start();
  if (!started && started.error() == Errc::locked)
    return started.error().with_context("the application runs; let it rebuild by itself, or stop it");
  if (!started) return started;
  ProgressLine line;
  Result<RebuildReport> report = engine.rebuild({arguments.projections, *from, std::ref(line)});
  line.end();
  if (!report) return report.error();
  const double seconds = std::chrono::duration<double>(report->elapsed).count();
  if (arguments.json) {
    std::printf("{\"projections\":%zu,\"events\":%llu,\"seconds\":%.3f,\"resumed\":%s}\n", report->projections.size(),
                static_cast<unsigned long long>(report->events), seconds, report->resumed ? "true" : "false");
  } else {
    std::printf("rebuilt %zu projections from %llu events in %.1f s%s\n", report->projections.size(),
                static_cast<unsigned long long>(report->events), seconds, report->resumed ? " (resumed)" : "");
  }
  return engine.stop();
}

Result<void> run(const ReplayTool& tool, const CLI::App& app, const Arguments& arguments) {
  if (app.got_subcommand("rebuild")) return rebuild(tool, arguments);
  Result<ReplayCommands> commands = ReplayCommands::open(arguments.data, arguments.json);
  if (!commands) return commands.error();
  if (app.got_subcommand("list")) return commands->list(std::cout);
  if (app.got_subcommand("status")) return commands->status(std::cout);
  if (app.got_subcommand("show")) return commands->show(arguments.projection, arguments.key, std::cout);
  return commands->events(arguments.stream, arguments.topic, std::cout);
}

void describe(CLI::App& app, Arguments& arguments) {
  app.add_option("--data", arguments.data, "The data directory")->capture_default_str();
  app.add_flag("--json", arguments.json, "One JSON object per line instead of columns with tabs");
  app.require_subcommand(1);
  app.fallthrough();
  app.add_subcommand("list", "The projections of the data directory: rows, topic, store");
  app.add_subcommand("status", "How far each projection is: lag, parked events, positions, rebuilds");
  CLI::App* show = app.add_subcommand("show", "The rows of a projection, or those of one key");
  show->add_option("PROJECTION", arguments.projection, "Its name, as `list` prints it")->required();
  show->add_option("KEY", arguments.key, "The key's columns from the first, with commas between them");
  CLI::App* events = app.add_subcommand("events", "The events of a stream, oldest first");
  events->add_option("STREAM", arguments.stream, "The stream's id, e.g. visit-42")->required();
  events->add_option("--topic", arguments.topic, "Look in this topic only");
  CLI::App* rebuild =
      app.add_subcommand("rebuild", "Make the rows anew from the log and swap them in; goes on where it was cut off");
  rebuild->add_option("PROJECTION", arguments.projections, "Which; all when none is named");
  rebuild->add_option("--store", arguments.store, "The store's file, when several stores have the projections");
  CLI::Option* offset = rebuild->add_option("--from-offset", arguments.from_offset, "Begin at this offset of every partition");
  rebuild->add_option("--from-time", arguments.from_time, "Begin at this event time, e.g. 2024-05-01T12:00:00Z")
      ->excludes(offset);
}

}  // namespace

int run_replay_tool(const ReplayTool& tool, int argc, const char* const* argv) {
  CLI::App app{"Looks at projections and events of a data directory, and rebuilds projections by replay.", tool.program};
  log_to_stderr(Severity::warn);
  Arguments arguments;
  arguments.data = tool.data;
  describe(app, arguments);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& refused) {
    return app.exit(refused) == 0 ? 0 : 2;
  }
  const Result<void> done = run(tool, app, arguments);
  std::cout.flush();
  if (done) return 0;
  std::fprintf(stderr, "%s: %s\n", tool.program.c_str(), to_string(done.error()).c_str());
  return 1;
}

}  // namespace lungo
