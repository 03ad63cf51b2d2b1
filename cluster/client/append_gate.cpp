#include "client/append_gate.hpp"

#include <memory>
#include <utility>
#include <vector>

namespace lungo {

void AppendGate::submit(AppendRequest request, Completion completion, Instant deadline) {
  const Result<Way> way = parts_.way(request);
  if (!way) return completion(way.error());
  bool waits = *way == Way::coming;
  if (*way <= Way::open) {
    const std::lock_guard lock(mutex_);
    waits = waiting_.contains(request.to);  // behind those
  }
  if (waits) return hold({std::move(request), std::move(completion), deadline});
  if (*way == Way::away) return parts_.refuse(request, completion, deadline);
  write(*way, std::move(request), std::move(completion), deadline);
}

void AppendGate::hold(Waiting waiting) {
  std::optional<Error> refusal;
  {
    const std::lock_guard lock(mutex_);
    const std::size_t bytes = waiting.request.records.size_bytes();
    if (closed_) {
      refusal = closed_;
    } else if (held_bytes_ + bytes > held_bytes_max_) {
      refusal = Error{Errc::busy, std::to_string(held_bytes_) + " bytes wait for their partitions, " +
                                      std::to_string(held_bytes_max_) + " may"};
    } else {
      held_bytes_ += bytes;
      waiting_[waiting.request.to].push_back(std::move(waiting));
      return;
    }
  }
  waiting.completion(*refusal);
}

/// What only an owner may append is kept until it is answered: it may have to wait again.
void AppendGate::write(Way way, AppendRequest request, Completion completion, Instant deadline) {
  if (way == Way::anybodys) return parts_.write(std::move(request), std::move(completion), deadline);
  auto kept = std::make_shared<const AppendRequest>(request);
  const Completion answered = [this, kept, completion = std::move(completion), deadline](Result<Appended> outcome) {
    came_back(*kept, completion, deadline, std::move(outcome));
  };
  parts_.write(std::move(request), answered, deadline);
}

void AppendGate::came_back(const AppendRequest& request, const Completion& completion, Instant deadline,
                           Result<Appended> outcome) {
  if (outcome || outcome.error() != Errc::not_owner) return completion(std::move(outcome));
  const Result<Way> way = parts_.way(request);
  if (!way) return completion(way.error());
  if (*way == Way::away) return parts_.refuse(request, completion, deadline);
  hold({request, completion, deadline});
}

void AppendGate::look_again() {
  const Instant now = clock_.monotonic();
  std::vector<std::pair<Waiting, Error>> failed;
  Queue refused;
  {
    const std::lock_guard lock(mutex_);
    for (auto entry = waiting_.begin(); entry != waiting_.end();) {
      Queue& queue = entry->second;
      for (bool goes_on = true; goes_on && !queue.empty();) {
        Waiting& next = queue.front();
        const Result<Way> way = parts_.way(next.request);
        const bool is_late = now >= next.deadline;
        goes_on = is_late || !way || *way != Way::coming;
        if (!goes_on) break;
        held_bytes_ -= next.request.records.size_bytes();
        if (is_late) {
          failed.emplace_back(std::move(next), late(entry->first));
        } else if (!way) {
          failed.emplace_back(std::move(next), way.error());
        } else if (*way == Way::away) {
          refused.push_back(std::move(next));
        } else {
          write(*way, std::move(next.request), std::move(next.completion), next.deadline);  // so that nobody gets in front
        }
        queue.pop_front();
      }
      entry = queue.empty() ? waiting_.erase(entry) : std::next(entry);
    }
  }
  for (const auto& [one, error] : failed) one.completion(error);
  for (const Waiting& one : refused) parts_.refuse(one.request, one.completion, one.deadline);
}

/// What lasts, as a right that is missing does, is no time-out.
Error AppendGate::late(const TopicPartition& partition) const {
  const std::string text = to_string(partition) + " took no append in time; it is not written";
  const std::optional<Error> trouble = parts_.trouble ? parts_.trouble(partition) : std::nullopt;
  if (!trouble) return Error{Errc::timed_out, text};
  return Error{is_retriable(trouble->code()) ? Errc::timed_out : trouble->code(), text + ": " + std::string(trouble->text())};
}

void AppendGate::close(const Error& reason) {
  std::map<TopicPartition, Queue> waiting;
  {
    const std::lock_guard lock(mutex_);
    closed_ = reason;
    waiting.swap(waiting_);
  }
  for (auto& [partition, queue] : waiting) {
    for (Waiting& one : queue) one.completion(reason);
  }
}

}  // namespace lungo
