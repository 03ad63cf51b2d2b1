// Projections: folds whose states are rows, found by key.
//
//   struct TopPages {
//     using Events = lungo::events<PageViewed>;
//     using Key = std::string;                                  // or a struct; rows are ordered by its fields
//     struct State { std::int64_t views = 0; };                 // each field is a column
//     static Key key(const lungo::Envelope&, const PageViewed& e) { return e.url; }
//     static State evolve(State s, const PageViewed&) { ++s.views; return s; }
//   };
//
// `key` may return std::optional<Key> to skip an event, and a std::string_view where Key is std::string; where Key is a struct
// also one with the same fields as views, and a conversion to Key, which allocates for new rows only. Further, all optional:
// `topic` (default "events"), `projection_name` (default the struct's), `version` (an integer; change it when `evolve` or `key`
// change their meaning, and the rows are rebuilt; a static function where the program is told at run time what they mean: it is
// called when the engine starts and gives the same number until it stops), `merge(State, const State&)` (combines the states of
// several rows). A changed State or Key rebuilds the rows by itself.
//
// Promise: reads see committed rows only, rows and position of one moment, never an event that the log can still lose.
// Threads: a Projection may be read from any thread.
#pragma once

#include <concepts>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <lungo/framework/event_store.hpp>
#include <lungo/framework/fold.hpp>
#include <lungo/projections/row.hpp>
#include <lungo/projections/state_store.hpp>
#include <lungo/projections/watch.hpp>
#include <lungo/projections/worker.hpp>

namespace lungo {

/// "This read must see that commit": waits for it, at most so long.
struct AtLeast {
  Commit commit;
  Duration timeout;
};

inline AtLeast at_least(Commit commit, Duration timeout = std::chrono::seconds{5}) { return {std::move(commit), timeout}; }

/// What a projection is doing.
enum class ProjectionPhase {
  stopped,      // the engine is not running
  catching_up,  // applying what happened before
  live,         // at the committed end
  rebuilding,   // its rows were dropped and are being made again; `note` says why
  stalled,      // waits for the store or the log to work again; `error` says for what
  failed,       // stopped by `error`; others go on
};

std::string_view to_string(ProjectionPhase phase);

struct ProjectionStatus {
  std::string name;
  std::string topic;
  ProjectionPhase phase = ProjectionPhase::stopped;
  std::string note;                 // why a rebuild goes on
  std::vector<Position> positions;  // committed with the rows, one per partition
  std::vector<Offset> ends;         // the partitions' committed ends, as last seen
  std::int64_t lag = 0;             // events between the two
  std::int64_t parked = 0;          // events that could not be decoded and were passed over
  std::int64_t generation = 1;      // counts rebuilds
  std::string origin;               // where its history begins
  std::size_t cached_bytes = 0;     // rows held decoded
  std::optional<Error> error;
  bool rebuilt_beside = false;  // a rebuild that was asked for makes its rows anew, these are served and go on meanwhile
};

/// Name of a projection and of its table: `P::projection_name`, otherwise the struct's own name.
template <class P>
constexpr std::string_view projection_name() {
  if constexpr (requires { std::string_view{P::projection_name}; }) {
    return P::projection_name;
  } else {
    static_assert(!detail::kIsTemplateInstance<P>,
                  "lungo: a projection that is an instance of a class template needs `static constexpr std::string_view "
                  "projection_name`: compilers spell its name differently");
    return detail::plain_type_name<P>();
  }
}

template <class P>
concept MergesStates = requires(typename P::State a, const typename P::State& b) {
  { P::merge(std::move(a), b) } -> std::convertible_to<typename P::State>;
};

/// In what order, and how many.
struct ScanOptions {
  bool descending = false;
  std::size_t limit = SIZE_MAX;
};

/// A projection as the engine sees it; applications use Projection<P>.
class ProjectionBase {
 public:
  virtual ~ProjectionBase() = default;
  ProjectionBase(const ProjectionBase&) = delete;
  ProjectionBase& operator=(const ProjectionBase&) = delete;

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] const std::string& topic() const { return topic_; }
  [[nodiscard]] ProjectionStatus status() const;
  /// Waits until the rows hold the commit. Errors: timed_out (names the lag); the projection's own error when it has failed;
  /// invalid_argument for a commit to another topic, or when it was added after Engine::start(); closed before that.
  Result<void> wait_for(const AtLeast& wanted);
  /// 128-bit hash over all rows in key order, as hexadecimal digits: equal rows, equal text. Errors: as RowReader::scan.
  Result<std::string> fingerprint();

