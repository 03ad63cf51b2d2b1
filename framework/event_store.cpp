#include <lungo/framework/event_store.hpp>

#include <algorithm>
#include <map>
#include <mutex>
#include <unordered_set>

#include <lungo/log/answer.hpp>
#include <lungo/log/check.hpp>

namespace lungo {

struct EventStore::Shared {
  explicit Shared(std::shared_ptr<EventLog> its_log) : log(std::move(its_log)), shapes(log) {}

  const std::shared_ptr<EventLog> log;
  ShapeRegistry shapes;
  std::mutex mutex;
  // Under mutex:
  EventNames names;
  std::unordered_set<TypeKey> declared;
  std::map<std::string, TopicInfo, std::less<>> topics;
  std::shared_ptr<Forwarder> forwarder;
};

struct EventBatch::Parts {
  /// What goes to one partition.
  struct Part {
    EncodedRecords records;
    std::optional<Condition> condition;
    std::optional<Offset> since;
  };

  Part& part(PartitionId partition) { return partitions.at(static_cast<std::size_t>(partition.value())); }

  EventStore store;
  TopicInfo topic;
  std::vector<Part> partitions;
  std::vector<TypeKey> declared;  // a short list that is looked up for every event
  Bytes payload;
};

namespace {

/// Gathers the outcomes of one batch's appends; the last one to come reports.
class BatchOutcome {
 public:
  using Done = std::function<void(Result<std::vector<Commit>>)>;
  BatchOutcome(std::vector<Commit> commits, Done done)
      : left_(commits.size()), commits_(std::move(commits)), done_(std::move(done)) {}

  void set(std::size_t index, const Result<Appended>& appended) {
    {
      const std::lock_guard lock(mutex_);
      if (appended) {
        commits_[index].first = appended->first;
        commits_[index].end = appended->end;
        commits_[index].repeated = appended->repeated;
        commits_[index].epoch = appended->epoch;
      } else if (!error_) {
        error_ = appended.error().with_context(to_string(commits_[index].partition));
      }
      if (--left_ > 0) return;
    }
    if (error_) {
      done_(*std::move(error_));
    } else {
      done_(std::move(commits_));
    }
  }

