// What a directory of Apache Kafka's holds, as its file names and small files say it.
//
//   TOPIC-PARTITION/partition.metadata   the topic's id
//   meta.properties                      text, KEY=VALUE lines; version=1: a broker's directory. Not needed
//
// Left out: `__cluster_metadata`, which is the controllers' own; directories of topics that are being deleted, or moved from
// another directory (names that end in -delete, -future, -stray).
#pragma once

#include <string>
#include <vector>

#include <lungo/log/storage.hpp>

#include "topics_file.hpp"

namespace lungo {

/// The topics, by name. Errors: invalid_argument for a topic whose partitions here are not 0 to n-1, or have different ids;
/// corrupt for a partition without a readable partition.metadata; newer_format for another version of the directory; io.
Result<std::vector<TopicEntry>> find_kafka_topics(Storage& storage, const std::string& directory);

}  // namespace lungo
