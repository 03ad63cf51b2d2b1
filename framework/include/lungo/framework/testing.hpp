// The test kit: deciders, processes and folds tested as pure functions, without a log.
//
//   lungo::test::given<Visit>(PageViewed{"/a"}).when(ViewPage{"/b"}).then(PageViewed{"/b"});
//   lungo::test::given<Visit>(VisitEnded{}).when(ViewPage{"/b"}).rejects("the visit is over");
//
// For applications' tests under any test framework: what does not hold throws `lungo::test::failed`, whose text has both sides.
// Events go through the codec on their way, so an event that can't be stored fails here already.
// Threads: one.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <random>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <lungo/framework/codec_json.hpp>
#include <lungo/framework/decode_plan.hpp>
#include <lungo/framework/fold.hpp>
#include <lungo/framework/process_core.hpp>
#include <lungo/framework/process_fold.hpp>
#include <lungo/log/check.hpp>

namespace lungo::test {

class failed : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

/// An event as it is compared and shown.
struct ShownEvent {
  std::string name;
  std::string json;
  friend bool operator==(const ShownEvent&, const ShownEvent&) = default;
};

namespace detail {

template <class E>
ShownEvent show(const E& event) {
  return {std::string(event_name<E>()), to_json(event)};
}

inline std::string list(const std::vector<ShownEvent>& events) {
  std::string text;
  for (const ShownEvent& event : events) text += "\n    " + event.name + " " + event.json;
  return text.empty() ? " nothing" : text;
}

inline void expect_equal(const std::vector<ShownEvent>& wanted, const std::vector<ShownEvent>& got) {
  if (wanted != got) throw failed("expected:" + list(wanted) + "\n  got:" + list(got));
}

/// The event as a reader would get it.
template <class E>
E stored_and_read(const E& event) {
  Bytes payload;
  encode(event, payload);
  E read{};
  Result<void> decoded = decode(payload, read);
  if (!decoded) throw failed(std::string(event_name<E>()) + " can't be read back: " + to_string(decoded.error()));
  return read;
}

}  // namespace detail

/// What a decider made of a command.
class Decision {
 public:
  Decision(std::vector<ShownEvent> events, std::optional<std::string> refusal)
      : events_(std::move(events)), refusal_(std::move(refusal)) {}

  /// The decider answered with exactly these events.
  template <class... E>
  void then(const E&... events) const {
    if (refusal_) throw failed("refused: " + *refusal_);
    detail::expect_equal({detail::show(events)...}, events_);
  }
  /// The decider refused, with this text.
  void rejects(std::string_view text) const {
    if (!refusal_) throw failed("not refused; got:" + detail::list(events_));
    if (*refusal_ != text) throw failed("refused with: " + *refusal_ + "\n  expected: " + std::string(text));
  }

 private:
  std::vector<ShownEvent> events_;
  std::optional<std::string> refusal_;
};

/// A decider with a history.
template <WholeFold F>
class Given {
  static_assert(check_fold<F>());

 public:
  template <class E>
    requires FoldHandles<F, E>
  Given& and_given(const E& event) {
    evolve_into<F>(state_, detail::stored_and_read(event));
    return *this;
  }
  template <class C>
  [[nodiscard]] Decision when(const C& command) const {
    static_assert(check_decide<F, C>());
    std::vector<ShownEvent> events;
    try {
      const auto decision = F::decide(std::as_const(state_), command);
      for_each_event(decision, [&](const auto& event) { events.push_back(detail::show(detail::stored_and_read(event))); });
    } catch (const rejected& refusal) {
      return {{}, refusal.what()};
    } catch (const failed&) {
      throw;
    } catch (...) {
      throw failed("decide threw: " + current_exception_text());
    }
    return {std::move(events), std::nullopt};
  }
  [[nodiscard]] const typename F::State& state() const { return state_; }

 private:
  typename F::State state_{};
};

template <WholeFold F, class... E>
Given<F> given(const E&... events) {
  Given<F> history;
  (history.and_given(events), ...);
  return history;
}

/// A process fed by hand: inputs with their event times, and the clock of the live lane.
///   ProcessScript<Sessions> script;
///   script.input(t0, Request{"/a"}).clock(t0 + 31min).then(SessionEnded{1});
template <WholeFold P>
class ProcessScript {
  static_assert(check_fold<P>());