 private:
  std::mutex mutex_;
  std::size_t left_;
  std::vector<Commit> commits_;
  std::optional<Error> error_;
  Done done_;
};

}  // namespace

EventBatch::EventBatch(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
EventBatch::EventBatch(EventBatch&&) noexcept = default;
EventBatch& EventBatch::operator=(EventBatch&&) noexcept = default;
EventBatch::~EventBatch() = default;

bool EventBatch::is_declared(TypeKey type) const { return std::ranges::find(parts_->declared, type) != parts_->declared.end(); }

Result<void> EventBatch::declare(const DeclaredType& type) {
  Result<void> declared = parts_->store.declare_types({&type, 1});
  if (declared) parts_->declared.push_back(type.key);
  return declared;
}

Bytes& EventBatch::empty_payload() {
  parts_->payload.clear();
  return parts_->payload;
}

Result<void> EventBatch::add_encoded(std::string_view stream, std::string_view name, const ShapeHash& shape,
                                     const EventMeta& meta) {
  if (stream.empty()) return Error{Errc::invalid_argument, "an event needs a stream"};
  const Timestamp now = parts_->store.log().ports().clock.now();
  EnvelopeFields fields;
  fields.stream = stream;
  fields.type = name;
  fields.shape = shape;
  fields.time = meta.time.value_or(now);
  fields.recorded = now;
  fields.id = meta.id;
  fields.correlation = meta.correlation;
  fields.causation = meta.causation;
  fields.lane = meta.lane;
  fields.headers = meta.headers;
  fields.payload = parts_->payload;
  return add_record(fields, parts_->part(partition_of(stream)).records);
}

void EventBatch::expect_unchanged(std::string_view stream, Offset as_of) {
  parts_->part(partition_of(stream)).condition = Condition{std::string(stream), as_of};
}

void EventBatch::look_for_id_since(PartitionId partition, Offset since) { parts_->part(partition).since = since; }

std::size_t EventBatch::count() const {
  std::size_t count = 0;
  for (const Parts::Part& part : parts_->partitions) count += part.records.count();
  return count;
}

std::size_t EventBatch::size_bytes() const {
  std::size_t bytes = 0;
  for (const Parts::Part& part : parts_->partitions) bytes += part.records.size_bytes();
  return bytes;
}

PartitionId EventBatch::partition_of(std::string_view stream) const {
  return partition_of_stream(stream, parts_->topic.spec.partitions);
}

std::size_t EventBatch::count(PartitionId partition) const { return parts_->part(partition).records.count(); }

Result<Envelope> EventBatch::event(PartitionId partition, std::size_t index) const {
  const EncodedRecords& records = parts_->part(partition).records;
  Result<RecordView> record = parse_record_body(records.body(index));
  if (!record) return record.error();
  record->timestamp = records.entries()[index].timestamp;
  return parse_envelope(parts_->topic.spec.name, partition, *record);
}

void EventBatch::truncate(PartitionId partition, std::size_t count) { parts_->part(partition).records.truncate(count); }

void EventBatch::clear() {
  for (Parts::Part& part : parts_->partitions) {
    part.records.clear();
    part.condition.reset();
    part.since.reset();
  }
}

EventStore::EventStore(std::shared_ptr<EventLog> log) : shared_(std::make_shared<Shared>(std::move(log))) {}

EventLog& EventStore::log() const { return *shared_->log; }
const std::shared_ptr<EventLog>& EventStore::shared_log() const { return shared_->log; }
ShapeRegistry& EventStore::shapes() const { return shared_->shapes; }

namespace {

/// What a caller can do about a topic that is not there.
Error no_topic(EventLog& log, std::string_view name) {
  constexpr std::size_t kNamesMax = 8;
  constexpr std::string_view kInternal = "__lungo_";
  std::string text = "no topic " + std::string(name);
  if (!log.read_only() && !name.starts_with(kInternal)) {
    text += "; EventStore::stream_topic(\"" + std::string(name) + "\") makes it";
  }
  std::vector<std::string> others;
  const Result<std::vector<TopicInfo>> topics = log.topics();
  if (!topics) return {Errc::not_found, text};
  for (const TopicInfo& topic : *topics) {
    if (!topic.spec.name.starts_with(kInternal)) others.push_back(topic.spec.name);
  }
  if (others.empty()) return {Errc::not_found, text + "; there are no others"};
  if (others.size() > kNamesMax) return {Errc::not_found, text + "; there are " + std::to_string(others.size()) + " others"};
  std::string names;
  for (const std::string& other : others) names += (names.empty() ? "" : ", ") + other;
  return {Errc::not_found, text + "; there are " + names};
}

}  // namespace

Result<TopicInfo> EventStore::topic(std::string_view name) {
  Result<TopicInfo> found = find_topic(name);
  return found || found.error() != Errc::not_found ? found : Result<TopicInfo>{no_topic(log(), name)};
}

Result<TopicInfo> EventStore::find_topic(std::string_view name) {
  {
    const std::lock_guard lock(shared_->mutex);
    if (const auto found = shared_->topics.find(name); found != shared_->topics.end()) return found->second;
  }
  Result<TopicInfo> info = shared_->log->topic(name);
  if (!info) return info;
  const std::lock_guard lock(shared_->mutex);
  shared_->topics.insert_or_assign(std::string(name), *info);
  return info;
}

Result<TopicInfo> EventStore::stream_topic(std::string_view name, std::int32_t partitions) {
  Result<TopicInfo> existing = find_topic(name);
  if (existing && existing->spec.streams) return existing;
  if (!existing && existing.error() != Errc::not_found) return existing;
  const Error no_streams{Errc::already_exists, "topic " + std::string(name) + " exists and holds no streams"};
  if (log().read_only()) return existing ? no_streams : no_topic(log(), name);
  TopicSpec spec;
  spec.name = name;
  spec.partitions = partitions;
  spec.streams = true;
  // One that exists, too: where another process is making it, or died meanwhile, it holds none yet, and the home takes it over.
  Result<TopicInfo> made = shared_->log->create_topic(spec);
  if (!made) return existing && made.error() == Errc::already_exists ? no_streams : made.error();
  const std::lock_guard lock(shared_->mutex);
  shared_->topics.insert_or_assign(std::string(name), *made);
  return made;
}

Result<void> EventStore::declare_types(std::span<const DeclaredType> types) {
  std::vector<const Shape*> missing;
  {
    const std::lock_guard lock(shared_->mutex);
    for (const DeclaredType& type : types) {
      if (shared_->declared.contains(type.key)) continue;
      Result<void> added = type.add_name(shared_->names);
      if (!added) return added;
      missing.push_back(type.shape);
    }
  }
  if (missing.empty()) return {};
  Result<void> published = shared_->shapes.publish(missing);
  if (!published) return published;
  const std::lock_guard lock(shared_->mutex);
  for (const DeclaredType& type : types) shared_->declared.insert(type.key);
  return {};
}

void EventStore::forward_with(std::shared_ptr<Forwarder> forwarder) {
  const std::lock_guard lock(shared_->mutex);
  shared_->forwarder.swap(forwarder);
}

std::shared_ptr<Forwarder> EventStore::forwarder() const {
  const std::lock_guard lock(shared_->mutex);
  return shared_->forwarder;
}

Result<EventBatch> EventStore::batch(std::string_view topic_name) {
  Result<TopicInfo> info = topic(topic_name);
  if (!info) return info.error();
  auto parts = std::make_unique<EventBatch::Parts>(EventBatch::Parts{*this, std::move(*info), {}, {}, {}});
  parts->partitions.resize(static_cast<std::size_t>(parts->topic.spec.partitions));
  return EventBatch{std::move(parts)};
}

namespace {

/// One partition's part of a batch, ready to go.
AppendRequest request_of(const std::string& topic, std::size_t partition, EncodedRecords records,
                         std::optional<Condition> condition, std::optional<Offset> since) {
  return {.to = {topic, PartitionId{static_cast<std::int32_t>(partition)}},
          .records = std::move(records),
          .condition = std::move(condition),
          .since = since};
}

}  // namespace

std::vector<AppendRequest> EventStore::requests_of(EventBatch batch) {
  std::vector<AppendRequest> requests;
  for (std::size_t index = 0; index < batch.parts_->partitions.size(); ++index) {
    EventBatch::Parts::Part& part = batch.parts_->partitions[index];
    if (part.records.empty()) continue;
    requests.push_back(
        request_of(batch.parts_->topic.spec.name, index, std::move(part.records), std::move(part.condition), part.since));
  }
  return requests;
}

void EventStore::append(EventBatch batch, std::function<void(Result<std::vector<Commit>>)> done) {
  std::vector<AppendRequest> requests = requests_of(std::move(batch));
  std::vector<Commit> commits;
  for (const AppendRequest& request : requests) commits.push_back({request.to, {}, {}, false});
  if (requests.empty()) {
    done(Error{Errc::invalid_argument, "an empty batch"});
    return;
  }
  const auto outcome = std::make_shared<BatchOutcome>(std::move(commits), std::move(done));
  for (std::size_t index = 0; index < requests.size(); ++index) {
    shared_->log->append(std::move(requests[index]),
                         [outcome, index](const Result<Appended>& appended) { outcome->set(index, appended); });
  }
}

Result<std::vector<Commit>> EventStore::append_wait(EventBatch batch, Duration timeout) {
  EventBatch::Parts& parts = *batch.parts_;
  const auto filled = [](const EventBatch::Parts::Part& part) { return !part.records.empty(); };
  if (std::ranges::count_if(parts.partitions, filled) == 1) {
    // One partition: this thread may write and sync by itself.
    const auto part = std::ranges::find_if(parts.partitions, filled);
    AppendRequest request = request_of(parts.topic.spec.name, static_cast<std::size_t>(part - parts.partitions.begin()),
                                       std::move(part->records), std::move(part->condition), part->since);
    const TopicPartition to = request.to;
    Result<Appended> appended = lungo::append_wait(*shared_->log, std::move(request), timeout);
    if (!appended) return appended.error();
    return std::vector<Commit>{{to, appended->first, appended->end, appended->repeated, appended->epoch}};
  }

  Answer<std::vector<Commit>> answer{shared_->log->ports(), timeout};
  append(std::move(batch), answer.completion());
  if (std::optional<Result<std::vector<Commit>>> commits = answer.wait()) return *std::move(commits);
  return Error{Errc::timed_out, "a batch to several partitions is not committed yet; it may still be"};
}

Result<StreamEvents> EventStore::read_stream(std::string_view topic_name, const StreamId& stream, Offset begin) {
  Result<TopicInfo> info = topic(topic_name);
  if (!info) return info.error();
  TopicPartition partition{std::string(topic_name), partition_of_stream(stream.text(), info->spec.partitions)};
  Result<Ends> ends = shared_->log->ends(partition);
  if (!ends) return ends.error();
  return StreamEvents{shared_->log, std::move(partition), stream.text(), begin, ends->committed};
}

StreamEvents::StreamEvents(std::shared_ptr<EventLog> log, TopicPartition partition, std::string stream, Offset begin,
                           Offset end)
    : log_(std::move(log)), partition_(std::move(partition)), stream_(std::move(stream)), end_(end) {
  chunk_.next = begin;
}

Result<const StreamEvent*> StreamEvents::next() {
  constexpr std::size_t kChunkRecords = 256;
  while (next_in_chunk_ == chunk_.records.size()) {
    if (chunk_.done) return nullptr;
    Result<KeyRecords> chunk = log_->read_key(partition_, stream_, chunk_.next, end_, kChunkRecords);
    if (!chunk) return chunk.error();
    chunk_ = std::move(*chunk);
    next_in_chunk_ = 0;
  }
  const RecordView& record = chunk_.records[next_in_chunk_++];
  Result<void> parsed = parse_envelope_into(partition_.topic, partition_.partition, record, event_.envelope);
  if (!parsed) return parsed.error();
  ++event_.number;
  return &event_;
}

}  // namespace lungo
