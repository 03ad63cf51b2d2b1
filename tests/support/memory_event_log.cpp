#include "tests/support/memory_event_log.hpp"

#include <algorithm>

#include <lungo/log/check.hpp>

namespace lungo::test {

namespace {

/// One record that was written, with the batch that its views point into.
struct Stored {
  RecordView view;
  std::size_t batch = 0;
};

/// An id and the key that it belongs to, which may be null.
using Identity = std::pair<std::optional<std::string>, std::string>;

struct Batch {
  std::shared_ptr<const Bytes> bytes;
  Offset base;
  Offset end;
  LeaderEpoch epoch;
};

bool is_topic_name(std::string_view name) {
  return !name.empty() && name.size() <= 249 && name != "." && name != ".." &&
         name.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == std::string_view::npos;
}

std::string difference(const TopicSpec& there, const TopicSpec& wanted) {
  if (there.partitions == wanted.partitions) return " has other settings";
  return " exists with partitions=" + std::to_string(there.partitions) + ", not " + std::to_string(wanted.partitions);
}

}  // namespace

struct MemoryEventLog::Partition {
  TopicPartition name;
  TopicId topic_id;
  bool streams = false;
  bool compact = false;
  bool log_append_time = false;
  Offset start;
  Offset committed;
  std::vector<Batch> batches;
  std::vector<Stored> records;  // by offset
  std::unordered_map<std::string, std::vector<std::int64_t>> by_key;
  std::map<Identity, std::int64_t> by_id;  // the last record that carried it

