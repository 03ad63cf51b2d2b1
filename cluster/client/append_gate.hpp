// Appends that wait until it is known whether they may go: to a partition that is becoming this process's own, or to one whose
// mirror is still being filled, without which nobody can tell whether an append was written before.
//
//   submit --open--> the writer --not_owner, and it may become ours again--> waits
//          --coming--> waits --look_again()--> the writer, or refused
//          --away--> refused, or it waits, as nobody has the partition
//
// So a rebalance that leaves a partition where it is shows as a pause, not as an error. Promise: each completion runs once;
// what waits for one partition keeps its order, but for what waits again as nobody has it; who waits beyond his deadline is
// answered `timed_out`, and nothing of it is written. Threads: any. Completions run without a lock held.
#pragma once

#include <functional>
#include <list>
#include <map>
#include <mutex>
#include <optional>

#include <lungo/log/event_log.hpp>

namespace lungo {

class AppendGate {
 public:
  enum class Way {
    anybodys,  // open, whoever owns what
    open,
    coming,
    away,
  };
  struct Parts {
    /// Where the request may go by now. Errors: the append's answer.
    std::function<Result<Way>(const AppendRequest& request)> way;
    /// Queues it; the completion does not run before it returns, unless the log is closed.
    std::function<void(AppendRequest request, Completion completion, Instant deadline)> write;
    /// Answers one whose partition is not this process's, or gives it to wait(), now or later.
    std::function<void(const AppendRequest& request, const Completion& completion, Instant deadline)> refuse;
    /// What keeps a partition from being written to; for the answer of who has waited too long. May be absent.
    std::function<std::optional<Error>(const TopicPartition& partition)> trouble{};
  };

  AppendGate(Parts parts, std::size_t held_bytes_max, Clock& clock)
      : parts_(std::move(parts)), held_bytes_max_(held_bytes_max), clock_(clock) {}

  void submit(AppendRequest request, Completion completion, Instant deadline);
  /// Until look_again() finds another way for it.
  void wait(AppendRequest request, Completion completion, Instant deadline) {
    hold({std::move(request), std::move(completion), deadline});
  }
  /// Something has changed that way() tells, or time has passed.
  void look_again();
  /// Answers all that wait with `reason`, and whatever is submitted from now on.
  void close(const Error& reason);

 private:
  struct Waiting {
    AppendRequest request;
    Completion completion;
    Instant deadline;
  };
  using Queue = std::list<Waiting>;

  void write(Way way, AppendRequest request, Completion completion, Instant deadline);
  void hold(Waiting waiting);
  [[nodiscard]] Error late(const TopicPartition& partition) const;
  void came_back(const AppendRequest& request, const Completion& completion, Instant deadline, Result<Appended> outcome);

  const Parts parts_;
  const std::size_t held_bytes_max_;
  Clock& clock_;
  std::mutex mutex_;
  std::map<TopicPartition, Queue> waiting_;
  std::size_t held_bytes_ = 0;
  std::optional<Error> closed_;
};

}  // namespace lungo
