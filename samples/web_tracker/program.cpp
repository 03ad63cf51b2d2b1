#include "program.hpp"

#include <malloc.h>
#include <sys/resource.h>

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <lungo/log/local_event_log.hpp>
#include <lungo/log/log_text.hpp>
#include <lungo/log/ports.hpp>
#include <lungo/log/tool_directory.hpp>
#include <lungo/projections/replay.hpp>

#include "arguments.hpp"
#include "model/funnel.hpp"
#include "model/funnel_file.hpp"
#include "model/sessions.hpp"
#include "run.hpp"
#include "stop_signal.hpp"
#include "tracker.hpp"

namespace tracker {
namespace {

using lungo::Errc;
using lungo::Error;
using lungo::Result;

/// `forward` is where others on a log elsewhere reach this tracker.
Result<std::shared_ptr<lungo::EventLog>> open_log(const CommandLine& line, const OpenRemote& open_remote,
                                                  std::shared_ptr<ForwardSite>& forward) {
  if (line.address.empty()) return lungo::open_local(line.run.data);
  if (!open_remote) return lungo::built_without_kafka();
  Result<std::unique_ptr<ForwardSite>> opened = ForwardSite::open(line.endpoint);
  if (!opened) return opened.error().with_context("--endpoint");
  forward = std::move(*opened);
  return open_remote(
      {.address = line.address, .config_file = line.kafka_config, .directory = line.run.data, .endpoint = forward->endpoint()});
}

Result<std::unique_ptr<Tracker>> open_tracker(const CommandLine& line, const OpenRemote& open_remote) {
  const SignalsHeldBack held_back;
  TrackerOptions options = line.tracker;
  Result<std::shared_ptr<lungo::EventLog>> log = open_log(line, open_remote, options.forward);
  if (!log) return log.error();
  const bool looks = line.run.imports.empty() && line.run.follows.empty() && !line.run.site;
  options.purpose = looks ? Purpose::look : Purpose::import;
  return Tracker::open(std::move(*log), options);
}

// The steps given, otherwise those of the data directory, otherwise those built in. Steps that are given mend a damaged file.
std::optional<Error> use_funnel(const std::string& data, const std::string& given) {
  const lungo::PosixPorts ports;
  Result<std::optional<std::string>> saved = load_funnel(ports.ports().storage, data);
  if (!saved && (given.empty() || saved.error().code() != Errc::corrupt)) return saved.error();
  if (!given.empty()) {
    set_funnel(FunnelSteps{given});
  } else if (*saved) {
    set_funnel(FunnelSteps{**saved});
  }
  return std::nullopt;
}

// Each connection of the web service is a descriptor, and shells hand down few of those that a process may have. Log and read
// models keep some for their files.
std::size_t connections_for(std::size_t wanted) {
  constexpr rlim_t kForFiles = 256;
  constexpr rlim_t kConnectionsMin = 64;
  rlimit descriptors{};
  if (getrlimit(RLIMIT_NOFILE, &descriptors) != 0) return wanted;
  descriptors.rlim_cur = descriptors.rlim_max;
  if (setrlimit(RLIMIT_NOFILE, &descriptors) != 0) getrlimit(RLIMIT_NOFILE, &descriptors);
  const rlim_t left = descriptors.rlim_cur > kForFiles + kConnectionsMin ? descriptors.rlim_cur - kForFiles : kConnectionsMin;
  return std::min<std::size_t>(wanted, left);
}

int track(CommandLine line, const OpenRemote& open_remote) {
  const Arguments& arguments = line.run;
  // With --exit alone it sums up what is there.
  const bool sums_up = arguments.exit && (!line.address.empty() || std::filesystem::exists(arguments.data + "/lungo.meta"));
  if (arguments.imports.empty() && arguments.follows.empty() && !arguments.site && !sums_up) {
    std::cerr << "web-tracker: nothing to do. Give it an access log:\n"
                 "  web-tracker --import /var/log/nginx/access.log.1.gz --exit     import, print a summary and stop\n"
                 "  web-tracker --follow /var/log/nginx/access.log                 import and go on as it grows\n"
                 "  web-tracker --exit                                             the summary of what is there\n"
                 "  web-tracker                                                    a web service with a live dashboard\n"
                 "  web-tracker replay status                                      look at its projections\n"
                 "`web-tracker --help` lists everything.\n";
    return kExitUsage;
  }
  listen_to_signals();
  if (const std::optional<Error> error = use_funnel(arguments.data, arguments.funnel)) return complain(*error);
  if (line.run.site) line.run.site->limits.connections_max = connections_for(line.run.site->limits.connections_max);
  set_session_timeout(line.session_timeout);
  Result<std::unique_ptr<Tracker>> opened = open_tracker(line, open_remote);
  if (!opened) {
    const int status = complain(opened.error());
    return !line.address.empty() && opened.error() == Errc::invalid_argument ? kExitUsage : status;
  }
  Tracker& tracker = **opened;
  if (!arguments.funnel.empty()) {
    Result<void> saved = save_funnel(tracker.ports().storage, arguments.data, arguments.funnel);
    if (!saved) return complain(saved.error());
  }
  const int status = Run{tracker, arguments}.run();
  Result<void> stopped = tracker.stop();
  if (stopped) return status;
  const int stop_status = complain(stopped.error());
  return status == 0 ? stop_status : status;
}

// The replay tool's command line, if this is one: `replay ...`, also behind --data DIR.
std::optional<std::vector<const char*>> replay_arguments(int argc, char** argv) {
  std::vector<const char*> arguments{"replay"};
  int next = 1;
  for (; next < argc && argv[next] != std::string_view{"replay"}; ++next) {
    const std::string_view argument = argv[next];
    if (!argument.starts_with("--data")) return std::nullopt;
    arguments.push_back(argv[next]);
    if (argument == "--data" && next + 1 < argc) arguments.push_back(argv[++next]);
  }
  if (next == argc) return std::nullopt;
  arguments.insert(arguments.end(), argv + next + 1, argv + argc);
  return arguments;
}

int replay(const std::vector<const char*>& arguments) {
  lungo::ReplayTool tool;
  tool.program = "web-tracker replay";
  tool.engine.cache_bytes = kCacheBytes;
  tool.add_projections = [](lungo::Engine& engine) { const AddedProjections added{engine}; };
  std::string data = tool.data;
  for (std::size_t i = 1; i < arguments.size(); ++i) {
    const std::string_view argument = arguments[i];
    if (argument == "--data" && i + 1 < arguments.size()) data = arguments[i + 1];
    if (argument.starts_with("--data=")) data = argument.substr(7);
  }
  if (const std::optional<Error> error = use_funnel(data, "")) return complain(*error);
  return lungo::run_replay_tool(tool, static_cast<int>(arguments.size()), arguments.data());
}

}  // namespace

int run_program(int argc, char** argv, const OpenRemote& open_remote) {
  // glibc keeps a heap per thread, and what one has freed no other can use: a tenth of the import's memory.
  mallopt(M_ARENA_MAX, 2);
  if (const std::optional<std::vector<const char*>> replayed = replay_arguments(argc, argv)) return replay(*replayed);

  int status = 0;
  const std::optional<CommandLine> line = parse_command_line(argc, argv, status);
  if (!line) return status;
  lungo::log_to_stderr(line->run.verbose ? lungo::Severity::info : lungo::Severity::warn);  // stdout has the summary
  try {
    return track(*line, open_remote);
  } catch (const std::exception& error) {
    std::cerr << "web-tracker: " << error.what() << '\n';
    return kExitFailed;
  }
}

}  // namespace tracker
