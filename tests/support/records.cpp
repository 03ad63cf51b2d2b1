#include "tests/support/records.hpp"

#include <stdexcept>

namespace lungo::test {

EncodedRecords record(std::string_view key, std::string_view value, std::string_view id) {
  const HeaderView id_header{kIdHeader, as_bytes(id), true};
  RecordFields fields{.timestamp = Timestamp{std::chrono::seconds{1'700'000'000}},
                      .key = as_bytes(key),
                      .value = as_bytes(value),
                      .headers = {}};
  if (!id.empty()) fields.headers = std::span{&id_header, 1};
  EncodedRecords records;
  records.add(fields).value();
  return records;
}

AppendRequest append_of(const TopicPartition& to, std::string_view key, std::string_view value, std::string_view id) {
  AppendRequest request;
  request.to = to;
  request.records = record(key, value, id);
  return request;
}

std::vector<std::string> values_of(EventLog& log, const TopicPartition& partition, Offset from) {
  constexpr std::size_t kReadBytes = 64 << 10;
  std::vector<std::string> values;
  while (true) {
    const Fetched fetched = log.read(partition, from, kReadBytes).value();
    if (fetched.empty()) return values;
    RecordCursor records = fetched.records();
    while (const RecordView* record = records.next()) {
      if (record->offset != from) throw std::runtime_error("a gap before offset " + std::to_string(record->offset.value()));
      values.emplace_back(as_text(record->value));
      from = from.next();
    }
    if (records.error()) throw Exception(*records.error());
  }
}

}  // namespace lungo::test
