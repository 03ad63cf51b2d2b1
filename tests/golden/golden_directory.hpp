// A golden data directory, opened the way an application opens its own: on the real disk, in a copy that a test may change.
//
// tests/golden/directories/NAME holds data/, as a program with an older struct left it, and events.txt: one line "partition
// offset stream event-name JSON" per record, made from that program's objects. writers/ has the programs.
//
// How a new directory joins: write writers/NAME.cpp, build it, run it twice into two folders and see that they do not differ,
// add the folder as directories/NAME and its files' hashes to SHA256SUMS (`sha256sum`, paths from tests/golden). What is there
// is never rewritten, by no program and for no reason: it is the proof that what users have written can still be read. When
// the formats change, the old directories stay and new ones join them.
// Threads: one.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <lungo/framework/aggregates.hpp>
#include <lungo/framework/codec_json.hpp>
#include <lungo/framework/event_store.hpp>
#include <lungo/log/local_event_log.hpp>
#include "tests/support/temp_directory.hpp"

namespace lungo::golden {

inline constexpr std::string_view kTopic = "orders";

/// The names of all golden directories, sorted.
std::vector<std::string> golden_names();

class GoldenDirectory {
 public:
  /// Copies the data directory.
  explicit GoldenDirectory(std::string_view name);

  /// The copy.
  [[nodiscard]] std::string path() const { return copy_ / "data"; }
  [[nodiscard]] const std::vector<std::string>& lines() const { return lines_; }
  /// Path and bytes of every file of the copy as it is now; of the committed directory.
  [[nodiscard]] std::map<std::string, std::string> files() const;
  [[nodiscard]] std::map<std::string, std::string> committed_files() const;

  [[nodiscard]] Result<std::shared_ptr<EventLog>> try_open(bool read_only = false) const;
  /// Throws Exception when it can't be opened.
  [[nodiscard]] EventStore open(bool read_only = false) const;

 private:
  test::TempDirectory copy_;
  std::string committed_;
  std::vector<std::string> lines_;
};

/// What events.txt should say about a topic's records, told by what is in the log alone: each payload through its shape.
Result<std::vector<std::string>> describe_records(EventStore& store, std::string_view topic = kTopic);

/// A decider that remembers its events.
template <class... E>
struct History {
  static constexpr std::string_view category = "Order";
  static constexpr std::string_view topic = kTopic;
  using Events = lungo::events<E...>;
  struct State {
    std::vector<std::string> events;  // as JSON
  };
  template <class Event>
  static void evolve(State& state, const Event& event) {
    state.events.push_back(to_json(event));
  }
};

/// The events of the stream "Order-ID", decoded into this program's structs by a decider's load.
template <class... E>
Result<std::vector<std::string>> load(const EventStore& store, std::string_view id = "1") {
  Aggregates<History<E...>> orders{store};
  Result<Loaded<History<E...>>> loaded = orders.load(id);
  if (!loaded) return loaded.error();
  return std::move(loaded->state.events);
}

}  // namespace lungo::golden
