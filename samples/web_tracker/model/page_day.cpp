#include "model/page_day.hpp"

#include <algorithm>
#include <array>
#include <cstring>

namespace tracker {
namespace {

using Bytes = std::vector<std::byte>;

constexpr std::size_t kHeadBytes = 2;
constexpr std::size_t kCountBytes = 4;
constexpr std::size_t kHourBytes = 1 + 2 * kCountBytes;
constexpr std::size_t kStatusBytes = 2 + kCountBytes;
constexpr std::size_t kNameMax = 120;
constexpr std::size_t kUsualBytes = 64;  // of a page that was seen once

std::uint32_t load(const std::byte* bytes, std::size_t size) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < size; ++i) value |= std::to_integer<std::uint32_t>(bytes[i]) << (8 * i);
  return value;
}

void store(std::byte* bytes, std::size_t size, std::uint32_t value) {
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>(value >> (8 * i));
}

// A counter that is full stays full.
void add_to(std::byte* counter, std::uint32_t count) {
  const std::uint32_t value = load(counter, kCountBytes);
  store(counter, kCountBytes, value + std::min(count, UINT32_MAX - value));
}

std::byte* insert_zeros(Bytes& bytes, std::size_t at, std::size_t size) {
  bytes.insert(bytes.begin() + static_cast<std::ptrdiff_t>(at), size, std::byte{0});
  return bytes.data() + at;
}

std::size_t count_at(const Bytes& counts, std::size_t index) { return std::to_integer<std::size_t>(counts[index]); }
std::size_t hours_end(const Bytes& counts) { return kHeadBytes + count_at(counts, 0) * kHourBytes; }
std::size_t statuses_end(const Bytes& counts) { return hours_end(counts) + count_at(counts, 1) * kStatusBytes; }

// The entry with `key` of the list in [begin, end), whose number is counts[index]; made when it is not there. From the end, as
// that is where the current hour is. Null when the list is full.
std::byte* entry_of(Bytes& counts, std::size_t index, std::size_t begin, std::size_t end, std::size_t key_bytes,
                    std::size_t entry_bytes, std::uint32_t key) {
  std::size_t at = end;
  for (; at > begin; at -= entry_bytes) {
    std::byte* entry = counts.data() + at - entry_bytes;
    const std::uint32_t other = load(entry, key_bytes);
    if (other == key) return entry;
    if (other < key) break;
  }
  if (count_at(counts, index) == 0xff) return nullptr;
  counts[index] = static_cast<std::byte>(count_at(counts, index) + 1);
  std::byte* entry = insert_zeros(counts, at, entry_bytes);
  store(entry, key_bytes, key);
  return entry;
}

std::string_view text_at(const std::byte* bytes, std::size_t size) { return {reinterpret_cast<const char*>(bytes), size}; }

void begin(Bytes& counts) {
  if (!counts.empty()) return;
  counts.reserve(kUsualBytes);
  counts.resize(kHeadBytes);
}

void add_hour(Bytes& counts, unsigned hour, std::uint32_t hits, std::uint32_t views) {
  if (std::byte* entry = entry_of(counts, 0, kHeadBytes, hours_end(counts), 1, kHourBytes, hour)) {
    add_to(entry + 1, hits);
    add_to(entry + 1 + kCountBytes, views);
  }
}

void add_status(Bytes& counts, std::uint32_t status, std::uint32_t requests) {
  if (std::byte* entry = entry_of(counts, 1, hours_end(counts), statuses_end(counts), 2, kStatusBytes, status))
    add_to(entry + 2, requests);
}

void add_agent(Bytes& counts, std::string_view browser, std::string_view system, Device device, std::uint32_t views) {
  browser = browser.substr(0, kNameMax);
  system = system.substr(0, kNameMax);
  std::array<std::byte, 3 + 2 * kNameMax> key;  // with its length in front
  const std::size_t size = 2 + browser.size() + system.size();
  key[0] = static_cast<std::byte>(size);
  key[1] = static_cast<std::byte>(device);
  std::copy_n(reinterpret_cast<const std::byte*>(browser.data()), browser.size(), key.begin() + 2);
  key[2 + browser.size()] = std::byte{0};
  std::copy_n(reinterpret_cast<const std::byte*>(system.data()), system.size(), key.begin() + 3 + browser.size());

  std::size_t at = statuses_end(counts);
  while (at < counts.size()) {
    const std::size_t other_size = count_at(counts, at);
    const int order = other_size != size ? (other_size < size ? -1 : 1) : std::memcmp(&counts[at + 1], &key[1], size);
    if (order == 0) return add_to(&counts[at + 1 + size], views);
    if (order > 0) break;
    at += 1 + other_size + kCountBytes;
  }
  std::byte* entry = insert_zeros(counts, at, 1 + size + kCountBytes);
  std::copy_n(key.begin(), 1 + size, entry);
  add_to(entry + 1 + size, views);
}

}  // namespace

void add_hit(PageDay& page, unsigned hour, bool is_view, std::optional<std::int32_t> status) {
  ++page.hits;
  page.views += is_view ? 1 : 0;
  begin(page.counts);
  add_hour(page.counts, hour, 1, is_view ? 1 : 0);
  if (status) add_status(page.counts, static_cast<std::uint32_t>(std::clamp(*status, 0, 0xffff)), 1);
}

void add_view(PageDay& page, std::string_view browser, std::string_view system, Device device) {
  add_agent(page.counts, browser, system, device, 1);
}

void add_page(PageDay& into, const PageDay& other) {
  into.hits += other.hits;
  into.views += other.views;
  Bytes& counts = into.counts;
  begin(counts);
  visit_counts(other, {[&counts](auto... hour) { add_hour(counts, hour...); },
                       [&counts](auto... status) { add_status(counts, status...); },
                       [&counts](auto... agent) { add_agent(counts, agent...); }});
}

void visit_counts(const PageDay& page, const PageDayVisitor& visitor) {
  const Bytes& counts = page.counts;
  if (counts.size() < kHeadBytes || counts.size() < statuses_end(counts)) return;
  std::size_t at = kHeadBytes;
  for (; at < hours_end(counts); at += kHourBytes)
    visitor.hour(load(&counts[at], 1), load(&counts[at + 1], kCountBytes), load(&counts[at + 1 + kCountBytes], kCountBytes));
  for (; at < statuses_end(counts); at += kStatusBytes)
    visitor.status(static_cast<std::uint16_t>(load(&counts[at], 2)), load(&counts[at + 2], kCountBytes));
  while (at < counts.size()) {
    const std::size_t size = count_at(counts, at);
    if (size < 2 || at + 1 + size + kCountBytes > counts.size()) return;
    const std::string_view names = text_at(&counts[at + 2], size - 1);
    const std::size_t border = names.find('\0');
    if (border == names.npos) return;
    visitor.agent(names.substr(0, border), names.substr(border + 1), static_cast<Device>(counts[at + 1]),
                  load(&counts[at + 1 + size], kCountBytes));
    at += 1 + size + kCountBytes;
  }
}

}  // namespace tracker
