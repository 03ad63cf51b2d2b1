// A projection whose rows are spread: each process keeps those of the partitions that it owns, and all of them together are
// read.
//
// Beside what projection.hpp asks for it says how its rows lie in the partitions, by one of
//
//   static State merge(State a, const State& b);      // a key may have a row in several partitions: their states are combined,
//                                                     // in any order (lungo::test::Interleavings checks that)
//   static lungo::StreamId stream_of(const Key&);     // a row is made of the events of this stream alone, so it lies in the
//                                                     // partition of that
//
// One that says neither does not compile. With stream_of() a look-up asks one process, otherwise all that own a partition.
//
// Promise: a read gives the rows of each partition as its owner has them, and each partition's once. Before an owner answers it
// has applied what was committed when the partition became its own, so that no read goes back behind what an earlier owner has
// shown while it was that. Rows of one partition come in pages of 256 KiB, each as of one moment; there is no moment for all of
// them. Threads: any, but for those that others wait for: the forwarder's and the server's, completions.
#pragma once

#include <algorithm>
#include <concepts>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <lungo/framework/envelope.hpp>
#include <lungo/framework/event_store.hpp>
#include <lungo/projections/projection.hpp>

namespace lungo {

/// How a read waits: for owners, and for what their rows have to hold.
struct SpreadRead {
  Duration timeout{std::chrono::seconds{5}};
  std::optional<Commit> at_least;  // read your own write: the rows hold it
};

template <class P>
concept KeyedByStream = requires(const typename P::Key& key) {
  { P::stream_of(key) } -> std::convertible_to<StreamId>;
};

/// Its instantiation is the compile error for a projection that does not say how it is spread; the compiler names it.
template <class TheProjection>
struct projection_is_spread {
  static_assert(MergesStates<TheProjection> || KeyedByStream<TheProjection>,
                "lungo: events of several partitions may make one row of this projection: say how two rows become one, "
                "`static State merge(State, const State&)`, or whose events make a row, `static lungo::StreamId "
                "stream_of(const Key&)`");
  static constexpr bool value = MergesStates<TheProjection> || KeyedByStream<TheProjection>;
};

/// A spread projection as its engine sees it; applications use SpreadProjection<P>.
class SpreadProjectionBase {
 public:
  virtual ~SpreadProjectionBase() = default;
  SpreadProjectionBase(const SpreadProjectionBase&) = delete;
  SpreadProjectionBase& operator=(const SpreadProjectionBase&) = delete;

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] const std::string& topic() const { return topic_; }

 protected:
  SpreadProjectionBase(std::string name, std::string topic) : name_(std::move(name)), topic_(std::move(topic)) {}

  /// Visits the row with this key, in the partition of the stream or, without one, in each that has it.
  Result<void> visit_row(Cells key, const std::optional<StreamId>& stream, const SpreadRead& how, const RowVisitor& visit);
  /// Visits the rows of the range, one partition after the other, each in key order; so many of each at most.
  Result<void> visit_rows(const KeyRange& range, const SpreadRead& how, const RowVisitor& visit);

 private:
  friend class SpreadEngine;
  friend class SpreadCore;

  [[nodiscard]] Error in_no_engine() const;
  /// What keeps the rows of one partition.
  [[nodiscard]] virtual std::unique_ptr<ProjectionBase> make() const = 0;

  const std::string name_;
  const std::string topic_;
  class SpreadCore* core_ = nullptr;  // of the engine that it was added to
};

template <class P>
class SpreadProjection final : public SpreadProjectionBase {
  static_assert(projection_is_whole<P>::value && projection_is_spread<P>::value);

 public:
  using Key = typename P::Key;
  using State = typename P::State;
  using Row = RowOf<P>;

  SpreadProjection() : SpreadProjectionBase(std::string(projection_name<P>()), std::string(topic_of<P>())) {}

  // All reads answer: timed_out, naming the partition and why: nobody owns it, its owner is not reached, has not applied enough
  // or its store refuses; not_owner, naming the owner, where the store has no Forwarder to reach it by; unsupported where a
  // process has another State, Key or version of P; not_found where it has no P; handler_failed and undecodable, of a
  // projection that has stopped; invalid_argument for a commit to another topic; too_large for a row that fits in no message;
  // closed before the engine's start and behind its stop; corrupt for a row that does not fit State.

  /// The row of this key, if there is one.
  Result<std::optional<State>> get(const Key& key, const SpreadRead& how = {});

  /// Rows with from <= key < to, in key order.
  Result<std::vector<Row>> scan(const Key& from, const Key& to, ScanOptions options = {}, const SpreadRead& how = {});
  /// All rows in key order. All partitions' rows are held in memory until they are combined, here and below.
  Result<std::vector<Row>> scan(ScanOptions options = {}, const SpreadRead& how = {});

  /// The n rows with the largest values of a field, largest first; ties in key order.
  template <class Field>
  Result<std::vector<Row>> top(std::size_t n, Field State::*field, const SpreadRead& how = {});

