// EngineLoop's change feed: what a commit changed, told to those who watch.
//
//   store commits --> sequence advances and the watchers are looked up --> status published --> watchers are told
//
// Both come after the commit, so that nothing is missed: a scan that begins after either sees the commit's rows. Rows are
// copied from what is held decoded, between the commit and Feed::written(): nothing has touched them since they were written.
#include <utility>

#include <lungo/log/check.hpp>

#include "engine_loop.hpp"
#include "logger.hpp"

namespace lungo {
namespace {

/// Null when they can't be copied: whoever watches reads everything again then.
std::shared_ptr<const void> copy_rows(const Member& member) {
  try {
    return member.worker->written_rows();
  } catch (...) {
    log_warn("changed rows of projection " + member.projection + " could not be copied: " + current_exception_text());
    return nullptr;
  }
}

}  // namespace

EngineLoop::Changes EngineLoop::take_changes(const Feed& feed) {
  Changes changes;
  for (const std::unique_ptr<Member>& member : feed.members()) {
    if (member->role != Role::live) continue;
    Slot* slot = slot_of(member->projection);
    const bool replaced = std::exchange(slot->replaced, false);
    if (!replaced && (member->is_spoilt() || !member->worker->has_written_rows())) continue;
    auto watchers = slot->projection->watchers_.all();
    if (!watchers.empty()) changes.told.push_back({std::move(watchers), replaced ? nullptr : copy_rows(*member)});
  }
  number(changes);
  return changes;
}

/// Of rows that were dropped at the start: told by the first step, as starting is on another thread.
void EngineLoop::tell_dropped() {
  Changes changes;
  for (Slot& slot : slots_) {
    if (!std::exchange(slot.replaced, false)) continue;
    auto watchers = slot.projection->watchers_.all();
    if (!watchers.empty()) changes.told.push_back({std::move(watchers), nullptr});
  }
  number(changes);
  tell(changes);
}

void EngineLoop::number(Changes& changes) {
  if (!changes.told.empty()) changes.sequence = ++change_sequence_;
}

void EngineLoop::tell(const Changes& changes) {
  for (const Changes::Told& told : changes.told)
    for (const std::shared_ptr<detail::Watcher>& watcher : told.watchers) watcher->tell(changes.sequence, told.rows.get());
}

}  // namespace lungo
