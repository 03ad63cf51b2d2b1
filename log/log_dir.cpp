#include "log_dir.hpp"

#include <errno.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <limits>

#include <lungo/log/text.hpp>

#include "backup_manifest.hpp"
#include "base/logger.hpp"
#include "log_starts.hpp"
#include "partition_directories.hpp"
#include "tail_page.hpp"

namespace lungo {

namespace {

constexpr std::string_view kLockFile = ".lock";
constexpr std::string_view kMetaFile = "lungo.meta";
constexpr std::string_view kKafkaCleanStopFile = ".kafka_cleanshutdown";
constexpr std::string_view kCleanStopFile = "lungo.clean-stop";
constexpr std::string_view kRecoveryPointFile = "recovery-point-offset-checkpoint";

constexpr std::string_view kMetaKind = "meta";
constexpr std::string_view kCleanStopKind = "clean-stop";
constexpr std::string_view kTailPlacesKey = "tail.places";
constexpr std::string_view kDeletedKey = "deleted.topic";
constexpr int kMajor = 1;

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
  if (space == std::string_view::npos) return std::nullopt;
  const std::size_t second_space = text.find(' ', space + 1);
  if (second_space == std::string_view::npos) return std::nullopt;
  const std::optional<TopicPartition> partition = parse_partition_name(text.substr(0, space));
  const auto end = parse_number<std::int64_t>(text.substr(space + 1, second_space - space - 1));
  const auto crc = parse_number<std::uint32_t>(text.substr(second_space + 1), 16);
  if (!partition || !end || !crc) return std::nullopt;
  return std::pair{*partition, CleanEnd{Offset{*end}, *crc}};
}

}  // namespace

