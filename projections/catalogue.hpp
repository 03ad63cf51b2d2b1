// What a store knows of its projections: one row each, their reading positions, and the events they had to park.
//
// Kept in three tables of the store itself, so rows and positions share a transaction:
//
//   lungo_meta       (projection, role) -> format, table, topic, state_shape, key_shape, version, generation, origin, rebuild
//   lungo_positions  (projection, role, partition) -> topic_id, offset, epoch
//   lungo_parked     (projection, topic, partition, offset) -> type, error
//
// `role` is "live" or "shadow"; a shadow is a rebuild in progress. `format` is the version of this layout: readers refuse
// newer. Threads: as the StateStore.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <lungo/projections/state_store.hpp>

namespace lungo {

inline constexpr std::int64_t kCatalogueFormat = 1;

/// Whose rows: the ones that are read, or those of a rebuild that will replace them.
enum class Role { live, shadow };

std::string_view to_string(Role role);

struct ProjectionEntry {
  std::string projection;
  Role role = Role::live;
  std::string table;  // its rows
  std::string topic;
  std::string state_shape;  // of State and Key: when they change the rows are rebuilt
  std::string key_shape;
  std::int64_t version = 0;     // the projection's own, see Projection
  std::int64_t generation = 1;  // counts rebuilds
  std::string origin;           // where its history begins: "beginning", "offset 17", "time 2024-05-01T00:00:00Z"
  std::string rebuild;          // why it is being rebuilt; empty when it has caught up with the history of that time
  std::vector<Position> positions;
};

/// Not the framework's ParkedEvent, which lies in the log: a row of this store.
struct ParkedRow {
  std::string projection;
  TopicPartition partition;
  Offset offset;
  std::string type;
  std::string error;
};

class Catalogue {
 public:
  /// Makes or opens the three tables. Errors: newer_format; as StateStore::open_table.
  static Result<Catalogue> open(StateStore& store);
  /// All that was committed. An empty store has no entries. Errors: newer_format; as RowReader::scan.
  static Result<std::vector<ProjectionEntry>> entries(RowReader& reader);
  static Result<std::vector<ParkedRow>> parked(RowReader& reader);

  /// Writes the entry and its positions.
  Result<void> put(const ProjectionEntry& entry);
  Result<void> put_positions(const std::string& projection, Role role, const std::vector<Position>& positions);
  Result<void> erase(const ProjectionEntry& entry);
  Result<void> park(const ParkedRow& event);
  Result<void> unpark(const std::vector<ParkedRow>& events);

 private:
  Catalogue(StateStore& store, TableId meta, TableId positions, TableId parked)
      : store_(&store), meta_(meta), positions_(positions), parked_(parked) {}

  StateStore* store_;
  TableId meta_;
  TableId positions_;
  TableId parked_;
};

}  // namespace lungo
