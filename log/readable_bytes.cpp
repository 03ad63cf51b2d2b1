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

Result<std::size_t> PatchedFile::read_at(std::uint64_t position, std::span<std::byte> out) {
  const std::size_t wanted = position >= size_ ? 0 : std::min<std::uint64_t>(out.size(), size_ - position);
  std::size_t done = 0;
  while (done < wanted) {
    const std::uint64_t at = position + done;
    const auto next = patched_.lower_bound(at / kReadableBlockBytes);
    if (next != patched_.end() && *next == at / kReadableBlockBytes) {
      const std::size_t zeros = std::min<std::uint64_t>(wanted - done, block_end(at) - at);
      std::ranges::fill(out.subspan(done, zeros), std::byte{0});
      done += zeros;
      continue;
    }
    const std::uint64_t good = next == patched_.end() ? size_ - at : *next * kReadableBlockBytes - at;
    const std::size_t piece = std::min<std::uint64_t>(wanted - done, good);
    const ReadableBytes read = read_readable(beneath_, at, out.subspan(done, piece));
    done += read.size;
    if (read.fault && *read.fault != Errc::io) return *read.fault;
    if (read.fault) patched_.insert((position + done) / kReadableBlockBytes);
    if (!read.fault && read.size < piece) break;  // it was cut meanwhile
  }
  return done;
}

std::vector<PatchedFile::Range> PatchedFile::patches() const {
  std::vector<Range> ranges;
  for (const std::uint64_t block : patched_) {
    const std::uint64_t begin = block * kReadableBlockBytes;
    const std::uint64_t bytes = std::min(kReadableBlockBytes, size_ - begin);
    if (!ranges.empty() && ranges.back().position + ranges.back().bytes == begin) {
      ranges.back().bytes += bytes;
    } else {
      ranges.push_back({begin, bytes});
    }
  }
  return ranges;
}

bool PatchedFile::has_patch_in(std::uint64_t position, std::uint64_t bytes) const {
  const auto first = patched_.lower_bound(position / kReadableBlockBytes);
  return bytes > 0 && first != patched_.end() && *first <= (position + bytes - 1) / kReadableBlockBytes;
}

}  // namespace lungo
