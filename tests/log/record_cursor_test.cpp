// Goal: the cursor's quick way through a record takes exactly what a plain decoder takes, with the same outcome, and never
// looks outside of the batch. Method: each batch is read from the end of a page behind which nothing may be touched, and beside
// a decoder that checks every field by itself.

#include <lungo/log/record_batch.hpp>

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "base/byte_reader.hpp"
#include "base/crc32c.hpp"

namespace lungo {
namespace {

Timestamp at_millisecond(std::int64_t value) { return Timestamp{std::chrono::milliseconds{value}}; }

// A copy of bytes, at the very end of the memory that may be read.
class GuardedBytes {
 public:
  explicit GuardedBytes(std::size_t room)
      : page_(static_cast<std::size_t>(::sysconf(_SC_PAGESIZE))), room_((room + page_ - 1) / page_ * page_) {
    void* mapped = ::mmap(nullptr, room_ + page_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    EXPECT_NE(mapped, MAP_FAILED);
    memory_ = static_cast<std::byte*>(mapped);
    EXPECT_EQ(::mprotect(memory_ + room_, page_, PROT_NONE), 0);
  }
  ~GuardedBytes() { ::munmap(memory_, room_ + page_); }
  GuardedBytes(const GuardedBytes&) = delete;
  GuardedBytes& operator=(const GuardedBytes&) = delete;

  BytesView hold(BytesView bytes) {
    std::byte* const begin = memory_ + room_ - bytes.size();
    std::ranges::copy(bytes, begin);
    return {begin, bytes.size()};
  }

 private:
  std::size_t page_;
  std::size_t room_;
  std::byte* memory_ = nullptr;
};

struct Decoded {
  std::vector<std::string> records;
  bool ok = true;
};

std::string text_of(const RecordView& record) {
  std::string text = std::to_string(record.offset.value()) + "@" + std::to_string(record.timestamp.time_since_epoch().count());
  text += record.has_key ? " key " + std::string(as_text(record.key)) : " no key";
  text += record.has_value ? " value " + std::string(as_text(record.value)) : " no value";
  return text + " headers " + std::to_string(record.header_count) + " " + std::string(as_text(record.headers));
}

Decoded decode_with_cursor(BytesView batch) {
  Decoded decoded;
  RecordCursor cursor{batch, Offset{0}};
  while (const RecordView* record = cursor.next()) {
    decoded.records.push_back(text_of(*record));
    HeaderCursor headers{*record};
    while (headers.next() != nullptr) {
    }
  }
  decoded.ok = !cursor.error();
  return decoded;
}

// Kafka's grammar, field by field; no cleverness.
Decoded decode_plainly(BytesView batch) {
  Decoded decoded;
  const Result<BatchHeader> header = parse_batch_header(batch);
  decoded.ok = header && header->size_bytes() == batch.size();
  if (!decoded.ok || header->is_control()) return decoded;
  decoded.ok = header->compression() == 0;
  ByteReader reader{batch.subspan(kBatchHeaderBytes)};
  for (std::int32_t i = 0; decoded.ok && i < header->records_count; ++i) {
    const std::int32_t size = reader.signed_varint32();
    ByteReader body{size < 0 ? BytesView{} : reader.bytes(static_cast<std::size_t>(size))};
    static_cast<void>(body.big_endian<std::int8_t>());
    const auto time_delta = static_cast<std::uint64_t>(body.signed_varint());
    const std::int32_t delta = body.signed_varint32();
    RecordView record;
    const std::int32_t key = body.signed_varint32();
    if (key >= 0) record.key = body.bytes(static_cast<std::size_t>(key));
    const std::int32_t value = body.signed_varint32();
    if (value >= 0) record.value = body.bytes(static_cast<std::size_t>(value));
    record.header_count = body.signed_varint32();
    record.headers = body.rest();
    const auto header_bytes = static_cast<std::int64_t>(record.headers.size());
    decoded.ok = reader.ok() && body.ok() && size >= 0 && delta >= 0 && delta <= header->last_offset_delta && key >= -1 &&
                 value >= -1 && record.header_count >= 0 && 2 * std::int64_t{record.header_count} <= header_bytes &&
                 (record.header_count > 0 || header_bytes == 0);
    if (!decoded.ok) return decoded;
    record.has_key = key >= 0;
    record.has_value = value >= 0;
    record.offset = header->base_offset.plus(delta);
    const auto base = static_cast<std::uint64_t>(header->base_timestamp.time_since_epoch().count());
    record.timestamp =
        header->is_log_append_time() ? header->max_timestamp : at_millisecond(static_cast<std::int64_t>(base + time_delta));
    decoded.records.push_back(text_of(record));
  }
  decoded.ok = decoded.ok && reader.remaining() == 0;
  return decoded;
}

void stamp_crc(Bytes& batch) { store_big_endian(batch.data() + 17, crc32c(BytesView{batch}.subspan(21))); }

Bytes batch_of(std::initializer_list<RecordFields> records) {
  EncodedRecords encoded;
  for (const RecordFields& record : records) EXPECT_TRUE(encoded.add(record));
  BatchBuilder builder;
  builder.add(encoded);
  const BytesView batch = builder.finish(Offset{7}, LeaderEpoch{0});
  return Bytes(batch.begin(), batch.end());
}

// A batch of one record whose bytes behind its length are given.
Bytes batch_around(const Bytes& record) {
  Bytes batch = batch_of({{.timestamp = {}, .key = {}, .value = {}, .headers = {}}});
  batch.resize(kBatchHeaderBytes);
  std::byte length[kVarintBytesMax];
  std::byte* const end = write_signed_varint(length, static_cast<std::int64_t>(record.size()));
  batch.insert(batch.end(), &length[0], end);
  batch.insert(batch.end(), record.begin(), record.end());
  store_big_endian(batch.data() + 8, static_cast<std::int32_t>(batch.size() - kBatchPrefixBytes));
  stamp_crc(batch);
  return batch;
}

const HeaderView kHeaders[] = {{.name = "l.id", .value = as_bytes("x")}, {.name = "n", .value = {}, .has_value = false}};

std::vector<Bytes> small_batches() {
  const Bytes key = to_bytes("some key");
  const Bytes value = to_bytes("a value of some length");
  std::vector<Bytes> batches;
  batches.push_back(batch_of({{.timestamp = {}, .key = {}, .value = {}, .headers = {}}}));
  batches.push_back(batch_of({{.timestamp = {}, .key = {}, .value = value, .headers = {}}}));
  batches.push_back(batch_of({{.timestamp = {}, .key = key, .value = {}, .headers = {}}}));
  batches.push_back(batch_of({{.timestamp = at_millisecond(1000), .key = key, .value = value, .headers = kHeaders},
                              {.timestamp = at_millisecond(1), .key = key, .value = BytesView{}, .headers = {}},
                              {.timestamp = at_millisecond(99'000), .key = {}, .value = value, .headers = {}}}));
  return batches;
}

TEST(RecordCursor, LengthsAndTimesOfEverySizeAreReadBack) {
  for (const std::size_t size : {0u, 1u, 63u, 64u, 8191u, 8192u, (1u << 20) - 1, 1u << 20}) {
    for (const std::int64_t time : {0, 63, 64, -64, -65, 8191, 8192, (1 << 20) - 1, 1 << 20, -(1 << 20) - 1}) {
      const Bytes bytes(size, std::byte{'b'});
      const Bytes batch = batch_of({{.timestamp = {}, .key = bytes, .value = bytes, .headers = {}},
                                    {.timestamp = at_millisecond(time), .key = {}, .value = bytes, .headers = kHeaders}});
      RecordCursor cursor{batch, Offset{7}};
      const RecordView* record = cursor.next();
      ASSERT_NE(record, nullptr) << size;
      EXPECT_TRUE(std::ranges::equal(record->key, bytes));
      EXPECT_TRUE(std::ranges::equal(record->value, bytes));
      record = cursor.next();
      ASSERT_NE(record, nullptr) << size;
      EXPECT_EQ(record->offset, Offset{8});
      EXPECT_EQ(record->timestamp, at_millisecond(time));
      EXPECT_FALSE(record->has_key);
      EXPECT_TRUE(std::ranges::equal(record->value, bytes));
      EXPECT_EQ(as_text(find_header(*record, "l.id").value()), "x");
      EXPECT_EQ(cursor.next(), nullptr);
      EXPECT_FALSE(cursor.error());
    }
  }
}

TEST(RecordCursor, ManyHeadersAreReadBack) {
  for (const std::size_t count : {1u, 63u, 64u, 200u}) {
    const std::vector<HeaderView> headers(count, HeaderView{.name = "n", .value = as_bytes("v")});
    const Bytes batch = batch_of({{.timestamp = {}, .key = {}, .value = as_bytes("value"), .headers = headers}});
    RecordCursor cursor{batch, Offset{0}};
    const RecordView* record = cursor.next();
    ASSERT_NE(record, nullptr);
    HeaderCursor walk{*record};
    std::size_t walked = 0;
    while (walk.next() != nullptr) ++walked;
    EXPECT_TRUE(walk.ok());
    EXPECT_EQ(walked, count);
  }
}

// What follows the length, byte by byte. The same once more with 20 bytes in the value, so that both ways are asked.
TEST(RecordCursor, RecordsThatCannotBeAreRefused) {
  struct BadRecord {
    const char* what;
    std::vector<int> front;  // attributes, timestampDelta, offsetDelta, keyLength, key
    std::vector<int> back;   // behind the value: headerCount, headers
  };
  const BadRecord table[] = {
      {"negative offset delta", {0, 0, 1, 1}, {0}},
      {"offset delta above the last", {0, 0, 2, 1}, {0}},
      {"key length -2", {0, 0, 0, 3}, {0}},
      {"key past the record", {0, 0, 0, 0x7e}, {0}},
      {"key past everything", {0, 0, 0, 0xfe, 0xff, 0x7f}, {0}},
      {"key length that takes six bytes", {0, 0, 0, 0x80, 0x80, 0x80, 0x80, 0x80, 1}, {0}},
      {"header count -1", {0, 0, 0, 1}, {1}},
      {"headers without bytes", {0, 0, 0, 1}, {2}},
      {"more headers than bytes for them", {0, 0, 0, 1}, {4, 2, 'n', 0}},
      {"headers in 64 bits", {0, 0, 0, 1}, {0xfe, 0xff, 0xff, 0xff, 0x1f}},
      {"a byte behind no headers", {0, 0, 0, 1}, {0, 0}},
      {"nothing behind the value", {0, 0x82, 1, 0, 1}, {}},
      {"eleven bytes of time", {0, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 1, 0, 1}, {0}},
  };
  GuardedBytes guarded{4096};
  for (const BadRecord& bad : table) {
    for (const std::size_t value_size : {0u, 20u}) {
      const auto bytes_of = [](const std::vector<int>& values) {
        Bytes bytes;
        for (const int value : values) bytes.push_back(static_cast<std::byte>(value));
        return bytes;
      };
      Bytes record = bytes_of(bad.front);
      record.push_back(static_cast<std::byte>(2 * value_size));
      record.insert(record.end(), value_size, std::byte{'v'});
      const Bytes back = bytes_of(bad.back);
      record.insert(record.end(), back.begin(), back.end());
      const BytesView batch = guarded.hold(batch_around(record));
      ASSERT_TRUE(verify_batch(batch));
      RecordCursor cursor{batch, Offset{0}};
      EXPECT_EQ(cursor.next(), nullptr) << bad.what;
      ASSERT_TRUE(cursor.error()) << bad.what;
      EXPECT_EQ(*cursor.error(), Errc::corrupt) << bad.what;
      EXPECT_EQ(cursor.next(), nullptr) << "a refused batch stays refused";
      EXPECT_FALSE(decode_plainly(batch).ok) << bad.what;
    }
  }
}

TEST(RecordCursor, EveryChangedByteIsReadAsAPlainDecoderReadsIt) {
  GuardedBytes guarded{4096};
  for (const Bytes& good : small_batches()) {
    for (std::size_t at = 0; at < good.size(); ++at) {
      if (at >= 8 && at < 12) continue;  // a length that cuts the batch off, or leaves bytes behind it
      for (int value = 0; value < 256; ++value) {
        Bytes bad = good;
        bad[at] = static_cast<std::byte>(value);
        stamp_crc(bad);
        const BytesView batch = guarded.hold(bad);
        const Decoded expected = decode_plainly(batch);
        const Decoded found = decode_with_cursor(batch);
        ASSERT_EQ(found.ok, expected.ok) << "byte " << at << " = " << value;
        ASSERT_EQ(found.records, expected.records) << "byte " << at << " = " << value;
      }
    }
  }
}

// Several bytes at once, with a liking for numbers that go on and on, and every batch cut short as well.
TEST(RecordCursor, ManyChangedBytesAreReadAsAPlainDecoderReadsThem) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random{seed};
  GuardedBytes guarded{4096};
  const std::vector<Bytes> batches = small_batches();
  for (int round = 0; round < 60'000; ++round) {
    Bytes bad = batches[random() % batches.size()];
    for (std::size_t changes = 1 + random() % 4; changes > 0; --changes) {
      const std::size_t at = kBatchHeaderBytes + random() % (bad.size() - kBatchHeaderBytes);
      bad[at] = static_cast<std::byte>(random() % 3 == 0 ? 0x80 | random() : random());
    }
    bad.resize(bad.size() - random() % std::min<std::size_t>(bad.size() - kBatchHeaderBytes, 8));
    store_big_endian(bad.data() + 8, static_cast<std::int32_t>(bad.size() - kBatchPrefixBytes));
    stamp_crc(bad);
    const BytesView batch = guarded.hold(bad);
    const Decoded expected = decode_plainly(batch);
    const Decoded found = decode_with_cursor(batch);
    ASSERT_EQ(found.ok, expected.ok);
    ASSERT_EQ(found.records, expected.records);
  }
}

}  // namespace
}  // namespace lungo
