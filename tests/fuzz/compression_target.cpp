// The codecs: bytes that claim to be compressed, and bytes that are to be.
#include "base/compression.hpp"
#include "tests/fuzz/fuzz_input.hpp"
#include "tests/fuzz/targets.hpp"

namespace lungo::test {
namespace {

void there_and_back(Compression codec, BytesView plain) {
  Bytes compressed;
  require(compress(codec, plain, compressed).has_value(), "everything can be compressed");
  Bytes out;
  const Result<std::size_t> size = decompress(codec, compressed, plain.size(), out);
  require(size && *size == plain.size() && std::ranges::equal(BytesView{out}.first(*size), plain), "and comes back");
}

}  // namespace

void fuzz_compression(BytesView input) {
  FuzzInput fields{input};
  const auto codec = static_cast<Compression>(1 + fields.byte() % 4);
  const std::size_t cap = std::min<std::size_t>(decompressed_bytes_max(fields.rest().size()), 1u << 20);
  Bytes out;
  const Result<std::size_t> size = decompress(codec, fields.rest(), cap, out);
  require(out.size() <= cap, "no more room is made than allowed");
  if (size) {
    require(*size <= out.size(), "what was written has room");
    there_and_back(codec, BytesView{out}.first(*size));
  }
  there_and_back(codec, fields.rest());
}

}  // namespace lungo::test
