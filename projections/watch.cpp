#include <lungo/projections/watch.hpp>

#include <utility>

#include <lungo/log/check.hpp>

#include "logger.hpp"

namespace lungo::detail {

void Watcher::tell(std::uint64_t sequence, const void* rows) {
  TellChanges ended;  // goes after the lock: what it holds may end other watchers
  const std::lock_guard lock{mutex_};
  if (has_ended_) return;
  is_called_ = true;
  try {
    callback_(sequence, rows);
  } catch (...) {
    const std::string said = current_exception_text();
    if (!std::exchange(has_thrown_, true))
      log_error("a watcher of projection " + projection_ + " threw, and is told on: " + said);
  }
  is_called_ = false;
  if (has_ended_) ended = std::move(callback_);
}

void Watcher::end() {
  TellChanges ended;
  const std::lock_guard lock{mutex_};
  has_ended_ = true;
  // One that runs must not be destroyed by itself: tell() does it.
  if (!is_called_) ended = std::move(callback_);
}

class Watchers::List {
 public:
  void add(std::shared_ptr<Watcher> watcher) {
    const std::lock_guard lock{mutex_};
    all_.push_back(std::move(watcher));
  }
  void remove(const std::shared_ptr<Watcher>& watcher) {
    const std::lock_guard lock{mutex_};
    std::erase(all_, watcher);
  }
  std::vector<std::shared_ptr<Watcher>> all() const {
    const std::lock_guard lock{mutex_};
    return all_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::shared_ptr<Watcher>> all_;
};

Watchers::Watchers() : list_(std::make_shared<List>()) {}

WatchToken Watchers::add(std::string projection, TellChanges callback) {
  const auto watcher = std::make_shared<Watcher>(std::move(projection), std::move(callback));
  list_->add(watcher);
  const auto unsubscribe = [watcher, list = std::weak_ptr(list_)](void*) {
    if (const std::shared_ptr<List> alive = list.lock()) alive->remove(watcher);
    watcher->end();
  };
  return WatchToken(watcher.get(), unsubscribe);
}

std::vector<std::shared_ptr<Watcher>> Watchers::all() const { return list_->all(); }

}  // namespace lungo::detail
