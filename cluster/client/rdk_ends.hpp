// Where partitions begin and end, as their leaders say. For rdk_*.cpp alone.
//
// Promise: whoever leads a partition now is asked. librdkafka keeps the leaders it has once heard of for minutes and asks a
// dead one for as long as `socket.timeout.ms` (rd_kafka_query_watermark_offsets, 2.0.2: without regard to its time-out); here a
// broker is asked for the leaders first, and the call that is used ends in time.
#pragma once

#include <span>
#include <vector>

#include <lungo/log/result.hpp>
#include <lungo/log/types.hpp>

#include "client/rdk_client.hpp"

namespace lungo::rdk {

enum class End : std::int8_t {
  first,  // the first offset that is there
  last,   // behind the last record: the high watermark or the last stable offset, by `isolation.level` of the handle
};

/// In the order of `partitions`. Blocks up to `timeout` for the topics, and up to `timeout` for each leader that does not
/// answer. Errors of a row: not_found; timed_out, also where it has no leader.
std::vector<Result<Offset>> ends(const Client& client, std::span<const TopicPartition> partitions, End end, Duration timeout);

}  // namespace lungo::rdk
