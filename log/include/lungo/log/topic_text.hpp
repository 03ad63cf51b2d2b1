// A topic as text, for homes that keep what their topics are in a place of their own. The format is that of `lungo.topics`
// (log/topics_file.hpp), with one topic: a line a setting, by Kafka's names where it has them, and a checksum.
//
// Promise: parse gives back what was formatted, also of the settings that a later minor version added, which are passed over.
// Pure. Threads: any.
#pragma once

#include <string>

#include <lungo/log/event_log.hpp>

namespace lungo {

std::string format_topic(const TopicInfo& topic);

/// `source` names the text in errors. Errors: corrupt; newer_format.
Result<TopicInfo> parse_topic(const std::string& source, BytesView text);

/// What create_topic() refuses in every home. Errors: invalid_argument, saying what is wrong with the name or the settings, by
/// the members of TopicSpec.
Result<void> validate_topic(const TopicSpec& spec);

/// Which setting of a topic differs from what was wanted, e.g. "segment_bytes=512, not 1024", with what is there in front.
/// Empty when none does; partitions and streams count.
std::string topic_difference(const TopicSpec& there, const TopicSpec& wanted);

}  // namespace lungo
