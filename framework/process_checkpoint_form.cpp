#include "process_checkpoint.hpp"

#include <lungo/log/text.hpp>

namespace lungo {

namespace {

struct FirstProcessCheckpoint {
  static constexpr std::string_view event_name = ProcessCheckpoint::event_name;
  std::int64_t output_end = 0;
  std::string core;
};

}  // namespace

std::string process_checkpoint_key(const ProcessCheckpointName& name) {
  return std::string(kProcessCheckpoints) + name.process + "/" + name.input.topic + "/" +
         std::to_string(name.input.partition.value());
}

std::optional<ProcessCheckpointName> parse_process_checkpoint_key(std::string_view key) {
  if (!key.starts_with(kProcessCheckpoints)) return std::nullopt;
  key.remove_prefix(kProcessCheckpoints.size());
  const std::size_t first = key.find('/');
  const std::size_t last = key.rfind('/');
  if (first == std::string_view::npos || last == first) return std::nullopt;
  const std::optional<std::int32_t> partition = parse_number<std::int32_t>(key.substr(last + 1));
  if (!partition) return std::nullopt;
  return ProcessCheckpointName{std::string(key.substr(0, first)),
                               {std::string(key.substr(first + 1, last - first - 1)), PartitionId{*partition}}};
}

Bytes to_bytes(const ProcessCheckpoint& checkpoint) {
  Bytes bytes;
  encode(checkpoint, bytes);
  return bytes;
}

Result<ProcessCheckpoint> parse_process_checkpoint(BytesView state) {
  ProcessCheckpoint checkpoint;
  const Result<void> decoded = decode(state, checkpoint);
  if (decoded) return checkpoint;
  FirstProcessCheckpoint first;  // bytes of one form break off in the other, or have some left
  if (!decode(state, first)) return decoded.error();
  return ProcessCheckpoint{.output_end = first.output_end, .core = std::move(first.core)};
}

}  // namespace lungo
