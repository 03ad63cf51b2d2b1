// The bytes of a simulated file: copied by reference, so that ten thousand disks that differ in a few bytes cost little.
//
// Pieces of 4 KiB are shared between copies until one of them is written to; each remembers its hash.
// Threads: one at a time for all copies of the same bytes.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include <lungo/log/bytes.hpp>

namespace lungo::test {

class SimBytes {
 public:
  static constexpr std::uint64_t kPieceBytes = 4096;

  [[nodiscard]] std::uint64_t size() const { return size_; }
  /// Copies what there is of [at, at + out.size()); returns how much that is.
  std::size_t read(std::uint64_t at, std::span<std::byte> out) const;
  /// Grows as needed; what lies between the old end and `at` is zeros.
  void write(std::uint64_t at, BytesView bytes);
  /// Cuts, or adds zeros.
  void resize(std::uint64_t size);
  [[nodiscard]] std::size_t hash() const;

 private:
  struct Piece {
    Bytes bytes;
    std::optional<std::size_t> hash;
  };

  Piece& own(std::size_t index);

  std::vector<std::shared_ptr<Piece>> pieces_;  // all full but the last
  std::uint64_t size_ = 0;
};

}  // namespace lungo::test
