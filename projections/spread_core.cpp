#include "spread_core.hpp"

#include <algorithm>
#include <set>
#include <utility>

#include <lungo/log/deadline.hpp>
#include <lungo/log/start_activity.hpp>

#include "logger.hpp"

namespace lungo {
namespace {

constexpr std::chrono::seconds kLastCommitMax{30};

/// The projection of the partition that has not applied `end` yet; null when all have, or have failed.
const ProjectionStatus* lagging(const SpreadStatus& status, Offset end) {
  for (const ProjectionStatus& projection : status.projections) {
    if (projection.phase == ProjectionPhase::failed) continue;
    if (projection.positions.empty() || projection.positions.front().offset < end) return &projection;
  }
  return nullptr;
}

}  // namespace

void SpreadCore::add(std::unique_ptr<SpreadProjectionBase> projection) {
  projection->core_ = this;
  if (phase_ == Phase::made) {
    projections_.push_back(std::move(projection));
    return;
  }
  log_error("projection " + projection->name() +
            " was added after SpreadEngine::start() and has no rows; add every projection "
            "before that call");
  refused_.push_back(std::move(projection));
}

// ---- start and stop ----

Result<void> SpreadCore::start() {
  const std::lock_guard lock{lifecycle_};
  if (phase_ != Phase::made) return Error{Errc::invalid_argument, "the engine was started before"};
  phase_ = Phase::stopped;  // unless all of it succeeds
  Result<void> made = make_units();
  if (made) made = snapshots_.prepare();
  if (!made) return made;
  std::set<std::string> topics;
  for (const auto& [partition, unit] : units_) topics.insert(partition.topic);
  forwarder_ = store_.forwarder();
  membership_ = store_.log().membership();
  Result<Membership::Token> token = membership_->join({topics.begin(), topics.end()}, *this);
  if (!token) return token.error();
  Result<std::unique_ptr<RunningActivity>> running = start_activity(store_.log().ports().executor, *this);
  if (!running) return running.error();
  token_ = std::move(*token);
  {
    const std::lock_guard waking{mutex_};
    running_ = std::move(*running);
    wakes_ = running_.get();
    wakes_->wake();
  }
  snapshots_.set_running(running_.get());
  phase_ = Phase::running;
  return {};
}

Result<void> SpreadCore::make_units() {
  std::map<std::string, TopicInfo> topics;
  std::size_t partitions = 0;
  for (const auto& projection : projections_) {
    const auto same_name = [&](const auto& other) { return other->name() == projection->name(); };
    if (std::ranges::count_if(projections_, same_name) > 1)
      return Error{Errc::already_exists, "two projections are called " + projection->name() + "; give one a projection_name"};
    if (topics.contains(projection->topic())) continue;
    Result<TopicInfo> topic =
        store_.log().read_only() ? store_.topic(projection->topic()) : store_.stream_topic(projection->topic());
    if (!topic) return topic.error();
    partitions += static_cast<std::size_t>(topic->spec.partitions);
    topics.emplace(projection->topic(), std::move(*topic));
  }
  EngineOptions options = options_.engine;
  options.cache_bytes /= std::max<std::size_t>(1, partitions);
  for (const auto& [name, topic] : topics) {
    for (std::int32_t number = 0; number < topic.spec.partitions; ++number) {
      const TopicPartition partition{name, PartitionId{number}};
      auto unit = std::make_unique<SpreadUnit>(store_, partition, stores_, snapshots_, options);
      for (const auto& projection : projections_)
        if (projection->topic() == name) unit->add(projection->make());
      units_.emplace(partition, std::move(unit));
    }
  }
  for (const auto& projection : projections_) tables_.emplace(projection.get(), SpreadUnit::table_of(*projection->make()));
  return {};
}

Result<void> SpreadCore::stop() {
  const std::lock_guard lock{lifecycle_};
  if (phase_ != Phase::running) return {};
  phase_ = Phase::stopping;
  token_.reset();  // nothing comes or goes any more
  wake();
  const Ports ports = store_.log().ports();
  std::optional<Result<void>> outcome;
  const auto is_over = [&] {
    const std::lock_guard waking{mutex_};
    outcome = outcome_;
    return outcome.has_value();
  };
  ports.executor.wait_until(is_over, ports.clock.monotonic() + kLastCommitMax);
  {
    const std::lock_guard waking{mutex_};
    wakes_ = nullptr;
  }
  snapshots_.set_running(nullptr);
  running_.reset();
  phase_ = Phase::stopped;
  return outcome.value_or(Error{Errc::timed_out, "the last commit of the projections did not end in 30 s"});
}

// ---- the activity ----

Instant SpreadCore::step(Instant now) {
  RunningActivity* running = nullptr;
  {
    const std::lock_guard lock{mutex_};
    if (!outcome_) running = wakes_;
  }
  if (running == nullptr) return Instant::max();
  if (phase_ != Phase::stopping) {
    Instant next = Instant::max();
    for (const auto& [partition, unit] : units_) next = std::min(next, unit->step(now, *running));
    return next;
  }
  Result<void> last = stop_units(now);
  {
    const std::lock_guard lock{mutex_};
    outcome_ = std::move(last);
  }
  store_.log().ports().executor.notify();
  return Instant::max();
}

Result<void> SpreadCore::stop_units(Instant now) {
  Result<void> first;
  for (const auto& [partition, unit] : units_) {
    Result<void> last = unit->stop(now);
    if (!last && first) first = last.error().with_context(to_string(partition));
  }
  return first;
}

void SpreadCore::wake() {
  const std::lock_guard lock{mutex_};
  if (wakes_ != nullptr) wakes_->wake();
}

// ---- the membership ----

void SpreadCore::opened(const std::vector<TopicPartition>& partitions) {
  for (const TopicPartition& partition : partitions)
    if (const auto unit = units_.find(partition); unit != units_.end()) unit->second->give();
  wake();
}

void SpreadCore::closing(const std::vector<TopicPartition>& partitions, Instant) { lost(partitions); }

void SpreadCore::lost(const std::vector<TopicPartition>& partitions) {
  for (const TopicPartition& partition : partitions)
    if (const auto unit = units_.find(partition); unit != units_.end()) unit->second->take();
  wake();
}

// ---- what is asked ----

Result<void> SpreadCore::catch_up(Duration timeout) {
  if (phase_ != Phase::running) return Error{Errc::closed, "the engine does not run"};
  const Ports ports = store_.log().ports();
  const Instant deadline = deadline_after(ports.clock.monotonic(), timeout);
  for (const auto& [partition, unit] : units_) {
    std::optional<SpreadStatus> status = unit->status();
    if (!status) continue;
    const Result<Ends> ends = store_.log().ends(partition);
    if (!ends) return ends.error();
    const auto is_there = [&] {
      status = unit->status();
      return !status || (status->is_open && lagging(*status, ends->committed) == nullptr);
    };
    if (ports.executor.wait_until(is_there, deadline)) continue;
    const ProjectionStatus* last = lagging(*status, ends->committed);
    const std::optional<Error>& error = last != nullptr && last->error ? last->error : status->error;
    return Error{Errc::timed_out, (last != nullptr ? "projection " + last->name + " has not applied " : "rows of ") +
                                      to_string(partition) + " up to offset " + std::to_string(ends->committed.value()) +
                                      (error ? ": " + to_string(*error) : std::string())};
  }
  return {};
}

std::vector<SpreadStatus> SpreadCore::status() const {
  std::vector<SpreadStatus> all;
  for (const auto& [partition, unit] : units_)
    if (std::optional<SpreadStatus> status = unit->status()) all.push_back(std::move(*status));
  return all;
}

Result<SpreadPage> SpreadCore::page(const SpreadQuery& query) {
  const auto unit = units_.find(query.partition);
  if (unit == units_.end()) return Error{Errc::not_found, "no projection reads " + to_string(query.partition)};
  return unit->second->page(query);
}

Result<Bytes> SpreadCore::answer(BytesView query) {
  if (phase_ != Phase::running) return Error{Errc::closed, "the engine does not run"};
  const Result<SpreadQuery> parsed = parse_spread_query(query);
  if (!parsed) return parsed.error();
  const Result<SpreadPage> found = page(*parsed);
  if (!found) return found.error();
  return to_bytes(*found);
}

}  // namespace lungo
