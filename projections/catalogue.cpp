#include "catalogue.hpp"

#include <algorithm>
#include <optional>

namespace lungo {
namespace {

constexpr std::string_view kMeta = "lungo_meta";
constexpr std::string_view kPositions = "lungo_positions";
constexpr std::string_view kParked = "lungo_parked";

using enum ColumnType;

TableSpec meta_spec() {
  return {std::string(kMeta),
          {{"projection", text}, {"role", text}},
          {{"format", integer},
           {"table", text},
           {"topic", text},
           {"state_shape", text},
           {"key_shape", text},
           {"version", integer},
           {"generation", integer},
           {"origin", text},
           {"rebuild", text}}};
}

TableSpec positions_spec() {
  return {std::string(kPositions),
          {{"projection", text}, {"role", text}, {"partition", integer}},
          {{"topic_id", blob}, {"offset", integer}, {"epoch", integer}}};
}

TableSpec parked_spec() {
  return {std::string(kParked),
          {{"projection", text}, {"topic", text}, {"partition", integer}, {"offset", integer}},
          {{"type", text}, {"error", text}}};
}

std::int64_t integer_at(Cells row, std::size_t index) {
  const auto* value = index < row.size() ? std::get_if<std::int64_t>(&row[index]) : nullptr;
  return value != nullptr ? *value : 0;
}

std::string text_at(Cells row, std::size_t index) {
  const auto* value = index < row.size() ? std::get_if<std::string_view>(&row[index]) : nullptr;
  return value != nullptr ? std::string(*value) : std::string();
}

Role role_of(std::string_view role) { return role == to_string(Role::shadow) ? Role::shadow : Role::live; }

ProjectionEntry entry_of(Cells row) {
  ProjectionEntry entry;
  entry.projection = text_at(row, 0);
  entry.role = role_of(text_at(row, 1));
  entry.table = text_at(row, 3);
  entry.topic = text_at(row, 4);
  entry.state_shape = text_at(row, 5);
  entry.key_shape = text_at(row, 6);
  entry.version = integer_at(row, 7);
  entry.generation = integer_at(row, 8);
  entry.origin = text_at(row, 9);
  entry.rebuild = text_at(row, 10);
  return entry;
}

Position position_of(Cells row) {
  Position position;
  if (const auto* id = std::get_if<BytesView>(&row[3]); id != nullptr && id->size() == position.topic.bytes.size()) {
    std::transform(id->begin(), id->end(), position.topic.bytes.begin(),
                   [](std::byte byte) { return std::to_integer<std::uint8_t>(byte); });
  }
  position.partition = PartitionId{static_cast<std::int32_t>(integer_at(row, 2))};
  position.offset = Offset{integer_at(row, 4)};
  position.epoch = LeaderEpoch{static_cast<std::int32_t>(integer_at(row, 5))};
  return position;
}

/// Scans a table of the catalogue; one that was never made has no rows.
Result<void> scan_if_there(RowReader& reader, std::string_view table, const KeyRange& range, const RowVisitor& visit) {
  Result<void> scanned = reader.scan(table, range, visit);
  if (!scanned && scanned.error() == Errc::not_found) return {};
  return scanned;
}

}  // namespace

std::string_view to_string(Role role) { return role == Role::live ? "live" : "shadow"; }

Result<Catalogue> Catalogue::open(StateStore& store) {
  Result<TableId> meta = store.open_table(meta_spec());
  if (!meta) return meta.error();
  Result<TableId> positions = store.open_table(positions_spec());
  if (!positions) return positions.error();
  Result<TableId> parked = store.open_table(parked_spec());
  if (!parked) return parked.error();
  return Catalogue{store, *meta, *positions, *parked};
}

Result<std::vector<ProjectionEntry>> Catalogue::entries(RowReader& reader) {
  std::vector<ProjectionEntry> entries;
  std::optional<Error> refused;
  Result<void> read = scan_if_there(reader, kMeta, {}, [&](Cells row) {
    entries.push_back(entry_of(row));
    if (integer_at(row, 2) > kCatalogueFormat)
      refused = Error{Errc::newer_format, "projection " + entries.back().projection + " has format version " +
                                              std::to_string(integer_at(row, 2)) + "; this program knows up to " +
                                              std::to_string(kCatalogueFormat)};
    return !refused;
  });
  if (!read) return read.error();
  if (refused) return *refused;
  for (ProjectionEntry& entry : entries) {
    const Cell key[] = {std::string_view{entry.projection}, to_string(entry.role)};
    const Cell after[] = {key[0], key[1], std::int64_t{INT64_MAX}};
    read = scan_if_there(reader, kPositions, {key, after}, [&entry](Cells row) {
      entry.positions.push_back(position_of(row));
      return true;
    });
    if (!read) return read.error();
  }
  return entries;
}

Result<std::vector<ParkedRow>> Catalogue::parked(RowReader& reader) {
  std::vector<ParkedRow> events;
  Result<void> read = scan_if_there(reader, kParked, {}, [&events](Cells row) {
    events.push_back({text_at(row, 0),
                      {text_at(row, 1), PartitionId{static_cast<std::int32_t>(integer_at(row, 2))}},
                      Offset{integer_at(row, 3)},
                      text_at(row, 4),
                      text_at(row, 5)});
    return true;
  });
  if (!read) return read.error();
  return events;
}

Result<void> Catalogue::put(const ProjectionEntry& entry) {
  const Cell row[] = {std::string_view{entry.projection},
                      to_string(entry.role),
                      kCatalogueFormat,
                      std::string_view{entry.table},
                      std::string_view{entry.topic},
                      std::string_view{entry.state_shape},
                      std::string_view{entry.key_shape},
                      entry.version,
                      entry.generation,
                      std::string_view{entry.origin},
                      std::string_view{entry.rebuild}};
  Result<void> written = store_->put(meta_, row);
  if (!written) return written.error();
  return put_positions(entry.projection, entry.role, entry.positions);
}

Result<void> Catalogue::put_positions(const std::string& projection, Role role, const std::vector<Position>& positions) {
  for (const Position& position : positions) {
    const Cell row[] = {std::string_view{projection},
                        to_string(role),
                        std::int64_t{position.partition.value()},
                        std::as_bytes(std::span{position.topic.bytes}),
                        position.offset.value(),
                        std::int64_t{position.epoch.value()}};
    Result<void> written = store_->put(positions_, row);
    if (!written) return written.error();
  }
  return {};
}

Result<void> Catalogue::erase(const ProjectionEntry& entry) {
  const Cell key[] = {std::string_view{entry.projection}, to_string(entry.role)};
  Result<void> erased = store_->erase(meta_, key);
  if (!erased) return erased.error();
  for (const Position& position : entry.positions) {
    const Cell position_key[] = {key[0], key[1], std::int64_t{position.partition.value()}};
    erased = store_->erase(positions_, position_key);
    if (!erased) return erased.error();
  }
  return {};
}

Result<void> Catalogue::park(const ParkedRow& event) {
  const Cell row[] = {std::string_view{event.projection},
                      std::string_view{event.partition.topic},
                      std::int64_t{event.partition.partition.value()},
                      event.offset.value(),
                      std::string_view{event.type},
                      std::string_view{event.error}};
  return store_->put(parked_, row);
}

Result<void> Catalogue::unpark(const std::vector<ParkedRow>& events) {
  for (const ParkedRow& event : events) {
    const Cell key[] = {std::string_view{event.projection}, std::string_view{event.partition.topic},
                        std::int64_t{event.partition.partition.value()}, event.offset.value()};
    Result<void> erased = store_->erase(parked_, key);
    if (!erased) return erased;
  }
  return {};
}

}  // namespace lungo
