// DecodePlan: reads the payloads of one writer's shape into a T. Made once per pair; this is how events evolve by themselves.
//
// Fields are matched by name: an added one gets the value that it has in T{}, a removed one is skipped, order does not matter.
//   static constexpr std::array<lungo::FieldAlias, 1> field_aliases{{{"url", "uri"}}};      // `url` was called `uri`
//   static PageViewed upcast(const PageViewedV1& old);                                      // when names and types do not do
// `upcast` is taken when the writer's fields are exactly those of its argument, or fit it and do not fit T; the argument's type
// may have an `upcast` of its own. It works for events and for structs inside them.
// Threads: a plan is immutable and may be shared; copies are cheap.
#pragma once

#include <array>
#include <memory>

#include <lungo/framework/event.hpp>
#include <lungo/framework/plan_nodes.hpp>

namespace lungo {

namespace detail {

template <class R, class A>
std::remove_cvref_t<A> argument_of(R (*)(A));

template <class T>
concept HasUpcast = requires { argument_of(&T::upcast); };

template <class T>
std::string_view name_before(std::string_view field, std::size_t alias) {
  if constexpr (requires { T::field_aliases; }) {
    for (const auto& [now, before] : T::field_aliases) {
      if (field == now && alias-- == 0) return before;
    }
  }
  return {};
}

/// The writer's field that is the reader's `field`: of this name, otherwise of one that it had before.
template <class T>
std::optional<std::size_t> find_field(const Shape::Struct& from, std::string_view field) {
  const auto find = [&](std::string_view name) -> std::optional<std::size_t> {
    for (std::size_t i = 0; i < from.fields.size(); ++i) {
      if (from.fields[i].name == name) return i;
    }
    return {};
  };
  std::optional<std::size_t> found = find(field);
  for (std::size_t alias = 0; !found; ++alias) {
    const std::string_view before = name_before<T>(field, alias);
    if (before.empty()) break;
    found = find(before);
  }
  return found;
}

template <class T>
void run_fields_exact(Reader& in, void* target, const PlanNode&) {
  if constexpr (kFieldKind<T> == FieldKind::foreign) {
    foreign_codec<T>::read(in, target_as<T>(target));
  } else {
    read_fields(in, target_as<T>(target));
  }
}

template <class T>
void run_fields(Reader& in, void* target, const PlanNode& node) {
  const std::array<void*, field_count<T>> fields =
      std::apply([](auto&... field) { return std::array<void*, field_count<T>>{&field...}; }, field_ties(target_as<T>(target)));
  for (const FieldsPlan::Step& step : node.fields->steps) {
    if (step.target == FieldsPlan::kSkip) {
      skip_value(in, *node.fields->writer, step.type);
    } else {
      step.node.read(in, fields[step.target], step.node);
    }
  }
  for (const FieldsPlan::Default& field : node.fields->missing) field.assign(fields[field.target], field.value);
}

template <class T>
void run_upcast(Reader& in, void* target, const PlanNode& node) {
  using Old = decltype(argument_of(&T::upcast));
  Old old{};
  run(node.parts[0], in, old);
  if (in.failed()) return;
  try {
    target_as<T>(target) = T::upcast(std::move(old));
  } catch (...) {
    in.fail("an event that its upcast refuses");
  }
}

// Matches the fields one by one; true unless one of them does not fit.
template <class T>
bool match_fields(PlanMaker& maker, FieldsPlan& plan, const Shape::Struct& from, bool& exact) {
  plan.writer = &maker.writer();
  plan.steps.resize(from.fields.size());
  for (std::size_t i = 0; i < from.fields.size(); ++i) plan.steps[i].type = from.fields[i].type;
  const auto defaults = std::make_shared<T>();
  plan.defaults = defaults;
  exact = from.fields.size() == field_count<T>;

  std::size_t index = 0;
  const auto match = [&]<class F>(F& default_value) {
    const std::size_t target = index++;
    const std::string_view name = field_names<T>()[target];
    const std::optional<std::size_t> found = find_field<T>(from, name);
    if (!found || plan.steps[*found].target != FieldsPlan::kSkip) {
      plan.missing.push_back(
          {target, &default_value, [](void* to, const void* value) { target_as<F>(to) = *static_cast<const F*>(value); }});
      exact = false;
      return true;
    }
    maker.enter(name);
    plan.steps[*found].target = target;
    plan.steps[*found].node = make_node<F>(maker, from.fields[*found].type);
    maker.leave();
    exact = exact && *found == target && plan.steps[*found].node.exact;
    return plan.steps[*found].node.read != nullptr;
  };
  return std::apply([&](auto&... field) { return (match(field) && ...); }, field_ties(*defaults));
}

using MatchFields = bool (*)(PlanMaker& maker, FieldsPlan& plan, const Shape::Struct& from, bool& exact);

// T's own fields against the writer's, without an upcast. Both structs of a pair are matched once, so that those that contain
// themselves come to an end.
template <class T>
PlanNode match_with(PlanMaker& maker, std::uint32_t structure, MatchFields match, PlanNode::Read read) {
  PlanNode node;
  node.read = read;
  const PlanMaker::Key key{structure, type_key<T>()};
  if (const auto known = maker.known.find(key); known != maker.known.end()) {
    if (known->second == nullptr) return {};
    node.fields = known->second;  // perhaps still being made
    return node;
  }
  if (maker.depth == kStructDepthMax) return maker.mismatch("structs are nested too deep");
  FieldsPlan& plan = maker.data().fields.emplace_back();
  maker.known[key] = &plan;
  node.fields = &plan;
  bool exact = true;
  ++maker.depth;
  const bool matched = match(maker, plan, maker.writer().structs()[structure], exact);
  --maker.depth;
  if (!matched) {
    maker.known[key] = nullptr;
    return {};
  }
  if (exact) {
    node.read = &run_fields_exact<T>;
    node.exact = true;
  }
  return node;
}

template <class T>
PlanNode match_struct(PlanMaker& maker, std::uint32_t structure) {
  return match_with<T>(maker, structure, &match_fields<T>, &run_fields<T>);
}

template <class T>
PlanNode make_fields_node(PlanMaker& maker, std::uint32_t structure) {
  if constexpr (kFieldKind<T> == FieldKind::foreign) {
    return foreign_codec<T>::make_fields_node(maker, structure);
  } else if constexpr (!HasUpcast<T>) {
    return match_struct<T>(maker, structure);
  } else {
    const std::string problem_before = maker.problem();
    PlanNode own = match_struct<T>(maker, structure);
    if (own.exact) return own;
    const std::string problem_own = maker.problem();
    maker.forgive(problem_before);
    PlanNode old = make_fields_node<decltype(argument_of(&T::upcast))>(maker, structure);
    const bool is_old = old.exact || old.upcasts_exactly;
    if (old.read == nullptr || (own.read != nullptr && !is_old)) {
      maker.forgive(problem_own);
      return own;
    }
    maker.forgive(problem_before);
    PlanNode node;
    node.read = &run_upcast<T>;
    node.upcasts_exactly = is_old;
    node.parts.push_back(std::move(old));
    return node;
  }
}

Error incompatible(const PlanMaker& maker, const Shape& reader);

}  // namespace detail

template <class T>
class DecodePlan {
 public:
  /// Matches the writer's shape to T.
  /// Errors: incompatible_shape  a field does not fit; the text names it and prints both shapes.
  static Result<DecodePlan> make(const Shape& writer) {
    if (writer == shape_of<T>()) return DecodePlan{};
    auto data = std::make_shared<detail::PlanData>(writer);
    detail::PlanMaker maker{*data};
    data->root = detail::make_fields_node<T>(maker, 0);
    if (data->root.read == nullptr) return detail::incompatible(maker, shape_of<T>());
    DecodePlan plan;
    if (!data->root.exact) plan.data_ = std::move(data);
    return plan;
  }

  /// True if the writer's fields are T's own, so that payloads take the straight path.
  [[nodiscard]] bool is_exact() const { return data_ == nullptr; }

  /// Reads one payload into `out`, whose memory is reused. After an error `out` is valid, its value is not.
  /// Errors: undecodable  the bytes break the grammar, or a value does not fit its field.
  Result<void> decode(BytesView payload, T& out) const {
    if (data_ == nullptr) return lungo::decode(payload, out);
    Reader reader{payload};
    detail::run(data_->root, reader, out);
    return reader.finish(event_name<T>());
  }

 private:
  DecodePlan() = default;

  std::shared_ptr<const detail::PlanData> data_;  // null: exact
};

}  // namespace lungo
