// What `lungo replay` shows of a data directory's stores: projections, how far they are, rows. Needs no application code, since
// rows have real columns. Opens everything read-only, beside a live application or not.
//
// Output: lines of text with tabs between the columns, or with `json` one JSON object per line (printed_cells.hpp).
// Threads: one.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <lungo/framework/event_store.hpp>
#include <lungo/projections/state_store.hpp>

#include "../catalogue.hpp"
#include "printed_cells.hpp"

namespace lungo {

/// A state store of the directory, opened for reading.
struct ListedStore {
  std::string description;  // "sqlite views.db"
  std::unique_ptr<StateStore> store;
  std::unique_ptr<RowReader> reader;
  std::vector<ProjectionEntry> entries;
};

struct ShowOptions {
  std::optional<std::string> key;    // of rows whose key columns begin with its parts, which commas separate
  std::optional<std::string> store;  // "views.db"; where several have the projection
  std::uint64_t limit = UINT64_MAX;
};

/// Opens the log of a data directory for reading; makes nothing.
/// Errors: not_found (nothing there, or no data directory; says which); as open_local().
Result<std::shared_ptr<EventLog>> open_log_to_look_at(const std::string& data);

class ReplayCommands {
 public:
  /// Errors: as open_log_to_look_at() and StateStore::open(); unsupported for a kind of store that this program does not know.
  static Result<ReplayCommands> open(const std::string& data, bool json);

  Result<void> list(Output& out);
  Result<void> status(Output& out);
  /// Errors: not_found (projection, or no row with this key); invalid_argument (text that is no key; several stores).
  Result<void> show(const std::string& projection, const ShowOptions& options, Output& out);

  /// The store that a rebuild of these projections works on, `wanted` if it is named. A listed one that is not there when no
  /// other has them: an engine makes it anew.
  /// Errors: not_found; invalid_argument when several have them.
  [[nodiscard]] Result<std::string> store_of(const std::vector<std::string>& projections,
                                             const std::optional<std::string>& wanted) const;
  [[nodiscard]] const std::shared_ptr<EventLog>& log() const { return log_; }
  /// What the user should know besides: stores that are listed but not there.
  [[nodiscard]] std::vector<std::string> notes() const;
  [[nodiscard]] bool is_missing(const std::string& store) const;

 private:
  ReplayCommands(std::shared_ptr<EventLog> log, bool json) : log_(std::move(log)), json_(json) {}
  Result<void> open_store(const std::string& description, const std::string& directory);
  [[nodiscard]] std::string names() const;
  void say_if_empty(bool empty, Output& out) const;

  std::shared_ptr<EventLog> log_;
  bool json_;
  std::vector<ListedStore> stores_;
  std::vector<std::string> missing_;  // stores that are listed but not there
};

}  // namespace lungo
