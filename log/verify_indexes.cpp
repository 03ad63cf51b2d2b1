#include "verify_indexes.hpp"

#include "segment.hpp"

namespace lungo {
namespace {

/// The entries up to the zeros that a broker leaves behind them in a live file.
template <class Entry>
std::vector<Entry> entries_of(const std::optional<Bytes>& bytes, std::string& fault) {
  std::vector<Entry> entries;
  if (!bytes) return entries;
  for (std::size_t at = 0; at + Entry::kBytes <= bytes->size(); at += Entry::kBytes) {
    entries.push_back(Entry::load(bytes->data() + at));
  }
  while (!entries.empty() && entries.back().is_zero()) entries.pop_back();
  for (std::size_t i = 1; i < entries.size() && fault.empty(); ++i) {
    if (entries[i].key() <= entries[i - 1].key()) fault = "entry " + std::to_string(i) + " does not ascend";
  }
  if (fault.empty() && bytes->size() % Entry::kBytes != 0) fault = "it ends inside an entry";
  return entries;
}

std::string no_batch(std::size_t entry) { return "entry " + std::to_string(entry) + " names no batch"; }

}  // namespace

IndexCheck::IndexCheck(Offset base, Files files, std::uint32_t interval)
    : base_(base),
      files_(std::move(files)),
      interval_(interval),
      offsets_(entries_of<OffsetEntry>(files_.offsets, offsets_fault_)),
      times_(entries_of<TimeEntry>(files_.times, times_fault_)) {}

void IndexCheck::add(const BatchHeader& batch, std::uint64_t position) {
  const auto last = static_cast<std::int32_t>(batch.end_offset() - base_ - 1);
  if (batch.records_count > 0) {
    const TimeEntry time{batch.max_timestamp.time_since_epoch().count(), last};
    if (!largest_ || time.timestamp > largest_->timestamp) largest_ = time;
  }
  add_offset(last, position, batch.size_bytes());
  add_time(last, batch.max_timestamp.time_since_epoch().count());
}

void IndexCheck::add_offset(std::int32_t last, std::uint64_t position, std::uint64_t bytes) {
  while (offsets_met_ < offsets_.size() && offsets_[offsets_met_].relative_offset < last) {
    if (offsets_fault_.empty()) offsets_fault_ = no_batch(offsets_met_);
    ++offsets_met_;
  }
  const bool is_there = offsets_met_ < offsets_.size() && offsets_[offsets_met_].relative_offset == last;
  if (is_there) {
    const bool fits = static_cast<std::uint64_t>(offsets_[offsets_met_].position) == position;
    if (!fits && offsets_fault_.empty()) offsets_fault_ = no_batch(offsets_met_);
    ++offsets_met_;
  }
  // Segment::index_batch(): the rule by which entries come.
  const bool is_due = bytes_since_entry_ > interval_;
  if (is_due && !is_there) ++offsets_missing_;
  if (is_due || is_there) bytes_since_entry_ = 0;
  bytes_since_entry_ += bytes;
}

void IndexCheck::add_time(std::int32_t last, std::int64_t time) {
  for (; times_met_ < times_.size() && times_[times_met_].relative_offset <= last; ++times_met_) {
    const TimeEntry& entry = times_[times_met_];
    const bool fits = entry.relative_offset == last && entry.timestamp == time && largest_ && largest_->timestamp == time &&
                      largest_->relative_offset == last;
    if (!fits && times_fault_.empty()) times_fault_ = no_batch(times_met_);
  }
}

std::vector<IndexCheck::Fault> IndexCheck::finish(bool is_whole, bool has_all) const {
  std::string offsets = offsets_fault_;
  std::string times = times_fault_;
  if (is_whole && offsets.empty() && offsets_met_ < offsets_.size()) offsets = no_batch(offsets_met_);
  if (is_whole && times.empty() && times_met_ < times_.size()) times = no_batch(times_met_);
  if (is_whole && has_all) {
    if (offsets.empty() && files_.offsets && offsets_missing_ > 0) {
      offsets = "entries are missing: " + std::to_string(offsets_missing_);
    }
    const bool has_largest = !largest_ || (!times_.empty() && times_.back().timestamp == largest_->timestamp);
    if (times.empty() && files_.times && !has_largest) times = "the largest time is missing";
  }
  std::vector<Fault> faults;
  if (!offsets.empty()) faults.push_back({kIndexSuffix, std::move(offsets)});
  if (!times.empty()) faults.push_back({kTimeIndexSuffix, std::move(times)});
  return faults;
}

}  // namespace lungo
