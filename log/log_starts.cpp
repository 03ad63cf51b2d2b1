#include "log_starts.hpp"

#include <optional>

#include <lungo/log/text.hpp>
#include "base/property_file.hpp"

namespace lungo {

namespace {

constexpr std::string_view kKind = "starts";
constexpr int kMajor = 1;

/// "events-0 105": partition, offset.
std::optional<OffsetsByPartition::value_type> parse_start(std::string_view text) {
  const std::size_t space = text.find(' ');
  const std::size_t dash = text.substr(0, space).rfind('-');
  if (space == std::string_view::npos || dash == std::string_view::npos) return std::nullopt;
  const auto partition = parse_number<std::int32_t>(text.substr(dash + 1, space - dash - 1));
  const auto start = parse_number<std::int64_t>(text.substr(space + 1));
  if (!partition || *partition < 0 || !start || *start < 0) return std::nullopt;
  return OffsetsByPartition::value_type{TopicPartition{std::string(text.substr(0, dash)), PartitionId{*partition}},
                                        Offset{*start}};
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
  const Result<Properties> properties = parse_property_file(kKind, kMajor, path, bytes);
  if (!properties) return properties.error();
  OffsetsByPartition starts;
  for (const Property& property : *properties) {
    if (property.key != "partition") continue;
    std::optional<OffsetsByPartition::value_type> start = parse_start(property.value);
    if (!start) return Error{Errc::corrupt, path + ": partition=" + property.value + " can't be"};
    if (!starts.insert(std::move(*start)).second)
      return Error{Errc::corrupt, path + " names a partition twice: " + property.value};
  }
  return starts;
}

}  // namespace lungo