Result<std::unique_ptr<LogDir>> LogDir::open_writer(Storage& storage, Randomness& random, const std::string& path) {
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
  if (Result<void> checked = dir->check_partition_directories(); !checked) return checked.error();
  if (Result<void> read = dir->read_recovery_points(); !read) return read.error();
  if (Result<void> read = dir->read_log_starts(); !read) return read.error();
  if (Result<void> read = dir->read_cleaned_ends(); !read) return read.error();
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
  if (Result<void> read = read_topics_beside_a_writer(); !read) return read.error();
  if (Result<void> read = read_recovery_points(); !read) return read.error();
  if (Result<void> read = read_log_starts(); !read) return read.error();
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

Offset LogDir::log_start(const TopicPartition& partition) const {
  const auto found = log_starts_.find(partition);
  return found == log_starts_.end() ? Offset{0} : found->second;
}

Offset LogDir::cleaned_end(const TopicPartition& partition) const {
  const auto found = cleaned_ends_.find(partition);
  return found == cleaned_ends_.end() ? Offset{0} : found->second.end;
}

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

Result<void> LogDir::read_recovery_points() {
  recovery_points_.clear();
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

// Kafka's file counts only where ours is not, or is damaged: it has no checksum, and a digit that rots upwards there would take
// segments with it.
Result<void> LogDir::read_log_starts() {
  const std::string path = file(kLogStartsFile);
  const Result<Bytes> bytes = read_file(storage_, path, kFileBytesMax);
  if (!bytes && bytes.error() != Errc::not_found) return bytes.error();
  Result<OffsetsByPartition> starts = bytes ? parse_log_starts(path, *bytes) : bytes.error();
  if (!starts && starts.error() == Errc::newer_format) return starts.error();
  if (!starts && bytes) logger()->warn("{}; {} counts instead", starts.error().text(), file(kKafkaLogStartsFile));

  OffsetsByPartition kafkas;
  const std::string_view consequence = starts ? "it is written anew" : "records that were deleted may come back";
  Result<void> read = read_offsets(kKafkaLogStartsFile, kafkas, consequence);
  if (!read && (!starts || read.error() != Errc::newer_format)) return read;
  if (starts) warn_of_other_starts(*starts, kafkas);
  starts_agree_ = starts ? *starts == kafkas : kafkas.empty() && !bytes;
  log_starts_ = starts ? std::move(*starts) : std::move(kafkas);
  return {};
}

/// A broker that was let at the directory may have deleted records, which are there again then.
void LogDir::warn_of_other_starts(const OffsetsByPartition& ours, const OffsetsByPartition& kafkas) const {
  for (const auto& [partition, start] : kafkas) {
    const auto found = ours.find(partition);
    const Offset counts = found == ours.end() ? Offset{0} : found->second;
    if (start <= counts) continue;
    logger()->warn("{} lets {} begin at {}; {} counts, by which it begins at {}", file(kKafkaLogStartsFile),
                   to_string(partition), start.value(), file(kLogStartsFile), counts.value());
  }
}

/// The first round begins where the file says "again".
Result<void> LogDir::read_cleaned_ends() {
  cleaned_ends_.clear();
  const std::string path = file(kCleanedEndsFile);
  const Result<Bytes> bytes = read_file(storage_, path, kFileBytesMax);
  if (!bytes) return bytes.error() == Errc::not_found ? Result<void>{} : bytes.error();
  Result<CleanedEnds> read = parse_cleaned_ends(path, *bytes);
  if (!read && read.error() == Errc::newer_format) return read.error();
  if (!read) logger()->warn("{}; compaction begins at the oldest records again", read.error().text());
  if (read) cleaned_ends_ = std::move(*read);
  for (auto& [partition, cleaned] : cleaned_ends_) cleaned.end = cleaned.again;
  return {};
}

// Of a file that is damaged nothing counts; the warning tells the `consequence`.
Result<void> LogDir::read_offsets(std::string_view name, OffsetsByPartition& offsets, std::string_view consequence) {
  offsets.clear();
  const std::string path = file(name);
  const Result<Bytes> bytes = read_file(storage_, path, kFileBytesMax);
  if (!bytes) return bytes.error() == Errc::not_found ? Result<void>{} : bytes.error();
  Result<OffsetsByPartition> read = parse_checkpoint(path, *bytes);
  if (!read && read.error() == Errc::newer_format) return read.error();
  if (!read) logger()->warn("{}; {}", read.error().text(), consequence);
  if (read) offsets = std::move(*read);
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
  for (const TopicId& topic : deleted_) properties.push_back({std::string(kDeletedKey), to_string(topic)});
  properties.insert(properties.end(), unknown_meta_.begin(), unknown_meta_.end());
  return write_file_atomically(storage_, file(kMetaFile), as_bytes(format_property_file(kMetaKind, kMajor, properties)));
}

Result<void> LogDir::begin_writing(LeaderEpoch newest) {
  if (newest.value() == std::numeric_limits<std::int32_t>::max()) {
    return Error{Errc::corrupt, path_ + " holds batches of the last epoch there is"};
  }
  // Kafka's marker too: a broker that finds it would believe the directory to be as it left it.
  for (const std::string_view marker : {kCleanStopFile, kKafkaCleanStopFile}) {
    if (Result<void> removed = storage_.remove(file(marker)); !removed && removed.error() != Errc::not_found) return removed;
  }
  if (Result<void> done = set_aside_deleted(); !done) return done;
  if (!starts_agree_) {
    if (Result<void> written = write_starts(log_starts_); !written) return written;
    starts_agree_ = true;
  }
  const LeaderEpoch next{std::max(epoch_, newest).value() + 1};
  if (Result<void> written = write_meta(next); !written) return written;  // syncs the directory: the removal is durable too
  epoch_ = next;
  return {};
}

/// Replaces a checkpoint file, and what is known of it.
Result<void> LogDir::write_checkpoint(std::string_view name, OffsetsByPartition next, OffsetsByPartition& known) {
  Result<void> written = write_file_atomically(storage_, file(name), as_bytes(format_checkpoint(next)));
  if (written) {
    known = std::move(next);
  } else {
    known.merge(next);  // the file may have either's
  }
  return written;
}

Result<void> LogDir::write_recovery_points(const OffsetsByPartition& synced) {
  return write_checkpoint(kRecoveryPointFile, synced, recovery_points_);
}

Result<void> LogDir::write_log_starts(const OffsetsByPartition& moved) {
  OffsetsByPartition starts = log_starts_;
  for (const auto& [partition, start] : moved) starts[partition] = start;
  return write_starts(std::move(starts));
}

/// Ours first: a crash between the two leaves the one that counts.
Result<void> LogDir::write_starts(OffsetsByPartition next) {
  Result<void> written = write_file_atomically(storage_, file(kLogStartsFile), as_bytes(format_log_starts(next)));
  if (!written) {
    log_starts_.merge(next);  // as in write_checkpoint()
    return written;
  }
  return write_checkpoint(kKafkaLogStartsFile, std::move(next), log_starts_);
}

Result<void> LogDir::write_cleaned_end(const TopicPartition& partition, const CleanedEnd& cleaned) {
  CleanedEnds ends = cleaned_ends_;
  ends[partition] = cleaned;
  return write_cleaned_ends(std::move(ends));
}

Result<void> LogDir::write_cleaned_ends(CleanedEnds next) {
  Result<void> written = write_file_atomically(storage_, file(kCleanedEndsFile), as_bytes(format_cleaned_ends(next)));
  if (!written) return written;  // too low an end, as the file may have now or not, only costs work
  cleaned_ends_ = std::move(next);
  OffsetsByPartition ends;
  for (const auto& [partition, cleaned] : cleaned_ends_) ends.emplace(partition, cleaned.end);
  return write_file_atomically(storage_, file(kKafkaCleanedEndsFile), as_bytes(format_checkpoint(ends)));
}

/// What was noted of another topic's partitions must not be taken for what those hold that get their names now.
Result<void> LogDir::forget_partitions(std::string_view topic, std::int32_t first) {
  const auto is_of_it = [&](const auto& entry) { return entry.first.topic == topic && entry.first.partition.value() >= first; };
  if (clean_ends_) std::erase_if(*clean_ends_, is_of_it);
  const auto forget = [&](std::string_view name, OffsetsByPartition& known) {
    OffsetsByPartition kept = known;
    return std::erase_if(kept, is_of_it) > 0 ? write_checkpoint(name, std::move(kept), known) : Result<void>{};
  };
  if (Result<void> done = forget(kRecoveryPointFile, recovery_points_); !done) return done;
  CleanedEnds cleaned = cleaned_ends_;
  if (std::erase_if(cleaned, is_of_it) > 0) {
    if (Result<void> done = write_cleaned_ends(std::move(cleaned)); !done) return done;
  }
  OffsetsByPartition starts = log_starts_;
  return std::erase_if(starts, is_of_it) > 0 ? write_starts(std::move(starts)) : Result<void>{};
}

Result<void> LogDir::write_clean_stop(const CleanEnds& ends) {
  Properties properties{{"epoch", std::to_string(epoch_.value())}};
  for (const auto& [partition, end] : ends) properties.push_back({"partition", format_clean_end(partition, end)});
  return write_file_atomically(storage_, file(kCleanStopFile),
                               as_bytes(format_property_file(kCleanStopKind, kMajor, properties)));
}

}  // namespace lungo
