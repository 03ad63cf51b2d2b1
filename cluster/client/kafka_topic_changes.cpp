// KafkaWrites: topics that are made, grow, lose their oldest records and go.
//
// A topic is made on Kafka first and gets its row then; it loses its row first and goes then. Of processes that make one at the
// same time Kafka lets one: that one writes the row. A topic without a row (its maker died between the two, or kafka-topics
// made it) gets one from whoever makes it next, if its settings are those that it must have; where the maker was only slow, its
// row comes, too, and the first one counts. The one that all applications have
// in common has an id that each gives it, so that nobody waits for another's row.

#include <algorithm>
#include <span>

#include <lungo/log/answer.hpp>
#include <lungo/log/log_text.hpp>
#include <lungo/log/topic_text.hpp>

#include "client/kafka_writes.hpp"
#include "client/look_again.hpp"

namespace lungo {

namespace {

constexpr Duration kAskTime = std::chrono::seconds{10};
constexpr Duration kMakeTime = std::chrono::seconds{30};
constexpr Duration kRowTime = std::chrono::seconds{5};    // for the row of one that was just made by another process
constexpr Duration kLetGoTime = std::chrono::seconds{1};  // for the others to let a topic go
constexpr int kReplicas = 3;

const TopicPartition kRows{std::string(kTopicsTopic), PartitionId{0}};

int replicas_of(const RdkTopic& topic) {
  return topic.partitions.empty() ? 0 : static_cast<int>(topic.partitions.front().replicas);
}

}  // namespace

int KafkaWrites::replicas(const RdkCluster& cluster) const {
  if (parts_.options.replication > 0) return parts_.options.replication;
  return std::min(kReplicas, std::max(1, static_cast<int>(cluster.brokers.size())));
}

/// A broker may know a topic a little later than the controller; one without a leader takes nothing.
Result<RdkTopic> KafkaWrites::wait_for_metadata(const std::string& on_kafka, std::int32_t partitions) {
  const Ports& ports = parts_.ports;
  const auto is_whole = [partitions](const Result<RdkTopic>& topic) {
    return topic && topic->partitions.size() >= static_cast<std::size_t>(partitions) &&
           std::ranges::all_of(topic->partitions, [](const RdkPartition& one) { return one.leader.has_value(); });
  };
  Result<RdkTopic> there = look_again(
      ports, ports.clock.monotonic() + kAskTime, [&] { return parts_.admin.topic(on_kafka, kAskTime); }, is_whole);
  if (!there || is_whole(there)) return there;
  return Error{Errc::timed_out, "topic " + on_kafka + " has a partition without a leader"};
}

/// It is there afterwards, made by whomever.
Result<RdkTopic> KafkaWrites::make_on_kafka(const TopicSpec& spec, bool& is_new) {
  const Result<RdkCluster> cluster = parts_.admin.cluster(kAskTime);
  if (!cluster) return cluster.error();
  const int replication = replicas(*cluster);
  RdkSettings settings;
  for (const auto& [name, value] : kafka_settings(spec, replication)) settings.push_back({name, value});
  const std::string on_kafka = parts_.names.on_kafka(spec.name);
  const Result<void> made = parts_.admin.create_topic(
      {.name = on_kafka, .partitions = spec.partitions, .replication = replication, .settings = std::move(settings)},
      kMakeTime);
  if (!made && made.error() != Errc::already_exists) return made.error();
  is_new = made.has_value();
  return wait_for_metadata(on_kafka, is_new ? spec.partitions : 1);
}

/// As Kafka has them now, the brokers' defaults included.
Result<KafkaSettings> KafkaWrites::settings_of(const RdkTopic& there) {
  // It is there, and the broker that is asked may not have heard of it.
  const auto settings = look_again(
      parts_.ports, parts_.ports.clock.monotonic() + kAskTime,
      [&] { return parts_.admin.topic_settings(there.name, kAskTime); },
      [](const auto& found) { return found || found.error() != Errc::not_found; });
  if (!settings) return settings.error();
  KafkaSettings values;
  for (const auto& [name, setting] : *settings) values[name] = setting.value;
  return values;
}

/// Whether one that is there can be Lungo's.
Result<void> KafkaWrites::check_there(const RdkTopic& there, const TopicSpec& spec) {
  if (there.partitions.size() != static_cast<std::size_t>(spec.partitions)) {
    return Error{Errc::already_exists, "topic " + there.name +
                                           " exists with partitions=" + std::to_string(there.partitions.size()) + ", not " +
                                           std::to_string(spec.partitions)};
  }
  const Result<KafkaSettings> settings = settings_of(there);
  if (!settings) return settings.error();
  const KafkaSettings unfit = unfit_settings(spec, replicas_of(there), *settings);
  if (!unfit.empty()) return unfit_error(parts_.rdk.hosts, there.name, unfit, *settings);
  return {};
}

/// A topic that is asked for otherwise than its row says: Kafka's word counts. Where that has been changed, the row follows.
Result<void> KafkaWrites::follow_change(const RdkTopic& there, const TopicInfo& row, const TopicSpec& wanted) {
  const Result<KafkaSettings> settings = settings_of(there);
  if (!settings) return settings.error();
  const KafkaSettings unfit = unchanged_settings(row.spec, wanted, replicas_of(there), *settings);
  if (!unfit.empty()) return unfit_error(parts_.rdk.hosts, there.name, unfit, *settings);
  return write_row(wanted.name, TopicInfo{.spec = wanted, .id = row.id});
}

/// A stream topic without a row here may be another application's, whose processes would share its partitions among
/// themselves: the notes of their group tell. Where this one may not look at them, nothing is known.
Result<void> KafkaWrites::check_nobodys(const RdkTopic& there) {
  const Result<RdkCluster> cluster = parts_.admin.cluster(kAskTime);
  if (!cluster) return cluster.error();
  std::vector<TopicPartition> partitions;
  for (std::size_t i = 0; i < there.partitions.size(); ++i) {
    partitions.push_back({there.name, PartitionId{static_cast<std::int32_t>(i)}});
  }
  for (const RdkTopic& topic : cluster->topics) {
    const std::optional<std::string> app = KafkaNames::app_of_rows(topic.name);
    const Result<KafkaNames> other = app && *app != parts_.names.app() ? KafkaNames::of(*app) : Error{Errc::not_found, {}};
    if (!other) continue;
    const auto notes = groups_.offsets(other->writers_group(), partitions, false, kAskTime);
    if (!notes || std::ranges::none_of(*notes, [](const RdkGroupOffset& note) { return note.offset.has_value(); })) continue;
    return Error{Errc::already_exists, "topic " + there.name + " keeps streams of application " + *app +
                                           ", whose processes own its partitions: a topic of " + parts_.names.app() +
                                           " needs another name"};
  }
  return {};
}

/// Takes part in sharing the topic, if this process does not yet. What promises rest on may have been changed since it was
/// made.
Result<void> KafkaWrites::take_part(const TopicInfo& topic) {
  if (topic.spec.streams && !is_shared(topic.spec.name)) {
    const Result<RdkTopic> there = parts_.admin.topic(parts_.names.on_kafka(topic.spec.name), kAskTime);
    if (!there) return there.error();
    if (Result<void> fits = check_there(*there, topic.spec); !fits) return fits;
  }
  share(topic.spec.name);
  return {};
}

Result<void> KafkaWrites::ensure_rows() {
  const TopicSpec spec = parts_.known.rows_topic().spec;
  bool is_new = false;
  const Result<RdkTopic> there = make_on_kafka(spec, is_new);
  if (!there) return there.error();
  return is_new ? Result<void>{} : check_there(*there, spec);
}

Result<void> KafkaWrites::write_row(const std::string& name, const std::optional<TopicInfo>& topic) {
  const std::string text = topic ? format_topic(*topic) : std::string{};
  AppendRequest request;
  request.to = kRows;
  const RecordFields row{.timestamp = parts_.ports.clock.now(),
                         .key = as_bytes(name),
                         .value = topic ? std::optional{as_bytes(text)} : std::nullopt,
                         .headers = {}};
  if (Result<void> added = request.records.add(row); !added) return added;
  Answer<Appended> answer{parts_.ports, append_timeout_};
  writer_->append(std::move(request), answer.completion(), parts_.ports.clock.monotonic() + append_timeout_);
  const std::optional<Result<Appended>> appended = answer.wait();
  const bool is_written = appended && *appended;
  if (const std::optional<Error> trouble = writer_->trouble(); !is_written && trouble && !is_retriable(trouble->code())) {
    return Error{trouble->code(), "the row of topic " + name + " is not written: " + std::string(trouble->text())};
  }
  if (!appended) return Error{Errc::timed_out, "the row of topic " + name + " is not committed yet"};
  if (!*appended) return appended->error();
  if (Result<void> read = read_back_.wait(kRows, append_timeout_); !read) return read;
  return parts_.known.take_rows(parts_.mirror.reads());
}

Result<TopicInfo> KafkaWrites::create_topic(TopicSpec spec) {
  if (spec.partitions == 0) spec.partitions = parts_.options.partitions;
  spec.ack_level = AckLevel::isr;  // Kafka acknowledges before it syncs
  if (Result<void> valid = validate_topic(spec); !valid) return valid.error();
  const std::lock_guard one_at_a_time(topics_mutex_);
  if (Result<void> taken = parts_.known.take_rows(parts_.mirror.reads()); !taken) return taken.error();
  let_go_of_gone();

  const std::optional<TopicInfo> row = parts_.known.row(spec.name);
  if (row) {
    const std::string other = lasting_difference(row->spec, spec);
    if (!other.empty()) return Error{Errc::already_exists, "topic " + spec.name + " exists with " + other};
  }
  bool is_new = false;
  const Result<RdkTopic> there = make_on_kafka(spec, is_new);
  if (!there) return there.error();
  if (!is_new) {
    if (Result<void> fits = check_there(*there, spec); !fits) return fits.error();
    const auto has_row = [&] {
      return parts_.known.take_rows(parts_.mirror.reads()) && parts_.known.row(spec.name).has_value();
    };
    const bool is_anothers = !row && !KafkaNames::is_everybodys(spec.name);
    if (is_anothers && spec.streams) {
      if (Result<void> nobodys = check_nobodys(*there); !nobodys) return nobodys.error();
    }
    if (is_anothers) parts_.ports.executor.wait_until(has_row, parts_.ports.clock.monotonic() + kRowTime);
  }
  if (!is_new && row && !topic_difference(row->spec, spec).empty()) {
    if (Result<void> followed = follow_change(*there, *row, spec); !followed) return followed.error();
  }
  if (is_new || !parts_.known.row(spec.name)) {
    TopicInfo made{.spec = spec, .id = parts_.known.id_of(there->name)};
    if (!KafkaNames::is_everybodys(spec.name)) parts_.ports.random.fill(std::as_writable_bytes(std::span{made.id.bytes}));
    if (Result<void> written = write_row(spec.name, made); !written) return written.error();
    // A slow maker's row came first. It is repeated, since compaction leaves the last one.
    const std::optional<TopicInfo> first = parts_.known.row(spec.name);
    if (first && first->id != made.id) {
      if (Result<void> written = write_row(spec.name, first); !written) return written.error();
    }
  }
  const std::optional<TopicInfo> known = parts_.known.row(spec.name);
  if (!known) return Error{Errc::busy, "topic " + spec.name + " was deleted meanwhile"};
  const std::string other = topic_difference(known->spec, spec);
  if (!other.empty()) return Error{Errc::already_exists, "topic " + spec.name + " exists with " + other};
  forget_failures(spec.name);
  Result<TopicInfo> prepared = parts_.prepare(spec.name);
  if (prepared && spec.streams) share(spec.name);
  return prepared;
}

/// Of appends to what was not there before.
void KafkaWrites::forget_failures(const std::string& topic) {
  forget_readiness(topic, [](const Readiness& its) { return its.state == Readiness::State::failed; });
}

/// Of the topic's partitions, where `is_void` says so; they are prepared again when somebody asks.
void KafkaWrites::forget_readiness(const std::string& topic, const std::function<bool(const Readiness&)>& is_void) {
  const std::lock_guard lock(mutex_);
  const auto goes = [&](const auto& entry) { return entry.first.topic == topic && is_void(entry.second); };
  std::erase_if(writable_, goes);
  std::erase_if(ownable_, goes);
}

Result<void> KafkaWrites::delete_topic(std::string_view name) {
  const std::string topic(name);
  const std::lock_guard one_at_a_time(topics_mutex_);
  if (const Result<TopicInfo> there = parts_.topic(name); !there) return there.error();
  if (parts_.known.row(name)) {
    if (Result<void> written = write_row(topic, std::nullopt); !written) return written;
  }
  static_cast<void>(parts_.known.take_gone());  // it is among them
  let_go_of(topic);
  // Others see the row go, too. librdkafka 2.0.2 never ends a handle that had a partition of a topic that was gone (0007, N).
  parts_.ports.executor.wait_until([] { return false; }, parts_.ports.clock.monotonic() + kLetGoTime);
  const std::string on_kafka = parts_.names.on_kafka(name);
  const Result<void> deleted = parts_.admin.delete_topic(on_kafka, kMakeTime);
  if (!deleted && deleted.error() != Errc::not_found) return deleted;
  static_cast<void>(look_again(
      parts_.ports, parts_.ports.clock.monotonic() + kAskTime, [&] { return parts_.admin.topic(on_kafka, kAskTime); },
      [](const Result<RdkTopic>& left) { return !left && left.error() == Errc::not_found; }));
  return {};
}

/// Another process may have deleted topics, and made them anew.
void KafkaWrites::look_at_rows() {
  const std::lock_guard one_at_a_time(topics_mutex_);
  if (const Result<void> taken = parts_.known.take_rows(parts_.mirror.reads()); !taken) {
    log_text("kafka", Severity::warn, "the rows of topics: " + to_string(taken.error()));
  }
  let_go_of_gone();
}

void KafkaWrites::let_go_of_gone() {
  for (const std::string& topic : parts_.known.take_gone()) let_go_of(topic);
}

/// Conditions and barriers were of another history: this process takes part anew, and what waits is tried again by whoever sent
/// it.
void KafkaWrites::renew(const std::string& topic) {
  if (is_shared(topic)) ownership_->begin_anew(parts_.ports.clock.monotonic() + kAskTime);
  forget_readiness(topic, [](const Readiness&) { return true; });
  writer_->tell(writing::TopicGone{
      .topic = topic,
      .why = Error{Errc::timed_out, "the copy of topic " + topic + " in this process was not Kafka's, and is made anew"}});
  read_back_.forget(topic);
}

/// What is done with it ends: appends are answered, its partitions are no longer shared, read or mirrored.
void KafkaWrites::let_go_of(const std::string& topic) {
  forget_readiness(topic, [](const Readiness&) { return true; });
  std::shared_ptr<void> token;
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = shared_.find(topic); found != shared_.end()) {
      token = std::move(found->second);
      shared_.erase(found);
    }
  }
  writer_->tell(writing::TopicGone{topic});
  read_back_.forget(topic);
  parts_.forget(topic);
  token.reset();
}

