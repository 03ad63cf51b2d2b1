#include "checkpoint_file.hpp"

#include <optional>

#include <lungo/log/text.hpp>

#include "partition_directories.hpp"

namespace lungo {

namespace {

/// Takes a number that ends before `end` off the front of `rest`, and the `end` too.
template <class T>
std::optional<T> take_field(std::string_view& rest, char end) {
  const std::optional<T> number = take_number<T>(rest);
  if (!number || !rest.starts_with(end)) return std::nullopt;
  rest.remove_prefix(1);
  return number;
}

}  // namespace

std::string format_checkpoint(const OffsetsByPartition& offsets) {
  std::string text = "0\n" + std::to_string(offsets.size()) + "\n";
  for (const auto& [partition, offset] : offsets) {
    text += partition.topic + " " + std::to_string(partition.partition.value()) + " " + std::to_string(offset.value()) + "\n";
  }
  return text;
}

Result<OffsetsByPartition> parse_checkpoint(const std::string& path, BytesView bytes) {
  std::string_view rest = as_text(bytes);
  const Error damaged{Errc::corrupt, path + " is not a checkpoint file"};
  const std::optional<int> version = take_field<int>(rest, '\n');
  if (!version) return damaged;
  if (*version > 0) return Error{Errc::newer_format, path + " has version " + std::to_string(*version) + ", expected 0"};
  const std::optional<std::size_t> count = take_field<std::size_t>(rest, '\n');
  if (!count) return damaged;

  OffsetsByPartition offsets;
  while (!rest.empty()) {
    const std::size_t space = rest.find(' ');
    if (space == std::string_view::npos) return damaged;
    const std::string topic(rest.substr(0, space));
    rest.remove_prefix(space + 1);
    const std::optional<std::int32_t> partition = take_field<std::int32_t>(rest, ' ');
    if (!partition) return damaged;
    const std::optional<std::int64_t> offset = take_field<std::int64_t>(rest, '\n');
    if (!offset || *offset < 0) return damaged;
    offsets[TopicPartition{topic, PartitionId{*partition}}] = Offset{*offset};
  }
  if (offsets.size() != *count) return damaged;
  return offsets;
}

Result<OffsetsByPartition> read_checkpoint(Storage& storage, const std::string& path) {
  const Result<Bytes> bytes = read_file(storage, path, kFileBytesMax);
  if (!bytes && bytes.error() == Errc::not_found) return OffsetsByPartition{};
  return bytes ? parse_checkpoint(path, *bytes) : Result<OffsetsByPartition>{bytes.error()};
}

}  // namespace lungo
