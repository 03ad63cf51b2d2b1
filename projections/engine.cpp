// Engine's public functions: what runs on the caller's thread. The work is in engine_loop.cpp.
#include <lungo/projections/engine.hpp>

#include <algorithm>
#include <mutex>

#include <lungo/log/deadline.hpp>
#include <lungo/log/start_activity.hpp>

#include "engine_loop.hpp"
#include "logger.hpp"
#include "store_list.hpp"
#include "text.hpp"

namespace lungo {
namespace {

constexpr Duration kProgressInterval = std::chrono::milliseconds{200};
constexpr Duration kStopTimeout = std::chrono::seconds{30};

}  // namespace

std::string ReplayFrom::text() const {
  if (offset_) return "offset " + std::to_string(offset_->value());
  if (time_) return "time " + time_text(*time_);
  return "beginning";
}

/// What an Engine owns. Members are destroyed from the last to the first: the activity stops before its loop goes, the loop
/// before the rows.
class EngineCore {
 public:
  EngineCore(EventStore store, std::unique_ptr<StateStore> state, EngineOptions options)
      : log(store.shared_log()), rows(std::move(state)), loop(std::move(store), *rows, options) {}

  Result<void> connect();
  Result<std::vector<std::string>> names(const std::vector<std::string>& wanted) const;

