#include "partition_directories.hpp"

#include <algorithm>

#include <lungo/log/text.hpp>

namespace lungo {

namespace {

constexpr std::string_view kDeletedPartition = "-delete";
constexpr std::size_t kIdDigits = 32;
constexpr std::size_t kFileNameMax = 255;
constexpr std::string_view kHexDigits = "0123456789abcdef";

}  // namespace

TopicId random_topic_id(Randomness& random) {
  TopicId id;
  do {
    random.fill(std::as_writable_bytes(std::span{id.bytes}));
    id.bytes[6] = static_cast<std::uint8_t>((id.bytes[6] & 0x0f) | 0x40);  // a random UUID, RFC 4122
    id.bytes[8] = static_cast<std::uint8_t>((id.bytes[8] & 0x3f) | 0x80);
  } while (to_string(id).starts_with('-'));  // as Kafka: command lines take such an id for an option
  return id;
}

bool is_partition_name(std::string_view name) {
  const std::size_t dash = name.rfind('-');
  return dash != std::string_view::npos && dash + 1 < name.size() &&
         name.find_first_not_of("0123456789", dash + 1) == std::string_view::npos;
}

std::optional<TopicPartition> parse_partition_name(std::string_view name) {
  if (!is_partition_name(name)) return std::nullopt;
  const std::size_t dash = name.rfind('-');
  const auto partition = parse_number<std::int32_t>(name.substr(dash + 1));
  if (!partition) return std::nullopt;
  return TopicPartition{std::string(name.substr(0, dash)), PartitionId{*partition}};
}

std::string deleted_name(std::string_view name, const TopicId& topic) {
  const std::size_t dash = name.rfind('-');
  std::string suffix(name.substr(dash));
  suffix += '.';
  for (const std::uint8_t byte : topic.bytes) {
    suffix += kHexDigits[byte >> 4];
    suffix += kHexDigits[byte & 0x0f];
  }
  suffix += kDeletedPartition;
  return std::string(name.substr(0, std::min(dash, kFileNameMax - suffix.size()))) + suffix;
}

bool is_deleted_name(std::string_view name) {
  if (!name.ends_with(kDeletedPartition)) return false;
  name.remove_suffix(kDeletedPartition.size());
  if (name.size() <= kIdDigits || name[name.size() - kIdDigits - 1] != '.') return false;
  return name.find_first_not_of(kHexDigits, name.size() - kIdDigits) == std::string_view::npos &&
         is_partition_name(name.substr(0, name.size() - kIdDigits - 1));
}

bool holds_records(const std::vector<DirEntry>& files) {
  return std::ranges::any_of(files, [](const DirEntry& entry) { return entry.name != kPartitionMetadataFile; });
}

}  // namespace lungo
