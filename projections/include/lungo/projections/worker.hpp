// What the engine knows of a projection without its types, and the part that has them: rows held decoded, events applied.
//
// For the engine; applications see projection.hpp.
// Threads: the engine's only.
#pragma once

#include <algorithm>
#include <concepts>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <lungo/framework/envelope.hpp>
#include <lungo/framework/event_decoder.hpp>
#include <lungo/framework/fold.hpp>
#include <lungo/log/check.hpp>
#include <lungo/projections/key_order.hpp>
#include <lungo/projections/row.hpp>
#include <lungo/projections/row_cache.hpp>
#include <lungo/projections/state_store.hpp>

namespace lungo {

/// A row as applications see it.
template <class P>
struct RowOf {
  typename P::Key key{};
  typename P::State state{};
};

}  // namespace lungo

namespace lungo::detail {

class Worker;

/// Applies one event. False: the worker has failed, see Worker::error(). A plain function, as it runs for every event.
using ApplyEvent = bool (*)(Worker& worker, const Envelope& envelope, const void* event);

/// Feeds events to one table of one projection.
class Worker {
 public:
  /// Tells which function takes events of which of the decoder's types.
  using Listen = std::function<void(int type, ApplyEvent apply)>;

  virtual ~Worker() = default;
  /// Rows are in `table` from now on. `empty`: it has none, so a row that was never held does not exist.
  void attach(StateStore& store, TableId table, bool empty) {
    store_ = &store;
    table_ = table;
    knows_all_ = empty;
  }
  [[nodiscard]] TableId table() const { return table_; }

  virtual void listen(EventDecoder& decoder, const Listen& add) = 0;
  [[nodiscard]] virtual bool answers_to(std::string_view event_name) const = 0;
  /// Writes the rows that changed, in key order, inside of the store's transaction.
  virtual Result<void> write() = 0;
  /// The transaction was committed.
  virtual void written() = 0;
  /// True when write() has written rows; until written().
  [[nodiscard]] virtual bool has_written_rows() const = 0;
  /// Copies of them: a std::vector<RowOf<P>> in key order.
  [[nodiscard]] virtual std::shared_ptr<const void> written_rows() const = 0;
  /// Drops rows that need no writing until about `bytes_max` are held.
  virtual void evict(std::size_t bytes_max) = 0;
  [[nodiscard]] virtual std::size_t bytes() const = 0;
  /// handler_failed, or why a row could not be read.
  [[nodiscard]] const std::optional<Error>& error() const { return error_; }
  void fail(Error error) { error_ = std::move(error); }

 protected:
  StateStore* store_ = nullptr;
  TableId table_;
  bool knows_all_ = false;  // all rows of the table are held, or were
  std::optional<Error> error_;
};

template <class T>
inline constexpr bool is_optional_key = is_instance<T, std::optional>;

template <class P, class E>
concept HasKey = requires(const Envelope& envelope, const E& event) { P::key(envelope, event); };

template <class Key, class Given>
inline constexpr bool makes_key = std::constructible_from<Key, const Given&>;
template <class Key, class Given>
inline constexpr bool makes_key<Key, std::optional<Given>> = std::constructible_from<Key, const Given&>;

template <class P, class E>
concept KeyFits = requires(const Envelope& envelope, const E& event) {
  requires makes_key<typename P::Key, std::remove_cvref_t<decltype(P::key(envelope, event))>>;
};

/// Its instantiation is the compile error for a missing or unfit `key`; the compiler names both types.
template <class TheProjection, class TheEvent>
struct key_is_there {
  static_assert(HasKey<TheProjection, TheEvent>,
                "lungo: this projection lists the event but has no key for it: add "
                "`static Key key(const lungo::Envelope&, const TheEvent&)`, or let it return std::optional<Key> to skip some");
  static_assert(
      !HasKey<TheProjection, TheEvent> || KeyFits<TheProjection, TheEvent>,
      "lungo: what `key` gives for the event makes no Key of this projection: let it return Key, or std::optional<Key>");
  static constexpr bool value = KeyFits<TheProjection, TheEvent>;
};

template <class P>
class WorkerOf final : public Worker {
 public:
  using Key = typename P::Key;
  using State = typename P::State;

  void listen(EventDecoder& decoder, const Listen& add) override {
    [&]<class... E>(events<E...>*) { (add(decoder.add<E>(), &apply<E>), ...); }(static_cast<typename P::Events*>(nullptr));
  }

