#include "client/kafka_event_log.hpp"

#include <algorithm>
#include <atomic>
#include <iterator>

#include <lungo/log/answer.hpp>
#include <lungo/log/deadline.hpp>
#include <lungo/log/log_text.hpp>
#include <lungo/log/start_activity.hpp>

#include "client/kafka_proof.hpp"

namespace lungo {

namespace {

const TopicPartition kRows{std::string(kTopicsTopic), PartitionId{0}};

constexpr Duration kPatience = std::chrono::seconds{1};
constexpr std::chrono::milliseconds kTransactionTimeoutMax{10'000};  // a rebalance waits for so long
constexpr std::size_t kEndpointCharsMax = 2'048;
constexpr Duration kEndTime = std::chrono::milliseconds{9'500};

Result<void> check_options(const KafkaOptions& options) {
  if (options.transaction_timeout <= std::chrono::milliseconds{0} || options.transaction_timeout > kTransactionTimeoutMax) {
    return Error{Errc::invalid_argument, "transaction_timeout is above 0 and at most 10 s"};
  }
  if (options.endpoint.size() > kEndpointCharsMax) {
    return Error{Errc::invalid_argument, "endpoint has at most 2,048 characters"};
  }
  return {};
}

KafkaOptions with_directory(KafkaOptions options, const std::string& app) {
  if (options.directory.empty()) options.directory = app + "-local";
  return options;
}

RdkOptions rdk_options(const std::string& hosts, const KafkaOptions& options) {
  RdkOptions rdk;
  rdk.hosts = hosts;
  rdk.session_timeout = options.session_timeout;
  rdk.transaction_timeout = options.transaction_timeout;
  for (const auto& [name, value] : options.client) rdk.client.push_back({name, value});
  return rdk;
}

}  // namespace

Result<std::shared_ptr<EventLog>> KafkaEventLog::connect(const std::string& hosts, const std::string& app,
                                                         KafkaOptions options) {
  if (Result<void> checked = check_options(options); !checked) return checked.error();
  Result<KafkaNames> names = KafkaNames::of(app);
  if (!names) return names.error();
  std::unique_ptr<PosixPorts> owned = options.ports == nullptr ? std::make_unique<PosixPorts>() : nullptr;
  const Ports ports = owned != nullptr ? owned->ports() : *options.ports;
  std::shared_ptr<KafkaEventLog> log{
      new KafkaEventLog(with_directory(std::move(options), app), std::move(owned), ports, std::move(*names)), &end};
  if (Result<void> opened = log->open(hosts); !opened) return opened.error();
  return std::shared_ptr<EventLog>{std::move(log)};
}

KafkaEventLog::KafkaEventLog(KafkaOptions options, std::unique_ptr<PosixPorts> owned_ports, Ports ports, KafkaNames names)
    : options_(std::move(options)), owned_ports_(std::move(owned_ports)), ports_(ports), names_(std::move(names)) {}

/// A log that ends, and what it stands on until then.
struct KafkaEventLog::Ending {
  std::unique_ptr<PosixPorts> ports;
  std::unique_ptr<KafkaEventLog> log;
  std::atomic<bool> has_ended = false;
  std::unique_ptr<TaskActivity> activity;
};

/// No call of librdkafka's can be interrupted, and the end of a handle is one (librdkafka #4519). Of ports that are the
/// caller's nothing may be left behind.
void KafkaEventLog::end(KafkaEventLog* log) noexcept {
  std::unique_ptr<KafkaEventLog> owned(log);
  if (log->owned_ports_ == nullptr) return;
  auto ending = std::make_unique<Ending>();
  const Ports ports = log->ports_;
  Result<std::unique_ptr<TaskActivity>> activity = TaskActivity::start("lungo-kafka-end", ports);
  if (!activity) return;
  ending->activity = std::move(*activity);
  ending->ports = std::move(log->owned_ports_);
  ending->log = std::move(owned);
  const std::shared_ptr<BrokerCauses> causes = log->causes_;
  ending->activity->post([it = ending.get(), &executor = ports.executor] {
    it->log.reset();
    it->has_ended = true;
    executor.notify();
  });
  const auto has_ended = [&it = *ending] { return it.has_ended.load(); };
  if (ports.executor.wait_until(has_ended, ports.clock.monotonic() + kEndTime)) return;
  if (causes != nullptr) causes->be_silent();
  log_text("kafka", Severity::warn, "librdkafka has not returned since the log was closed: its handle is left behind");
  static_cast<void>(ending.release());
}

KafkaEventLog::~KafkaEventLog() {
  if (tail_) tail_->close();
  if (writes_) writes_->close();
  running_tail_.reset();
  writes_.reset();
  tail_.reset();
  mirror_.reset();
}

Result<void> KafkaEventLog::open(const std::string& hosts) {
  rdk_ = rdk_options(hosts, options_);
  if (Result<void> checked = check_rdk_options(rdk_); !checked) return checked;
  causes_ = std::make_shared<BrokerCauses>(rdk_, ports_.clock);
  Result<std::unique_ptr<RdkAdmin>> admin = RdkAdmin::open(rdk_, causes_);
  if (!admin) return admin.error();
  admin_ = std::move(*admin);
  Result<std::string> cluster_id = admin_->cluster_id(options_.connect_timeout);
  if (!cluster_id) return cluster_id.error();
  cluster_id_ = std::move(*cluster_id);

  Result<std::unique_ptr<MirrorLog>> mirror = open_mirror(options_.directory + "/mirror", cluster_id_, {.ports = &ports_});
  if (!mirror) return mirror.error();
  mirror_ = std::make_unique<KafkaMirror>(std::move(*mirror));
  known_ = std::make_unique<KafkaKnownTopics>(*admin_, names_, cluster_id_);
  const auto make = [rdk = rdk_, group = names_.app() + ".tail", causes = causes_] {
    return RdkTail::open(rdk, group, causes);
  };
  KafkaTail::Told told;
  if (!options_.read_only) told = [this](const KafkaMirror::Taken& taken) { writes_->read(taken); };
  Result<std::unique_ptr<KafkaTail>> tail = KafkaTail::open(
      make, *admin_, *mirror_, ports_, [names = names_](std::string_view topic) { return names.on_kafka(topic); }, told);
  if (!tail) return tail.error();
  tail_ = std::move(*tail);
  if (Result<void> started = start_writes(); !started) return started;
  Result<std::unique_ptr<RunningActivity>> running = start_activity(ports_.executor, *tail_);
  if (!running) return running.error();
  running_tail_ = std::move(*running);
  return learn_topics();
}

Result<void> KafkaEventLog::start_writes() {
  if (options_.read_only) return {};
  Result<std::unique_ptr<KafkaWrites>> writes = KafkaWrites::start({
      .options = options_,
      .rdk = rdk_,
      .names = names_,
      .causes = causes_,
      .admin = *admin_,
      .mirror = *mirror_,
      .known = *known_,
      .tail = *tail_,
      .ports = ports_,
      .prepare = [this](std::string_view topic) { return prepare(topic); },
      .fill = [this](const TopicPartition& partition) { return fill(partition); },
      .topic = [this](std::string_view name) { return topic(name); },
      .forget = [this](const std::string& topic) { forget(topic); },
  });
  if (!writes) return writes.error();
  writes_ = std::move(*writes);
  return writes_->ensure_rows();
}

/// What Lungo has made is mirrored from now on; what others have, when it is used.
Result<void> KafkaEventLog::learn_topics() {
  if (!writes_) {  // who writes has just made it, and a broker may not know that yet
    const Result<bool> there = known_->has_rows(options_.connect_timeout);
    if (!there) return there.error();
    if (!*there) return {};
  }
  if (Result<void> made = mirror_->make_topic(known_->rows_topic()); !made) return made;
  tail_->follow(kRows);
  if (Result<void> filled = tail_->catch_up(kRows, options_.connect_timeout); !filled) return filled;
  has_rows_ = true;
  return known_->take_rows(mirror_->reads());
}

Error KafkaEventLog::refusal(std::string_view what) const {
  return Error{Errc::unsupported, std::string(what) + ": the log of application " + names_.app() + " is open to be read only"};
}

Result<TopicInfo> KafkaEventLog::create_topic(const TopicSpec& spec) {
  return writes_ ? writes_->create_topic(spec) : refusal("topic " + spec.name + " can't be made");
}

// librdkafka 2.0.2 can only replace all settings of a topic, which would take away what somebody else has set.
Result<TopicInfo> KafkaEventLog::alter_topic(std::string_view name, const TopicChange& /*change*/) {
  const std::string topic = names_.on_kafka(name);
  return Error{Errc::unsupported, "topic " + topic + ": on Kafka settings change by kafka-configs.sh --bootstrap-server " +
                                      rdk_.hosts + " --alter --entity-type topics --entity-name " + topic +
                                      " --add-config NAME=VALUE"};
}

Result<void> KafkaEventLog::delete_topic(std::string_view name) {
  return writes_ ? writes_->delete_topic(name) : refusal("topic " + std::string(name) + " can't be deleted");
}

Result<TopicInfo> KafkaEventLog::add_partitions(std::string_view name, std::int32_t partitions) {
  return writes_ ? writes_->add_partitions(name, partitions) : refusal("topic " + std::string(name) + " can't grow");
}

Result<Offset> KafkaEventLog::delete_records(const TopicPartition& partition, Offset below) {
  return writes_ ? writes_->delete_records(partition, below)
                 : refusal("no records of " + to_string(partition) + " are deleted");
}

std::shared_ptr<Membership> KafkaEventLog::membership() { return writes_ ? writes_->membership() : EventLog::membership(); }

std::vector<Metric> KafkaEventLog::metrics() {
  std::vector<Metric> metrics = mirror_->reads().metrics();
  if (writes_) std::ranges::move(writes_->metrics(), std::back_inserter(metrics));
  return metrics;
}

Result<TopicInfo> KafkaEventLog::topic(std::string_view name) {
  if (has_rows_) {
    if (Result<void> taken = known_->take_rows(mirror_->reads()); !taken) return taken.error();
  }
  return known_->topic(name, options_.connect_timeout);
}

Result<std::vector<TopicInfo>> KafkaEventLog::topics() {
  if (has_rows_) {
    if (Result<void> taken = known_->take_rows(mirror_->reads()); !taken) return taken.error();
  }
  return known_->topics(options_.connect_timeout);
}

void KafkaEventLog::append(AppendRequest request, Completion completion) {
  if (!writes_) return completion(refusal("nothing is appended to " + to_string(request.to)));
  const Instant deadline = deadline_after(ports_.clock.monotonic(), options_.append_timeout);
  writes_->append(std::move(request), std::move(completion), deadline);
}

/// The home itself ends what takes too long, and says whether it is written; this is a little more patient.
Result<Appended> KafkaEventLog::append_wait(AppendRequest request, Duration timeout) {
  if (!writes_) return refusal("nothing is appended to " + to_string(request.to));
  const std::string partition = to_string(request.to);
  Answer<Appended> answer{ports_,
                          deadline_after(Instant{}, timeout) < Instant::max() - kPatience ? timeout + kPatience : timeout};
  writes_->append(std::move(request), answer.completion(), deadline_after(ports_.clock.monotonic(), timeout));
  if (std::optional<Result<Appended>> result = answer.wait()) return *std::move(result);
  return Error{Errc::timed_out, "append to " + partition + " is not committed yet; it may still be"};
}

Result<TopicInfo> KafkaEventLog::prepare(std::string_view name) {
  Result<TopicInfo> topic = this->topic(name);
  if (!topic) return topic;
  for (std::int32_t index = 0; index < topic->spec.partitions; ++index) {
    if (Result<void> followed = follow({topic->spec.name, PartitionId{index}}); !followed) return followed.error();
  }
  return topic;
}

void KafkaEventLog::forget(const std::string& topic) {
  known_->forget_foreign(topic);
  tail_->unfollow(topic);
  if (Result<void> forgotten = mirror_->forget_topic(topic); !forgotten) {
    log_text("kafka", Severity::warn, "the mirror of topic " + topic + " is left: " + to_string(forgotten.error()));
  }
  const auto is_its = [&topic](const TopicPartition& partition) { return partition.topic == topic; };
  const std::lock_guard lock(mutex_);
  std::erase_if(followed_, is_its);
  std::erase_if(filled_, is_its);
}

Result<void> KafkaEventLog::follow(const TopicPartition& partition) {
  {
    const std::lock_guard lock(mutex_);
    if (followed_.contains(partition)) return {};
  }
  const Result<TopicInfo> topic = this->topic(partition.topic);
  if (!topic) return topic.error();
  if (partition.partition.value() < 0 || partition.partition.value() >= topic->spec.partitions) {
    return Error{Errc::not_found, "no partition " + to_string(partition)};
  }
  if (Result<void> made = mirror_->make_topic(*topic); !made) return made;
  tail_->follow(partition);
  const std::lock_guard lock(mutex_);
  followed_.insert(partition);
  return {};
}

Result<void> KafkaEventLog::use(const TopicPartition& partition) {
  if (Result<void> filled = fill(partition); !filled) return filled;
  return writes_ ? writes_->wait_until_read(partition, options_.fill_timeout) : Result<void>{};
}

Result<void> KafkaEventLog::fill(const TopicPartition& partition) {
  {
    const std::lock_guard lock(mutex_);
    if (filled_.contains(partition)) return {};
  }
  if (Result<void> followed = follow(partition); !followed) return followed;
  if (Result<void> filled = tail_->catch_up(partition, options_.fill_timeout); !filled) return filled;
  const std::lock_guard lock(mutex_);
  filled_.insert(partition);
  return {};
}

Result<Fetched> KafkaEventLog::read(const TopicPartition& partition, Offset from, std::size_t bytes_max) {
  if (Result<void> used = use(partition); !used) return used.error();
  return mirror_->reads().read(partition, from, bytes_max);
}

Result<FileRange> KafkaEventLog::read_range(const TopicPartition& partition, Offset from, std::uint64_t bytes_max) {
  if (Result<void> used = use(partition); !used) return used.error();
  return mirror_->reads().read_range(partition, from, bytes_max);
}

Result<Fetched> KafkaEventLog::read_back(const TopicPartition& partition, Offset end, std::size_t bytes_max) {
  if (Result<void> used = use(partition); !used) return used.error();
  return mirror_->reads().read_back(partition, end, bytes_max);
}

Result<KeyRecords> KafkaEventLog::read_key(const TopicPartition& partition, std::string_view key, Offset begin, Offset end,
                                           std::size_t records_max) {
  if (Result<void> used = use(partition); !used) return used.error();
  return mirror_->reads().read_key(partition, key, begin, end, records_max);
}

/// What is committed is all that Kafka tells of, and acknowledged it was before it was on any disk.
Result<Ends> KafkaEventLog::ends(const TopicPartition& partition) {
  if (Result<void> used = use(partition); !used) return used.error();
  const Result<Ends> ends = mirror_->reads().ends(partition);
  if (!ends) return ends;
  return Ends{.start = ends->start, .committed = ends->committed, .synced = ends->committed, .written = ends->committed};
}

Result<std::optional<Offset>> KafkaEventLog::offset_at(const TopicPartition& partition, Timestamp time) {
  if (Result<void> used = use(partition); !used) return used.error();
  return mirror_->reads().offset_at(partition, time);
}

Result<void> KafkaEventLog::validate(std::string_view topic, const Position& position) {
  const Result<TopicInfo> info = this->topic(topic);
  if (!info) return info.error();
  const TopicPartition partition{std::string(topic), position.partition};
  if (info->id != position.topic) {
    return Error{Errc::position_diverged, "topic " + std::string(topic) + " is another one than that of the position"};
  }
  const Result<Ends> ends = this->ends(partition);
  if (!ends) return ends.error();
  if (position.offset < ends->start) {
    return Error{Errc::history_trimmed, to_string(partition) + " begins at offset " + std::to_string(ends->start.value())};
  }
  if (position.offset > ends->committed) {
    return Error{Errc::position_diverged, to_string(partition) + " ends at offset " + std::to_string(ends->committed.value()) +
                                              ", below the position " + std::to_string(position.offset.value())};
  }
  // Of one that was never stored, and where what it tells of was trimmed or may have been compacted, nothing more is known.
  if (position.epoch == kNoEpoch || position.epoch == kMirrorEpoch || position.offset == ends->start || info->spec.compact)
    return {};
  const Result<std::optional<RecordProof>> last = last_record_below(mirror_->reads(), partition, position.offset);
  if (!last) return last.error();
  if (!*last || proof_word(cluster_id_, **last) == position.epoch) return {};
  return Error{Errc::position_diverged, to_string(partition) + ": below offset " + std::to_string(position.offset.value()) +
                                            " lies another record than the one that was read there"};
}

Result<Position> KafkaEventLog::to_store(std::string_view topic, const Position& position) {
  if (position.epoch == kNoEpoch) return position;
  const TopicPartition partition{std::string(topic), position.partition};
  if (Result<void> used = use(partition); !used) return used.error();
  const Result<std::optional<RecordProof>> last = last_record_below(mirror_->reads(), partition, position.offset);
  if (!last) return last.error();
  Position stored = position;
  stored.epoch = *last ? proof_word(cluster_id_, **last) : kMirrorEpoch;
  return stored;
}

EventLog::NotifyToken KafkaEventLog::notify_above(const TopicPartition& partition, Offset end, std::function<void()> notify) {
  static_cast<void>(follow(partition));                          // who reads then is told why it can't be
  if (writes_ && writes_->is_committed_above(partition, end)) {  // who reads then waits for the mirror
    notify();
    return {};
  }
  return mirror_->reads().notify_above(partition, end, std::move(notify));
}

Result<std::shared_ptr<EventLog>> connect_kafka(const std::string& hosts, const std::string& app, KafkaOptions options) {
  return KafkaEventLog::connect(hosts, app, std::move(options));
}

}  // namespace lungo
