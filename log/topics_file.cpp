#include "topics_file.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>

#include <lungo/log/check.hpp>
#include <lungo/log/partition_log.hpp>
#include <lungo/log/text.hpp>
#include "batch_header.hpp"
#include "tail_page.hpp"

namespace lungo {

namespace {

constexpr std::string_view kKind = "topics";
constexpr int kMajor = 1;

constexpr std::size_t kNameCharsMax = 249;  // so that NAME-PARTITION is a file name; Kafka's limit
constexpr std::int32_t kPartitionsMax = 100'000;
constexpr std::uint64_t kSegmentBytesMin = 512;
constexpr std::uint64_t kRetentionBytesMax = std::numeric_limits<std::int64_t>::max();
constexpr std::string_view kIsrSync = "isr+sync";
constexpr std::string_view kIsr = "isr";
constexpr std::string_view kCreateTime = "CreateTime";
constexpr std::string_view kLogAppendTime = "LogAppendTime";
constexpr std::uint32_t kBatchBytesMin = kBatchHeaderBytes + kRecordBytesMin;

bool is_name_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

Error refused(const TopicSpec& spec, std::string_view why) {
  return Error{Errc::invalid_argument, "topic \"" + spec.name + "\": " + std::string(why)};
}

Error damaged(const std::string& path, std::string_view what) { return Error{Errc::corrupt, path + ": " + std::string(what)}; }

std::string format_tail_places(const std::vector<TailPlaces>& ranges) {
  std::string text;
  for (const TailPlaces& range : ranges) {
    if (!text.empty()) text += ',';
    text += std::to_string(range.first) + "+" + std::to_string(range.count);
  }
  return text;
}

std::optional<std::vector<TailPlaces>> parse_tail_places(std::string_view text) {
  std::vector<TailPlaces> ranges;
  for (bool more = true; more;) {
    const std::size_t comma = text.find(',');
    const std::string_view range = text.substr(0, comma);
    const std::size_t plus = range.find('+');
    if (plus == std::string_view::npos) return std::nullopt;
    const auto first = parse_number<std::uint32_t>(range.substr(0, plus));
    const auto count = parse_number<std::uint32_t>(range.substr(plus + 1));
    if (!first || !count || *count == 0) return std::nullopt;
    ranges.push_back({*first, *count});
    if (ranges.back().end() > kTailPlacesMax) return std::nullopt;
    more = comma != std::string_view::npos;
    if (more) text.remove_prefix(comma + 1);
  }
  return ranges;
}

// What is wrong with the places that the file names; empty when nothing is.
std::string fault_in_places(const std::vector<TopicEntry>& topics) {
  std::vector<TailPlaces> all;
  for (const TopicEntry& topic : topics) {
    std::size_t count = 0;
    for (const TailPlaces& range : topic.tail_places) count += range.count;
    if (!topic.tail_places.empty() && count != static_cast<std::size_t>(topic.info.spec.partitions)) {
      return "topic \"" + topic.info.spec.name + "\" has " + std::to_string(count) + " places in the tail page";
    }
    all.insert(all.end(), topic.tail_places.begin(), topic.tail_places.end());
  }
  std::ranges::sort(all, {}, &TailPlaces::first);
  for (std::size_t i = 1; i < all.size(); ++i) {
    if (all[i].first < all[i - 1].end()) return "place " + std::to_string(all[i].first) + " of the tail page is named twice";
  }
  return {};
}

Properties properties_of(const TopicEntry& topic) {
  const TopicSpec& spec = topic.info.spec;
  Properties properties{
      {"topic", spec.name},
      {"id", to_string(topic.info.id)},
      {"partitions", std::to_string(spec.partitions)},
      {"streams", spec.streams ? "1" : "0"},
      {"compact", spec.compact ? "1" : "0"},
      {"ack.level", std::string(spec.ack_level == AckLevel::isr_sync ? kIsrSync : kIsr)},
      {"flush.interval.ms", std::to_string(spec.flush_interval.count())},
      {"segment.bytes", std::to_string(spec.segment_bytes)},
  };
  if (spec.segment_age) properties.push_back({"segment.ms", std::to_string(spec.segment_age->count())});
  if (spec.retention_age) properties.push_back({"retention.ms", std::to_string(spec.retention_age->count())});
  if (spec.retention_bytes) properties.push_back({"retention.bytes", std::to_string(*spec.retention_bytes)});
  if (topic.gaps) properties.push_back({"gaps", "1"});
  if (spec.compression != Compression::none)
    properties.push_back({"compression.type", std::string(to_string(spec.compression))});
  const TopicSpec defaults;
  if (spec.tombstone_age != defaults.tombstone_age) {
    properties.push_back({"delete.retention.ms", std::to_string(spec.tombstone_age.count())});
  }
  if (spec.compaction_lag != defaults.compaction_lag) {
    properties.push_back({"min.compaction.lag.ms", std::to_string(spec.compaction_lag.count())});
  }
  if (spec.dirty_ratio_min != defaults.dirty_ratio_min) {
    properties.push_back({"min.cleanable.dirty.ratio", format_ratio(spec.dirty_ratio_min)});
  }
  if (spec.timestamps != defaults.timestamps) {
    properties.push_back({"message.timestamp.type", std::string(to_string(spec.timestamps))});
  }
  if (spec.batch_bytes_max != defaults.batch_bytes_max) {
    properties.push_back({"max.message.bytes", std::to_string(spec.batch_bytes_max)});
  }
  if (spec.producer_expiry != defaults.producer_expiry) {
    properties.push_back({"producer.expiry.ms", std::to_string(spec.producer_expiry.count())});
  }
  if (!topic.tail_places.empty()) properties.push_back({"tail.places", format_tail_places(topic.tail_places)});
  properties.insert(properties.end(), topic.unknown.begin(), topic.unknown.end());
  return properties;
}

Result<void> set_number(TopicSpec& spec, const Property& property, const std::string& path) {
  const Result<std::int64_t> number = number_of(property, path);
  if (!number) return number.error();
  if (property.key == "partitions") {
    if (*number < 1 || *number > kPartitionsMax) return damaged(path, "partitions=" + property.value);
    spec.partitions = static_cast<std::int32_t>(*number);
  }
  if (property.key == "streams") spec.streams = *number != 0;
  if (property.key == "compact") spec.compact = *number != 0;
  if (property.key == "flush.interval.ms") spec.flush_interval = std::chrono::milliseconds{*number};
  if (property.key == "segment.bytes") spec.segment_bytes = static_cast<std::uint64_t>(*number);
  if (property.key == "segment.ms") spec.segment_age = std::chrono::milliseconds{*number};
  if (property.key == "retention.ms") spec.retention_age = std::chrono::milliseconds{*number};
  if (property.key == "delete.retention.ms") spec.tombstone_age = std::chrono::milliseconds{*number};
  if (property.key == "min.compaction.lag.ms") spec.compaction_lag = std::chrono::milliseconds{*number};
  if (property.key == "retention.bytes") {
    if (*number < 0) return damaged(path, "retention.bytes=" + property.value);
    spec.retention_bytes = static_cast<std::uint64_t>(*number);
  }
  if (property.key == "max.message.bytes") {
    if (*number < 0 || *number > kBatchLengthMax) return damaged(path, "max.message.bytes=" + property.value);
    spec.batch_bytes_max = static_cast<std::uint32_t>(*number);
  }
  if (property.key == "producer.expiry.ms") spec.producer_expiry = std::chrono::milliseconds{*number};
  return {};
}

Result<void> set_property(TopicEntry& topic, const Property& property, const std::string& path) {
  constexpr std::string_view kNumbers[] = {
      "partitions", "streams",      "compact",         "flush.interval.ms",   "segment.bytes",         "max.message.bytes",
      "segment.ms", "retention.ms", "retention.bytes", "delete.retention.ms", "min.compaction.lag.ms", "producer.expiry.ms"};
  if (std::ranges::find(kNumbers, property.key) != std::end(kNumbers)) return set_number(topic.info.spec, property, path);
  if (property.key == "id") {
    const Result<TopicId> id = parse_topic_id(property.value);
    if (!id) return id.error().with_context(path);
    topic.info.id = *id;
  } else if (property.key == "ack.level") {
    if (property.value != kIsrSync && property.value != kIsr) return damaged(path, "ack.level=" + property.value);
    topic.info.spec.ack_level = property.value == kIsr ? AckLevel::isr : AckLevel::isr_sync;
  } else if (property.key == "gaps") {
    topic.gaps = property.value != "0";
  } else if (property.key == "compression.type") {
    const std::optional<Compression> codec = parse_compression(property.value);
    if (!codec) return damaged(path, "compression.type=" + property.value);
    topic.info.spec.compression = *codec;
  } else if (property.key == "min.cleanable.dirty.ratio") {
    const std::optional<double> ratio = parse_ratio(property.value);
    if (!ratio) return damaged(path, "min.cleanable.dirty.ratio=" + property.value);
    topic.info.spec.dirty_ratio_min = *ratio;
  } else if (property.key == "message.timestamp.type") {
    const std::optional<TimestampKind> kind = parse_timestamp_kind(property.value);
    if (!kind) return damaged(path, "message.timestamp.type=" + property.value);
    topic.info.spec.timestamps = *kind;
  } else if (property.key == "tail.places") {
    std::optional<std::vector<TailPlaces>> ranges = parse_tail_places(property.value);
    if (!ranges) return damaged(path, "tail.places=" + property.value);
    topic.tail_places = std::move(*ranges);
  } else {
    topic.unknown.push_back(property);
  }
  return {};
}

}  // namespace

Result<void> validate(const TopicSpec& spec) {
  if (spec.name.empty()) return refused(spec, "the name is empty");
  if (spec.name.size() > kNameCharsMax) return refused(spec, "the name is longer than 249 characters");
  if (spec.name == "." || spec.name == "..") return refused(spec, "the name is a directory's");
  if (!std::ranges::all_of(spec.name, is_name_char)) return refused(spec, "a name consists of a-z A-Z 0-9 . _ -");
  if (spec.partitions < 1 || spec.partitions > kPartitionsMax) return refused(spec, "partitions must be 1 to 100,000");
  // The framework's own rows are found by key and only the last one of a key counts; the streams of applications are history.
  const bool is_internal = spec.name.starts_with("__lungo_");
  if (spec.streams && spec.compact && !is_internal) return refused(spec, "a stream topic can't be compacted");
  if (spec.flush_interval.count() < 0) return refused(spec, "flush_interval is negative");
  if (spec.segment_bytes < kSegmentBytesMin || spec.segment_bytes > kSegmentBytesMax) {
    return refused(spec, "segment_bytes must be 512 to " + std::to_string(kSegmentBytesMax));
  }
  if (spec.segment_age && spec.segment_age->count() < 1) return refused(spec, "segment_age must be 1 ms or more");
  if (spec.retention_age && spec.retention_age->count() < 0) return refused(spec, "retention_age is negative");
  if (spec.retention_bytes && *spec.retention_bytes > kRetentionBytesMax) return refused(spec, "retention_bytes is too large");
  if (spec.tombstone_age.count() < 0) return refused(spec, "tombstone_age is negative");
  if (spec.compaction_lag.count() < 0) return refused(spec, "compaction_lag is negative");
  if (!(spec.dirty_ratio_min >= 0 && spec.dirty_ratio_min <= 1)) return refused(spec, "dirty_ratio_min must be 0 to 1");
  if (spec.batch_bytes_max < kBatchBytesMin || spec.batch_bytes_max > kBatchLengthMax) {
    return refused(spec,
                   "batch_bytes_max must be " + std::to_string(kBatchBytesMin) + " to " + std::to_string(kBatchLengthMax));
  }
  if (spec.producer_expiry.count() < 1) return refused(spec, "producer_expiry must be 1 ms or more");
  if (!parse_compression(to_string(spec.compression))) return refused(spec, "there is no such compression");
  return {};
}

void apply(const TopicChange& change, TopicSpec& spec) {
  if (change.ack_level) spec.ack_level = *change.ack_level;
  if (change.flush_interval) spec.flush_interval = *change.flush_interval;
  if (change.segment_bytes) spec.segment_bytes = *change.segment_bytes;
  if (change.tombstone_age) spec.tombstone_age = *change.tombstone_age;
  if (change.compaction_lag) spec.compaction_lag = *change.compaction_lag;
  if (change.dirty_ratio_min) spec.dirty_ratio_min = *change.dirty_ratio_min;
  if (change.timestamps) spec.timestamps = *change.timestamps;
  if (change.batch_bytes_max) spec.batch_bytes_max = *change.batch_bytes_max;
  if (change.producer_expiry) spec.producer_expiry = *change.producer_expiry;
  const auto limit = [](auto& setting, const auto& wanted, const auto& none) {
    if (wanted) setting = *wanted;
    if (wanted == none) setting.reset();
  };
  limit(spec.segment_age, change.segment_age, kNoAgeLimit);
  limit(spec.retention_age, change.retention_age, kNoAgeLimit);
  limit(spec.retention_bytes, change.retention_bytes, kNoSizeLimit);
}

Result<TopicSpec> changed(TopicSpec spec, const TopicChange& change) {
  apply(change, spec);
  if (Result<void> valid = validate(spec); !valid) return valid.error();
  return spec;
}

std::string_view to_string(TimestampKind kind) { return kind == TimestampKind::log_append ? kLogAppendTime : kCreateTime; }

std::optional<TimestampKind> parse_timestamp_kind(std::string_view text) {
  if (text == kCreateTime) return TimestampKind::create;
  if (text == kLogAppendTime) return TimestampKind::log_append;
  return std::nullopt;
}

std::string format_ratio(double ratio) {
  std::array<char, 32> text{};
  const auto [end, error] = std::to_chars(text.data(), text.data() + text.size(), ratio);
  check(error == std::errc{}, "a ratio is a short number");
  return {text.data(), end};
}

std::optional<double> parse_ratio(std::string_view text) {
  double ratio = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), ratio);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return ratio;
}

