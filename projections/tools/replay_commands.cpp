#include "replay_commands.hpp"

#include <algorithm>
#include <boost/json.hpp>

#include <lungo/framework/codec_json.hpp>
#include <lungo/framework/partition_reader.hpp>
#include <lungo/log/local_event_log.hpp>

#include "../store_list.hpp"
#include "../text.hpp"

namespace lungo {
namespace {

namespace json = boost::json;

/// A printed line: names and values, as JSON or with tabs.
class Line {
 public:
  void add(std::string_view name, json::value value) { fields_.emplace_back(name, std::move(value)); }
  void print(std::ostream& out, bool as_json) const {
    if (as_json) {
      json::object object;
      for (const auto& [name, value] : fields_) object[name] = value;
      out << json::serialize(object) << '\n';
      return;
    }
    for (std::size_t index = 0; index < fields_.size(); ++index)
      out << (index == 0 ? "" : "\t") << plain(fields_[index].second);
    out << '\n';
  }
  void print_names(std::ostream& out, bool as_json) const {
    if (as_json) return;
    for (std::size_t index = 0; index < fields_.size(); ++index) out << (index == 0 ? "" : "\t") << fields_[index].first;
    out << '\n';
  }

 private:
  static std::string plain(const json::value& value) {
    return value.is_string() ? std::string(value.as_string()) : json::serialize(value);
  }
  std::vector<std::pair<std::string, json::value>> fields_;
};

json::value value_of(const Cell& cell, ColumnType type) {
  if (const auto* integer = std::get_if<std::int64_t>(&cell)) return *integer;
  if (const auto* real = std::get_if<double>(&cell)) return *real;
  if (const auto* bytes = std::get_if<BytesView>(&cell)) return json::string(hex_text(*bytes));
  const auto* text = std::get_if<std::string_view>(&cell);
  if (text == nullptr) return nullptr;
  if (type == ColumnType::json) {
    boost::system::error_code problem;
    json::value parsed = json::parse(*text, problem);
    if (!problem) return parsed;
  }
  return json::string(*text);
}

/// The cell that `text` stands for in a key column.
Cell cell_of(std::string_view text, ColumnType type, std::string& bytes) {
  if (type == ColumnType::integer) return std::int64_t{std::strtoll(std::string(text).c_str(), nullptr, 10)};
  if (type == ColumnType::real) return std::strtod(std::string(text).c_str(), nullptr);
  if (type != ColumnType::blob) return text;
  bytes = bytes_of_hex(text);
  return as_bytes(bytes);
}

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
  std::vector<Column> all;
  std::size_t first;
  std::size_t key_count;  // at most so many name a row
};

}  // namespace

