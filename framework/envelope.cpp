#include <lungo/framework/envelope.hpp>

#include <algorithm>
#include <array>
#include <vector>

#include "saturated.hpp"

namespace lungo {

namespace {

constexpr std::size_t kTextBytesMax = 255;
constexpr std::size_t kVarintBytesMax = 10;
constexpr std::size_t kOwnHeadersMax = 8;  // what one record can carry of those that add_record() writes

Error malformed(std::string_view what, std::string_view topic, PartitionId partition, Offset offset) {
  return {Errc::undecodable,
          std::string(what) + " in " + to_string(TopicPartition{std::string(topic), partition}) + " at offset " +
              std::to_string(offset.value()),
          offset};
}

std::optional<std::int64_t> read_delta(BytesView bytes) {
  std::uint64_t bits = 0;
  for (std::size_t at = 0; at < bytes.size() && at < kVarintBytesMax; ++at) {
    const auto group = std::to_integer<std::uint64_t>(bytes[at]);
    bits |= (group & 0x7f) << (7 * at);
    if (group < 0x80) {
      if (at + 1 != bytes.size()) return std::nullopt;
      return static_cast<std::int64_t>((bits >> 1) ^ (~(bits & 1) + 1));
    }
  }
  return std::nullopt;
}

BytesView write_delta(std::int64_t delta, std::array<std::byte, kVarintBytesMax>& buffer) {
  std::uint64_t bits = (static_cast<std::uint64_t>(delta) << 1) ^ static_cast<std::uint64_t>(delta >> 63);
  std::size_t size = 0;
  while (bits > 0x7f) {
    buffer[size++] = static_cast<std::byte>(bits | 0x80);
    bits >>= 7;
  }
  buffer[size++] = static_cast<std::byte>(bits);
  return BytesView{buffer}.first(size);
}

/// Takes the first of a header's values.
void take(std::string_view& field, BytesView value) {
  if (field.empty()) field = as_text(value);
}

/// One header of ours into the envelope. False when its value breaks the grammar.
bool take_header(std::string_view name, BytesView value, std::optional<std::int64_t>& delta, Envelope& out) {
  const char first = name[2];
  if (name.size() == 3) {
    switch (first) {
      case 't':
        take(out.type, value);
        return true;
      case 'c':
        take(out.correlation, value);
        return true;
      case 'a':
        take(out.causation, value);
        return true;
      case 'l':
        take(out.lane, value);
        return true;
      case 'e':
        take(out.encryption_key, value);
        return true;
      case 's':
        if (value.size() != std::tuple_size_v<ShapeHash>) return false;
        if (!out.shape) std::ranges::copy(value, out.shape.emplace().begin());
        return true;
      case 'r':
        if (!delta) delta = read_delta(value);
        return delta.has_value();
      default:
        return true;
    }
  }
  if (name == kIdHeader) take(out.id, value);
  if (name == "l.ct") take(out.content_type, value);
  return true;
}

}  // namespace

HeaderCursor Envelope::headers() const {
  RecordView record;
  record.header_count = header_count;
  record.headers = encoded_headers;
  return HeaderCursor{record};
}

Result<void> parse_envelope_into(std::string_view topic, PartitionId partition, const RecordView& record, Envelope& out) {
  out = Envelope{};
  out.topic = topic;
  out.partition = partition;
  out.offset = record.offset;
  out.epoch = record.epoch;
  out.stream = as_text(record.key);
  out.time = record.timestamp;
  out.payload = record.value;
  out.is_tombstone = !record.has_value;
  out.header_count = record.header_count;
  out.encoded_headers = record.headers;

  std::optional<std::int64_t> delta;
  HeaderCursor cursor{record};
  while (const HeaderView* header = cursor.next()) {
    const std::string_view name = header->name;
    if (name.size() < 3 || name[0] != 'l' || name[1] != '.' || !header->has_value) continue;
    if (!take_header(name, header->value, delta, out)) {
      return malformed("header " + std::string(name) + " breaks its grammar", topic, partition, record.offset);
    }
  }
  if (!cursor.ok()) return malformed("headers end early", topic, partition, record.offset);
  out.recorded = add_saturated(out.time, std::chrono::milliseconds{delta.value_or(0)});  // any writer's bytes
  return {};
}

Result<Envelope> parse_envelope(std::string_view topic, PartitionId partition, const RecordView& record) {
  Envelope envelope;
  Result<void> parsed = parse_envelope_into(topic, partition, record, envelope);
  if (!parsed) return parsed.error();
  return envelope;
}

Result<void> add_record(const EnvelopeFields& fields, EncodedRecords& out) {
  if (fields.type.empty()) return Error{Errc::invalid_argument, "an event needs a name"};
  if (fields.type.size() > kTextBytesMax) return Error{Errc::invalid_argument, "event name over 255 bytes"};
  if (fields.id.size() > kTextBytesMax) return Error{Errc::invalid_argument, "idempotency id over 255 bytes"};
  if (fields.lane.size() > kTextBytesMax) return Error{Errc::invalid_argument, "lane over 255 bytes"};

  std::array<HeaderView, kOwnHeadersMax> own;
  std::array<std::byte, kVarintBytesMax> delta_bytes;
  std::size_t count = 0;
  const auto put = [&](std::string_view name, BytesView value) {
    if (!value.empty()) own[count++] = {name, value};
  };
  put("l.t", as_bytes(fields.type));
  if (fields.shape) put("l.s", *fields.shape);
  put(kIdHeader, as_bytes(fields.id));
  put("l.c", as_bytes(fields.correlation));
  put("l.a", as_bytes(fields.causation));
  if (const auto delta = distance_saturated(fields.time, fields.recorded); delta.count() != 0)
    put("l.r", write_delta(delta.count(), delta_bytes));
  put("l.l", as_bytes(fields.lane));
  put("l.ct", as_bytes(fields.content_type));

  RecordFields record{fields.time, std::nullopt, std::nullopt, std::span{own}.first(count)};
  if (!fields.stream.empty()) record.key = as_bytes(fields.stream);
  if (!fields.is_tombstone) record.value = fields.payload;
  if (fields.headers.empty()) return out.add(record);

  std::vector<HeaderView> all(own.begin(), own.begin() + static_cast<std::ptrdiff_t>(count));
  for (const HeaderView& header : fields.headers) {
    if (header.name.starts_with("l.")) {
      return Error{Errc::invalid_argument, "header " + std::string(header.name) + ": the prefix l. is reserved"};
    }
    all.push_back(header);
  }
  record.headers = all;
  return out.add(record);
}

namespace {

void append_escaped(std::string& out, std::string_view text, bool escape_dash) {
  for (const char c : text) {
    if (c == '/') {
      out += "%2F";
    } else if (c == '%') {
      out += "%25";
    } else if (c == '-' && escape_dash) {
      out += "%2D";
    } else {
      out += c;
    }
  }
}

void append_stream(std::string& out, std::string_view category, std::string_view id) {
  append_escaped(out, category, true);
  out += '-';
  append_escaped(out, id, false);
}

}  // namespace

StreamId::StreamId(std::string_view category, std::string_view id) { append_stream(text_, category, id); }

StreamId::StreamId(const Scope& scope, std::string_view category, std::string_view id) {
  if (!scope.empty()) {
    append_escaped(text_, scope.name(), false);
    text_ += '/';
  }
  append_stream(text_, category, id);
}

StreamId StreamId::written(std::string_view stream) {
  StreamId id;
  id.text_ = stream;
  return id;
}

std::string_view scope_or_id(std::string_view stream) { return stream.substr(0, stream.find('/')); }

std::string_view category_of(std::string_view stream) {
  if (const std::size_t slash = stream.find('/'); slash != std::string_view::npos) stream.remove_prefix(slash + 1);
  return stream.substr(0, stream.find('-'));
}

PartitionId partition_of_stream(std::string_view stream, std::int32_t partitions) {
  return partition_of_key(scope_or_id(stream), partitions);
}

void stream_beside(std::string_view input, std::string_view category, std::string_view id, std::string& out) {
  out.assign(scope_or_id(input));  // escaped already
  if (!out.empty()) out += '/';
  append_stream(out, category, id);
}

}  // namespace lungo
