// KafkaWrites: how its parts work together, and an append's way. kafka_topic_changes.cpp has the topics.

#include "client/kafka_writes.hpp"

#include <lungo/log/deadline.hpp>
#include <lungo/log/log_text.hpp>

#include "client/owner_note.hpp"
#include "client/rdk_errors.hpp"

namespace lungo {

namespace {

// Of the 10 s that a log has to end: for the open transaction, and behind it for leaving the group.
constexpr Duration kLastTransaction = std::chrono::seconds{5};
constexpr Duration kLeaving = std::chrono::seconds{7};
constexpr Duration kPrepareAgain = std::chrono::seconds{1};

std::vector<writing::OffsetRange> ranges_of(const std::vector<Offset>& offsets) {
  std::vector<writing::OffsetRange> ranges;
  for (const Offset offset : offsets) writing::add_offset(ranges, offset);
  return ranges;
}

bool is_anothers(const std::optional<Membership::Owner>& owner) { return owner && !owner->is_me; }

/// Of a task that may be dropped, as the log closes: the answer is given all the same.
class AnswerOfTask {
 public:
  using Owner = Result<std::optional<Membership::Owner>>;

  explicit AnswerOfTask(std::function<void(const Owner&)> answer) : answer_(std::move(answer)) {}
  ~AnswerOfTask() {
    if (answer_) answer_(Error{Errc::closed, "the log is closed"});
  }
  AnswerOfTask(const AnswerOfTask&) = delete;
  AnswerOfTask& operator=(const AnswerOfTask&) = delete;
  void give(const Owner& owner) { std::exchange(answer_, nullptr)(owner); }

