#include "run.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <iostream>

#include "progress_bar.hpp"
#include "retry_pause.hpp"
#include "stop_signal.hpp"

namespace tracker {
namespace {

using lungo::Errc;
using lungo::Error;
using lungo::Result;

constexpr std::size_t kLinesPerStep = 1000;
constexpr lungo::Duration kTick = std::chrono::milliseconds{200};

void tell_waiting(const std::string& path, const WaitingLine& line) {
  std::cerr << "web-tracker: " << path << ": line " << line.number << ", from byte " << line.begin
            << ", has no end yet and is left for now: the next import takes it when it is whole (if it is: add a line end)\n";
}

bool can_be_read_again(const std::string& path) {
  struct stat status {};
  return (path == "-" ? ::fstat(STDIN_FILENO, &status) : ::stat(path.c_str(), &status)) != 0 || S_ISREG(status.st_mode);
}

}  // namespace

int complain(const Error& error) {
  std::cerr << "web-tracker: " << error.text() << '\n';
  if (error.code() != Errc::no_space) return kExitFailed;
  std::cerr
      << "web-tracker: the disk is full. What was committed is safe: make room and give the same command, it goes on where "
         "it stopped\n";
  return kExitDiskFull;
}

Run::Run(Tracker& tracker, const Arguments& arguments) : tracker_(tracker), arguments_(arguments) {
  for (const std::string& path : arguments.follows) followers_.emplace_back(tracker.import_site(), path);
}

int Run::run() {
  if (!open_site()) return status_;
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
  if (site_) site_->stop();
  if (arguments_.exit && !is_over()) print_summary();
  if (stop_signal() != 0 && arguments_.exit && status_ == 0) return 128 + stop_signal();
  return status_;
}

/// False: it could not be, and was said.
bool Run::open_site() {
  if (!arguments_.site) return true;
  const SignalsHeldBack held_back;
  Result<std::unique_ptr<Site>> site = Site::start(tracker_, *arguments_.site);
  if (!site) {
    fail(site.error());
    return false;
  }
  site_ = std::move(*site);
  std::cerr << "web-tracker: " << site_->url() << '\n';
  return true;
}

bool Run::is_over() const { return stop_signal() != 0 || status_ == kExitDiskFull; }

void Run::fail(const Error& error) {
  const int status = complain(error);
  if (status_ != kExitDiskFull) status_ = status;
}

// A run that goes on afterwards outlives a full disk here too: it opens the file anew, which resumes where it stopped.
void Run::import(const std::string& path) {
  RetryPause pause;
  std::optional<Error> trouble = import_once(path);
  while (trouble && trouble->code() == Errc::no_space && !arguments_.exit && can_be_read_again(path) && stop_signal() == 0) {
    report_trouble(trouble);
    wait(pause.next());
    if (stop_signal() == 0) trouble = import_once(path);
  }
  if (!trouble) return report_trouble(std::nullopt);
  fail(*trouble);
  if (trouble->code() == Errc::no_space && !can_be_read_again(path)) {
    std::cerr << "web-tracker: " << path
              << " can't be read again: its lines behind the last ones committed are not in the log\n";
  }
}

// What stopped it; nothing at the end of the file and after a signal.
std::optional<Error> Run::import_once(const std::string& path) {
  Result<std::unique_ptr<LogImport>> opened = LogImport::open(tracker_.import_site(), path, ImportMode::whole);
  if (!opened && opened.error().code() == Errc::canceled && stop_signal() != 0) return std::nullopt;
  if (!opened) return opened.error();
  LogImport& file = **opened;
  ProgressBar bar{path == "-" ? "standard input" : path, isatty(STDERR_FILENO) == 1, now()};
  bool at_end = false;
  std::optional<Error> trouble;
  while (!at_end && !trouble && stop_signal() == 0) {
    Result<LogImport::Step> step = file.step(kLinesPerStep);
    at_end = step && step->at_end;
    trouble = step ? tracker_trouble() : std::optional{step.error()};
    let_live_time_go_on();
    bar.show(file.source().stored_bytes_read(), file.source().stored_bytes_total(), file.report().lines, now());
  }
  bar.clear();
  if (trouble && trouble->code() == Errc::canceled && stop_signal() != 0) trouble.reset();
  // What came before the damage, or before the signal, stays.
  Result<void> finished = file.finish(at_end);
  if (!finished && !(trouble && trouble->code() == finished.error().code())) {
    if (trouble) fail(*trouble);
    trouble = finished.error();
  }
  if (file.report().waiting) tell_waiting(path, *file.report().waiting);
  files_.push_back({path, file.report(), file.steps()});
  return trouble;
}

void Run::take_what_is_there() {
  for (LogFollower& follower : followers_) {
    while (!is_over()) {
      if (const std::optional<Error> trouble = tracker_trouble()) return fail(*trouble);
      Result<std::size_t> lines = follower.poll(kLinesPerStep);
      if (!follower.missing()) tell_news_of(follower);
      if (!lines) fail(lines.error());
      if (!lines || *lines == 0) break;
    }
    if (follower.missing() && !is_over()) fail(*follower.missing());
  }
}

void Run::follow_until_stopped() {
  const char* doing = !followers_.empty() ? "following; " : site_ ? "serving; " : "imported; ";
  std::cerr << "web-tracker: " << doing << "stop with Ctrl-C\n";
  if (arguments_.json) std::cerr << "web-tracker: --json prints its summary at the end of a run with --exit only\n";
  while (stop_signal() == 0) {
    std::size_t taken = 0;
    std::optional<Error> trouble;
    for (LogFollower& follower : followers_) {
      Result<std::size_t> lines = follower.poll(kLinesPerStep);
      taken += lines ? *lines : 0;
      tell_news_of(follower);
      if (!lines && lines.error().code() == Errc::unsupported && !follower.has_begun()) return fail(lines.error());
      if (!lines && !trouble) trouble = lines.error();
    }
    let_live_time_go_on();
    report_trouble(trouble ? trouble : tracker_trouble());
    if (taken == 0) wait(kTick);
  }
}

void Run::tell_news_of(LogFollower& follower) {
  for (const std::string& note : follower.take_notes()) std::cerr << "web-tracker: " << note << '\n';
  if (const std::optional<WaitingLine> left = follower.take_left_behind())
    tell_waiting(follower.path() + " before it was rotated", *left);
}

// Up to where no follower has lines behind: what is in the files already must not be late because the clock has gone on.
void Run::let_live_time_go_on() {
  std::optional<lungo::Timestamp> all;
  if (site_) all = site_->complete_until();
  for (const LogFollower& follower : followers_) {
    const std::optional<lungo::Timestamp> one = follower.complete_until();
    if (!one) return;
    all = std::min(all.value_or(*one), *one);
  }
  if (all) tracker_.live_until(*all);
}

// In ticks: a signal wakes nobody who waits.
void Run::wait(lungo::Duration pause) const {
  const lungo::Instant end = now() + pause;
  while (stop_signal() == 0 && now() < end)
    tracker_.ports().executor.wait_until([] { return stop_signal() != 0; }, std::min<lungo::Instant>(end, now() + kTick));
}

std::optional<Error> Run::tracker_trouble() {
  if (now() < next_check_) return checked_trouble_;
  next_check_ = now() + std::chrono::seconds{1};
  checked_trouble_ = tracker_.trouble();
  return checked_trouble_;
}

// A follower outlives what goes wrong: it says so once, goes on trying, and says when it is over.
void Run::report_trouble(const std::optional<Error>& trouble) {
  if (trouble && !last_trouble_) {
    std::cerr << "web-tracker: " << trouble->text() << "\nweb-tracker: nothing is lost; going on as soon as that is mended\n";
  }
  if (!trouble && last_trouble_) std::cerr << "web-tracker: going on\n";
  last_trouble_ = trouble;
}

void Run::finish_followers() {
  for (LogFollower& follower : followers_) {
    Result<void> finished = follower.finish();
    if (!finished) fail(finished.error());
    if (follower.import() != nullptr)
      files_.push_back({follower.path(), follower.import()->report(), follower.import()->steps()});
  }
}

bool Run::catch_up() {
  ProgressBar bar{"read models", isatty(STDERR_FILENO) == 1, now(), "events"};
  std::int64_t behind = 0;  // the most that was seen: sessions add to it as they go
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

void Run::print_summary() {
  if (!catch_up()) return;
  Result<Summary> summary = summarize(tracker_);
  if (!summary) return fail(summary.error());
  errno = 0;
  if (arguments_.json) {
    print_json(std::cout, *summary, files_);
  } else {
    print_text(std::cout, *summary, files_, arguments_.verbose);
  }
  std::cout.flush();
  if (!std::cout) fail({Errc::io, std::string{"the summary could not be written to standard output: "} + std::strerror(errno)});
}

}  // namespace tracker