  /// The states of the rows with from <= key < to combined by P::merge; a fresh State when there is none.
  Result<State> merged(const Key& from, const Key& to, const SpreadRead& how = {})
    requires MergesStates<P>;

 private:
  /// Rows of all partitions, those of one key combined. By the bytes that order as keys do.
  using Combined = std::map<std::string, Row>;

  std::unique_ptr<ProjectionBase> make() const override { return std::make_unique<Projection<P>>(); }
  Result<Combined> combined(const KeyRange& range, const SpreadRead& how);
  Result<std::vector<Row>> rows(const KeyRange& range, ScanOptions options, const SpreadRead& how);
  [[nodiscard]] Error misfit() const { return {Errc::corrupt, "a row of " + name() + " does not fit its State or Key"}; }
  [[nodiscard]] Error twice() const {
    return {Errc::invalid_argument,
            "two partitions have a row of " + name() + " with one key: its stream_of() does not name the stream of the events"};
  }
};

template <class P>
Result<std::optional<typename P::State>> SpreadProjection<P>::get(const Key& key, const SpreadRead& how) {
  detail::RowScratch scratch;
  detail::append_key_cells(key, scratch);
  std::optional<StreamId> stream;
  if constexpr (KeyedByStream<P>) stream = P::stream_of(key);
  std::optional<State> found;
  bool fits = true;
  Result<void> read = this->visit_row(scratch.cells(), stream, how, [&](Cells row) {
    State state{};
    fits = detail::read_state<Key>(row, state);
    if constexpr (MergesStates<P>) {
      found = found ? P::merge(std::move(*found), state) : std::move(state);
    } else {
      found = std::move(state);
    }
    return fits;
  });
  if (!read) return read.error();
  if (!fits) return misfit();
  return found;
}

template <class P>
auto SpreadProjection<P>::combined(const KeyRange& range, const SpreadRead& how) -> Result<Combined> {
  Combined all;
  bool fits = true;
  bool is_twice = false;
  Result<void> read = this->visit_rows(range, how, [&](Cells cells) {
    Row row;
    fits = detail::read_key(cells, row.key) && detail::read_state<Key>(cells, row.state);
    if (!fits) return false;
    std::string order;
    detail::append_ordered_value(row.key, order);
    const auto [found, is_new] = all.try_emplace(std::move(order), std::move(row));
    if (is_new) return true;
    if constexpr (MergesStates<P>) {
      found->second.state = P::merge(std::move(found->second.state), row.state);  // try_emplace() left the row as it was
    } else {
      is_twice = true;
    }
    return !is_twice;
  });
  if (!read) return read.error();
  if (!fits) return misfit();
  if (is_twice) return twice();
  return all;
}

template <class P>
auto SpreadProjection<P>::rows(const KeyRange& range, ScanOptions options, const SpreadRead& how) -> Result<std::vector<Row>> {
  Result<Combined> all = combined(range, how);
  if (!all) return all.error();
  std::vector<Row> rows;
  const auto take = [&](auto begin, auto end) {
    for (; begin != end && rows.size() < options.limit; ++begin) rows.push_back(std::move(begin->second));
  };
  if (options.descending) {
    take(all->rbegin(), all->rend());
  } else {
    take(all->begin(), all->end());
  }
  return rows;
}

template <class P>
auto SpreadProjection<P>::scan(const Key& from, const Key& to, ScanOptions options, const SpreadRead& how)
    -> Result<std::vector<Row>> {
  detail::RowScratch first, end;
  detail::append_key_cells(from, first);
  detail::append_key_cells(to, end);
  // The first rows of all partitions are among the first of each.
  return rows({first.cells(), end.cells(), options.descending, options.limit}, options, how);
}

template <class P>
auto SpreadProjection<P>::scan(ScanOptions options, const SpreadRead& how) -> Result<std::vector<Row>> {
  return rows({{}, {}, options.descending, options.limit}, options, how);
}

template <class P>
template <class Field>
auto SpreadProjection<P>::top(std::size_t n, Field State::*field, const SpreadRead& how) -> Result<std::vector<Row>> {
  Result<std::vector<Row>> all = scan({}, how);
  if (!all) return all;
  std::stable_sort(all->begin(), all->end(), [field](const Row& a, const Row& b) { return b.state.*field < a.state.*field; });
  if (all->size() > n) all->erase(all->begin() + static_cast<std::ptrdiff_t>(n), all->end());
  return all;
}

template <class P>
Result<typename P::State> SpreadProjection<P>::merged(const Key& from, const Key& to, const SpreadRead& how)
  requires MergesStates<P>
{
  Result<std::vector<Row>> all = scan(from, to, {}, how);
  if (!all) return all.error();
  State sum{};
  for (const Row& row : *all) sum = P::merge(std::move(sum), row.state);
  return sum;
}

}  // namespace lungo
