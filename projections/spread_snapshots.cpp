#include "spread_snapshots.hpp"

#include <algorithm>
#include <utility>

#include <lungo/framework/errors.hpp>

#include "engine_loop.hpp"
#include "logger.hpp"

namespace lungo {
namespace {

constexpr double kBytesPerSecond = 8u << 20;

Duration time_to_write(std::size_t bytes) {
  return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(static_cast<double>(bytes) / kBytesPerSecond));
}

/// What the bytes of a snapshot are to blame for, and nothing that another try could do.
bool is_about_bytes(const Error& error) { return error == Errc::corrupt || is_about_event(error); }

/// What the log says of a position that it has no history of.
bool is_about_history(const Error& error) {
  return error == Errc::position_diverged || error == Errc::history_trimmed || error == Errc::not_found;
}

}  // namespace

std::shared_ptr<void> Turn::take() {
  if (!taken_.expired()) return nullptr;
  std::shared_ptr<void> turn{waker_.get(), [waker = waker_](void*) { waker->wake(); }};
  taken_ = turn;
  return turn;
}

Result<void> SpreadSnapshots::prepare() {
  if (!is_on() || store_.log().read_only()) return {};
  return log_.prepare();
}

void UnitSnapshots::add(const ProjectionBase& projection, const std::string& meaning) {
  members_.push_back({.projection = &projection,
                      .key = "spread/" + shared_.options_.name + '/' + projection.name() + '/' + partition_.topic + '/' +
                             std::to_string(partition_.partition.value()),
                      .shape = rows_shape(projection.name() + ' ' + meaning)});
}

void UnitSnapshots::close() {
  looked_at_ = 0;
  installing_.reset();
  installing_turn_.reset();
  collecting_.reset();
  saving_.reset();
}

// ---- take-over ----

Result<UnitSnapshots::Installed> UnitSnapshots::install(StateStore& rows) {
  if (!shared_.is_on()) return Installed::all;
  while (looked_at_ < members_.size()) {
    if (!installing_turn_) installing_turn_ = shared_.installing_.take();
    if (!installing_turn_) return Installed::waits;
    if (installing_) {
      const Result<bool> installed = install_page();
      if (!installed) return installed.error();
      if (*installed) ++looked_at_;
      return Installed::more;
    }
    Member& member = members_[looked_at_];
    const Result<bool> begun = begin_installing(member, rows);
    if (!begun) return begun.error();
    if (!*begun) ++looked_at_;
  }
  installing_turn_.reset();
  return Installed::all;
}

/// False where the log has nothing that the store lacks.
Result<bool> UnitSnapshots::begin_installing(Member& member, StateStore& rows) {
  member.saved = Offset{0};
  const Result<std::optional<Position>> newest = usable(member);
  if (!newest) return newest.error();
  if (!*newest) return false;
  member.saved = (**newest).offset;
  const Result<bool> is_better = is_worth_it(member, **newest, rows);
  if (!is_better || !*is_better) return is_better;
  Result<std::optional<Snapshot>> snapshot = shared_.log_.load(member.key);
  if (!snapshot && is_about_bytes(snapshot.error())) {
    leave(member, to_string(snapshot.error()));
    return false;
  }
  if (!snapshot) return snapshot.error();
  if (!*snapshot || (**snapshot).position != **newest)
    return Error{Errc::busy, "snapshot " + member.key + " has just been replaced"};
  ProjectionEntry entry = entry_at(member, **newest);
  TableSpec spec = member.projection->table_spec(entry.table);
  installing_ = std::make_unique<RowsInstaller>(rows, std::move(entry), std::move(spec), std::move((**snapshot).state));
  return true;
}