 private:
  std::function<void(const Owner&)> answer_;
};

}  // namespace

Result<std::unique_ptr<KafkaWrites>> KafkaWrites::start(Parts parts) {
  std::unique_ptr<KafkaWrites> made(new KafkaWrites(std::move(parts)));
  if (Result<void> started = made->start(); !started) return started.error();
  return made;
}

KafkaWrites::KafkaWrites(Parts parts)
    : parts_(std::move(parts)),
      append_timeout_(parts_.options.append_timeout),
      lookup_(parts_.mirror),
      read_back_(parts_.mirror, parts_.ports),
      groups_(parts_.rdk, parts_.causes) {}

Result<void> KafkaWrites::start() {
  const std::string id = parts_.names.new_transactional_id(parts_.ports.random);
  const auto make_producer = [this](const std::string& transactional_id) {
    return RdkProducer::open(parts_.rdk, transactional_id, parts_.causes);
  };
  const auto warm = [this] {
    std::vector<std::string> topics;
    const std::lock_guard lock(mutex_);
    for (const auto& [partition, readiness] : writable_) {
      const std::string name = parts_.names.on_kafka(partition.topic);
      if (topics.empty() || topics.back() != name) topics.push_back(name);
    }
    return topics;
  };
  Result<std::unique_ptr<KafkaWriter>> writer = KafkaWriter::start(
      {.transaction_timeout = parts_.rdk.transaction_timeout, .core = {.queued_bytes_max = parts_.options.queued_bytes_max}},
      lookup_, parts_.names, [make_producer, id] { return make_producer(id); }, warm,
      {.claimed = [this](const ownership::Claimed& claimed) { ownership_->tell(claimed); },
       .let_gone = [this](const ownership::LetGone& gone) { ownership_->tell(gone); },
       .committed = [this](const writing::Committed& one) { read_back_.committed(one.partition, one.end); },
       .failed =
           [this] {
             if (gate_) gate_->close({Errc::closed, "the log has ended, as the text log says why; open it anew"});
             if (ownership_) ownership_->tell(ownership::GiveBack{});  // others take over
           }},
      parts_.ports);
  if (!writer) return writer.error();
  writer_ = std::move(*writer);

  gate_ = std::make_unique<AppendGate>(
      AppendGate::Parts{
          .way = [this](const AppendRequest& request) { return way(request); },
          .write = [this](AppendRequest request, Completion completion,
                          Instant deadline) { writer_->append(std::move(request), std::move(completion), deadline); },
          .refuse = [this](const AppendRequest& request, const Completion& completion,
                           Instant deadline) { refuse(request, completion, deadline); },
          .trouble = [this](const TopicPartition& partition) { return trouble(partition); }},
      parts_.options.queued_bytes_max, parts_.ports.clock);

  const auto to_writer = [this](const ownership::Effect& effect) {
    if (const auto* grant = std::get_if<ownership::Grant>(&effect)) writer_->tell(*grant);
    if (const auto* let_go = std::get_if<ownership::LetGo>(&effect)) writer_->tell(*let_go);
    if (const auto* take_away = std::get_if<ownership::TakeAway>(&effect)) writer_->tell(*take_away);
  };
  Result<std::unique_ptr<KafkaOwnership>> ownership = KafkaOwnership::start(
      {.transactional_id = id, .endpoint = parts_.options.endpoint, .transaction_timeout = parts_.rdk.transaction_timeout},
      parts_.names,
      {.make_group =
           [this](RdkGroupListener& listener) {
             return RdkGroup::open(parts_.rdk, parts_.names.writers_group(), listener, parts_.causes);
           },
       .make_producer = make_producer,
       .admin = parts_.admin,
       .groups = groups_,
       .to_writer = to_writer,
       .changed = [this] { gate_->look_again(); }},
      parts_.ports);
  if (!ownership) return ownership.error();
  ownership_ = std::move(*ownership);

  Result<std::unique_ptr<TaskActivity>> tasks = TaskActivity::start("lungo-kafka-admin", parts_.ports);
  if (!tasks) return tasks.error();
  tasks_ = std::move(*tasks);
  const auto prepare = [this](const std::string& topic) -> Result<TopicInfo> {
    Result<TopicInfo> prepared = parts_.prepare(topic);
    if (!prepared || !prepared->spec.streams) return prepared;
    if (Result<void> taking_part = take_part(*prepared); !taking_part) return taking_part.error();
    return prepared;
  };
  membership_ = std::make_shared<KafkaMembership>(
      KafkaMembership::Parts{.ownership = *ownership_, .groups = groups_, .prepare = prepare, .topic = parts_.topic},
      parts_.names, OwnerNote{.member = {}, .transactional_id = id, .endpoint = parts_.options.endpoint}, parts_.ports);
  return {};
}

KafkaWrites::~KafkaWrites() {
  close();
  if (writer_) writer_->stop();  // the two tell each other: neither goes while the other may still say something
  ownership_.reset();
  writer_.reset();
}

void KafkaWrites::close() {
  {
    const std::lock_guard lock(mutex_);
    if (std::exchange(is_closed_, true)) return;
  }
  const Instant now = parts_.ports.clock.monotonic();
  if (tasks_) tasks_->drop();
  if (gate_) gate_->close({Errc::closed, "the log is closed"});
  if (writer_) writer_->close(now + kLastTransaction);
  if (ownership_) ownership_->close(now + kLeaving);
  if (tasks_) tasks_->stop();
  std::map<std::string, std::shared_ptr<void>> shared;
  const std::lock_guard lock(mutex_);
  shared.swap(shared_);
}

// ---- an append's way ----

void KafkaWrites::append(AppendRequest request, Completion completion, Instant deadline) {
  if (request.records.empty()) return completion(Error{Errc::invalid_argument, "an append needs a record"});
  if (request.durability == Durability::synced) {
    return completion(Error{Errc::unsupported, "Kafka does not tell when a record is on disk"});
  }
  gate_->submit(std::move(request), std::move(completion), deadline);
}

/// What a broker would refuse in the middle of a transaction.
Result<void> KafkaWrites::check_fits(const AppendRequest& request, const TopicSpec& topic) const {
  const std::uint32_t bytes_max = parts_.known.batch_bytes_max(topic.name).value_or(topic.batch_bytes_max);
  const EncodedRecords& records = request.records;
  for (std::size_t i = 0; i < records.count(); ++i) {
    if (records.entries()[i].timestamp.time_since_epoch().count() == 0) {
      return Error{Errc::invalid_argument, "a record for topic " + topic.name + " has the time 0, which Kafka takes for now"};
    }
    if (topic.compact && !records.key(i)) {
      return Error{Errc::invalid_argument, "topic " + topic.name + " is compacted: every record needs a key"};
    }
    constexpr std::size_t kFraming = 100;  // of a batch with one record
    if (records.body(i).size() + kFraming > bytes_max) {
      return Error{Errc::too_large, "a record of " + std::to_string(records.body(i).size()) + " bytes: topic " + topic.name +
                                        " takes batches of " + std::to_string(bytes_max) + " (max.message.bytes)"};
    }
  }
  return {};
}

Result<AppendGate::Way> KafkaWrites::way(const AppendRequest& request) {
  using Way = AppendGate::Way;
  Result<bool> ready = is_ready(writable_, request.to, &KafkaWrites::make_writable);
  for (const TopicPartition& owned : request.on_behalf_of) {
    if (!ready) break;
    const Result<bool> shared = is_ready(ownable_, owned, &KafkaWrites::make_ownable);
    ready = shared ? Result<bool>{*ready && *shared} : shared;
  }
  if (!ready) return ready.error();
  if (!*ready) return Way::coming;
  const Result<TopicInfo> topic = parts_.mirror.reads().topic(request.to.topic);
  if (!topic) return topic.error();
  if (Result<void> fits = check_fits(request, topic->spec); !fits) return fits.error();
  Way least = topic->spec.streams ? way(request.to) : Way::anybodys;
  for (const TopicPartition& owned : request.on_behalf_of) least = std::max(least, way(owned));
  return least;
}

/// Begins what has to be done for the partition, where nobody has asked before.
Result<bool> KafkaWrites::is_ready(ReadinessOf& known, const TopicPartition& partition, MakeReady make) {
  const std::lock_guard lock(mutex_);
  if (is_closed_) return Error{Errc::closed, "the log is closed"};
  const auto found = known.find(partition);
  const bool is_known = found != known.end();
  if (is_known && found->second.state == Readiness::State::failed) {
    if (parts_.ports.clock.monotonic() < found->second.until) return found->second.error;
    known.erase(found);
  } else if (is_known) {
    return found->second.state == Readiness::State::ready;
  }
  known.emplace(partition, Readiness{});
  tasks_->post([this, &known, partition, make] { make_ready(known, partition, make); });
  return false;
}

AppendGate::Way KafkaWrites::way(const TopicPartition& owned) const {
  switch (ownership_->standing(owned)) {
    case KafkaOwnership::Standing::open:
      return AppendGate::Way::open;
    case KafkaOwnership::Standing::coming:
      return AppendGate::Way::coming;
    case KafkaOwnership::Standing::away:
      break;
  }
  const std::optional<std::optional<Membership::Owner>> known = membership_->known_owner(owned);
  return known && !is_anothers(*known) ? AppendGate::Way::coming : AppendGate::Way::away;
}

/// What passes by itself is a time-out for who has waited for it.
std::optional<Error> KafkaWrites::trouble(const TopicPartition& partition) const {
  std::optional<Error> found = parts_.tail.trouble(partition);
  if (!found) found = ownership_->trouble();
  if (!found) found = writer_->trouble();
  const bool passes = found && *found == Errc::io && !is_missing_right(*found);
  return passes ? Error{Errc::timed_out, std::string(found->text())} : found;
}

/// On lungo-kafka-admin.
void KafkaWrites::make_ready(ReadinessOf& known, const TopicPartition& partition, MakeReady make) {
  const Result<void> made = (this->*make)(partition);
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = known.find(partition); found != known.end()) {
      found->second.state = made ? Readiness::State::ready : Readiness::State::failed;
      if (!made) {
        found->second.error = made.error();
        found->second.until = parts_.ports.clock.monotonic() + kPrepareAgain;
      }
    }
  }
  gate_->look_again();
}

