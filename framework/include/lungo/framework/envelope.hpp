// What a record says about its event: the envelope, and the ids of streams.
//
// For every reader and writer of events. Grammar: docs/reference/envelope.md.
// Threads: plain values; views point into the record's buffer and live as long as that does.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <lungo/framework/shape.hpp>
#include <lungo/log/event_log.hpp>
#include <lungo/log/record_batch.hpp>
#include <lungo/log/result.hpp>
#include <lungo/log/types.hpp>

namespace lungo {

inline constexpr std::string_view kJsonContent = "application/json";

/// One event as it was read. Parsing allocates nothing.
struct Envelope {
  std::string_view topic;
  PartitionId partition;
  Offset offset;
  LeaderEpoch epoch;
  std::string_view stream;  // the record's key, "[scope/]category-id"; empty when it has none
  std::string_view type;    // event name; empty: not an event of Lungo
  std::optional<ShapeHash> shape;
  Timestamp time;  // event time
  Timestamp recorded;
  std::string_view id;  // idempotency key; empty: none
  std::string_view correlation;
  std::string_view causation;
  std::string_view lane;            // empty: the live lane
  std::string_view content_type;    // empty: the binary codec
  std::string_view encryption_key;  // empty: not encrypted
  BytesView payload;
  bool is_tombstone = false;  // the record has no value
  std::int32_t header_count = 0;
  BytesView encoded_headers;

  /// Walks all headers, ours and the application's.
  [[nodiscard]] HeaderCursor headers() const;
};

/// Errors: undecodable when a header breaks its grammar; the text says which, and where the record is.
Result<Envelope> parse_envelope(std::string_view topic, PartitionId partition, const RecordView& record);

/// The same into `out`, for loops: one pass over the headers and no copy.
Result<void> parse_envelope_into(std::string_view topic, PartitionId partition, const RecordView& record, Envelope& out);

/// What a caller may say about an event besides the event. Views are read during the call only.
struct EventMeta {
  std::optional<Timestamp> time;  // event time; default: now
  std::string_view id;            // idempotency key, at most 255 bytes
  std::string_view correlation;
  std::string_view causation;
  std::string_view lane;                // default: the live lane
  std::span<const HeaderView> headers;  // the application's own; none may begin with "l."
};

/// Everything that a record is written from.
struct EnvelopeFields {
  std::string_view stream;
  std::string_view type;
  std::optional<ShapeHash> shape;
  std::string_view content_type;
  Timestamp time;
  Timestamp recorded;
  std::string_view id;
  std::string_view correlation;
  std::string_view causation;
  std::string_view lane;
  std::span<const HeaderView> headers;
  BytesView payload;
  bool is_tombstone = false;  // write no value
};

/// Appends the record to `out`. Errors: invalid_argument for a name, id or lane over 255 bytes, an event without a name, or a
/// header of the application under `l.`; too_large.
Result<void> add_record(const EnvelopeFields& fields, EncodedRecords& out);

/// A scope: streams of one scope share a partition, and with it atomic appends and conditions across them.
class Scope {
 public:
  Scope() = default;
  explicit Scope(std::string_view name) : name_(name) {}
  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] bool empty() const { return name_.empty(); }

 private:
  std::string name_;
};

/// `execute(in("shop-7"), id, command)`
inline Scope in(std::string_view scope) { return Scope{scope}; }

/// The id of a stream in its written form. Its parts may hold any bytes; they are escaped.
class StreamId {
 public:
  StreamId(std::string_view category, std::string_view id);
  StreamId(const Scope& scope, std::string_view category, std::string_view id);
  /// Takes over a stream id that was read from a log.
  static StreamId written(std::string_view stream);

  [[nodiscard]] const std::string& text() const { return text_; }
  friend auto operator<=>(const StreamId&, const StreamId&) = default;

 private:
  StreamId() = default;
  std::string text_;
};

/// The scope of a written stream id where it has one, otherwise all of it: what decides its partition, and what two streams
/// that shall lie beside each other have in common.
std::string_view scope_or_id(std::string_view stream);

/// Category of a written stream id: between the scope and the first "-". Still escaped.
std::string_view category_of(std::string_view stream);

/// Partition of a written stream id.
PartitionId partition_of_stream(std::string_view stream, std::int32_t partitions);

/// Writes the stream id `scope/category-id` beside `input` into `out`: same scope, or the input's whole id as scope.
void stream_beside(std::string_view input, std::string_view category, std::string_view id, std::string& out);

}  // namespace lungo
