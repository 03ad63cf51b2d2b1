// web-tracker: imports and follows access logs, keeps read models of them, and rebuilds those by replay.
//
// Exit status: 0 done; 1 something failed, the reason is on stderr; 2 the arguments make no sense; 75 the disk is full: the
// same command goes on where it stopped; 128 + N stopped in good order by signal N before the work was done.
#include <sys/stat.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <string>
#include <string_view>
#include <vector>

#include <lungo/log/log_text.hpp>
#include <lungo/log/ports.hpp>
#include <lungo/projections/replay.hpp>

#include "follow.hpp"
#include "funnel_file.hpp"
#include "progress_bar.hpp"
#include "retry_pause.hpp"
#include "summary.hpp"
#include "tracker.hpp"

namespace {

using lungo::Errc;
using lungo::Error;
using lungo::Result;
using namespace tracker;

constexpr int kExitFailed = 1;
constexpr int kExitUsage = 2;
constexpr int kExitDiskFull = 75;  // EX_TEMPFAIL of sysexits.h: try again later
constexpr std::size_t kLinesPerStep = 1000;
constexpr lungo::Duration kTick = std::chrono::milliseconds{200};

std::atomic<int> stop_signal{0};
static_assert(std::atomic<int>::is_always_lock_free, "a signal handler may only touch lock-free atomics");

void on_signal(int number) { stop_signal = number; }

void listen_to_signals() {
  struct sigaction action {};
  action.sa_handler = on_signal;
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) sigaction(number, &action, nullptr);
}

// While it lives, threads that are started leave our signals alone, so that they reach the main thread and wake its reads.
class SignalsHeldBack {
 public:
  SignalsHeldBack() {
    sigset_t ours;
    sigemptyset(&ours);
    for (const int number : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&ours, number);
    pthread_sigmask(SIG_BLOCK, &ours, &before_);
  }
  ~SignalsHeldBack() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsHeldBack(const SignalsHeldBack&) = delete;
  SignalsHeldBack& operator=(const SignalsHeldBack&) = delete;

 private:
  sigset_t before_;
};

struct Arguments {
  std::vector<std::string> imports;
  std::vector<std::string> follows;
  std::string data = "data";
  std::string funnel;
  bool exit = false;
  bool json = false;
  bool verbose = false;
};

Result<std::unique_ptr<Tracker>> open_tracker(const Arguments& arguments) {
  const SignalsHeldBack held_back;
  const bool looks = arguments.imports.empty() && arguments.follows.empty();
  return Tracker::open(arguments.data, looks ? Purpose::look : Purpose::import);
}

// Tells what went wrong, and what to do where that helps. The exit status for it.
int complain(const Error& error) {
  std::cerr << "web-tracker: " << error.text() << '\n';
  if (error.code() != Errc::no_space) return kExitFailed;
  std::cerr
      << "web-tracker: the disk is full. What was committed is safe: make room and give the same command, it goes on where "
         "it stopped\n";
  return kExitDiskFull;
}

void tell_waiting(const std::string& path, const WaitingLine& line) {
  std::cerr << "web-tracker: " << path << ": line " << line.number << ", from byte " << line.begin
            << ", has no end yet and is left for now: the next import takes it when it is whole (if it is: add a line end)\n";
}

bool can_be_read_again(const std::string& path) {
  struct stat status {};
  return (path == "-" ? ::fstat(STDIN_FILENO, &status) : ::stat(path.c_str(), &status)) != 0 || S_ISREG(status.st_mode);
}

// One run of the program over its inputs.
class Run {
 public:
  Run(Tracker& tracker, const Arguments& arguments) : tracker_(tracker), arguments_(arguments) {
    for (const std::string& path : arguments.follows) followers_.emplace_back(tracker.import_site(), path);
  }

  int run() {
    for (const std::string& path : arguments_.imports) {
      if (is_over()) break;
      import(path);
    }
    if (arguments_.exit) {
      take_what_is_there();
    } else {
      follow_until_stopped();
    }
    finish_followers();
    if (arguments_.exit && !is_over()) print_summary();
    if (stop_signal != 0 && arguments_.exit && status_ == 0) return 128 + stop_signal;
    return status_;
  }

 private:
  [[nodiscard]] bool is_over() const { return stop_signal != 0 || status_ == kExitDiskFull; }
  [[nodiscard]] lungo::Instant now() const { return tracker_.ports().clock.monotonic(); }

  void fail(const Error& error) {
    const int status = complain(error);
    if (status_ != kExitDiskFull) status_ = status;
  }

