// What stands in the epoch of a stored position: a word about the last record below it, by which a later process finds out
// whether the log still has the history that was read. Kafka's records have no epoch that librdkafka shows, so it is free.
//
//   word = 31 bits of a CRC-32C over cluster id, offset and time of that record, and its RecordProof; never 0
//
// Threads: any.
#pragma once

#include <optional>
#include <string_view>

#include <lungo/log/event_log.hpp>
#include <lungo/log/record_proof.hpp>

namespace lungo {

/// The last committed record below `below`; nothing when there is none. Errors: as EventLog::read().
Result<std::optional<RecordProof>> last_record_below(EventLog& log, const TopicPartition& partition, Offset below);

LeaderEpoch proof_word(std::string_view cluster_id, const RecordProof& record);

}  // namespace lungo
