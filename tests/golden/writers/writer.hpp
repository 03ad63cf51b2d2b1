// What the programs that wrote the golden directories share: a machine without chance, and the directory's two outputs.
//
// A program declares its events as they were at its time and appends some of them. It runs on the simulated disk, clock,
// threads and random numbers, so that running it twice gives identical bytes, and leaves in the folder that it is told
//   data/       the data directory, without the lock file
//   events.txt  one line per record of the streams' topic: partition, offset, stream, event name, JSON of the struct that was
//               appended (made from the C++ object, not from the record)
// The programs are built with the tests and run by hand, once: golden bytes are never rewritten.
// Threads: one.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <lungo/framework/codec_json.hpp>
#include <lungo/framework/event_store.hpp>
#include "tests/support/simulation.hpp"

namespace lungo::golden {

inline constexpr std::string_view kTopic = "orders";

class Writer {
 public:
  /// Begins with the data directory that lies in `folder`, if there is one: then this program comes after another one.
  explicit Writer(std::string folder);

  /// Opens the log with so many partitions for the streams; without this call, one.
  void open(std::int32_t partitions);
  /// The store on the open log. A second later than the last call, so that no two events have one time.
  EventStore& store();

  /// Appends to the stream "Order-ID" and notes the line of events.txt.
  template <class E>
  void append(std::string_view id, const E& event, const EventMeta& meta = {}) {
    append_together(StreamId{"Order", id}, std::vector<E>{event}, meta);
  }
  /// The same for several events in one batch.
  template <class E>
  void append_together(const StreamId& stream, const std::vector<E>& events, const EventMeta& meta = {}) {
    EventBatch batch = store().batch(kTopic).value();
    for (const E& event : events) batch.add(stream, event, meta).value();
    Commit commit = store_->append_wait(std::move(batch)).value().front();
    for (const E& event : events) {
      note(commit.partition.partition, commit.first, stream.text(), event_name<E>(), to_json(event));
      commit.first = commit.first.next();
    }
  }

  /// Stops cleanly and writes data/ and events.txt; write_directory() does it for a program that saved nothing.
  void save();
  [[nodiscard]] bool is_saved() const { return saved_; }
  /// Writes the directory as a crash leaves it now, without a clean stop.
  void save_as_after_a_crash();
  /// Puts the streams' first segment, as it is now without its last bytes, into the saved directory: a write that was under
  /// way.
  void save_torn_segment(std::uint64_t missing_bytes);
  /// Puts a file of this text into the saved data directory, in place of what is there.
  void replace_file(std::string_view name, std::string_view text);

 private:
  void note(PartitionId partition, Offset offset, std::string_view stream, std::string_view type, std::string_view json);
  void copy_in();
  void write_out();

  const std::string folder_;
  test::Simulation machine_{2026};
  const Ports ports_ = machine_.ports();
  std::shared_ptr<EventLog> log_;
  std::optional<EventStore> store_;
  std::map<std::pair<std::int32_t, std::int64_t>, std::string> lines_;  // by partition and offset
  bool saved_ = false;
};

/// main() of a writer: PROGRAM FOLDER. Says what went wrong and answers 1 when it failed.
int write_directory(int argc, char** argv, void (*write)(Writer& out));

}  // namespace lungo::golden