  // A run that goes on afterwards outlives a full disk here too: it opens the file anew, which resumes where it stopped.
  void import(const std::string& path) {
    RetryPause pause;
    std::optional<Error> trouble = import_once(path);
    while (trouble && trouble->code() == Errc::no_space && !arguments_.exit && can_be_read_again(path) && stop_signal == 0) {
      report_trouble(trouble);
      wait(pause.next());
      if (stop_signal == 0) trouble = import_once(path);
    }
    if (!trouble) return report_trouble(std::nullopt);
    fail(*trouble);
    if (trouble->code() == Errc::no_space && !can_be_read_again(path)) {
      std::cerr << "web-tracker: " << path
                << " can't be read again: its lines behind the last ones committed are not in the log\n";
    }
  }

  // What stopped it; nothing at the end of the file and after a signal.
  std::optional<Error> import_once(const std::string& path) {
    Result<std::unique_ptr<LogImport>> opened = LogImport::open(tracker_.import_site(), path, ImportMode::whole);
    if (!opened && opened.error().code() == Errc::canceled && stop_signal != 0) return std::nullopt;
    if (!opened) return opened.error();
    LogImport& file = **opened;
    ProgressBar bar{path == "-" ? "standard input" : path, isatty(STDERR_FILENO) == 1, now()};
    bool at_end = false;
    std::optional<Error> trouble;
    while (!at_end && !trouble && stop_signal == 0) {
      Result<LogImport::Step> step = file.step(kLinesPerStep);
      at_end = step && step->at_end;
      trouble = step ? tracker_trouble() : std::optional{step.error()};
      bar.show(file.source().stored_bytes_read(), file.source().stored_bytes_total(), file.report().lines, now());
    }
    bar.clear();
    if (trouble && trouble->code() == Errc::canceled && stop_signal != 0) trouble.reset();
    // What came before the damage, or before the signal, stays.
    Result<void> finished = file.finish(at_end);
    if (!finished && !(trouble && trouble->code() == finished.error().code())) {
      if (trouble) fail(*trouble);
      trouble = finished.error();
    }
    if (file.report().waiting) tell_waiting(path, *file.report().waiting);
    files_.push_back({path, file.report()});
    return trouble;
  }

  void take_what_is_there() {
    for (LogFollower& follower : followers_) {
      while (!is_over()) {
        if (const std::optional<Error> trouble = tracker_trouble()) return fail(*trouble);
        Result<std::size_t> lines = follower.poll(kLinesPerStep);
        if (!lines) fail(lines.error());
        if (!lines || *lines == 0) break;
      }
    }
  }

  void follow_until_stopped() {
    std::cerr << "web-tracker: " << (followers_.empty() ? "imported; " : "following; ") << "stop with Ctrl-C\n";
    while (stop_signal == 0) {
      std::size_t taken = 0;
      std::optional<Error> trouble;
      for (LogFollower& follower : followers_) {
        Result<std::size_t> lines = follower.poll(kLinesPerStep);
        taken += lines ? *lines : 0;
        if (const std::optional<WaitingLine> left = follower.take_left_behind())
          tell_waiting(follower.path() + " before it was rotated", *left);
        if (!lines && !trouble) trouble = lines.error();
      }
      report_trouble(trouble ? trouble : tracker_trouble());
      if (taken == 0) wait(kTick);
    }
  }

  // In ticks: a signal wakes nobody who waits.
  void wait(lungo::Duration pause) {
    const lungo::Instant end = now() + pause;
    while (stop_signal == 0 && now() < end)
      tracker_.ports().executor.wait_until([] { return stop_signal != 0; }, std::min<lungo::Instant>(end, now() + kTick));
  }

  std::optional<Error> tracker_trouble() {
    if (now() < next_check_) return checked_trouble_;
    next_check_ = now() + std::chrono::seconds{1};
    checked_trouble_ = tracker_.trouble();
    return checked_trouble_;
  }

  // A follower outlives what goes wrong: it says so once, goes on trying, and says when it is over.
  void report_trouble(const std::optional<Error>& trouble) {
    if (trouble && !last_trouble_) {
      std::cerr << "web-tracker: " << trouble->text() << "\nweb-tracker: nothing is lost; going on as soon as that is mended\n";
    }
    if (!trouble && last_trouble_) std::cerr << "web-tracker: going on\n";
    last_trouble_ = trouble;
  }

  void finish_followers() {
    for (LogFollower& follower : followers_) {
      Result<void> finished = follower.finish();
      if (!finished) fail(finished.error());
      if (follower.import() != nullptr) files_.push_back({follower.path(), follower.import()->report()});
    }
  }