/// Where the newest stands, if it is of this shape, and of history that the log has. Nothing otherwise, which is
/// said unless there is none at all.
Result<std::optional<Position>> UnitSnapshots::usable(Member& member) {
  const auto unused = [&](const std::string& why) {
    leave(member, why);
    return std::optional<Position>{};
  };
  const Result<std::optional<Snapshot>> newest = shared_.log_.peek(member.key);
  if (!newest && is_about_bytes(newest.error())) return unused(to_string(newest.error()));
  if (!newest) return newest.error();
  if (!*newest) return std::optional<Position>{};
  const Position& position = (**newest).position;
  if ((**newest).shape != member.shape) return unused("it is of another State, Key or version");
  if (position.epoch == kNoEpoch || position.partition != partition_.partition) return unused("its position proves nothing");
  const Result<void> valid = shared_.store_.log().validate(partition_.topic, position);
  if (!valid && is_about_history(valid.error())) return unused(to_string(valid.error()));
  if (!valid) return valid.error();
  return std::optional{position};
}

/// The next is due as if there were none. It is said once, however often it is met.
void UnitSnapshots::leave(Member& member, const std::string& why) {
  member.saved = Offset{0};
  if (std::exchange(member.left_because, why) != why) log_warn("snapshot " + member.key + " is not used: " + why);
}

/// Whether the store has no rows that the engine would go on from, or has them so far behind that folding what is between would
/// be more than is worth a snapshot.
Result<bool> UnitSnapshots::is_worth_it(const Member& member, const Position& position, StateStore& rows) const {
  const Result<std::unique_ptr<RowReader>> reader = rows.reader();
  if (!reader) return reader.error();
  const Result<std::vector<ProjectionEntry>> entries = Catalogue::entries(**reader);
  if (!entries) return entries.error();
  const auto live = std::ranges::find_if(*entries, [&](const ProjectionEntry& entry) {
    return entry.projection == member.projection->name() && entry.role == Role::live;
  });
  if (live == entries->end() || !live->rebuild.empty()) return true;
  const Result<std::optional<std::string>> reason =
      EngineLoop::reason_to_rebuild(shared_.store_.log(), *member.projection, *live, {partition_.partition});
  if (!reason && is_about_history(reason.error())) return true;
  if (!reason) return reason.error();
  return *reason || position.offset - live->positions.front().offset >= shared_.options_.snapshot_every;
}

ProjectionEntry UnitSnapshots::entry_at(const Member& member, const Position& position) const {
  const ProjectionBase& projection = *member.projection;
  return {.projection = projection.name(),
          .role = Role::live,
          .table = projection.name(),
          .topic = projection.topic(),
          .state_shape = projection.state_shape(),
          .key_shape = projection.key_shape(),
          .version = projection.version(),
          .generation = 1,
          .origin = ReplayFrom::beginning().text(),
          .rebuild = {},
          .positions = {position}};
}

/// True when it is over.
Result<bool> UnitSnapshots::install_page() {
  Member& member = members_[looked_at_];
  const Result<bool> written = installing_->write_page();
  if (written && !*written) return false;
  if (written) {
    log_info("rows of " + member.projection->name() + " in " + to_string(partition_) + " go on from their snapshot at offset " +
             std::to_string(member.saved.value()));
  } else if (is_about_bytes(written.error()) || written.error() == Errc::newer_format) {
    leave(member, to_string(written.error()));
    const Result<void> removed = installing_->give_up();
    if (!removed) return removed.error();
  } else {
    return written.error();
  }
  installing_.reset();
  return true;
}

// ---- serving ----

Instant UnitSnapshots::write(Instant now, StateStore& rows) {
  if (!shared_.is_on() || shared_.store_.log().read_only()) return Instant::max();
  if (collecting_) return collect(now);
  note_saved(now);
  if (saving_) return Instant::max();
  Instant next = Instant::max();
  for (Member& member : members_) {
    if (!is_due(member)) continue;
    const Instant at = std::max(member.pauses_until, shared_.rests_until_);
    next = std::min(next, at);
    if (now < at) continue;
    std::shared_ptr<void> turn = shared_.writing_.take();
    if (!turn) return Instant::max();
    member.pauses_until = now + shared_.options_.snapshot_interval;
    const Result<void> begun = begin(member, std::move(turn), rows);
    if (!begun) {
      pause(member, now);
      log_warn("snapshot " + member.key + " is not written: " + to_string(begun.error()));
    }
    return now;
  }
  return next;
}

