// The one idea of the framework, the Fold: a list of events, a State, and `evolve` for each event.
//
// Deciders, projections and processes are Folds with one or two functions more. No base class, no registration:
//   struct Visit {
//     using Events = lungo::events<PageViewed, VisitEnded>;
//     struct State { int pages = 0; };
//     static State evolve(State s, const PageViewed&) { ++s.pages; return s; }     // by value, or
//     static void evolve(State& s, const VisitEnded&) { s.pages = 0; }             // in place
//     static std::optional<VisitEnded> decide(const State& s, const EndVisit&);    // a Decider; may throw lungo::rejected
//   };
// Threads: pure functions of the caller's values.
#pragma once

#include <concepts>
#include <optional>
#include <stdexcept>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include <lungo/framework/event.hpp>

namespace lungo {

/// What `decide` throws to refuse a command; the text reaches the caller as Errc::rejected.
class rejected : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

namespace detail {

template <class T>
inline constexpr bool is_events = false;
template <class... E>
inline constexpr bool is_events<events<E...>> = true;

template <class E, class List>
inline constexpr bool is_listed = false;
template <class E, class... L>
inline constexpr bool is_listed<E, events<L...>> = (std::same_as<E, L> || ...);

}  // namespace detail

/// Has a list of Events and a State that starts from nothing. Whether every event has its `evolve` is check_fold()'s matter, so
/// that the message can name the event.
template <class F>
concept Fold = detail::is_events<typename F::Events> && std::default_initializable<typename F::State>;

/// Its instantiation is the compile error for what a fold lacks as a whole; the compiler names the fold.
template <class TheFold>
struct fold_is_whole {
  static constexpr bool names_events = requires { typename TheFold::Events; };
  static constexpr bool lists_events = requires { requires detail::is_events<typename TheFold::Events>; };
  static constexpr bool has_events = requires { requires TheFold::Events::size > 0; };
  static constexpr bool has_state = requires { typename TheFold::State; };
  static constexpr bool starts = requires { requires std::default_initializable<typename TheFold::State>; };
  static_assert(names_events,
                "lungo: this fold does not say which events it takes: add a public `using Events = lungo::events<...>;` with "
                "their names");
  static_assert(
      !names_events || lists_events,
      "lungo: the Events of this fold are no list: write `using Events = lungo::events<...>;`, for a single event too");
  static_assert(!lists_events || has_events,
                "lungo: the list of this fold's Events is empty: name them in `using Events = lungo::events<...>;`");
  static_assert(has_state, "lungo: this fold has no State: add a public `struct State { ... };` for what its events change");
  static_assert(!has_state || starts,
                "lungo: the State of this fold does not start from nothing: give its fields defaults, or State a default "
                "constructor");
  static constexpr bool value = lists_events && has_events && starts;
};

/// For the head of a template that takes a fold: what is no Fold is a compile error that says why, not a template that does not
/// fit. So it can't be asked whether a type is one; Fold can.
template <class F>
concept WholeFold = fold_is_whole<F>::value && Fold<F>;

template <class F, class E>
concept EvolvesByValue = requires(typename F::State state, const E& event) {
  { F::evolve(std::move(state), event) } -> std::convertible_to<typename F::State>;
};

/// Returns nothing and takes a temporary: what it changes is a copy.
template <class F, class E>
concept EvolvesACopy = requires(typename F::State state, const E& event) {
  { F::evolve(std::move(state), event) } -> std::same_as<void>;
};

template <class F, class E>
concept EvolvesInPlace = !EvolvesACopy<F, E> && requires(typename F::State& state, const E& event) {
  { F::evolve(state, event) } -> std::same_as<void>;
};

/// `evolve` exists for E, in one of its two forms.
template <class F, class E>
concept Evolves = EvolvesByValue<F, E> || EvolvesInPlace<F, E>;

/// E is in the list of F's events.
template <class F, class E>
concept FoldHandles = Fold<F> && detail::is_listed<E, typename F::Events>;

/// Its instantiation is the compile error for a missing `evolve`; the compiler names both types.
template <class TheFold, class TheEvent>
struct evolve_is_there {
  static_assert(!EvolvesACopy<TheFold, TheEvent>,
                "lungo: this `evolve` changes a copy of the State, which is lost: take a `State&`, or return the State");
  static_assert(
      Evolves<TheFold, TheEvent> || EvolvesACopy<TheFold, TheEvent>,
      "lungo: this fold lists the event but cannot evolve with it: add `static State evolve(State, const TheEvent&)` or "
      "`static void evolve(State&, const TheEvent&)`");
  static constexpr bool value = Evolves<TheFold, TheEvent>;
};

namespace detail {

template <class F, class... E>
consteval bool evolves_all(events<E...>*) {
  return (evolve_is_there<F, E>::value && ...);
}

}  // namespace detail

/// For a static_assert of whoever takes a fold: true, or a compile error for what it lacks and per missing `evolve`.
template <class F>
consteval bool check_fold() {
  if constexpr (fold_is_whole<F>::value) {
    return detail::evolves_all<F>(static_cast<typename F::Events*>(nullptr));
  } else {
    return false;
  }
}

/// Applies one event to the state, whichever form of `evolve` the fold has. What `evolve` throws passes through.
template <Fold F, class E>
void evolve_into(typename F::State& state, const E& event) {
  if constexpr (evolve_is_there<F, E>::value) {
    if constexpr (EvolvesByValue<F, E>) {
      state = F::evolve(std::move(state), event);
    } else {
      F::evolve(state, event);
    }
  }
}

/// A Fold that answers the command C with events.
template <class F, class C>
concept Decides = Fold<F> && requires(const typename F::State& state, const C& command) { F::decide(state, command); };

/// The commands of a decider that may be executed by another process, as its public `Commands`: encoded as events are.
template <class... C>
using commands = events<C...>;

namespace detail {

template <class F, class C>
consteval bool may_forward() {
  if constexpr (requires { typename F::Commands; }) {
    return is_listed<C, typename F::Commands>;
  } else {
    return false;
  }
}

}  // namespace detail

/// The topic that the fold reads and writes: `F::topic`, otherwise "events".
template <class F>
constexpr std::string_view topic_of() {
  if constexpr (requires { std::string_view{F::topic}; }) {
    return F::topic;
  } else {
    return "events";
  }
}

namespace detail {

// What a decide may return, and the events in it.
template <class R>
struct Decision {
  using Events = events<R>;
  template <class Visitor>
  static void visit(const R& event, Visitor& visitor) {
    visitor(event);
  }
};

template <class... E>
struct Decision<std::variant<E...>> {
  using Events = events<E...>;
  template <class Visitor>
  static void visit(const std::variant<E...>& event, Visitor& visitor) {
    std::visit(visitor, event);
  }
};

template <class R>
struct Decision<std::optional<R>> {
  using Events = typename Decision<R>::Events;
  template <class Visitor>
  static void visit(const std::optional<R>& event, Visitor& visitor) {
    if (event) Decision<R>::visit(*event, visitor);
  }
};

template <class R>
struct Decision<std::vector<R>> {
  using Events = typename Decision<R>::Events;
  template <class Visitor>
  static void visit(const std::vector<R>& list, Visitor& visitor) {
    for (const R& event : list) Decision<R>::visit(event, visitor);
  }
};

// A list joined with further ones, each event once.
template <class List, class... More>
struct JoinEvents {
  using type = List;
};
template <class... A, class... Rest>
struct JoinEvents<events<A...>, events<>, Rest...> : JoinEvents<events<A...>, Rest...> {};
template <class... A, class B, class... Bs, class... Rest>
struct JoinEvents<events<A...>, events<B, Bs...>, Rest...>
    : JoinEvents<std::conditional_t<is_listed<B, events<A...>>, events<A...>, events<A..., B>>, events<Bs...>, Rest...> {};

template <class... R>
struct Decision<std::tuple<R...>> {
  using Events = typename JoinEvents<events<>, typename Decision<R>::Events...>::type;
  template <class Visitor>
  static void visit(const std::tuple<R...>& list, Visitor& visitor) {
    std::apply([&](const R&... item) { (Decision<R>::visit(item, visitor), ...); }, list);
  }
};

}  // namespace detail

/// The event types that a decision of type R can hold, each once, as events<...>.
template <class R>
using DecidedEvents = typename detail::Decision<std::remove_cvref_t<R>>::Events;

/// Its instantiation is the compile error for a missing `decide`; the compiler names both types.
template <class TheDecider, class TheCommand>
struct decide_is_there {
  static_assert(Decides<TheDecider, TheCommand>,
                "lungo: this decider has no answer to the command: add a public `static AnEvent decide(const State&, const "
                "TheCommand&)`");
  static constexpr bool value = Decides<TheDecider, TheCommand>;
};

/// Its instantiation is the compile error for a decision that the decider could not load again.
template <class TheDecider, class TheEvent>
struct decided_event_is_listed {
  static constexpr bool value = detail::is_listed<TheEvent, typename TheDecider::Events>;
  static_assert(
      value,
      "lungo: this decider answers with an event that its Events lack, and could not load a stream that holds it: add "
      "it to `using Events = lungo::events<...>;`, and its `evolve`");
};

namespace detail {

template <class F, class... E>
consteval bool lists_all(events<E...>*) {
  return (decided_event_is_listed<F, E>::value && ...);
}

}  // namespace detail

/// For a static_assert of whoever gives the decider F a command: true, or a compile error.
template <Fold F, class C>
consteval bool check_decide() {
  if constexpr (decide_is_there<F, C>::value) {
    using Answer = decltype(F::decide(std::declval<const typename F::State&>(), std::declval<const C&>()));
    return detail::lists_all<F>(static_cast<DecidedEvents<Answer>*>(nullptr));
  } else {
    return false;
  }
}

/// Calls `visitor(event)` for each event of a decision, in order. A decision is E, optional<E>, vector<E>, variant<E...>,
/// tuple<E...>, or any nesting of these, such as vector<variant<E...>>.
template <class R, class Visitor>
void for_each_event(const R& decision, Visitor&& visitor) {
  detail::Decision<R>::visit(decision, visitor);
}

}  // namespace lungo
