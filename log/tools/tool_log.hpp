// How the commands of `lungo log` come to a log and its topics, with words that tell the user what to do next. Threads: one.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <lungo/log/event_log.hpp>

namespace lungo {

/// What all commands have.
struct ToolOptions {
  std::string directory = "data";
  bool json = false;
};

/// For writing, in a data directory that is there. Errors: as check_is_data_directory() and open_local().
Result<std::shared_ptr<EventLog>> open_to_write(const std::string& directory);
/// The same, and makes the directory where there is none. Errors: already_exists for one with other files.
Result<std::shared_ptr<EventLog>> open_or_make(const std::string& directory);
/// To look at. Errors: as open_to_look_at().
Result<std::shared_ptr<EventLog>> open_to_read(const std::string& directory);

/// Errors: not_found, naming what is there.
Result<TopicInfo> find_topic(EventLog& log, const std::string& name);
/// Those of these names, or all where none is named. Errors: as find_topic().
Result<std::vector<TopicInfo>> find_topics(EventLog& log, const std::vector<std::string>& names);
/// "; did you mean X? There are X, Y"
std::string near_names(const std::string& name, const std::vector<std::string>& known);

/// Those of the topic that `wanted` names, or all. Errors: invalid_argument for one that it does not have.
Result<std::vector<TopicPartition>> partitions_of(const TopicSpec& topic, const std::vector<std::int32_t>& wanted);

/// "1 record", "2 records"
std::string counted(std::uint64_t count, const std::string& noun);
/// "4.2 MiB"
std::string size_text(std::uint64_t bytes);

}  // namespace lungo
