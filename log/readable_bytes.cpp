#include "readable_bytes.hpp"

#include <algorithm>

namespace lungo {

ReadableBytes read_readable(File& file, std::uint64_t position, std::span<std::byte> out) {
  const Result<std::size_t> all = file.read_at(position, out);
  if (all) return {*all, std::nullopt};
  if (all.error() != Errc::io) return {0, all.error()};
  std::size_t done = 0;
  while (done < out.size()) {
    const std::uint64_t at = position + done;
    const std::size_t wanted = std::min<std::uint64_t>(out.size() - done, block_end(at) - at);
    const Result<std::size_t> read = file.read_at(at, out.subspan(done, wanted));
    if (!read) return {done, read.error()};
    done += *read;
    if (*read < wanted) break;
  }
  return {done, std::nullopt};
}

}  // namespace lungo
