// All rows of a projection in one partition as bytes, for a snapshot in the log (snapshots.hpp): collected from a store, and
// put into one, a page at a time.
//
//   state  := version:byte = 1 row* 0:byte parked*                parked* goes to the end
//   row    := cells                                               in key order; as spread_query.hpp, a count that is not 0
//   parked := offset:varint type:text error:text                  an event that was passed over, of the same partition
//
//   {(a: 1), (b: null)}, nothing parked   ->   01  02 03 01 61 01 02  02 03 01 62 00  00
//
// Invariants:
//   R1  rows, parked events and position are of one commit: nothing is committed to the store while its rows are collected
//   R2  a store goes on with the rows that it has until all of the snapshot is in a table beside them; that takes their
//       place in one transaction with the position. After a crash before it, or bytes that are none of a snapshot, it is as
//       it was
// What a call does is bounded by kRowsPageBytes and the row behind that. Threads: those of the store.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <lungo/framework/shape.hpp>
#include <lungo/framework/wire.hpp>
#include <lungo/projections/state_store.hpp>

#include "catalogue.hpp"

namespace lungo {

inline constexpr std::size_t kRowsPageBytes = 1u << 20;  // some 10 ms to read from SQLite, some 30 ms to write

/// Changes with the text, which says all that rows depend on.
ShapeHash rows_shape(std::string_view meaning);

class RowsCollector {
 public:
  /// Of more than `bytes_max` bytes nothing comes.
  RowsCollector(std::unique_ptr<RowReader> reader, std::string table, std::size_t key_columns, std::size_t bytes_max);

  /// Reads on; true behind the last row. Errors: too_large; as RowReader::scan().
  Result<bool> read_page();
  /// Behind the last row.
  Bytes finish(const std::vector<ParkedRow>& parked);

 private:
  std::unique_ptr<RowReader> reader_;
  std::string table_;
  std::size_t key_columns_;
  std::size_t bytes_max_;
  Bytes state_;
  Bytes next_;  // the key of the first row that was not read; none: from the first row on
};

class RowsInstaller {
 public:
  /// `store` outlives it. `entry` names the table and has the position.
  RowsInstaller(StateStore& store, ProjectionEntry entry, TableSpec spec, Bytes state);
  RowsInstaller(const RowsInstaller&) = delete;  // the reader has its address
  RowsInstaller& operator=(const RowsInstaller&) = delete;

  /// Writes on; true when the rows are in force. Errors: undecodable, newer_format: the bytes are no snapshot of such rows, see
  /// give_up(); as StateStore.
  Result<bool> write_page();
  /// Removes what was written. Errors: as StateStore.
  Result<void> give_up();

 private:
  Result<void> begin();
  Result<bool> put_rows();
  Result<std::vector<ParkedRow>> parked_in_state();
  Result<void> replace();

  StateStore& store_;
  const ProjectionEntry entry_;
  const TableSpec spec_;  // under its name while it is beside the live one
  const Bytes state_;
  Reader in_{state_};
  std::optional<TableId> table_;
  bool has_all_rows_ = false;
};

}  // namespace lungo
