// The hash by which streams are indexed: 64 bits of XXH3-128 of the key, on disk in `.streams` files.
//
// A hit is always checked against the key itself, so a collision costs one read and nothing else.
#pragma once

#include <cstdint>
#include <string_view>

namespace lungo {

/// Stands for a record without a key; key_hash() never returns it.
inline constexpr std::uint64_t kNoKeyHash = 0;

/// The low 64 bits of XXH3-128 with seed 0 (github.com/Cyan4973/xxHash); 1 where they are 0.
std::uint64_t key_hash(std::string_view key);

}  // namespace lungo
