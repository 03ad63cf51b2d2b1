// States that were written down so that less of the log must be read again: topic `__lungo_snapshots`, one partition,
// compacted.
//
// For Aggregates and Process. A row is keyed by what it is a snapshot of ("decider/Visit/Visit-42",
// "process/Sessions/events/3") and belongs to a shape: a State whose shape has changed finds no snapshot and folds its events
// again. Before one is used EventLog::validate() must say that the log still has all that is in it: a power cut may take back
// events of a topic whose ack level is `isr`, and a topic may be made anew. A value over 900 KB is cut into chunks, written
// before the row that lists them; a crash between leaves the old row in force. When the row is written the chunks of the one
// before it are given up to compaction (where a small state follows a big one, or a crash comes between, they stay).
// Threads: any.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <lungo/framework/event_store.hpp>

namespace lungo {

inline constexpr std::string_view kSnapshotsTopic = "__lungo_snapshots";

struct Snapshot {
  Position position;  // everything below it is in `state`
  ShapeHash shape{};  // that `state` was encoded with
  Bytes state;
};

class Snapshots {
 public:
  /// Does no I/O before the first call.
  explicit Snapshots(EventStore store);

  /// The newest snapshot under `key`. Errors: corrupt when its chunks do not fit together; as EventLog::read_key().
  Result<std::optional<Snapshot>> load(std::string_view key);
  /// The same without its state: where it stands, and its shape. Errors: as EventLog::read_key().
  Result<std::optional<Snapshot>> peek(std::string_view key);
  /// As load(), looking among the newest rows of the topic first: for keys that are saved again every second.
  Result<std::optional<Snapshot>> load_recent(std::string_view key);

  /// The keys that begin with `prefix` and have a snapshot, sorted. Reads the whole topic. Errors: as EventLog::read().
  Result<std::vector<std::string>> keys(std::string_view prefix);

  /// Writes one of what was read of the partition `of`; `done` runs as a Completion does, or in the call. Errors: as
  /// EventLog::append(), not_owner among them; as EventLog::to_store().
  void save(std::string_view key, const TopicPartition& of, const Snapshot& snapshot, std::function<void(Result<void>)> done);

  /// The same, and waits until it is committed. Errors: also timed_out.
  Result<void> save_wait(std::string_view key, const TopicPartition& of, const Snapshot& snapshot,
                         Duration timeout = std::chrono::seconds{30});

  /// Makes the topic and declares its rows, which save() must not wait for. Errors: as EventStore::declare().
  Result<void> prepare();

 private:
  EventStore store_;
};

}  // namespace lungo
