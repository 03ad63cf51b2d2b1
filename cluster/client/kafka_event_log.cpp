// KafkaEventLog: its calls. kafka_opening.cpp has how it is opened, and how it ends.

#include "client/kafka_event_log.hpp"

#include <algorithm>
#include <iterator>

#include <lungo/log/answer.hpp>
#include <lungo/log/deadline.hpp>
#include <lungo/log/log_text.hpp>

#include "client/kafka_proof.hpp"

namespace lungo {

namespace {

constexpr Duration kPatience = std::chrono::seconds{1};

}  // namespace

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
  constexpr int kTries = 3;  // a topic that is made anew may be let go just then
  for (int i = 1;; ++i) {
    if (Result<void> followed = follow(partition); !followed) return followed;
    const Result<void> filled = tail_->catch_up(partition, options_.fill_timeout);
    if (!filled && filled.error() == Errc::busy && i < kTries) continue;
    if (!filled) return filled;
    const std::lock_guard lock(mutex_);
    filled_.insert(partition);
    return {};
  }
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
