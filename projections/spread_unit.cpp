#include "spread_unit.hpp"

#include <algorithm>
#include <utility>

#include <lungo/framework/forwarder.hpp>
#include <lungo/log/check.hpp>

#include "logger.hpp"
#include "store_list.hpp"

namespace lungo {

SpreadUnit::~SpreadUnit() {
  if (loop_) loop_->set_running(nullptr);
}

SpreadTable SpreadUnit::table_of(const ProjectionBase& projection) {
  return {projection.state_shape() + ' ' + projection.key_shape() + ' ' + std::to_string(projection.version()),
          projection.table_spec(projection.name()).key.size()};
}

void SpreadUnit::add(std::unique_ptr<ProjectionBase> projection) {
  SpreadTable table = table_of(*projection);
  snapshots_.add(*projection, table.meaning);
  members_.push_back({std::move(projection), std::move(table)});
}

// ---- ownership ----

void SpreadUnit::give() {
  const std::lock_guard lock{mutex_};
  ++tenure_;
  state_ = State::entering;
  error_.reset();
}

void SpreadUnit::take() {
  const std::lock_guard lock{mutex_};
  state_ = State::away;
}

auto SpreadUnit::state() const -> State {
  const std::lock_guard lock{mutex_};
  return state_;
}

Instant SpreadUnit::step(Instant now, RunningActivity& running) {
  const State found = state();
  if (found == State::away) {
    const Result<void> closed = close(now);
    if (!closed) log_warn("the rows of " + to_string(partition_) + " were given up with: " + to_string(closed.error()));
    retry_at_ = Instant::min();
    return Instant::max();
  }
  if (found == State::entering && now < retry_at_) return retry_at_;
  if (found == State::entering) {
    const Result<bool> entered = enter(running);
    if (!entered) {
      const std::lock_guard lock{mutex_};
      if (!error_) log_warn("rows of " + to_string(partition_) + " wait: " + to_string(entered.error()));
      error_ = entered.error();
      return retry_at_ = now + options_.retry_interval;
    }
    if (!*entered) return waits_for_turn_ ? Instant::max() : now;
  }
  if (snapshots_.is_collecting()) return snapshots_.write(now, *rows_);
  const Instant next = loop_->step(now);
  return std::min(next, snapshots_.write(now, *rows_));
}

/// True when its rows are open; then it serves, unless it was given again meanwhile and the next step looks again. Errors: as
/// open().
Result<bool> SpreadUnit::enter(RunningActivity& running) {
  std::uint64_t tenure = 0;
  {
    const std::lock_guard lock{mutex_};
    tenure = tenure_;
  }
  if (!loop_) {
    Result<bool> opened = Error{Errc::closed, ""};
    try {
      opened = open(running);
    } catch (...) {  // the application makes the stores
      opened = Error{Errc::closed, "the rows of " + to_string(partition_) + " were not opened: " + current_exception_text()};
    }
    if (!opened) static_cast<void>(close(Instant{}).has_value());  // nothing was applied
    if (!opened || !*opened) return opened;
  }
  const Result<Ends> ends = store_.log().ends(partition_);
  if (!ends) return ends.error();
  const std::lock_guard lock{mutex_};
  if (state_ != State::entering || tenure_ != tenure) return true;
  state_ = State::serving;
  serves_from_ = ends->committed;
  error_.reset();
  return true;
}

/// A piece of it; true when all is open. Errors: as StateStore::open(), UnitSnapshots::install() and EngineLoop::open().
Result<bool> SpreadUnit::open(RunningActivity& running) {
  if (!rows_) {
    const Result<void> opened = open_store();
    if (!opened) return opened.error();
  }
  const Result<UnitSnapshots::Installed> installed = snapshots_.install(*rows_);
  if (!installed) return installed.error();
  waits_for_turn_ = *installed == UnitSnapshots::Installed::waits;
  if (*installed != UnitSnapshots::Installed::all) return false;
  const Result<void> opened = open_loop(running);
  if (!opened) return opened.error();
  return true;
}

Result<void> SpreadUnit::open_store() {
  EventLog& log = store_.log();
  const std::optional<std::string> directory = log.directory();
  rows_ = stores_(partition_);
  check(rows_ != nullptr, "SpreadStores makes a store");
  Result<void> opened = rows_->open({log.ports(), directory.value_or(""), false});
  if (!opened || !directory || rows_->describe() == "memory") return opened;
  return add_to_store_list(log.ports().storage, *directory, rows_->describe());
}

Result<void> SpreadUnit::open_loop(RunningActivity& running) {
  loop_ = std::make_unique<EngineLoop>(store_, *rows_, options_, partition_.partition);
  for (const Member& member : members_) loop_->add(*member.projection);
  Result<void> opened = loop_->open();
  if (!opened) return opened;
  Result<std::unique_ptr<RowReader>> reader = rows_->reader();
  if (!reader) return reader.error();
  loop_->set_running(&running);
  const std::lock_guard lock{mutex_};
  reader_ = std::move(*reader);
  return {};
}

Result<void> SpreadUnit::close(Instant now) {
  Result<void> last;
  if (loop_) {
    loop_->stop();
    loop_->step(now);
    last = loop_->stopped().value_or(Result<void>{});
    loop_->set_running(nullptr);
  }
  {
    const std::lock_guard lock{mutex_};
    reader_.reset();
  }
  snapshots_.close();
  loop_.reset();
  rows_.reset();
  return last;
}

Result<void> SpreadUnit::stop(Instant now) {
  take();
  return close(now);
}

// ---- reading ----

Result<SpreadPage> SpreadUnit::page(const SpreadQuery& query) {
  const auto member = std::ranges::find(members_, query.projection, [](const Member& one) { return one.projection->name(); });
  if (member == members_.end())
    return Error{Errc::not_found, "there is no projection " + query.projection + " of topic " + partition_.topic};
  if (member->table.meaning != query.meaning)
    return Error{Errc::unsupported, query.projection + " has another State, Key or version there: the programs differ"};
  const std::lock_guard lock{mutex_};
  if (const std::optional<Error> refused = why_not(*member, query)) return *refused;
  return read(*member, query);
}

std::optional<Error> SpreadUnit::why_not(const Member& member, const SpreadQuery& query) const {
  if (state_ == State::away) return Error{Errc::not_owner, to_string(partition_) + " is another process's"};
  if (state_ == State::entering || !reader_) {
    return Error{Errc::busy, "the rows of " + to_string(partition_) +
                                 (error_ ? " can't be opened: " + to_string(*error_) : std::string(" are being opened"))};
  }
  const ProjectionStatus status = member.projection->status();
  const Offset wanted = std::max(serves_from_, query.applied);
  const Offset applied = status.positions.empty() ? Offset{0} : status.positions.front().offset;
  if (applied >= wanted) return std::nullopt;
  if (status.phase == ProjectionPhase::failed && status.error) return status.error->with_context("projection " + status.name);
  return Error{Errc::busy, query.projection + " has applied " + to_string(partition_) + " up to offset " +
                               std::to_string(applied.value()) + "; waited for " + std::to_string(wanted.value()) +
                               (status.error ? ": " + to_string(*status.error) : std::string())};
}

Result<SpreadPage> SpreadUnit::read(const Member& member, const SpreadQuery& query) {
  const Result<std::vector<Cell>> from = query.from.empty() ? std::vector<Cell>{} : cells_of(query.from);
  if (!from) return from.error();
  const Result<std::vector<Cell>> to = query.to.empty() ? std::vector<Cell>{} : cells_of(query.to);
  if (!to) return to.error();
  if (from->size() > member.table.key_columns || to->size() > member.table.key_columns ||
      (query.is_one && from->size() != member.table.key_columns))
    return Error{Errc::invalid_argument, "no key of " + query.projection};
  Writer rows;
  SpreadPage page;
  std::uint64_t left = query.limit;
  const auto visit = [&](Cells row) {
    if (query.past_from && bytes_of_cells(row.first(member.table.key_columns)) == query.from) return true;
    if (left == 0) return false;
    page.more = rows.bytes().size() >= kSpreadPageBytes;
    if (page.more) return false;
    put_cells(rows, row);
    --left;
    return true;
  };
  const std::string& table = member.projection->name();
  const Result<void> read = [&]() -> Result<void> {
    if (!query.is_one) return reader_->scan(table, {*from, *to, query.descending}, visit);
    const Result<bool> found = reader_->get(table, *from, visit);
    return found ? Result<void>{} : Result<void>{found.error()};
  }();
  if (!read) return read.error();
  rows.append_to(page.rows);
  return page;
}

std::optional<SpreadStatus> SpreadUnit::status() const {
  SpreadStatus status{partition_, false, {}, {}};
  {
    const std::lock_guard lock{mutex_};
    if (state_ == State::away) return std::nullopt;
    status.is_open = reader_ != nullptr;
    status.error = error_;
  }
  for (const Member& member : members_) status.projections.push_back(member.projection->status());
  return status;
}

}  // namespace lungo
