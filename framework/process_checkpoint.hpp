// What a process keeps of one of its partitions as a snapshot (snapshots.hpp), whose position is the input's. For the process
// itself, and for who moves it to another log.
//
//   key   = "process/" NAME "/" TOPIC "/" PARTITION      neither has a "/"
//   state = one of these under the codec; the first form ended behind `core`
//
// Pure. Threads: any.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <lungo/framework/codec.hpp>
#include <lungo/log/types.hpp>

namespace lungo {

inline constexpr std::string_view kProcessCheckpoints = "process/";

struct ProcessCheckpoint {
  static constexpr std::string_view event_name = "lungo.ProcessPartition";
  std::int64_t output_end = 0;
  std::string core;
  std::string output_topic;     // empty in the first form
  std::int64_t id_shift = 0;    // ProcessCoreOptions::id_shift
  bool sends_commands = false;  // has sent one, ever
};

struct ProcessCheckpointName {
  std::string process;
  TopicPartition input;
};

std::string process_checkpoint_key(const ProcessCheckpointName& name);
/// Nothing for another snapshot's.
std::optional<ProcessCheckpointName> parse_process_checkpoint_key(std::string_view key);

Bytes to_bytes(const ProcessCheckpoint& checkpoint);
/// Either form. Errors: undecodable.
Result<ProcessCheckpoint> parse_process_checkpoint(BytesView state);

}  // namespace lungo
