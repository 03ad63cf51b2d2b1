#include "import/import_progress.hpp"

#include <algorithm>

#include <lungo/framework/event_decoder.hpp>
#include <lungo/framework/partition_reader.hpp>

namespace tracker {
namespace {

using lungo::Result;

std::string partition_name(const ImportProgress& record) { return record.topic + "-" + std::to_string(record.partition); }

}  // namespace

Result<ProgressBook> ProgressBook::open(lungo::EventStore store) {
  const lungo::TopicSpec spec{.name = std::string{kProgressTopic}, .partitions = 1, .compact = true};
  Result<lungo::TopicInfo> made = store.log().create_topic(spec);
  if (!made) return made.error();
  ProgressBook book{std::move(store)};
  Result<void> loaded = book.load();
  if (!loaded) return loaded.error();
  return book;
}

Result<void> ProgressBook::load() {
  Result<lungo::TopicInfo> topic = store_.topic(kProgressTopic);
  if (!topic) return topic.error();
  lungo::EventDecoder decoder{store_.shapes()};
  decoder.add<ImportProgress>();
  decoder.add<SecretCheck>();
  Result<lungo::Ends> ends = store_.log().ends({topic->spec.name, lungo::PartitionId{0}});
  if (!ends) return ends.error();
  lungo::PartitionReader reader{store_.log(), *topic, {topic->id, lungo::PartitionId{0}, ends->start, lungo::kNoEpoch}};
  while (true) {
    Result<const lungo::Envelope*> next = reader.next();
    if (!next) return next.error();
    if (*next == nullptr) return {};
    Result<lungo::Decoded> decoded = decoder.decode(**next);
    if (!decoded) return decoded.error();
    if (decoded->event == nullptr) continue;
    if ((*next)->type == lungo::event_name<SecretCheck>()) {
      secret_check_ = *static_cast<const SecretCheck*>(decoded->event);
      continue;
    }
    const auto& record = *static_cast<const ImportProgress*>(decoded->event);
    files_[record.file][partition_name(record)] = record;
    set_path(record.file, record.path);
  }
}

void ProgressBook::set_path(const std::string& file, const std::string& path) {
  path_of_[file] = path;
  file_of_[path] = file;
}

std::optional<std::string> ProgressBook::last_file_of(const std::string& path) const {
  const auto file = file_of_.find(path);
  if (file == file_of_.end() || path_of_.at(file->second) != path) return std::nullopt;
  return file->second;
}

std::vector<std::string> ProgressBook::files_like(std::string_view fingerprint) const {
  std::vector<std::string> files;
  for (const auto& [file, records] : files_) {
    if (file == fingerprint || (file.starts_with(fingerprint) && file.at(fingerprint.size()) == '-')) files.push_back(file);
  }
  return files;
}

std::map<std::string, std::uint64_t> ProgressBook::files_begun_in_first_line() const {
  std::map<std::string, std::uint64_t> files;
  for (const auto& [file, records] : files_) {
    const std::uint64_t bytes = records.begin()->second.first_line_bytes;
    if (bytes > 0) files[file] = bytes;
  }
  return files;
}

std::vector<ImportProgress> ProgressBook::of(const std::string& file) const {
  std::vector<ImportProgress> records;
  const auto found = files_.find(file);
  if (found == files_.end()) return records;
  for (const auto& [partition, record] : found->second) records.push_back(record);
  return records;
}

Result<void> ProgressBook::write(const std::vector<ImportProgress>& records) {
  Result<lungo::EventBatch> batch = store_.batch(kProgressTopic);
  if (!batch) return batch.error();
  for (const ImportProgress& record : records) {
    Result<void> added = batch->add(record.file + "/" + partition_name(record), record);
    if (!added) return added;
  }
  Result<std::vector<lungo::Commit>> written = store_.append_wait(std::move(*batch));
  if (!written) return written.error();
  for (const ImportProgress& record : records) files_[record.file][partition_name(record)] = record;
  return {};
}

Result<void> ProgressBook::write(SecretCheck check) {
  Result<lungo::EventBatch> batch = store_.batch(kProgressTopic);
  if (!batch) return batch.error();
  Result<void> added = batch->add("secret-check", check);
  if (!added) return added;
  Result<std::vector<lungo::Commit>> written = store_.append_wait(std::move(*batch));
  if (!written) return written.error();
  secret_check_ = check;
  return {};
}

ProgressBook::Totals ProgressBook::totals() const {
  Totals totals;
  for (const auto& [file, records] : files_) {
    // The records of a file are written together; the least advanced one is what is certain.
    const auto least = std::min_element(records.begin(), records.end(),
                                        [](const auto& a, const auto& b) { return a.second.lines < b.second.lines; });
    if (least == records.end()) continue;
    totals.lines += least->second.lines;
    for (std::size_t i = 0; i < std::min(kDropReasons, least->second.drops.size()); ++i) {
      totals.drops[i] += least->second.drops[i];
    }
  }
  return totals;
}

}  // namespace tracker
