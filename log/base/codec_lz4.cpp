#include <lz4frame.h>

#include <lungo/log/check.hpp>

#include "base/byte_order.hpp"
#include "base/codecs.hpp"

namespace lungo::codecs {
namespace {

constexpr std::uint32_t kMagic = 0x184D2204;

LZ4F_dctx* make_context() {
  LZ4F_dctx* context = nullptr;
  return LZ4F_isError(LZ4F_createDecompressionContext(&context, LZ4F_VERSION)) != 0 ? nullptr : context;
}

}  // namespace

void lz4(BytesView input, Bytes& out, std::optional<int> level) {
  LZ4F_preferences_t preferences{};
  preferences.frameInfo.blockSizeID = LZ4F_max64KB;
  preferences.frameInfo.blockMode = LZ4F_blockIndependent;
  preferences.compressionLevel = level.value_or(0);
  const std::size_t begin = out.size();
  out.resize(begin + LZ4F_compressFrameBound(input.size(), &preferences));
  const std::size_t size = LZ4F_compressFrame(out.data() + begin, out.size() - begin, input.data(), input.size(), &preferences);
  if (LZ4F_isError(size) != 0) throw std::bad_alloc{};  // the room is enough, so nothing else is left
  out.resize(begin + size);
}

Result<void> unlz4(BytesView input, CappedOutput& out) {
  // liblz4 would also take a frame to be skipped, of any contents.
  if (input.size() < sizeof kMagic || load_little_endian<std::uint32_t>(input.data()) != kMagic) {
    return broken(Compression::lz4, "no frame");
  }
  const Context<LZ4F_dctx, LZ4F_freeDecompressionContext> context{make_context()};
  for (;;) {
    const std::span<std::byte> room = out.some_room();
    std::size_t written = room.size();
    std::size_t read = input.size();
    const std::size_t status = LZ4F_decompress(context.get(), room.data(), &written, input.data(), &read, nullptr);
    if (LZ4F_isError(status) != 0) return broken(Compression::lz4, LZ4F_getErrorName(status));
    input = input.subspan(read);
    out.used(written);
    if (out.overflowed()) return above_cap(Compression::lz4);
    if (status == 0) break;
    if (read == 0 && written == 0) return broken(Compression::lz4, "it ends early");
  }
  if (!input.empty()) return broken(Compression::lz4, "bytes are left over behind the frame");
  return {};
}

}  // namespace lungo::codecs
