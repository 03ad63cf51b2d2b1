#include "client/kafka_known_topics.hpp"

#include <xxhash.h>

#include <algorithm>
#include <optional>

#include <lungo/log/topic_text.hpp>

#include "client/kafka_topics.hpp"

namespace lungo {

namespace {

constexpr std::size_t kRowBytesMax = 1u << 20;  // of a read

}  // namespace

TopicId KafkaKnownTopics::id_of(std::string_view kafka_topic) const {
  const std::string text = cluster_id_ + "/" + std::string(kafka_topic);
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, XXH3_128bits(text.data(), text.size()));
  TopicId id;
  std::ranges::copy(canonical.digest, id.bytes.begin());
  return id;
}

TopicInfo KafkaKnownTopics::rows_topic() const {
  TopicInfo rows;
  rows.spec.name = kTopicsTopic;
  rows.spec.partitions = 1;
  rows.spec.compact = true;
  rows.spec.ack_level = AckLevel::isr;
  rows.id = id_of(names_.on_kafka(kTopicsTopic));
  return rows;
}

Result<bool> KafkaKnownTopics::has_rows(Duration timeout) {
  const Result<RdkTopic> there = admin_.topic(names_.on_kafka(kTopicsTopic), timeout);
  if (!there && there.error() == Errc::not_found) return false;
  if (!there) return there.error();
  return true;
}

Result<void> KafkaKnownTopics::take_rows(EventLog& log) {
  const TopicPartition partition{std::string(kTopicsTopic), PartitionId{0}};
  const std::lock_guard lock(mutex_);
  const Result<Ends> ends = log.ends(partition);
  if (!ends) return ends.error();
  rows_next_ = std::max(rows_next_, ends->start);
  while (rows_next_ < ends->committed) {
    const Result<Fetched> fetched = log.read(partition, rows_next_, kRowBytesMax);
    if (!fetched) return fetched.error();
    if (fetched->empty()) break;
    RecordCursor cursor = fetched->records();
    while (const RecordView* record = cursor.next()) {
      const std::string name(as_text(record->key));
      const auto known = std::ranges::find(rows_, name, [](const TopicInfo& topic) { return topic.spec.name; });
      if (!record->has_value) {
        if (known == rows_.end()) continue;
        rows_.erase(known);
        gone_.push_back(name);
        continue;
      }
      Result<TopicInfo> topic = parse_topic("row '" + name + "' of " + names_.on_kafka(kTopicsTopic), record->value);
      if (!topic) return topic.error();
      if (known != rows_.end()) {
        topic->id = known->id;
        *known = std::move(*topic);
      } else {
        rows_.push_back(std::move(*topic));
      }
    }
    rows_next_ = fetched->next().offset;
  }
  return {};
}

std::vector<std::string> KafkaKnownTopics::take_gone() {
  const std::lock_guard lock(mutex_);
  return std::exchange(gone_, {});
}

std::optional<TopicInfo> KafkaKnownTopics::row(std::string_view name) const {
  const std::lock_guard lock(mutex_);
  const auto known = std::ranges::find(rows_, name, [](const TopicInfo& topic) { return topic.spec.name; });
  return known == rows_.end() ? std::nullopt : std::optional{*known};
}

std::optional<std::uint32_t> KafkaKnownTopics::batch_bytes_max(std::string_view name) const {
  const std::lock_guard lock(mutex_);
  const auto known = std::ranges::find(rows_, name, [](const TopicInfo& topic) -> std::string_view { return topic.spec.name; });
  return known == rows_.end() ? std::nullopt : std::optional{known->spec.batch_bytes_max};
}

void KafkaKnownTopics::forget_foreign(std::string_view name) {
  const std::lock_guard lock(mutex_);
  if (const auto found = foreign_.find(name); found != foreign_.end()) foreign_.erase(found);
}

std::optional<TopicInfo> KafkaKnownTopics::known(std::string_view name) const {
  if (std::optional<TopicInfo> made = row(name)) return made;
  const std::lock_guard lock(mutex_);
  const auto foreign = foreign_.find(name);
  return foreign == foreign_.end() ? std::nullopt : std::optional{foreign->second};
}

Result<TopicInfo> KafkaKnownTopics::describe(const RdkTopic& topic, std::string name, Duration timeout) {
  const Result<std::map<std::string, RdkTopicSetting>> settings = admin_.topic_settings(topic.name, timeout);
  if (!settings) return settings.error();
  KafkaSettings values;
  for (const auto& [key, setting] : *settings) values[key] = setting.value;
  TopicInfo info{.spec = foreign_topic(name, static_cast<std::int32_t>(topic.partitions.size()), values),
                 .id = id_of(topic.name)};
  const std::lock_guard lock(mutex_);
  foreign_.insert_or_assign(std::move(name), info);
  return info;
}

Result<TopicInfo> KafkaKnownTopics::topic(std::string_view name, Duration timeout) {
  if (std::optional<TopicInfo> there = known(name)) return *std::move(there);
  const std::string on_kafka = names_.on_kafka(name);
  if (names_.in_lungo(on_kafka) != name) return Error{Errc::not_found, "no topic " + std::string(name)};
  const Result<RdkTopic> there = admin_.topic(on_kafka, timeout);
  if (!there) return there.error();
  return describe(*there, std::string(name), timeout);
}

Result<std::vector<TopicInfo>> KafkaKnownTopics::topics(Duration timeout) {
  const Result<RdkCluster> cluster = admin_.cluster(timeout);
  if (!cluster) return cluster.error();
  std::vector<TopicInfo> all;
  {
    const std::lock_guard lock(mutex_);
    all = rows_;
  }
  const std::size_t with_rows = all.size();
  for (const RdkTopic& topic : cluster->topics) {
    std::optional<std::string> name = names_.in_lungo(topic.name);
    if (!name || *name == kTopicsTopic) continue;
    const auto end = all.begin() + static_cast<std::ptrdiff_t>(with_rows);
    if (std::find_if(all.begin(), end, [&](const TopicInfo& one) { return one.spec.name == *name; }) != end) continue;
    Result<TopicInfo> info = describe(topic, *std::move(name), timeout);
    if (!info) return info.error();
    all.push_back(std::move(*info));
  }
  return all;
}

}  // namespace lungo
