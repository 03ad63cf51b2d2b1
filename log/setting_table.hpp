// What a topic can be set to. Each setting stands once in the table here, with its name, its member of TopicSpec, how a value
// is written and its range.
//
// Whatever goes over settings goes over the table: `lungo.topics`, validation, alter, the difference between two specs, the
// tools. Who adds one gives TopicSpec a member, TopicChange another unless it is fixed, and the table a row. What a topic is
// rather than is set to has no row: name, partitions, streams.
//
// Pure. Threads: any.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <lungo/log/event_log.hpp>

namespace lungo {

/// For whom a setting and its value are written.
enum class SettingStyle {
  code,  // retention_age=5ms: members and enumerators, for who calls the C++ API
  user,  // retention.ms=5: for who uses the tools, by Kafka's names where it has them
  file,  // the same, but that a number is always a number
};

/// A row of the table. No function here looks at other settings than its own.
struct TopicSetting {
  enum class InFile {
    always,
    unless_default,
    as_compact,  // by a line of its own, `compact=0` or `compact=1`
  };

  std::string_view name;
  std::string_view member;   // of TopicSpec, and of TopicChange where it may change
  std::string_view meaning;  // for the help
  InFile in_file = InFile::unless_default;
  bool is_number = false;

  /// What a value looks like for users, e.g. "MS|none".
  std::string (*look)() = nullptr;
  /// Which values there are, e.g. "1 or more"; empty where the look says so.
  std::string (*range)(SettingStyle style) = nullptr;
  /// Nothing for a limit that is not there.
  std::optional<std::string> (*format)(const TopicSpec& spec, SettingStyle style) = nullptr;
  /// As files and users write it, but for "none". False, and nothing set, for what is no value or out of range.
  bool (*parse)(std::string_view text, TopicSpec& spec) = nullptr;
  /// Makes it absent; null where it can't be.
  void (*clear)(TopicSpec& spec) = nullptr;
  /// Whether the value is in range.
  bool (*fits)(const TopicSpec& spec) = nullptr;
  /// Sets what `change` names; null where nothing changes it once the topic is made.
  void (*apply)(const TopicChange& change, TopicSpec& spec) = nullptr;
  /// Makes `change` name the value that `spec` has, or none. Null likewise.
  void (*ask)(const TopicSpec& spec, TopicChange& change) = nullptr;
};

/// In the order in which `lungo.topics` has them.
std::span<const TopicSetting> topic_settings();
/// Null when there is none of that name.
const TopicSetting* find_setting(std::string_view name);

/// "retention_age=5ms" or "retention.ms=5"; "none" for what is absent.
std::string text_of(const TopicSetting& setting, const TopicSpec& spec, SettingStyle style);

/// Which setting of a topic differs from what was wanted, e.g. "segment.bytes=512, not 1024", with what is there in front.
/// Empty when none does; partitions and streams count.
std::string difference(const TopicSpec& there, const TopicSpec& wanted, SettingStyle style);

/// Without a look at whether the outcome is valid.
void apply(const TopicChange& change, TopicSpec& spec);

}  // namespace lungo
