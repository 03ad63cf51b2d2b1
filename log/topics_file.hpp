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
//   segment.ms=86400000
//   retention.ms=604800000
//   retention.bytes=1073741824
//   tail.places=0+4
//   crc32c=...
//
// The settings behind `compact` are those of setting_table.hpp, in its order. The first three stand there always, the others
// where they are not what a TopicSpec begins with: the three before `tail.places` only where there is such a limit. A Lungo
// that does not know one keeps it, and the records.
//
// `gaps=1`, behind `retention.bytes`, stands where Apache Kafka wrote records of the topic: offsets may be missing.
//
// `tail.places=FIRST+COUNT[,FIRST+COUNT]*` names the places of the topic's partitions in the tail page (tail_page.hpp), in
// their order: a topic that goes or grows moves no other topic's. Version 1 all the same: who does not know the line can't read
// such a page, and keeps the line; the topics that it adds, without one, get their places by give_tail_places().
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <lungo/log/event_log.hpp>
#include "base/property_file.hpp"

namespace lungo {

/// Neighbours in the tail page.
struct TailPlaces {
  std::size_t first = 0;
  std::size_t count = 0;
  [[nodiscard]] std::size_t end() const { return first + count; }
  friend bool operator==(const TailPlaces&, const TailPlaces&) = default;
};

struct TopicEntry {
  TopicInfo info;
  bool gaps = false;                    // offsets may be missing, also where the topic isn't compacted: Apache Kafka wrote it
  Properties unknown;                   // settings of a newer minor version, kept
  std::vector<TailPlaces> tail_places;  // as many as there are partitions, or none: not given yet

  /// Somewhere; the last segment of what was appended here has none.
  [[nodiscard]] bool may_have_gaps() const { return gaps || info.spec.compact; }
  [[nodiscard]] bool has_dense_end() const { return info.spec.compact && !gaps; }
};

/// One past the highest place of any topic.
std::size_t tail_places_end(const std::vector<TopicEntry>& topics);
/// Gives the topic `count` more, above all others' and at or above `from`.
void give_more_tail_places(const std::vector<TopicEntry>& topics, TopicEntry& to, std::size_t count, std::size_t from);
/// Gives those without places the ones at or above `from` that are above all others', in the order of the topics.
void give_tail_places(std::vector<TopicEntry>& topics, std::size_t from);
/// The place of each partition.
std::vector<std::size_t> tail_place_numbers(const TopicEntry& topic);

/// Errors: invalid_argument, saying what is wrong with the name or the settings, by the members of TopicSpec.
Result<void> validate(const TopicSpec& spec);
/// Errors: as validate().
Result<TopicSpec> changed(TopicSpec spec, const TopicChange& change);

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
