#include "topic_settings.hpp"

#include <lungo/log/text.hpp>

#include "../topics_file.hpp"
#include "tool_log.hpp"

namespace lungo {
namespace {

constexpr std::string_view kNone = "none";

struct Known {
  std::string_view name;
  std::string_view value;  // what it looks like
  std::string_view meaning;
};

constexpr Known kKnown[] = {
    {"ack.level", "isr+sync|isr", "when records count as committed: on disk, or handed to the operating system"},
    {"cleanup.policy", "delete|compact", "as --compact; only when the topic is made"},
    {"compression.type", "none|gzip|snappy|lz4|zstd", "of new batches; only when the topic is made"},
    {"delete.retention.ms", "MS", "of --compact: a record without a value stays so long after it was first met"},
    {"flush.interval.ms", "MS|none", "what nobody waits for is on disk so much later; none: only when asked for"},
    {"max.message.bytes", "BYTES", "of a producer's finished batch, 68 to 512 MiB"},
    {"message.timestamp.type", "CreateTime|LogAppendTime", "a record's time: what who appends says, or when it is written"},
    {"min.cleanable.dirty.ratio", "0..1", "of --compact: when so large a share of the bytes came since the last time"},
    {"min.compaction.lag.ms", "MS", "of --compact: not before a segment's newest record is so old"},
    {"producer.expiry.ms", "MS", "an idempotent producer that is silent for so long is forgotten"},
    {"retention.bytes", "BYTES|none", "per partition; the oldest segments go above it"},
    {"retention.ms", "MS|none", "segments go when their newest record is older"},
    {"segment.bytes", "BYTES", "a new file begins at this size, 512 to 2147483647"},
    {"segment.ms", "MS|none", "a new file begins when the last one's first record is older"},
};

Error wrong_value(const Known& known, std::string_view value) {
  return Error{Errc::invalid_argument,
               std::string(known.name) + " is " + std::string(known.value) + ", not '" + std::string(value) + "'"};
}

struct Assignment {
  const Known* known = nullptr;
  std::string_view value;
};

Result<Assignment> parse(std::string_view text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string_view::npos)
    return Error{Errc::invalid_argument,
                 "'" + std::string(text) + "' is no setting; write NAME=VALUE, e.g. retention.ms=86400000"};
  const std::string_view name = text.substr(0, equals);
  std::vector<std::string> names;
  for (const Known& known : kKnown) {
    if (known.name == name) return Assignment{&known, text.substr(equals + 1)};
    names.emplace_back(known.name);
  }
  return Error{Errc::invalid_argument, "no setting " + std::string(name) + near_names(std::string(name), names)};
}

/// A number that is not negative; nothing inside for "none" and Kafka's -1, where a limit may be absent.
Result<std::optional<std::int64_t>> number(const Assignment& assignment) {
  const bool may_be_absent = assignment.known->value.ends_with(kNone);
  if (may_be_absent && (assignment.value == kNone || assignment.value == "-1")) return std::optional<std::int64_t>{};
  const std::optional<std::int64_t> value = parse_number<std::int64_t>(assignment.value);
  if (!value || *value < 0) return wrong_value(*assignment.known, assignment.value);
  return value;
}

std::string text_of(const std::optional<std::chrono::milliseconds>& age) {
  return age ? std::to_string(age->count()) : std::string(kNone);
}

Result<void> set_policy(TopicSpec& spec, const Assignment& assignment) {
  if (assignment.value != "delete" && assignment.value != "compact") return wrong_value(*assignment.known, assignment.value);
  spec.compact = assignment.value == "compact";
  return {};
}

Result<void> set_compression(TopicSpec& spec, const Assignment& assignment) {
  const std::optional<Compression> codec = parse_compression(assignment.value);
  if (!codec) return wrong_value(*assignment.known, assignment.value);
  spec.compression = *codec;
  return {};
}

Result<void> set_ratio(TopicChange& change, const Assignment& assignment) {
  const std::optional<double> ratio = parse_ratio(assignment.value);
  if (!ratio || !(*ratio >= 0 && *ratio <= 1)) return wrong_value(*assignment.known, assignment.value);
  change.dirty_ratio_min = ratio;
  return {};
}

Result<void> set_timestamps(TopicChange& change, const Assignment& assignment) {
  change.timestamps = parse_timestamp_kind(assignment.value);
  if (!change.timestamps) return wrong_value(*assignment.known, assignment.value);
  return {};
}

Result<void> set_number(TopicChange& change, const Assignment& assignment) {
  const Result<std::optional<std::int64_t>> value = number(assignment);
  if (!value) return value.error();
  const std::string_view name = assignment.known->name;
  const std::chrono::milliseconds age = *value ? std::chrono::milliseconds{**value} : kNoAgeLimit;
  static_assert(kNoAgeLimit == kFlushNever);
  if (name == "delete.retention.ms") change.tombstone_age = age;
  if (name == "flush.interval.ms") change.flush_interval = age;
  if (name == "min.compaction.lag.ms") change.compaction_lag = age;
  if (name == "producer.expiry.ms") change.producer_expiry = age;
  if (name == "segment.ms") change.segment_age = age;
  if (name == "retention.ms") change.retention_age = age;
  if (name == "retention.bytes") change.retention_bytes = *value ? static_cast<std::uint64_t>(**value) : kNoSizeLimit;
  if (name == "segment.bytes") change.segment_bytes = static_cast<std::uint64_t>(**value);
  if (name == "max.message.bytes") {
    if (**value > UINT32_MAX) return wrong_value(*assignment.known, assignment.value);
    change.batch_bytes_max = static_cast<std::uint32_t>(**value);
  }
  return {};
}

Result<void> set_in(TopicChange& change, const Assignment& assignment) {
  const std::string_view name = assignment.known->name;
  if (name == "cleanup.policy" || name == "compression.type")
    return Error{Errc::invalid_argument, std::string(name) +
                                             " is set when a topic is made; make another topic and copy: "
                                             "`lungo log consume A --json | lungo log produce B --json`"};
  if (name == "ack.level") {
    if (assignment.value != "isr" && assignment.value != "isr+sync") return wrong_value(*assignment.known, assignment.value);
    change.ack_level = assignment.value == "isr" ? AckLevel::isr : AckLevel::isr_sync;
    return {};
  }
  if (name == "min.cleanable.dirty.ratio") return set_ratio(change, assignment);
  if (name == "message.timestamp.type") return set_timestamps(change, assignment);
  return set_number(change, assignment);
}

}  // namespace