Result<TopicInfo> KafkaWrites::topic_of(const TopicPartition& partition) {
  Result<TopicInfo> topic = parts_.prepare(partition.topic);
  if (!topic) return topic;
  if (partition.partition.value() < 0 || partition.partition.value() >= topic->spec.partitions) {
    return Error{Errc::not_found, "no partition " + to_string(partition)};
  }
  return topic;
}

Result<void> KafkaWrites::make_writable(const TopicPartition& partition) {
  const Result<TopicInfo> topic = topic_of(partition);
  if (!topic) return topic.error();
  if (!topic->spec.streams) return parts_.fill(partition);
  return take_part(*topic);
}

Result<void> KafkaWrites::make_ownable(const TopicPartition& partition) {
  const Result<TopicInfo> topic = topic_of(partition);
  return topic ? take_part(*topic) : topic.error();
}

bool KafkaWrites::is_shared(const std::string& topic) const {
  const std::lock_guard lock(mutex_);
  return shared_.contains(topic);
}

void KafkaWrites::share(const std::string& topic) {
  {
    const std::lock_guard lock(mutex_);
    if (is_closed_ || !shared_.try_emplace(topic, nullptr).second) return;
  }
  std::shared_ptr<void> token = ownership_->join({topic}, nobody_);
  const std::lock_guard lock(mutex_);
  if (const auto found = shared_.find(topic); found != shared_.end()) found->second = std::move(token);
}

