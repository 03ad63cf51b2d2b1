#include "setting_table.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <type_traits>

#include <lungo/log/check.hpp>
#include <lungo/log/partition_log.hpp>
#include <lungo/log/text.hpp>

#include "batch_header.hpp"

namespace lungo {

namespace {

using std::chrono::milliseconds;
using InFile = TopicSetting::InFile;

static_assert(kNoAgeLimit == kFlushNever);

// ---- how values are written ----
//
// Each of these has the same members, for the template below.

template <std::int64_t kLeast>
struct Age {
  using Value = milliseconds;
  static constexpr bool kIsNumber = true;
  static constexpr bool kMayBeNever = false;
  static constexpr Value kNone = kNoAgeLimit;
  static std::string look() { return "MS"; }
  static std::string range(SettingStyle style) {
    return std::to_string(kLeast) + (style == SettingStyle::code ? " ms or more" : " or more");
  }
  static bool fits(Value age) { return age.count() >= kLeast; }
  static std::string format(Value age, SettingStyle style) {
    return std::to_string(age.count()) + (style == SettingStyle::code ? "ms" : "");
  }
  static std::optional<Value> parse(std::string_view text) {
    const std::optional<std::int64_t> count = parse_number<std::int64_t>(text);
    return count ? std::optional{Value{*count}} : std::nullopt;
  }
};

/// A file has the largest number for it.
struct AgeOrNever : Age<0> {
  static constexpr bool kMayBeNever = true;
};

template <class Number, std::uint64_t kLeast, std::uint64_t kMost>
struct ByteCount {
  using Value = Number;
  static constexpr bool kIsNumber = true;
  static constexpr bool kMayBeNever = false;
  static constexpr Value kNone = std::numeric_limits<Number>::max();
  static std::string look() { return "BYTES"; }
  static std::string range(SettingStyle /*style*/) { return std::to_string(kLeast) + " to " + std::to_string(kMost); }
  static bool fits(Value bytes) { return bytes >= kLeast && bytes <= kMost; }
  static std::string format(Value bytes, SettingStyle /*style*/) { return std::to_string(bytes); }
  static std::optional<Value> parse(std::string_view text) { return parse_number<Value>(text); }
};
static_assert(ByteCount<std::uint64_t, 0, 1>::kNone == kNoSizeLimit);

struct Share {
  using Value = double;
  static constexpr bool kIsNumber = true;
  static constexpr bool kMayBeNever = false;
  static std::string look() { return "0..1"; }
  static std::string range(SettingStyle style) { return style == SettingStyle::code ? "0 to 1" : ""; }
  static bool fits(Value share) { return share >= 0 && share <= 1; }  // no NaN
  /// Reading gives the same number again.
  static std::string format(Value share, SettingStyle /*style*/) {
    std::array<char, 32> text{};
    const auto [end, error] = std::to_chars(text.data(), text.data() + text.size(), share);
    check(error == std::errc{}, "a share is a short number");
    return {text.data(), end};
  }
  static std::optional<Value> parse(std::string_view text) {
    Value share = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), share);
    return error == std::errc{} && end == text.data() + text.size() ? std::optional{share} : std::nullopt;
  }
};

template <class Value>
struct Choice {
  Value value;
  std::string_view name;
  std::string_view in_code;
};

template <const auto& kChoices>
struct OneOf {
  using Value = std::remove_cvref_t<decltype(kChoices[0].value)>;
  static constexpr bool kIsNumber = false;
  static constexpr bool kMayBeNever = false;
  static std::string look() { return list(SettingStyle::user); }
  static std::string range(SettingStyle style) { return style == SettingStyle::code ? list(style) : ""; }
  static bool fits(Value value) { return std::ranges::count(kChoices, value, &Choice<Value>::value) > 0; }
  static std::string format(Value value, SettingStyle style) {
    const auto found = std::ranges::find(kChoices, value, &Choice<Value>::value);
    if (found == std::end(kChoices)) return std::to_string(static_cast<int>(value));
    return std::string(style == SettingStyle::code ? found->in_code : found->name);
  }
  static std::optional<Value> parse(std::string_view text) {
    const auto found = std::ranges::find(kChoices, text, &Choice<Value>::name);
    return found == std::end(kChoices) ? std::nullopt : std::optional{found->value};
  }

 private:
  static std::string list(SettingStyle style) {
    std::string text;
    for (const Choice<Value>& choice : kChoices) {
      if (!text.empty()) text += '|';
      text += style == SettingStyle::code ? choice.in_code : choice.name;
    }
    return text;
  }
};