std::vector<Setting> settings_of(const TopicSpec& spec) {
  const bool never = spec.flush_interval == kFlushNever;
  return {
      {"ack.level", spec.ack_level == AckLevel::isr ? "isr" : "isr+sync"},
      {"cleanup.policy", spec.compact ? "compact" : "delete"},
      {"compression.type", std::string(to_string(spec.compression))},
      {"delete.retention.ms", std::to_string(spec.tombstone_age.count())},
      {"flush.interval.ms", never ? std::string(kNone) : std::to_string(spec.flush_interval.count())},
      {"max.message.bytes", std::to_string(spec.batch_bytes_max)},
      {"message.timestamp.type", std::string(to_string(spec.timestamps))},
      {"min.cleanable.dirty.ratio", format_ratio(spec.dirty_ratio_min)},
      {"min.compaction.lag.ms", std::to_string(spec.compaction_lag.count())},
      {"producer.expiry.ms", std::to_string(spec.producer_expiry.count())},
      {"retention.bytes", spec.retention_bytes ? std::to_string(*spec.retention_bytes) : std::string(kNone)},
      {"retention.ms", text_of(spec.retention_age)},
      {"segment.bytes", std::to_string(spec.segment_bytes)},
      {"segment.ms", text_of(spec.segment_age)},
  };
}

Result<void> set(TopicSpec& spec, std::string_view assignment) {
  const Result<Assignment> parsed = parse(assignment);
  if (!parsed) return parsed.error();
  if (parsed->known->name == "cleanup.policy") return set_policy(spec, *parsed);
  if (parsed->known->name == "compression.type") return set_compression(spec, *parsed);
  TopicChange change;
  if (Result<void> set = set_in(change, *parsed); !set) return set;
  apply(change, spec);
  return {};
}

Result<void> set(TopicChange& change, std::string_view assignment) {
  const Result<Assignment> parsed = parse(assignment);
  if (!parsed) return parsed.error();
  return set_in(change, *parsed);
}

std::string settings_help() {
  std::string text;
  for (const Known& known : kKnown) {
    std::string line = "  " + std::string(known.name) + "=" + std::string(known.value);
    line.resize(std::max<std::size_t>(line.size() + 1, 46), ' ');
    text += line + std::string(known.meaning) + "\n";
  }
  return text;
}

}  // namespace lungo
