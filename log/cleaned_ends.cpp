#include "cleaned_ends.hpp"

#include <optional>

#include <lungo/log/text.hpp>

#include "partition_directories.hpp"
#include "partition_lines.hpp"

namespace lungo {

namespace {

constexpr std::string_view kKind = "cleaned";
constexpr int kMajor = 1;

/// "prices-0 4100 300": partition, end, again.
std::optional<CleanedEnds::value_type> parse_end(std::string_view text) {
  const std::size_t first = text.find(' ');
  const std::size_t second = first == std::string_view::npos ? first : text.find(' ', first + 1);
  if (second == std::string_view::npos) return std::nullopt;
  const std::optional<TopicPartition> partition = parse_partition_name(text.substr(0, first));
  const auto end = parse_number<std::int64_t>(text.substr(first + 1, second - first - 1));
  const auto again = parse_number<std::int64_t>(text.substr(second + 1));
  if (!partition || !end || !again || *again < 0 || *again > *end) return std::nullopt;
  return CleanedEnds::value_type{*partition, {Offset{*end}, Offset{*again}}};
}

}  // namespace

std::string format_cleaned_ends(const CleanedEnds& ends) {
  Properties properties;
  for (const auto& [partition, cleaned] : ends) {
    properties.push_back({"partition", to_string(partition) + " " + std::to_string(cleaned.end.value()) + " " +
                                           std::to_string(cleaned.again.value())});
  }
  return format_property_file(kKind, kMajor, properties);
}

Result<CleanedEnds> parse_cleaned_ends(const std::string& path, BytesView bytes) {
  return parse_partition_lines<CleanedEnds>(kKind, kMajor, path, bytes, parse_end);
}

}  // namespace lungo
