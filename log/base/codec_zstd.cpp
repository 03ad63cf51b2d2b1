#include <zstd.h>
#include <zstd_errors.h>

#include <algorithm>

#include <lungo/log/check.hpp>

#include "base/codecs.hpp"

namespace lungo::codecs {
namespace {

constexpr std::size_t kFirstTryBytes = 128u << 10;  // a batch of ours
constexpr std::size_t kUsualRatio = 8;

}  // namespace

void zstd(BytesView input, Bytes& out, std::optional<int> level) {
  const Context<ZSTD_CCtx, ZSTD_freeCCtx> context{ZSTD_createCCtx()};
  const std::size_t begin = out.size();
  out.resize(begin + ZSTD_compressBound(input.size()));
  const std::size_t size = ZSTD_compressCCtx(context.get(), out.data() + begin, out.size() - begin, input.data(), input.size(),
                                             level.value_or(ZSTD_CLEVEL_DEFAULT));
  if (ZSTD_isError(size) != 0) throw std::bad_alloc{};  // the room is enough, so nothing else is left
  out.resize(begin + size);
}

// In one go, into the output itself: a stream would need the window that the frame claims, and Kafka's levels up to 22 make
// frames that claim 128 MiB. How large the output is need not be written in the frame, so a try that was too small is made
// again with four times the room: a third more of work at worst.
Result<void> unzstd(BytesView input, CappedOutput& out) {
  const Context<ZSTD_DCtx, ZSTD_freeDCtx> context{ZSTD_createDCtx()};
  std::size_t wanted = std::max(kFirstTryBytes, kUsualRatio * input.size());
  for (;; wanted *= 4) {
    const std::span<std::byte> room = out.room(wanted);
    const std::size_t size = ZSTD_decompressDCtx(context.get(), room.data(), room.size(), input.data(), input.size());
    if (ZSTD_isError(size) == 0) {
      out.used(size);
      return {};
    }
    if (ZSTD_getErrorCode(size) != ZSTD_error_dstSize_tooSmall) return broken(Compression::zstd, ZSTD_getErrorName(size));
    if (room.size() == out.left()) return above_cap(Compression::zstd);
  }
}

}  // namespace lungo::codecs
