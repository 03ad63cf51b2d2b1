#include "producer_snapshot.hpp"

#include <limits>

#include "base/byte_order.hpp"
#include "base/byte_reader.hpp"
#include "base/crc32c.hpp"

namespace lungo {
namespace {

constexpr std::int16_t kVersion = 1;
constexpr std::size_t kSnapshotCrcAt = 2;
constexpr std::size_t kSnapshotCrcCovers = 6;
constexpr std::int64_t kNoOffset = -1;

template <class T>
void put(Bytes& out, T value) {
  out.resize(out.size() + sizeof(T));
  store_big_endian(out.data() + out.size() - sizeof(T), value);
}

void put_producer(Bytes& out, const Producer& producer) {
  const bool has_batch = producer.batch_count > 0;
  const ProducedBatch last = has_batch ? producer.known().back() : ProducedBatch{.last = Offset{kNoOffset}};
  put(out, producer.id.value());
  put(out, producer.epoch);
  put(out, last.last_sequence);
  put(out, last.last.value());
  put(out, last.offset_delta);
  put(out, std::int64_t{producer.seen.time_since_epoch().count()});
  put(out, producer.coordinator_epoch);
  put(out, producer.transaction ? producer.transaction->value() : kNoOffset);
}

// False when it can't be.
bool take_producer(ByteReader& reader, Offset base, Producer& producer) {
  producer.id = ProducerId{reader.big_endian<std::int64_t>()};
  producer.epoch = reader.big_endian<std::int16_t>();
  ProducedBatch last;
  last.last_sequence = reader.big_endian<std::int32_t>();
  last.last = Offset{reader.big_endian<std::int64_t>()};
  last.offset_delta = reader.big_endian<std::int32_t>();
  producer.seen = Timestamp{std::chrono::milliseconds{reader.big_endian<std::int64_t>()}};
  producer.coordinator_epoch = reader.big_endian<std::int32_t>();
  const auto transaction = reader.big_endian<std::int64_t>();
  if (transaction >= 0) producer.transaction = Offset{transaction};
  if (!reader.ok() || producer.id.value() < 0 || producer.epoch < -1 || transaction < kNoOffset ||
      transaction >= base.value()) {
    return false;
  }
  if (last.last.value() == kNoOffset || last.last_sequence == -1) return true;  // of a transaction's marker, and no batch
  const bool can_be = last.last >= Offset{0} && last.last < base && last.last_sequence >= 0 && last.offset_delta >= 0 &&
                      last.offset_delta <= last.last.value();
  if (can_be) producer.add(last);
  return can_be;
}

}  // namespace

Bytes format_producer_snapshot(std::span<const Producer> producers) {
  Bytes out;
  out.reserve(kSnapshotHeadBytes + producers.size() * kSnapshotEntryBytes);
  put(out, kVersion);
  put(out, std::uint32_t{0});
  put(out, static_cast<std::int32_t>(producers.size()));
  for (const Producer& producer : producers) put_producer(out, producer);
  store_big_endian(out.data() + kSnapshotCrcAt, crc32c(BytesView{out}.subspan(kSnapshotCrcCovers)));
  return out;
}

Result<std::vector<Producer>> parse_producer_snapshot(const std::string& path, Offset base, BytesView bytes) {
  const auto corrupt = [&path](const std::string& what) { return Error{Errc::corrupt, path + " " + what}; };
  ByteReader reader{bytes};
  const auto version = reader.big_endian<std::int16_t>();
  const auto crc = reader.big_endian<std::uint32_t>();
  const auto count = reader.big_endian<std::int32_t>();
  if (!reader.ok()) return corrupt("is no snapshot of producers");
  if (version != kVersion) return corrupt("has version " + std::to_string(version) + ", expected 1");
  if (crc32c(bytes.subspan(kSnapshotCrcCovers)) != crc) return corrupt("fails its CRC");
  if (count < 0 || reader.remaining() % kSnapshotEntryBytes != 0 ||
      reader.remaining() / kSnapshotEntryBytes != static_cast<std::size_t>(count)) {
    return corrupt("does not have the " + std::to_string(count) + " producers that it claims");
  }
  std::vector<Producer> producers(static_cast<std::size_t>(count));
  for (Producer& producer : producers) {
    if (!take_producer(reader, base, producer)) return corrupt("has a producer that can't be");
  }
  return producers;
}

}  // namespace lungo
