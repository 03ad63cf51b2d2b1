#include "copy_compare.hpp"

#include <xxhash.h>

#include <algorithm>

namespace lungo {

namespace {

std::uint64_t hash_of(BytesView bytes, std::uint64_t seed) { return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed); }

}  // namespace

bool is_same_record(const RecordView& left, const RecordView& right, bool with_times) {
  return left.has_key == right.has_key && left.has_value == right.has_value && left.header_count == right.header_count &&
         (!with_times || left.timestamp == right.timestamp) && std::ranges::equal(left.key, right.key) &&
         std::ranges::equal(left.value, right.value) && std::ranges::equal(left.headers, right.headers);
}

void LastRecords::take(const RecordView& record) {
  std::string key(as_text(record.key));
  if (!record.has_value) {
    hashes_.erase(key);
    return;
  }
  const std::uint64_t time = with_times_ ? static_cast<std::uint64_t>(record.timestamp.time_since_epoch().count()) : 0;
  hashes_[std::move(key)] = hash_of(record.headers, hash_of(record.value, time));
}

std::optional<std::string> LastRecords::missing(const LastRecords& other) const {
  for (const auto& [key, hash] : hashes_) {
    const auto found = other.hashes_.find(key);
    if (found == other.hashes_.end() || found->second != hash) return key;
  }
  return std::nullopt;
}

std::optional<std::string> LastRecords::difference(const LastRecords& other) const {
  if (std::optional<std::string> key = missing(other)) return key;
  if (hashes_.size() == other.hashes_.size()) return std::nullopt;
  const auto extra = std::ranges::find_if(other.hashes_, [this](const auto& entry) { return !hashes_.contains(entry.first); });
  return extra->first;
}

}  // namespace lungo
