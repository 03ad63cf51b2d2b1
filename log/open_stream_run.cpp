#include "open_stream_run.hpp"

#include <algorithm>

#include <lungo/log/check.hpp>

#include "key_hash.hpp"
#include "stream_run_writer.hpp"

namespace lungo {
namespace {

constexpr std::size_t kSlotsMin = 64;
constexpr std::int64_t kRangeMax = std::int64_t{1} << 31;  // of offsets; twice as many fit

}  // namespace

// The slot that holds `hash`, or the free one where it belongs. The hash's own bits spread evenly.
std::size_t OpenStreamRun::slot_of(std::uint64_t hash) const {
  const std::size_t mask = latest_.size() - 1;
  std::size_t slot = hash & mask;
  while (latest_[slot] != kNone && hashes_[latest_[slot]] != hash) slot = (slot + 1) & mask;
  return slot;
}

std::uint32_t OpenStreamRun::latest_of(std::uint64_t hash) const { return latest_.empty() ? kNone : latest_[slot_of(hash)]; }

void OpenStreamRun::grow() {
  const std::vector<std::uint32_t> before = std::move(latest_);
  latest_.assign(std::max(kSlotsMin, before.size() * 2), kNone);
  for (const std::uint32_t record : before) {
    if (record != kNone) latest_[slot_of(hashes_[record])] = record;
  }
}

// Doubled until it is full: the last batch does not double it once more.
void OpenStreamRun::make_room() {
  constexpr std::size_t kRecordsMin = 64;
  const std::size_t size = hashes_.size();
  const std::size_t room =
      size < records_max_ ? std::clamp(size * 2, kRecordsMin, std::max(records_max_, kRecordsMin)) : size + size / 8;
  hashes_.reserve(room);
  relative_.reserve(room);
  places_.reserve(room);
  previous_.reserve(room);
}

void OpenStreamRun::pass(Offset end) {
  check(end >= end_, "offsets ascend");
  end_ = end;
}

void OpenStreamRun::add(Offset offset, std::uint64_t hash, std::uint32_t place) {
  check(offset >= end_, "offsets ascend");
  check(offset - begin_ <= std::numeric_limits<std::uint32_t>::max(), "an open run's offsets fit 32 bits");
  pass(offset.next());
  if (hash == kNoKeyHash) return;
  if ((used_ + 1) * 3 > latest_.size() * 2) grow();
  if (hashes_.size() == hashes_.capacity()) make_room();
  const auto record = static_cast<std::uint32_t>(hashes_.size());
  std::uint32_t& latest = latest_[slot_of(hash)];
  if (latest == kNone) ++used_;
  hashes_.push_back(hash);
  relative_.push_back(static_cast<std::uint32_t>(offset - begin_));
  places_.push_back(place);
  previous_.push_back(latest);
  latest = record;
}

bool OpenStreamRun::full() const { return hashes_.size() >= records_max_ || end_ - begin_ >= kRangeMax; }

std::size_t OpenStreamRun::resident_bytes() const {
  return hashes_.capacity() * sizeof(std::uint64_t) +
         (latest_.capacity() + relative_.capacity() + places_.capacity() + previous_.capacity()) * sizeof(std::uint32_t);
}

std::optional<StreamHead> OpenStreamRun::head(std::uint64_t hash) const {
  const std::uint32_t latest = latest_of(hash);
  if (latest == kNone) return std::nullopt;
  return StreamHead{.offset = offset_of(latest), .place = places_[latest]};
}

void OpenStreamRun::find(std::uint64_t hash, Offset begin, Offset end, std::size_t limit, std::vector<Offset>& out) const {
  const auto first = static_cast<std::ptrdiff_t>(out.size());
  walk_back(hash, begin, end, SIZE_MAX, [&out](Offset offset, std::uint32_t) { out.push_back(offset); });
  std::reverse(out.begin() + first, out.end());
  if (out.size() - static_cast<std::size_t>(first) > limit) out.resize(static_cast<std::size_t>(first) + limit);
}

void OpenStreamRun::walk_back(std::uint64_t hash, Offset begin, Offset end, std::size_t limit,
                              const std::function<void(Offset, std::uint32_t)>& take) const {
  for (std::uint32_t record = latest_of(hash); record != kNone && offset_of(record) >= begin; record = previous_[record]) {
    if (offset_of(record) >= end) continue;
    if (limit-- == 0) return;
    take(offset_of(record), places_[record]);
  }
}

Result<void> OpenStreamRun::write(Storage& storage, const std::string& path, std::uint32_t batch_crc, LeaderEpoch epoch,
                                  bool durable) const {
  std::vector<std::uint32_t> streams;
  streams.reserve(used_);
  std::copy_if(latest_.begin(), latest_.end(), std::back_inserter(streams),
               [](std::uint32_t record) { return record != kNone; });
  std::sort(streams.begin(), streams.end(), [this](std::uint32_t a, std::uint32_t b) { return hashes_[a] < hashes_[b]; });
  const StreamRunOrigin origin{.begin = begin_, .end = end_, .batch_crc = batch_crc, .epoch = epoch};
  const Result<std::unique_ptr<StreamRunWriter>> writer = StreamRunWriter::create(storage, path, origin);
  if (!writer) return writer.error();
  for (const std::uint32_t latest : streams) {
    (*writer)->begin_stream(hashes_[latest], offset_of(latest), places_[latest]);
    for (std::uint32_t record = previous_[latest]; record != kNone; record = previous_[record]) {
      if (Result<void> added = (*writer)->add_earlier(offset_of(record)); !added) return added;
    }
    if (Result<void> ended = (*writer)->end_stream(); !ended) return ended;
  }
  const Result<bool> whole = (*writer)->finish(std::numeric_limits<std::size_t>::max());
  if (!whole) return whole.error();
  return (*writer)->publish(durable);
}

}  // namespace lungo