 public:
  explicit ProcessScript(std::chrono::milliseconds lateness = std::chrono::seconds{60})
      : core_(fold_, {"Test", PartitionId{0}, lateness}) {}

  /// The next input. `stream` decides beside what its outputs lie.
  template <class E>
    requires FoldHandles<P, E>
  ProcessScript& input(Timestamp time, const E& event, std::string_view stream = "Input-1", std::string_view lane = {}) {
    const E read = detail::stored_and_read(event);
    Envelope envelope;
    envelope.topic = topic_of<P>();
    envelope.stream = stream;
    envelope.type = event_name<E>();
    envelope.time = envelope.recorded = time;
    envelope.lane = lane;
    envelope.offset = next_;
    next_ = next_.next();
    require(core_.on_input(envelope, type_of<E>(typename P::Events{}), &read, effects_));
    return *this;
  }
  /// The wall clock, after all inputs so far.
  ProcessScript& clock(Timestamp now) {
    require(core_.on_clock(now, next_, effects_));
    return *this;
  }
  /// It has emitted exactly these events since the last check, in this order.
  template <class... E>
  ProcessScript& then(const E&... events) {
    detail::expect_equal({detail::show(events)...}, take_emitted());
    return *this;
  }
  /// Its oldest command that was not checked yet goes to F's stream `id` and equals `command` in its JSON form.
  template <class F, class C>
  ProcessScript& sends(std::string_view id, const C& command) {
    if (effects_.commands.empty()) throw failed("no command was sent");
    const ProcessCommand sent = effects_.commands.front().command;
    effects_.commands.erase(effects_.commands.begin());
    if (sent.category != category_name<F>() || sent.id != id || sent.type != type_key<C>()) {
      throw failed("sent another command, to " + sent.category + "-" + sent.id);
    }
    const std::string got = to_json(*static_cast<const C*>(sent.command.get()));
    if (got != to_json(command)) throw failed("expected: " + to_json(command) + "\n  got: " + got);
    return *this;
  }
  [[nodiscard]] std::size_t open_keys() const { return core_.open_keys(); }
  [[nodiscard]] const ProcessCounts& counts() const { return core_.counts(); }

 private:
  template <class E, class... L>
  static int type_of(events<L...>) {
    int index = 0;
    int found = -1;
    ((std::is_same_v<E, L> ? found = index : index++), ...);
    return found;
  }
  static void require(const Result<void>& result) {
    if (!result) throw failed(to_string(result.error()));
  }
  std::vector<ShownEvent> take_emitted() {
    std::vector<ShownEvent> emitted;
    for (const EncodedRecords& batch : effects_.batches) {
      for (std::size_t index = 0; index < batch.count(); ++index) show_record(batch.body(index), emitted);
    }
    effects_.batches.clear();
    return emitted;
  }
  static void show_record(BytesView body, std::vector<ShownEvent>& out) {
    const RecordView record = parse_record_body(body).value();
    const Envelope envelope = parse_envelope({}, {}, record).value();
    if (envelope.type == event_name<ClockAdvanced>()) return;
    std::vector<DeclaredType> declared = ProcessFoldOf<P>::declared();
    const auto type =
        std::ranges::find_if(declared, [&](const DeclaredType& one) { return one.shape->name() == envelope.type; });
    out.push_back({std::string(envelope.type), to_json(*type->shape, envelope.payload).value()});
  }

  ProcessFoldOf<P> fold_;
  ProcessCore core_;
  ProcessEffects effects_;
  Offset next_{0};
};

/// Checks that a fold whose keys span partitions does not depend on the order between them: events are folded partition after
/// partition, then in random interleavings that keep each partition's own order. If it has a `merge`, the partitions are also
/// folded each by itself, as processes that share them do, and their states merged in any order: that gives the same rows.
template <WholeFold P>
class Interleavings {
  static_assert(check_fold<P>());

