// `lungo.topics`: the topics of a data directory with all their settings; and Kafka's `partition.metadata`.
//
// A property file (base/property_file.hpp) of kind "topics", version 1. A `topic` line begins a topic, the lines up to the next
// one are its settings; the order of the topics is the order of their creation and never changes:
//
//   lungo-topics 1
//   topic=events
//   id=Rk9vQmFyQmF6UXV4MTIzNA
//   partitions=4
//   streams=1
//   compact=0
//   ack.level=isr+sync
//   flush.interval.ms=5
//   segment.bytes=67108864
//   crc32c=...
#pragma once

#include <string>
#include <vector>

#include <lungo/log/event_log.hpp>
#include "base/property_file.hpp"

namespace lungo {

struct TopicEntry {
  TopicInfo info;
  Properties unknown;  // settings of a newer minor version, kept
};

/// Errors: invalid_argument, saying what is wrong with the name or the settings.
Result<void> validate(const TopicSpec& spec);

std::string format_topics(const std::vector<TopicEntry>& topics);

/// Errors: corrupt, newer_format.
Result<std::vector<TopicEntry>> parse_topics(const std::string& path, BytesView bytes);

/// The 22 characters of to_string(TopicId), back. Errors: corrupt.
Result<TopicId> parse_topic_id(std::string_view text);

/// "version: 0\ntopic_id: ...\n", as Kafka keeps it in each partition's directory.
std::string format_partition_metadata(const TopicId& id);
/// Errors: corrupt.
Result<TopicId> parse_partition_metadata(const std::string& path, BytesView bytes);

}  // namespace lungo
