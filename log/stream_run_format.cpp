#include "stream_run_format.hpp"

#include <algorithm>

#include "base/byte_order.hpp"
#include "base/byte_reader.hpp"
#include "base/crc32c.hpp"
#include "base/varint.hpp"

namespace lungo::stream_run {
namespace {

constexpr std::uint32_t kMagic = 0x5853474c;  // "LGSX"
constexpr std::uint16_t kVersion = 2;
constexpr std::size_t kFooterCrcAt = kFooterBytes - kCrcBytes;
constexpr std::uint64_t kFilterBitsPerStream = 10;
constexpr int kFilterProbes = 6;
constexpr std::size_t kEntryBytesMin = 4;
constexpr std::size_t kEntryBytesMax = kVarintBytesMax * (4 + kInlineRecordsMax - 1);
constexpr std::uint64_t kBlockEntriesMax = kPageRoom / kEntryBytesMin;

std::uint32_t page_crc(BytesView page, PageKind kind, PageNumber number, const StreamRunOrigin& origin) {
  std::array<std::byte, 32> place{};
  store_little_endian(place.data(), static_cast<std::uint32_t>(kind));
  store_little_endian(place.data() + 4, number);
  store_little_endian(place.data() + 8, origin.begin.value());
  store_little_endian(place.data() + 16, origin.end.value());
  store_little_endian(place.data() + 24, origin.batch_crc);
  store_little_endian(place.data() + 28, origin.epoch.value());
  return crc32c(page.first(kPageRoom), crc32c(place));
}

__extension__ using Wide = unsigned __int128;

// The hash's high bits have chosen the line and are alike in it: all bits are mixed before nine at a time are used.
std::uint64_t mixed(std::uint64_t hash) { return (hash ^ (hash >> 32)) * 0x9e3779b97f4a7c15; }

}  // namespace

void seal_page(Page& page, PageKind kind, PageNumber number, const StreamRunOrigin& origin) {
  store_little_endian(page.data() + kPageRoom, page_crc(page, kind, number, origin));
}

bool page_holds(BytesView page, PageKind kind, PageNumber number, const StreamRunOrigin& origin) {
  return load_little_endian<std::uint32_t>(page.data() + kPageRoom) == page_crc(page, kind, number, origin);
}

bool BlockBuilder::add(const Entry& entry, Offset end) {
  std::array<std::byte, kEntryBytesMax> bytes;
  std::byte* out = bytes.data();
  if (empty()) {
    store_little_endian(out, entry.hash);
    out += sizeof entry.hash;
  } else {
    out = write_varint(out, entry.hash - last_hash_);
  }
  out = write_varint(out, entry.count);
  out = write_varint(out, static_cast<std::uint64_t>(end - entry.head - 1));
  out = write_varint(out, entry.place);
  for (std::size_t i = 0; i < entry.inline_count; ++i) out = write_varint(out, entry.inline_distances[i]);
  if (entry.count > kInlineRecordsMax) {
    out = write_varint(out, entry.posting.at);
    out = write_varint(out, entry.posting.size);
  }
  const auto size = static_cast<std::size_t>(out - bytes.data());
  if (size > kPageRoom - size_) return false;
  if (empty()) first_hash_ = entry.hash;
  std::copy(bytes.data(), out, page_.data() + size_);
  size_ += size;
  last_hash_ = entry.hash;
  return true;
}

void BlockBuilder::clear() {
  page_.fill(std::byte{0});
  size_ = 0;
}

bool BlockReader::fail() {
  ok_ = false;
  rest_ = {};
  return false;
}

bool BlockReader::next(Entry& entry) {
  if (rest_.empty() || !ok_) return false;
  std::uint64_t distance = 0;
  if (last_hash_ == 0) {
    distance = load_little_endian<std::uint64_t>(rest_.data());
    rest_ = rest_.subspan(sizeof distance);
  }
  ByteReader reader{rest_};
  if (last_hash_ != 0) distance = reader.varint();
  if (distance == 0 && reader.ok() && last_hash_ != 0) {
    rest_ = {};
    return false;
  }
  if (distance == 0 || last_hash_ + distance < last_hash_) return fail();
  entry.hash = last_hash_ + distance;
  entry.count = reader.varint();
  const std::uint64_t from_end = reader.varint();
  const std::uint64_t place = reader.varint();
  // The head and what is before it have to find room in the run; so all sums below stay far from overflowing.
  const auto range = static_cast<std::uint64_t>(origin_.end - origin_.begin);
  if (!reader.ok() || entry.count == 0 || from_end >= range || entry.count > range - from_end || place > UINT32_MAX)
    return fail();
  entry.head = origin_.end.plus(-1 - static_cast<std::int64_t>(from_end));
  entry.place = static_cast<std::uint32_t>(place);
  entry.inline_count = entry.count <= kInlineRecordsMax ? static_cast<std::size_t>(entry.count) - 1 : 0;
  for (std::size_t i = 0; i < entry.inline_count; ++i) entry.inline_distances[i] = reader.varint();
  if (entry.count > kInlineRecordsMax) {
    entry.posting.at = reader.varint();
    entry.posting.size = reader.varint();
  }
  if (!reader.ok()) return fail();
  rest_ = reader.rest();
  last_hash_ = entry.hash;
  return true;
}

std::uint64_t filter_lines(std::uint64_t streams) {
  constexpr std::uint64_t kLineBits = kLineBytes * 8;
  return (streams * kFilterBitsPerStream + kLineBits - 1) / kLineBits;
}

std::uint64_t filter_pages(std::uint64_t streams) { return (filter_lines(streams) + kLinesPerPage - 1) / kLinesPerPage; }

std::uint64_t filter_line(std::uint64_t hash, std::uint64_t lines) {
  return static_cast<std::uint64_t>((static_cast<Wide>(hash) * lines) >> 64);
}

void add_to_line(std::byte* line, std::uint64_t hash) {
  std::uint64_t bits = mixed(hash);
  for (int i = 0; i < kFilterProbes; ++i, bits <<= 9) line[bits >> 58] |= std::byte{1} << ((bits >> 55) & 7);
}

bool line_may_hold(const std::byte* line, std::uint64_t hash) {
  std::uint64_t bits = mixed(hash);
  for (int i = 0; i < kFilterProbes; ++i, bits <<= 9) {
    if ((line[bits >> 58] & (std::byte{1} << ((bits >> 55) & 7))) == std::byte{0}) return false;
  }
  return true;
}

std::array<std::byte, kFooterBytes> encode(const Footer& footer) {
  std::array<std::byte, kFooterBytes> bytes{};
  std::byte* const out = bytes.data();
  store_little_endian(out, kMagic);
  store_little_endian(out + 4, kVersion);
  store_little_endian(out + 8, footer.origin.begin.value());
  store_little_endian(out + 16, footer.origin.end.value());
  store_little_endian(out + 24, footer.streams);
  store_little_endian(out + 32, footer.records);
  store_little_endian(out + 40, footer.origin.batch_crc);
  store_little_endian(out + 44, footer.origin.epoch.value());
  store_little_endian(out + 48, footer.pages);
  store_little_endian(out + 52, footer.blocks);
  store_little_endian(out + 56, footer.fence_crc);
  store_little_endian(out + kFooterCrcAt, crc32c(BytesView{bytes}.first(kFooterCrcAt)));
  return bytes;
}

Result<Footer> decode_footer(BytesView bytes, std::uint64_t file_bytes) {
  if (bytes.size() != kFooterBytes || load_little_endian<std::uint32_t>(bytes.data()) != kMagic ||
      load_little_endian<std::uint32_t>(bytes.data() + kFooterCrcAt) != crc32c(bytes.first(kFooterCrcAt))) {
    return Error{Errc::corrupt, "no footer of a stream run"};
  }
  const auto version = load_little_endian<std::uint16_t>(bytes.data() + 4);
  if (version != kVersion) return Error{Errc::newer_format, "has version " + std::to_string(version)};
  Footer footer;
  footer.origin.begin = Offset{load_little_endian<std::int64_t>(bytes.data() + 8)};
  footer.origin.end = Offset{load_little_endian<std::int64_t>(bytes.data() + 16)};
  footer.streams = load_little_endian<std::uint64_t>(bytes.data() + 24);
  footer.records = load_little_endian<std::uint64_t>(bytes.data() + 32);
  footer.origin.batch_crc = load_little_endian<std::uint32_t>(bytes.data() + 40);
  footer.origin.epoch = LeaderEpoch{load_little_endian<std::int32_t>(bytes.data() + 44)};
  footer.pages = load_little_endian<std::uint32_t>(bytes.data() + 48);
  footer.blocks = load_little_endian<std::uint32_t>(bytes.data() + 52);
  footer.fence_crc = load_little_endian<std::uint32_t>(bytes.data() + 56);
  const StreamRunOrigin& origin = footer.origin;
  if (origin.begin < Offset{0} || origin.end < origin.begin ||
      footer.records > static_cast<std::uint64_t>(origin.end - origin.begin) || footer.streams > footer.records) {
    return Error{Errc::corrupt, "range and counts do not fit"};
  }
  // Bounds the streams by 32 bits and a thousand before they are multiplied.
  if (footer.blocks > footer.pages || footer.streams < footer.blocks || footer.streams > footer.blocks * kBlockEntriesMax ||
      footer.file_bytes() != file_bytes) {
    return Error{Errc::corrupt, "size and counts do not fit"};
  }
  return footer;
}

}  // namespace lungo::stream_run
