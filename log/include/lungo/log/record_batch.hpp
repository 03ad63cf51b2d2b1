// Kafka's RecordBatch v2 (magic 2): the one format on disk, on the wire and between replicas.
//
// Grammar (big-endian fixed fields, zigzag LEB128 varints; source: Kafka's message format documentation, KIP-98):
//
//   batch   = baseOffset:int64 batchLength:int32 partitionLeaderEpoch:int32 magic:int8(=2) crc:uint32
//             attributes:int16 lastOffsetDelta:int32 baseTimestamp:int64 maxTimestamp:int64
//             producerId:int64 producerEpoch:int16 baseSequence:int32 recordsCount:int32 record*
//   record  = length:varint attributes:int8(=0) timestampDelta:varlong offsetDelta:varint body
//   body    = keyLength:varint(-1 = null) key valueLength:varint(-1 = null) value headerCount:varint header*
//   header  = nameLength:varint name valueLength:varint(-1 = null) value
//
// `batchLength` counts from partitionLeaderEpoch on; the CRC-32C covers everything from attributes on, so base offset and
// leader epoch are stamped without touching the payload. A batch takes 61 bytes before its first record.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include <lungo/log/bytes.hpp>
#include <lungo/log/growing_bytes.hpp>
#include <lungo/log/result.hpp>
#include <lungo/log/types.hpp>

namespace lungo {

inline constexpr std::size_t kBatchHeaderBytes = 61;
inline constexpr std::size_t kBatchPrefixBytes = 12;       // baseOffset and batchLength, which batchLength does not count
inline constexpr std::size_t kRecordBytesMax = 64u << 20;  // bodies of one append, which always share a batch

/// One header of a record. A null value has `has_value == false`.
struct HeaderView {
  std::string_view name;
  BytesView value;
  bool has_value = true;
};

/// The header under which a record carries its idempotency key (docs/reference/envelope.md).
inline constexpr std::string_view kIdHeader = "l.id";

/// What is needed to encode one record; views are read during the call only.
struct RecordFields {
  Timestamp timestamp;
  std::optional<BytesView> key;
  std::optional<BytesView> value;
  std::span<const HeaderView> headers;
};

/// Records encoded for one append, as a batch of their own that lacks only its place in the log. What `AppendRequest` takes.
/// A value type; clear() keeps the memory.
class EncodedRecords {
 public:
  /// Appends one record. Errors: too_large when all bodies here would pass kRecordBytesMax.
  Result<void> add(const RecordFields& fields);
  void clear();
  /// Forgets the records behind the first `count`.
  void truncate(std::size_t count);

  [[nodiscard]] std::size_t count() const { return entries_.size(); }
  [[nodiscard]] bool empty() const { return entries_.empty(); }
  [[nodiscard]] std::size_t size_bytes() const { return body_bytes_; }  // of the bodies, without framing
  [[nodiscard]] Timestamp max_timestamp() const { return max_timestamp_; }

  struct Entry {
    Timestamp timestamp;
    std::uint32_t body_begin = 0;  // positions in the batch
    std::uint32_t body_end = 0;
    std::uint32_t key_begin = 0;
    std::int32_t key_size = -1;  // -1: null
    std::uint32_t id_begin = 0;  // value of the kIdHeader header
    std::int32_t id_size = -1;   // -1: none
  };
  [[nodiscard]] std::span<const Entry> entries() const { return entries_; }
  [[nodiscard]] BytesView body(std::size_t index) const;
  [[nodiscard]] std::optional<std::string_view> key(std::size_t index) const;
  [[nodiscard]] std::optional<std::string_view> id(std::size_t index) const;

  /// Makes header and CRC now, which stamp() does otherwise: for whoever is about to take a lock.
  void seal();
  /// The whole batch, at its place; not empty. With `log_append_time` that is the time of all its records. The view holds until
  /// the next call of a non-const member.
  BytesView stamp(Offset base, LeaderEpoch epoch, std::optional<Timestamp> log_append_time = std::nullopt);

 private:
  [[nodiscard]] std::string_view text_at(std::uint32_t begin, std::int32_t size) const;

  GrowingBytes batch_;  // the header's room, then records
  std::vector<Entry> entries_;
  std::size_t body_bytes_ = 0;
  Timestamp max_timestamp_{};
  bool sealed_ = false;
};

/// Builds one uncompressed batch out of the records of several appends.
class BatchBuilder {
 public:
  /// Takes the records over in order; they get consecutive offset deltas.
  void add(const EncodedRecords& records);
  void clear();
  [[nodiscard]] std::int32_t count() const { return count_; }
  [[nodiscard]] std::size_t size_bytes() const { return batch_.size(); }  // of the finished batch; 0 while empty

