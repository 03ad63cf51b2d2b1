#include "tests/golden/golden_directory.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

#include <lungo/framework/partition_reader.hpp>

namespace lungo::golden {

namespace {

namespace fs = std::filesystem;

std::map<std::string, std::string> files_below(const fs::path& folder) {
  std::map<std::string, std::string> files;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(folder)) {
    if (!entry.is_regular_file()) continue;
    std::ifstream file(entry.path(), std::ios::binary);
    files.emplace(fs::relative(entry.path(), folder).string(), std::string(std::istreambuf_iterator<char>(file), {}));
  }
  return files;
}

Result<void> describe_partition(EventStore& store, const TopicInfo& topic, PartitionId partition,
                                std::vector<std::string>& lines) {
  PartitionReader reader{store.log(), topic, Position{topic.id, partition, Offset{0}, kNoEpoch}};
  while (true) {
    const Result<const Envelope*> next = reader.next();
    if (!next) return next.error();
    if (*next == nullptr) return {};
    const Envelope& envelope = **next;
    if (!envelope.shape) return Error{Errc::undecodable, "a record without a shape", envelope.offset};
    const Result<std::shared_ptr<const Shape>> shape = store.shapes().find(*envelope.shape);
    if (!shape) return shape.error();
    const Result<std::string> json = to_json(**shape, envelope.payload);
    if (!json) return json.error();
    lines.push_back(std::to_string(partition.value()) + " " + std::to_string(envelope.offset.value()) + " " +
                    std::string(envelope.stream) + " " + std::string(envelope.type) + " " + *json);
  }
}

}  // namespace

std::vector<std::string> golden_names() {
  std::vector<std::string> names;
  for (const fs::directory_entry& entry : fs::directory_iterator(LUNGO_GOLDEN_DIRECTORIES)) {
    names.push_back(entry.path().filename().string());
  }
  std::ranges::sort(names);
  return names;
}

GoldenDirectory::GoldenDirectory(std::string_view name)
    : committed_(std::string(LUNGO_GOLDEN_DIRECTORIES) + "/" + std::string(name)) {
  fs::copy(fs::path(committed_) / "data", path(), fs::copy_options::recursive);
  std::ifstream file(fs::path(committed_) / "events.txt");
  for (std::string line; std::getline(file, line);) lines_.push_back(line);
}

std::map<std::string, std::string> GoldenDirectory::files() const { return files_below(path()); }

std::map<std::string, std::string> GoldenDirectory::committed_files() const { return files_below(committed_ + "/data"); }

Result<std::shared_ptr<EventLog>> GoldenDirectory::try_open(bool read_only) const {
  LocalOptions options;
  options.read_only = read_only;
  return open_local(path(), options);
}

EventStore GoldenDirectory::open(bool read_only) const { return EventStore{try_open(read_only).value()}; }

Result<std::vector<std::string>> describe_records(EventStore& store, std::string_view topic_name) {
  const Result<TopicInfo> topic = store.topic(topic_name);
  if (!topic) return topic.error();
  std::vector<std::string> lines;
  for (std::int32_t i = 0; i < topic->spec.partitions; ++i) {
    Result<void> described = describe_partition(store, *topic, PartitionId{i}, lines);
    if (!described) return described.error().with_context(std::string(topic_name) + "-" + std::to_string(i));
  }
  return lines;
}

}  // namespace lungo::golden
