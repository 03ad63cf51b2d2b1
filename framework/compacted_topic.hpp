// Rows of the framework's own compacted topics (`__lungo_*`, one partition): written as events, found by key.
//
// For positions, parked events and snapshots. A row is an ordinary event record, so every generic tool can show it; the last
// record of a key is the row.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include <lungo/framework/event_store.hpp>

namespace lungo {

/// Makes the topic unless the log is read-only. Errors: as EventLog::create_topic().
Result<TopicInfo> internal_topic(EventStore& store, std::string_view name, bool indexed);

/// Encodes one row of type T under `key`. T must have been declared in the log's store.
template <class T>
Result<void> add_row(EventLog& log, std::string_view key, const T& row, EncodedRecords& out) {
  Bytes payload;
  encode(row, payload);
  EnvelopeFields fields;
  fields.stream = key;
  fields.type = event_name<T>();
  fields.shape = shape_of<T>().hash();
  fields.time = log.ports().clock.now();
  fields.recorded = fields.time;
  fields.payload = payload;
  return add_record(fields, out);
}

/// Encodes the end of the row of type T under `key`: compaction takes the row, and later this record.
template <class T>
Result<void> add_tombstone(EventLog& log, std::string_view key, EncodedRecords& out) {
  EnvelopeFields fields;
  fields.stream = key;
  fields.type = event_name<T>();
  fields.time = log.ports().clock.now();
  fields.recorded = fields.time;
  fields.is_tombstone = true;
  return add_record(fields, out);
}

/// Calls `take` for the records of `topic` from the newest chunk of records to the oldest, ascending inside a chunk, as long as
/// `wants_more` answers true before a chunk. A topic that does not exist has none. Errors: as EventLog::read(), and what `take`
/// answers.
Result<void> scan_backwards(EventLog& log, std::string_view topic, const std::function<Result<void>(const Envelope&)>& take,
                            const std::function<bool()>& wants_more);

}  // namespace lungo