std::string format_topics(const std::vector<TopicEntry>& topics) {
  Properties all;
  for (const TopicEntry& topic : topics) {
    const Properties one = properties_of(topic);
    all.insert(all.end(), one.begin(), one.end());
  }
  return format_property_file(kKind, kMajor, all);
}

Result<std::vector<TopicEntry>> parse_topics(const std::string& path, BytesView bytes) {
  const Result<Properties> properties = parse_property_file(kKind, kMajor, path, bytes);
  if (!properties) return properties.error();
  std::vector<TopicEntry> topics;
  for (const Property& property : *properties) {
    if (property.key == "topic") {
      topics.emplace_back();
      topics.back().info.spec.name = property.value;
    } else if (topics.empty()) {
      return damaged(path, "a setting stands before the first topic");
    } else if (Result<void> set = set_property(topics.back(), property, path); !set) {
      return set.error();
    }
  }
  for (const TopicEntry& topic : topics) {
    if (Result<void> valid = validate(topic.info.spec); !valid) return damaged(path, valid.error().text());
  }
  if (const std::string fault = fault_in_places(topics); !fault.empty()) return damaged(path, fault);
  return topics;
}

std::size_t tail_places_end(const std::vector<TopicEntry>& topics) {
  std::size_t end = 0;
  for (const TopicEntry& topic : topics) {
    for (const TailPlaces& range : topic.tail_places) end = std::max(end, range.end());
  }
  return end;
}

