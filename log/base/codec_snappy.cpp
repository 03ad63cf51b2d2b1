#include <snappy-c.h>

#include <algorithm>
#include <array>

#include <lungo/log/check.hpp>

#include "base/byte_order.hpp"
#include "base/byte_reader.hpp"
#include "base/codecs.hpp"

namespace lungo::codecs {
namespace {

// xerial's header: the magic, and two versions, both 1.
constexpr std::array<std::uint8_t, 16> kHeader = {0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0, 0, 0, 0, 1, 0, 0, 0, 1};
constexpr std::size_t kMagicBytes = 8;
constexpr std::size_t kBlockBytes = 32u << 10;  // xerial's own
constexpr std::size_t kLengthBytes = 4;

BytesView header() { return std::as_bytes(std::span{kHeader}); }

const char* chars(BytesView bytes) { return reinterpret_cast<const char*>(bytes.data()); }

Result<void> decode_block(BytesView block, CappedOutput& out) {
  std::size_t size = 0;
  if (snappy_uncompressed_length(chars(block), block.size(), &size) != SNAPPY_OK) {
    return broken(Compression::snappy, "a block without a length");
  }
  if (size > out.left()) return above_cap(Compression::snappy);
  char* const to = reinterpret_cast<char*>(out.room(size).data());
  if (snappy_uncompress(chars(block), block.size(), to, &size) != SNAPPY_OK) {
    return broken(Compression::snappy, "a malformed block");
  }
  out.used(size);
  return {};
}

}  // namespace

void snappy(BytesView input, Bytes& out) {
  out.insert(out.end(), header().begin(), header().end());
  while (!input.empty()) {
    const BytesView block = input.first(std::min(kBlockBytes, input.size()));
    input = input.subspan(block.size());
    const std::size_t begin = out.size();
    std::size_t size = snappy_max_compressed_length(block.size());
    out.resize(begin + kLengthBytes + size);
    char* const to = reinterpret_cast<char*>(out.data() + begin + kLengthBytes);
    check(snappy_compress(chars(block), block.size(), to, &size) == SNAPPY_OK, "snappy keeps to its own bound");
    store_big_endian(out.data() + begin, static_cast<std::int32_t>(size));
    out.resize(begin + kLengthBytes + size);
  }
}

Result<void> unsnappy(BytesView input, CappedOutput& out) {
  const BytesView magic = header().first(kMagicBytes);
  if (input.size() < kHeader.size() || !std::ranges::equal(input.first(kMagicBytes), magic)) return decode_block(input, out);
  ByteReader reader{input.subspan(kMagicBytes)};
  reader.big_endian<std::int32_t>();  // the writer's version
  if (reader.big_endian<std::int32_t>() > 1) return broken(Compression::snappy, "xerial's framing is of a newer version");
  while (reader.remaining() > 0) {
    const auto size = reader.big_endian<std::int32_t>();
    const BytesView block = size > 0 ? reader.bytes(static_cast<std::size_t>(size)) : BytesView{};
    if (!reader.ok() || block.empty()) return broken(Compression::snappy, "a block is cut off");
    if (Result<void> decoded = decode_block(block, out); !decoded) return decoded;
  }
  return {};
}

}  // namespace lungo::codecs
