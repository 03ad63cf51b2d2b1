#include <lungo/log/topic_text.hpp>

#include "setting_table.hpp"
#include "topics_file.hpp"

namespace lungo {

std::string format_topic(const TopicInfo& topic) { return format_topics({TopicEntry{.info = topic}}); }

Result<TopicInfo> parse_topic(const std::string& source, BytesView text) {
  Result<std::vector<TopicEntry>> topics = parse_topics(source, text);
  if (!topics) return topics.error();
  if (topics->size() != 1)
    return Error{Errc::corrupt, source + " names " + std::to_string(topics->size()) + " topics, not one"};
  return topics->front().info;
}

Result<void> validate_topic(const TopicSpec& spec) { return validate(spec); }

std::string topic_difference(const TopicSpec& there, const TopicSpec& wanted) {
  return difference(there, wanted, SettingStyle::code);
}

}  // namespace lungo
