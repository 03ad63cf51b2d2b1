#include "topics_file.hpp"

#include <algorithm>

#include <lungo/log/text.hpp>
#include "setting_table.hpp"
#include "tail_page.hpp"

namespace lungo {

namespace {

constexpr std::string_view kKind = "topics";
constexpr int kMajor = 1;

constexpr std::size_t kNameCharsMax = 249;  // so that NAME-PARTITION is a file name; Kafka's limit
constexpr std::int32_t kPartitionsMax = 100'000;

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

/// Those that are written out, in the file's order.
void add_settings(const TopicSpec& spec, bool gaps, Properties& properties) {
  static const TopicSpec kDefaults;
  for (const TopicSetting& setting : topic_settings()) {
    if (setting.in_file == TopicSetting::InFile::as_compact) continue;
    if (setting.name == "compression.type" && gaps) properties.push_back({"gaps", "1"});  // its place
    std::optional<std::string> value = setting.format(spec, SettingStyle::file);
    if (!value) continue;
    const bool is_written =
        setting.in_file == TopicSetting::InFile::always || value != setting.format(kDefaults, SettingStyle::file);
    if (is_written) properties.push_back({std::string(setting.name), std::move(*value)});
  }
}

Properties properties_of(const TopicEntry& topic) {
  const TopicSpec& spec = topic.info.spec;
  Properties properties{
      {"topic", spec.name},
      {"id", to_string(topic.info.id)},
      {"partitions", std::to_string(spec.partitions)},
      {"streams", spec.streams ? "1" : "0"},
      {"compact", spec.compact ? "1" : "0"},
  };
  add_settings(spec, topic.gaps, properties);
  if (!topic.tail_places.empty()) properties.push_back({"tail.places", format_tail_places(topic.tail_places)});
  properties.insert(properties.end(), topic.unknown.begin(), topic.unknown.end());
  return properties;
}

Error no_value(const Property& property, const std::string& path) {
  return damaged(path, property.key + "=" + property.value + " can't be");
}

/// What the topic is, which it was made as.
Result<void> set_number(TopicSpec& spec, const Property& property, const std::string& path) {
  const Result<std::int64_t> number = number_of(property, path);
  if (!number) return number.error();
  if (property.key == "partitions") {
    if (*number < 1 || *number > kPartitionsMax) return no_value(property, path);
    spec.partitions = static_cast<std::int32_t>(*number);
  }
  if (property.key == "streams") spec.streams = *number != 0;
  if (property.key == "compact") spec.compact = *number != 0;
  return {};
}

Result<void> set_property(TopicEntry& topic, const Property& property, const std::string& path) {
  if (property.key == "partitions" || property.key == "streams" || property.key == "compact")
    return set_number(topic.info.spec, property, path);
  const TopicSetting* const setting = find_setting(property.key);
  if (setting != nullptr && setting->in_file != TopicSetting::InFile::as_compact)
    return setting->parse(property.value, topic.info.spec) ? Result<void>{} : no_value(property, path);
  if (property.key == "id") {
    const Result<TopicId> id = parse_topic_id(property.value);
    if (!id) return id.error().with_context(path);
    topic.info.id = *id;
  } else if (property.key == "gaps") {
    topic.gaps = property.value != "0";
  } else if (property.key == "tail.places") {
    std::optional<std::vector<TailPlaces>> ranges = parse_tail_places(property.value);
    if (!ranges) return no_value(property, path);
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
  for (const TopicSetting& setting : topic_settings()) {
    if (setting.fits(spec)) continue;
    return refused(spec, std::string(setting.member) + " must be " + setting.range(SettingStyle::code) + ", not " +
                             *setting.format(spec, SettingStyle::code));
  }
  return {};
}

Result<TopicSpec> changed(TopicSpec spec, const TopicChange& change) {
  apply(change, spec);
  if (Result<void> valid = validate(spec); !valid) return valid.error();
  return spec;
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
