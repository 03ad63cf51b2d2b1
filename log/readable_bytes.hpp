// Reading a file of which the disk can't read every sector.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include <lungo/log/storage.hpp>

namespace lungo {

/// What is read at once where a larger read has failed: the system's cache knows no smaller piece.
inline constexpr std::uint64_t kReadableBlockBytes = 4u << 10;

/// Where the block ends that holds this byte.
constexpr std::uint64_t block_end(std::uint64_t position) { return (position / kReadableBlockBytes + 1) * kReadableBlockBytes; }

struct ReadableBytes {
  std::size_t size = 0;
  std::optional<Error> fault;  // why no more of them; nothing at the end of the file
};

/// As File::read_at(); where that answers `io` what lies in front of the first block that can't be read, each of which is tried
/// once more.
ReadableBytes read_readable(File& file, std::uint64_t position, std::span<std::byte> out);

}  // namespace lungo