 protected:
  ProjectionBase(std::string name, std::string topic) : name_(std::move(name)), topic_(std::move(topic)) {}
  Result<bool> read_row(Cells key, const RowVisitor& visit);
  Result<void> scan_rows(const KeyRange& range, const RowVisitor& visit);
  WatchToken add_watcher(detail::TellChanges callback) { return watchers_.add(name_, std::move(callback)); }

 private:
  friend class Engine;
  friend class EngineCore;
  friend class EngineLoop;
  friend class SpreadUnit;
  friend class UnitSnapshots;

  /// What the engine lends: how to wait, and a view of the rows.
  struct Link {
    Executor* executor = nullptr;
    Clock* clock = nullptr;
    /// Tells the engine up to where somebody waits, until the token is gone.
    std::function<std::shared_ptr<void>(const TopicPartition&, Offset end)> await;
    std::unique_ptr<RowReader> reader;
  };

  [[nodiscard]] virtual std::unique_ptr<detail::Worker> make_worker() const = 0;
  [[nodiscard]] virtual TableSpec table_spec(std::string table) const = 0;
  [[nodiscard]] virtual std::string state_shape() const = 0;
  [[nodiscard]] virtual std::string key_shape() const = 0;
  [[nodiscard]] virtual std::int64_t version() const = 0;

  void connect(Link link);
  /// It was added too late, and reads and waits say so.
  void refuse(Error why);
  [[nodiscard]] Error not_connected() const;
  void publish(ProjectionStatus status);

  const std::string name_;
  const std::string topic_;
  mutable std::mutex mutex_;  // guards status_
  ProjectionStatus status_;
  std::mutex reading_;  // guards link_.reader
  Link link_;
  detail::Watchers watchers_;
};

/// Its instantiation is the compile error for what a projection lacks; the compiler names it.
template <class TheProjection>
struct projection_is_whole {
  static constexpr bool names_key = requires { typename TheProjection::Key; };
  static_assert(
      names_key,
      "lungo: this projection does not say by what its rows are found: add a public `using Key = std::string;`, or the "
      "type that its `key` gives");
  static constexpr bool value = fold_is_whole<TheProjection>::value && names_key;
};

template <class P>
class Projection final : public ProjectionBase {
  // Before anything of P is named, so that this is the first that a compiler says.
  static_assert(projection_is_whole<P>::value);

 public:
  using Key = typename P::Key;
  using State = typename P::State;
  using Row = RowOf<P>;

  /// What one commit changed.
  struct Changes {
    /// The engine's counter of commits that changed rows of a watched projection, the same for all projections that the commit
    /// changed. It grows; a projection does not get every number.
    std::uint64_t sequence = 0;
    /// Each row that the commit changed, its whole new state, in key order; valid during the call. A row is never removed.
    std::span<const Row> rows;
    /// All rows were replaced: a rebuild was swapped in, or they were dropped at the start to be made anew (or memory was short
    /// of copying what changed). `rows` is empty; read everything again.
    bool replaced = false;
  };

  Projection() : ProjectionBase(std::string(projection_name<P>()), std::string(topic_of<P>())) {}

  /// The row of this key, if there is one. Errors: as RowReader::get(); corrupt for a row that does not fit State.
  Result<std::optional<State>> get(const Key& key);
  /// Read your own write: the row once it holds the commit. Errors: also those of wait_for().
  Result<std::optional<State>> get(const Key& key, const AtLeast& wanted);

