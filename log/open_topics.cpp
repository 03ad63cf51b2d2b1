#include "open_topics.hpp"

namespace lungo {

OpenPartition::OpenPartition(TopicPartition name, TopicId topic, PartitionAtRest rest, PartitionOpener& opener)
    : name_(std::move(name)),
      topic_(topic),
      rest_(std::make_unique<PartitionAtRest>(std::move(rest))),
      opener_(&opener),
      committed_(rest_->synced.value()) {}

OpenPartition::OpenPartition(TopicPartition name, TopicId topic, Offset synced)
    : name_(std::move(name)),
      topic_(topic),
      rest_(
          std::make_unique<PartitionAtRest>(PartitionAtRest{.start = Offset{0}, .synced = synced, .clean = {}, .failure = {}})),
      committed_(synced.value()) {}

Result<std::shared_ptr<PartitionLog>> OpenPartition::touch() { return open(true); }
Result<std::shared_ptr<PartitionLog>> OpenPartition::touch_for_upkeep() { return open(false); }

Result<std::shared_ptr<PartitionLog>> OpenPartition::open(bool is_use) {
  std::shared_ptr<PartitionLog> opened;
  {
    const std::lock_guard lock(log_mutex_);
    if (is_use) note_use();
    if (log_) return log_;
    if (opener_ == nullptr) return *rest_->failure;
    Result<std::shared_ptr<PartitionLog>> log = opener_->open_partition(shared_from_this(), *rest_);
    if (!log) return log;
    opened = log_ = std::move(*log);
    rest_.reset();
  }
  commit(opened->synced_end());  // there may be more than was known; without the lock, as who waits for it may read at once
  return opened;
}

bool OpenPartition::put_to_rest() {
  std::shared_ptr<PartitionLog> closed;  // goes after the lock is released
  const std::lock_guard lock(log_mutex_);
  if (!log_ || opener_ == nullptr || is_used() || closed_.load()) return true;
  std::optional<PartitionAtRest> rest = opener_->close_partition(*this, log_);
  if (!rest) return false;
  rest_ = std::make_unique<PartitionAtRest>(std::move(*rest));
  closed = std::move(log_);
  return true;
}

std::shared_ptr<PartitionLog> OpenPartition::log() const {
  const std::lock_guard lock(log_mutex_);
  return log_;
}

std::optional<PartitionAtRest> OpenPartition::rest() const {
  const std::lock_guard lock(log_mutex_);
  return rest_ ? std::optional{*rest_} : std::nullopt;
}

std::optional<Offset> OpenPartition::end_of_nothing() const {
  const std::lock_guard lock(log_mutex_);
  if (log_ || opener_ == nullptr || (rest_->failure && *rest_->failure != Errc::no_space)) return std::nullopt;
  return rest_->clean && rest_->clean->end == rest_->start ? std::optional{rest_->start} : std::nullopt;
}

std::optional<Offset> OpenPartition::synced_end() const {
  const std::unique_lock lock(log_mutex_, std::try_to_lock);
  if (!lock) return std::nullopt;
  return log_ ? log_->synced_end() : rest_->synced;
}

bool OpenPartition::keep_at_rest(const Error& cause) {
  const std::unique_lock lock(log_mutex_, std::try_to_lock);
  if (!lock) return false;
  if (log_) return true;
  rest_->failure = cause;
  opener_ = nullptr;
  return true;
}

void OpenPartition::replace_log(std::shared_ptr<PartitionLog> log, Offset committed) {
  std::shared_ptr<PartitionLog> old;  // closed after the lock is released
  const std::lock_guard lock(log_mutex_);
  raise_committed(committed);
  old = std::exchange(log_, std::move(log));
  rest_.reset();
}

void OpenPartition::go_back(std::shared_ptr<PartitionLog> log, Offset committed) {
  std::shared_ptr<PartitionLog> old;  // closed after the lock is released
  const std::lock_guard lock(log_mutex_);
  committed_.store(committed.value());
  old = std::exchange(log_, std::move(log));
  rest_.reset();
}

OpenPartition::Shown OpenPartition::shown() const {
  const std::lock_guard lock(log_mutex_);
  note_use();
  return {log_, committed()};
}

bool OpenPartition::raise_committed(Offset end) {
  std::int64_t before = committed_.load(std::memory_order_relaxed);
  do {
    if (end.value() <= before) return false;
  } while (!committed_.compare_exchange_weak(before, end.value()));
  return true;
}

bool OpenPartition::commit(Offset end) {
  if (!raise_committed(end)) return false;
  waiters_.fire_above(end);
  return true;
}

std::shared_ptr<void> OpenPartition::notify_above(Offset end, std::function<void()> notify) {
  std::shared_ptr<void> token = waiters_.add(end, std::move(notify));
  // Whoever commits or closes stores first and fires then: either it finds the waiter, or this finds what it stored.
  if (closed_.load()) {
    waiters_.fire_all();
  } else {
    waiters_.fire_above(committed());
  }
  return token;
}

void OpenPartition::close() {
  closed_.store(true);
  waiters_.fire_all();
}

void OpenTopics::add(std::shared_ptr<const OpenTopic> topic) {
  const std::unique_lock lock(mutex_);
  by_name_.emplace(topic->info.spec.name, topic);
  topics_.push_back(std::move(topic));
}

void OpenTopics::replace(std::shared_ptr<const OpenTopic> topic) {
  const std::unique_lock lock(mutex_);
  for (std::shared_ptr<const OpenTopic>& there : topics_) {
    if (there->info.id != topic->info.id) continue;
    by_name_[topic->info.spec.name] = topic;
    there = std::move(topic);
    return;
  }
}

void OpenTopics::remove(const TopicId& id) {
  const std::unique_lock lock(mutex_);
  std::erase_if(by_name_, [&](const auto& entry) { return entry.second->info.id == id; });
  std::erase_if(topics_, [&](const std::shared_ptr<const OpenTopic>& topic) { return topic->info.id == id; });
}

Result<std::shared_ptr<const OpenTopic>> OpenTopics::find(std::string_view name) const {
  const std::shared_lock lock(mutex_);
  const auto found = by_name_.find(name);
  if (found == by_name_.end()) return Error{Errc::not_found, "no topic " + std::string(name)};
  return found->second;
}

Result<std::shared_ptr<OpenPartition>> OpenTopics::find(const TopicPartition& partition) const {
  const std::shared_lock lock(mutex_);
  const auto found = by_name_.find(partition.topic);
  if (found == by_name_.end()) return Error{Errc::not_found, "no topic " + partition.topic};
  const std::vector<std::shared_ptr<OpenPartition>>& partitions = found->second->partitions;
  const std::int32_t index = partition.partition.value();
  if (index < 0 || static_cast<std::size_t>(index) >= partitions.size()) {
    return Error{Errc::not_found, "no partition " + to_string(partition)};
  }
  return partitions[static_cast<std::size_t>(index)];
}

std::vector<std::shared_ptr<const OpenTopic>> OpenTopics::all() const {
  const std::shared_lock lock(mutex_);
  return topics_;
}

}  // namespace lungo
