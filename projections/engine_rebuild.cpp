// EngineLoop's rebuilds: shadow tables that are filled beside the live ones and swapped in when they have met them.
//
//   begin:  entry and table `NAME__shadow` in one transaction, or those of a rebuild that was cut off; a feed of their own
//   meet:   join_feeds() brings both feeds to the same positions and makes one of them
//   swap:   one transaction writes what both still hold, drops the old table, renames the new one, replaces the entry
#include <algorithm>
#include <map>
#include <string_view>
#include <utility>
#include <vector>

#include <lungo/log/check.hpp>

#include "engine_loop.hpp"
#include "logger.hpp"

namespace lungo {
namespace {

/// Where the projections of one topic are in a rebuild.
struct RebuiltTopic {
  std::vector<Position> begin;  // of the one that began first
  std::vector<Position> now;    // of the last one; when all are swapped in, of the furthest
  bool goes_on = false;

  void add(const std::vector<Position>& from, const std::vector<Position>& at, bool is_on_its_way) {
    if (begin.empty()) begin = from;
    const bool replaces = now.empty() || (is_on_its_way && !goes_on);
    if (replaces) now = at;
    for (std::size_t partition = 0; partition < begin.size(); ++partition) {
      begin[partition].offset = std::min(begin[partition].offset, from[partition].offset);
      if (replaces || (goes_on && !is_on_its_way)) continue;
      Offset& offset = now[partition].offset;
      offset = is_on_its_way ? std::min(offset, at[partition].offset) : std::max(offset, at[partition].offset);
    }
    goes_on = goes_on || is_on_its_way;
  }
};

}  // namespace

void EngineLoop::serve_rebuild() {
  // One that timed out is over for its caller before its shadows are gone: only then comes the next one's turn.
  while (run_ || take_request()) {
    if (!run_->is_canceled()) break;
    detach_shadows();
    end_rebuild(Error{Errc::canceled, "the rebuild was stopped; the next one goes on from its last commit"});
  }
  if (run_ && !run_begun_) begin_rebuild();
}

bool EngineLoop::take_request() {
  const std::lock_guard lock{mutex_};
  if (!requested_ || requested_->is_over()) return false;
  run_ = requested_;
  run_begun_ = false;
  return true;
}

void EngineLoop::detach_shadows() {
  for (const std::unique_ptr<Feed>& feed : feeds_)
    for (const Slot& slot : slots_) feed->remove(slot.projection->name(), Role::shadow);
}

void EngineLoop::begin_rebuild() {
  run_begun_ = true;
  for (Slot& slot : slots_) {
    const std::string& name = slot.projection->name();
    if (std::find(run_->projections.begin(), run_->projections.end(), name) == run_->projections.end()) continue;
    Result<void> begun = begin_shadow(slot, run_->from);
    if (!begun) {
      detach_shadows();
      return end_rebuild(begun.error().with_context("projection " + name));
    }
    show_rebuild(slot, true);
    log_info("projection " + name + " is rebuilt from=" + run_->from.text());
  }
  count_rebuild();
}

Result<void> EngineLoop::begin_shadow(Slot& slot, const ReplayFrom& from) {
  Result<TopicInfo> topic = topic_of(slot);
  if (!topic) return topic.error();
  if (slot.shadow) {
    Result<bool> resumable = can_resume(slot, *slot.shadow, from);
    if (!resumable) return resumable.error();
    if (!*resumable) slot.shadow.reset();
  }
  const bool resumed = slot.shadow.has_value();
  if (resumed) {
    run_->resumed = true;
  } else {
    Result<void> made = make_shadow(slot, *topic, from);
    if (!made) return made;
  }
  slot.shadow_from = slot.shadow_at = slot.shadow->positions;
  return add_member(slot, Role::shadow, *slot.shadow, *topic, !resumed);
}

Result<bool> EngineLoop::can_resume(const Slot& slot, const ProjectionEntry& shadow, const ReplayFrom& from) {
  const ProjectionBase& projection = *slot.projection;
  if (!run_->resume || shadow.origin != from.text() || shadow.topic != projection.topic() ||
      shadow.state_shape != projection.state_shape() || shadow.key_shape != projection.key_shape() ||
      shadow.version != projection.version())
    return false;
  for (const Position& position : shadow.positions) {
    Result<void> valid = log_.validate(shadow.topic, position);
    const bool is_gone = !valid && (valid.error() == Errc::position_diverged || valid.error() == Errc::history_trimmed);
    if (is_gone) return false;
    if (!valid) return valid.error();
  }
  return true;
}

Result<void> EngineLoop::make_shadow(Slot& slot, const TopicInfo& topic, const ReplayFrom& from) {
  Result<std::vector<Position>> starts = starts_of(topic, from);
  if (!starts) return starts.error();
  const bool from_beginning = !from.from_offset() && !from.from_time();
  for (const Position& start : *starts)
    if (from_beginning && start.offset > Offset{0})
      return Error{Errc::history_trimmed, to_string(TopicPartition{topic.spec.name, start.partition}) + " begins at offset " +
                                              std::to_string(start.offset.value()) +
                                              "; say from which offset or time to replay"};
  const ProjectionBase& projection = *slot.projection;
  ProjectionEntry entry = slot.live;
  entry.role = Role::shadow;
  entry.table = projection.name() + "__shadow";
  entry.origin = from.text();
  entry.rebuild = "asked for";
  entry.state_shape = projection.state_shape();
  entry.key_shape = projection.key_shape();
  entry.positions = std::move(*starts);
  Result<void> made = in_transaction(rows_, [&]() -> Result<void> {
    Result<void> done = rows_.drop_table(entry.table);
    if (!done) return done;
    Result<TableId> table = rows_.open_table(projection.table_spec(entry.table));
    if (!table) return table.error();
    return catalogue_->put(entry);
  });
  if (made) slot.shadow = std::move(entry);
  return made;
}

void EngineLoop::swap_shadows(Instant now) {
  for (const std::unique_ptr<Feed>& feed : feeds_) {
    if (feed->stall || feed->any_shadow() == nullptr) continue;
    std::vector<Slot*> ready;
    for (Slot& slot : slots_) {
      const std::string& name = slot.projection->name();
      const Member* shadow = feed->find(name, Role::shadow);
      if (shadow == nullptr) continue;
      const bool has_met = feed->find(name, Role::live) != nullptr;
      const bool is_alone = std::none_of(feeds_.begin(), feeds_.end(), [&](const std::unique_ptr<Feed>& other) {
        return other->find(name, Role::live) != nullptr;
      });
      if (!has_met && !(is_alone && feed->at_end)) continue;
      if (shadow->undecodable > 0) {
        const std::unique_ptr<Member> failed = feed->remove(name, Role::shadow);
        fail_shadow(slot, undecodable_error(*failed));
      } else {
        ready.push_back(&slot);
      }
    }
    if (!ready.empty()) swap(*feed, ready, now);
  }
}

void EngineLoop::swap(Feed& feed, const std::vector<Slot*>& ready, Instant now) {
  const Result<std::vector<Position>> positions = feed.positions_to_store();
  if (!positions) return stall(feed, positions.error(), now);
  std::vector<ProjectionEntry> entries;
  std::vector<std::vector<ParkedRow>> parked;
  for (Slot* slot : ready) {
    Result<std::vector<ParkedRow>> events = parked_of(slot->projection->name());
    if (!events) return stall(feed, events.error(), now);
    parked.push_back(std::move(*events));
    ProjectionEntry entry = *slot->shadow;
    entry.role = Role::live;
    entry.table = slot->projection->name();
    entry.generation = slot->live.generation + 1;
    entry.rebuild.clear();
    entry.positions = *positions;
    entries.push_back(std::move(entry));
  }
  Result<void> swapped = in_transaction(rows_, [&]() -> Result<void> {
    Result<void> done = feed.write(*catalogue_);
    for (std::size_t index = 0; done && index < ready.size(); ++index) {
      done = write_swap(*ready[index]->shadow, entries[index], parked[index]);
    }
    return done;
  });
  if (!swapped) return stall(feed, swapped.error(), now);
  for (std::size_t index = 0; index < ready.size(); ++index) {
    Slot& slot = *ready[index];
    feed.remove(slot.projection->name(), Role::live);
    Member* member = feed.find(slot.projection->name(), Role::shadow);
    check(member != nullptr, "a shadow that is swapped in is in the feed");
    member->role = Role::live;
    member->strict = false;
    slot.live = std::move(entries[index]);
    slot.shadow_at = slot.live.positions;
    slot.shadow.reset();
    slot.failure.reset();
    slot.parked = 0;
    slot.rebuilt_beside = false;
    slot.replaced = true;
    log_info("projection " + slot.live.projection + " rebuilt generation=" + std::to_string(slot.live.generation));
  }
  after_commit(feed);
}

Result<void> EngineLoop::write_swap(const ProjectionEntry& shadow, const ProjectionEntry& entry,
                                    const std::vector<ParkedRow>& parked) {
  Result<void> done = rows_.drop_table(entry.table);
  if (!done) return done;
  done = rows_.rename_table(shadow.table, entry.table);
  if (!done) return done;
  done = catalogue_->erase(shadow);
  if (!done) return done;
  done = catalogue_->unpark(parked);
  if (!done) return done;
  return catalogue_->put(entry);
}

void EngineLoop::fail_shadow(Slot& slot, const Error& error) {
  show_rebuild(slot, false);
  if (!run_error_) run_error_ = error.with_context("projection " + slot.projection->name());
  log_error("rebuild of projection " + slot.projection->name() + " stopped: " + to_string(error));
  slot.shadow_from.clear();
  if (!slot.shadow) return;
  // What stays behind when this fails is dropped by the next rebuild.
  Result<void> dropped = in_transaction(rows_, [&]() -> Result<void> {
    Result<void> done = rows_.drop_table(slot.shadow->table);
    return done ? catalogue_->erase(*slot.shadow) : done;
  });
  if (!dropped) log_warn("shadow of projection " + slot.projection->name() + " stays: " + to_string(dropped.error()));
  slot.shadow.reset();
}

void EngineLoop::show_rebuild(Slot& slot, bool goes_on) {
  if (std::exchange(slot.rebuilt_beside, goes_on) == goes_on) return;
  ProjectionStatus status = slot.projection->status();
  status.rebuilt_beside = goes_on;
  slot.projection->publish(std::move(status));
}

void EngineLoop::note_shadow_positions() {
  for (const std::unique_ptr<Feed>& feed : feeds_)
    for (const std::unique_ptr<Member>& member : feed->members())
      if (member->role == Role::shadow) slot_of(member->projection)->shadow_at = feed->positions();
}

// Each topic counts once, from the first start of its projections to where the last of them is. What is swapped in stays
// counted and projections drop out when they fail: neither number falls, whatever becomes of one.
void EngineLoop::count_rebuild() {
  if (!run_) return;
  note_shadow_positions();
  std::uint64_t done = 0;
  std::uint64_t total = 0;
  std::map<std::string_view, RebuiltTopic> topics;
  for (const Slot& slot : slots_)
    if (!slot.shadow_from.empty()) topics[slot.live.topic].add(slot.shadow_from, slot.shadow_at, slot.shadow.has_value());
  for (const auto& [topic, rebuilt] : topics) {
    for (std::size_t partition = 0; partition < rebuilt.begin.size(); ++partition) {
      const Offset begin = rebuilt.begin[partition].offset;
      const Offset now = rebuilt.now[partition].offset;
      Offset end = now;
      if (rebuilt.goes_on) {
        Result<Ends> ends = log_.ends({std::string{topic}, rebuilt.begin[partition].partition});
        if (ends) end = std::max(ends->committed, now);
      }
      done += static_cast<std::uint64_t>(now - begin);
      total += static_cast<std::uint64_t>(end - begin);
    }
  }
  run_->total = std::max(run_->total.load(), total);
  run_->events = std::max(run_->events.load(), done);
}

void EngineLoop::finish_rebuild() {
  if (!run_) return;
  const bool goes_on = std::any_of(feeds_.begin(), feeds_.end(),
                                   [](const std::unique_ptr<Feed>& feed) { return feed->any_shadow() != nullptr; });
  count_rebuild();
  if (goes_on) return;
  run_->events = run_->total.load();
  end_rebuild(run_error_ ? Result<void>{*run_error_} : Result<void>{});
}

/// Ends the one in progress, and one that was asked for meanwhile.
void EngineLoop::end_rebuilds(const Error& why) {
  while (run_ || take_request()) end_rebuild(why);
}

void EngineLoop::end_rebuild(Result<void> outcome) {
  for (Slot& slot : slots_) {
    show_rebuild(slot, false);
    slot.shadow_from.clear();
  }
  run_->finish(std::move(outcome));
  run_.reset();
  run_error_.reset();
  log_.ports().executor.notify();
}

}  // namespace lungo
