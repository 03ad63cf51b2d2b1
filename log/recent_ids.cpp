#include "recent_ids.hpp"

#include "key_hash.hpp"

namespace lungo {
namespace {

constexpr std::size_t kChains = 16'384;

std::size_t chain_of(std::uint64_t hash) { return hash % kChains; }

}  // namespace

RecentIds::RecentIds() : chains_(kChains, kNone) { ring_.reserve(kRecords); }

void RecentIds::unlink(std::uint32_t index) {
  std::uint32_t* link = &chains_[chain_of(ring_[index].hash)];
  while (*link != index) link = &ring_[*link].next;
  *link = ring_[index].next;
}

void RecentIds::add(std::string_view id, Offset offset) {
  const std::uint64_t hash = key_hash(id);
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
    if (const std::optional<std::string_view> id = records.id(i)) add(*id, first.plus(static_cast<std::int64_t>(i)));
  }
}

std::optional<Offset> RecentIds::find(std::string_view id, Offset begin, const std::function<bool(Offset)>& is_it) const {
  const std::uint64_t hash = key_hash(id);
  for (std::uint32_t index = chains_[chain_of(hash)]; index != kNone; index = ring_[index].next) {
    const Entry& entry = ring_[index];
    if (entry.hash == hash && entry.offset >= begin && is_it(entry.offset)) return entry.offset;
  }
  return std::nullopt;
}

}  // namespace lungo
