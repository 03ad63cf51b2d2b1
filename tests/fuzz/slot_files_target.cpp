// Small binary files that check themselves: the tail page and the synced mark, whose slots do, and the digest of a segment.
#include "segment_digest.hpp"
#include "synced_mark.hpp"
#include "tail_page.hpp"
#include "tests/fuzz/fuzz_input.hpp"
#include "tests/fuzz/targets.hpp"
#include "tests/support/sim_disk.hpp"

namespace lungo::test {
namespace {

void tail_page(SimDisk& disk) {
  const Result<TailState> state = read_tail(disk, "dir/file");
  if (!state) return;
  const LeaderEpoch incarnation = state->incarnation.value_or(LeaderEpoch{1});
  const auto writer = TailWriter::open(disk, "dir/file", incarnation, state->places).value();
  writer->publish_changes(5);
  const TailState again = read_tail(disk, "dir/file").value();
  require(again.places == state->places && again.incarnation == incarnation && again.changes == 5 && !again.in_order,
          "a tail page is written as it was read");
  writer->extend_to(again.places.size() + 1).value();
  writer->publish(again.places.size(), Offset{9});
  require(read_tail(disk, "dir/file").value().places.back().end == Offset{9}, "and grows");
}

void synced_mark(SimDisk& disk) {
  const Result<std::optional<Offset>> mark = SyncedMark::read(disk, "dir");
  if (!mark) return;
  const Offset end = std::max(mark->value_or(Offset{3}), Offset{0});  // as recovery takes it: below zero is no bound at all
  const auto writer = SyncedMark::open(disk, "dir", end).value();
  require(SyncedMark::read(disk, "dir").value() == end, "a mark is written as it was read");
}

void digest(SimDisk& disk, BytesView bytes) {
  const Result<SegmentDigest> digest = parse_digest("file", bytes);
  if (!digest) return;
  const Result<SegmentDigest> again = parse_digest("file", format_digest(*digest));
  require(again && *again == *digest && difference(*digest, *again).empty(), "a digest is written as it was read");
  SegmentDigest other = *digest;
  other.hash[0] ^= std::byte{1};
  require(!difference(*digest, other).empty(), "and tells another one");
  if (digest->base < Offset{0}) return;
  disk.make_directories("dir").value();
  write_digest(disk, "dir", *digest).value();
  require(read_digest(disk, "dir", digest->base).value() == *digest, "and is found beside its segment");
}

}  // namespace

void fuzz_slot_files(BytesView input) {
  FuzzInput fields{input};
  const int kind = fields.byte() % 3;
  Bytes bytes(fields.rest().begin(), fields.rest().end());
  SimDisk disk;
  if (kind == 2) {
    mend_digest(bytes);
    digest(disk, bytes);
  } else if (kind == 1) {
    constexpr std::size_t kSlotBytes = 28;
    for (const std::size_t at : {std::size_t{0}, std::size_t{4096}}) {
      if (bytes.size() < at + kSlotBytes) continue;
      store_little_endian(bytes.data() + at + kSlotBytes - 4, crc32c(BytesView{bytes}.subspan(at, kSlotBytes - 4)));
    }
    put_file(disk, std::string("dir/") + SyncedMark::kFileName, bytes);
    synced_mark(disk);
  } else {
    for (std::size_t at = 16; at + 16 <= bytes.size(); at += 16) {
      const auto value = load_little_endian<std::uint64_t>(bytes.data() + at);
      // One bit of what would be the complement says whether the slot is to be whole.
      if (std::to_integer<int>(bytes[at + 15]) % 2 == 0) store_little_endian(bytes.data() + at + 8, ~value);
    }
    put_file(disk, "dir/file", bytes);
    tail_page(disk);
  }
}

}  // namespace lungo::test