  /// Rows with from <= key < to, in key order.
  Result<std::vector<Row>> scan(const Key& from, const Key& to, ScanOptions options = {});
  /// All rows in key order.
  Result<std::vector<Row>> scan(ScanOptions options = {});
  /// Calls `visit(key, state)` for each row in key order, all as of one moment.
  template <class Visit>
  Result<void> for_each(Visit&& visit);
  /// The same among from <= key < to.
  template <class Visit>
  Result<void> for_each(const Key& from, const Key& to, Visit&& visit);

  /// The n rows with the largest values of a field, largest first; ties in key order.
  ///   top(10, &State::views)
  template <class Field>
  Result<std::vector<Row>> top(std::size_t n, Field State::*field);
  /// The same among from <= key < to.
  template <class Field>
  Result<std::vector<Row>> top(std::size_t n, Field State::*field, const Key& from, const Key& to);

  /// The states of the rows with from <= key < to combined by P::merge; a fresh State when there is none.
  Result<State> merged(const Key& from, const Key& to)
    requires MergesStates<P>;

  /// Calls `on_change` after each commit that changed rows of this projection, in the order of the commits, until the token is
  /// destroyed. From any thread, before or after Engine::start().
  ///
  /// Invariant: a scan that begins after Engine::change_sequence() has returned s sees every commit up to s; and a commit that
  /// a scan does not see is told to whoever watched before that scan. So this misses nothing:
  ///   (a) watch and keep what is told   (b) s = engine.change_sequence()   (c) scan   (d) apply what was and is told, sequence
  ///   > s
  /// The scan may hold such a change already. States are absolute, so applying it once more is harmless; a row may be older
  /// than in the scan until the next change is applied. After `replaced` come (b) to (d) again.
  ///
  /// A commit that fails is told once, when it succeeds at last. While catching up one commit may change as many rows as
  /// EngineOptions::cache_bytes hold; they are copied for the call. The sequence has advanced when at_least() has waited for
  /// the commit; the call comes soon after. Before the start nothing is told; rows that the start dropped, because code or log
  /// had changed, are told as `replaced` after it.
  ///
  /// The engine's thread calls, without a lock that reading needs: `on_change` may read projections, and begin and end to
  /// watch, but has to be quick and must not wait for the engine. What it throws is logged once, and it is called on.
  /// When the token is gone, no call is in progress and none begins: destroying it waits for a call, unless that call does it
  /// itself. So hold no lock then that the call takes, and do it outside of `visit` of for_each().
  [[nodiscard]] WatchToken watch(std::function<void(const Changes&)> on_change);

 private:
  /// Cells of two keys, kept alive for a scan.
  class Range {
   public:
    Range(const Key& from, const Key& to);
    [[nodiscard]] KeyRange key_range(ScanOptions options = {}) const;

   private:
    detail::RowScratch from_, to_;
  };

  std::unique_ptr<detail::Worker> make_worker() const override { return std::make_unique<detail::WorkerOf<P>>(); }
  TableSpec table_spec(std::string table) const override { return detail::table_spec<Key, State>(std::move(table)); }
  std::string state_shape() const override { return detail::shape_text<State>(); }
  std::string key_shape() const override { return detail::shape_text<Key>(); }
  std::int64_t version() const override {
    if constexpr (requires { std::int64_t{P::version()}; }) {
      return P::version();
    } else if constexpr (requires { std::int64_t{P::version}; }) {
      return P::version;
    } else {
      return 0;
    }
  }

  /// Visits decoded rows. `visit(Row&&)`; errors as scan().
  template <class Visit>
  Result<void> visit_rows(const KeyRange& range, Visit&& visit);
  template <class Field>
  Result<std::vector<Row>> top_of(std::size_t n, Field State::*field, const KeyRange& range);
  Error misfit() const { return {Errc::corrupt, "a row of " + name() + " does not fit its State or Key"}; }
};

}  // namespace lungo

#include <lungo/projections/projection_reads.hpp>
