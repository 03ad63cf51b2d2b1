// The answer of an asynchronous call, for a caller that wants to wait for it.
//
//   Answer<Appended> answer{log.ports(), timeout};
//   log.append(std::move(request), answer.completion());
//   std::optional<Result<Appended>> result = answer.wait();
//
// The completion may come after the caller has given up: what the two share lives as long as either.
// Threads: wait() on the caller's; the completion on any.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>

#include <lungo/log/deadline.hpp>
#include <lungo/log/ports.hpp>
#include <lungo/log/result.hpp>

namespace lungo {

template <class T>
class Answer {
 public:
  /// The time begins to run now.
  Answer(const Ports& ports, Duration timeout) : ports_(ports), deadline_(deadline_after(ports.clock.monotonic(), timeout)) {}

  /// What the call is given; it runs once at most.
  [[nodiscard]] std::function<void(Result<T>)> completion() const {
    return [shared = shared_, &executor = ports_.executor](Result<T> result) {
      {
        const std::lock_guard lock(shared->mutex);
        shared->result = std::move(result);
      }
      executor.notify();
    };
  }
  /// The answer; nothing when it had not come by the deadline. To be called once.
  std::optional<Result<T>> wait() {
    const auto arrived = [&shared = *shared_] {
      const std::lock_guard lock(shared.mutex);
      return shared.result.has_value();
    };
    if (!ports_.executor.wait_until(arrived, deadline_)) return std::nullopt;
    const std::lock_guard lock(shared_->mutex);
    return std::move(shared_->result);
  }

 private:
  struct Shared {
    std::mutex mutex;
    std::optional<Result<T>> result;  // under mutex
  };

  const Ports ports_;
  const Instant deadline_;
  const std::shared_ptr<Shared> shared_ = std::make_shared<Shared>();
};

}  // namespace lungo
