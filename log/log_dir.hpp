// A data directory: which topics it holds, who writes to it, how it was left. docs/reference/directory.md lists its files.
//
// For the embedded log. What happens, in order, so that a crash at any moment leaves a directory that opens:
//
//   open     lock; read everything (damage is reported before anything changes)
//   begin    remove the clean-stop marker, write the new epoch; both durable before the first append
//   create   partition directories, then `lungo.topics` in one replacement: a topic exists from then on; partitions that are
//            added likewise
//   delete   the topic's id goes into `lungo.meta`, then `lungo.topics` is replaced by one without it: the topic is gone from
//            then on; its directories get other names, so that its own is free, and their files are removed at leisure.
//            What a crash leaves of that is found by the ids: the next begin goes on from there
//   renew    the new start, then the partition's directory gets another name, as that of a deleted topic does, and a new one is
//            made. For copies only, which are made again
//   trim     `lungo.starts` and then Kafka's `log-start-offset-checkpoint`, before any file goes
//   stop     after everything is synced: recovery points, then the clean-stop marker, last
//
// What it notes of the partitions has a class of its own, partition_marks.hpp.
// Threads: one at a time.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <lungo/log/partition_log.hpp>
#include "partition_marks.hpp"
#include "topics_file.hpp"

namespace lungo {

/// What a directory means for who opens it that lacks a partition's directory, or has another one in its place.
enum class LostPartitions {
  are_damage,
  are_made_anew,  // without records: these can be had again
};

class LogDir {
 public:
  /// Takes the writer's lock, makes the directory when it is absent, and reads it. Errors: locked, naming the holder;
  /// newer_format; invalid_argument for a backup; corrupt; no_space; io.
  static Result<std::unique_ptr<LogDir>> open_writer(Storage& storage, Randomness& random, const std::string& path,
                                                     LostPartitions lost = LostPartitions::are_damage);
  /// Reads it without lock, beside a writer or not. Errors: not_found; newer_format; corrupt; io.
  static Result<std::unique_ptr<LogDir>> open_reader(Storage& storage, const std::string& path);

  /// Makes a directory that Apache Kafka wrote one of ours: `lungo.meta` and `lungo.topics` for the topics that are there, and
  /// nothing else. After a crash meanwhile it is to be called again. Errors: as adopt_kafka_directory().
  static Result<std::vector<TopicInfo>> adopt_kafka(Storage& storage, Randomness& random, const std::string& path);

  [[nodiscard]] const std::string& path() const { return path_; }
  /// The text form of the directory's random identity.
  [[nodiscard]] const std::string& id() const { return id_; }
  /// Epoch of the last writing open: ours after begin_writing().
  [[nodiscard]] LeaderEpoch epoch() const { return epoch_; }
  [[nodiscard]] const std::vector<TopicEntry>& topics() const { return topics_; }
  [[nodiscard]] std::string partition_path(const TopicPartition& partition) const;

  /// What is noted of the partitions.
  [[nodiscard]] const PartitionMarks& marks() const { return marks_; }

  // A writer's.

  [[nodiscard]] PartitionMarks& marks() { return marks_; }
  /// Must succeed before the first append. The epoch becomes a later one than before, and than `newest`: that of the batches
  /// that are there. Errors: corrupt, when there is none; no_space, io.
  Result<void> begin_writing(LeaderEpoch newest = kNoEpoch);
  /// Errors: invalid_argument, also when the tail page has no places left; already_exists when a directory with records is in
  /// the way; no_space, io. `spec` is new here.
  Result<TopicInfo> create_topic(const TopicSpec& spec);
  /// The same for a copy of another log's topic, which keeps its id; offsets may be missing.
  Result<TopicInfo> create_copied_topic(const TopicInfo& info);
  /// Errors: not_found; invalid_argument; no_space, io.
  Result<TopicInfo> alter_topic(std::string_view name, const TopicChange& change);
  /// Makes the topic have so many partitions, which are at least those it has. Errors: as create_topic(); not_found.
  Result<TopicInfo> add_partitions(std::string_view name, std::int32_t partitions);
  /// Gives the partition a directory without records, and `start` for its start; of what it had nothing comes back, and nobody
  /// writes there any more. Errors: no_space, io: then the next opening finds a directory of either, or makes one.
  Result<void> renew_partition(const TopicPartition& partition, Offset start);
  /// The directories stay where they are until release_names(). After an error topics() tells whether the topic is still there:
  /// it is gone when nobody can say. Errors: not_found; no_space, io.
  Result<void> delete_topic(std::string_view name);
  /// Gives the directories of a deleted topic, in which nobody writes any more, the names under which they wait to be removed.
  /// A failure is logged: then they go at the next start.
  void release_names(const TopicInfo& topic);
  /// Directories of deleted topics, under their new names, that nobody has taken yet; for good when they are removed.
  [[nodiscard]] std::vector<std::string> take_deleted_directories() { return std::exchange(deleted_directories_, {}); }
  /// The last thing a writer does. Errors: no_space, io.
  Result<void> write_clean_stop(const PartitionMarks::CleanEnds& ends) { return marks_.write_clean_stop(ends, epoch_); }

  // A reader's.

  /// Reads everything again. Errors: as open_reader().
  Result<void> reload();

 private:
  LogDir(Storage& storage, std::string path) : storage_(storage), path_(std::move(path)), marks_(storage, path_) {}

  [[nodiscard]] std::string file(std::string_view name) const { return path_ + "/" + std::string(name); }
  Result<void> lock(Randomness& random);
  [[nodiscard]] Result<void> check_is_new() const;
  Result<void> check_is_not_ours();
  Result<void> make_id(Randomness& random);
  Result<void> read_meta();
  Result<std::optional<std::string>> find_used_partition() const;
  Result<void> read_topics();
  Result<void> read_topics_beside_a_writer();
  Result<void> check_partition_directories() const;
  [[nodiscard]] Result<void> check_partition_directory(const TopicPartition& partition, const TopicId& id) const;
  Result<void> make_lost_directories();
  Result<void> write_meta(LeaderEpoch epoch);
  Result<void> write_topics(const std::vector<TopicEntry>& topics);
  [[nodiscard]] std::vector<TopicEntry>::iterator find_entry(std::string_view name);
  Result<TopicInfo> add_topic(TopicEntry entry);
  Result<void> make_partition_directories(const std::vector<TopicEntry>& topics, const TopicInfo& info, std::int32_t first);
  Result<void> make_partition_directory(const TopicPartition& partition, const TopicId& id);
  Result<std::optional<TopicId>> deleted_topic_of(const std::string& directory) const;
  Result<void> make_anew(const TopicPartition& partition, const TopicId& id);
  Result<void> set_aside(const std::string& name, const TopicId& topic);
  Result<void> set_aside_deleted();

  Storage& storage_;
  const std::string path_;
  std::unique_ptr<FileLock> lock_;
  Randomness* random_ = nullptr;  // a writer's
  std::string id_;
  LeaderEpoch epoch_{0};
  std::size_t tail_places_given_ = 0;  // places of the tail page below it are never given again, also when their topic is gone
  Properties unknown_meta_;            // of a newer minor version, kept
  std::vector<TopicEntry> topics_;
  std::vector<TopicId> deleted_;  // topics that are gone, while directories may have their names
  std::vector<std::string> deleted_directories_;
  PartitionMarks marks_;
};

}  // namespace lungo
