#include "fingerprint.hpp"

#include <xxhash.h>

#include <lungo/log/text.hpp>
#include <lungo/projections/keys.hpp>

namespace lungo {

struct Fingerprint::State {
  struct Free {
    void operator()(XXH3_state_t* state) const { XXH3_freeState(state); }
  };
  std::unique_ptr<XXH3_state_t, Free> hash{XXH3_createState()};
};

Fingerprint::Fingerprint() : state_(std::make_unique<State>()) { XXH3_128bits_reset(state_->hash.get()); }

Fingerprint::~Fingerprint() = default;

void Fingerprint::add(Cells row) {
  bytes_.clear();
  for (const Cell& cell : row) detail::append_ordered(cell, bytes_);
  XXH3_128bits_update(state_->hash.get(), bytes_.data(), bytes_.size());
}

std::string Fingerprint::text() const {
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest(state_->hash.get()));
  return to_hex(std::as_bytes(std::span{canonical.digest}));
}

}  // namespace lungo
