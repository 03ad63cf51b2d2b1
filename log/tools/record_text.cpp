#include "record_text.hpp"

#include <algorithm>

#include <lungo/log/printed.hpp>
#include <lungo/log/text.hpp>

#include "tool_log.hpp"

namespace lungo {
namespace {

struct NamedColumn {
  std::string_view name;
  Column column;
};
constexpr NamedColumn kColumns[] = {{"key", Column::key},
                                    {"offset", Column::offset},
                                    {"time", Column::time},
                                    {"headers", Column::headers},
                                    {"partition", Column::partition}};

void append_bytes(BytesView bytes, bool is_there, bool escaped, std::string& line) {
  if (!is_there) {
    line += "null";
  } else if (escaped) {
    line += printable(as_text(bytes));
  } else {
    line += as_text(bytes);
  }
}

void append_headers(const RecordView& record, bool escaped, std::string& line) {
  HeaderCursor cursor{record};
  for (bool first = true; const HeaderView* header = cursor.next(); first = false) {
    if (!first) line += ',';
    append_bytes(as_bytes(header->name), true, escaped, line);
    line += '=';
    append_bytes(header->value, header->has_value, escaped, line);
  }
}

void append_column(const RecordView& record, PartitionId partition, Column column, bool escaped, std::string& line) {
  switch (column) {
    case Column::partition:
      line += std::to_string(partition.value());
      break;
    case Column::offset:
      line += std::to_string(record.offset.value());
      break;
    case Column::time:
      line += time_text(record.timestamp);
      break;
    case Column::key:
      append_bytes(record.key, record.has_key, escaped, line);
      break;
    case Column::headers:
      append_headers(record, escaped, line);
      break;
  }
}

}  // namespace

Result<NewRecord> record_of_line(std::string_view line, const std::optional<std::string>& key_separator) {
  NewRecord record;
  if (!key_separator) {
    record.value = std::string(line);
    return record;
  }
  const std::size_t at = line.find(*key_separator);
  if (at == std::string_view::npos)
    return Error{Errc::invalid_argument, "no key: '" + *key_separator + "' does not stand in it"};
  record.key = std::string(line.substr(0, at));
  record.value = std::string(line.substr(at + key_separator->size()));
  return record;
}

Result<NewRecord::Header> header_of(std::string_view text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string_view::npos)
    return Error{Errc::invalid_argument, "'" + std::string(text) + "' is no header; write NAME=VALUE"};
  return NewRecord::Header{std::string(text.substr(0, equals)), std::string(text.substr(equals + 1))};
}

Result<std::vector<Column>> columns_of(const std::vector<std::string>& names) {
  std::vector<Column> columns;
  std::vector<std::string> known;
  for (const NamedColumn& one : kColumns) known.emplace_back(one.name);
  for (const std::string& name : names) {
    const auto found = std::ranges::find(kColumns, name, &NamedColumn::name);
    if (found == std::end(kColumns))
      return Error{Errc::invalid_argument, "nothing of a record is called " + name + near_names(name, known)};
    columns.push_back(found->column);
  }
  return columns;
}

std::string line_of(const RecordView& record, PartitionId partition, const LineForm& form) {
  std::string line;
  for (const Column column : form.columns) {
    append_column(record, partition, column, form.escaped, line);
    line += '\t';
  }
  append_bytes(record.value, record.has_value, form.escaped, line);
  return line;
}

void append_json_bytes(std::string_view name, const std::optional<BytesView>& bytes, std::string& out) {
  out += '"';
  out += name;
  if (!bytes) {
    out += "\":null";
  } else if (is_utf8_text(as_text(*bytes))) {
    out += "\":";
    append_json_string(as_text(*bytes), out);
  } else {
    out += "Base64\":\"" + to_base64(*bytes, Base64::standard) + "\"";
  }
}

std::string json_of(const RecordView& record, const TopicPartition& partition) {
  const auto optional = [](BytesView bytes, bool is_there) { return is_there ? std::optional{bytes} : std::nullopt; };
  std::string json = "{\"topic\":";
  append_json_string(partition.topic, json);
  json += ",\"partition\":" + std::to_string(partition.partition.value());
  json += ",\"offset\":" + std::to_string(record.offset.value());
  json += ",\"time\":\"" + time_text(record.timestamp) + "\"";
  json += ",\"timestamp\":" + std::to_string(record.timestamp.time_since_epoch().count()) + ",";
  append_json_bytes("key", optional(record.key, record.has_key), json);
  json += ',';
  append_json_bytes("value", optional(record.value, record.has_value), json);
  HeaderCursor cursor{record};
  bool any = false;
  while (const HeaderView* header = cursor.next()) {
    json += any ? ",{" : ",\"headers\":[{";
    append_json_bytes("name", as_bytes(header->name), json);
    json += ',';
    append_json_bytes("value", optional(header->value, header->has_value), json);
    json += '}';
    any = true;
  }
  return json + (any ? "]}" : "}");
}

void LineSplitter::add(std::string_view bytes) {
  buffer_.erase(0, begin_);
  searched_ -= begin_;
  begin_ = 0;
  buffer_ += bytes;
}

std::optional<std::string_view> LineSplitter::next() {
  const std::size_t end = buffer_.find('\n', searched_);
  if (end == std::string::npos) {
    searched_ = buffer_.size();
    return std::nullopt;
  }
  const std::string_view line = std::string_view{buffer_}.substr(begin_, end - begin_);
  begin_ = searched_ = end + 1;
  return line;
}

std::optional<std::string_view> LineSplitter::rest() {
  if (begin_ == buffer_.size()) return std::nullopt;
  const std::string_view line = std::string_view{buffer_}.substr(begin_);
  begin_ = searched_ = buffer_.size();
  return line;
}

}  // namespace lungo
