// What `lungo replay` shows of any data directory: its stores, projections, rows and events. Needs no application code: rows
// have real columns, events are decoded through their shapes. Opens everything read-only, beside a live application or not.
//
// Output: lines of text with tabs between the columns, or with `json` one JSON object per line.
// Threads: one.
#pragma once

#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include <lungo/framework/event_store.hpp>
#include <lungo/projections/state_store.hpp>

#include "../catalogue.hpp"

namespace lungo {

/// A state store of the directory, opened for reading.
struct ListedStore {
  std::string description;  // "sqlite views.db"
  std::unique_ptr<StateStore> store;
  std::unique_ptr<RowReader> reader;
  std::vector<ProjectionEntry> entries;
};

class ReplayCommands {
 public:
  /// Errors: not_found (no data directory); as open_local() and StateStore::open(); unsupported for a kind of store that this
  /// program does not know.
  static Result<ReplayCommands> open(const std::string& data, bool json);

  Result<void> list(std::ostream& out);
  Result<void> status(std::ostream& out);
  /// The rows of a projection; with `key` those whose key columns begin with its parts, which commas separate.
  Result<void> show(const std::string& projection, const std::optional<std::string>& key, std::ostream& out);
  /// The events of a stream, from whichever stream topic has it unless `topic` says which.
  Result<void> events(const std::string& stream, const std::optional<std::string>& topic, std::ostream& out);

  /// The store that a rebuild of these projections works on. Errors: not_found; invalid_argument when several have them.
  [[nodiscard]] Result<std::string> store_of(const std::vector<std::string>& projections) const;
  [[nodiscard]] const std::shared_ptr<EventLog>& log() const { return log_; }

 private:
  ReplayCommands(std::shared_ptr<EventLog> log, bool json) : log_(log), events_(std::move(log)), json_(json) {}
  Result<void> open_store(const std::string& description, const std::string& directory);
  Result<bool> events_of(const TopicInfo& topic, const std::string& stream, std::ostream& out);
  /// Empty for a payload that says nothing about itself.
  Result<std::string> json_of(const Envelope& envelope);

  std::shared_ptr<EventLog> log_;
  EventStore events_;
  bool json_;
  std::vector<ListedStore> stores_;
};

}  // namespace lungo