void UnitSnapshots::note_saved(Instant now) {
  if (!saving_ || saving_->outcome == Saving::Outcome::none) return;
  if (saving_->outcome == Saving::Outcome::saved) {
    saving_of_->saved = saving_at_;
  } else {
    pause(*saving_of_, now);
  }
  saving_.reset();
}

/// Whatever the interval is, who is refused does not ask again at once.
void UnitSnapshots::pause(Member& member, Instant now) const {
  member.pauses_until = std::max(member.pauses_until, now + shared_.options_.engine.retry_interval);
}

bool UnitSnapshots::is_due(const Member& member) const {
  if (member.is_too_large) return false;
  const ProjectionStatus status = member.projection->status();
  if (status.phase != ProjectionPhase::live && status.phase != ProjectionPhase::catching_up) return false;
  const Position& position = status.positions.front();
  return position.epoch != kNoEpoch && position.offset - member.saved >= shared_.options_.snapshot_every;
}

/// Errors: as RowReader::scan().
Result<void> UnitSnapshots::begin(Member& member, std::shared_ptr<void> turn, StateStore& rows) {
  Result<std::unique_ptr<RowReader>> reader = rows.reader();
  if (!reader) return reader.error();
  const Result<std::vector<ProjectionEntry>> entries = Catalogue::entries(**reader);
  if (!entries) return entries.error();
  Result<std::vector<ParkedRow>> parked = Catalogue::parked(**reader);
  if (!parked) return parked.error();
  const std::string& name = member.projection->name();
  std::erase_if(*parked, [&](const ParkedRow& event) { return event.projection != name; });
  const auto live = std::ranges::find_if(
      *entries, [&](const ProjectionEntry& entry) { return entry.projection == name && entry.role == Role::live; });
  check(live != entries->end() && live->positions.size() == 1, "a projection that has applied something has an entry");
  const std::size_t key_columns = member.projection->table_spec(live->table).key.size();
  collecting_ = std::make_unique<Collecting>(
      Collecting{.member = member,
                 .turn = std::move(turn),
                 .position = live->positions.front(),
                 .parked = std::move(*parked),
                 .rows = {std::move(*reader), live->table, key_columns, shared_.options_.snapshot_bytes_max}});
  return {};
}

Instant UnitSnapshots::collect(Instant now) {
  const Result<bool> read = collecting_->rows.read_page();
  if (read && !*read) return now;
  if (read) {
    save(now);
  } else {
    pause(collecting_->member, now);
    collecting_->member.is_too_large = read.error() == Errc::too_large;
    log_warn("snapshot " + collecting_->member.key + " is not written: " + to_string(read.error()));
  }
  collecting_.reset();
  return now;
}

void UnitSnapshots::save(Instant now) {
  Snapshot snapshot{collecting_->position, collecting_->member.shape, collecting_->rows.finish(collecting_->parked)};
  saving_ = std::make_shared<Saving>();
  saving_->turn = std::move(collecting_->turn);
  saving_of_ = &collecting_->member;
  saving_at_ = snapshot.position.offset;
  shared_.rests_until_ = now + time_to_write(snapshot.state.size());
  shared_.log_.save(saving_of_->key, partition_, snapshot,
                    [saving = saving_, key = saving_of_->key](const Result<void>& saved) {
                      const bool is_told = saved || saved.error() == Errc::not_owner || saved.error() == Errc::closed;
                      if (!is_told) log_warn("snapshot " + key + " is not written: " + to_string(saved.error()));
                      saving->outcome = saved ? Saving::Outcome::saved : Saving::Outcome::failed;
                      saving->turn.reset();
                    });
}

}  // namespace lungo