  std::shared_ptr<EventLog> log;
  std::unique_ptr<StateStore> rows;
  std::vector<std::unique_ptr<ProjectionBase>> projections;
  std::vector<std::unique_ptr<ProjectionBase>> refused;  // added too late; theirs is the thread of add()
  EngineLoop loop;
  std::mutex lifecycle;  // guards running, which several threads may stop
  std::unique_ptr<RunningActivity> running;
  bool started = false;
};

/// Gives each projection its view of the rows.
Result<void> EngineCore::connect() {
  const Ports ports = log->ports();
  for (const std::unique_ptr<ProjectionBase>& projection : projections) {
    Result<std::unique_ptr<RowReader>> reader = rows->reader();
    if (!reader) return reader.error();
    projection->connect({&ports.executor, &ports.clock,
                         [this](const TopicPartition& partition, Offset end) { return loop.await(partition, end); },
                         std::move(*reader)});
  }
  return {};
}

Result<std::vector<std::string>> EngineCore::names(const std::vector<std::string>& wanted) const {
  std::vector<std::string> all;
  for (const std::unique_ptr<ProjectionBase>& projection : projections) all.push_back(projection->name());
  if (wanted.empty()) return all;
  for (const std::string& name : wanted) {
    if (std::find(all.begin(), all.end(), name) != all.end()) continue;
    std::string known;
    for (const std::string& other : all) known += (known.empty() ? "" : ", ") + other;
    return Error{Errc::not_found, "no projection " + name + "; there are " + known};
  }
  return wanted;
}

Engine::Engine(EventStore& store, std::unique_ptr<StateStore> rows, EngineOptions options)
    : core_(std::make_unique<EngineCore>(store, std::move(rows), options)) {}

Engine::~Engine() {
  // Nothing is lost when the last commit fails here: the rows are made again from the log.
  if (core_->running) static_cast<void>(stop().has_value());
}

void Engine::add_projection(std::unique_ptr<ProjectionBase> projection) {
  if (core_->started) {
    const Error late{Errc::invalid_argument,
                     "projection " + projection->name() +
                         " was added after Engine::start() and gets no events; add every projection before "
                         "that call"};
    log_error(std::string(late.text()));
    projection->refuse(late);
    core_->refused.push_back(std::move(projection));
    return;
  }
  core_->projections.push_back(std::move(projection));
  core_->loop.add(*core_->projections.back());
}

Result<void> Engine::start() {
  if (core_->started) return Error{Errc::invalid_argument, "the engine was started before"};
  for (std::size_t index = 0; index < core_->projections.size(); ++index) {
    for (std::size_t other = 0; other < index; ++other)
      if (core_->projections[other]->name() == core_->projections[index]->name())
        return Error{Errc::already_exists,
                     "two projections are called " + core_->projections[index]->name() + "; give one a projection_name"};
  }
  core_->started = true;
  const Ports ports = core_->log->ports();
  const std::optional<std::string> directory = core_->log->directory();
  Result<void> opened = core_->rows->open({ports, directory.value_or(""), false});
  if (!opened) return opened;
  if (directory && core_->rows->describe() != "memory") {
    Result<void> listed = add_to_store_list(ports.storage, *directory, core_->rows->describe());
    if (!listed) return listed;
  }
  // First the links: what the loop's opening publishes lets other threads use them.
  opened = core_->connect();
  if (!opened) return opened;
  opened = core_->loop.open();
  if (!opened) return opened;
  const std::lock_guard lock{core_->lifecycle};
  Result<std::unique_ptr<RunningActivity>> started = start_activity(ports.executor, core_->loop);
  if (!started) return started.error();
  core_->running = std::move(*started);
  core_->loop.set_running(core_->running.get());
  return {};
}

Result<void> Engine::stop() {
  {
    const std::lock_guard lock{core_->lifecycle};
    if (!core_->running) return {};
  }
  const Ports ports = core_->log->ports();
  core_->loop.stop();
  ports.executor.wait_until([&] { return core_->loop.stopped().has_value(); }, ports.clock.monotonic() + kStopTimeout);
  core_->loop.set_running(nullptr);
  {
    const std::lock_guard lock{core_->lifecycle};
    core_->running.reset();
  }
  return core_->loop.stopped().value_or(Error{Errc::timed_out, "the last commit of the projections did not end in 30 s"});
}

Result<void> Engine::catch_up(Duration timeout) {
  const Ports ports = core_->log->ports();
  const Instant deadline = deadline_after(ports.clock.monotonic(), timeout);
  for (const std::unique_ptr<ProjectionBase>& projection : core_->projections) {
    for (const Position& position : projection->status().positions) {
      const TopicPartition partition{projection->topic(), position.partition};
      Result<Ends> ends = core_->log->ends(partition);
      if (!ends) return ends.error();
      if (position.offset >= ends->committed || projection->status().phase == ProjectionPhase::failed) continue;
      const Duration left = std::max(deadline - ports.clock.monotonic(), Duration::zero());
      Result<void> there = projection->wait_for(at_least({partition, position.offset, ends->committed, false}, left));
      if (!there) return there;
    }
  }
  return {};
}

Result<Rebuild> Engine::begin_rebuild(const RebuildOptions& options) {
  Result<std::vector<std::string>> names = core_->names(options.projections);
  if (!names) return names.error();
  Result<std::shared_ptr<RebuildRun>> run = core_->loop.request(std::move(*names), options);
  if (!run) return run.error();
  return Rebuild{std::move(*run)};
}

Result<RebuildReport> Engine::rebuild(const RebuildOptions& options) {
  Result<Rebuild> begun = begin_rebuild(options);
  if (!begun) return begun.error();
  RebuildRun& run = *begun->run_;
  const Ports ports = core_->log->ports();
  while (!ports.executor.wait_until([&run] { return run.is_over(); }, ports.clock.monotonic() + kProgressInterval)) {
    const RebuildProgress progress = run.progress();
    if (options.progress && !options.progress(progress)) run.cancel();
    if (progress.elapsed > options.timeout && !run.is_canceled()) {
      run.cancel();
      run.finish(Error{Errc::timed_out, "the rebuild has read " + std::to_string(progress.events) + " of " +
                                            std::to_string(progress.total) + " events; the next one goes on from there"});
    }
  }
  return *run.outcome();
}

std::uint64_t Engine::change_sequence() const { return core_->loop.change_sequence(); }

std::vector<std::string> Engine::names() const { return core_->names({}).value(); }

std::vector<ProjectionStatus> Engine::status() const {
  std::vector<ProjectionStatus> all;
  for (const std::unique_ptr<ProjectionBase>& projection : core_->projections) all.push_back(projection->status());
  return all;
}

}  // namespace lungo
