#include "replay_commands.hpp"

#include <algorithm>

#include <lungo/log/tool_directory.hpp>

#include "../store_list.hpp"
#include "../text.hpp"

namespace lungo {
namespace {

constexpr std::string_view kSqlite = "sqlite ";

std::vector<std::string_view> split(std::string_view text, std::size_t parts_max) {
  std::vector<std::string_view> parts;
  while (parts.size() + 1 < parts_max) {
    const std::size_t comma = text.find(',');
    if (comma == std::string_view::npos) break;
    parts.push_back(text.substr(0, comma));
    text.remove_prefix(comma + 1);
  }
  parts.push_back(text);
  return parts;
}

/// Columns to print: those that only order the rows are left out.
struct Columns {
  explicit Columns(const TableSpec& spec) : all(spec.key) {
    first = all.size() == 1 && all[0].name == "key_order" && !spec.values.empty() ? 1 : 0;
    key_count = first == 0 ? spec.key.size() : spec.values.size();
    all.insert(all.end(), spec.values.begin(), spec.values.end());
  }
  [[nodiscard]] PrintedLine line(Cells row) const {
    PrintedLine line;
    for (std::size_t index = first; index < all.size(); ++index)
      add_cell(line, all[index].name, index < row.size() ? row[index] : Cell{}, all[index].type);
    return line;
  }
  std::vector<Column> all;
  std::size_t first;
  std::size_t key_count;  // at most so many name a row
};

/// The first cells of the rows to print, as the user wrote them.
struct WantedKey {
  static Result<WantedKey> parse(std::string_view key, const Columns& columns) {
    WantedKey wanted;
    const std::vector<std::string_view> parts = split(key, columns.key_count);
    wanted.bytes.resize(parts.size());
    for (std::size_t index = 0; index < parts.size(); ++index) {
      Result<Cell> cell = key_cell(parts[index], columns.all[columns.first + index], wanted.bytes[index]);
      if (!cell) return cell.error();
      wanted.cells.push_back(*cell);
    }
    return wanted;
  }
  std::vector<Cell> cells;
  std::vector<std::string> bytes;  // that cells view into
};

std::string_view rows_of(const ProjectionEntry& entry) {
  if (entry.role == Role::shadow) return "unfinished rebuild";
  return entry.rebuild.empty() ? "complete" : "rebuilding";
}

}  // namespace

Result<std::shared_ptr<EventLog>> open_log_to_look_at(const std::string& data) { return open_to_look_at(data, "--data"); }

Result<ReplayCommands> ReplayCommands::open(const std::string& data, bool json) {
  Result<std::shared_ptr<EventLog>> log = open_log_to_look_at(data);
  if (!log) return log.error();
  ReplayCommands commands{std::move(*log), json};
  Result<std::vector<std::string>> stores = read_store_list(commands.log_->ports().storage, data);
  if (!stores) return stores.error();
  for (const std::string& description : *stores) {
    Result<void> opened = commands.open_store(description, data);
    if (!opened) return opened.error();
  }
  return commands;
}

Result<void> ReplayCommands::open_store(const std::string& description, const std::string& directory) {
  if (!description.starts_with(kSqlite)) return Error{Errc::unsupported, "a store of an unknown kind: " + description};
  ListedStore listed;
  listed.description = description;
  listed.store = sqlite(description.substr(kSqlite.size()));
  Result<void> opened = listed.store->open({log_->ports(), directory, true});
  if (!opened && opened.error() == Errc::not_found) {  // listed before it was made, or moved away
    missing_.push_back(description.substr(kSqlite.size()));
    return {};
  }
  if (!opened) return opened;
  Result<std::unique_ptr<RowReader>> reader = listed.store->reader();
  if (!reader) return reader.error();
  listed.reader = std::move(*reader);
  Result<std::vector<ProjectionEntry>> entries = Catalogue::entries(*listed.reader);
  if (!entries) return entries.error();
  listed.entries = std::move(*entries);
  stores_.push_back(std::move(listed));
  return {};
}

std::vector<std::string> ReplayCommands::notes() const {
  std::vector<std::string> notes;
  for (const std::string& store : missing_)
    notes.push_back("the store " + store + " is listed but not there; `rebuild` or the application makes it anew");
  return notes;
}

bool ReplayCommands::is_missing(const std::string& store) const {
  return std::find(missing_.begin(), missing_.end(), store) != missing_.end();
}

Result<void> ReplayCommands::list(Output& out) {
  bool first = true;
  for (const ListedStore& listed : stores_) {
    for (const ProjectionEntry& entry : listed.entries) {
      if (entry.role != Role::live) continue;
      std::int64_t rows = 0;
      Result<void> counted = listed.reader->scan(entry.table, {}, [&rows](Cells) { return ++rows, true; });
      if (!counted) return counted;
      PrintedLine line;
      line.add("projection", entry.projection);
      line.add("rows", rows);
      line.add("topic", entry.topic);
      line.add("generation", entry.generation);
      line.add("store", listed.description);
      if (std::exchange(first, false) && !json_) line.print_names(out);
      line.print(out, json_);
    }
  }
  say_if_empty(first, out);
  return {};
}

Result<void> ReplayCommands::status(Output& out) {
  bool first = true;
  for (const ListedStore& listed : stores_) {
    Result<std::vector<ParkedRow>> parked = Catalogue::parked(*listed.reader);
    if (!parked) return parked.error();
    for (const ProjectionEntry& entry : listed.entries) {
      std::int64_t lag = 0;
      std::string positions;
      for (const Position& position : entry.positions) {
        Result<Ends> ends = log_->ends({entry.topic, position.partition});
        if (!ends) return ends.error();
        lag += std::max<std::int64_t>(0, ends->committed - position.offset);
        positions += (positions.empty() ? "{\"" : ",\"") + std::to_string(position.partition.value()) +
                     "\":" + std::to_string(position.offset.value());
      }
      PrintedLine line;
      line.add("projection", entry.projection);
      line.add("rows", rows_of(entry));
      line.add("lag", lag);
      line.add("parked", std::count_if(parked->begin(), parked->end(),
                                       [&](const ParkedRow& event) { return event.projection == entry.projection; }));
      line.add("generation", entry.generation);
      line.add("from", entry.origin);
      line.add_json("positions", positions.empty() ? "{}" : positions + "}");
      line.add("note", entry.rebuild);
      if (std::exchange(first, false) && !json_) line.print_names(out);
      line.print(out, json_);
    }
  }
  say_if_empty(first, out);
  return {};
}

Result<void> ReplayCommands::show(const std::string& projection, const ShowOptions& options, Output& out) {
  const ListedStore* found = nullptr;
  const ProjectionEntry* entry = nullptr;
  for (const ListedStore& listed : stores_) {
    if (options.store && listed.description != std::string(kSqlite) + *options.store) continue;
    for (const ProjectionEntry& candidate : listed.entries) {
      if (candidate.projection != projection || candidate.role != Role::live) continue;
      if (found != nullptr)
        return Error{Errc::invalid_argument, "several stores have " + projection + "; name one with --store"};
      found = &listed;
      entry = &candidate;
    }
  }
  if (found == nullptr) {
    const std::string known = names();
    return Error{Errc::not_found, "no projection " + projection + (options.store ? " in store " + *options.store : "") +
                                      (known.empty() ? "; there are none" : "; there are " + known)};
  }
  Result<std::vector<TableSpec>> tables = found->reader->tables();
  if (!tables) return tables.error();
  const auto spec =
      std::find_if(tables->begin(), tables->end(), [&](const TableSpec& table) { return table.name == entry->table; });
  if (spec == tables->end()) return Error{Errc::corrupt, "the table " + entry->table + " is missing"};
  const Columns columns{*spec};
  WantedKey wanted;
  if (options.key) {
    Result<WantedKey> parsed = WantedKey::parse(*options.key, columns);
    if (!parsed) return parsed.error();
    wanted = std::move(*parsed);
  }
  const bool in_key_order = columns.first == 0;
  std::uint64_t printed = 0;
  const auto print_names = [&] {
    if (!json_) columns.line({}).print_names(out);
  };
  Result<void> scanned = found->reader->scan(entry->table, {in_key_order ? Cells{wanted.cells} : Cells{}, {}}, [&](Cells row) {
    if (printed == options.limit) return false;
    const bool matches = std::equal(wanted.cells.begin(), wanted.cells.end(),
                                    row.begin() + static_cast<std::ptrdiff_t>(columns.first), same_cell);
    if (!matches) return !in_key_order;  // in key order the matching rows are the first ones
    if (printed++ == 0) print_names();
    columns.line(row).print(out, json_);
    return out.ok();
  });
  if (!scanned || printed > 0 || options.limit == 0) return scanned;
  if (options.key) return Error{Errc::not_found, projection + " has no row with the key " + *options.key};
  print_names();
  return {};
}

std::string ReplayCommands::names() const {
  std::string names;
  for (const ListedStore& listed : stores_)
    for (const ProjectionEntry& entry : listed.entries)
      if (entry.role == Role::live) names += (names.empty() ? "" : ", ") + entry.projection;
  return names;
}

void ReplayCommands::say_if_empty(bool empty, Output& out) const {
  if (empty && !json_) out.line("no projections: nothing has run an engine on this data directory");
}

Result<std::string> ReplayCommands::store_of(const std::vector<std::string>& projections,
                                             const std::optional<std::string>& wanted) const {
  std::vector<std::string> found;
  std::string known;
  for (const ListedStore& listed : stores_) {
    const std::string path = listed.description.substr(kSqlite.size());
    known += (known.empty() ? "" : ", ") + path;
    if (wanted && *wanted == path) return path;
    const bool has = std::any_of(listed.entries.begin(), listed.entries.end(), [&](const ProjectionEntry& entry) {
      return std::find(projections.begin(), projections.end(), entry.projection) != projections.end();
    });
    if (has) found.push_back(path);
  }
  for (const std::string& path : missing_) known += (known.empty() ? "" : ", ") + path;
  if (wanted && is_missing(*wanted)) return *wanted;
  if (wanted)
    return Error{Errc::not_found, "no store " + *wanted + (known.empty() ? "; there are none" : "; there are " + known)};
  if (found.size() == 1) return found.front();
  if (found.empty() && missing_.size() == 1) return missing_.front();
  if (found.empty() && !missing_.empty())
    return Error{Errc::invalid_argument,
                 "no store has these projections, and several are listed but not there; name the one to make anew with "
                 "--store: there are " +
                     known};
  if (found.empty())
    return Error{Errc::not_found, "no store of this data directory has these projections; run the application first"};
  return Error{Errc::invalid_argument, "several stores have these projections; name one with --store"};
}

}  // namespace lungo
