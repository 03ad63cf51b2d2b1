#include <lungo/framework/forwarded_command.hpp>

#include <algorithm>
#include <limits>

#include <lungo/framework/wire.hpp>

namespace lungo::detail {

namespace {

constexpr std::string_view kMagic = "LF";
constexpr std::uint8_t kVersion = 1;
enum class Kind : std::uint8_t { command = 1, commit = 2, error = 3, append = 4, query = 5, answer = 6 };

constexpr std::uint64_t kOffsetMax = std::numeric_limits<std::int64_t>::max();
constexpr std::uint64_t kIntMax = std::numeric_limits<std::int32_t>::max();
constexpr std::uint64_t kTimeoutMax = std::uint64_t{1} << 40;  // ms: far from where durations overflow

// ---- writing ----

void put_head(Writer& out, Kind kind) {
  out.raw(kMagic.data(), kMagic.size());
  out.byte(kVersion);
  out.byte(static_cast<std::uint8_t>(kind));
}

template <class T, class Put>
void put_optional(Writer& out, const std::optional<T>& value, const Put& put) {
  out.byte(value ? 1 : 0);
  if (value) put(*value);
}

void put_offset(Writer& out, Offset offset) { out.varint(static_cast<std::uint64_t>(offset.value())); }

Bytes bytes_of(const Writer& out) { return Bytes(out.bytes().begin(), out.bytes().end()); }

// ---- reading ----

std::string_view get_text(Reader& in) { return as_text(in.prefixed()); }

std::uint64_t get_below(Reader& in, std::uint64_t max, const char* problem) {
  const std::uint64_t value = in.varint();
  if (value > max) in.fail(problem);
  return in.failed() ? 0 : value;
}

Offset get_offset(Reader& in) {
  return Offset{static_cast<std::int64_t>(get_below(in, kOffsetMax, "an offset above the largest one"))};
}

/// Errors: too_large, invalid_argument, newer_format.
Result<Kind> get_head(Reader& in, BytesView bytes) {
  if (bytes.size() > kForwardedBytesMax) {
    return Error{Errc::too_large, "a message of " + std::to_string(bytes.size()) + " bytes between processes, of " +
                                      std::to_string(kForwardedBytesMax) + " at most"};
  }
  if (as_text(in.raw(kMagic.size())) != kMagic)
    return Error{Errc::invalid_argument, "not a message between processes of Lungo"};
  const std::uint8_t version = in.byte();
  if (version > kVersion) {
    return Error{Errc::newer_format, "a message between processes has version " + std::to_string(version) +
                                         "; this one knows " + std::to_string(kVersion)};
  }
  const auto kind = static_cast<Kind>(in.byte());
  if (version == 0 || in.failed()) return Error{Errc::invalid_argument, "not a message between processes of Lungo"};
  return kind;
}

template <class T>
Result<T> finish(Reader& in, T value, std::string_view what) {
  Result<void> whole = in.finish(what);
  if (!whole) return Error{Errc::invalid_argument, std::string(whole.error().text())};
  return value;
}

bool is_known(std::uint64_t code) {
  return code >= static_cast<std::uint64_t>(Errc::invalid_argument) &&
         code <= static_cast<std::uint64_t>(Errc::producer_fenced);
}

TopicPartition get_partition(Reader& in) {
  std::string topic{get_text(in)};
  return {std::move(topic),
          PartitionId{static_cast<std::int32_t>(get_below(in, kIntMax, "a partition above the largest one"))}};
}

void put_partition(Writer& out, const TopicPartition& partition) {
  out.text(partition.topic);
  out.varint(static_cast<std::uint64_t>(partition.partition.value()));
}

Commit get_commit(Reader& in) {
  Commit commit;
  commit.partition = get_partition(in);
  commit.first = get_offset(in);
  commit.end = get_offset(in);
  commit.repeated = in.boolean();
  const std::int64_t epoch = unzigzag(in.varint());
  if (epoch < kNoEpoch.value() || epoch > static_cast<std::int64_t>(kIntMax)) in.fail("an epoch that can't be");
  commit.epoch = LeaderEpoch{in.failed() ? kNoEpoch.value() : static_cast<std::int32_t>(epoch)};
  return commit;
}

Error get_error(Reader& in) {
  const std::uint64_t code = in.varint();
  const std::optional<Offset> offset = in.boolean() ? std::optional{get_offset(in)} : std::nullopt;
  std::string text{get_text(in)};
  if (!is_known(code)) return {Errc::io, "error " + std::to_string(code) + " of a newer version: " + text};
  const auto known = static_cast<Errc>(code);
  return offset ? Error{known, std::move(text), *offset} : Error{known, std::move(text)};
}

}  // namespace

Result<Bytes> to_bytes(const ForwardedCommand& command) {
  Writer out;
  put_head(out, Kind::command);
  out.varint(static_cast<std::uint64_t>(std::max<std::int64_t>(0, command.timeout.count())));
  out.varint(static_cast<std::uint64_t>(std::max(1, command.attempts)));
  for (const std::string_view text : {command.category, command.scope, command.id}) out.text(text);
  put_optional(out, command.since, [&](Offset since) { put_offset(out, since); });
  put_optional(out, command.time, [&](Timestamp time) { out.varint(zigzag(time.time_since_epoch().count())); });
  for (const std::string_view text : {command.command_id, command.correlation, command.causation, command.lane}) out.text(text);
  out.varint(command.headers.size());
  for (const HeaderView& header : command.headers) {
    out.text(header.name);
    out.byte(header.has_value ? 1 : 0);
    if (header.has_value) out.text(as_text(header.value));
  }
  out.text(command.type);
  out.raw(command.shape.data(), command.shape.size());
  out.text(as_text(command.payload));
  if (out.bytes().size() <= kForwardedBytesMax) return bytes_of(out);
  return Error{Errc::too_large, "the command " + std::string(command.type) + " takes " + std::to_string(out.bytes().size()) +
                                    " bytes on its way to its partition's owner, of " + std::to_string(kForwardedBytesMax) +
                                    " at most"};
}

Result<ForwardedCommand> parse_forwarded_command(BytesView bytes) {
  Reader in{bytes};
  const Result<Kind> kind = get_head(in, bytes);
  if (!kind) return kind.error();
  if (*kind != Kind::command) return Error{Errc::invalid_argument, "not a request between processes"};
  ForwardedCommand command;
  command.timeout =
      std::chrono::milliseconds{static_cast<std::int64_t>(get_below(in, kTimeoutMax, "a time-out that is too long"))};
  command.attempts = static_cast<int>(get_below(in, kIntMax, "too many attempts"));
  if (command.attempts == 0) in.fail("no attempt at all");
  for (std::string_view* text : {&command.category, &command.scope, &command.id}) *text = get_text(in);
  if (in.boolean()) command.since = get_offset(in);
  if (in.boolean()) command.time = Timestamp{std::chrono::milliseconds{unzigzag(in.varint())}};
  for (std::string_view* text : {&command.command_id, &command.correlation, &command.causation, &command.lane}) {
    *text = get_text(in);
  }
  constexpr std::size_t kHeaderBytesMin = 2;
  const std::size_t headers = in.count(kHeaderBytesMin);
  for (std::size_t index = 0; index < headers && !in.failed(); ++index) {
    HeaderView& header = command.headers.emplace_back();
    header.name = get_text(in);
    header.has_value = in.boolean();
    if (header.has_value) header.value = in.prefixed();
  }
  command.type = get_text(in);
  const BytesView shape = in.raw(command.shape.size());
  std::ranges::copy(shape, command.shape.begin());
  command.payload = in.prefixed();
  return finish(in, std::move(command), "a forwarded command");
}

Result<ForwardedKind> kind_of_request(BytesView bytes) {
  Reader in{bytes};
  const Result<Kind> kind = get_head(in, bytes);
  if (!kind) return kind.error();
  if (*kind == Kind::command) return ForwardedKind::command;
  if (*kind == Kind::append) return ForwardedKind::append;
  if (*kind == Kind::query) return ForwardedKind::query;
  return Error{Errc::invalid_argument, "not a request between processes"};
}

// ---- appends ----

Result<Bytes> to_bytes(AppendRequest& append) {
  Writer out;
  put_head(out, Kind::append);
  put_partition(out, append.to);
  put_optional(out, append.condition, [&](const Condition& condition) {
    out.text(condition.key);
    put_offset(out, condition.as_of);
  });
  put_optional(out, append.since, [&](Offset since) { put_offset(out, since); });
  if (append.records.size_bytes() <= kForwardedBytesMax) out.text(as_text(append.records.stamp(Offset{0}, LeaderEpoch{0})));
  if (append.records.size_bytes() <= kForwardedBytesMax && out.bytes().size() <= kForwardedBytesMax) return bytes_of(out);
  return Error{Errc::too_large, "an append of " + std::to_string(append.records.size_bytes()) + " bytes to " +
                                    to_string(append.to) + " on its way to its owner, of " +
                                    std::to_string(kForwardedBytesMax) + " at most"};
}

namespace {

Result<void> add_again(const RecordView& record, EncodedRecords& records) {
  const Result<Envelope> event = parse_envelope("forwarded", PartitionId{0}, record);
  if (!event) return event.error();
  if (!record.has_key || event->type.empty()) return Error{Errc::invalid_argument, "it is no event of a stream"};
  std::vector<HeaderView> headers;
  HeaderCursor cursor = event->headers();
  while (const HeaderView* header = cursor.next()) headers.push_back(*header);
  const std::optional<BytesView> value = record.has_value ? std::optional{record.value} : std::nullopt;
  return records.add({record.timestamp, record.key, value, headers});
}

Result<EncodedRecords> records_of(BytesView batch) {
  const Result<BatchHeader> header = verify_batch(batch);
  if (!header) return header.error();
  if (header->size_bytes() != batch.size() || header->attributes != 0 || header->base_offset != Offset{0}) {
    return Error{Errc::invalid_argument, "it is not one plain batch"};
  }
  EncodedRecords records;
  RecordCursor cursor{batch, Offset{0}};
  while (const RecordView* record = cursor.next()) {
    if (Result<void> added = add_again(*record, records); !added) return added.error();
  }
  if (cursor.error()) return *cursor.error();
  if (records.empty()) return Error{Errc::invalid_argument, "it is empty"};
  return records;
}

}  // namespace

Result<AppendRequest> parse_forwarded_append(BytesView bytes) {
  Reader in{bytes};
  const Result<Kind> kind = get_head(in, bytes);
  if (!kind) return kind.error();
  if (*kind != Kind::append) return Error{Errc::invalid_argument, "not an append between processes"};
  AppendRequest append;
  append.to = get_partition(in);
  if (in.boolean()) {
    std::string key{get_text(in)};
    append.condition = Condition{std::move(key), get_offset(in)};
  }
  if (in.boolean()) append.since = get_offset(in);
  const BytesView batch = in.prefixed();
  Result<AppendRequest> parsed = finish(in, std::move(append), "a forwarded append");
  if (!parsed) return parsed;
  Result<EncodedRecords> records = records_of(batch);
  if (!records) return Error{Errc::invalid_argument, "the batch of a forwarded append: " + std::string(records.error().text())};
  parsed->records = std::move(*records);
  return parsed;
}

// ---- queries ----

Result<Bytes> to_bytes(const ForwardedQuery& query) {
  Writer out;
  put_head(out, Kind::query);
  out.text(query.to);
  out.text(as_text(query.query));
  if (out.bytes().size() <= kForwardedBytesMax) return bytes_of(out);
  return Error{Errc::too_large, "a query to " + std::string(query.to) + " of " + std::to_string(query.query.size()) +
                                    " bytes, of " + std::to_string(kForwardedBytesMax) + " at most"};
}

Result<ForwardedQuery> parse_forwarded_query(BytesView bytes) {
  Reader in{bytes};
  const Result<Kind> kind = get_head(in, bytes);
  if (!kind) return kind.error();
  if (*kind != Kind::query) return Error{Errc::invalid_argument, "not a query between processes"};
  const std::string_view to = get_text(in);
  return finish(in, ForwardedQuery{to, in.prefixed()}, "a forwarded query");
}

Bytes query_answer(const Result<Bytes>& answered) {
  if (!answered) return to_bytes(ForwardedAnswer{answered.error(), {}});
  Writer out;
  put_head(out, Kind::answer);
  out.text(as_text(*answered));
  if (out.bytes().size() <= kForwardedBytesMax) return bytes_of(out);
  return query_answer(Error{Errc::too_large, "an answer of " + std::to_string(answered->size()) + " bytes, of " +
                                                 std::to_string(kForwardedBytesMax) + " at most"});
}

Result<Bytes> parse_query_answer(BytesView bytes) {
  Reader in{bytes};
  const Result<Kind> kind = get_head(in, bytes);
  if (!kind) return kind.error();
  if (*kind == Kind::answer) {
    const BytesView answer = in.prefixed();
    return finish(in, Bytes(answer.begin(), answer.end()), "the answer to a forwarded query");
  }
  const Result<ForwardedAnswer> refused = parse_forwarded_answer(bytes);
  if (!refused) return refused.error();
  if (!refused->outcome) return refused->outcome.error();
  return Error{Errc::invalid_argument, "not an answer to a query"};
}

// ---- answers ----

Bytes to_bytes(const ForwardedAnswer& answer) {
  Writer out;
  if (answer.outcome) {
    const Commit& commit = *answer.outcome;
    put_head(out, Kind::commit);
    put_partition(out, commit.partition);
    put_offset(out, commit.first);
    put_offset(out, commit.end);
    out.byte(commit.repeated ? 1 : 0);
    out.varint(zigzag(commit.epoch.value()));
    return bytes_of(out);
  }
  constexpr std::size_t kTextMax = 64u << 10;
  const Error& error = answer.outcome.error();
  put_head(out, Kind::error);
  out.varint(static_cast<std::uint64_t>(error.code()));
  put_optional(out, error.offset(), [&](Offset offset) { put_offset(out, offset); });
  out.text(error.text().substr(0, kTextMax));
  out.text(std::string_view{answer.endpoint}.substr(0, kTextMax));
  return bytes_of(out);
}

Result<ForwardedAnswer> parse_forwarded_answer(BytesView bytes) {
  constexpr std::string_view kWhat = "the answer to a forwarded command";
  Reader in{bytes};
  const Result<Kind> kind = get_head(in, bytes);
  if (!kind) return kind.error();
  if (*kind == Kind::commit) {
    Commit commit = get_commit(in);
    if (commit.end < commit.first) in.fail("an end below its beginning");
    return finish(in, ForwardedAnswer{std::move(commit), {}}, kWhat);
  }
  if (*kind != Kind::error) return Error{Errc::invalid_argument, "not an answer between processes"};
  Error error = get_error(in);
  std::string endpoint{get_text(in)};
  return finish(in, ForwardedAnswer{std::move(error), std::move(endpoint)}, kWhat);
}

}  // namespace lungo::detail
