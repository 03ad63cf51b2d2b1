#include "client/gathering.hpp"

#include <algorithm>
#include <utility>

namespace lungo::writing {

void Gathering::step(Instant now) {
  if (std::exchange(is_answering_, false)) answered_at_ = now;
}

void Gathering::queued(std::size_t waiting, Instant now) {
  if (waiting == 0) queued_since_ = now;
  queued_at_ = now;
}

void Gathering::begun(std::size_t appends, Instant now) {
  open_.appends = appends;
  began_at_ = now;
  queued_since_ = now;
}

void Gathering::committed(std::size_t waiting, Instant now) {
  answered_at_ = now;
  is_answering_ = true;
  if (open_.appends == 0) return;  // counters alone: nobody is answered
  open_.took = now - began_at_;
  expected_ = waiting + open_.appends;
  past_[next_] = open_;
  next_ = (next_ + 1) % past_.size();
}

Instant Gathering::until(std::size_t waiting) const {
  const std::size_t most = std::max(std::ranges::max(past_, {}, &Past::appends).appends, open_.appends);
  if (most <= options_.from) return Instant::min();
  const std::size_t wanted = std::min(std::max(expected_, most), options_.most);
  if (waiting == 0 || waiting >= wanted) return Instant::min();
  const Duration took = std::ranges::max(past_, {}, &Past::took).took;
  const Instant patience = std::max(queued_since_, answered_at_) + took / 2;
  const Instant quiet = std::max(queued_at_, answered_at_) + std::max(options_.quiet, took / 10);
  return std::min(patience, quiet);
}

}  // namespace lungo::writing
