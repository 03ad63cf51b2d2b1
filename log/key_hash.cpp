#include "key_hash.hpp"

#include <xxhash.h>

namespace lungo {

std::uint64_t key_hash(std::string_view key) {
  const std::uint64_t hash = XXH3_128bits(key.data(), key.size()).low64;
  return hash == kNoKeyHash ? 1 : hash;
}

}  // namespace lungo
