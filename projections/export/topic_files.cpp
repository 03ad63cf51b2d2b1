#include "topic_files.hpp"

#include <algorithm>

#include "export_hours.hpp"

namespace lungo::exporting {

namespace {

constexpr std::string_view kFailed = "_failed";

class Walk {
 public:
  Walk(ExportTarget& target, std::string_view topic) : target_(target), topic_(topic) {}

  /// `inside` is the path below the topic's folder, which `folder` is the whole of.
  Result<void> look(const std::string& folder, const std::string& inside) {
    const Result<std::vector<TargetEntry>> entries = target_.list(folder);
    if (!entries) return entries.error();
    const bool has_files = inside == kFailed || HourFolders::grain_of(inside);
    for (const TargetEntry& entry : *entries) {
      const std::string path = folder + "/" + entry.name;
      const std::string below = inside.empty() ? entry.name : inside + "/" + entry.name;
      if (entry.is_folder && leads_on(below)) {
        if (Result<void> looked = look(path, below); !looked) return looked;
        continue;
      }
      const std::optional<FileName> file = has_files && !entry.is_folder ? parse_file_name(topic_, entry.name) : std::nullopt;
      if (file) {
        found_.spans[file->span.partition].add({file->span.first, file->span.end});
        found_.files.push_back({*file, path});
      } else {
        found_.foreign.push_back(path);
      }
    }
    return {};
  }
  TopicFiles found() { return std::move(found_); }

 private:
  static bool leads_on(std::string_view below) { return below == kFailed || HourFolders::is_on_the_way(below); }

  ExportTarget& target_;
  const std::string_view topic_;
  TopicFiles found_;
};

}  // namespace

Result<TopicFiles> files_of(ExportTarget& target, std::string_view topic) {
  Walk walk{target, topic};
  const Result<void> looked = walk.look(folder_of(topic), {});
  if (!looked && looked.error() != Errc::not_found) return looked.error();
  return walk.found();
}

}  // namespace lungo::exporting