Result<ReplayCommands> ReplayCommands::open(const std::string& data, bool json) {
  Result<std::shared_ptr<EventLog>> log = open_local(data, {.read_only = true});
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
  constexpr std::string_view kSqlite = "sqlite ";
  if (!description.starts_with(kSqlite)) return Error{Errc::unsupported, "a store of an unknown kind: " + description};
  ListedStore listed;
  listed.description = description;
  listed.store = sqlite(description.substr(kSqlite.size()));
  Result<void> opened = listed.store->open({log_->ports(), directory, true});
  if (!opened && opened.error() == Errc::not_found) return {};  // listed before it was made, or moved away
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

Result<void> ReplayCommands::list(std::ostream& out) {
  bool first = true;
  for (const ListedStore& listed : stores_) {
    for (const ProjectionEntry& entry : listed.entries) {
      if (entry.role != Role::live) continue;
      std::int64_t rows = 0;
      Result<void> counted = listed.reader->scan(entry.table, {}, [&rows](Cells) { return ++rows, true; });
      if (!counted) return counted;
      Line line;
      line.add("projection", json::string(entry.projection));
      line.add("rows", rows);
      line.add("topic", json::string(entry.topic));
      line.add("generation", entry.generation);
      line.add("store", json::string(listed.description));
      if (std::exchange(first, false)) line.print_names(out, json_);
      line.print(out, json_);
    }
  }
  if (first && !json_) out << "no projections: nothing has run an engine on this data directory\n";
  return {};
}

Result<void> ReplayCommands::status(std::ostream& out) {
  bool first = true;
  for (const ListedStore& listed : stores_) {
    Result<std::vector<ParkedEvent>> parked = Catalogue::parked(*listed.reader);
    if (!parked) return parked.error();
    for (const ProjectionEntry& entry : listed.entries) {
      std::int64_t lag = 0;
      json::object positions;
      for (const Position& position : entry.positions) {
        Result<Ends> ends = log_->ends({entry.topic, position.partition});
        if (!ends) return ends.error();
        lag += std::max<std::int64_t>(0, ends->committed - position.offset);
        positions[std::to_string(position.partition.value())] = position.offset.value();
      }
      Line line;
      line.add("projection", json::string(entry.projection));
      line.add("rows", json::string(entry.role == Role::shadow ? "being rebuilt"
                                    : entry.rebuild.empty()    ? "complete"
                                                               : "rebuilding"));
      line.add("lag", lag);
      line.add("parked", std::count_if(parked->begin(), parked->end(),
                                       [&](const ParkedEvent& event) { return event.projection == entry.projection; }));
      line.add("generation", entry.generation);
      line.add("from", json::string(entry.origin));
      line.add("positions", std::move(positions));
      line.add("note", json::string(entry.rebuild));
      if (std::exchange(first, false)) line.print_names(out, json_);
      line.print(out, json_);
    }
  }
  return {};
}

Result<void> ReplayCommands::show(const std::string& projection, const std::optional<std::string>& key, std::ostream& out) {
  for (const ListedStore& listed : stores_) {
    const auto entry = std::find_if(listed.entries.begin(), listed.entries.end(), [&](const ProjectionEntry& candidate) {
      return candidate.projection == projection && candidate.role == Role::live;
    });
    if (entry == listed.entries.end()) continue;
    Result<std::vector<TableSpec>> tables = listed.reader->tables();
    if (!tables) return tables.error();
    const auto spec =
        std::find_if(tables->begin(), tables->end(), [&](const TableSpec& table) { return table.name == entry->table; });
    if (spec == tables->end()) return Error{Errc::corrupt, "the table " + entry->table + " is missing"};
    const Columns columns{*spec};
    std::vector<Cell> wanted;
    std::vector<std::string> bytes(columns.all.size());
    if (key) {
      for (const std::string_view part : split(*key, columns.key_count)) {
        const std::size_t index = columns.first + wanted.size();
        wanted.push_back(cell_of(part, columns.all[index].type, bytes[index]));
      }
    }
    bool first = true;
    return listed.reader->scan(entry->table, {columns.first == 0 ? Cells{wanted} : Cells{}, {}}, [&](Cells row) {
      const bool matches =
          std::equal(wanted.begin(), wanted.end(), row.begin() + static_cast<std::ptrdiff_t>(columns.first), same_cell);
      if (!matches) return columns.first != 0;  // in key order the matching rows are the first ones
      Line line;
      for (std::size_t index = columns.first; index < row.size(); ++index)
        line.add(columns.all[index].name, value_of(row[index], columns.all[index].type));
      if (std::exchange(first, false)) line.print_names(out, json_);
      line.print(out, json_);
      return true;
    });
  }
  std::string known;
  for (const ListedStore& listed : stores_)
    for (const ProjectionEntry& entry : listed.entries)
      if (entry.role == Role::live) known += (known.empty() ? "" : ", ") + entry.projection;
  return Error{Errc::not_found, "no projection " + projection + (known.empty() ? "; there are none" : "; there are " + known)};
}

Result<void> ReplayCommands::events(const std::string& stream, const std::optional<std::string>& topic, std::ostream& out) {
  Result<std::vector<TopicInfo>> topics = log_->topics();
  if (!topics) return topics.error();
  bool any = false;
  for (const TopicInfo& info : *topics) {
    if (topic ? info.spec.name != *topic : !info.spec.streams) continue;
    Result<bool> printed = events_of(info, stream, out);
    if (!printed) return printed.error();
    any = any || *printed;
  }
  if (!any) return Error{Errc::not_found, "no stream " + stream + (topic ? " in topic " + *topic : std::string())};
  return {};
}

Result<bool> ReplayCommands::events_of(const TopicInfo& topic, const std::string& stream, std::ostream& out) {
  const TopicPartition partition{topic.spec.name, partition_of_stream(stream, topic.spec.partitions)};
  bool any = false;
  const auto print = [&](const Envelope& envelope, std::int64_t number) -> Result<void> {
    Result<std::string> text = json_of(envelope);
    if (!text) return text.error().with_context(to_string(partition) + " offset " + std::to_string(envelope.offset.value()));
    boost::system::error_code problem;
    json::value event = json::parse(*text, problem);
    Line line;
    line.add("number", number);
    line.add("partition", json::string(to_string(partition)));
    line.add("offset", envelope.offset.value());
    line.add("time", json::string(time_text(envelope.time)));
    line.add("type", json::string(envelope.type));
    line.add("event", problem ? json::value(json::string(hex_text(envelope.payload))) : std::move(event));
    if (!std::exchange(any, true)) line.print_names(out, json_);
    line.print(out, json_);
    return {};
  };
  Result<StreamEvents> found = events_.read_stream(topic.spec.name, StreamId::written(stream));
  if (!found) return found.error();
  for (;;) {
    Result<const StreamEvent*> next = found->next();
    if (!next && next.error() == Errc::unsupported && !any) break;
    if (!next) return next.error();
    if (*next == nullptr) return any;
    Result<void> printed = print((*next)->envelope, (*next)->number);
    if (!printed) return printed.error();
  }
  // No stream index, as beside a live writer: the partition is read through.
  PartitionReader reader{*log_, topic, {topic.id, partition.partition, Offset{0}, kNoEpoch}};
  for (std::int64_t number = 0;;) {
    Result<const Envelope*> next = reader.next();
    if (!next) return next.error();
    if (*next == nullptr) return any;
    if ((*next)->stream != stream) continue;
    Result<void> printed = print(**next, ++number);
    if (!printed) return printed.error();
  }
}

Result<std::string> ReplayCommands::json_of(const Envelope& envelope) {
  if (envelope.content_type == kJsonContent) return std::string(as_text(envelope.payload));
  if (!envelope.shape) return std::string{};
  Result<std::shared_ptr<const Shape>> shape = events_.shapes().find(*envelope.shape);
  if (!shape) return shape.error();
  return to_json(**shape, envelope.payload);
}

Result<std::string> ReplayCommands::store_of(const std::vector<std::string>& projections) const {
  std::vector<std::string> found;
  for (const ListedStore& listed : stores_) {
    const bool has = std::any_of(listed.entries.begin(), listed.entries.end(), [&](const ProjectionEntry& entry) {
      return std::find(projections.begin(), projections.end(), entry.projection) != projections.end();
    });
    if (has) found.push_back(listed.description);
  }
  if (found.size() == 1) return found.front();
  if (found.empty())
    return Error{Errc::not_found, "no store of this data directory has these projections; run the application first"};
  return Error{Errc::invalid_argument, "several stores have these projections; name one with --store"};
}

}  // namespace lungo
