// A command, an append or a query on its way to another process, and its answer, as bytes.
//
//   request := head(1) timeout:varint attempts:varint category:text scope:text id:text since:offset? time:ms?
//              command_id:text correlation:text causation:text lane:text headers:varint header* type:text shape payload:text
//            | head(4) topic:text partition:varint condition? since:offset? batch:text
//            | head(5) to:text query:text                       whom it is for, and what only these two understand
//   answer  := head(2) topic:text partition:varint first:offset end:offset repeated:bool epoch:zigzag       it is committed
//            | head(3) code:varint offset:offset? what:text endpoint:text                                   it was not, or is
//            unknown
//            | head(6) bytes:text                                                                           of a query
//   head(k) := "LF" version:byte = 1, k:byte        header := name:text value:text?
//   condition := key:text as_of:offset              batch := one RecordBatch (record_batch.hpp), not compressed
//   text    := length:varint bytes                  x?     := 0:byte | 1:byte x
//   offset  := varint below 2^63                    ms     := zigzag, since 1970-01-01
//   shape   := 16 bytes, the hash of the shape that the payload was written with, which __lungo_shapes holds
//   timeout := in ms, of what is left of the caller's; attempts: above 0
// Numbers, and what is wrong with them, as in wire.hpp. Nothing follows. Example, an answer: 4c 46 01 02 | 05 "tolls" | 03 | 2a
// | 2b | 00 | 02: offset 42 of tolls-3, in epoch 1.
//
// A version that is not known is refused whole: both sides of a rolling upgrade answer `newer_format`, and the command is not
// executed. Bytes may come from anywhere: parsing looks at no byte outside them and allocates no more than they have.
// For Aggregates, ForwardedAppends, ForwardServer, and who asks other processes. Threads: values.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <lungo/framework/envelope.hpp>
#include <lungo/framework/event_store.hpp>
#include <lungo/framework/forwarder.hpp>

namespace lungo::detail {

/// Views are the caller's, or point into the bytes that were parsed.
struct ForwardedCommand {
  [[nodiscard]] EventMeta meta() const { return {time, command_id, correlation, causation, lane, headers}; }

  std::chrono::milliseconds timeout{0};
  int attempts = 1;
  std::string_view category;  // of the decider
  std::string_view scope;
  std::string_view id;  // of its stream
  std::optional<Offset> since;
  std::optional<Timestamp> time;
  std::string_view command_id;
  std::string_view correlation;
  std::string_view causation;
  std::string_view lane;
  std::vector<HeaderView> headers;
  std::string_view type;  // of the command
  ShapeHash shape{};
  BytesView payload;
};

struct ForwardedAnswer {
  ForwardedAnswer(Result<Commit> its_outcome, std::string its_endpoint)
      : outcome(std::move(its_outcome)), endpoint(std::move(its_endpoint)) {}
  Result<Commit> outcome;
  std::string endpoint;  // of who owns the partition, beside `not_owner` where it is known
};

/// What a request asks for. Errors: as parse_forwarded_command().
enum class ForwardedKind { command, append, query };
Result<ForwardedKind> kind_of_request(BytesView bytes);

/// Errors: too_large.
Result<Bytes> to_bytes(const ForwardedCommand& command);
/// Errors: invalid_argument, saying what is wrong and where; too_large; newer_format.
Result<ForwardedCommand> parse_forwarded_command(BytesView bytes);

/// Puts the records at the front of a log, for the bytes; where they are written is the owner's matter. Errors: too_large.
Result<Bytes> to_bytes(AppendRequest& append);
/// Each record is an event of a stream, and is taken apart and encoded again; whether it belongs where it is sent is not looked
/// at. Errors: as parse_forwarded_command().
Result<AppendRequest> parse_forwarded_append(BytesView bytes);

/// Views are the caller's, or point into the bytes that were parsed.
struct ForwardedQuery {
  std::string_view to;
  BytesView query;
};

/// Errors: too_large.
Result<Bytes> to_bytes(const ForwardedQuery& query);
/// Errors: as parse_forwarded_command().
Result<ForwardedQuery> parse_forwarded_query(BytesView bytes);

/// What was answered to a query; `too_large` where the bytes are.
Bytes query_answer(const Result<Bytes>& answered);
/// Errors: what was answered; as parse_forwarded_command().
Result<Bytes> parse_query_answer(BytesView bytes);

/// What makes an answer too large, its text or its endpoint, is cut off.
Bytes to_bytes(const ForwardedAnswer& answer);
/// Errors: as parse_forwarded_command().
Result<ForwardedAnswer> parse_forwarded_answer(BytesView bytes);

}  // namespace lungo::detail
