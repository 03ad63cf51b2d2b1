// Durable reading positions: rows of `__lungo_positions`, keyed by reader, topic and partition.
//
// For subscriptions. Written about once a second and at a clean stop; compaction leaves the last one.
// Threads: any.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <lungo/framework/event_store.hpp>

namespace lungo {

using PositionMap = std::map<TopicPartition, Position>;

/// Makes the topic and declares its rows. Errors: as EventStore::declare().
Result<void> prepare_positions(EventStore& store);

/// What was stored for `reader` and those of the partitions that have a row. Errors: as EventLog::read().
Result<PositionMap> load_positions(EventStore& store, std::string_view reader, const std::vector<TopicPartition>& partitions);

/// One append that stores all of `positions`, for who owns these partitions. Errors: as EventLog::to_store().
Result<AppendRequest> positions_append(EventStore& store, std::string_view reader, const PositionMap& positions);

}  // namespace lungo
