// What a foreign log brings, as batches of a mirror: whatever the records and the holes between them are, readers find them
// again.
//
//   input  = base:u8 batch bytes:u8 record* hole:u8 (behind the last one)
//   record = hole:u8 flags:u8 (1: key, 2: value, 4: header, 8: with a value) time:u8 size:u8 byte*
#include <optional>
#include <vector>

#include <lungo/log/mirror_batch.hpp>
#include <lungo/log/record_proof.hpp>

#include "tests/fuzz/fuzz_input.hpp"
#include "tests/fuzz/targets.hpp"

namespace lungo::test {
namespace {

constexpr std::size_t kRecordsMax = 1000;

/// Small, or up to twice what a batch covers.
std::int64_t hole_of(std::uint8_t byte) {
  constexpr std::uint8_t kWide = 248;
  return byte < kWide ? byte / 8 : std::int64_t{1} << (25 + (byte - kWide));
}

/// Takes a record off the input, whose bytes are its key, value and header too.
RecordFields take_record(FuzzInput& input, std::vector<HeaderView>& headers) {
  const std::uint8_t flags = input.byte();
  RecordFields record{.timestamp = Timestamp{std::chrono::milliseconds{std::int64_t{input.byte()} - 100}},
                      .key = {},
                      .value = {},
                      .headers = {}};
  const BytesView bytes = input.take(input.byte());
  headers.clear();
  if ((flags & 1) != 0) record.key = bytes.first(bytes.size() / 2);
  if ((flags & 2) != 0) record.value = bytes;
  if ((flags & 4) != 0)
    headers.push_back({.name = as_text(bytes), .value = (flags & 8) != 0 ? bytes : BytesView{}, .has_value = (flags & 8) != 0});
  record.headers = headers;
  return record;
}

void expect_side_by_side(const MirrorBatches& batches) {
  Offset expected = batches.base();
  for (std::size_t i = 0; i < batches.count(); ++i) {
    const CopiedBatch batch = batches.batch(i);
    const Result<BatchHeader> header = verify_batch(batch.bytes);
    require(header && header->size_bytes() == batch.bytes.size(), "a batch is whole");
    require(header->base_offset == expected && batch.base == expected, "it begins where the one before ended");
    require(header->end_offset() == batch.end, "it ends where it says");
    require(batch.key_hashes.size() == static_cast<std::size_t>(header->records_count), "each record has a hash");
    expected = batch.end;
  }
  require(expected == batches.end(), "they reach to the end");
}

}  // namespace

void fuzz_mirror_batch(BytesView bytes) {
  FuzzInput input{bytes};
  const Offset base{input.byte()};
  MirrorBatches batches{base, kBatchHeaderBytes + 8u * input.byte()};
  std::vector<RecordProof> taken;
  std::vector<HeaderView> headers;
  Offset next = base;
  while (input.rest().size() > 1 && taken.size() < kRecordsMax) {
    const Offset offset = next.plus(hole_of(input.byte()));
    const RecordFields record = take_record(input, headers);
    require(batches.add(offset, record).has_value(), "offsets that ascend are taken");
    require(!batches.add(offset, record), "and none twice");
    taken.push_back(record_proof(offset, record));
    next = offset.next();
  }
  require(batches.end_at(next.plus(hole_of(input.byte()))).has_value(), "a fetch ends behind its records");
  expect_side_by_side(batches);

  std::size_t found = 0;
  RecordCursor cursor{batches.bytes(), Offset{0}};
  while (const RecordView* record = cursor.next()) {
    require(found < taken.size() && record_proof(*record) == taken[found], "each record is read as it was taken");
    ++found;
  }
  require(!cursor.error() && found == taken.size(), "all of them are");
}

}  // namespace lungo::test
