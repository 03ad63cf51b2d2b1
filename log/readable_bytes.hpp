// Reading a file of which the disk can't read every sector.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <span>
#include <vector>

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

/// A file of `size` bytes with zeros for the blocks that can't be read, none of which is tried again. For reading only;
/// `beneath` outlives it. Threads: one at a time.
class PatchedFile final : public File {
 public:
  struct Range {
    std::uint64_t position;
    std::uint64_t bytes;
  };

  PatchedFile(File& beneath, std::uint64_t size) : beneath_(beneath), size_(size) {}

  Result<std::size_t> read_at(std::uint64_t position, std::span<std::byte> out) override;
  Result<std::uint64_t> size() override { return size_; }
  Result<void> write_at(std::uint64_t, BytesView) override { return for_reading(); }
  Result<void> sync() override { return for_reading(); }
  Result<void> truncate(std::uint64_t) override { return for_reading(); }
  Result<void> preallocate(std::uint64_t, std::uint64_t) override { return for_reading(); }

  /// What was patched so far, ascending.
  [[nodiscard]] std::vector<Range> patches() const;
  /// Whether some of it is in [position, position + bytes).
  [[nodiscard]] bool has_patch_in(std::uint64_t position, std::uint64_t bytes) const;

 private:
  static Error for_reading() { return Error{Errc::unsupported, "the file is open for reading only"}; }

  File& beneath_;
  const std::uint64_t size_;
  std::set<std::uint64_t> patched_;  // numbers of blocks
};

}  // namespace lungo
