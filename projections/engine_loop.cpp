#include "engine_loop.hpp"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include <lungo/log/check.hpp>

#include "logger.hpp"

namespace lungo {
namespace {

constexpr std::size_t kEventsPerStep = 4096;  // about 10 ms of work

/// Events between the positions of two feeds; nothing when they read different topics.
std::optional<std::int64_t> distance(const Feed& a, const Feed& b) {
  if (a.topic().id != b.topic().id) return std::nullopt;
  const std::vector<Position> left = a.positions();
  const std::vector<Position> right = b.positions();
  std::int64_t events = 0;
  for (std::size_t partition = 0; partition < left.size(); ++partition)
    events += std::abs(left[partition].offset - right[partition].offset);
  return events;
}

bool reaches(const std::vector<Position>& positions, const std::vector<Offset>& ends) {
  return std::equal(positions.begin(), positions.end(), ends.begin(), ends.end(),
                    [](const Position& position, Offset end) { return position.offset >= end; });
}

std::vector<Position> later_of(const Feed& a, const Feed& b) {
  std::vector<Position> later = a.positions();
  const std::vector<Position> other = b.positions();
  for (std::size_t partition = 0; partition < later.size(); ++partition)
    if (later[partition].offset < other[partition].offset) later[partition] = other[partition];
  return later;
}

/// True for refusals that end without anyone's help, or whose end can't be told from their beginning.
bool may_pass(const Error& error) { return is_retriable(error.code()) || error == Errc::io; }

}  // namespace

EngineLoop::EngineLoop(EventStore store, StateStore& rows, EngineOptions options, std::optional<PartitionId> only)
    : store_(std::move(store)), rows_(rows), options_(options), only_(only), log_(store_.log()) {}

EngineLoop::~EngineLoop() { end_rebuilds(Error{Errc::closed, "the engine is gone"}); }

std::shared_ptr<void> EngineLoop::await(const TopicPartition& partition, Offset end) {
  const auto forget = [awaited = awaited_](const char* token) {
    const std::lock_guard lock{awaited->mutex};
    std::erase_if(awaited->all, [token](const auto& entry) { return entry.first == token; });
    delete token;
  };
  std::shared_ptr<const char> token{new char{}, forget};  // its address tells it from the others
  {
    const std::lock_guard lock{awaited_->mutex};
    awaited_->all.push_back({token.get(), {partition, end}});
  }
  waker_->wake();
  return std::const_pointer_cast<char>(token);
}

bool EngineLoop::is_awaited(const Feed& feed) const {
  const std::lock_guard lock{awaited_->mutex};
  if (awaited_->all.empty()) return false;
  const std::vector<Position> positions = feed.positions();
  return std::any_of(awaited_->all.begin(), awaited_->all.end(), [&](const auto& entry) {
    const TopicPartition& partition = entry.second.first;
    const Offset end = entry.second.second;
    return partition.topic == feed.topic().spec.name &&
           std::any_of(positions.begin(), positions.end(), [&](const Position& position) {
             return position.partition == partition.partition && position.offset >= end;
           });
  });
}

Result<std::shared_ptr<RebuildRun>> EngineLoop::request(std::vector<std::string> projections, const RebuildOptions& options) {
  const auto wake = [waker = waker_] { waker->wake(); };
  auto run = std::make_shared<RebuildRun>(std::move(projections), options, log_.ports().clock, wake);
  {
    const std::lock_guard lock{mutex_};
    if (!open_ || stopping_) return Error{Errc::closed, "the engine does not run"};
    if (requested_ && !requested_->is_over()) return Error{Errc::busy, "another rebuild is running"};
    requested_ = run;
  }
  waker_->wake();
  return run;
}

void EngineLoop::stop() {
  {
    const std::lock_guard lock{mutex_};
    stopping_ = true;
  }
  waker_->wake();
}

std::optional<Result<void>> EngineLoop::stopped() const {
  const std::lock_guard lock{mutex_};
  return stopped_;
}

Instant EngineLoop::step(Instant now) {
  bool stopping = false;
  {
    const std::lock_guard lock{mutex_};
    if (stopped_) return Instant::max();
    stopping = stopping_;
  }
  try {
    if (!stopping) return step_feeds(now);
    finish_stop(now);
  } catch (...) {
    const std::string said = current_exception_text();
    give_up(said);
    if (stopping) set_stopped(Error{Errc::closed, "the engine stopped on a broken invariant: " + said});
  }
  return Instant::max();
}

/// Our own bug, or no memory. Nothing of the transaction in hand may stay; the application goes on without its projections.
void EngineLoop::give_up(const std::string& said) {
  rows_.rollback();
  log_error("projections stopped: " + said);
  for (Slot& slot : slots_) {
    slot.failure = Error{Errc::closed, "the engine stopped on a broken invariant: " + said};
    publish(slot, nullptr);
  }
  feeds_.clear();
  interrupted_.clear();
  end_rebuilds(Error{Errc::closed, "the engine stopped on a broken invariant"});
  log_.ports().executor.notify();
}

Instant EngineLoop::step_feeds(Instant now) {
  tokens_.clear();
  tell_dropped();
  serve_rebuild();
  Instant next = Instant::max();
  for (const std::unique_ptr<Feed>& feed : feeds_) next = std::min(next, step_feed(*feed, now));
  join_feeds(now);
  take_up_interrupted(now);
  swap_shadows(now);
  std::erase_if(feeds_, [](const std::unique_ptr<Feed>& feed) { return feed->members().empty(); });
  finish_rebuild();
  for (const std::unique_ptr<Feed>& feed : feeds_)
    if (feed->stall) next = std::min(next, feed->stalled_until);
  if (next > now)
    for (const std::unique_ptr<Feed>& feed : feeds_)
      if (!feed->stall) arm(*feed);  // news would wake a stalled one at once, again and again
  return next;
}

Instant EngineLoop::step_feed(Feed& feed, Instant now) {
  if (now < feed.stalled_until) return feed.stalled_until;
  if (!feed.stall || !feed.has_news()) {
    Result<bool> more = feed.advance(kEventsPerStep);
    note_failures(feed);
    if (!more) {
      stall(feed, more.error(), now);
      return feed.stalled_until;
    }
  }
  if (feed.has_news() && !feed.news_since) feed.news_since = now;
  evict();  // clean rows make room before a commit has to
  // A stalled feed with news waits for the store: nothing is read on top of what could not be written.
  if (feed.stall || commit_due(feed) <= now) commit(feed, now);
  if (feed.stall) return feed.stalled_until;
  if (!feed.has_news()) publish(feed);
  return feed.at_end ? commit_due(feed) : now;
}

Instant EngineLoop::commit_due(const Feed& feed) const {
  if (!feed.has_news()) return Instant::max();
  if (cached_bytes() > options_.cache_bytes) return Instant::min();
  if (is_awaited(feed)) return Instant::min();
  return *feed.news_since + (feed.at_end ? options_.commit_interval : options_.catch_up_interval);
}

std::size_t EngineLoop::cached_bytes() const {
  std::size_t bytes = 0;
  for (const std::unique_ptr<Feed>& feed : feeds_) bytes += feed->cached_bytes();
  return bytes;
}

void EngineLoop::commit(Feed& feed, Instant now) {
  Result<void> done = in_transaction(rows_, [&] { return write(feed); });
  if (!done) return stall(feed, done.error(), now);
  after_commit(feed);
}

Result<void> EngineLoop::write(Feed& feed) {
  Result<void> finished = write_finished_rebuilds(feed);
  if (!finished) return finished;
  return feed.write(*catalogue_);
}

Result<void> EngineLoop::write_finished_rebuilds(Feed& feed) {
  const std::vector<Position> now = feed.positions();
  for (const std::unique_ptr<Member>& member : feed.members()) {
    Slot* slot = slot_of(member->projection);
    if (member->role != Role::live || slot->live.rebuild.empty()) continue;
    if (!reaches(now, slot->rebuild_until) || member->undecodable > 0) continue;
    ProjectionEntry entry = slot->live;
    entry.rebuild.clear();
    entry.positions = now;
    Result<void> put = catalogue_->put(entry);
    if (!put) return put;
  }
  return {};
}

void EngineLoop::after_commit(Feed& feed) {
  const std::vector<Position> now = feed.positions();
  std::vector<std::string> undecodable;
  for (const std::unique_ptr<Member>& member : feed.members()) {
    Slot* slot = slot_of(member->projection);
    slot->interrupted = false;
    const bool is_written = !member->is_spoilt();
    if (member->role == Role::shadow) {
      if (is_written) slot->shadow->positions = now;
      continue;
    }
    if (is_written) slot->live.positions = now;
    slot->parked += static_cast<std::int64_t>(member->parked.size());
    if (slot->live.rebuild.empty() || !reaches(now, slot->rebuild_until)) continue;
    if (member->undecodable > 0) {
      undecodable.push_back(member->projection);
      continue;
    }
    member->strict = false;
    slot->live.rebuild.clear();
    log_info("projection " + slot->live.projection + " rebuilt generation=" + std::to_string(slot->live.generation));
  }
  const Changes changes = take_changes(feed);
  feed.written();
  feed.stall.reset();
  for (const std::string& projection : undecodable) {
    std::unique_ptr<Member> member = feed.remove(projection, Role::live);
    Slot* slot = slot_of(projection);
    slot->failure = undecodable_error(*member);
    log_error("projection " + projection + " stopped: " + to_string(*slot->failure));
    publish(*slot, nullptr);
  }
  evict();
  publish(feed);
  log_.ports().executor.notify();
  tell(changes);
}

void EngineLoop::stall(Feed& feed, Error error, Instant now) {
  if (!feed.stall) log_warn("projections wait: " + to_string(error));
  // Live projections go on when somebody has mended what is broken; whoever asked for a rebuild is told at once.
  if (run_ && !may_pass(error) && feed.any_shadow() != nullptr) {
    detach_shadows();
    end_rebuild(error);
  }
  feed.stall = std::move(error);
  feed.stalled_until = now + options_.retry_interval;
  publish(feed);
  log_.ports().executor.notify();
}

void EngineLoop::note_failures(Feed& feed) {
  for (std::unique_ptr<Member>& member : feed.take_failed()) {
    Slot* slot = slot_of(member->projection);
    const Error& error = *member->worker->error();
    if (may_pass(error)) {
      interrupted_.push_back({std::move(member), feed.topic()});
      continue;
    }
    log_error("projection " + member->projection + " stopped: " + to_string(error));
    if (member->role == Role::shadow) {
      fail_shadow(*slot, error);
    } else {
      slot->failure = error;
      publish(*slot, nullptr);
    }
    log_.ports().executor.notify();
  }
}

/// A row that could not be read may be readable later. Others of the feed have applied the event, this projection has not: it
/// goes back to its last commit, without the rows it holds, and waits in a feed of its own.
void EngineLoop::take_up_interrupted(Instant now) {
  for (Interrupted& interrupted : std::exchange(interrupted_, {})) {
    std::unique_ptr<Member>& member = interrupted.member;
    Slot* slot = slot_of(member->projection);
    Error error = *member->worker->error();
    const TableId table = member->worker->table();
    member->worker = slot->projection->make_worker();
    member->worker->attach(rows_, table, false);
    member->parked.clear();
    const std::vector<Position>& committed = member->role == Role::shadow ? slot->shadow->positions : slot->live.positions;
    feeds_.push_back(std::make_unique<Feed>(log_, store_.shapes(), interrupted.topic, committed));
    feeds_.back()->add(std::move(member));
    if (std::exchange(slot->interrupted, true)) feeds_.back()->stall = error;  // as was logged
    stall(*feeds_.back(), std::move(error), now);
  }
}

void EngineLoop::evict() {
  const auto shrink = [](const Feed& feed, double keep) {
    for (const std::unique_ptr<Member>& member : feed.members())
      member->worker->evict(static_cast<std::size_t>(keep * static_cast<double>(member->worker->bytes())));
  };
  if (cached_bytes() <= options_.cache_bytes) return;
  // Rows of feeds that have nothing to do go first: while a rebuild runs, those of the live projections.
  for (const std::unique_ptr<Feed>& feed : feeds_)
    if (feed->at_end && !feed->has_news()) shrink(*feed, 0.1);
  const std::size_t bytes = cached_bytes();
  if (bytes <= options_.cache_bytes) return;
  // To three quarters, so that the next events find room, and those that hold the most first: a projection that makes rows
  // without end, one per day and page say, must not cost others the rows that they come back to.
  std::vector<detail::Worker*> workers;
  for (const std::unique_ptr<Feed>& feed : feeds_)
    for (const std::unique_ptr<Member>& member : feed->members()) workers.push_back(member->worker.get());
  std::sort(workers.begin(), workers.end(), [](const auto* a, const auto* b) { return a->bytes() < b->bytes(); });
  std::size_t left = options_.cache_bytes / 4 * 3;
  for (std::size_t index = 0; index < workers.size(); ++index) {
    const std::size_t share = left / (workers.size() - index);
    workers[index]->evict(share);  // one that holds less leaves the rest of its share to the larger ones
    left -= std::min(left, workers[index]->bytes());
  }
}

void EngineLoop::join_feeds(Instant now) {
  for (std::size_t left = 0; left < feeds_.size(); ++left) {
    for (std::size_t right = left + 1; right < feeds_.size(); ++right) {
      Feed& a = *feeds_[left];
      Feed& b = *feeds_[right];
      if (a.stall || b.stall || a.members().empty() || b.members().empty()) continue;
      const std::optional<std::int64_t> apart = distance(a, b);
      if (!apart || *apart > static_cast<std::int64_t>(kEventsPerStep)) continue;
      const std::vector<Position> meeting = later_of(a, b);
      for (Feed* feed : {&a, &b}) {
        Result<void> there = feed->advance_to(meeting);
        note_failures(*feed);
        if (feed->has_news() && !feed->news_since) feed->news_since = now;
        if (!there) stall(*feed, there.error(), now);
      }
      if (!a.stall && !b.stall) a.join(b);
    }
  }
  std::erase_if(feeds_, [](const std::unique_ptr<Feed>& feed) { return feed->members().empty(); });
}

void EngineLoop::arm(Feed& feed) {
  for (const Position& position : feed.positions()) {
    tokens_.push_back(
        log_.notify_above({feed.topic().spec.name, position.partition}, position.offset, [waker = waker_] { waker->wake(); }));
  }
}

void EngineLoop::publish(Feed& feed) {
  for (const std::unique_ptr<Member>& member : feed.members())
    if (member->role == Role::live) publish(*slot_of(member->projection), &feed);
}

void EngineLoop::publish(Slot& slot, const Feed* feed) {
  ProjectionStatus status;
  status.name = slot.live.projection;
  status.topic = slot.live.topic;
  status.positions = slot.live.positions;
  status.parked = slot.parked;
  status.generation = slot.live.generation;
  status.origin = slot.live.origin;
  status.note = slot.live.rebuild;
  status.error = slot.failure;
  status.rebuilt_beside = slot.rebuilt_beside;
  if (feed != nullptr) {
    status.ends = feed->committed_ends();
    for (std::size_t partition = 0; partition < status.ends.size(); ++partition)
      status.lag += std::max<std::int64_t>(0, status.ends[partition] - status.positions[partition].offset);
    status.cached_bytes = feed->cached_bytes();
    if (feed->stall) status.error = feed->stall;
  }
  if (slot.failure || feed == nullptr) {
    status.phase = ProjectionPhase::failed;
  } else if (feed->stall) {
    status.phase = ProjectionPhase::stalled;
  } else if (!slot.live.rebuild.empty()) {
    status.phase = ProjectionPhase::rebuilding;
  } else {
    status.phase = feed->at_end ? ProjectionPhase::live : ProjectionPhase::catching_up;
  }
  slot.projection->publish(std::move(status));
}

void EngineLoop::finish_stop(Instant now) {
  tokens_.clear();
  tell_dropped();
  Result<void> outcome;
  for (const std::unique_ptr<Feed>& feed : feeds_) {
    if (feed->has_news()) commit(*feed, now);
    if (feed->stall && outcome) outcome = *feed->stall;
  }
  end_rebuilds(Error{Errc::canceled, "the engine was stopped; the next rebuild goes on where this one is"});
  feeds_.clear();
  for (Slot& slot : slots_) {
    ProjectionStatus status = slot.projection->status();
    if (status.phase != ProjectionPhase::failed) status.phase = ProjectionPhase::stopped;
    slot.projection->publish(std::move(status));
  }
  set_stopped(std::move(outcome));
}

void EngineLoop::set_stopped(Result<void> outcome) {
  {
    const std::lock_guard lock{mutex_};
    stopped_ = std::move(outcome);
  }
  log_.ports().executor.notify();
}

EngineLoop::Slot* EngineLoop::slot_of(const std::string& projection) {
  const auto slot = std::find_if(slots_.begin(), slots_.end(),
                                 [&](const Slot& candidate) { return candidate.projection->name() == projection; });
  check(slot != slots_.end(), "each member belongs to a projection of the engine");
  return &*slot;
}

}  // namespace lungo
