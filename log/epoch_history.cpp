#include "epoch_history.hpp"

#include <algorithm>
#include <limits>

#include <lungo/log/text.hpp>

namespace lungo {
namespace {

constexpr int kVersion = 0;

// Takes the next whitespace-separated number off `text`.
template <class T>
std::optional<T> take_word(std::string_view& text) {
  text.remove_prefix(std::min(text.size(), text.find_first_not_of(" \n\r")));
  return take_number<T>(text);
}

Error malformed(const char* what) { return Error{Errc::corrupt, std::string("leader-epoch-checkpoint: ") + what}; }

// First entry whose start lies above `offset`.
std::vector<EpochStart>::const_iterator first_above(const std::vector<EpochStart>& entries, Offset offset) {
  return std::upper_bound(entries.begin(), entries.end(), offset,
                          [](Offset asked, const EpochStart& entry) { return asked < entry.start; });
}

}  // namespace

Result<std::vector<EpochStart>> EpochHistory::parse(std::string_view text) {
  const std::optional<int> version = take_word<int>(text);
  if (!version) return malformed("no version");
  if (*version != kVersion) {
    return Error{Errc::newer_format,
                 "leader-epoch-checkpoint has version " + std::to_string(*version) + ", this build reads 0"};
  }
  const std::optional<std::size_t> count = take_word<std::size_t>(text);
  if (!count) return malformed("no number of entries");
  std::vector<EpochStart> entries;
  for (std::size_t i = 0; i < *count; ++i) {
    const std::optional<std::int32_t> epoch = take_word<std::int32_t>(text);
    const std::optional<std::int64_t> start = take_word<std::int64_t>(text);
    if (!epoch || !start || *epoch < 0 || *start < 0) return malformed("an entry is missing or malformed");
    const EpochStart entry{LeaderEpoch{*epoch}, Offset{*start}};
    if (!entries.empty() && (entry.epoch <= entries.back().epoch || entry.start < entries.back().start)) {
      return malformed("entries are out of order");
    }
    entries.push_back(entry);
  }
  return entries;
}

std::string EpochHistory::to_text(const std::vector<EpochStart>& entries) {
  std::string text = std::to_string(kVersion) + "\n" + std::to_string(entries.size()) + "\n";
  for (const EpochStart& entry : entries) {
    text += std::to_string(entry.epoch.value()) + " " + std::to_string(entry.start.value()) + "\n";
  }
  return text;
}

void EpochHistory::assign(std::vector<EpochStart> entries) {
  const std::lock_guard lock(mutex_);
  entries_ = std::move(entries);
}

void EpochHistory::replace(Offset begin, Offset end, std::vector<EpochStart> entries) {
  const std::lock_guard lock(mutex_);
  const auto from_begin = std::ranges::lower_bound(entries_, begin, {}, &EpochStart::start);
  const std::optional<EpochStart> in_front =
      from_begin == entries_.begin() ? std::nullopt : std::optional{*std::prev(from_begin)};
  if (in_front && (entries.empty() || in_front->epoch < entries.front().epoch)) {
    entries.insert(entries.begin(), *in_front);
  } else if (in_front && in_front->epoch == entries.front().epoch) {
    entries.front() = *in_front;
  }
  const auto is_later = [&](const EpochStart& entry) {
    return entry.start >= end && (entries.empty() || entry.epoch > entries.back().epoch);
  };
  std::ranges::copy_if(entries_, std::back_inserter(entries), is_later);
  entries_ = std::move(entries);
  changed_ = true;
}

void EpochHistory::note(LeaderEpoch epoch, Offset offset) {
  const std::lock_guard lock(mutex_);
  if (epoch == kNoEpoch || (!entries_.empty() && epoch <= entries_.back().epoch)) return;
  entries_.push_back({epoch, offset});
  changed_ = true;
}

void EpochHistory::trim_to(Offset end) {
  const std::lock_guard lock(mutex_);
  while (!entries_.empty() && entries_.back().start >= end) {
    entries_.pop_back();
    changed_ = true;
  }
}

void EpochHistory::trim_front(Offset begin) {
  const std::lock_guard lock(mutex_);
  auto kept = entries_.begin();
  while (entries_.end() - kept > 1 && std::next(kept)->start < begin) ++kept;
  changed_ = changed_ || kept != entries_.begin();
  entries_.erase(entries_.begin(), kept);
}

std::vector<EpochStart> EpochHistory::entries() const {
  const std::lock_guard lock(mutex_);
  return entries_;
}

LeaderEpoch EpochHistory::last() const {
  const std::lock_guard lock(mutex_);
  return entries_.empty() ? kNoEpoch : entries_.back().epoch;
}

EpochSpan EpochHistory::span_at(Offset offset) const {
  const std::lock_guard lock(mutex_);
  const auto above = first_above(entries_, offset);
  return {.epoch = above == entries_.begin() ? kNoEpoch : std::prev(above)->epoch,
          .end = above == entries_.end() ? Offset{std::numeric_limits<std::int64_t>::max()} : above->start};
}

std::optional<Offset> EpochHistory::end_of(LeaderEpoch epoch, Offset log_end) const {
  const std::lock_guard lock(mutex_);
  const auto found = std::find_if(entries_.begin(), entries_.end(), [epoch](const EpochStart& e) { return e.epoch == epoch; });
  if (found == entries_.end()) return std::nullopt;
  return std::next(found) == entries_.end() ? log_end : std::next(found)->start;
}

bool EpochHistory::take_changed() {
  const std::lock_guard lock(mutex_);
  return std::exchange(changed_, false);
}

void EpochHistory::keep_changed() {
  const std::lock_guard lock(mutex_);
  changed_ = true;
}

}  // namespace lungo
