// Batches as a reader gets them: header, cursor, headers of records, and the way back.
#include <optional>
#include <vector>

#include "base/compression.hpp"
#include "batch_compression.hpp"
#include "tests/fuzz/fuzz_input.hpp"
#include "tests/fuzz/targets.hpp"

namespace lungo::test {
namespace {

constexpr std::size_t kEncodedAgainMax = 100;  // records

bool lies_in(BytesView inner, BytesView outer) {
  return inner.empty() || (inner.data() >= outer.data() && inner.data() + inner.size() <= outer.data() + outer.size());
}

std::vector<HeaderView> headers_of(const RecordView& record) {
  std::vector<HeaderView> headers;
  HeaderCursor cursor{record};
  while (const HeaderView* header = cursor.next()) headers.push_back(*header);
  require(static_cast<std::int32_t>(headers.size()) <= record.header_count, "no more headers than counted");
  return headers;
}

/// Walks one batch; true when all of it can be read.
bool walk(BytesView batch, const BatchHeader& header, Offset from, Digest& digest) {
  RecordCursor cursor{batch, from};
  std::int32_t records = 0;
  while (const RecordView* record = cursor.next()) {
    ++records;
    require(record->offset >= from && record->offset >= header.base_offset && record->offset < header.end_offset(),
            "a record lies in its batch");
    const BytesView home = cursor.decompressed() ? BytesView{*cursor.decompressed()} : batch;
    require(lies_in(record->key, home) && lies_in(record->value, home) && lies_in(record->headers, home),
            "views lie in the batch");
    headers_of(*record);
    add_record(digest, *record);
  }
  require(records <= header.records_count, "no more records than counted");
  if (cursor.decompressed()) {
    require(cursor.decompressed()->size() <= decompressed_bytes_max(batch.size()), "a batch decompresses to what is allowed");
  }
  return !cursor.error();
}

/// The first records once more, out of our own encoder, plain and compressed.
void encode_again(BytesView batch, Compression codec) {
  EncodedRecords encoded;
  Digest before;
  RecordCursor cursor{batch, Offset{0}};
  std::int64_t count = 0;
  while (const RecordView* record = count < static_cast<std::int64_t>(kEncodedAgainMax) ? cursor.next() : nullptr) {
    const std::vector<HeaderView> headers = headers_of(*record);
    RecordFields fields{.timestamp = record->timestamp, .key = {}, .value = {}, .headers = headers};
    if (record->has_key) fields.key = record->key;
    if (record->has_value) fields.value = record->value;
    if (!encoded.add(fields)) break;
    before.add(static_cast<std::uint64_t>(record->timestamp.time_since_epoch().count()));
    before.add(record->key);
    before.add(record->value);
    before.add(headers.size());
    ++count;
  }
  if (count == 0) return;
  Bytes room;
  const BytesView plain = encoded.stamp(Offset{7}, LeaderEpoch{3});
  for (const BytesView again : {plain, compressed_batch(plain, codec, room)}) {
    const Result<BatchHeader> header = verify_batch(again);
    require(header && header->records_count == count && header->end_offset() == Offset{7 + count}, "our own batch is whole");
    Digest after;
    RecordCursor records{again, Offset{0}};
    while (const RecordView* record = records.next()) {
      after.add(static_cast<std::uint64_t>(record->timestamp.time_since_epoch().count()));
      after.add(record->key);
      after.add(record->value);
      after.add(headers_of(*record).size());
    }
    require(!records.error() && before == after, "what was read is read again");
  }
}

}  // namespace

void fuzz_record_batch(BytesView input) {
  FuzzInput fields{input};
  const Offset from{fields.byte()};
  const auto codec = static_cast<Compression>(1 + fields.byte() % 4);
  const BytesView rest = fields.rest();
  Bytes run(rest.begin(), rest.end());
  static_cast<void>(parse_record_body(run));
  static_cast<void>(verify_batch(run));
  mend_batches(run);

  Digest apart;
  bool is_good = true;
  BytesView left = run;
  while (is_good && !left.empty()) {
    const Result<BatchHeader> header = parse_batch_header(left);
    is_good = header && header->size_bytes() <= left.size();
    if (!is_good) break;
    const BytesView batch = left.first(header->size_bytes());
    require(verify_batch(batch).has_value(), "a batch with a good header and CRC is whole");
    is_good = walk(batch, *header, from, apart);
    if (is_good && !header->is_control()) encode_again(batch, codec);
    left = left.subspan(batch.size());
  }
  Digest together;
  RecordCursor cursor{run, from};
  while (const RecordView* record = cursor.next()) add_record(together, *record);
  require(together == apart && !cursor.error() == is_good, "a run of batches is read as its batches are");
}

}  // namespace lungo::test
