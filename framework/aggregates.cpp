#include <lungo/framework/aggregates.hpp>

#include <atomic>

#include <lungo/framework/errors.hpp>
#include <lungo/log/deadline.hpp>

#include "command_group.hpp"

namespace lungo::detail {

namespace {

Result<void> wait_until_committed(EventLog& log, const TopicPartition& partition, Offset offset, Instant deadline) {
  const Ports ports = log.ports();
  const auto reached = std::make_shared<std::atomic<bool>>(false);
  const EventLog::NotifyToken token = log.notify_above(partition, offset, [reached, &executor = ports.executor] {
    reached->store(true, std::memory_order_release);
    executor.notify();
  });
  if (ports.executor.wait_until([&] { return reached->load(std::memory_order_acquire); }, deadline)) return {};
  return Error{Errc::timed_out, to_string(partition) + " has not committed offset " + std::to_string(offset.value()), offset};
}

}  // namespace

Result<Commit> run_attempts(EventStore& store, StreamLoads& loads, CommandTask task, int attempts, Duration timeout) {
  const Ports ports = store.log().ports();
  const Instant deadline = deadline_after(ports.clock.monotonic(), timeout);
  while (true) {
    Result<StreamDraft> draft = loads.draft(task.stream, task.id, task.since);
    if (!draft) return draft.error();
    const Result<void> decided = draft->repeated ? Result<void>{} : task.decide(*draft);
    if (!decided || draft->batch.count() == 0) {
      draft->keep();
      if (!decided) return decided.error();
      return Commit{draft->partition, draft->repeated.value_or(draft->as_of), draft->as_of, draft->repeated.has_value()};
    }
    loads.evolve(*draft, 0);
    draft->batch.expect_unchanged(draft->stream, draft->as_of);
    const Duration left = deadline - ports.clock.monotonic();
    Result<Commit> outcome = only_commit(store.append_wait(std::move(draft->batch), left));
    if (outcome) draft->keep_written(*outcome);
    if (!is_lost_race(outcome) || --attempts <= 0) return outcome;
    look_again_from(task, draft->as_of);
    Result<void> visible = wait_until_committed(store.log(), draft->partition, *outcome.error().offset(), deadline);
    if (!visible) return visible.error();
  }
}

Result<std::optional<Snapshot>> usable_snapshot(EventStore& store, Snapshots& snapshots, std::string_view key,
                                                std::string_view topic, const ShapeHash& shape) {
  Result<std::optional<Snapshot>> snapshot = snapshots.load(key);
  if (!snapshot && (snapshot.error() == Errc::corrupt || is_about_event(snapshot.error()))) return std::optional<Snapshot>{};
  if (!snapshot || !*snapshot) return snapshot;
  // Without an epoch nothing tells whether the log still has what is in it.
  if ((*snapshot)->shape != shape || (*snapshot)->position.epoch == kNoEpoch) return std::optional<Snapshot>{};
  Result<void> valid = store.log().validate(topic, (*snapshot)->position);
  if (valid) return snapshot;
  if (valid.error() == Errc::position_diverged) return std::optional<Snapshot>{};
  return valid.error().with_context("snapshot " + std::string(key));
}

void save_snapshot(EventStore& store, Snapshots& snapshots, std::string_view key, const TopicPartition& partition, Offset as_of,
                   Snapshot snapshot) {
  // The epoch of the last record below `as_of`, which says later whether the log was cut there.
  const Result<Fetched> last = store.log().read(partition, as_of.plus(-1), 1);
  if (!last) return;
  snapshot.position = {last->next().topic, partition.partition, as_of, last->next().epoch};
  snapshots.save(key, partition, snapshot, [](const Result<void>&) {});
}

OwnedMeta::OwnedMeta(const EventMeta& meta)
    : time_(meta.time), id_(meta.id), correlation_(meta.correlation), causation_(meta.causation), lane_(meta.lane) {
  for (const HeaderView& header : meta.headers) {
    headers_.emplace_back(std::string(header.name), Bytes(header.value.begin(), header.value.end()));
  }
  for (std::size_t index = 0; index < headers_.size(); ++index) {
    header_views_.push_back({headers_[index].first, headers_[index].second, meta.headers[index].has_value});
  }
}

EventMeta OwnedMeta::view() const { return {time_, id_, correlation_, causation_, lane_, header_views_}; }

}  // namespace lungo::detail