constexpr Choice<bool> kPolicies[] = {{false, "delete", "false"}, {true, "compact", "true"}};
constexpr Choice<AckLevel> kAckLevels[] = {{AckLevel::isr_sync, "isr+sync", "isr_sync"}, {AckLevel::isr, "isr", "isr"}};
constexpr Choice<TimestampKind> kTimestampKinds[] = {{TimestampKind::create, "CreateTime", "create"},
                                                     {TimestampKind::log_append, "LogAppendTime", "log_append"}};
constexpr Choice<Compression> kCodecs[] = {{Compression::none, "none", "none"},
                                           {Compression::gzip, "gzip", "gzip"},
                                           {Compression::snappy, "snappy", "snappy"},
                                           {Compression::lz4, "lz4", "lz4"},
                                           {Compression::zstd, "zstd", "zstd"}};

// ---- a row ----

template <class Member>
constexpr bool kIsOptional = false;
template <class Value>
constexpr bool kIsOptional<std::optional<Value>> = true;

/// The setting whose values are written as `Form` does, in these members; `kInChange` is null when it is fixed.
template <class Form, auto kInSpec, auto kInChange>
struct Row {
  using Value = typename Form::Value;
  static constexpr bool kIsLimit = kIsOptional<std::remove_cvref_t<decltype(std::declval<TopicSpec>().*kInSpec)>>;
  static constexpr bool kMayBeAbsent = kIsLimit || Form::kMayBeNever;
  static constexpr bool kIsFixed = std::is_null_pointer_v<decltype(kInChange)>;

  static std::string look() { return Form::look() + (kMayBeAbsent ? "|none" : ""); }
  static std::optional<std::string> format(const TopicSpec& spec, SettingStyle style) {
    const std::optional<Value> value = spec.*kInSpec;
    if (!value) return std::nullopt;
    if constexpr (Form::kMayBeNever) {
      if (style != SettingStyle::file && value == Form::kNone) return std::nullopt;
    }
    return Form::format(*value, style);
  }
  static bool parse(std::string_view text, TopicSpec& spec) {
    const std::optional<Value> value = Form::parse(text);
    if (!value || !Form::fits(*value)) return false;
    spec.*kInSpec = *value;
    return true;
  }
  static void clear(TopicSpec& spec) {
    if constexpr (kIsLimit) {
      (spec.*kInSpec).reset();
    } else {
      spec.*kInSpec = Form::kNone;
    }
  }
  static bool fits(const TopicSpec& spec) {
    const std::optional<Value> value = spec.*kInSpec;
    return !value || Form::fits(*value);
  }
  static void apply(const TopicChange& change, TopicSpec& spec) {
    const std::optional<Value>& wanted = change.*kInChange;
    if (wanted) spec.*kInSpec = *wanted;
    if constexpr (kIsLimit) {
      if (wanted == Form::kNone) (spec.*kInSpec).reset();
    }
  }
  static void ask(const TopicSpec& spec, TopicChange& change) {
    const std::optional<Value> value = spec.*kInSpec;
    if constexpr (kIsLimit) {
      change.*kInChange = value.value_or(Form::kNone);
    } else {
      change.*kInChange = value;
    }
  }
};

template <class Form, auto kInSpec, auto kInChange>
constexpr TopicSetting row(std::string_view name, std::string_view member, InFile in_file, std::string_view meaning) {
  using Of = Row<Form, kInSpec, kInChange>;
  TopicSetting setting{.name = name, .member = member, .meaning = meaning, .in_file = in_file};
  setting.is_number = Form::kIsNumber;
  setting.look = Of::look;
  setting.range = Form::range;
  setting.format = Of::format;
  setting.parse = Of::parse;
  setting.fits = Of::fits;
  if constexpr (Of::kMayBeAbsent) setting.clear = Of::clear;
  if constexpr (!Of::kIsFixed) {
    setting.apply = Of::apply;
    setting.ask = Of::ask;
  }
  return setting;
}

// ---- the table ----

using Spec = TopicSpec;
using Change = TopicChange;
using SegmentBytes = ByteCount<std::uint64_t, 512, kSegmentBytesMax>;
using RetentionBytes = ByteCount<std::uint64_t, 0, std::numeric_limits<std::int64_t>::max()>;
using BatchBytes = ByteCount<std::uint32_t, kBatchHeaderBytes + kRecordBytesMin, kBatchLengthMax>;

