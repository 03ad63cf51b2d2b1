// The partitions' directories in a data directory: their names, also those of deleted topics' on their way out, and what is in
// one before its partition is opened.
//
//   TOPIC-PARTITION                  a partition
//   TOPIC-PARTITION.HEX32-delete     one of a deleted topic with that id, as Kafka names it; nobody reads it, it may go any
//   time
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <lungo/log/ports.hpp>

namespace lungo {

inline constexpr std::string_view kTopicsFile = "lungo.topics";
inline constexpr std::string_view kPartitionMetadataFile = "partition.metadata";
/// Of a file of the data directory: 100,000 partitions take about 5 MB.
inline constexpr std::uint64_t kFileBytesMax = 256u << 20;

TopicId random_topic_id(Randomness& random);

/// TOPIC-PARTITION.
bool is_partition_name(std::string_view name);
/// The partition of that name. Nothing when it is none.
std::optional<TopicPartition> parse_partition_name(std::string_view name);
/// What the directory `name`, which is_partition_name(), is called when its topic is gone. At most 255 characters: the front of
/// a longer name is left out.
std::string deleted_name(std::string_view name, const TopicId& topic);
bool is_deleted_name(std::string_view name);

/// True unless these are the files of a partition that was never opened: a crash inside create_topic() leaves such directories,
/// which nothing names.
bool holds_records(const std::vector<DirEntry>& files);

}  // namespace lungo
