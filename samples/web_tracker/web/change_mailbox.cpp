#include "web/change_mailbox.hpp"

#include <utility>

namespace tracker {

template <class P>
void ChangeMailbox::put(const typename lungo::Projection<P>::Changes& changes) {
  {
    const std::lock_guard lock{mutex_};
    if (changes.replaced) held_.reload = true;
    for (const auto& changed : changes.rows) {
      if (held_.reload) break;
      StatsRow row = stats_row<P>(changed.key, changed.state);
      if (!wants_counts_) row.counts.clear();
      bytes_ += row.bytes();
      if (bytes_ > kBytesMax) {
        held_.reload = true;
      } else {
        held_.changes.push_back({changes.sequence, std::move(row)});
      }
    }
    if (held_.reload) held_.changes.clear();
  }
  wake_();
}

void ChangeMailbox::open(AddedProjections& rows) {
  for_each_stats_projection(rows, [this]<class P>(lungo::Projection<P>& projection) {
    tokens_.push_back(projection.watch([this](const typename lungo::Projection<P>::Changes& changes) { put<P>(changes); }));
  });
}

void ChangeMailbox::close() {
  tokens_.clear();
  static_cast<void>(take());
}

ChangeMailbox::Taken ChangeMailbox::take() {
  const std::lock_guard lock{mutex_};
  bytes_ = 0;
  return std::exchange(held_, {});
}

}  // namespace tracker
