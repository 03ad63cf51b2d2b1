#include "stream_walk.hpp"

#include <algorithm>
#include <utility>

namespace lungo {

Result<std::optional<StreamHit>> StreamWalk::next() {
  for (;;) {
    if (!hits_.empty()) {
      const StreamHit hit = hits_.back();
      hits_.pop_back();
      below_ = hit.offset;
      return std::optional{hit};
    }
    if (run_ != nullptr) {
      Result<std::optional<StreamHit>> hit = next_of_run();
      if (!hit || *hit) return hit;
      continue;
    }
    if (below_ <= begin_) return std::optional<StreamHit>{};
    if (Result<void> entered = enter(); !entered) return entered.error();
  }
}

// Goes on with what holds the offset below `below_`; or moves that down over what holds nothing.
Result<void> StreamWalk::enter() {
  if (Result<void> reached = index_.reach(below_); !reached) return reached;
  below_ = std::min(below_, index_.end());
  if (below_ <= begin_) return {};
  const auto found = index_.use_piece(below_.plus(-1), [this](const OpenStreamRun& table) {
    table.walk_back(hash_, begin_, below_, limit_, [this](Offset offset, std::uint32_t place) {
      hits_.push_back({offset, place});
    });
  });
  if (!found) {  // below all that there is
    below_ = begin_;
    return {};
  }
  if (found->in_table) {
    if (hits_.empty()) below_ = found->begin;
    std::ranges::reverse(hits_);
    limit_ *= 4;
    return {};
  }
  return found->run != nullptr ? enter_run(found->run) : index_.fill(below_.plus(-1));
}

Result<void> StreamWalk::enter_run(const std::shared_ptr<const StreamRunReader>& run) {
  const Result<std::optional<stream_run::Entry>> entry = run->entry(hash_);
  if (!entry) {
    if (entry.error() != Errc::corrupt) return entry.error();
    index_.discard(run, entry.error());
    return {};
  }
  if (!*entry) {
    below_ = run->origin().begin;
    return {};
  }
  run_ = run;
  head_ = {.offset = (*entry)->head, .place = (*entry)->place};
  records_.emplace(*run).start(**entry);
  return {};
}

// Nothing: the run has no more, and is left.
Result<std::optional<StreamHit>> StreamWalk::next_of_run() {
  for (;;) {
    const Result<std::optional<Offset>> offset = records_->next();
    if (offset && *offset && **offset >= below_) continue;
    if (offset && *offset && **offset >= begin_) {
      below_ = **offset;
      return std::optional{StreamHit{below_, below_ == head_.offset ? std::optional{head_.place} : std::nullopt}};
    }
    const std::shared_ptr<const StreamRunReader> run = std::exchange(run_, nullptr);
    records_.reset();
    if (offset) {
      below_ = run->origin().begin;
    } else if (offset.error() == Errc::corrupt) {
      index_.discard(run, offset.error());
    } else {
      return offset.error();
    }
    return std::optional<StreamHit>{};
  }
}

}  // namespace lungo
