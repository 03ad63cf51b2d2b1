#include <zlib.h>

#include <lungo/log/check.hpp>

#include "base/codecs.hpp"

namespace lungo::codecs {
namespace {

constexpr int kGzipWindow = 15 + 16;  // zlib: 32 KiB, with gzip's header and no other
constexpr int kMemoryLevel = 8;       // zlib's default

// zlib reads through a pointer to what is not const, unless the whole program is compiled with ZLIB_CONST.
Bytef* input_pointer(BytesView bytes) { return const_cast<Bytef*>(reinterpret_cast<const Bytef*>(bytes.data())); }

Bytef* output_pointer(std::span<std::byte> bytes) { return reinterpret_cast<Bytef*>(bytes.data()); }

}  // namespace

void gzip(BytesView input, Bytes& out, std::optional<int> level) {
  z_stream stream{};
  if (deflateInit2(&stream, level.value_or(Z_DEFAULT_COMPRESSION), Z_DEFLATED, kGzipWindow, kMemoryLevel, Z_DEFAULT_STRATEGY) !=
      Z_OK) {
    throw std::bad_alloc{};
  }
  const Context<z_stream, deflateEnd> ended{&stream};
  const std::size_t begin = out.size();
  out.resize(begin + deflateBound(&stream, static_cast<uLong>(input.size())));
  const std::span<std::byte> room = std::span{out}.subspan(begin);
  stream.next_in = input_pointer(input);
  stream.avail_in = static_cast<uInt>(input.size());
  stream.next_out = output_pointer(room);
  stream.avail_out = static_cast<uInt>(room.size());
  check(deflate(&stream, Z_FINISH) == Z_STREAM_END, "gzip keeps to its own bound");
  out.resize(begin + stream.total_out);
}

Result<void> gunzip(BytesView input, CappedOutput& out) {
  z_stream stream{};
  if (inflateInit2(&stream, kGzipWindow) != Z_OK) throw std::bad_alloc{};
  const Context<z_stream, inflateEnd> ended{&stream};
  stream.next_in = input_pointer(input);
  stream.avail_in = static_cast<uInt>(input.size());
  for (;;) {
    const std::span<std::byte> room = out.some_room();
    stream.next_out = output_pointer(room);
    stream.avail_out = static_cast<uInt>(room.size());
    const int status = inflate(&stream, Z_NO_FLUSH);
    out.used(room.size() - stream.avail_out);
    if (out.overflowed()) return above_cap(Compression::gzip);
    if (status == Z_STREAM_END) {
      if (stream.avail_in == 0) return {};
      inflateReset(&stream);  // another member
    } else if (status == Z_BUF_ERROR) {
      return broken(Compression::gzip, "it ends early");
    } else if (status != Z_OK) {
      return broken(Compression::gzip, stream.msg != nullptr ? stream.msg : "no gzip");
    }
  }
}

}  // namespace lungo::codecs
