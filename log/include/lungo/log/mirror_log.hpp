// A mirror: a local directory of ours that follows the partitions of a foreign log, with the source's offsets.
//
// For a home of logs that has its records elsewhere, and has them read here. Readers use reads(), with all that event_log.hpp
// says of reading, by the embedded log's own code: bounded memory, stream index, `offset_at`. One writer of copies fills it:
//
//   make_topic(source's topic)
//   end(p) = E; the source has p from S on. What is there has to be the source's, or else empty_from(p, S): not when E < S, nor
//     when reads() begins above S, nor unless last_record(p) is all that the source has from there up to E (without one, the
//     source has nothing from S up to E). Of a compacted source that record may be gone
//   start_at(p, S)
//   what was fetched from E on as MirrorBatches (mirror_batch.hpp) -> append_copy(p, it) -> commit(p, source's committed end)
//
// Promises: a partition has the source's records of [start, end) and no others, at their offsets; what was copied is there
// after a clean close. It is a cache: nothing is synced on the road, and after a crash a partition is cut to what passes its
// checks, or begins empty at its start, so that filling goes on from there. Only what the source has committed is to be copied:
// what an opening finds counts as committed.
//
//   DIR/lungo.mirror    property file `mirror` 1 (base/property_file.hpp): source=ID, whose the records are
//   DIR/...             a data directory (docs/reference/directory.md), whose topics have `gaps`
//
// Threads: reads() as an EventLog. The writer's side from any, one call at a time; those that wait behind a commit() are told
// on its thread, and must not call the writer's side.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include <lungo/log/event_log.hpp>
#include <lungo/log/mirror_batch.hpp>
#include <lungo/log/record_proof.hpp>

namespace lungo {

class LogFoundation;

struct MirrorOptions {
  /// Ports to run on; must outlive the mirror. Null: the real ones, owned by the mirror.
  const Ports* ports = nullptr;
  /// As LocalOptions'.
  std::size_t open_files_max = 4096;
  Duration compaction_interval = std::chrono::seconds{10};
};

class MirrorLog {
 public:
  /// The clean stop: everything is synced. Not on a thread that is inside a notification.
  ~MirrorLog();
  MirrorLog(const MirrorLog&) = delete;
  MirrorLog& operator=(const MirrorLog&) = delete;

  /// The log as its readers see it; what would write to it answers `unsupported`. As long as the mirror is there.
  [[nodiscard]] EventLog& reads();

  // Topics.

  /// Makes the topic and its partitions, empty from 0 on, or those that are new; positions in it carry the source's id. One of
  /// another id, or with other `streams` or `compact`, is forgotten before. Limits of the source are not ours: the starts
  /// follow it. Errors: invalid_argument for a name or setting that can't be; no_space, io.
  Result<void> make_topic(const TopicInfo& source);
  /// The topic and its records are gone, if they were there; who waits for records is told. Errors: no_space, io.
  Result<void> forget_topic(std::string_view name);

  // A partition's copies. Errors of all: not_found; partition_failed, when a sync has failed, until empty_from(); no_space, io.

  /// Where the next copy begins.
  Result<Offset> end(const TopicPartition& partition);
  /// The last record of it; nothing when there is none. Errors: corrupt.
  Result<std::optional<RecordProof>> last_record(const TopicPartition& partition);
  /// Takes over what was fetched, which begins at the end. After an error some of the batches may be there: see end(). Errors:
  /// invalid_argument when it begins elsewhere (offset() = the end).
  Result<void> append_copy(const TopicPartition& partition, const MirrorBatches& copy);
  /// Shows readers the batches that lie below `end`, the source's committed end, as far as they are here, and tells who waits
  /// for them. What was shown stays so. Errors: corrupt.
  Result<void> commit(const TopicPartition& partition, Offset end);
  /// The source begins at `start`: records below it go, soon. Nothing when the mirror begins there or above; returns its start.
  /// Errors: offset_out_of_range above the end: there is nothing to keep, see empty_from().
  Result<Offset> start_at(const TopicPartition& partition, Offset start);
  /// Gives up what lies at or above `offset`, or above the first damage if that is lower; returns the new end, which is a
  /// batch's and so may lie below. Who has seen more gets `offset_out_of_range` there; who just reads there, maybe `corrupt`.
  Result<Offset> cut(const TopicPartition& partition, Offset offset);
  /// Gives up all records: the partition is empty, and begins and ends at `start`.
  Result<void> empty_from(const TopicPartition& partition, Offset start);

  // What the source will be asked to append, looked for in what is copied: as PartitionLog's of these names.

  Result<std::optional<Appended>> find_appended(const TopicPartition& partition, const EncodedRecords& records,
                                                std::optional<Offset> since);
  Result<std::optional<Offset>> find_latest(const TopicPartition& partition, std::string_view key, Offset from);

 private:
  friend Result<std::unique_ptr<MirrorLog>> open_mirror(const std::string& directory, std::string_view source,
                                                        MirrorOptions options);
  class Parts;
  MirrorLog(std::unique_ptr<LogFoundation> foundation, std::unique_ptr<Parts> parts);

  std::unique_ptr<LogFoundation> foundation_;
  std::unique_ptr<Parts> parts_;
};

/// Opens or makes the mirror in `directory` of the log that calls itself `source` (a cluster's id): 1 to 249 printable ASCII
/// characters. Errors: locked, naming the holder; position_diverged when it mirrors another source; invalid_argument for a
/// `source` that can't be, or a directory that holds a log of our own; newer_format; corrupt, in a file of the directory
/// itself, which may be removed as a whole; no_space; io.
Result<std::unique_ptr<MirrorLog>> open_mirror(const std::string& directory, std::string_view source,
                                               MirrorOptions options = {});

}  // namespace lungo
