// The command line of `lungo replay`, of lungo-replay and of replay_main().
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>

#include <lungo/log/local_event_log.hpp>
#include <lungo/log/log_text.hpp>
#include <lungo/projections/replay.hpp>

#include "../text.hpp"
#include "replay_commands.hpp"
#include "replay_events.hpp"

namespace lungo {
namespace {

struct Arguments {
  std::string data;
  bool json = false;
  std::string projection;
  std::optional<std::string> key;
  std::optional<std::string> stream;
  std::optional<std::string> topic;
  std::uint64_t limit = UINT64_MAX;
  std::vector<std::string> projections;
  std::optional<std::int64_t> from_offset;
  std::optional<std::string> from_time;
  std::optional<std::string> store;
  bool anew = false;
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

std::string counted(std::uint64_t count, const std::string& noun) {
  return std::to_string(count) + ' ' + noun + (count == 1 ? "" : "s");
}

Result<void> rebuild(const ReplayTool& tool, const Arguments& arguments) {
  if (!tool.add_projections)
    return Error{
        Errc::unsupported,
        "rebuilding needs the projections' code, which is in the application: `lungo replay --app APPLICATION rebuild` "
        "runs it, which is `APPLICATION replay rebuild`"};
  Result<ReplayFrom> from = replay_from(arguments);
  if (!from) return from.error();
  std::string path;
  std::shared_ptr<EventLog> log;
  {
    Result<ReplayCommands> commands = ReplayCommands::open(arguments.data, false);
    if (!commands) return commands.error();
    log = commands->log();
    EventStore store{log};
    Result<std::string> found = commands->store_of(names_of(tool, store), arguments.store);
    if (!found) return found.error();
    path = *found;
    if (commands->is_missing(path))
      std::fprintf(stderr, "%s: the store %s was not there and is made anew\n", tool.program.c_str(), printable(path).c_str());
  }
  EventStore store{log};
  Engine engine{store, sqlite(path), tool.engine};
  tool.add_projections(engine);
  Result<void> started = engine.start();
  if (!started && started.error() == Errc::locked)
    return started.error().with_context("the application runs; let it rebuild by itself, or stop it");
  if (!started) return started;
  ProgressLine line;
  Result<RebuildReport> report = engine.rebuild(
      {.projections = arguments.projections, .from = *from, .progress = std::ref(line), .resume = !arguments.anew});
  line.end();
  if (!report) return report.error();
  const double seconds = std::chrono::duration<double>(report->elapsed).count();
  if (arguments.json) {
    std::printf("{\"projections\":%zu,\"events\":%llu,\"seconds\":%.3f,\"resumed\":%s}\n", report->projections.size(),
                static_cast<unsigned long long>(report->events), seconds, report->resumed ? "true" : "false");
  } else {
    std::printf("rebuilt %s from %s in %.1f s%s\n", counted(report->projections.size(), "projection").c_str(),
                counted(report->events, "event").c_str(), seconds, report->resumed ? " (resumed)" : "");
  }
  return engine.stop();
}

Result<void> run(const ReplayTool& tool, const CLI::App& app, const Arguments& arguments, Output& out) {
  if (app.got_subcommand("rebuild")) return rebuild(tool, arguments);
  if (app.got_subcommand("events")) {
    Result<std::shared_ptr<EventLog>> log = open_log_to_look_at(arguments.data);
    if (!log) return log.error();
    return print_events(*log, {arguments.stream, arguments.topic, arguments.limit}, arguments.json, out);
  }
  Result<ReplayCommands> commands = ReplayCommands::open(arguments.data, arguments.json);
  if (!commands) return commands.error();
  for (const std::string& note : commands->notes())
    std::fprintf(stderr, "%s: %s\n", tool.program.c_str(), printable(note).c_str());
  if (app.got_subcommand("list")) return commands->list(out);
  if (app.got_subcommand("status")) return commands->status(out);
  return commands->show(arguments.projection, {arguments.key, arguments.store, arguments.limit}, out);
}

void describe_looking(CLI::App& app, Arguments& arguments) {
  app.add_subcommand("list", "The projections of the data directory: rows, topic, store")
      ->footer("--json: {\"projection\", \"rows\": number, \"topic\", \"generation\": number of its rebuilds + 1, \"store\"}");
  app.add_subcommand("status", "How far each projection is: lag, parked events, positions, rebuilds")
      ->footer(
          "--json: {\"projection\", \"rows\": \"complete\" | \"rebuilding\" | \"unfinished rebuild\" (beside the live rows; "
          "goes on now or with the next `rebuild`), \"lag\": events it has not seen, \"parked\": events it could not decode, "
          "\"generation\", \"from\": where its history begins, \"positions\": {partition: offset}, \"note\"}");
  CLI::App* show = app.add_subcommand("show", "The rows of a projection, or those of one key");
  show->add_option("PROJECTION", arguments.projection, "Its name, as `list` prints it")->required();
  show->add_option("KEY", arguments.key, "The key's columns from the first, with commas between them");
  show->add_option("--limit", arguments.limit, "At most so many rows")->type_name("N")->default_str("all");
  show->add_option("--store", arguments.store, "The store's file, when several stores have the projection")->type_name("FILE");
  show->footer(
      "Rows come in the order of their keys. --json: {column: value}; a column that holds nested fields is JSON, bytes are "
      "hexadecimal digits. Exit status 1 when no row has the key.");
  CLI::App* events = app.add_subcommand("events", "The events of a stream, oldest first, or of a whole topic");
  events->add_option("STREAM", arguments.stream, "The stream's id, e.g. visit-42; none: all events of --topic");
  events->add_option("--topic", arguments.topic, "Look in this topic only, also one that holds no streams")->type_name("TOPIC");
  events->add_option("--limit", arguments.limit, "At most so many events")->type_name("N")->default_str("all");
  events->footer(
      "--json: {\"number\" in its stream (of a whole topic: \"stream\"), \"partition\", \"offset\", \"time\", \"type\", "
      "\"event\"}. \"event\" is decoded through its shape; {\"$bytes\": base64} where nothing describes the payload, with "
      "\"$error\" where it can't be decoded.");
}

void describe_rebuild(CLI::App& app, Arguments& arguments) {
  CLI::App* rebuild =
      app.add_subcommand("rebuild", "Make the rows anew from the log and swap them in; goes on where it was cut off");
  rebuild->add_option("PROJECTION", arguments.projections, "Which; all when none is named");
  rebuild->add_option("--store", arguments.store, "The store's file, when several stores have the projections")
      ->type_name("FILE");
  CLI::Option* offset = rebuild->add_option("--from-offset", arguments.from_offset, "Begin at this offset of every partition")
                            ->check(CLI::NonNegativeNumber)
                            ->type_name("OFFSET");
  rebuild->add_option("--from-time", arguments.from_time, "Begin at this event time in UTC, e.g. 2024-05-01T12:00:00Z")
      ->excludes(offset)
      ->type_name("TIME");
  rebuild->add_flag("--anew", arguments.anew,
                    "Do not go on with a rebuild that was cut off: for code that has changed since without a new version");
  rebuild->footer("--json: {\"projections\": number, \"events\": number read, \"seconds\", \"resumed\": bool}");
}

void describe(CLI::App& app, const ReplayTool& tool, Arguments& arguments, std::string& application) {
  app.add_option("--data", arguments.data, "The data directory")->type_name("DIR")->capture_default_str();
  app.add_flag("--json", arguments.json, "One JSON object per line instead of columns with tabs");
  if (!tool.add_projections)
    app.add_option("--app", application, "Run this application's own tool, which has the code that rebuild needs")
        ->type_name("PATH");
  app.require_subcommand(1);
  app.fallthrough();
  app.footer(
      "Columns are UTF-8 without control characters: those are written \\t, \\n, \\r, \\xNN or \\uNNNN, bytes that are no "
      "UTF-8 "
      "\\xNN, and a backslash \\\\. JSON is valid UTF-8; text that is not becomes {\"$bytes\": base64}.\n"
      "Exit status: 0 done; 1 not there or failed, the reason is on stderr; 2 wrong arguments.");
  describe_looking(app, arguments);
  describe_rebuild(app, arguments);
}

}  // namespace

int run_replay_tool(const ReplayTool& tool, int argc, const char* const* argv) {
  CLI::App app{"Looks at projections and events of a data directory, and rebuilds projections by replay.", tool.program};
  log_to_stderr(Severity::warn);
  Arguments arguments;
  arguments.data = tool.data;
  std::string application;  // for the help: lungo-replay has become it before it comes here
  describe(app, tool, arguments, application);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& refused) {
    return app.exit(refused) == 0 ? 0 : 2;
  }
  Output out{stdout};
  const Result<void> done = run(tool, app, arguments, out);
  if (!done) std::fprintf(stderr, "%s: %s\n", tool.program.c_str(), printable(done.error()).c_str());
  return out.close(tool.program) && done ? 0 : 1;
}

}  // namespace lungo