 public:
  /// The next event of a partition.
  template <class E>
    requires FoldHandles<P, E>
  Interleavings& add(PartitionId partition, std::string stream, Timestamp time, const E& event) {
    Item item{partition, Offset{static_cast<std::int64_t>(partitions_[partition].size())}, std::move(stream), time, {}};
    item.apply = [event](const Envelope& envelope, Rows& rows) {
      if (const auto key = text_of(P::key(envelope, event))) evolve_into<P>(rows[*key], event);
    };
    partitions_[partition].push_back(std::move(item));
    return *this;
  }
  /// Throws `failed` with the seed and the key when some order gives other rows.
  void check(int rounds = 100, std::uint64_t seed = 1) const {
    std::vector<const Item*> order;
    for (const auto& [partition, items] : partitions_) {
      for (const Item& item : items) order.push_back(&item);
    }
    const Shown wanted = shown(fold(order));
    std::mt19937_64 random{seed};
    for (int round = 0; round < rounds; ++round) {
      const std::string where = "seed " + std::to_string(seed) + ", round " + std::to_string(round);
      compare(wanted, shown(fold(shuffled(random))), where + ": the order of the partitions");
      if constexpr (kMerges) compare(wanted, shown(merged(random)), where + ": the merge of the partitions");
    }
  }

 private:
  using Rows = std::map<std::string, typename P::State>;
  using Shown = std::map<std::string, std::string>;
  static constexpr bool kMerges = requires(typename P::State a, const typename P::State& b) { P::merge(std::move(a), b); };
  struct Item {
    PartitionId partition;
    Offset offset;
    std::string stream;
    Timestamp time;
    std::function<void(const Envelope&, Rows&)> apply;
  };

  /// What a row is found by; nothing for an event that is passed over.
  template <class K>
  static std::optional<std::string> text_of(const K& key) {
    if constexpr (lungo::detail::is_instance<K, std::optional>) {
      return key ? text_of(*key) : std::nullopt;
    } else {
      std::string text;
      if constexpr (requires { typename P::Key; }) {
        lungo::detail::key_text(typename P::Key(key), text);
      } else {
        lungo::detail::key_text(key, text);
      }
      return text;
    }
  }
  static Rows fold(const std::vector<const Item*>& order) {
    Rows rows;
    for (const Item* item : order) {
      Envelope envelope;
      envelope.topic = topic_of<P>();
      envelope.partition = item->partition;
      envelope.offset = item->offset;
      envelope.stream = item->stream;
      envelope.time = envelope.recorded = item->time;
      item->apply(envelope, rows);
    }
    return rows;
  }
  static Shown shown(const Rows& rows) {
    Shown texts;
    for (const auto& [key, state] : rows) texts.emplace(key, to_json(state));
    return texts;
  }
  /// Each partition by itself, then all of them together.
  Rows merged(std::mt19937_64& random) const {
    std::vector<Rows> parts;
    for (const auto& [partition, items] : partitions_) {
      std::vector<const Item*> order;
      for (const Item& item : items) order.push_back(&item);
      parts.push_back(fold(order));
    }
    std::shuffle(parts.begin(), parts.end(), random);
    Rows all;
    for (Rows& part : parts) {
      for (auto& [key, state] : part) {
        const auto [row, is_new] = all.try_emplace(key, state);
        if (!is_new) row->second = P::merge(std::move(row->second), state);
      }
    }
    return all;
  }
  std::vector<const Item*> shuffled(std::mt19937_64& random) const {
    std::vector<PartitionId> turns;
    for (const auto& [partition, items] : partitions_) turns.insert(turns.end(), items.size(), partition);
    std::shuffle(turns.begin(), turns.end(), random);
    std::map<PartitionId, std::size_t> next;
    std::vector<const Item*> order;
    for (const PartitionId partition : turns) order.push_back(&partitions_.at(partition)[next[partition]++]);
    return order;
  }
  static void compare(const Shown& wanted, const Shown& got, const std::string& what) {
    for (const auto& [key, state] : wanted) {
      const auto found = got.find(key);
      if (found != got.end() && found->second == state) continue;
      throw failed(what + " changes key " + key + "\n  in order: " + state +
                   "\n  otherwise: " + (found == got.end() ? "no row" : found->second));
    }
    if (wanted.size() != got.size()) throw failed(what + " adds keys");
  }

  std::map<PartitionId, std::vector<Item>> partitions_;
};

}  // namespace lungo::test