constexpr TopicSetting kSettings[] = {
    row<OneOf<kPolicies>, &Spec::compact, nullptr>("cleanup.policy", "compact", InFile::as_compact,
                                                   "as --compact; only when the topic is made"),
    row<OneOf<kAckLevels>, &Spec::ack_level, &Change::ack_level>(
        "ack.level", "ack_level", InFile::always,
        "when records count as committed: on disk, or handed to the operating system"),
    row<AgeOrNever, &Spec::flush_interval, &Change::flush_interval>(
        "flush.interval.ms", "flush_interval", InFile::always,
        "what nobody waits for is on disk so much later; none: only when asked for"),
    row<SegmentBytes, &Spec::segment_bytes, &Change::segment_bytes>("segment.bytes", "segment_bytes", InFile::always,
                                                                    "a new file begins at this size"),
    row<Age<1>, &Spec::segment_age, &Change::segment_age>("segment.ms", "segment_age", InFile::unless_default,
                                                          "a new file begins when the last one's first record is older"),
    row<Age<0>, &Spec::retention_age, &Change::retention_age>("retention.ms", "retention_age", InFile::unless_default,
                                                              "segments go when their newest record is older"),
    row<RetentionBytes, &Spec::retention_bytes, &Change::retention_bytes>(
        "retention.bytes", "retention_bytes", InFile::unless_default, "per partition; the oldest segments go above it"),
    row<OneOf<kCodecs>, &Spec::compression, nullptr>("compression.type", "compression", InFile::unless_default,
                                                     "of new batches; only when the topic is made"),
    row<Age<0>, &Spec::tombstone_age, &Change::tombstone_age>(
        "delete.retention.ms", "tombstone_age", InFile::unless_default,
        "of --compact: a record without a value stays so long after it was first met"),
    row<Age<0>, &Spec::compaction_lag, &Change::compaction_lag>("min.compaction.lag.ms", "compaction_lag",
                                                                InFile::unless_default,
                                                                "of --compact: not before a segment's newest record is so old"),
    row<Share, &Spec::dirty_ratio_min, &Change::dirty_ratio_min>(
        "min.cleanable.dirty.ratio", "dirty_ratio_min", InFile::unless_default,
        "of --compact: when so large a share of the bytes came since the last time"),
    row<OneOf<kTimestampKinds>, &Spec::timestamps, &Change::timestamps>(
        "message.timestamp.type", "timestamps", InFile::unless_default,
        "a record's time: what who appends says, or when it is written"),
    row<BatchBytes, &Spec::batch_bytes_max, &Change::batch_bytes_max>("max.message.bytes", "batch_bytes_max",
                                                                      InFile::unless_default, "of a producer's finished batch"),
    row<Age<1>, &Spec::producer_expiry, &Change::producer_expiry>(
        "producer.expiry.ms", "producer_expiry", InFile::unless_default,
        "an idempotent producer that is silent for so long is forgotten"),
};

std::string value_of(const TopicSetting& setting, const TopicSpec& spec, SettingStyle style) {
  return setting.format(spec, style).value_or("none");
}

}  // namespace

std::span<const TopicSetting> topic_settings() { return kSettings; }

const TopicSetting* find_setting(std::string_view name) {
  const auto found = std::ranges::find(kSettings, name, &TopicSetting::name);
  return found == std::end(kSettings) ? nullptr : &*found;
}

std::string text_of(const TopicSetting& setting, const TopicSpec& spec, SettingStyle style) {
  return std::string(style == SettingStyle::code ? setting.member : setting.name) + "=" + value_of(setting, spec, style);
}

std::string difference(const TopicSpec& there, const TopicSpec& wanted, SettingStyle style) {
  if (there.partitions != wanted.partitions)
    return "partitions=" + std::to_string(there.partitions) + ", not " + std::to_string(wanted.partitions);
  if (there.streams != wanted.streams) return there.streams ? "streams=true, not false" : "streams=false, not true";
  for (const TopicSetting& setting : kSettings) {
    const std::string value = value_of(setting, wanted, style);
    if (value_of(setting, there, style) != value) return text_of(setting, there, style) + ", not " + value;
  }
  return {};
}

void apply(const TopicChange& change, TopicSpec& spec) {
  for (const TopicSetting& setting : kSettings) {
    if (setting.apply != nullptr) setting.apply(change, spec);
  }
}

}  // namespace lungo
