// A record as a line of text or as a JSON object, both ways; what `lungo log consume --json` prints, `produce --json` takes in.
// Pure.
//
// JSON, one object a line. Bytes that are no UTF-8 stand under NAMEBase64 instead of NAME, in the standard base64 of RFC 4648:
//
//   {"topic": "orders", "partition": 0, "offset": 17, "time": "2024-05-01T12:00:00.000Z", "timestamp": 1714564800000,
//    "key": "ada" | null, "value": "2 espresso" | null, "headers": [{"name": "from", "value": "web" | null}]}
//
// Printed, all but `headers` are always there. Taken in, all may be absent; `headers` may be an object of texts, too; `topic`,
// `offset` and, beside `timestamp`, `time` mean nothing then.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <lungo/log/event_log.hpp>

namespace lungo {

/// A record to be appended.
struct NewRecord {
  struct Header {
    std::string name;
    std::optional<std::string> value;
  };
  std::optional<std::string> key;
  std::optional<std::string> value;
  std::vector<Header> headers;
  std::optional<Timestamp> timestamp;
  std::optional<std::int32_t> partition;
};

/// All of the line is the value; with a separator what stands before its first place is the key.
/// Errors: invalid_argument for a line without the separator.
Result<NewRecord> record_of_line(std::string_view line, const std::optional<std::string>& key_separator);
/// Errors: invalid_argument, saying what is wrong.
Result<NewRecord> record_of_json(std::string_view line);
/// "NAME=VALUE". Errors: invalid_argument.
Result<NewRecord::Header> header_of(std::string_view text);

/// What may stand in a line in front of the value.
enum class Column { partition, offset, time, key, headers };

/// "key,offset,time,headers" and "partition". Errors: invalid_argument, naming the nearest.
Result<std::vector<Column>> columns_of(const std::vector<std::string>& names);

struct LineForm {
  std::vector<Column> columns;  // with tabs between them; the value comes last
  bool escaped = false;         // as printable() does; otherwise the bytes as they are. A null is written as "null"
};
std::string line_of(const RecordView& record, PartitionId partition, const LineForm& form);
std::string json_of(const RecordView& record, const TopicPartition& partition);

/// Appends `"NAME":"text"`, or `"NAMEBase64":"..."`, or `"NAME":null`.
void append_json_bytes(std::string_view name, const std::optional<BytesView>& bytes, std::string& out);

/// Splits what arrives into lines.
class LineSplitter {
 public:
  void add(std::string_view bytes);
  /// The next whole line without its line break; holds until the next call of a non-const member.
  std::optional<std::string_view> next();
  /// What stands behind the last line break, for the end of the input; nothing when that is nothing.
  std::optional<std::string_view> rest();
  /// Bytes of the line that has no end yet; after next() found none.
  [[nodiscard]] std::size_t open_bytes() const { return buffer_.size() - begin_; }

 private:
  std::string buffer_;
  std::size_t begin_ = 0;
  std::size_t searched_ = 0;
};

}  // namespace lungo
