// Which keys a row cache has dropped, about: so that a row which is new to the table is not looked for there.
//
// A Bloom filter in layers, each eight times as large as the one before, since most caches never drop a row and some drop
// millions. At twelve bits per key about one answer in a hundred is "maybe" for a key that was not dropped; past the last
// layer's size that grows.
//   B. H. Bloom: "Space/time trade-offs in hash coding with allowable errors", 1970; blocks of 64 bytes as in F. Putze,
//   P. Sanders, J. Singler: "Cache-, hash- and space-efficient Bloom filters", 2007.
// Threads: the engine's only.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace lungo::detail {

class DroppedKeys {
 public:
  /// `hash` as key_hash() has it.
  void add(std::uint64_t hash) {
    if (layers_.empty() || (layers_.back().keys >= layers_.back().keys_max() && layers_.size() < kLayersMax))
      layers_.push_back({std::vector<Block>(kFirstBlocks << (3 * layers_.size())), 0});
    Layer& layer = layers_.back();
    ++layer.keys;
    Block& block = layer.blocks[layer.block_of(hash)];
    for_each_bit(hash, [&block](std::size_t word, std::uint64_t bit) {
      block[word] |= bit;
      return true;
    });
  }

  /// False: it was never added.
  [[nodiscard]] bool may_have(std::uint64_t hash) const {
    return std::any_of(layers_.begin(), layers_.end(), [hash](const Layer& layer) {
      const Block& block = layer.blocks[layer.block_of(hash)];
      return for_each_bit(hash, [&block](std::size_t word, std::uint64_t bit) { return (block[word] & bit) != 0; });
    });
  }

 private:
  using Block = std::array<std::uint64_t, 8>;  // a cache line
  static constexpr std::size_t kFirstBlocks = 128;
  static constexpr std::size_t kLayersMax = 4;  // 4 MiB, 2.8 million keys
  static constexpr int kBitsPerKey = 12;
  static constexpr int kBitsSet = 5;

  struct Layer {
    std::vector<Block> blocks;
    std::size_t keys;
    [[nodiscard]] std::size_t keys_max() const { return blocks.size() * sizeof(Block) * 8 / kBitsPerKey; }
    // The upper bits choose the block, the others bits within it.
    [[nodiscard]] std::size_t block_of(std::uint64_t hash) const { return (hash >> 46) & (blocks.size() - 1); }
  };

  template <class Visit>
  static bool for_each_bit(std::uint64_t hash, Visit&& visit) {
    bool all = true;
    for (int i = 0; i < kBitsSet && all; ++i, hash >>= 9) all = visit((hash >> 6) & 7, std::uint64_t{1} << (hash & 63));
    return all;
  }

  std::vector<Layer> layers_;
};

}  // namespace lungo::detail
