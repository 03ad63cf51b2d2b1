#include "topic_settings.hpp"

#include <algorithm>

#include "../setting_table.hpp"
#include "tool_log.hpp"

namespace lungo {
namespace {

constexpr std::string_view kNone = "none";

/// In the order of their names.
std::vector<const TopicSetting*> sorted_settings() {
  std::vector<const TopicSetting*> sorted;
  for (const TopicSetting& setting : topic_settings()) sorted.push_back(&setting);
  std::ranges::sort(sorted, {}, &TopicSetting::name);
  return sorted;
}

Error wrong_value(const TopicSetting& setting, std::string_view value) {
  const std::string range = setting.range(SettingStyle::user);
  return Error{Errc::invalid_argument, std::string(setting.name) + " is " + setting.look() +
                                           (range.empty() ? "" : ", " + range) + ", not '" + std::string(value) + "'"};
}

struct Assignment {
  const TopicSetting* setting = nullptr;
  std::string_view value;
};

Result<Assignment> parse(std::string_view text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string_view::npos)
    return Error{Errc::invalid_argument,
                 "'" + std::string(text) + "' is no setting; write NAME=VALUE, e.g. retention.ms=86400000"};
  const std::string_view name = text.substr(0, equals);
  if (const TopicSetting* const setting = find_setting(name)) return Assignment{setting, text.substr(equals + 1)};
  std::vector<std::string> names;
  for (const TopicSetting* const setting : sorted_settings()) names.emplace_back(setting->name);
  return Error{Errc::invalid_argument, "no setting " + std::string(name) + near_names(std::string(name), names)};
}

/// Of a setting that is not fixed.
Result<void> set_in(TopicChange& change, const Assignment& assignment) {
  const TopicSetting& setting = *assignment.setting;
  TopicSpec spec;
  if (setting.clear != nullptr && (assignment.value == kNone || assignment.value == "-1")) {  // Kafka's
    setting.clear(spec);
  } else if (!setting.parse(assignment.value, spec)) {
    return wrong_value(setting, assignment.value);
  }
  setting.ask(spec, change);
  return {};
}

}  // namespace

std::vector<Setting> settings_of(const TopicSpec& spec) {
  std::vector<Setting> settings;
  for (const TopicSetting* const setting : sorted_settings()) {
    const std::optional<std::string> value = setting->format(spec, SettingStyle::user);
    const Setting::Kind kind = !value               ? Setting::Kind::absent
                               : setting->is_number ? Setting::Kind::number
                                                    : Setting::Kind::word;
    settings.push_back({std::string(setting->name), value.value_or(std::string(kNone)), kind});
  }
  return settings;
}

Result<void> set(TopicSpec& spec, std::string_view assignment) {
  const Result<Assignment> parsed = parse(assignment);
  if (!parsed) return parsed.error();
  const TopicSetting& setting = *parsed->setting;
  if (setting.ask == nullptr) return setting.parse(parsed->value, spec) ? Result<void>{} : wrong_value(setting, parsed->value);
  TopicChange change;
  if (Result<void> set = set_in(change, *parsed); !set) return set;
  apply(change, spec);
  return {};
}

Result<void> set(TopicChange& change, std::string_view assignment) {
  const Result<Assignment> parsed = parse(assignment);
  if (!parsed) return parsed.error();
  if (parsed->setting->ask != nullptr) return set_in(change, *parsed);
  return Error{Errc::invalid_argument, std::string(parsed->setting->name) +
                                           " is set when a topic is made; make another topic and copy: "
                                           "`lungo log consume A --json | lungo log produce B --json`"};
}

std::string settings_help() {
  std::string text;
  for (const TopicSetting* const setting : sorted_settings()) {
    std::string line = "  " + std::string(setting->name) + "=" + setting->look();
    line.resize(std::max<std::size_t>(line.size() + 1, 46), ' ');
    line += setting->meaning;
    const std::string range = setting->range(SettingStyle::user);
    text += line + (range.empty() ? "" : "; " + range) + "\n";
  }
  return text;
}

}  // namespace lungo