  [[nodiscard]] Offset written() const { return Offset{static_cast<std::int64_t>(records.size())}; }
  [[nodiscard]] const RecordView& at(std::int64_t offset) const { return records[static_cast<std::size_t>(offset)].view; }
};

struct MemoryEventLog::Topic {
  TopicInfo info;
  std::vector<std::unique_ptr<Partition>> partitions;
};

struct MemoryEventLog::Held {
  Partition* partition;
  Result<Appended> outcome;
  Completion completion;
};

struct MemoryEventLog::Notification {
  Partition* partition;
  Offset end;
  std::function<void()> notify;
};

MemoryEventLog::MemoryEventLog(Ports ports) : ports_(ports), self_(std::make_shared<MemoryEventLog*>(this)) {}

MemoryEventLog::~MemoryEventLog() {
  std::vector<std::function<void()>> due;
  {
    const std::lock_guard lock(mutex_);
    *self_ = nullptr;
    for (auto& [id, notification] : notifications_) due.push_back(std::move(notification.notify));
  }
  for (auto& notify : due) notify();
}

Result<TopicInfo> MemoryEventLog::create_topic(const TopicSpec& spec) {
  const std::lock_guard lock(mutex_);
  if (!is_topic_name(spec.name) || spec.partitions < 1) {
    return Error{Errc::invalid_argument, "a topic needs a name that Kafka takes, and partitions"};
  }
  if (const auto found = topics_.find(spec.name); found != topics_.end()) {
    if (found->second->info.spec == spec) return found->second->info;
    return Error{Errc::already_exists, "topic " + spec.name + difference(found->second->info.spec, spec)};
  }
  auto topic = std::make_unique<Topic>();
  topic->info.spec = spec;
  topic->info.id.bytes[0] = next_topic_++;
  for (std::int32_t index = 0; index < spec.partitions; ++index) {
    auto partition = std::make_unique<Partition>();
    partition->name = {spec.name, PartitionId{index}};
    partition->topic_id = topic->info.id;
    partition->streams = spec.streams;
    partition->compact = spec.compact;
    partition->log_append_time = spec.timestamps == TimestampKind::log_append;
    topic->partitions.push_back(std::move(partition));
  }
  const TopicInfo info = topic->info;
  topics_.emplace(spec.name, std::move(topic));
  return info;
}

Result<TopicInfo> MemoryEventLog::topic(std::string_view name) {
  const std::lock_guard lock(mutex_);
  const auto found = topics_.find(name);
  if (found == topics_.end()) return Error{Errc::not_found, "no topic " + std::string(name)};
  return found->second->info;
}

Result<std::vector<TopicInfo>> MemoryEventLog::topics() {
  const std::lock_guard lock(mutex_);
  std::vector<TopicInfo> infos;
  for (const auto& [name, topic] : topics_) infos.push_back(topic->info);
  std::ranges::sort(infos, {}, &TopicInfo::id);  // as they were made
  return infos;
}

MemoryEventLog::Partition* MemoryEventLog::find(const TopicPartition& partition) {
  const auto found = topics_.find(partition.topic);
  if (found == topics_.end()) return nullptr;
  const auto index = static_cast<std::size_t>(partition.partition.value());
  auto& partitions = found->second->partitions;
  return index < partitions.size() ? partitions[index].get() : nullptr;
}

void MemoryEventLog::append(AppendRequest request, Completion completion) {
  std::optional<Result<Appended>> outcome;
  std::vector<std::function<void()>> due;
  {
    const std::lock_guard lock(mutex_);
    ++append_calls_;
    Partition* partition = find(request.to);
    if (partition == nullptr) {
      outcome = Error{Errc::not_found, "no partition " + to_string(request.to)};
    } else if (request.records.empty()) {
      outcome = Error{Errc::invalid_argument, "an append needs a record"};
    } else if (failures_left_ > 0 && appends_before_failures_-- <= 0) {
      --failures_left_;
      outcome = failure_;
    } else {
      outcome = refused_or_repeated(*partition, request);
      if (!outcome) outcome = write(*partition, request.records);
      if (holding_ && *outcome) {
        held_.push_back({partition, std::move(*outcome), std::move(completion)});
        return;
      }
      if (!holding_) partition->committed = partition->written();
      due = take_due_locked();
    }
  }
  completion(std::move(*outcome));
  for (auto& notify : due) notify();
  ports_.executor.notify();
}

std::optional<Result<Appended>> MemoryEventLog::refused_or_repeated(Partition& partition, const AppendRequest& request) const {
  for (std::size_t index = 0; partition.compact && index < request.records.count(); ++index) {
    if (!request.records.key(index)) return Error{Errc::invalid_argument, "a record of a compacted topic needs a key"};
  }
  const std::optional<std::string_view> id = request.records.id(0);
  const std::optional<Offset> since = request.condition ? std::optional{request.condition->as_of} : request.since;
  if (request.condition && !partition.streams) {
    return Error{Errc::unsupported, "conditions need a stream topic, and " + partition.name.topic + " is none"};
  }
  if (request.condition && request.condition->as_of < partition.start) {
    return Error{Errc::history_trimmed, "as_of lies below the start of " + to_string(partition.name)};
  }
  if (id) {
    const auto found = partition.by_id.find({std::optional<std::string>{request.records.key(0)}, std::string(*id)});
    if (found != partition.by_id.end() && (!since || found->second >= since->value())) {
      const Offset first{found->second};
      const Offset end = first.plus(static_cast<std::int64_t>(request.records.count()));
      if (end > partition.batches[partition.records[static_cast<std::size_t>(found->second)].batch].end) {
        return Error{Errc::invalid_argument, "the id " + std::string(*id) + " names a smaller append", first};
      }
      return Appended{.first = first, .end = end, .epoch = partition.at(found->second).epoch, .repeated = true};
    }
  }
  if (!request.condition) return std::nullopt;
  const auto keyed = partition.by_key.find(request.condition->key);
  if (keyed == partition.by_key.end()) return std::nullopt;
  const auto in_the_way = std::ranges::lower_bound(keyed->second, request.condition->as_of.value());
  if (in_the_way == keyed->second.end()) return std::nullopt;
  return Error{Errc::conflict, "stream " + request.condition->key + " has a record at offset " + std::to_string(*in_the_way),
               Offset{*in_the_way}};
}

Appended MemoryEventLog::write(Partition& partition, const EncodedRecords& records) {
  BatchBuilder builder;
  builder.add(records);
  const Offset base = partition.written();
  const std::optional<Timestamp> time = partition.log_append_time ? std::optional{ports_.clock.now()} : std::nullopt;
  const BytesView view = builder.finish(base, LeaderEpoch{epoch_}, time);
  auto bytes = std::make_shared<const Bytes>(view.begin(), view.end());
  RecordCursor cursor{*bytes, base};
  while (const RecordView* record = cursor.next()) {
    const std::int64_t offset = record->offset.value();
    std::optional<std::string> key;
    if (record->has_key) partition.by_key[key.emplace(as_text(record->key))].push_back(offset);
    if (const auto id = find_header(*record, kIdHeader)) partition.by_id[{std::move(key), std::string(as_text(*id))}] = offset;
    partition.records.push_back({*record, partition.batches.size()});
  }
  check(!cursor.error(), "a batch that was just built reads back");
  partition.batches.push_back({std::move(bytes), base, partition.written(), LeaderEpoch{epoch_}});
  return {.first = base, .end = partition.written(), .epoch = LeaderEpoch{epoch_}};
}

Result<Fetched> MemoryEventLog::read(const TopicPartition& name, Offset from, std::size_t bytes_max) {
  const std::lock_guard lock(mutex_);
  if (read_hook_) read_hook_(name);
  Partition* partition = find(name);
  if (partition == nullptr) return Error{Errc::not_found, "no partition " + to_string(name)};
  if (from < partition->start || from > partition->committed) {
    return Error{Errc::offset_out_of_range, to_string(name) + " has no offset " + std::to_string(from.value()), from};
  }
  Position next{partition->topic_id, name.partition, from, kNoEpoch};
  if (from == partition->committed) return Fetched{nullptr, {}, from, next, partition->committed};

  std::size_t index = partition->records[static_cast<std::size_t>(from.value())].batch;
  auto buffer = std::make_shared<Bytes>();
  while (index < partition->batches.size() && partition->batches[index].end <= partition->committed) {
    const Batch& batch = partition->batches[index++];
    if (!buffer->empty() && buffer->size() + batch.bytes->size() > bytes_max) break;
    buffer->insert(buffer->end(), batch.bytes->begin(), batch.bytes->end());
    next.offset = batch.end;
    next.epoch = batch.epoch;
  }
  const BytesView view{*buffer};
  return Fetched{std::move(buffer), view, from, next, partition->committed};
}

Result<Fetched> MemoryEventLog::read_back(const TopicPartition& name, Offset end, std::size_t bytes_max) {
  const std::lock_guard lock(mutex_);
  if (read_hook_) read_hook_(name);
  Partition* partition = find(name);
  if (partition == nullptr) return Error{Errc::not_found, "no partition " + to_string(name)};
  if (end < partition->start || end > partition->committed) {
    return Error{Errc::offset_out_of_range, to_string(name) + " has no offset " + std::to_string(end.value()), end};
  }
  const std::vector<Batch>& batches = partition->batches;
  auto last = std::ranges::upper_bound(batches, end, {}, &Batch::end);  // one past it
  auto first = last;
  for (std::size_t size = 0; first != batches.begin() && std::prev(first)->end > partition->start; --first) {
    size += std::prev(first)->bytes->size();
    if (first != last && size > bytes_max) break;
  }
  Position next{partition->topic_id, name.partition, end, kNoEpoch};
  if (first == last) return Fetched{nullptr, {}, end, next, partition->committed};
  auto buffer = std::make_shared<Bytes>();
  for (auto batch = first; batch != last; ++batch) buffer->insert(buffer->end(), batch->bytes->begin(), batch->bytes->end());
  next.offset = std::prev(last)->end;
  next.epoch = std::prev(last)->epoch;
  const BytesView view{*buffer};
  return Fetched{std::move(buffer), view, std::max(first->base, partition->start), next, partition->committed};
}

Result<KeyRecords> MemoryEventLog::read_key(const TopicPartition& name, std::string_view key, Offset begin, Offset end,
                                            std::size_t records_max) {
  const std::lock_guard lock(mutex_);
  Partition* partition = find(name);
  if (partition == nullptr) return Error{Errc::not_found, "no partition " + to_string(name)};
  if (!partition->streams) return Error{Errc::unsupported, name.topic + " is not a stream topic"};
  if (begin < partition->start)
    return Error{Errc::history_trimmed, to_string(name) + " begins above " + std::to_string(begin.value())};

  KeyRecords found;
  const Offset stop = std::min(end, partition->committed);
  found.next = std::max(begin, stop);
  found.done = true;
  const auto keyed = partition->by_key.find(std::string(key));
  if (keyed == partition->by_key.end()) return found;
  for (auto at = std::ranges::lower_bound(keyed->second, begin.value()); at != keyed->second.end() && *at < stop.value();
       ++at) {
    if (found.records.size() == records_max) {
      found.next = Offset{*at};
      found.done = false;
      break;
    }
    const Stored& stored = partition->records[static_cast<std::size_t>(*at)];
    found.records.push_back(stored.view);
    found.buffers.push_back(partition->batches[stored.batch].bytes);
  }
  return found;
}

Result<Ends> MemoryEventLog::ends(const TopicPartition& name) {
  const std::lock_guard lock(mutex_);
  Partition* partition = find(name);
  if (partition == nullptr) return Error{Errc::not_found, "no partition " + to_string(name)};
  return Ends{partition->start, partition->committed, partition->committed, partition->written()};
}

Result<std::optional<Offset>> MemoryEventLog::offset_at(const TopicPartition& name, Timestamp time) {
  const std::lock_guard lock(mutex_);
  Partition* partition = find(name);
  if (partition == nullptr) return Error{Errc::not_found, "no partition " + to_string(name)};
  for (Offset at = partition->start; at < partition->committed; at = at.next()) {
    if (partition->at(at.value()).timestamp >= time) return std::optional{at};
  }
  return std::optional<Offset>{};
}

Result<void> MemoryEventLog::validate(std::string_view topic, const Position& position) {
  const std::lock_guard lock(mutex_);
  Partition* partition = find({std::string(topic), position.partition});
  if (partition == nullptr) return Error{Errc::not_found, "no topic " + std::string(topic)};
  const std::string where = to_string(partition->name) + " at offset " + std::to_string(position.offset.value());
  if (position.topic != partition->topic_id) return Error{Errc::position_diverged, where + " belongs to another topic"};
  if (position.offset < partition->start) return Error{Errc::history_trimmed, where};
  if (position.epoch == kNoEpoch) return {};
  Offset end_of_epoch;
  for (const Batch& batch : partition->batches) {
    if (batch.epoch <= position.epoch) end_of_epoch = batch.end;
  }
  if (end_of_epoch < position.offset) return Error{Errc::position_diverged, where + " was cut off"};
  return {};
}

EventLog::NotifyToken MemoryEventLog::notify_above(const TopicPartition& name, Offset end, std::function<void()> notify) {
  std::uint64_t id = 0;
  {
    const std::lock_guard lock(mutex_);
    Partition* partition = find(name);
    if (partition == nullptr) return nullptr;
    if (partition->committed <= end) {
      id = ++next_token_;
      notifications_.emplace(id, Notification{partition, end, std::move(notify)});
    }
  }
  if (id == 0) {
    notify();
    return nullptr;
  }
  return {nullptr, [self = self_, id](void*) {
            if (*self == nullptr) return;
            const std::lock_guard lock((*self)->mutex_);
            (*self)->notifications_.erase(id);
          }};
}

std::vector<std::function<void()>> MemoryEventLog::take_due_locked() {
  std::vector<std::function<void()>> due;
  for (auto at = notifications_.begin(); at != notifications_.end();) {
    if (at->second.partition->committed > at->second.end) {
      due.push_back(std::move(at->second.notify));
      at = notifications_.erase(at);
    } else {
      ++at;
    }
  }
  return due;
}

void MemoryEventLog::hold_commits() {
  const std::lock_guard lock(mutex_);
  holding_ = true;
}

void MemoryEventLog::commit_held(bool keep_holding) {
  std::vector<Held> held;
  std::vector<std::function<void()>> due;
  {
    const std::lock_guard lock(mutex_);
    holding_ = keep_holding;
    held.swap(held_);
    for (Held& append : held) append.partition->committed = append.partition->written();
    due = take_due_locked();
  }
  for (Held& append : held) append.completion(std::move(append.outcome));
  for (auto& notify : due) notify();
  ports_.executor.notify();
}

void MemoryEventLog::crash() {
  const std::lock_guard lock(mutex_);
  ++epoch_;
  held_.clear();
  for (auto& [name, topic] : topics_) {
    for (auto& partition : topic->partitions) cut_locked(*partition, partition->committed);
  }
}

void MemoryEventLog::cut(const TopicPartition& name, Offset end) {
  const std::lock_guard lock(mutex_);
  ++epoch_;
  Partition* partition = find(name);
  check(partition != nullptr, "cut() names a partition that exists");
  cut_locked(*partition, end);
}

void MemoryEventLog::cut_locked(Partition& partition, Offset end) {
  while (!partition.batches.empty() && partition.batches.back().end > end) partition.batches.pop_back();
  const Offset keep = partition.batches.empty() ? Offset{0} : partition.batches.back().end;
  partition.records.resize(static_cast<std::size_t>(keep.value()));
  partition.committed = std::min(partition.committed, keep);
  for (auto& [key, offsets] : partition.by_key) {
    offsets.erase(std::ranges::lower_bound(offsets, keep.value()), offsets.end());
  }
  std::erase_if(partition.by_id, [keep](const auto& entry) { return entry.second >= keep.value(); });
}

void MemoryEventLog::trim(const TopicPartition& name, Offset start) {
  const std::lock_guard lock(mutex_);
  Partition* partition = find(name);
  check(partition != nullptr, "trim() names a partition that exists");
  partition->start = start;
}

void MemoryEventLog::fail_appends(int count, Error error, int behind) {
  const std::lock_guard lock(mutex_);
  failures_left_ = count;
  appends_before_failures_ = behind;
  failure_ = std::move(error);
}

void MemoryEventLog::on_read(std::function<void(const TopicPartition&)> hook) {
  const std::lock_guard lock(mutex_);
  read_hook_ = std::move(hook);
}

std::size_t MemoryEventLog::append_calls() const {
  const std::lock_guard lock(mutex_);
  return append_calls_;
}

}  // namespace lungo::test
