#include "client/kafka_topics.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <optional>

#include <lungo/log/text.hpp>
#include <lungo/log/topic_text.hpp>

namespace lungo {

namespace {

constexpr int kReplicasForTwoInSync = 3;
constexpr std::string_view kNone = "-1";  // Kafka's word for no limit
// What a batch of small records may take on the way, whatever one record may: above librdkafka's batch.size.
constexpr std::uint32_t kBatchBytesLeast = 1'048'588;

std::string text_of(double number) {
  std::array<char, 32> text;
  const auto [end, failed] = std::to_chars(text.data(), text.data() + text.size(), number);
  return std::string(text.data(), failed == std::errc{} ? end : text.data());
}

std::string text_of(std::optional<std::chrono::milliseconds> age) {
  return age ? std::to_string(age->count()) : std::string(kNone);
}
std::string text_of(std::optional<std::uint64_t> bytes) { return bytes ? std::to_string(*bytes) : std::string(kNone); }

std::string_view text_of(Compression compression) {
  switch (compression) {
    case Compression::none:
      return "producer";  // as it comes, and Lungo sends it plain
    case Compression::gzip:
      return "gzip";
    case Compression::snappy:
      return "snappy";
    case Compression::lz4:
      return "lz4";
    case Compression::zstd:
      return "zstd";
  }
  return "producer";
}

KafkaSettings demanded_settings(const TopicSpec& spec, int replication) {
  KafkaSettings settings{
      {"cleanup.policy", spec.compact ? "compact" : "delete"},
      {"message.timestamp.type", spec.timestamps == TimestampKind::create ? "CreateTime" : "LogAppendTime"},
      {"unclean.leader.election.enable", "false"},
  };
  if (!spec.compact) {
    settings["retention.ms"] = text_of(spec.retention_age);
    settings["retention.bytes"] = text_of(spec.retention_bytes);
  }
  if (replication >= kReplicasForTwoInSync) settings["min.insync.replicas"] = "2";
  return settings;
}

bool is_at_least(const std::string& there, const std::string& wanted) {
  const auto is = parse_number<std::int64_t>(there);
  return is && *is >= parse_number<std::int64_t>(wanted).value_or(0);
}

std::optional<std::int64_t> number_of(const KafkaSettings& there, const std::string& name) {
  const auto found = there.find(name);
  return found == there.end() ? std::nullopt : parse_number<std::int64_t>(found->second);
}

KafkaSettings unfit_of(const KafkaSettings& wanted, const KafkaSettings& there) {
  KafkaSettings unfit;
  for (const auto& [name, value] : wanted) {
    const auto found = there.find(name);
    const bool fits = found != there.end() &&
                      (found->second == value || (name == "min.insync.replicas" && is_at_least(found->second, value)));
    if (!fits) unfit[name] = value;
  }
  return unfit;
}

bool has(const KafkaSettings& there, const std::string& name, std::string_view value) {
  const auto found = there.find(name);
  return found != there.end() && found->second == value;
}

}  // namespace

KafkaSettings kafka_settings(const TopicSpec& spec, int replication) {
  KafkaSettings settings = demanded_settings(spec, replication);
  settings["segment.bytes"] = std::to_string(spec.segment_bytes);
  if (spec.segment_age) settings["segment.ms"] = text_of(spec.segment_age);
  settings["max.message.bytes"] = std::to_string(std::max(spec.batch_bytes_max, kBatchBytesLeast));
  settings["compression.type"] = text_of(spec.compression);
  if (spec.compact) {
    settings["delete.retention.ms"] = std::to_string(spec.tombstone_age.count());
    settings["min.compaction.lag.ms"] = std::to_string(spec.compaction_lag.count());
    settings["min.cleanable.dirty.ratio"] = text_of(spec.dirty_ratio_min);
  }
  return settings;
}

KafkaSettings unfit_settings(const TopicSpec& spec, int replication, const KafkaSettings& there) {
  return unfit_of(demanded_settings(spec, replication), there);
}

KafkaSettings unchanged_settings(const TopicSpec& before, const TopicSpec& wanted, int replication,
                                 const KafkaSettings& there) {
  const KafkaSettings old = kafka_settings(before, replication);
  KafkaSettings changed = kafka_settings(wanted, replication);
  std::erase_if(changed, [&](const auto& setting) { return has(old, setting.first, setting.second); });
  return unfit_of(changed, there);
}

std::string lasting_difference(const TopicSpec& there, const TopicSpec& wanted) {
  TopicSpec like = there;
  like.partitions = wanted.partitions;
  like.streams = wanted.streams;
  like.compact = wanted.compact;
  like.timestamps = wanted.timestamps;
  return topic_difference(there, like);
}

Error unfit_error(const std::string& hosts, const std::string& topic, const KafkaSettings& wanted, const KafkaSettings& there) {
  std::string differences;
  std::string assignments;
  for (const auto& [name, value] : wanted) {
    const auto is = there.find(name);
    differences +=
        (differences.empty() ? "" : ", ") + name + "=" + (is == there.end() ? "(none)" : is->second) + ", not " + value;
    // A value with a comma would need brackets; none of ours has one.
    assignments += (assignments.empty() ? "" : ",") + name + "=" + value;
  }
  return Error{Errc::already_exists,
               "topic " + topic + " exists with " + differences + "; kafka-configs.sh --bootstrap-server " + hosts +
                   " --alter --entity-type topics --entity-name " + topic + " --add-config " + assignments};
}

TopicSpec foreign_topic(const std::string& name, std::int32_t partitions, const KafkaSettings& there) {
  TopicSpec spec{.name = name, .partitions = partitions};
  spec.compact = has(there, "cleanup.policy", "compact");
  spec.ack_level = AckLevel::isr;
  if (const auto bytes = number_of(there, "segment.bytes"); bytes && *bytes > 0)
    spec.segment_bytes = static_cast<std::uint64_t>(*bytes);
  if (const auto age = number_of(there, "retention.ms"); age && *age >= 0 && !spec.compact) {
    spec.retention_age = std::chrono::milliseconds{*age};
  }
  if (const auto bytes = number_of(there, "retention.bytes"); bytes && *bytes >= 0 && !spec.compact) {
    spec.retention_bytes = static_cast<std::uint64_t>(*bytes);
  }
  if (const auto bytes = number_of(there, "max.message.bytes"); bytes && *bytes > 0 && *bytes <= INT32_MAX) {
    spec.batch_bytes_max = static_cast<std::uint32_t>(*bytes);
  }
  if (has(there, "message.timestamp.type", "LogAppendTime")) spec.timestamps = TimestampKind::log_append;
  return spec;
}

}  // namespace lungo