  bool catch_up() {
    ProgressBar bar{"read models", isatty(STDERR_FILENO) == 1, now(), "events"};
    std::int64_t behind = 0;  // the most that was seen: at first not all parts have looked how far they have to go
    Result<void> caught_up = Error{Errc::canceled, "stopped before all read models were made"};
    while (!is_over()) {
      caught_up = tracker_.catch_up(kTick);
      if (caught_up || caught_up.error().code() != Errc::timed_out) break;
      if (const std::optional<Error> trouble = tracker_trouble()) {
        caught_up = *trouble;
        break;
      }
      const std::int64_t lag = tracker_.lag();
      behind = std::max(behind, lag);
      const auto done = static_cast<std::uint64_t>(behind - lag);
      if (lag > 0) bar.show(done, static_cast<std::uint64_t>(behind), done, now());
    }
    bar.clear();
    if (!caught_up && !is_over()) fail(caught_up.error());
    return caught_up.has_value();
  }

  void print_summary() {
    if (!catch_up()) return;
    Result<void> refreshed = tracker_.refresh_funnel();
    if (!refreshed) return fail(refreshed.error());
    Result<Summary> summary = summarize(tracker_);
    if (!summary) return fail(summary.error());
    errno = 0;
    if (arguments_.json) {
      print_json(std::cout, *summary, files_);
    } else {
      print_text(std::cout, *summary, files_);
    }
    std::cout.flush();
    if (!std::cout)
      fail({Errc::io, std::string{"the summary could not be written to standard output: "} + std::strerror(errno)});
  }

  Tracker& tracker_;
  const Arguments& arguments_;
  std::vector<LogFollower> followers_;
  std::vector<FileReport> files_;
  std::optional<Error> last_trouble_;     // told, and not over yet
  std::optional<Error> checked_trouble_;  // of sessions and projections, as of the last check
  lungo::Instant next_check_{};
  int status_ = 0;
};

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

int track(const Arguments& arguments) {
  // With --exit alone it sums up what is there.
  const bool sums_up = arguments.exit && std::filesystem::exists(arguments.data + "/lungo.meta");
  if (arguments.imports.empty() && arguments.follows.empty() && !sums_up) {
    std::cerr << "web-tracker: nothing to do. Give it an access log:\n"
                 "  web-tracker --import /var/log/nginx/access.log.1.gz --exit     import, print a summary and stop\n"
                 "  web-tracker --follow /var/log/nginx/access.log                 import and go on as it grows\n"
                 "  web-tracker --exit                                             the summary of what is there\n"
                 "  web-tracker replay status                                      look at its projections\n"
                 "`web-tracker --help` lists everything.\n";
    return kExitUsage;
  }
  listen_to_signals();
  if (const std::optional<Error> error = use_funnel(arguments.data, arguments.funnel)) return complain(*error);
  Result<std::unique_ptr<Tracker>> opened = open_tracker(arguments);
  if (!opened) return complain(opened.error());
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

int main(int argc, char** argv) {
  if (const std::optional<std::vector<const char*>> replayed = replay_arguments(argc, argv)) return replay(*replayed);

  Arguments arguments;
  CLI::App app{"Records the activity in web servers' access logs as events, and keeps read models of it in DIR/views.db."};
  app.name("web-tracker");
  app.add_option(
         "--import", arguments.imports,
         "access log to import, repeatable: Apache's or nginx's combined or common format; plain, gzip, or - for standard "
         "input. A file that was imported before goes on where it stopped and repeats nothing, and a last line that is cut "
         "off waits until it is whole; - can't resume: given again, its lines count again")
      ->type_name("FILE")
      ->allow_extra_args(false);
  app.add_option("--follow", arguments.follows, "access log to follow as it grows, like tail -F, through rotation; repeatable")
      ->type_name("FILE")
      ->allow_extra_args(false);
  app.add_flag("--exit", arguments.exit, "import, print a summary and stop");
  app.add_flag("--json", arguments.json, "the summary as one JSON object");
  app.add_option("--data", arguments.data, "data directory, made when absent")->type_name("DIR")->capture_default_str();
  app.add_flag("--verbose", arguments.verbose, "tell on stderr what the log does");
  app.add_option("--funnel", arguments.funnel, "steps of the funnel, e.g. '/,/shop*,/checkout'; kept in the data directory")
      ->type_name("PAGES");
  app.footer("Exit status: 0 done; 1 failed; 2 wrong arguments; 75 disk full, the same command goes on where it stopped.");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kExitUsage;
  }
  lungo::log_to_stderr(arguments.verbose ? lungo::Severity::info : lungo::Severity::warn);  // stdout has the summary
  try {
    return track(arguments);
  } catch (const std::exception& error) {
    std::cerr << "web-tracker: " << error.what() << '\n';
    return kExitFailed;
  }
}
