// What a data directory notes of its partitions, beside what their own directories hold: where they begin, how far they are
// synced and compacted, how they were left.
//
//   recovery points   `recovery-point-offset-checkpoint`: everything below was synced; too low only costs work
//   starts            `lungo.starts`, then Kafka's `log-start-offset-checkpoint`: what lies below is deleted, and its files go
//   cleaned ends      `lungo.cleaned`, then Kafka's `cleaner-offset-checkpoint`: where rounds of compaction ended
//   clean ends        `lungo.clean-stop`: how each partition was left. It names the epoch that wrote it, so one that comes back
//                     from a lost removal is not believed
//
// A file that can't be read counts as absent, with a warning, unless a newer Lungo wrote it. Marks of topics that are gone stay
// until others get the names. Threads: one at a time.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>

#include <lungo/log/partition_log.hpp>
#include "checkpoint_file.hpp"
#include "cleaned_ends.hpp"

namespace lungo {

class PartitionMarks {
 public:
  using CleanEnds = std::map<TopicPartition, CleanEnd>;

  /// Knows nothing yet. `storage` outlives it.
  PartitionMarks(Storage& storage, std::string directory) : storage_(storage), directory_(std::move(directory)) {}

  /// All but the cleaned ends. `epoch` is that of the last writing open. Errors: newer_format; io.
  Result<void> read(LeaderEpoch epoch);
  /// A writer's: the first round begins where the file says so. Errors: newer_format; io.
  Result<void> read_cleaned_ends();
  /// Again. Errors: io.
  Result<void> read_recovery_points();

  /// Whether the last writer stopped cleanly.
  [[nodiscard]] bool was_stopped_cleanly() const { return clean_ends_.has_value(); }
  /// What the clean-stop marker says of the partition.
  [[nodiscard]] std::optional<CleanEnd> clean_end(const TopicPartition& partition) const;
  /// Everything below it was synced before the directory was opened.
  [[nodiscard]] Offset recovery_point(const TopicPartition& partition) const;
  /// What lies below is deleted, whether its files are still there or not.
  [[nodiscard]] Offset log_start(const TopicPartition& partition) const;
  /// Below it each key has one record: where the last round of compaction ended.
  [[nodiscard]] Offset cleaned_end(const TopicPartition& partition) const;

  // A writer's.

  /// Removes the markers, ours and Kafka's, which is not durable before the directory is synced. Errors: no_space, io.
  Result<void> remove_clean_stop();
  /// Writes the starts where the two files that have them differ. Errors: no_space, io.
  Result<void> agree_on_starts();
  /// Starts that have moved up. Errors: no_space, io.
  Result<void> write_log_starts(const OffsetsByPartition& moved);
  /// Where rounds of compaction ended, and the first one behind the next opening begins. Errors: no_space, io.
  Result<void> write_cleaned_end(const TopicPartition& partition, const CleanedEnd& cleaned);
  /// `synced`: offsets below which every partition is durable. Errors: no_space, io.
  Result<void> write_recovery_points(const OffsetsByPartition& synced);
  /// Nothing that is noted of the partition reaches above `end`, where it is about to be cut. Errors: no_space, io.
  Result<void> cut(const TopicPartition& partition, Offset end);
  /// The partition's records are gone, and it begins at `start`: it is about to be made anew. Errors: no_space, io.
  Result<void> begin_anew(const TopicPartition& partition, Offset start);
  /// The last thing a writer does, whose epoch it is. Errors: no_space, io.
  Result<void> write_clean_stop(const CleanEnds& ends, LeaderEpoch epoch);
  /// Nothing is noted any more of the topic's partitions from `first` on: others get their names. Errors: no_space, io.
  Result<void> forget(std::string_view topic, std::int32_t first);

 private:
  [[nodiscard]] std::string file(std::string_view name) const { return directory_ + "/" + std::string(name); }
  Result<void> read_log_starts();
  Result<void> read_offsets(std::string_view name, OffsetsByPartition& offsets, std::string_view consequence);
  Result<void> read_clean_stop(LeaderEpoch epoch);
  void warn_of_other_starts(const OffsetsByPartition& ours, const OffsetsByPartition& kafkas) const;
  Result<void> write_starts(OffsetsByPartition next);
  Result<void> write_cleaned_ends(CleanedEnds next);
  Result<void> forget(const std::function<bool(const TopicPartition&)>& is_gone);
  Result<void> write_checkpoint(std::string_view name, OffsetsByPartition next, OffsetsByPartition& known);

  Storage& storage_;
  const std::string directory_;
  OffsetsByPartition recovery_points_;  // as the file has them, those of topics that are gone too
  OffsetsByPartition log_starts_;       // likewise
  bool starts_agree_ = true;            // the two files that have them
  CleanedEnds cleaned_ends_;            // likewise
  std::optional<CleanEnds> clean_ends_;
};

}  // namespace lungo
