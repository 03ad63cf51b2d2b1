#include <lungo/projections/key_order.hpp>

#include <algorithm>
#include <string_view>

namespace lungo::detail {
namespace {

constexpr std::size_t kHeadBytes = sizeof(std::uint64_t);

// What is missing counts as zero; a key that ends there is compared whole.
std::uint64_t head_of(std::string_view bytes) {
  std::uint64_t head = 0;
  for (std::size_t i = 0; i < kHeadBytes; ++i)
    head = head << 8 | (i < bytes.size() ? static_cast<unsigned char>(bytes[i]) : 0u);
  return head;
}

}  // namespace

void KeyOrder::clear() {
  bytes_.clear();
  entries_.clear();
}

void KeyOrder::sort() {
  if (entries_.empty()) return;
  const auto key = [bytes = std::string_view{bytes_}](const Entry& entry) { return bytes.substr(entry.begin, entry.size); };
  std::string_view common = key(entries_.front());
  for (const Entry& entry : entries_) {
    const std::string_view other = key(entry);
    const auto [end, ignored] = std::mismatch(common.begin(), common.end(), other.begin(), other.end());
    common = common.substr(0, static_cast<std::size_t>(end - common.begin()));
  }
  for (Entry& entry : entries_) entry.head = head_of(key(entry).substr(common.size()));
  std::sort(entries_.begin(), entries_.end(), [&key, past = common.size()](const Entry& a, const Entry& b) {
    return a.head != b.head ? a.head < b.head : key(a).substr(past) < key(b).substr(past);
  });
}

}  // namespace lungo::detail
