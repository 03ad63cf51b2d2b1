// A record in the words of kafka-dump-log, but for its sequence number, which a reader does not see.
#pragma once

#include <string>

#include <lungo/log/record_batch.hpp>

namespace lungo::test {

/// "offset: N CreateTime: N keySize: N valueSize: N headerKeys: [A,B] key: K payload: V", without key or payload that is null.
inline std::string kafka_dump_line(const RecordView& record) {
  std::string text = "offset: " + std::to_string(record.offset.value()) +
                     " CreateTime: " + std::to_string(record.timestamp.time_since_epoch().count()) +
                     " keySize: " + std::to_string(record.has_key ? static_cast<int>(record.key.size()) : -1) +
                     " valueSize: " + std::to_string(record.has_value ? static_cast<int>(record.value.size()) : -1) +
                     " headerKeys: [";
  HeaderCursor headers{record};
  for (const char* comma = ""; const HeaderView* header = headers.next(); comma = ",") {
    text += comma + std::string(header->name);
  }
  text += "]";
  if (record.has_key) text += " key: " + std::string(as_text(record.key));
  if (record.has_value) text += " payload: " + std::string(as_text(record.value));
  return text;
}

}  // namespace lungo::test