void give_tail_places(std::vector<TopicEntry>& topics, std::size_t from) {
  std::size_t next = std::max(from, tail_places_end(topics));
  for (TopicEntry& topic : topics) {
    if (!topic.tail_places.empty()) continue;
    topic.tail_places = {{next, static_cast<std::size_t>(topic.info.spec.partitions)}};
    next = topic.tail_places.back().end();
  }
}

void give_more_tail_places(const std::vector<TopicEntry>& topics, TopicEntry& to, std::size_t count, std::size_t from) {
  const std::size_t next = std::max(from, tail_places_end(topics));
  if (!to.tail_places.empty() && to.tail_places.back().end() == next) {
    to.tail_places.back().count += count;
  } else {
    to.tail_places.push_back({next, count});
  }
}

std::vector<std::size_t> tail_place_numbers(const TopicEntry& topic) {
  std::vector<std::size_t> numbers;
  for (const TailPlaces& range : topic.tail_places) {
    for (std::size_t place = range.first; place < range.end(); ++place) numbers.push_back(place);
  }
  return numbers;
}

Result<TopicId> parse_topic_id(std::string_view text) {
  TopicId id;
  const std::optional<Bytes> bytes = from_base64(text, Base64::url);
  if (!bytes || bytes->size() != id.bytes.size()) return Error{Errc::corrupt, "not a topic id: " + std::string(text)};
  std::ranges::transform(*bytes, id.bytes.begin(), [](std::byte byte) { return std::to_integer<std::uint8_t>(byte); });
  return id;
}

std::string format_partition_metadata(const TopicId& id) { return "version: 0\ntopic_id: " + to_string(id); }

// Kafka ends the file without a line break; Lungo once wrote one.
Result<TopicId> parse_partition_metadata(const std::string& path, BytesView bytes) {
  constexpr std::string_view kBefore = "version: 0\ntopic_id: ";
  std::string_view text = as_text(bytes);
  if (!text.starts_with(kBefore)) return damaged(path, "is not a partition.metadata file");
  text.remove_prefix(kBefore.size());
  if (text.ends_with('\n')) text.remove_suffix(1);
  const Result<TopicId> id = parse_topic_id(text);
  if (!id) return id.error().with_context(path);
  return id;
}

}  // namespace lungo
