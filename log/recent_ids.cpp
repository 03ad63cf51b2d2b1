#include "recent_ids.hpp"

#include "key_hash.hpp"

namespace lungo {
namespace {

constexpr std::size_t kChains = 16'384;

std::uint64_t hash_of(std::optional<std::string_view> key, std::string_view id) {
  constexpr std::uint64_t kMultiplier = 0x9e3779b97f4a7c15;  // odd, so that no bit of the key's hash is lost
  return key_hash(id) + kMultiplier * (key ? key_hash(*key) : kNoKeyHash);
}

std::size_t chain_of(std::uint64_t hash) { return hash % kChains; }

}  // namespace

RecentIds::RecentIds() : chains_(kChains, kNone) { ring_.reserve(kRecords); }

void RecentIds::unlink(std::uint32_t index) {
  std::uint32_t* link = &chains_[chain_of(ring_[index].hash)];
  while (*link != index) link = &ring_[*link].next;
  *link = ring_[index].next;
}

void RecentIds::add(std::optional<std::string_view> key, std::string_view id, Offset offset) {
  const std::uint64_t hash = hash_of(key, id);
  const auto index = static_cast<std::uint32_t>(next_);
  if (ring_.size() < kRecords) {
    ring_.emplace_back();
  } else {
    unlink(index);
  }
  std::uint32_t& chain = chains_[chain_of(hash)];
  ring_[index] = {.hash = hash, .offset = offset, .next = chain};
  chain = index;
  next_ = (next_ + 1) % kRecords;
}

void RecentIds::add_all(const EncodedRecords& records, Offset first) {
  for (std::size_t i = 0; i < records.count(); ++i) {
    if (const std::optional<std::string_view> id = records.id(i))
      add(records.key(i), *id, first.plus(static_cast<std::int64_t>(i)));
  }
}

std::optional<Offset> RecentIds::find(std::optional<std::string_view> key, std::string_view id, Offset begin,
                                      const std::function<bool(Offset)>& is_it) const {
  const std::uint64_t hash = hash_of(key, id);
  for (std::uint32_t index = chains_[chain_of(hash)]; index != kNone; index = ring_[index].next) {
    const Entry& entry = ring_[index];
    if (entry.hash == hash && entry.offset >= begin && is_it(entry.offset)) return entry.offset;
  }
  return std::nullopt;
}

}  // namespace lungo
