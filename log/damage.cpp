#include "damage.hpp"

#include <algorithm>
#include <array>

#include <lungo/log/text.hpp>

#include "base/property_file.hpp"

namespace lungo {
namespace {

constexpr std::string_view kKind = "damage";
constexpr int kMajor = 1;
constexpr std::string_view kRangeKey = "range";
constexpr std::uint64_t kDamageBytesMax = 64u << 20;
constexpr std::string_view kDataSuffix = ".log";

std::string line_of(const DamagedRange& range) {
  return std::to_string(range.from.value()) + " " + std::to_string(range.end.value()) + " " + range.file + " " +
         std::to_string(range.position) + " " + std::to_string(range.bytes);
}

std::optional<DamagedRange> parse_line(std::string_view line) {
  std::array<std::string_view, 5> words;
  for (std::string_view& word : words) {
    const std::size_t end = std::min(line.find(' '), line.size());
    word = line.substr(0, end);
    line.remove_prefix(std::min(end + 1, line.size()));
  }
  const std::optional<std::int64_t> from = parse_number<std::int64_t>(words[0]);
  const std::optional<std::int64_t> end = parse_number<std::int64_t>(words[1]);
  const std::optional<std::uint64_t> position = parse_number<std::uint64_t>(words[3]);
  const std::optional<std::uint64_t> bytes = parse_number<std::uint64_t>(words[4]);
  const std::string_view file = words[2];
  const bool is_file = file.ends_with(kDataSuffix) && file.find('/') == std::string_view::npos;
  if (!line.empty() || !from || !end || !position || !bytes || *from < 0 || *end < *from || !is_file) return std::nullopt;
  return DamagedRange{Offset{*from}, Offset{*end}, std::string(file), *position, *bytes};
}

std::string path_in(const std::string& directory) { return directory + "/" + DamageList::kFileName; }

}  // namespace

DamageList::DamageList(std::vector<DamagedRange> ranges) : ranges_(std::move(ranges)) {
  std::ranges::sort(ranges_, [](const DamagedRange& left, const DamagedRange& right) {
    return std::pair{left.from, left.end} < std::pair{right.from, right.end};
  });
}

// ---- the file ----

Result<DamageList> DamageList::read(Storage& storage, const std::string& directory) {
  const std::string path = path_in(directory);
  const Result<Bytes> bytes = read_file(storage, path, kDamageBytesMax);
  if (!bytes && bytes.error() == Errc::not_found) return DamageList{};
  if (!bytes) return bytes.error();
  const Result<Properties> properties = parse_property_file(kKind, kMajor, path, *bytes);
  if (!properties) return properties.error();
  std::vector<DamagedRange> ranges;
  for (const Property& property : *properties) {
    if (property.key != kRangeKey) continue;
    const std::optional<DamagedRange> range = parse_line(property.value);
    if (!range || (!ranges.empty() && range->from < ranges.back().end)) {
      return Error{Errc::corrupt, path + ": no range, or out of order: " + property.value};
    }
    ranges.push_back(*range);
  }
  return DamageList{std::move(ranges)};
}

Result<void> DamageList::write(Storage& storage, const std::string& directory) const {
  const std::string path = path_in(directory);
  const DamageList proved = this->proved();
  if (proved.empty()) {
    Result<void> removed = storage.remove(path);
    if (!removed) return removed.error() == Errc::not_found ? Result<void>{} : removed;
    return storage.sync_directory(directory);
  }
  Properties properties;
  for (const DamagedRange& range : proved.ranges_) properties.push_back({std::string(kRangeKey), line_of(range)});
  return write_file_atomically(storage, path, as_bytes(format_property_file(kKind, kMajor, properties)));
}

// ---- looking ----

const DamagedRange* DamageList::first_in(Offset begin, Offset end) const {
  const auto found = std::ranges::find_if(ranges_, [&](const DamagedRange& range) {
    return range.from < range.end && range.end > begin && range.from < end && begin < end;
  });
  return found == ranges_.end() ? nullptr : &*found;
}

const DamagedRange* DamageList::last_in(Offset begin, Offset end) const {
  const auto found = std::find_if(ranges_.rbegin(), ranges_.rend(), [&](const DamagedRange& range) {
    return range.from < range.end && range.end > begin && range.from < end && begin < end;
  });
  return found == ranges_.rend() ? nullptr : &*found;
}

const DamagedRange* DamageList::at(std::uint64_t position, Offset expected) const {
  const auto found = std::ranges::find_if(ranges_, [&](const DamagedRange& range) {
    return range.position == position && (range.bytes > 0 || range.end > expected);
  });
  return found == ranges_.end() ? nullptr : &*found;
}

bool DamageList::holds_byte(std::uint64_t position) const {
  return std::ranges::any_of(ranges_, [position](const DamagedRange& range) {
    return range.position <= position && position - range.position < range.bytes;
  });
}

const DamagedRange* DamageList::last_between(std::uint64_t begin, std::uint64_t end) const {
  const auto found = std::find_if(ranges_.rbegin(), ranges_.rend(),
                                  [&](const DamagedRange& range) { return begin <= range.position && range.position < end; });
  return found == ranges_.rend() ? nullptr : &*found;
}

// ---- other lists ----

DamageList DamageList::of_file(std::string_view file) const {
  std::vector<DamagedRange> ranges;
  std::ranges::copy_if(ranges_, std::back_inserter(ranges), [&](const DamagedRange& range) { return range.file == file; });
  return DamageList{std::move(ranges)};
}

DamageList DamageList::without_file(std::string_view file) const {
  std::vector<DamagedRange> ranges;
  std::ranges::copy_if(ranges_, std::back_inserter(ranges), [&](const DamagedRange& range) { return range.file != file; });
  return DamageList{std::move(ranges)};
}

DamageList DamageList::from(Offset start) const {
  std::vector<DamagedRange> ranges;
  std::ranges::copy_if(ranges_, std::back_inserter(ranges), [&](const DamagedRange& range) { return range.end > start; });
  return DamageList{std::move(ranges)};
}

DamageList DamageList::proved() const {
  std::vector<DamagedRange> ranges;
  std::ranges::copy_if(ranges_, std::back_inserter(ranges), [](const DamagedRange& range) { return !range.is_unreadable; });
  return DamageList{std::move(ranges)};
}

DamageList DamageList::below(Offset end) const {
  std::vector<DamagedRange> ranges;
  std::ranges::copy_if(ranges_, std::back_inserter(ranges), [&](const DamagedRange& range) { return range.end <= end; });
  return DamageList{std::move(ranges)};
}

DamageList DamageList::with(const DamagedRange& range) const {
  std::vector<DamagedRange> ranges;
  std::ranges::copy_if(ranges_, std::back_inserter(ranges),
                       [&](const DamagedRange& other) { return other.end <= range.from || other.from >= range.end; });
  ranges.push_back(range);
  return DamageList{std::move(ranges)};
}

// ---- shared ----

std::shared_ptr<const DamageList> KnownDamage::get() const {
  if (!any_.load(std::memory_order_acquire)) return nullptr;
  const std::lock_guard lock(mutex_);
  return list_;
}

void KnownDamage::assign(DamageList list) {
  const std::lock_guard lock(mutex_);
  set(std::move(list));
}

bool KnownDamage::add(const DamagedRange& range) {
  const std::lock_guard lock(mutex_);
  DamageList list = list_ ? list_->with(range) : DamageList{{range}};
  if (list_ && list == *list_) return false;
  list_ = std::make_shared<const DamageList>(std::move(list));
  any_.store(true, std::memory_order_release);
  return true;
}

void KnownDamage::keep(Offset start, Offset end) {
  const std::lock_guard lock(mutex_);
  if (list_ != nullptr) set(list_->from(start).below(end));
}

void KnownDamage::forget(std::string_view file) {
  const std::lock_guard lock(mutex_);
  if (list_ != nullptr) set(list_->without_file(file));
}

void KnownDamage::forget(const DamagedRange& range) {
  const std::lock_guard lock(mutex_);
  if (list_ == nullptr) return;
  std::vector<DamagedRange> kept = list_->ranges();
  std::erase(kept, range);
  set(DamageList{std::move(kept)});
}

void KnownDamage::set(DamageList list) {
  list_ = list.empty() ? nullptr : std::make_shared<const DamageList>(std::move(list));
  any_.store(list_ != nullptr, std::memory_order_release);
}

std::string to_string(const DamagedRange& range) {
  return "offsets [" + std::to_string(range.from.value()) + ", " + std::to_string(range.end.value()) + ") are damaged";
}

Error damaged(std::string_view directory, const DamagedRange& range) {
  return Error{Errc::corrupt,
               std::string(directory) + "/" + range.file + ", byte " + std::to_string(range.position) + ": " +
                   to_string(range) + " (" + std::to_string(range.bytes) +
                   (range.is_unreadable ? " bytes, which the disk does not read)" : " bytes)"),
               range.from};
}

}  // namespace lungo
