// The typed side of a process: calls P's key, evolve and react for the core, which knows no types.
//
// For Process<P> and the test kit; applications do not include it.
// Threads: stateless, apart from the plans for old states, which belong to the core's thread.
#pragma once

#include <array>
#include <concepts>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <lungo/framework/codec.hpp>
#include <lungo/framework/codec_json.hpp>
#include <lungo/framework/event_decoder.hpp>
#include <lungo/framework/fold.hpp>
#include <lungo/framework/process_core.hpp>

namespace lungo {

namespace detail {

template <class P>
struct TimersOf {
  template <class Visitor>
  static void visit(Visitor&&) {}
};
template <class P>
  requires requires { typename P::Timers; }
struct TimersOf<P> {
  template <class Visitor>
  static void visit(Visitor&& visitor) {
    visit_list(static_cast<typename P::Timers*>(nullptr), visitor);
  }
  template <class Visitor, class... T>
  static void visit_list(events<T...>*, Visitor&& visitor) {
    (visitor.template operator()<T>(), ...);
  }
};

/// The text of a key: itself when it is text, decimal digits for numbers, otherwise JSON.
template <class K>
void key_text(const K& key, std::string& out) {
  if constexpr (std::convertible_to<const K&, std::string_view>) {
    out.assign(std::string_view{key});
  } else if constexpr (std::integral<K>) {
    out = std::to_string(key);
  } else {
    out = to_json(key);
  }
}

}  // namespace detail

template <Fold P>
class ProcessFoldOf final : public ProcessFold {
  using State = typename P::State;
  struct Box final : ProcessState {
    State state{};
  };

 public:
  static void add_inputs(EventDecoder& decoder) { add_inputs(decoder, typename P::Events{}); }

  /// The state and all that P emits.
  static std::vector<DeclaredType> declared() {
    std::vector<DeclaredType> types;
    if constexpr (requires { typename P::Emits; }) append_types(types, typename P::Emits{});
    return types;
  }

  void key(const Envelope& envelope, int type, const void* event, std::string& out) const override {
    keys(typename P::Events{})[static_cast<std::size_t>(type)](envelope, event, out);
  }
  [[nodiscard]] std::unique_ptr<ProcessState> make_state() const override { return std::make_unique<Box>(); }

  void handle(ProcessState& state, int type, const void* event, Actions& actions) const override {
    steps(typename P::Events{})[static_cast<std::size_t>(type)](static_cast<Box&>(state).state, event, actions);
  }

  [[nodiscard]] int timer_of(std::string_view name) const override {
    int index = 0;
    int found = -1;
    detail::TimersOf<P>::visit([&]<class T>() {
      if (answers_to<T>(name)) found = index;
      ++index;
    });
    return found;
  }

  [[nodiscard]] std::string_view timer_name(int timer) const override {
    int index = 0;
    std::string_view name;
    detail::TimersOf<P>::visit([&]<class T>() {
      if (index++ == timer) name = event_name<T>();
    });
    return name;
  }

  Result<void> fire(ProcessState& state, int timer, BytesView payload, Actions& actions) const override {
    int index = 0;
    Result<void> outcome;
    detail::TimersOf<P>::visit([&]<class T>() {
      if (index++ == timer) outcome = fire_as<T>(static_cast<Box&>(state).state, payload, actions);
    });
    return outcome;
  }

  void reset(ProcessState& state) const override { static_cast<Box&>(state).state = State{}; }

  [[nodiscard]] bool is_initial(const ProcessState& state) const override {
    const State& value = static_cast<const Box&>(state).state;
    if constexpr (std::equality_comparable<State>) {
      return value == State{};
    } else {
      Bytes mine;
      Bytes initial;
      encode(value, mine);
      encode(State{}, initial);
      return mine == initial;
    }
  }

  void encode_state(const ProcessState& state, Bytes& out) const override { encode(static_cast<const Box&>(state).state, out); }

  Result<void> decode_state(const Shape& writer, BytesView bytes, ProcessState& state) const override {
    if (!plan_ || plan_shape_ != writer.hash()) {
      Result<DecodePlan<State>> made = DecodePlan<State>::make(writer);
      if (!made) return made.error();
      plan_ = std::make_unique<DecodePlan<State>>(std::move(*made));
      plan_shape_ = writer.hash();
    }
    return plan_->decode(bytes, static_cast<Box&>(state).state);
  }
  [[nodiscard]] const Shape& state_shape() const override { return shape_of<State>(); }

  [[nodiscard]] bool emits(std::string_view name) const override {
    if constexpr (requires { typename P::Emits; }) return emits(name, typename P::Emits{});
    return false;
  }

 private:
  using KeyFunction = void (*)(const Envelope&, const void*, std::string&);
  using Step = void (*)(State&, const void*, Actions&);

  template <class... E>
  static void add_inputs(EventDecoder& decoder, events<E...>) {
    (decoder.add<E>(), ...);
  }
  template <class... E>
  static void append_types(std::vector<DeclaredType>& types, events<E...>) {
    (types.push_back(declared_type_of<E>()), ...);
  }
  template <class... E>
  static bool emits(std::string_view name, events<E...>) {
    return ((name == event_name<E>()) || ...);
  }
  template <class... E>
  static const std::array<KeyFunction, sizeof...(E)>& keys(events<E...>) {
    static constexpr std::array<KeyFunction, sizeof...(E)> kKeys{
        [](const Envelope& envelope, const void* event, std::string& out) {
          detail::key_text(P::key(envelope, *static_cast<const E*>(event)), out);
        }...};
    return kKeys;
  }
  template <class... E>
  static const std::array<Step, sizeof...(E)>& steps(events<E...>) {
    static constexpr std::array<Step, sizeof...(E)> kSteps{[](State& state, const void* event, Actions& actions) {
      evolve_and_react(state, *static_cast<const E*>(event), actions);
    }...};
    return kSteps;
  }

  template <class T>
  static Result<void> fire_as(State& state, BytesView payload, Actions& actions) {
    static const Result<DecodePlan<T>> plan = DecodePlan<T>::make(shape_of<T>());
    if (!plan) return plan.error();
    T timer{};
    Result<void> decoded = plan->decode(payload, timer);
    if (!decoded) return decoded;
    evolve_and_react(state, timer, actions);
    return {};
  }

  template <class E>
  static void evolve_and_react(State& state, const E& event, Actions& actions) {
    if constexpr (requires(const State& s) { P::react(s, s, event, actions); }) {
      const State before = state;
      evolve(state, event);
      P::react(before, std::as_const(state), event, actions);
    } else {
      evolve(state, event);
      if constexpr (requires(const State& s) { P::react(s, event, actions); }) {
        P::react(std::as_const(state), event, actions);
      } else if constexpr (requires(const State& s) { P::react(s, event); }) {
        actions.take(P::react(std::as_const(state), event));
      }
    }
  }
  template <class E>
  static void evolve(State& state, const E& event) {
    if constexpr (FoldHandles<P, E> || Evolves<P, E>) evolve_into<P>(state, event);
  }

  mutable std::unique_ptr<DecodePlan<State>> plan_;
  mutable ShapeHash plan_shape_{};
};

}  // namespace lungo