Result<TopicInfo> KafkaWrites::add_partitions(std::string_view name, std::int32_t partitions) {
  const std::lock_guard one_at_a_time(topics_mutex_);
  Result<TopicInfo> there = parts_.topic(name);
  if (!there) return there;
  if (there->spec.streams) {
    return Error{Errc::unsupported,
                 "topic " + there->spec.name + " keeps streams: its partitions are fixed, or keys would move"};
  }
  if (partitions < there->spec.partitions) {
    return Error{Errc::invalid_argument,
                 "topic " + there->spec.name + " has " + std::to_string(there->spec.partitions) + " partitions"};
  }
  if (partitions == there->spec.partitions) return there;
  const std::string on_kafka = parts_.names.on_kafka(name);
  if (Result<void> added = parts_.admin.add_partitions(on_kafka, partitions, kMakeTime); !added) return added.error();
  if (const Result<RdkTopic> grown = wait_for_metadata(on_kafka, partitions); !grown) return grown.error();
  const bool has_row = parts_.known.row(name).has_value();
  there->spec.partitions = partitions;
  if (has_row) {
    if (Result<void> written = write_row(there->spec.name, *there); !written) return written.error();
  } else {
    parts_.known.forget_foreign(name);
  }
  forget_failures(there->spec.name);
  return parts_.prepare(name);
}

Result<Offset> KafkaWrites::delete_records(const TopicPartition& partition, Offset below) {
  if (Result<void> filled = parts_.fill(partition); !filled) return filled.error();
  if (Result<void> read = read_back_.wait(partition, append_timeout_); !read) return read.error();
  const Result<Ends> ends = parts_.mirror.reads().ends(partition);
  if (!ends) return ends.error();
  if (below > ends->committed) {
    return Error{Errc::offset_out_of_range, to_string(partition) + ": offset " + std::to_string(below.value()) +
                                                " lies above the committed end " + std::to_string(ends->committed.value())};
  }
  if (below <= ends->start) return ends->start;
  const Result<Offset> start =
      parts_.admin.delete_records({parts_.names.on_kafka(partition.topic), partition.partition}, below, kMakeTime);
  if (!start) return start.error();
  if (Result<void> trimmed = parts_.mirror.trim(partition, *start); !trimmed) return trimmed.error();
  return *start;
}

}  // namespace lungo
