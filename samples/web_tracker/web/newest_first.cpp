#include "web/newest_first.hpp"

#include <algorithm>
#include <cstdint>

namespace tracker {

using lungo::Offset;
using lungo::Result;

namespace {

constexpr std::size_t kReadBytes = 256u << 10;

// Half of what may be looked at: the rest is for partitions that turn out to have most of the newest.
std::int64_t window_of(std::size_t partitions, std::size_t records) {
  const std::size_t share = kRecordsLookedAtMax / 2 / std::max<std::size_t>(partitions, 1);
  return static_cast<std::int64_t>(std::max<std::size_t>(1, std::min(records, share)));
}

}  // namespace

NewestFirst::NewestFirst(lungo::EventLog& log, std::string topic, const std::vector<OffsetRange>& ranges, std::size_t records)
    : log_(log), topic_(std::move(topic)), partitions_(ranges.size()), window_max_(window_of(ranges.size(), records)) {
  for (std::size_t index = 0; index < ranges.size(); ++index) {
    partitions_[index].left = ranges[index];
    partitions_[index].window = window_max_;
  }
}

Result<std::optional<FoundRecord>> NewestFirst::newest() {
  newest_.reset();
  for (std::size_t index = 0; index < partitions_.size(); ++index) {
    if (Result<void> loaded = load(index); !loaded) return loaded.error();
    const Partition& partition = partitions_[index];
    if (partition.records.empty()) continue;
    // Of equal times the later partition's goes first.
    if (!newest_ || partition.records.back().timestamp >= partitions_[*newest_].records.back().timestamp) newest_ = index;
  }
  if (!newest_) return std::optional<FoundRecord>{};
  const lungo::PartitionId partition{static_cast<std::int32_t>(*newest_)};
  return std::optional{FoundRecord{partition, partitions_[*newest_].records.back()}};
}

void NewestFirst::take() {
  if (!newest_) return;
  Partition& partition = partitions_[*newest_];
  partition.left.below = partition.records.back().offset;
  partition.records.pop_back();
}

std::vector<Offset> NewestFirst::places() const {
  std::vector<Offset> places;
  for (const Partition& partition : partitions_) places.push_back(partition.left.below);
  return places;
}

bool NewestFirst::is_at_beginning() const {
  return std::ranges::all_of(partitions_, [](const Partition& one) { return one.left.below <= one.left.start; });
}

// Fills an empty window of a partition that has more.
Result<void> NewestFirst::load(std::size_t index) {
  Partition& partition = partitions_[index];
  OffsetRange& left = partition.left;
  const lungo::TopicPartition name{topic_, lungo::PartitionId{static_cast<std::int32_t>(index)}};
  while (partition.records.empty() && left.below > left.start) {
    if (records_left_ == 0 || bytes_left_ == 0) {
      in_order_ = false;
      return {};
    }
    const std::int64_t wanted = std::min({partition.window, left.below - left.start, static_cast<std::int64_t>(records_left_)});
    const Offset from = left.below.plus(-wanted);
    Result<lungo::Fetched> chunk = log_.read(name, from, kReadBytes);
    if (!chunk) return chunk.error();
    bytes_left_ -= std::min(bytes_left_, chunk->batches().size());
    if (const std::int64_t missing = left.below - chunk->next().offset; missing > 0) {
      // Big records, or the end of a segment: only what lies right below the place is of use. One record always comes whole.
      partition.window = std::min(missing, std::max<std::int64_t>(1, wanted / 4));
      --records_left_;
      continue;
    }
    lungo::RecordCursor cursor = chunk->records();
    const lungo::RecordView* record = cursor.next();
    partition.decompressed.clear();
    for (; record != nullptr && record->offset < left.below; record = cursor.next()) {
      partition.records.push_back(*record);
      std::shared_ptr<const lungo::Bytes> bytes = cursor.decompressed();
      const bool is_kept = !partition.decompressed.empty() && partition.decompressed.back() == bytes;
      if (bytes != nullptr && !is_kept) partition.decompressed.push_back(std::move(bytes));
    }
    if (cursor.error()) return cursor.error()->with_context(lungo::to_string(name));
    partition.window = std::min(window_max_, partition.window * 2);
    partition.bytes.emplace(std::move(*chunk));
    records_left_ -= std::clamp<std::size_t>(partition.records.size(), 1, records_left_);
    if (partition.records.empty()) left.below = from;  // a gap
  }
  return {};
}

}  // namespace tracker
