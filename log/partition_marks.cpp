#include "partition_marks.hpp"

#include <cstdio>

#include <lungo/log/text.hpp>

#include "base/logger.hpp"
#include "base/property_file.hpp"
#include "log_starts.hpp"
#include "partition_directories.hpp"

namespace lungo {

namespace {

constexpr std::string_view kKafkaCleanStopFile = ".kafka_cleanshutdown";
constexpr std::string_view kCleanStopFile = "lungo.clean-stop";
constexpr std::string_view kRecoveryPointFile = "recovery-point-offset-checkpoint";

constexpr std::string_view kCleanStopKind = "clean-stop";
constexpr int kCleanStopMajor = 1;

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

Result<void> PartitionMarks::read(LeaderEpoch epoch) {
  if (Result<void> read = read_recovery_points(); !read) return read;
  if (Result<void> read = read_log_starts(); !read) return read;
  return read_clean_stop(epoch);
}

std::optional<CleanEnd> PartitionMarks::clean_end(const TopicPartition& partition) const {
  if (!clean_ends_) return std::nullopt;
  const auto found = clean_ends_->find(partition);
  if (found == clean_ends_->end()) return std::nullopt;
  return found->second;
}

Offset PartitionMarks::recovery_point(const TopicPartition& partition) const {
  const auto found = recovery_points_.find(partition);
  return found == recovery_points_.end() ? Offset{0} : found->second;
}

Offset PartitionMarks::log_start(const TopicPartition& partition) const {
  const auto found = log_starts_.find(partition);
  return found == log_starts_.end() ? Offset{0} : found->second;
}

Offset PartitionMarks::cleaned_end(const TopicPartition& partition) const {
  const auto found = cleaned_ends_.find(partition);
  return found == cleaned_ends_.end() ? Offset{0} : found->second.end;
}

Result<void> PartitionMarks::read_recovery_points() {
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
Result<void> PartitionMarks::read_log_starts() {
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
void PartitionMarks::warn_of_other_starts(const OffsetsByPartition& ours, const OffsetsByPartition& kafkas) const {
  for (const auto& [partition, start] : kafkas) {
    const auto found = ours.find(partition);
    const Offset counts = found == ours.end() ? Offset{0} : found->second;
    if (start <= counts) continue;
    logger()->warn("{} lets {} begin at {}; {} counts, by which it begins at {}", file(kKafkaLogStartsFile),
                   to_string(partition), start.value(), file(kLogStartsFile), counts.value());
  }
}

/// The first round begins where the file says "again".
Result<void> PartitionMarks::read_cleaned_ends() {
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
Result<void> PartitionMarks::read_offsets(std::string_view name, OffsetsByPartition& offsets, std::string_view consequence) {
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

Result<void> PartitionMarks::read_clean_stop(LeaderEpoch epoch) {
  clean_ends_.reset();
  const std::string path = file(kCleanStopFile);
  const Result<Bytes> bytes = read_file(storage_, path, kFileBytesMax);
  if (!bytes) return bytes.error() == Errc::not_found ? Result<void>{} : bytes.error();
  const Result<Properties> properties = parse_property_file(kCleanStopKind, kCleanStopMajor, path, *bytes);
  if (!properties) {
    if (properties.error() == Errc::newer_format) return properties.error();
    logger()->warn("{}; the directory is opened as after a crash", properties.error().text());
    return {};
  }
  CleanEnds ends;
  bool ours = false;
  for (const Property& property : *properties) {
    if (property.key == "epoch") ours = property.value == std::to_string(epoch.value());
    if (property.key != "partition") continue;
    if (auto end = parse_clean_end(property.value)) ends.insert(std::move(*end));
  }
  if (ours) clean_ends_ = std::move(ends);
  return {};
}

// ---- writing ----

Result<void> PartitionMarks::remove_clean_stop() {
  // Kafka's marker too: a broker that finds it would believe the directory to be as it left it.
  for (const std::string_view marker : {kCleanStopFile, kKafkaCleanStopFile}) {
    if (Result<void> removed = storage_.remove(file(marker)); !removed && removed.error() != Errc::not_found) return removed;
  }
  return {};
}

Result<void> PartitionMarks::agree_on_starts() {
  if (starts_agree_) return {};
  Result<void> written = write_starts(log_starts_);
  starts_agree_ = written.has_value();
  return written;
}

/// Replaces a checkpoint file, and what is known of it.
Result<void> PartitionMarks::write_checkpoint(std::string_view name, OffsetsByPartition next, OffsetsByPartition& known) {
  Result<void> written = write_file_atomically(storage_, file(name), as_bytes(format_checkpoint(next)));
  if (written) {
    known = std::move(next);
  } else {
    known.merge(next);  // the file may have either's
  }
  return written;
}

Result<void> PartitionMarks::write_recovery_points(const OffsetsByPartition& synced) {
  return write_checkpoint(kRecoveryPointFile, synced, recovery_points_);
}

Result<void> PartitionMarks::write_log_starts(const OffsetsByPartition& moved) {
  OffsetsByPartition starts = log_starts_;
  for (const auto& [partition, start] : moved) starts[partition] = start;
  return write_starts(std::move(starts));
}

/// Ours first: a crash between the two leaves the one that counts.
Result<void> PartitionMarks::write_starts(OffsetsByPartition next) {
  Result<void> written = write_file_atomically(storage_, file(kLogStartsFile), as_bytes(format_log_starts(next)));
  if (!written) {
    log_starts_.merge(next);  // as in write_checkpoint()
    return written;
  }
  return write_checkpoint(kKafkaLogStartsFile, std::move(next), log_starts_);
}

Result<void> PartitionMarks::write_cleaned_end(const TopicPartition& partition, const CleanedEnd& cleaned) {
  CleanedEnds ends = cleaned_ends_;
  ends[partition] = cleaned;
  return write_cleaned_ends(std::move(ends));
}

Result<void> PartitionMarks::write_cleaned_ends(CleanedEnds next) {
  Result<void> written = write_file_atomically(storage_, file(kCleanedEndsFile), as_bytes(format_cleaned_ends(next)));
  if (!written) return written;  // too low an end, as the file may have now or not, only costs work
  cleaned_ends_ = std::move(next);
  OffsetsByPartition ends;
  for (const auto& [partition, cleaned] : cleaned_ends_) ends.emplace(partition, cleaned.end);
  return write_file_atomically(storage_, file(kKafkaCleanedEndsFile), as_bytes(format_checkpoint(ends)));
}

/// What was noted of another topic's partitions must not be taken for what those hold that get their names now.
Result<void> PartitionMarks::forget(std::string_view topic, std::int32_t first) {
  return forget([&](const TopicPartition& known) { return known.topic == topic && known.partition.value() >= first; });
}

Result<void> PartitionMarks::forget(const std::function<bool(const TopicPartition&)>& is_gone) {
  const auto is_of_it = [&](const auto& entry) { return is_gone(entry.first); };
  if (clean_ends_) std::erase_if(*clean_ends_, is_of_it);
  const auto forget_in = [&](std::string_view name, OffsetsByPartition& known) {
    OffsetsByPartition kept = known;
    return std::erase_if(kept, is_of_it) > 0 ? write_checkpoint(name, std::move(kept), known) : Result<void>{};
  };
  if (Result<void> done = forget_in(kRecoveryPointFile, recovery_points_); !done) return done;
  CleanedEnds cleaned = cleaned_ends_;
  if (std::erase_if(cleaned, is_of_it) > 0) {
    if (Result<void> done = write_cleaned_ends(std::move(cleaned)); !done) return done;
  }
  OffsetsByPartition starts = log_starts_;
  return std::erase_if(starts, is_of_it) > 0 ? write_starts(std::move(starts)) : Result<void>{};
}

Result<void> PartitionMarks::cut(const TopicPartition& partition, Offset end) {
  if (clean_ends_) clean_ends_->erase(partition);
  if (recovery_point(partition) > end) {
    OffsetsByPartition points = recovery_points_;
    points[partition] = end;
    if (Result<void> done = write_checkpoint(kRecoveryPointFile, std::move(points), recovery_points_); !done) return done;
  }
  return cleaned_end(partition) > end ? write_cleaned_end(partition, {.end = end, .again = end}) : Result<void>{};
}

Result<void> PartitionMarks::begin_anew(const TopicPartition& partition, Offset start) {
  if (Result<void> done = forget([&](const TopicPartition& known) { return known == partition; }); !done) return done;
  return start > Offset{0} ? write_log_starts({{partition, start}}) : Result<void>{};
}

Result<void> PartitionMarks::write_clean_stop(const CleanEnds& ends, LeaderEpoch epoch) {
  Properties properties{{"epoch", std::to_string(epoch.value())}};
  for (const auto& [partition, end] : ends) properties.push_back({"partition", format_clean_end(partition, end)});
  return write_file_atomically(storage_, file(kCleanStopFile),
                               as_bytes(format_property_file(kCleanStopKind, kCleanStopMajor, properties)));
}

}  // namespace lungo