  /// Writes header and CRC and returns the whole batch; the view holds until the next call of a non-const member. With
  /// `log_append_time` that is the time of all its records.
  BytesView finish(Offset base, LeaderEpoch epoch, std::optional<Timestamp> log_append_time = std::nullopt);
  [[nodiscard]] Timestamp max_timestamp() const { return max_timestamp_; }

 private:
  GrowingBytes batch_;  // the header's room, then records
  std::int32_t count_ = 0;
  Timestamp base_timestamp_{};
  Timestamp max_timestamp_{};
};

/// A record inside a batch. Views point into the batch's bytes.
struct RecordView {
  Offset offset;
  Timestamp timestamp;
  LeaderEpoch epoch;
  bool has_key = false;
  bool has_value = false;
  BytesView key;
  BytesView value;
  std::int32_t header_count = 0;
  BytesView headers;  // encoded; read with HeaderCursor
};

/// Walks a record's headers: `while (const HeaderView* header = cursor.next())`. Stops early on malformed bytes; ok() tells.
class HeaderCursor {
 public:
  explicit HeaderCursor(const RecordView& record) : rest_(record.headers), left_(record.header_count) {}
  const HeaderView* next();
  [[nodiscard]] bool ok() const { return ok_; }

 private:
  BytesView rest_;
  std::int32_t left_ = 0;
  bool ok_ = true;
  HeaderView header_;
};

/// Value of the first header called `name`, if there is one and it is not null.
std::optional<BytesView> find_header(const RecordView& record, std::string_view name);

/// The fixed fields of a batch, parsed and checked against the bytes at hand.
struct BatchHeader {
  Offset base_offset;
  std::int32_t batch_length = 0;
  LeaderEpoch epoch;
  std::uint32_t crc = 0;
  std::int16_t attributes = 0;
  std::int32_t last_offset_delta = 0;
  Timestamp base_timestamp;
  Timestamp max_timestamp;
  ProducerId producer = kNoProducer;
  std::int16_t producer_epoch = -1;
  std::int32_t base_sequence = -1;
  std::int32_t records_count = 0;

  [[nodiscard]] std::size_t size_bytes() const { return kBatchPrefixBytes + static_cast<std::size_t>(batch_length); }
  [[nodiscard]] Offset end_offset() const { return base_offset.plus(std::int64_t{last_offset_delta} + 1); }
  [[nodiscard]] int compression() const { return attributes & 7; }
  [[nodiscard]] bool is_transactional() const { return (attributes & 0x10) != 0; }
  [[nodiscard]] bool is_control() const { return (attributes & 0x20) != 0; }
  [[nodiscard]] bool is_log_append_time() const { return (attributes & 0x08) != 0; }
};

/// Reads the first 61 bytes. Needs only the header to be there. Errors: corrupt for a wrong magic, lengths or deltas that
/// can't be, with what and how.
Result<BatchHeader> parse_batch_header(BytesView bytes);

/// Header and CRC of the whole batch at the front of `bytes`. Errors: corrupt.
Result<BatchHeader> verify_batch(BytesView bytes);

/// Walks the records of a run of whole, verified batches: `while (const RecordView* record = cursor.next())`.
/// Skips control batches and records below `from`. Stops on malformed batches with an error() set. A record's views hold as
/// long as the batches do, but those of a compressed batch only until next() is called: who keeps one keeps decompressed().
class RecordCursor {
 public:
  RecordCursor(BytesView batches, Offset from);
  const RecordView* next();
  /// Set after next() returned null because of bad bytes: corrupt; too_large for a batch that decompresses to more than 64 MiB,
  /// or 1,024 times its size and 64 KiB; unsupported for a codec that Kafka does not have.
  [[nodiscard]] const std::optional<Error>& error() const { return error_; }
  /// What the last record's views point into, where its batch is compressed; not null behind the first compressed batch. As
  /// long as somebody else holds it, the cursor leaves it alone.
  [[nodiscard]] std::shared_ptr<const Bytes> decompressed() const { return decompressed_; }

 private:
  bool open_batch();
  bool decompress(BytesView batch);
  bool take_short();
  bool take();
  void accept(std::int64_t timestamp_delta, std::int32_t offset_delta);
  bool fail(Error error);

  BytesView rest_;     // batches not yet opened
  BytesView records_;  // of the open batch, not yet read
  Offset from_;
  BatchHeader header_;
  std::int32_t left_ = 0;
  RecordView record_;
  std::optional<Error> error_;
  std::shared_ptr<Bytes> decompressed_;  // of the open batch, or of one before; null before the first
};

/// The body of a record, as EncodedRecords::body() returns it, parsed back.
/// Errors: corrupt.
Result<RecordView> parse_record_body(BytesView body);

}  // namespace lungo
