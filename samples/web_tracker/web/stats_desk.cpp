#include "web/stats_desk.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <utility>

namespace tracker {
namespace {

namespace json = boost::json;
using lungo::Errc;
using lungo::Error;
using lungo::Instant;
using lungo::Result;

constexpr std::size_t kJobsPerStep = 16;
constexpr lungo::Duration kTick = std::chrono::seconds{1};
constexpr lungo::Duration kReportInterval = std::chrono::milliseconds{500};
constexpr int kReloadRest = 4;  // of five seconds, at most one is spent on loading anew

std::string message(std::string_view type, json::object parts) {
  json::object object{{"type", type}};
  for (auto& [name, part] : parts) object[name] = std::move(part);
  return json::serialize(object);
}

std::string view_message(StatsView& view) { return message("view", {{"view", view.whole()}}); }

}  // namespace

StatsDesk::StatsDesk(lungo::Engine& engine, AddedProjections& rows, lungo::Ports ports, lungo::Duration update_interval,
                     std::size_t view_bytes_max)
    : engine_(engine),
      rows_(rows),
      ports_(ports),
      update_interval_(update_interval),
      view_bytes_max_(view_bytes_max),
      report_(engine),
      mailbox_([this] { wake(); }) {}

StatsDesk::~StatsDesk() { mailbox_.close(); }

void StatsDesk::set_running(lungo::RunningActivity* running) {
  const std::lock_guard lock{mutex_};
  running_ = running;
}

void StatsDesk::set_sink(Sink sink) {
  const std::lock_guard lock{mutex_};
  sink_ = std::move(sink);
}

void StatsDesk::wake() {
  const std::lock_guard lock{mutex_};
  if (running_ != nullptr) running_->wake();
}

bool StatsDesk::submit(std::function<void()> job, Load load) {
  {
    const std::lock_guard lock{mutex_};
    std::deque<std::function<void()>>& jobs = load == Load::light ? light_jobs_ : heavy_jobs_;
    if (jobs.size() >= kJobsMax) return false;
    jobs.push_back(std::move(job));
  }
  wake();
  return true;
}

void StatsDesk::unwatch(std::uint64_t view) {
  {
    const std::lock_guard lock{mutex_};
    unwatched_.push_back(view);
  }
  wake();
}

std::chrono::sys_seconds StatsDesk::wall_time() const { return std::chrono::floor<std::chrono::seconds>(ports_.clock.now()); }

Result<std::unique_ptr<StatsView>> StatsDesk::load(const StatsFilter& filter) {
  const std::chrono::sys_seconds now = wall_time();
  Result<std::optional<std::string>> oldest = oldest_day(rows_);
  if (!oldest) return oldest.error();
  auto view = std::make_unique<StatsView>(filter, filter.resolve(now, *oldest));
  Result<void> loaded = load_rows(rows_, *view);
  if (!loaded) return loaded.error();
  Result<std::int64_t> live = live_visitors(rows_, now);
  if (!live) return live.error();
  view->set_live(*live);
  return view;
}

// What is committed up to the sequence is in the rows that are read; later commits are told to the mailbox, which is open.
Result<void> StatsDesk::load_into(View& view) {
  const std::uint64_t sequence = engine_.change_sequence();
  Result<std::unique_ptr<StatsView>> loaded = load(view.stats ? view.stats->filter() : StatsFilter{});
  if (!loaded) return loaded.error();
  view.stats = std::move(*loaded);
  view.sequence = sequence;
  view.is_fresh = true;
  return {};
}

StatsDesk::View* StatsDesk::find(const StatsFilter& filter) {
  const auto same =
      std::find_if(views_.begin(), views_.end(), [&](const auto& view) { return view->stats->filter() == filter; });
  return same != views_.end() ? same->get() : nullptr;
}

Result<std::unique_ptr<StatsDesk::View>> StatsDesk::make(const StatsFilter& filter) {
  if (filter.page) mailbox_.want_counts(true);
  if (!mailbox_.is_open()) mailbox_.open(rows_);  // until drop_unwatched(), when no view stays
  auto view = std::make_unique<View>();
  view->sequence = engine_.change_sequence();
  Result<std::unique_ptr<StatsView>> loaded = load(filter);
  if (!loaded) return loaded.error();
  view->id = ++last_id_;
  view->kept_until = ports_.clock.monotonic() + kKept;
  view->stats = std::move(*loaded);
  return view;
}

// Views that nobody watches go for another one. One view may take any memory: a year of many pages does.
bool StatsDesk::make_room(std::size_t bytes) {
  const auto is_full = [&] {
    std::size_t sum = bytes;
    for (const std::unique_ptr<View>& view : views_) sum += view->stats->bytes();
    return views_.size() >= kViewsMax || (sum > view_bytes_max_ && !views_.empty());
  };
  while (is_full()) {
    const auto idle = std::find_if(views_.begin(), views_.end(), [](const auto& view) { return view->watchers == 0; });
    if (idle == views_.end()) return false;
    views_.erase(idle);
  }
  return true;
}

Result<StatsDesk::Watched> StatsDesk::watch(const StatsFilter& filter) {
  View* view = find(filter);
  if (view == nullptr) {
    if (!make_room(0))
      return Error{Errc::busy,
                   "too many different filters are watched; close a dashboard, or choose a period that others have"};
    Result<std::unique_ptr<View>> made = make(filter);
    if (!made) return made.error();
    if (!make_room((*made)->stats->bytes()))
      return Error{Errc::busy, "what is watched takes too much memory; close a dashboard, or choose a shorter period"};
    view = views_.emplace_back(std::move(*made)).get();
  }
  // Those who watch already get what they lack before all of it is taken as told.
  if (view->watchers > 0) tell(*view);
  view->is_dirty = view->is_fresh = false;
  ++view->watchers;
  return Watched{view->id, view_message(*view->stats)};
}

Result<StatsDesk::Watched> StatsDesk::watch_projections() {
  ++projection_watchers_;
  return Watched{kProjections, message("projections", report_.report(ports_.clock.monotonic()))};
}

Result<std::string> StatsDesk::stats(const StatsFilter& filter) {
  take_changes();
  if (View* view = find(filter)) {
    Result<void> loaded = must_reload_ ? load_into(*view) : Result<void>{};
    if (!loaded) return loaded.error();
    return json::serialize(view->stats->peek());
  }
  Result<std::unique_ptr<View>> made = make(filter);
  if (!made) return made.error();
  std::string text = json::serialize((*made)->stats->peek());
  if (make_room((*made)->stats->bytes())) views_.push_back(std::move(*made));
  return text;
}

Result<std::string> StatsDesk::projections() { return json::serialize(report_.report(ports_.clock.monotonic())); }
Result<void> StatsDesk::begin_rebuild(const std::vector<std::string>& names) { return report_.begin_rebuild(names); }
Result<void> StatsDesk::cancel_rebuild() { return report_.cancel_rebuild(); }

// True when more wait.
bool StatsDesk::run_jobs() {
  for (std::size_t done = 0; done < kJobsPerStep; ++done) {
    std::function<void()> job;
    {
      const std::lock_guard lock{mutex_};
      std::deque<std::function<void()>>& jobs = light_jobs_.empty() ? heavy_jobs_ : light_jobs_;
      if (jobs.empty()) return false;
      job = std::move(jobs.front());
      jobs.pop_front();
    }
    try {
      job();
    } catch (...) {  // a job answers for itself; nobody is left to tell
    }
  }
  const std::lock_guard lock{mutex_};
  return !light_jobs_.empty() || !heavy_jobs_.empty();
}

void StatsDesk::end_watches(Instant now) {
  std::vector<std::uint64_t> ended;
  {
    const std::lock_guard lock{mutex_};
    ended.swap(unwatched_);
  }
  for (const std::uint64_t id : ended) {
    if (id == kProjections && projection_watchers_ > 0) --projection_watchers_;
    for (const std::unique_ptr<View>& view : views_) {
      if (view->id != id || view->watchers == 0) continue;
      --view->watchers;
      view->kept_until = now + kKept;
    }
  }
  drop_unwatched(now);
}

void StatsDesk::drop_unwatched(Instant now) {
  std::erase_if(views_, [now](const auto& view) { return view->watchers == 0 && view->kept_until <= now; });
  mailbox_.want_counts(std::any_of(views_.begin(), views_.end(), [](const auto& view) { return view->stats->filter().page; }));
  if (views_.empty()) mailbox_.close();
}

void StatsDesk::take_changes() {
  const ChangeMailbox::Taken taken = mailbox_.take();
  must_reload_ = must_reload_ || taken.reload;
  for (const ChangeMailbox::Change& change : taken.changes) {
    for (const std::unique_ptr<View>& view : views_) {
      if (change.sequence <= view->sequence) continue;
      view->stats->apply(change.row);
      view->is_dirty = true;
    }
  }
}

// Once a second: who is live now, and which views begin or end elsewhere by now.
void StatsDesk::look_at_clock(Instant now) {
  if (views_.empty() || now < next_tick_) return;
  next_tick_ = now + kTick;
  const std::chrono::sys_seconds time = wall_time();
  const Result<std::int64_t> live = live_visitors(rows_, time);
  const Result<std::optional<std::string>> oldest = oldest_day(rows_);
  for (const std::unique_ptr<View>& view : views_) {
    if (live) {
      view->stats->set_live(*live);
      view->is_dirty = true;
    }
    if (!oldest || view->stats->filter().resolve(time, *oldest) == view->stats->period()) continue;
    const Result<void> loaded = load_into(*view);
    if (!loaded) must_reload_ = true;  // and until then it shows what was
  }
}

void StatsDesk::reload_all(Instant now) {
  if (!must_reload_ || now < next_reload_) return;
  must_reload_ = false;
  const Instant begin = ports_.clock.monotonic();
  for (const std::unique_ptr<View>& view : views_) {
    const Result<void> loaded = load_into(*view);
    if (!loaded) must_reload_ = true;
  }
  const Instant end = ports_.clock.monotonic();
  next_reload_ = end + std::max<lungo::Duration>(must_reload_ ? kTick : update_interval_, kReloadRest * (end - begin));
}

void StatsDesk::send(std::uint64_t view, std::string text) {
  Sink sink;
  {
    const std::lock_guard lock{mutex_};
    sink = sink_;
  }
  if (sink) sink(view, std::make_shared<const std::string>(std::move(text)));
}

void StatsDesk::tell(View& view) {
  view.is_dirty = false;
  if (std::exchange(view.is_fresh, false)) return send(view.id, view_message(*view.stats));
  json::object changes = view.stats->changes();
  if (!changes.empty()) send(view.id, message("change", std::move(changes)));
}

void StatsDesk::tell_all(Instant now) {
  if (now < next_update_) return;
  bool told = false;
  for (const std::unique_ptr<View>& view : views_) {
    if (view->watchers == 0 || (!view->is_dirty && !view->is_fresh)) continue;
    tell(*view);
    told = true;
  }
  if (told) next_update_ = now + update_interval_;
}

void StatsDesk::tell_projections(Instant now) {
  if (projection_watchers_ == 0 || now < next_report_) return;
  next_report_ = now + kReportInterval;
  std::string text = message("projections", report_.report(now));
  if (text == told_report_) return;
  told_report_ = text;
  send(kProjections, std::move(text));
}

Instant StatsDesk::next_step(Instant now) const {
  Instant next = Instant::max();
  if (!views_.empty()) next = std::min(next, next_tick_);
  if (must_reload_ && !views_.empty()) next = std::min(next, std::max(now, next_reload_));
  if (projection_watchers_ > 0) next = std::min(next, next_report_);
  const bool untold = std::any_of(views_.begin(), views_.end(),
                                  [](const auto& view) { return view->watchers > 0 && (view->is_dirty || view->is_fresh); });
  return untold ? std::min(next, next_update_) : next;
}

Instant StatsDesk::step(Instant now) {
  try {
    end_watches(now);
    const bool more = run_jobs();
    take_changes();
    look_at_clock(now);
    reload_all(now);
    tell_all(now);
    tell_projections(now);
    return more ? now : next_step(now);
  } catch (...) {  // memory, most likely: what was half done is made anew
    must_reload_ = true;
    next_reload_ = now + kTick;
    return now + kTick;
  }
}

}  // namespace tracker