  bool answers_to(std::string_view event_name) const override {
    return [&]<class... E>(events<E...>*) {
      return (lungo::answers_to<E>(event_name) || ...);
    }(static_cast<typename P::Events*>(nullptr));
  }

  Result<void> write() override;

  void written() override {
    rows_.written();
    order_.clear();
  }
  bool has_written_rows() const override { return !order_.empty(); }
  std::shared_ptr<const void> written_rows() const override {
    auto rows = std::make_shared<std::vector<RowOf<P>>>();
    rows->reserve(order_.size());
    order_.for_each([&](std::size_t number) {
      const Row& row = *rows_.dirty()[number];
      rows->push_back({row.key, row.state});
    });
    return rows;
  }
  void evict(std::size_t bytes_max) override { rows_.evict(bytes_max); }
  std::size_t bytes() const override { return rows_.bytes(); }

 private:
  using Row = typename RowCache<Key, State>::Row;

  template <class E>
  static bool apply(Worker& worker, const Envelope& envelope, const void* event) {
    if constexpr (key_is_there<P, E>::value) {
      auto& self = static_cast<WorkerOf&>(worker);
      try {
        const E& typed = *static_cast<const E*>(event);
        decltype(auto) key = P::key(envelope, typed);
        if constexpr (is_optional_key<std::remove_cvref_t<decltype(key)>>) {
          return !key || self.evolve_row(*key, typed);
        } else {
          return self.evolve_row(key, typed);
        }
      } catch (...) {
        self.handler_threw(envelope, current_exception_text());
      }
    }
    return false;
  }

  template <class K, class E>
  bool evolve_row(const K& key, const E& event) {
    Row* row = nullptr;
    if constexpr (std::is_same_v<K, Key> || views_key<K, Key>()) {
      row = find_row(key);
    } else if constexpr (std::is_same_v<Key, std::string> && std::is_convertible_v<const K&, std::string_view>) {
      row = find_row(std::string_view{key});  // no std::string is made for a row that is held
    } else {
      row = find_row(Key(key));
    }
    if (row == nullptr) return false;
    evolve_into<P>(row->state, event);
    rows_.touch(*row);
    return true;
  }

  /// The row, read from the store or made when it is not held. Null: error() says why.
  template <class K>
  Row* find_row(const K& key) {
    if (Row* row = rows_.find_again(key)) return row;
    const std::uint64_t hash = key_hash(key);
    if (Row* row = rows_.find(hash, key)) return row;
    Row& row = rows_.insert(hash, Key(key));
    const bool is_new = knows_all_ && !rows_.may_have_dropped(hash);
    if (is_new || read_row(row)) return &row;
    return nullptr;
  }

  bool read_row(Row& row) {
    scratch_.clear();
    append_key_cells(row.key, scratch_);
    bool readable = true;
    const Result<bool> found = store_->get(table_, scratch_.cells(), [&](Cells cells) {
      readable = read_state<Key>(cells, row.state);
      return true;
    });
    if (!found) {
      fail(found.error());
    } else if (!readable) {
      fail({Errc::corrupt, "a row of the table holds what its columns can't"});
    }
    return found && readable;
  }

  void handler_threw(const Envelope& envelope, std::string_view what) {
    fail({Errc::handler_failed,
          "its handler failed on " + std::string(envelope.type) + " at " + std::string(envelope.topic) + "-" +
              std::to_string(envelope.partition.value()) + " offset " + std::to_string(envelope.offset.value()) + ": " +
              std::string(what),
          envelope.offset});
  }

  RowCache<Key, State> rows_;
  RowScratch scratch_;
  KeyOrder order_;  // of the dirty rows, since write() and until written()
};

template <class P>
Result<void> WorkerOf<P>::write() {
  // In key order, since a B-tree takes neighbours far faster than strangers.
  order_.clear();
  for (const Row* row : rows_.dirty()) order_.add(row->key);
  order_.sort();
  Result<void> put;
  order_.for_each([&](std::size_t number) {
    if (!put) return;
    const Row& row = *rows_.dirty()[number];
    scratch_.clear();
    append_row_cells(row.key, row.state, scratch_);
    put = store_->put(table_, scratch_.cells());
  });
  return put;
}

}  // namespace lungo::detail