/// An append waits where nobody can be named, as every partition of a topic that is shared is somebody's, or is on its way to
/// be; and where the partition has become this process's meanwhile.
void KafkaWrites::refuse(const AppendRequest& request, const Completion& completion, Instant deadline) {
  TopicPartition partition = request.to;
  for (const TopicPartition& owned : request.on_behalf_of) {
    if (way(owned) == AppendGate::Way::away) partition = owned;
  }
  const auto answer = [this, partition, request, completion, deadline](const AnswerOfTask::Owner& owner) {
    if (owner && !is_anothers(*owner)) return gate_->wait(request, completion, deadline);
    if (!owner && owner.error() == Errc::closed) return completion(owner.error());
    std::string text = to_string(partition) + " is ";
    if (!owner) {
      text += "not this process's, and who has it can't be told: " + to_string(owner.error());
    } else {
      const std::string& endpoint = (*owner)->endpoint;
      text += "another process's, " + (endpoint.empty() ? "which says nothing of where it is reached" : "at " + endpoint);
    }
    completion(Error{Errc::not_owner, text});
  };
  if (const auto known = membership_->known_owner(partition)) return answer(*known);
  tasks_->post(
      [this, partition, once = std::make_shared<AnswerOfTask>(answer)] { once->give(membership_->owner_of(partition)); });
}

// ---- the tail's thread ----

void KafkaWrites::emptied(const TopicPartition& partition) {
  if (tasks_) tasks_->post([this, topic = partition.topic] { renew(topic); });
}

void KafkaWrites::read(const KafkaMirror::Taken& taken) {
  if (taken.partition.topic == kTopicsTopic && tasks_) tasks_->post([this] { look_at_rows(); });
  writer_->tell(
      writing::Read{.partition = taken.partition, .from = taken.from, .end = taken.end, .records = ranges_of(taken.records)});
  ownership_->tell(ownership::MirrorEnd{.partition = taken.partition, .end = taken.end});
}

std::vector<Metric> KafkaWrites::metrics() const {
  const KafkaWriter::Counts counts = writer_->counts();
  return {
      {"lungo_kafka_transactions_total", "transactions that were committed", MetricKind::counter, counts.committed},
      {"lungo_kafka_transactions_aborted_total", "transactions that were aborted", MetricKind::counter, counts.aborted},
      {"lungo_kafka_records_total", "records that the brokers have acknowledged", MetricKind::counter, counts.records},
      {"lungo_kafka_producers_total", "producers that were made: one, and one more for each that was fenced or broke",
       MetricKind::counter, counts.handles},
      {"lungo_kafka_foreign_records_total", "records of somebody else in partitions that were this process's own",
       MetricKind::counter, counts.foreign},
      {"lungo_kafka_missing_records_total", "records whose commit was confirmed and that were not there when it was read back",
       MetricKind::counter, counts.missing},
      {"lungo_kafka_partitions_owned", "partitions of stream topics that are this process's own", MetricKind::gauge,
       ownership_->mine().size()},
  };
}

}  // namespace lungo
