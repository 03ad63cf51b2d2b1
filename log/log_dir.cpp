#include "log_dir.hpp"

#include <errno.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <limits>

#include <lungo/log/text.hpp>

#include "base/logger.hpp"
#include "tail_page.hpp"

namespace lungo {

namespace {

constexpr std::string_view kLockFile = ".lock";
constexpr std::string_view kMetaFile = "lungo.meta";
constexpr std::string_view kTopicsFile = "lungo.topics";
constexpr std::string_view kKafkaCleanStopFile = ".kafka_cleanshutdown";
constexpr std::string_view kCleanStopFile = "lungo.clean-stop";
constexpr std::string_view kRecoveryPointFile = "recovery-point-offset-checkpoint";
constexpr std::string_view kPartitionMetadataFile = "partition.metadata";

constexpr std::string_view kMetaKind = "meta";
constexpr std::string_view kCleanStopKind = "clean-stop";
constexpr std::string_view kTailPlacesKey = "tail.places";
constexpr int kMajor = 1;
constexpr std::uint64_t kFileBytesMax = 256u << 20;  // 100,000 partitions take about 5 MB

TopicId random_id(Randomness& random) {
  TopicId id;
  do {
    random.fill(std::as_writable_bytes(std::span{id.bytes}));
    id.bytes[6] = static_cast<std::uint8_t>((id.bytes[6] & 0x0f) | 0x40);  // a random UUID, RFC 4122
    id.bytes[8] = static_cast<std::uint8_t>((id.bytes[8] & 0x3f) | 0x80);
  } while (to_string(id).starts_with('-'));  // as Kafka: command lines take such an id for an option
  return id;
}

std::string holder_text() {
  return "pid " + std::to_string(::getpid()) + " (" + std::string(::program_invocation_short_name) + ")";
}

/// "events-0 105 9a0b1c2d": partition, end offset, CRC of the last batch.
std::string format_clean_end(const TopicPartition& partition, const CleanEnd& clean) {
  char crc[16];
  std::snprintf(crc, sizeof crc, "%08x", clean.last_batch_crc);
  return to_string(partition) + " " + std::to_string(clean.end.value()) + " " + crc;
}

std::optional<std::pair<TopicPartition, CleanEnd>> parse_clean_end(std::string_view text) {
  const std::size_t space = text.find(' ');
  const std::size_t dash = text.substr(0, space).rfind('-');
  if (space == std::string_view::npos || dash == std::string_view::npos) return std::nullopt;
  const std::size_t second_space = text.find(' ', space + 1);
  if (second_space == std::string_view::npos) return std::nullopt;
  const auto partition = parse_number<std::int32_t>(text.substr(dash + 1, space - dash - 1));
  const auto end = parse_number<std::int64_t>(text.substr(space + 1, second_space - space - 1));
  const auto crc = parse_number<std::uint32_t>(text.substr(second_space + 1), 16);
  if (!partition || !end || !crc) return std::nullopt;
  return std::pair{TopicPartition{std::string(text.substr(0, dash)), PartitionId{*partition}}, CleanEnd{Offset{*end}, *crc}};
}

/// TOPIC-PARTITION.
bool is_partition_name(std::string_view name) {
  const std::size_t dash = name.rfind('-');
  return dash != std::string_view::npos && dash + 1 < name.size() &&
         name.find_first_not_of("0123456789", dash + 1) == std::string_view::npos;
}

/// True unless these are the files of a partition that was never opened: a crash inside create_topic() leaves such directories,
/// which nothing names.
bool holds_records(const std::vector<DirEntry>& files) {
  return std::ranges::any_of(files, [](const DirEntry& entry) { return entry.name != kPartitionMetadataFile; });
}

/// Writes a file that nobody looks at yet; durable, but not atomic.
Result<void> write_fresh_file(Storage& storage, const std::string& path, std::string_view text) {
  const Result<std::unique_ptr<File>> file = storage.open(path, OpenMode::create);
  if (!file) return file.error();
  if (Result<void> written = (*file)->write_at(0, as_bytes(text)); !written) return written;
  return (*file)->sync();
}

}  // namespace

Result<std::unique_ptr<LogDir>> LogDir::open_writer(Storage& storage, Randomness& random, const std::string& path) {
  if (Result<void> made = make_directories_durably(storage, path); !made) return made.error();
  std::unique_ptr<LogDir> dir(new LogDir(storage, path));
  Result<std::unique_ptr<FileLock>> lock = storage.lock(dir->file(kLockFile), holder_text());
  if (!lock) return lock.error();
  dir->lock_ = std::move(*lock);
  dir->random_ = &random;

  if (Result<void> read = dir->read_meta(); !read) {
    if (read.error() != Errc::not_found) return read.error();
    if (Result<void> made = dir->make_id(random); !made) return made.error();
  }
  if (Result<void> read = dir->read_topics(); !read) return read.error();
  if (Result<void> checked = dir->check_partition_directories(); !checked) return checked.error();
  if (Result<void> read = dir->read_recovery_points(); !read) return read.error();
  if (Result<void> read = dir->read_clean_stop(); !read) return read.error();
  if (!dir->clean_ends_) {
    // A process that was killed behind the removal may have left it to the next power cut, which must not bring the marker back
    // while recovery makes anew what it vouches for.
    if (Result<void> synced = storage.sync_directory(path); !synced) return synced.error();
  }
  return dir;
}

Result<std::unique_ptr<LogDir>> LogDir::open_reader(Storage& storage, const std::string& path) {
  std::unique_ptr<LogDir> dir(new LogDir(storage, path));
  if (Result<bool> read = dir->reload(); !read) return read.error();
  return dir;
}

Result<bool> LogDir::reload() {
  const LeaderEpoch epoch_before = epoch_;
  const std::size_t topics_before = topics_.size();
  Result<void> meta = read_meta();
  if (!meta && meta.error() == Errc::not_found) {
    const Result<void> checked = check_is_new();
    if (checked) return meta.error();
    meta = read_meta();  // a writer beside this reader may have made both meanwhile
    if (!meta && meta.error() == Errc::not_found) return checked.error();
  }
  if (!meta) return meta.error();
  if (Result<void> read = read_topics(); !read) return read.error();
  if (Result<void> checked = check_partition_directories(); !checked) return checked.error();
  if (Result<void> read = read_recovery_points(); !read) return read.error();
  if (Result<void> read = read_clean_stop(); !read) return read.error();
  return epoch_ != epoch_before || topics_.size() != topics_before;
}

std::string LogDir::partition_path(const TopicPartition& partition) const { return file(to_string(partition)); }

std::optional<CleanEnd> LogDir::clean_end(const TopicPartition& partition) const {
  if (!clean_ends_) return std::nullopt;
  const auto found = clean_ends_->find(partition);
  if (found == clean_ends_->end()) return std::nullopt;
  return found->second;
}

Offset LogDir::recovery_point(const TopicPartition& partition) const {
  const auto found = recovery_points_.find(partition);
  return found == recovery_points_.end() ? Offset{0} : found->second;
}

// ---- reading ----

/// Whether the directory may lack `lungo.meta`.
Result<void> LogDir::check_is_new() const {
  const Result<bool> has_topics = storage_.exists(file(kTopicsFile));
  if (!has_topics) return has_topics.error();
  if (*has_topics) return Error{Errc::corrupt, file(kMetaFile) + " is missing while " + std::string(kTopicsFile) + " is there"};
  return {};
}

Result<void> LogDir::make_id(Randomness& random) {
  if (Result<void> checked = check_is_new(); !checked) return checked;
  id_ = to_string(random_id(random));
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

Result<void> LogDir::read_recovery_points() {
  const std::string path = file(kRecoveryPointFile);
  const Result<Bytes> bytes = read_file(storage_, path, kFileBytesMax);
  if (!bytes) return bytes.error() == Errc::not_found ? Result<void>{} : bytes.error();
  Result<OffsetsByPartition> points = parse_checkpoint(path, *bytes);
  if (points) {
    recovery_points_ = std::move(*points);
  } else {
    logger()->warn("{}; all segments are walked", points.error().text());
  }
  return {};
}

Result<void> LogDir::read_clean_stop() {
  clean_ends_.reset();
  const std::string path = file(kCleanStopFile);
  const Result<Bytes> bytes = read_file(storage_, path, kFileBytesMax);
  if (!bytes) return bytes.error() == Errc::not_found ? Result<void>{} : bytes.error();
  const Result<Properties> properties = parse_property_file(kCleanStopKind, kMajor, path, *bytes);
  if (!properties) {
    if (properties.error() == Errc::newer_format) return properties.error();
    logger()->warn("{}; the directory is opened as after a crash", properties.error().text());
    return {};
  }
  CleanEnds ends;
  bool ours = false;
  for (const Property& property : *properties) {
    if (property.key == "epoch") ours = property.value == std::to_string(epoch_.value());
    if (property.key != "partition") continue;
    if (auto end = parse_clean_end(property.value)) ends.insert(std::move(*end));
  }
  if (ours) clean_ends_ = std::move(ends);
  return {};
}

Result<void> LogDir::check_partition_directories() const {
  for (const TopicEntry& topic : topics_) {
    for (std::int32_t i = 0; i < topic.info.spec.partitions; ++i) {
      const std::string directory = partition_path({topic.info.spec.name, PartitionId{i}});
      const std::string path = directory + "/" + std::string(kPartitionMetadataFile);
      const Result<Bytes> bytes = read_file(storage_, path, kFileBytesMax);
      if (!bytes && bytes.error() == Errc::not_found) return Error{Errc::corrupt, path + " is missing"};
      if (!bytes) return bytes.error();
      const Result<TopicId> id = parse_partition_metadata(path, *bytes);
      if (!id) return id.error();
      if (*id != topic.info.id) {
        return Error{Errc::corrupt, path + " names topic id " + to_string(*id) + ", expected " + to_string(topic.info.id)};
      }
    }
  }
  return {};
}

// ---- writing ----

Result<void> LogDir::write_meta(LeaderEpoch epoch) {
  Properties properties{{"directory.id", id_}, {"epoch", std::to_string(epoch.value())}};
  if (tail_places_given_ > 0) properties.push_back({std::string(kTailPlacesKey), std::to_string(tail_places_given_)});
  properties.insert(properties.end(), unknown_meta_.begin(), unknown_meta_.end());
  return write_file_atomically(storage_, file(kMetaFile), as_bytes(format_property_file(kMetaKind, kMajor, properties)));
}

Result<void> LogDir::begin_writing() {
  // Kafka's marker too: a broker that finds it would believe the directory to be as it left it.
  for (const std::string_view marker : {kCleanStopFile, kKafkaCleanStopFile}) {
    if (Result<void> removed = storage_.remove(file(marker)); !removed && removed.error() != Errc::not_found) return removed;
  }
  const LeaderEpoch next{epoch_.value() + 1};
  if (Result<void> written = write_meta(next); !written) return written;  // syncs the directory: the removal is durable too
  epoch_ = next;
  return {};
}

Result<void> LogDir::make_partition_directory(const TopicPartition& partition, const TopicId& id) {
  const std::string directory = partition_path(partition);
  const Result<std::vector<DirEntry>> left_over = storage_.list(directory);
  if (!left_over && left_over.error() != Errc::not_found) return left_over.error();
  if (left_over && holds_records(*left_over)) {
    return Error{Errc::already_exists, directory + " holds files of a topic that " + std::string(kTopicsFile) + " lacks"};
  }
  if (Result<void> made = storage_.make_directories(directory); !made) return made;
  const std::string metadata = directory + "/" + std::string(kPartitionMetadataFile);
  if (Result<void> written = write_fresh_file(storage_, metadata, format_partition_metadata(id)); !written) return written;
  return storage_.sync_directory(directory);
}

Result<TopicInfo> LogDir::create_topic(const TopicSpec& spec) {
  if (Result<void> valid = validate(spec); !valid) return valid.error();
  const TopicInfo info{spec, random_id(*random_)};
  std::vector<TopicEntry> topics = topics_;
  topics.push_back({.info = info, .unknown = {}, .tail_places = {}});
  give_tail_places(topics, tail_places_given_);
  if (tail_places_end(topics) > kTailPlacesMax) {
    return Error{Errc::invalid_argument, "topic \"" + spec.name + "\": the directory has no room for so many partitions"};
  }
  for (std::int32_t i = 0; i < spec.partitions; ++i) {
    if (Result<void> made = make_partition_directory({spec.name, PartitionId{i}}, info.id); !made) return made.error();
  }
  if (Result<void> synced = storage_.sync_directory(path_); !synced) return synced.error();

  const std::string text = format_topics(topics);
  if (Result<void> written = write_file_atomically(storage_, file(kTopicsFile), as_bytes(text)); !written) {
    return written.error();
  }
  topics_ = std::move(topics);
  return info;
}

Result<void> LogDir::write_recovery_points(const OffsetsByPartition& synced) {
  return write_file_atomically(storage_, file(kRecoveryPointFile), as_bytes(format_checkpoint(synced)));
}

Result<void> LogDir::write_clean_stop(const CleanEnds& ends) {
  Properties properties{{"epoch", std::to_string(epoch_.value())}};
  for (const auto& [partition, end] : ends) properties.push_back({"partition", format_clean_end(partition, end)});
  return write_file_atomically(storage_, file(kCleanStopFile),
                               as_bytes(format_property_file(kCleanStopKind, kMajor, properties)));
}

}  // namespace lungo
