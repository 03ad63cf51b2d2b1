// LogDir: topics come, change and go. Each change exists from the replacement of `lungo.topics` on.

#include <algorithm>

#include "base/logger.hpp"
#include "log_dir.hpp"
#include "partition_directories.hpp"
#include "tail_page.hpp"

namespace lungo {

namespace {

/// Writes a file that nobody looks at yet; durable, but not atomic.
Result<void> write_fresh_file(Storage& storage, const std::string& path, std::string_view text) {
  const Result<std::unique_ptr<File>> file = storage.open(path, OpenMode::create);
  if (!file) return file.error();
  if (Result<void> written = (*file)->write_at(0, as_bytes(text)); !written) return written;
  return (*file)->sync();
}

Error no_topic(std::string_view name) { return {Errc::not_found, "no topic " + std::string(name)}; }

}  // namespace

Result<void> LogDir::write_topics(const std::vector<TopicEntry>& topics) {
  return write_file_atomically(storage_, file(kTopicsFile), as_bytes(format_topics(topics)));
}

std::vector<TopicEntry>::iterator LogDir::find_entry(std::string_view name) {
  return std::ranges::find(topics_, name, [](const TopicEntry& entry) -> std::string_view { return entry.info.spec.name; });
}

// ---- topics that come ----

Result<TopicInfo> LogDir::create_topic(const TopicSpec& spec) {
  return add_topic({.info = {spec, random_topic_id(*random_)}, .unknown = {}, .tail_places = {}});
}

Result<TopicInfo> LogDir::create_copied_topic(const TopicInfo& info) {
  return add_topic({.info = info, .gaps = true, .unknown = {}, .tail_places = {}});
}

Result<TopicInfo> LogDir::add_topic(TopicEntry entry) {
  const TopicInfo info = entry.info;
  if (Result<void> valid = validate(info.spec); !valid) return valid.error();
  std::vector<TopicEntry> topics = topics_;
  topics.push_back(std::move(entry));
  give_tail_places(topics, tail_places_given_);
  if (Result<void> made = make_partition_directories(topics, info, 0); !made) return made.error();
  if (Result<void> written = write_topics(topics); !written) return written.error();
  topics_ = std::move(topics);
  return info;
}

Result<TopicInfo> LogDir::add_partitions(std::string_view name, std::int32_t partitions) {
  std::vector<TopicEntry> topics = topics_;
  const auto there = find_entry(name);
  if (there == topics_.end()) return no_topic(name);
  TopicEntry& entry = topics[static_cast<std::size_t>(there - topics_.begin())];
  const std::int32_t before = entry.info.spec.partitions;
  entry.info.spec.partitions = partitions;
  if (Result<void> valid = validate(entry.info.spec); !valid) return valid.error();
  give_more_tail_places(topics_, entry, static_cast<std::size_t>(partitions - before), tail_places_given_);
  if (Result<void> made = make_partition_directories(topics, entry.info, before); !made) return made.error();
  if (Result<void> written = write_topics(topics); !written) return written.error();
  topics_ = std::move(topics);
  return find_entry(name)->info;
}

/// The directories from partition `first` on of one of the `topics` that are to be.
Result<void> LogDir::make_partition_directories(const std::vector<TopicEntry>& topics, const TopicInfo& info,
                                                std::int32_t first) {
  if (tail_places_end(topics) > kTailPlacesMax) {
    return Error{Errc::invalid_argument, "topic \"" + info.spec.name + "\": the directory has no room for so many partitions"};
  }
  if (Result<void> forgotten = marks_.forget(info.spec.name, first); !forgotten) return forgotten;
  for (std::int32_t i = first; i < info.spec.partitions; ++i) {
    if (Result<void> made = make_partition_directory({info.spec.name, PartitionId{i}}, info.id); !made) return made;
  }
  return storage_.sync_directory(path_);
}

Result<void> LogDir::make_partition_directory(const TopicPartition& partition, const TopicId& id) {
  const std::string directory = partition_path(partition);
  const Result<std::vector<DirEntry>> left_over = storage_.list(directory);
  if (!left_over && left_over.error() != Errc::not_found) return left_over.error();
  if (left_over && holds_records(*left_over)) {
    const Result<std::optional<TopicId>> deleted = deleted_topic_of(directory);
    if (!deleted) return deleted.error();
    if (!*deleted) {
      return Error{Errc::already_exists, directory + " holds files of a topic that " + std::string(kTopicsFile) + " lacks"};
    }
    if (Result<void> aside = set_aside(to_string(partition), **deleted); !aside) return aside;
  }
  if (Result<void> made = storage_.make_directories(directory); !made) return made;
  const std::string metadata = directory + "/" + std::string(kPartitionMetadataFile);
  if (Result<void> written = write_fresh_file(storage_, metadata, format_partition_metadata(id)); !written) return written;
  return storage_.sync_directory(directory);
}

// ---- that change ----

Result<TopicInfo> LogDir::alter_topic(std::string_view name, const TopicChange& change) {
  std::vector<TopicEntry> topics = topics_;
  const auto there = find_entry(name);
  if (there == topics_.end()) return no_topic(name);
  Result<TopicSpec> spec = changed(there->info.spec, change);
  if (!spec) return spec.error();
  topics[static_cast<std::size_t>(there - topics_.begin())].info.spec = std::move(*spec);
  if (Result<void> written = write_topics(topics); !written) return written.error();
  topics_ = std::move(topics);
  return find_entry(name)->info;
}

// ---- and that go ----

Result<void> LogDir::delete_topic(std::string_view name) {
  const auto there = find_entry(name);
  if (there == topics_.end()) return no_topic(name);
  const TopicId id = there->info.id;
  // Before the topic goes: its places in the tail page must not be given to another, and its directories must be known.
  tail_places_given_ = std::max(tail_places_given_, tail_places_end(topics_));
  if (std::ranges::find(deleted_, id) == deleted_.end()) deleted_.push_back(id);
  if (Result<void> written = write_meta(epoch_); !written) return written;

  std::vector<TopicEntry> topics = topics_;
  topics.erase(topics.begin() + (there - topics_.begin()));
  Result<void> written = write_topics(topics);
  if (!written && write_topics(topics_)) return written;  // there as before
  topics_ = std::move(topics);
  return written;
}

void LogDir::release_names(const TopicInfo& topic) {
  Result<void> released;
  for (std::int32_t i = 0; i < topic.spec.partitions; ++i) {
    const Result<void> aside = set_aside(to_string(TopicPartition{topic.spec.name, PartitionId{i}}), topic.id);
    if (!aside) released = aside;
  }
  if (released) released = storage_.sync_directory(path_);
  if (released) {
    std::erase(deleted_, topic.id);  // nothing can come back under its names; the next `lungo.meta` is without it
  } else {
    logger()->warn("{}; the files of topic {} go at the next start", released.error().text(), topic.spec.name);
  }
}

/// The deleted topic whose partition has left this directory; nothing where it is anybody else's.
Result<std::optional<TopicId>> LogDir::deleted_topic_of(const std::string& directory) const {
  const std::string path = directory + "/" + std::string(kPartitionMetadataFile);
  const Result<Bytes> bytes = read_file(storage_, path, kFileBytesMax);
  if (!bytes && bytes.error() == Errc::not_found) return std::optional<TopicId>{};
  if (!bytes) return bytes.error();
  const Result<TopicId> id = parse_partition_metadata(path, *bytes);
  const bool is_deleted = id && std::ranges::find(deleted_, *id) != deleted_.end() &&
                          std::ranges::none_of(topics_, [&](const TopicEntry& entry) { return entry.info.id == *id; });
  return is_deleted ? std::optional{*id} : std::nullopt;
}

// A copy's topic may come and go with the same id, so that the name is there already.
Result<void> LogDir::set_aside(const std::string& name, const TopicId& topic) {
  std::string aside = file(deleted_name(name, topic));
  const Result<bool> is_taken = storage_.exists(aside);
  if (!is_taken) return is_taken.error();
  if (*is_taken) aside = file(deleted_name(name, random_topic_id(*random_)));
  if (Result<void> renamed = storage_.rename(file(name), aside); !renamed) return renamed;
  deleted_directories_.push_back(aside);
  return {};
}

Result<void> LogDir::renew_partition(const TopicPartition& partition, Offset start) {
  const auto there = find_entry(partition.topic);
  if (there == topics_.end()) return no_topic(partition.topic);
  // First: records that are still there after a crash do not begin where they should, or are whole and in their place.
  if (Result<void> noted = marks_.begin_anew(partition, start); !noted) return noted;
  return make_anew(partition, there->info.id);
}

/// Of what has the directory's name nothing stays.
Result<void> LogDir::make_anew(const TopicPartition& partition, const TopicId& id) {
  const Result<bool> is_there = storage_.exists(partition_path(partition));
  if (!is_there) return is_there.error();
  if (*is_there) {
    if (Result<void> aside = set_aside(to_string(partition), random_topic_id(*random_)); !aside) return aside;
  }
  if (Result<void> made = make_partition_directory(partition, id); !made) return made;
  return storage_.sync_directory(path_);
}

/// What a crash has left of deleted topics. Afterwards nothing has their names, and their ids are of no use any more.
Result<void> LogDir::set_aside_deleted() {
  const Result<std::vector<DirEntry>> entries = storage_.list(path_);
  if (!entries) return entries.error();
  for (const DirEntry& entry : *entries) {
    if (!entry.is_directory) continue;
    if (is_deleted_name(entry.name)) deleted_directories_.push_back(file(entry.name));
    if (deleted_.empty() || !is_partition_name(entry.name)) continue;
    const Result<std::optional<TopicId>> deleted = deleted_topic_of(file(entry.name));
    if (!deleted) return deleted.error();
    if (!*deleted) continue;
    if (Result<void> aside = set_aside(entry.name, **deleted); !aside) return aside;
  }
  if (deleted_.empty()) return {};
  deleted_.clear();
  return storage_.sync_directory(path_);
}

}  // namespace lungo
