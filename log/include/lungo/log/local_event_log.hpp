// The embedded home: an EventLog over a data directory in this process.
//
// Threads: appends to one partition are serialised by its mutex; flusher activities sync what nobody waits for. Readers
// take no lock while they read.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <lungo/log/event_log.hpp>

namespace lungo {

struct LocalOptions {
  /// Ports to run on; must outlive the log. Null: the real ones, owned by the log.
  const Ports* ports = nullptr;
  /// Open without the writer's lock, beside a live writer or on a stopped directory; follows the tail page.
  /// Appending and creating topics answer `unsupported`.
  bool read_only = false;
  /// Bytes of records per partition that are appended and not completed yet, above which append answers `busy` (retriable):
  /// what holds memory while a sync takes its time. One append alone is never too much for it.
  std::size_t queued_bytes_max = 64u << 20;
  /// Files that are kept open at once, for moments a quarter more, however many segments there are; at most half of what the
  /// process may open counts. More cost no more memory than a descriptor each, fewer cost opening them again.
  std::size_t open_files_max = 4096;
  /// In the background everything is read again and again, at most so many bytes a second, so that rot is found before somebody
  /// needs what it hit: EventLog::damage() and metrics() tell. 0: never. Not with `read_only`.
  std::uint64_t scrub_bytes_per_second = 0;
  /// From when one round over the topics with `compact` began to the next one; more than nothing. Duration::max(): only one.
  Duration compaction_interval = std::chrono::seconds{10};
};

/// Opens or creates the data directory, recovering what a crash left behind. After a clean stop, and with `read_only`, each
/// partition is opened when somebody first uses it. What is wrong with one partition alone is answered by the calls that use
/// it. Errors: locked, naming the holder; invalid_argument for a backup; newer_format; corrupt, in a file of the directory
/// itself; no_space; io.
Result<std::shared_ptr<EventLog>> open_local(const std::string& directory, LocalOptions options = {});

/// Makes a data directory that Apache Kafka wrote (`log.dirs`, of a broker that was stopped or killed, or a copy of it) one
/// that open_local() opens: its topics keep their ids, offsets and records. Only `lungo.meta` and `lungo.topics` are written;
/// the first writing open recovers, and from then on no broker may write here again. Topics come without their settings, which
/// Kafka keeps elsewhere: they are plain ones that keep everything. Offsets may be missing where Kafka compacted. Control
/// records are never seen; records of transactions are, whatever became of these.
/// Errors: locked, by a broker or a Lungo that runs; already_exists when the directory is Lungo's; not_found without a
/// partition; invalid_argument for a topic whose partitions here are not 0 to n-1 of one topic; corrupt; newer_format;
/// no_space, io. `ports`: as LocalOptions::ports, during the call.
Result<std::vector<TopicInfo>> adopt_kafka_directory(const std::string& directory, const Ports* ports = nullptr);

}  // namespace lungo
