// KafkaEventLog: how it is opened, and how it ends.

#include <atomic>

#include <lungo/log/log_text.hpp>
#include <lungo/log/start_activity.hpp>

#include "client/kafka_event_log.hpp"

namespace lungo {

namespace {

const TopicPartition kRows{std::string(kTopicsTopic), PartitionId{0}};

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
      make, *admin_, *mirror_, ports_, [names = names_](std::string_view topic) { return names.on_kafka(topic); }, told,
      [this](const TopicPartition& partition, bool is_certain) {
        {
          const std::lock_guard lock(mutex_);
          filled_.erase(partition);  // who reads waits again
        }
        if (writes_ && is_certain) writes_->emptied(partition);
      });
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
  Result<void> taken = known_->take_rows(mirror_->reads());
  static_cast<void>(known_->take_gone());  // before this log was there
  return taken;
}

}  // namespace lungo
