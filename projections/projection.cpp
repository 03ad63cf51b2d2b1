#include <lungo/projections/projection.hpp>

#include <algorithm>

#include "fingerprint.hpp"

namespace lungo {

std::string_view to_string(ProjectionPhase phase) {
  switch (phase) {
    case ProjectionPhase::stopped:
      return "stopped";
    case ProjectionPhase::catching_up:
      return "catching_up";
    case ProjectionPhase::live:
      return "live";
    case ProjectionPhase::rebuilding:
      return "rebuilding";
    case ProjectionPhase::stalled:
      return "stalled";
    case ProjectionPhase::failed:
      return "failed";
  }
  return "unknown";
}

ProjectionStatus ProjectionBase::status() const {
  const std::lock_guard lock{mutex_};
  return status_;
}

void ProjectionBase::publish(ProjectionStatus status) {
  const std::lock_guard lock{mutex_};
  status_ = std::move(status);
}

void ProjectionBase::connect(Link link) {
  const std::lock_guard lock{reading_};
  link_ = std::move(link);
}

void ProjectionBase::refuse(Error why) {
  const std::lock_guard lock{mutex_};
  status_.name = name_;
  status_.topic = topic_;
  status_.phase = ProjectionPhase::failed;
  status_.error = std::move(why);
}

Error ProjectionBase::not_connected() const {
  const std::lock_guard lock{mutex_};
  return status_.error.value_or(Error{Errc::closed, "projection " + name_ + ": the engine was not started"});
}

Result<void> ProjectionBase::wait_for(const AtLeast& wanted) {
  const TopicPartition& partition = wanted.commit.partition;
  if (wanted.commit.first == wanted.commit.end) return {};  // a commit of nothing
  if (partition.topic != topic_)
    return Error{Errc::invalid_argument, name_ + " reads topic " + topic_ + ", the commit is in " + partition.topic};
  const auto applied = [&](const ProjectionStatus& status) -> std::optional<Offset> {
    for (const Position& position : status.positions)
      if (position.partition == partition.partition) return position.offset;
    return std::nullopt;
  };
  const auto reached = [&](const ProjectionStatus& status) {
    const std::optional<Offset> offset = applied(status);
    return offset && *offset >= wanted.commit.end;
  };
  const auto is_over = [](const ProjectionStatus& status) {
    return status.phase == ProjectionPhase::failed || status.phase == ProjectionPhase::stopped;
  };
  ProjectionStatus last = status();
  if (!reached(last) && !is_over(last)) {
    const std::shared_ptr<void> waiting = link_.await(partition, wanted.commit.end);
    link_.executor->wait_until([&] { return reached(last = status()) || is_over(last); },
                               link_.clock->monotonic() + wanted.timeout);
  }
  if (reached(last)) return {};
  if (last.error) return last.error->with_context("projection " + name_);
  if (last.phase == ProjectionPhase::stopped) return Error{Errc::closed, "projection " + name_ + ": the engine does not run"};
  const std::int64_t at = applied(last).value_or(Offset{0}).value();
  return Error{Errc::timed_out, "projection " + name_ + " has applied " + to_string(partition) + " up to offset " +
                                    std::to_string(at) + "; waited for " + std::to_string(wanted.commit.end.value())};
}

Result<bool> ProjectionBase::read_row(Cells key, const RowVisitor& visit) {
  const std::lock_guard lock{reading_};
  if (!link_.reader) return not_connected();
  return link_.reader->get(name_, key, visit);
}

Result<void> ProjectionBase::scan_rows(const KeyRange& range, const RowVisitor& visit) {
  const std::lock_guard lock{reading_};
  if (!link_.reader) return not_connected();
  return link_.reader->scan(name_, range, visit);
}

Result<std::string> ProjectionBase::fingerprint() {
  Fingerprint fingerprint;
  Result<void> read = scan_rows({}, [&](Cells row) {
    fingerprint.add(row);
    return true;
  });
  if (!read) return read.error();
  return fingerprint.text();
}

}  // namespace lungo
