#include <lungo/projections/keys.hpp>

#include <xxhash.h>

namespace lungo::detail {

std::uint64_t text_hash(std::string_view text) { return XXH3_64bits(text.data(), text.size()); }

}  // namespace lungo::detail
