// What a target has of a topic: how far each partition was exported, and what lies there that is none of ours. Threads: any.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "export_names.hpp"
#include "export_target.hpp"
#include "span_list.hpp"

namespace lungo::exporting {

struct TopicFile {
  FileName name;
  std::string path;
};

struct TopicFiles {
  std::vector<TopicFile> files;           // by path
  std::map<PartitionId, SpanList> spans;  // of partitions that have files
  std::vector<std::string> foreign;       // paths of files and folders that are not ours
};

/// Nothing, where the topic has no folder. Errors: io.
Result<TopicFiles> files_of(ExportTarget& target, std::string_view topic);

}  // namespace lungo::exporting
