// Settings of a topic as a user writes and reads them: NAME=VALUE, by the names that `lungo.topics` and Kafka have. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <lungo/log/event_log.hpp>

namespace lungo {

struct Setting {
  std::string name;
  std::string value;  // "none" for what is absent
  enum class Kind { word, number, absent } kind = Kind::word;
};

/// All of them, in the order of their names.
std::vector<Setting> settings_of(const TopicSpec& spec);

/// Sets one in what a topic is made with. Errors: invalid_argument, with the nearest name or what a value looks like.
Result<void> set(TopicSpec& spec, std::string_view assignment);
/// The same for a topic that is there. Errors: also for what can't change any more.
Result<void> set(TopicChange& change, std::string_view assignment);

/// A line a setting, for the help.
std::string settings_help();

}  // namespace lungo
