// Snapshots of producers: what is accepted can be, is written and read again as it is, and answers whatever is asked of it.
//
//   input = base:u8 asked:u8 snapshot        the CRC is mended unless the lowest bit of `asked` is set
#include <algorithm>

#include "producer_snapshot.hpp"
#include "tests/fuzz/fuzz_input.hpp"
#include "tests/fuzz/targets.hpp"

namespace lungo::test {
namespace {

constexpr std::chrono::milliseconds kExpiry{1000};
constexpr std::size_t kProducersMax = 16;

void require_can_be(const Producer& producer, Offset base) {
  require(producer.id.value() >= 0 && producer.epoch >= -1 && producer.batch_count <= 1, "a producer can be");
  require(!producer.transaction || (*producer.transaction >= Offset{0} && *producer.transaction < base),
          "a transaction is open below");
  for (const ProducedBatch& batch : producer.known()) {
    require(batch.first() >= Offset{0} && batch.first() <= batch.last && batch.last < base, "a batch lies in the log");
    require(sequence_after(batch.first_sequence(), batch.offset_delta) == batch.last_sequence, "and has as many sequences");
  }
}

/// A batch of that producer, the one behind the last that is known or another one.
BatchHeader batch_of(const Producer& producer, Offset base, std::uint8_t asked) {
  BatchHeader header{};
  header.base_offset = base;
  header.producer = producer.id;
  header.producer_epoch = static_cast<std::int16_t>(producer.epoch + (asked & 2) / 2);
  const std::int32_t last = producer.batch_count > 0 ? producer.known().back().last_sequence : -1;
  header.base_sequence = sequence_after(std::max(last, 0), asked >> 4);
  header.last_offset_delta = asked >> 2 & 3;
  header.records_count = header.last_offset_delta + 1;
  return header;
}

void use(const std::vector<Producer>& producers, Offset base, std::uint8_t asked) {
  ProducerState state{kExpiry, kProducersMax};
  const Timestamp latest = Timestamp::max() - 2 * kExpiry;  // a wall clock comes no further
  const Timestamp now = producers.empty() ? Timestamp{} : std::min(producers.front().seen, latest);
  for (const Producer& producer : producers) state.add(producer, now);
  for (const Producer& producer : producers) {
    const BatchHeader batch = batch_of(producer, base, asked);
    const Result<std::optional<ProducedBatch>> answer = state.check(batch, now);
    require(answer || answer.error() == Errc::out_of_sequence || answer.error() == Errc::producer_fenced, "a batch is judged");
    if (!answer || *answer) continue;
    state.note(batch, now);
    const Result<std::optional<ProducedBatch>> again = state.check(batch, now);
    require(again && *again && (*again)->first() == base, "what was written is a duplicate");
  }
  const std::vector<Producer> known = state.producers();
  require(known.size() <= kProducersMax, "so many are kept and no more");
  require(std::ranges::adjacent_find(known, std::ranges::greater_equal{}, &Producer::id) == known.end(), "each once, in order");
  state.expire(now + 2 * kExpiry);
}

}  // namespace

void fuzz_producer_snapshot(BytesView input) {
  FuzzInput fields{input};
  const Offset base{fields.byte()};
  const std::uint8_t asked = fields.byte();
  Bytes bytes(fields.rest().begin(), fields.rest().end());
  constexpr std::size_t kCrcAt = 2;
  constexpr std::size_t kCrcCoversFrom = 6;
  if ((asked & 1) == 0 && bytes.size() > kCrcCoversFrom) {
    store_big_endian(bytes.data() + kCrcAt, crc32c(BytesView{bytes}.subspan(kCrcCoversFrom)));
  }
  const Result<std::vector<Producer>> producers = parse_producer_snapshot("file", base, bytes);
  if (!producers) return;
  for (const Producer& producer : *producers) require_can_be(producer, base);
  const Result<std::vector<Producer>> again = parse_producer_snapshot("file", base, format_producer_snapshot(*producers));
  require(again && *again == *producers, "a snapshot is written as it was read");
  use(*producers, base, asked);
}

}  // namespace lungo::test
