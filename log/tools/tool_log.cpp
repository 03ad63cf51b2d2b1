#include "tool_log.hpp"

#include <array>
#include <cstdio>
#include <filesystem>

#include <lungo/log/local_event_log.hpp>
#include <lungo/log/printed.hpp>
#include <lungo/log/tool_directory.hpp>

namespace lungo {
namespace {

constexpr std::string_view kOption = "--dir";

Result<std::shared_ptr<EventLog>> open_writer(const std::string& directory) {
  Result<std::shared_ptr<EventLog>> log = open_local(directory);
  if (log || log.error() != Errc::locked) return log;
  return Error{Errc::locked, std::string(log.error().text()) +
                                 "; one process at a time writes a data directory: stop that one, or let it do this. "
                                 "topics list, topics describe, consume, dump, stat, verify and backup work beside it"};
}

/// Whether something lies there that a data directory would get mixed with.
bool has_other_files(const std::string& directory) {
  std::error_code problem;
  for (const std::filesystem::directory_entry& entry : std::filesystem::directory_iterator(directory, problem)) {
    const std::string name = entry.path().filename();
    if (name == "lungo.meta" || name == "lungo.topics") return false;
  }
  for (const std::filesystem::directory_entry& entry : std::filesystem::directory_iterator(directory, problem)) {
    const std::string name = entry.path().filename();
    if (name != ".lock" && name != "lungo.meta.tmp" && name != "lost+found") return true;
  }
  return false;
}

}  // namespace

Result<std::shared_ptr<EventLog>> open_to_write(const std::string& directory) {
  Result<void> checked = check_is_data_directory(directory, kOption);
  if (!checked)
    return Error{checked.error().code(),
                 std::string(checked.error().text()) + "; `lungo log topics create NAME --dir DIR` makes one"};
  return open_writer(directory);
}

Result<std::shared_ptr<EventLog>> open_or_make(const std::string& directory) {
  if (has_other_files(directory))
    return Error{Errc::already_exists, directory + " has files that are not a data directory's; name an empty or a new one"};
  return open_writer(directory);
}

Result<std::shared_ptr<EventLog>> open_to_read(const std::string& directory) { return open_to_look_at(directory, kOption); }

std::string near_names(const std::string& name, const std::vector<std::string>& known) {
  constexpr std::size_t kShown = 20;
  if (known.empty()) return "; there are none";
  std::string text;
  if (const std::optional<std::string> meant = nearest(name, known)) text = "; did you mean " + *meant + "?";
  text += text.empty() ? "; there are" : " There are";
  for (std::size_t i = 0; i < known.size() && i < kShown; ++i) text += (i == 0 ? " " : ", ") + known[i];
  if (known.size() > kShown) text += " and " + std::to_string(known.size() - kShown) + " more";
  return text;
}

Result<TopicInfo> find_topic(EventLog& log, const std::string& name) {
  Result<std::vector<TopicInfo>> topics = log.topics();
  if (!topics) return topics.error();
  std::vector<std::string> known;
  for (const TopicInfo& topic : *topics) {
    if (topic.spec.name == name) return topic;
    known.push_back(topic.spec.name);
  }
  return Error{Errc::not_found, "no topic " + name + near_names(name, known)};
}

Result<std::vector<TopicInfo>> find_topics(EventLog& log, const std::vector<std::string>& names) {
  if (names.empty()) return log.topics();
  std::vector<TopicInfo> topics;
  for (const std::string& name : names) {
    Result<TopicInfo> topic = find_topic(log, name);
    if (!topic) return topic.error();
    topics.push_back(*topic);
  }
  return topics;
}

Result<std::vector<TopicPartition>> partitions_of(const TopicSpec& topic, const std::vector<std::int32_t>& wanted) {
  std::vector<TopicPartition> partitions;
  for (const std::int32_t number : wanted) {
    if (number < 0 || number >= topic.partitions)
      return Error{Errc::invalid_argument, "topic " + topic.name + " has no partition " + std::to_string(number) +
                                               "; it has 0 to " + std::to_string(topic.partitions - 1)};
    const auto is_it = [number](const TopicPartition& there) { return there.partition == PartitionId{number}; };
    if (std::ranges::none_of(partitions, is_it)) partitions.push_back({topic.name, PartitionId{number}});
  }
  for (std::int32_t number = 0; wanted.empty() && number < topic.partitions; ++number)
    partitions.push_back({topic.name, PartitionId{number}});
  return partitions;
}

std::string counted(std::uint64_t count, const std::string& noun) {
  return std::to_string(count) + ' ' + noun + (count == 1 ? "" : "s");
}

std::string size_text(std::uint64_t bytes) {
  constexpr std::array kUnits{"KiB", "MiB", "GiB", "TiB"};
  if (bytes < 1024) return std::to_string(bytes) + " B";
  double size = static_cast<double>(bytes) / 1024;
  std::size_t unit = 0;
  for (; size >= 1024 && unit + 1 < kUnits.size(); ++unit) size /= 1024;
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.1f %s", size, kUnits[unit]);
  return text.data();
}

}  // namespace lungo
