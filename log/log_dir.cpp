#include "log_dir.hpp"

#include <errno.h>
#include <unistd.h>

#include <algorithm>
#include <limits>

#include "backup_manifest.hpp"
#include "base/logger.hpp"
#include "partition_directories.hpp"
#include "tail_page.hpp"

namespace lungo {

namespace {

constexpr std::string_view kLockFile = ".lock";
constexpr std::string_view kMetaFile = "lungo.meta";

constexpr std::string_view kMetaKind = "meta";
constexpr std::string_view kTailPlacesKey = "tail.places";
constexpr std::string_view kDeletedKey = "deleted.topic";
constexpr int kMajor = 1;

std::string holder_text() {
  return "pid " + std::to_string(::getpid()) + " (" + std::string(::program_invocation_short_name) + ")";
}

}  // namespace

Result<std::unique_ptr<LogDir>> LogDir::open_writer(Storage& storage, Randomness& random, const std::string& path,
                                                    LostPartitions lost) {
  if (Result<void> made = make_directories_durably(storage, path); !made) return made.error();
  std::unique_ptr<LogDir> dir(new LogDir(storage, path));
  // Written to, it could not be restored any more, and nobody would hear of it before it is needed.
  const Result<bool> is_backup = storage.exists(dir->file(kBackupFile));
  if (!is_backup) return is_backup.error();
  if (*is_backup) {
    return Error{Errc::invalid_argument, path +
                                             " is a backup: restore it to another place with `lungo log restore`, or remove " +
                                             dir->file(kBackupFile) + " to go on in it"};
  }
  if (Result<void> locked = dir->lock(random); !locked) return locked.error();

  if (Result<void> read = dir->read_meta(); !read) {
    if (read.error() != Errc::not_found) return read.error();
    if (Result<void> made = dir->make_id(random); !made) return made.error();
  }
  if (Result<void> read = dir->read_topics(); !read) return read.error();
  if (lost == LostPartitions::are_made_anew) {
    if (Result<void> made = dir->make_lost_directories(); !made) return made.error();
  }
  if (Result<void> checked = dir->check_partition_directories(); !checked) return checked.error();
  if (Result<void> read = dir->marks_.read(dir->epoch_); !read) return read.error();
  if (Result<void> read = dir->marks_.read_cleaned_ends(); !read) return read.error();
  if (!dir->marks_.was_stopped_cleanly()) {
    // A process that was killed behind the removal may have left it to the next power cut, which must not bring the marker back
    // while recovery makes anew what it vouches for.
    if (Result<void> synced = storage.sync_directory(path); !synced) return synced.error();
  }
  return dir;
}

Result<std::unique_ptr<LogDir>> LogDir::open_reader(Storage& storage, const std::string& path) {
  std::unique_ptr<LogDir> dir(new LogDir(storage, path));
  if (Result<void> read = dir->reload(); !read) return read.error();
  return dir;
}

Result<void> LogDir::reload() {
  Result<void> meta = read_meta();
  if (!meta && meta.error() == Errc::not_found) {
    const Result<void> checked = check_is_new();
    if (checked) return meta.error();
    meta = read_meta();  // a writer beside this reader may have made both meanwhile
    if (!meta && meta.error() == Errc::not_found) return checked.error();
  }
  if (!meta) return meta.error();
  if (Result<void> read = read_topics_beside_a_writer(); !read) return read;
  return marks_.read(epoch_);
}

std::string LogDir::partition_path(const TopicPartition& partition) const { return file(to_string(partition)); }

Result<void> LogDir::lock(Randomness& random) {
  Result<std::unique_ptr<FileLock>> lock = storage_.lock(file(kLockFile), holder_text());
  if (!lock) return lock.error();
  lock_ = std::move(*lock);
  random_ = &random;
  return {};
}

// ---- reading ----

/// Whether Apache Kafka's files are all that the directory has, but for what an adoption that was interrupted has left.
Result<void> LogDir::check_is_not_ours() {
  const Result<bool> has_topics = storage_.exists(file(kTopicsFile));
  if (!has_topics) return has_topics.error();
  if (*has_topics) return Error{Errc::already_exists, path_ + " is Lungo's already: it has " + std::string(kTopicsFile)};
  const Result<void> meta = read_meta();
  if (!meta) return meta.error() == Errc::not_found ? Result<void>{} : meta;
  if (epoch_ == LeaderEpoch{0}) return {};
  return Error{Errc::corrupt, file(kTopicsFile) + " is missing: Lungo has written to the directory before"};
}

/// Whether the directory may lack `lungo.meta`.
Result<void> LogDir::check_is_new() const {
  const Result<bool> has_topics = storage_.exists(file(kTopicsFile));
  if (!has_topics) return has_topics.error();
  if (*has_topics) return Error{Errc::corrupt, file(kMetaFile) + " is missing while " + std::string(kTopicsFile) + " is there"};
  return {};
}

Result<void> LogDir::make_id(Randomness& random) {
  if (Result<void> checked = check_is_new(); !checked) return checked;
  id_ = to_string(random_topic_id(random));
  return {};
}

Result<void> LogDir::read_meta() {
  const std::string path = file(kMetaFile);
  const Result<Bytes> bytes = read_file(storage_, path, kFileBytesMax);
  if (!bytes) return bytes.error();
  const Result<Properties> properties = parse_property_file(kMetaKind, kMajor, path, *bytes);
  if (!properties) return properties.error();
  std::string id;
  std::optional<std::int64_t> epoch;
  tail_places_given_ = 0;
  deleted_.clear();
  unknown_meta_.clear();
  for (const Property& property : *properties) {
    if (property.key == "directory.id") {
      id = property.value;
    } else if (property.key == "epoch") {
      const Result<std::int64_t> number = number_of(property, path);
      if (!number) return number.error();
      epoch = *number;
    } else if (property.key == kTailPlacesKey) {
      const Result<std::int64_t> number = number_of(property, path);
      if (!number) return number.error();
      if (*number < 0 || *number > static_cast<std::int64_t>(kTailPlacesMax)) {
        return Error{Errc::corrupt, path + ": " + property.key + "=" + property.value + " can't be"};
      }
      tail_places_given_ = static_cast<std::size_t>(*number);
    } else if (property.key == kDeletedKey) {
      const Result<TopicId> topic = parse_topic_id(property.value);
      if (!topic) return topic.error().with_context(path);
      deleted_.push_back(*topic);
    } else {
      unknown_meta_.push_back(property);
    }
  }
  if (id.empty()) return Error{Errc::corrupt, path + " names no directory.id"};
  if (!epoch) return Error{Errc::corrupt, path + " names no epoch"};
  // The next writer's is one more.
  if (*epoch < 0 || *epoch >= std::numeric_limits<std::int32_t>::max()) {
    return Error{Errc::corrupt, path + ": epoch " + std::to_string(*epoch) + " can't be"};
  }
  id_ = std::move(id);
  epoch_ = LeaderEpoch{static_cast<std::int32_t>(*epoch)};
  return {};
}

/// A partition's directory with more in it than what a crash inside the first create_topic() leaves.
Result<std::optional<std::string>> LogDir::find_used_partition() const {
  const Result<std::vector<DirEntry>> entries = storage_.list(path_);
  if (!entries) return entries.error();
  for (const DirEntry& entry : *entries) {
    if (!entry.is_directory || !is_partition_name(entry.name)) continue;
    const Result<std::vector<DirEntry>> files = storage_.list(file(entry.name));
    if (!files && files.error() == Errc::not_found) continue;
    if (!files) return files.error();
    if (holds_records(*files)) return std::optional{file(entry.name)};
  }
  return std::optional<std::string>{};
}

Result<void> LogDir::read_topics() {
  const std::string path = file(kTopicsFile);
  Result<Bytes> bytes = read_file(storage_, path, kFileBytesMax);
  if (!bytes && bytes.error() == Errc::not_found) {
    const Result<std::optional<std::string>> partition = find_used_partition();
    if (!partition) return partition.error();
    if (!*partition) return {};                        // no topic was ever made
    bytes = read_file(storage_, path, kFileBytesMax);  // a writer beside this reader may have made the first one meanwhile
    if (!bytes && bytes.error() == Errc::not_found) {
      return Error{Errc::corrupt, path + " is missing while " + **partition + " holds records"};
    }
  }
  if (!bytes) return bytes.error();
  Result<std::vector<TopicEntry>> topics = parse_topics(path, *bytes);
  if (!topics) return topics.error();
  topics_ = std::move(*topics);
  give_tail_places(topics_, tail_places_given_);
  return {};
}

/// A topic that is deleted between the two looks seems to lack its directories.
Result<void> LogDir::read_topics_beside_a_writer() {
  constexpr int kAttempts = 3;
  for (int attempt = 1;; ++attempt) {
    if (Result<void> read = read_topics(); !read) return read;
    Result<void> checked = check_partition_directories();
    if (checked || attempt == kAttempts) return checked;
  }
}

Result<void> LogDir::check_partition_directories() const {
  for (const TopicEntry& topic : topics_) {
    for (std::int32_t i = 0; i < topic.info.spec.partitions; ++i) {
      Result<void> checked = check_partition_directory({topic.info.spec.name, PartitionId{i}}, topic.info.id);
      if (!checked) return checked;
    }
  }
  return {};
}

/// Errors: corrupt; io.
Result<void> LogDir::check_partition_directory(const TopicPartition& partition, const TopicId& id) const {
  const std::string path = partition_path(partition) + "/" + std::string(kPartitionMetadataFile);
  const Result<Bytes> bytes = read_file(storage_, path, kFileBytesMax);
  if (!bytes && bytes.error() == Errc::not_found) return Error{Errc::corrupt, path + " is missing"};
  if (!bytes) return bytes.error();
  const Result<TopicId> named = parse_partition_metadata(path, *bytes);
  if (!named) return named.error();
  if (*named != id) {
    return Error{Errc::corrupt, path + " names topic id " + to_string(*named) + ", expected " + to_string(id)};
  }
  return {};
}

/// What a crash inside renew_partition() leaves, and what somebody has removed.
Result<void> LogDir::make_lost_directories() {
  for (const TopicEntry& topic : topics_) {
    for (std::int32_t i = 0; i < topic.info.spec.partitions; ++i) {
      const TopicPartition partition{topic.info.spec.name, PartitionId{i}};
      const Result<void> checked = check_partition_directory(partition, topic.info.id);
      if (checked) continue;
      if (checked.error() != Errc::corrupt) return checked;
      logger()->warn("{}; the partition is made anew", checked.error().text());
      if (Result<void> made = make_anew(partition, topic.info.id); !made) return made;
    }
  }
  return {};
}

// ---- writing ----

Result<void> LogDir::write_meta(LeaderEpoch epoch) {
  Properties properties{{"directory.id", id_}, {"epoch", std::to_string(epoch.value())}};
  if (tail_places_given_ > 0) properties.push_back({std::string(kTailPlacesKey), std::to_string(tail_places_given_)});
  for (const TopicId& topic : deleted_) properties.push_back({std::string(kDeletedKey), to_string(topic)});
  properties.insert(properties.end(), unknown_meta_.begin(), unknown_meta_.end());
  return write_file_atomically(storage_, file(kMetaFile), as_bytes(format_property_file(kMetaKind, kMajor, properties)));
}

Result<void> LogDir::begin_writing(LeaderEpoch newest) {
  if (newest.value() == std::numeric_limits<std::int32_t>::max()) {
    return Error{Errc::corrupt, path_ + " holds batches of the last epoch there is"};
  }
  if (Result<void> removed = marks_.remove_clean_stop(); !removed) return removed;
  if (Result<void> done = set_aside_deleted(); !done) return done;
  if (Result<void> written = marks_.agree_on_starts(); !written) return written;
  const LeaderEpoch next{std::max(epoch_, newest).value() + 1};
  if (Result<void> written = write_meta(next); !written) return written;  // syncs the directory: the removal is durable too
  epoch_ = next;
  return {};
}

}  // namespace lungo
