#include "waiters.hpp"

#include <lungo/log/check.hpp>

#include "base/logger.hpp"

namespace lungo {

class CommitWaiters::Waiter {
 public:
  explicit Waiter(std::function<void()> notify) : notify_(std::move(notify)) {}

  void fire() {
    const std::lock_guard lock(mutex_);
    // Taken out first: the callback may cancel its own waiter, and must not be destroyed while it runs.
    const std::function<void()> notify = std::exchange(notify_, nullptr);
    if (!notify) return;
    try {
      notify();
    } catch (...) {
      logger()->error("a notification threw, which it must not: {}", current_exception_text());
    }
  }

  void cancel() {
    const std::lock_guard lock(mutex_);
    notify_ = nullptr;
  }

 private:
  std::recursive_mutex mutex_;  // held while the callback runs; the callback's thread may cancel
  std::function<void()> notify_;
};

class CommitWaiters::List {
 public:
  using Waiting = std::multimap<Offset, std::shared_ptr<Waiter>>;

  Waiting::iterator add(Offset end, std::shared_ptr<Waiter> waiter) {
    const std::lock_guard lock(mutex_);
    return waiting_.emplace(end, std::move(waiter));
  }
  void remove(Offset end, const std::shared_ptr<Waiter>& waiter) {
    const std::lock_guard lock(mutex_);
    const auto [begin, behind] = waiting_.equal_range(end);
    for (auto at = begin; at != behind; ++at) {
      if (at->second != waiter) continue;
      waiting_.erase(at);
      return;
    }
  }
  /// Takes no memory: who was committed for has to be told.
  Waiting take_below(Offset committed) {
    const std::lock_guard lock(mutex_);
    Waiting taken;
    while (!waiting_.empty() && waiting_.begin()->first < committed) taken.insert(waiting_.extract(waiting_.begin()));
    return taken;
  }

 private:
  std::mutex mutex_;
  Waiting waiting_;
};

CommitWaiters::CommitWaiters() : list_(std::make_shared<List>()) {}

std::shared_ptr<void> CommitWaiters::add(Offset end, std::function<void()> notify) {
  const auto waiter = std::make_shared<Waiter>(std::move(notify));
  list_->add(end, waiter);
  const auto unsubscribe = [waiter, end, list = std::weak_ptr(list_)](void*) {
    if (const std::shared_ptr<List> alive = list.lock()) alive->remove(end, waiter);
    waiter->cancel();
  };
  return std::shared_ptr<void>(waiter.get(), unsubscribe);
}

void CommitWaiters::fire_above(Offset committed) {
  for (const auto& [end, waiter] : list_->take_below(committed)) waiter->fire();
}

void CommitWaiters::fire_all() { fire_above(Offset{std::numeric_limits<std::int64_t>::max()}); }

}  // namespace lungo
