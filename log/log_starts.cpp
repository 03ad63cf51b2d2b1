#include "log_starts.hpp"

#include <optional>

#include <lungo/log/text.hpp>
#include "partition_directories.hpp"
#include "partition_lines.hpp"

namespace lungo {

namespace {

constexpr std::string_view kKind = "starts";
constexpr int kMajor = 1;

/// "events-0 105": partition, offset.
std::optional<OffsetsByPartition::value_type> parse_start(std::string_view text) {
  const std::size_t space = text.find(' ');
  if (space == std::string_view::npos) return std::nullopt;
  const std::optional<TopicPartition> partition = parse_partition_name(text.substr(0, space));
  const auto start = parse_number<std::int64_t>(text.substr(space + 1));
  if (!partition || !start || *start < 0) return std::nullopt;
  return OffsetsByPartition::value_type{*partition, Offset{*start}};
}

}  // namespace

std::string format_log_starts(const OffsetsByPartition& starts) {
  Properties properties;
  for (const auto& [partition, start] : starts) {
    properties.push_back({"partition", to_string(partition) + " " + std::to_string(start.value())});
  }
  return format_property_file(kKind, kMajor, properties);
}

Result<OffsetsByPartition> parse_log_starts(const std::string& path, BytesView bytes) {
  return parse_partition_lines<OffsetsByPartition>(kKind, kMajor, path, bytes, parse_start);
}

Result<OffsetsByPartition> read_log_starts(Storage& storage, const std::string& directory) {
  const std::string path = directory + "/" + std::string(kLogStartsFile);
  const Result<Bytes> bytes = read_file(storage, path, kFileBytesMax);
  if (!bytes && bytes.error() != Errc::not_found) return bytes.error();
  if (bytes) {
    Result<OffsetsByPartition> starts = parse_log_starts(path, *bytes);
    if (starts || starts.error() != Errc::corrupt) return starts;
  }
  return read_checkpoint(storage, directory + "/" + std::string(kKafkaLogStartsFile));
}

}  // namespace lungo
