// How targets take their input apart, and mend the checksums in it. The corpus's maker puts it together (make_corpus.cpp).
#pragma once

#include <algorithm>
#include <cstdio>
#include <string>

#include <lungo/log/record_batch.hpp>
#include <lungo/log/storage.hpp>

#include "base/byte_order.hpp"
#include "base/crc32c.hpp"
#include "batch_layout.hpp"
#include "segment_digest.hpp"

namespace lungo::test {

/// Takes fields off the front; what is missing is zero.
class FuzzInput {
 public:
  explicit FuzzInput(BytesView bytes) : rest_(bytes) {}

  [[nodiscard]] bool empty() const { return rest_.empty(); }
  [[nodiscard]] BytesView rest() const { return rest_; }
  std::uint8_t byte() {
    const BytesView one = take(1);
    return one.empty() ? std::uint8_t{0} : std::to_integer<std::uint8_t>(one[0]);
  }
  BytesView take(std::size_t size) {
    const BytesView taken = rest_.first(std::min(size, rest_.size()));
    rest_ = rest_.subspan(taken.size());
    return taken;
  }
  /// section = kind:u8 size:u16 (little-endian) byte*
  struct Section {
    std::uint8_t kind = 0;
    Bytes bytes;
  };
  Section section() {
    Section section;
    section.kind = byte();
    const std::size_t low = byte();
    const BytesView bytes = take(low + (std::size_t{byte()} << 8));
    section.bytes.assign(bytes.begin(), bytes.end());
    return section;
  }

 private:
  BytesView rest_;
};

/// Gives every batch the CRC of its bytes, as far as batches follow one another.
inline void mend_batches(Bytes& bytes) {
  for (std::size_t at = 0; at < bytes.size();) {
    const Result<BatchHeader> header = parse_batch_header(BytesView{bytes}.subspan(at));
    if (!header || header->size_bytes() > bytes.size() - at) return;
    const BytesView batch = BytesView{bytes}.subspan(at, header->size_bytes());
    store_big_endian(bytes.data() + at + batch_layout::kCrcAt, crc32c(batch.subspan(batch_layout::kCrcCoversFrom)));
    at += header->size_bytes();
  }
}

inline void mend_digest(Bytes& bytes) {
  constexpr std::size_t kCrcAt = kDigestFileBytes - 4;
  if (bytes.size() == kDigestFileBytes) store_little_endian(bytes.data() + kCrcAt, crc32c(BytesView{bytes}.first(kCrcAt)));
}

inline void mend_producer_snapshot(Bytes& bytes) {
  constexpr std::size_t kCrcAt = 2;
  constexpr std::size_t kCrcCoversFrom = 6;
  if (bytes.size() >= kCrcCoversFrom) store_big_endian(bytes.data() + kCrcAt, crc32c(BytesView{bytes}.subspan(kCrcCoversFrom)));
}

/// Adds the last line of a property file.
inline void mend_property_file(Bytes& bytes) {
  char line[32];
  const int size = std::snprintf(line, sizeof line, "crc32c=%08x\n", crc32c(bytes));
  const BytesView added = as_bytes(std::string_view{line, static_cast<std::size_t>(size)});
  bytes.insert(bytes.end(), added.begin(), added.end());
}

inline void put_file(Storage& storage, const std::string& path, BytesView bytes) {
  storage.make_directories(parent_directory(path)).value();
  const std::unique_ptr<File> file = storage.open(path, OpenMode::create).value();
  file->truncate(0).value();
  file->write_at(0, bytes).value();
}

/// Order-dependent, of what a target has read.
class Digest {
 public:
  void add(BytesView bytes) {
    add(bytes.size());
    hash_ = (std::uint64_t{crc32c(bytes, static_cast<std::uint32_t>(hash_))} << 32) ^ (hash_ * 0x9e3779b97f4a7c15);
  }
  void add(std::uint64_t number) { hash_ = (hash_ ^ number) * 0x9e3779b97f4a7c15 + (hash_ >> 29); }
  friend auto operator<=>(const Digest&, const Digest&) = default;

 private:
  std::uint64_t hash_ = 0;
};

inline void add_record(Digest& digest, const RecordView& record) {
  digest.add(static_cast<std::uint64_t>(record.offset.value()));
  digest.add(static_cast<std::uint64_t>(record.timestamp.time_since_epoch().count()));
  digest.add(record.has_key ? 1u : 0u);
  digest.add(record.key);
  digest.add(record.has_value ? 1u : 0u);
  digest.add(record.value);
  digest.add(record.headers);
}

}  // namespace lungo::test
