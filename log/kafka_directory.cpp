#include "kafka_directory.hpp"

#include <algorithm>
#include <map>

#include <lungo/log/text.hpp>

#include "base/logger.hpp"
#include "log_dir.hpp"
#include "tail_page.hpp"

namespace lungo {
namespace {

constexpr std::string_view kMetaProperties = "meta.properties";
constexpr std::string_view kPartitionMetadata = "partition.metadata";
constexpr std::string_view kControllersTopic = "__cluster_metadata";
constexpr std::uint64_t kKafkaBytesMax = 1u << 20;

/// TOPIC-PARTITION; nothing for any other name.
std::optional<TopicPartition> partition_in(std::string_view name) {
  const std::size_t dash = name.rfind('-');
  if (dash == std::string_view::npos || dash == 0) return std::nullopt;
  const auto number = parse_number<std::int32_t>(name.substr(dash + 1));
  if (!number || *number < 0 || std::to_string(*number) != name.substr(dash + 1)) return std::nullopt;
  return TopicPartition{std::string(name.substr(0, dash)), PartitionId{*number}};
}

Result<void> check_version(Storage& storage, const std::string& path) {
  const Result<Bytes> bytes = read_file(storage, path, kKafkaBytesMax);
  if (!bytes) return bytes.error() == Errc::not_found ? Result<void>{} : bytes.error();
  std::string_view rest = as_text(*bytes);
  while (!rest.empty()) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    if (line.starts_with("version=") && line != "version=1" && line != "version=0") {
      return Error{Errc::newer_format, path + " has " + std::string(line) + ", expected version=1"};
    }
  }
  return {};
}

std::string list_of(const std::map<std::int32_t, TopicId>& partitions) {
  constexpr std::size_t kShown = 10;
  std::string text;
  std::size_t shown = 0;
  for (const auto& [partition, id] : partitions) {
    if (shown++ == kShown) return text + ", ...";
    text += (text.empty() ? "" : ", ") + std::to_string(partition);
  }
  return text;
}

/// `partitions` is not empty.
Result<TopicEntry> entry_for(const std::string& name, const std::map<std::int32_t, TopicId>& partitions) {
  const auto refused = [&](const std::string& why) { return Error{Errc::invalid_argument, "topic \"" + name + "\": " + why}; };
  const auto count = static_cast<std::int32_t>(partitions.size());
  if (partitions.rbegin()->first != count - 1) {
    return refused("the directory holds partitions " + list_of(partitions) + " of at least " +
                   std::to_string(partitions.rbegin()->first + 1) + "; the others lie elsewhere and have to be brought here");
  }
  const TopicId& id = partitions.begin()->second;
  for (const auto& [partition, other] : partitions) {
    if (other != id) return refused("partition " + std::to_string(partition) + " is of another topic of that name");
  }
  TopicEntry entry;
  entry.info.spec.name = name;
  entry.info.spec.partitions = count;
  entry.info.id = id;
  entry.gaps = true;
  if (Result<void> valid = validate(entry.info.spec); !valid) return valid.error();
  return entry;
}

}  // namespace

Result<std::vector<TopicEntry>> find_kafka_topics(Storage& storage, const std::string& directory) {
  if (Result<void> known = check_version(storage, directory + "/" + std::string(kMetaProperties)); !known) return known.error();
  const Result<std::vector<DirEntry>> entries = storage.list(directory);
  if (!entries) return entries.error();
  std::map<std::string, std::map<std::int32_t, TopicId>> topics;
  for (const DirEntry& entry : *entries) {
    const std::optional<TopicPartition> partition = entry.is_directory ? partition_in(entry.name) : std::nullopt;
    if (!partition || partition->topic == kControllersTopic) continue;
    const std::string path = directory + "/" + entry.name + "/" + std::string(kPartitionMetadata);
    const Result<Bytes> bytes = read_file(storage, path, kKafkaBytesMax);
    if (!bytes && bytes.error() == Errc::not_found) {
      return Error{Errc::corrupt, path + " is missing: Apache Kafka writes it since version 2.8"};
    }
    if (!bytes) return bytes.error();
    const Result<TopicId> id = parse_partition_metadata(path, *bytes);
    if (!id) return id.error();
    topics[partition->topic].emplace(partition->partition.value(), *id);
  }
  std::vector<TopicEntry> found;
  for (const auto& [name, partitions] : topics) {
    Result<TopicEntry> entry = entry_for(name, partitions);
    if (!entry) return entry.error();
    found.push_back(std::move(*entry));
  }
  return found;
}

Result<std::vector<TopicInfo>> LogDir::adopt_kafka(Storage& storage, Randomness& random, const std::string& path) {
  const Result<std::vector<DirEntry>> is_there = storage.list(path);
  if (!is_there) return is_there.error();
  LogDir dir(storage, path);
  if (Result<void> locked = dir.lock(random); !locked) return locked.error();
  if (Result<void> is_new = dir.check_is_not_ours(); !is_new) return is_new.error();
  Result<std::vector<TopicEntry>> topics = find_kafka_topics(storage, path);
  if (!topics) return topics.error();
  if (topics->empty()) return Error{Errc::not_found, path + " holds no partition of Apache Kafka's"};
  give_tail_places(*topics, 0);
  if (tail_places_end(*topics) > kTailPlacesMax) {
    return Error{Errc::invalid_argument, path + " holds more partitions than a directory has room for"};
  }
  // The topics last: it is with them that the directory is Lungo's.
  if (Result<void> made = dir.make_id(random); !made) return made.error();
  if (Result<void> written = dir.write_meta(LeaderEpoch{0}); !written) return written.error();
  if (Result<void> written = dir.write_topics(*topics); !written) return written.error();
  std::vector<TopicInfo> infos;
  for (const TopicEntry& topic : *topics) infos.push_back(topic.info);
  logger()->info("{} adopted from Apache Kafka topics={}", path, infos.size());
  return infos;
}

}  // namespace lungo
