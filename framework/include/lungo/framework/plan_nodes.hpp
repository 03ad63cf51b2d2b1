// What a decode plan is made of: one node per value of the reader, which knows in which form the writer wrote it.
//
// For decode_plan.hpp and codec_boost.hpp. A node is `exact` if the writer's form is the reader's own: then the straight code
// of codec.hpp reads it. Containers and structs of exact parts are exact themselves, so that only what differs costs time.
// Which forms match is the table in docs/reference/codec.md.
// Threads: nodes are immutable once made.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <lungo/framework/codec.hpp>

namespace lungo::detail {

struct FieldsPlan;

struct PlanNode {
  using Read = void (*)(Reader& in, void* target, const PlanNode& node);

  Read read = nullptr;  // null: the forms do not match
  bool exact = false;
  bool upcasts_exactly = false;        // an upcast whose argument has exactly the writer's fields
  ShapeKind from{};                    // integers, floats, ticks: the writer's number
  std::int64_t factor = 1;             // ticks: the reader's per one of the writer's
  std::size_t bytes_each = 1;          // collections: the least that one of the writer's elements takes
  std::vector<PlanNode> parts;         // in the reader's order of types
  const FieldsPlan* fields = nullptr;  // structs
};

/// How the fields of one writer's struct land in one reader's struct.
struct FieldsPlan {
  static constexpr std::size_t kSkip = ~std::size_t{0};
  struct Step {                  // in the writer's order
    std::size_t target = kSkip;  // the reader's field
    PlanNode node;
    Shape::TypeId type = 0;  // what to skip
  };
  struct Default {  // a field of the reader that the writer lacks
    std::size_t target = 0;
    const void* value = nullptr;  // inside `defaults`
    void (*assign)(void* to, const void* from) = nullptr;
  };
  std::vector<Step> steps;
  std::vector<Default> missing;
  std::shared_ptr<const void> defaults;  // a T{}
  const Shape* writer = nullptr;
};

/// What the nodes of one plan share and point into.
struct PlanData {
  explicit PlanData(const Shape& shape) : writer(shape) {}
  PlanData(const PlanData&) = delete;
  PlanData& operator=(const PlanData&) = delete;
  Shape writer;
  std::deque<FieldsPlan> fields;
  PlanNode root;
};

/// Takes over one value of the writer's that the reader does not want.
void skip_value(Reader& in, const Shape& shape, Shape::TypeId type);

/// The least that a value of the writer's takes (at least 1), so that a count can be checked before anything is allocated.
std::size_t writer_bytes_min(const Shape& shape, Shape::TypeId type);

/// An integer in the form in which the writer wrote it; fails where it does not fit that form.
struct WireInteger {
  bool is_signed = false;
  std::int64_t as_signed = 0;
  std::uint64_t as_unsigned = 0;
};
WireInteger read_wire_integer(Reader& in, ShapeKind from);

/// Makes nodes. The first mismatch is kept with the path of fields that leads to it.
class PlanMaker {
 public:
  explicit PlanMaker(PlanData& data) : data_(data) {}

  [[nodiscard]] const Shape& writer() const { return data_.writer; }
  [[nodiscard]] const Shape::Type& type(Shape::TypeId id) const { return data_.writer.type(id); }
  [[nodiscard]] const std::string& problem() const { return problem_; }
  PlanData& data() { return data_; }

  /// Notes a mismatch at the present path; gives the node that says so.
  PlanNode mismatch(std::string_view why);
  /// "the writer has int64, this program string"
  PlanNode mismatch(Shape::TypeId writers, std::string_view readers);
  /// Takes back the mismatch noted since, because there is another way.
  void forgive(std::string problem) { problem_ = std::move(problem); }

  void enter(std::string_view field) { path_.emplace_back(field); }
  void leave() { path_.pop_back(); }

  using Key = std::pair<std::uint32_t, TypeKey>;
  std::map<Key, FieldsPlan*> known;  // null: does not match
  int depth = 0;                     // of structs inside structs

 private:
  PlanData& data_;
  std::vector<std::string> path_;
  std::string problem_;
};

template <class T>
PlanNode make_node(PlanMaker& maker, Shape::TypeId from);
template <class T>
PlanNode make_fields_node(PlanMaker& maker, std::uint32_t structure);

template <class T>
T& target_as(void* target) {
  return *static_cast<T*>(target);
}

template <class T>
void run_exact(Reader& in, void* target, const PlanNode&) {
  read_value(in, target_as<T>(target));
}

template <class T>
PlanNode exact_node() {
  PlanNode node;
  node.read = &run_exact<T>;
  node.exact = true;
  return node;
}

template <class T>
void run(const PlanNode& node, Reader& in, T& target) {
  node.read(in, &target, node);
}

/// The event around a type whose text is wanted. It is none of the reader's, which keep their own names in it.
struct TypeTextProbe {};

/// The reader's type as a shape spells it, for messages.
template <class T>
std::string type_text_of() {
  const Shape shape = ShapeBuilder::build(type_key<TypeTextProbe>(), [](ShapeBuilder& out) {
    out.name("?");
    out.number(1);
    out.name("?");
    describe_field<T>(out);
  });
  return shape.type_text(shape.event().fields.front().type);
}

// ---- numbers --------------------------------------------------------------------------------------------------------------

constexpr bool is_integer(ShapeKind kind) { return kind >= ShapeKind::int8 && kind <= ShapeKind::uint64; }

// `char` and std::byte are numbers here, but not to std::in_range.
template <class T>
using NumberOf = std::conditional_t<sizeof(T) == 1, std::conditional_t<std::is_signed_v<T>, signed char, unsigned char>, T>;

template <class T>
T fit_integer(Reader& in, const WireInteger& value) {
  const bool fits =
      value.is_signed ? std::in_range<NumberOf<T>>(value.as_signed) : std::in_range<NumberOf<T>>(value.as_unsigned);
  if (!fits) {
    in.fail("a number that its field cannot hold");
    return T{};
  }
  return value.is_signed ? static_cast<T>(value.as_signed) : static_cast<T>(value.as_unsigned);
}

template <class T>
void run_integer(Reader& in, void* target, const PlanNode& node) {
  if constexpr (std::is_enum_v<T>) {
    target_as<T>(target) = static_cast<T>(fit_integer<std::underlying_type_t<T>>(in, read_wire_integer(in, node.from)));
  } else {
    target_as<T>(target) = fit_integer<T>(in, read_wire_integer(in, node.from));
  }
}

template <class T>
PlanNode make_integer(PlanMaker& maker, Shape::TypeId from) {
  const Shape::Type* type = &maker.type(from);
  if (type->kind == ShapeKind::enumeration) type = &maker.type(type->parts[0]);
  if (!is_integer(type->kind)) return maker.mismatch(from, type_text_of<T>());
  using Number = typename std::conditional_t<std::is_enum_v<T>, std::underlying_type<T>, std::type_identity<T>>::type;
  if (type->kind == integer_kind<Number>()) return exact_node<T>();
  PlanNode node;
  node.read = &run_integer<T>;
  node.from = type->kind;
  return node;
}

template <class T>
PlanNode make_floating(PlanMaker& maker, Shape::TypeId from) {
  const ShapeKind kind = maker.type(from).kind;
  if (kind == (sizeof(T) == 4 ? ShapeKind::float32 : ShapeKind::float64)) return exact_node<T>();
  if (sizeof(T) != 8 || kind != ShapeKind::float32) return maker.mismatch(from, type_text_of<T>());
  PlanNode node;
  node.read = [](Reader& in, void* target, const PlanNode&) { target_as<T>(target) = static_cast<T>(in.floating<float>()); };
  return node;
}

template <class Time>
void run_ticks(Reader& in, void* target, const PlanNode& node) {
  using Rep = typename Time::rep;
  const Rep ticks = fit_integer<Rep>(in, read_wire_integer(in, node.from));
  Rep scaled{};
  if (__builtin_mul_overflow(ticks, node.factor, &scaled)) in.fail("a time that its field cannot hold");
  if constexpr (kFieldKind<Time> == FieldKind::time_point) {
    target_as<Time>(target) = Time{typename Time::duration{scaled}};
  } else {
    target_as<Time>(target) = Time{scaled};
  }
}

// Ticks may become finer, which is exact, but not coarser.
template <class Time>
PlanNode make_ticks(PlanMaker& maker, Shape::TypeId from) {
  constexpr ShapeKind kind = kFieldKind<Time> == FieldKind::duration ? ShapeKind::duration : ShapeKind::time_point;
  using Rep = typename Time::rep;
  using Period = typename Time::period;
  const Shape::Type& type = maker.type(from);
  if (type.kind != kind) return maker.mismatch(from, type_text_of<Time>());
  const ShapeKind rep = maker.type(type.parts[0]).kind;
  if (type.num == std::uint64_t{Period::num} && type.den == std::uint64_t{Period::den}) {
    if constexpr (std::is_integral_v<Rep>) {
      if (rep == integer_kind<Rep>()) return exact_node<Time>();
    } else if (rep == (sizeof(Rep) == 4 ? ShapeKind::float32 : ShapeKind::float64)) {
      return exact_node<Time>();
    }
  }
  if constexpr (std::is_integral_v<Rep>) {
    std::uint64_t whole = 0;
    std::uint64_t part = 0;
    const bool overflow = __builtin_mul_overflow(type.num, std::uint64_t{Period::den}, &whole) ||
                          __builtin_mul_overflow(type.den, std::uint64_t{Period::num}, &part);
    if (is_integer(rep) && !overflow && whole % part == 0 && std::in_range<std::int64_t>(whole / part)) {
      PlanNode node;
      node.read = &run_ticks<Time>;
      node.from = rep;
      node.factor = static_cast<std::int64_t>(whole / part);
      return node;
    }
  }
  return maker.mismatch(from, type_text_of<Time>());
}

// ---- containers -----------------------------------------------------------------------------------------------------------

template <class T>
void run_optional(Reader& in, void* target, const PlanNode& node) {
  T& value = target_as<T>(target);
  if (!in.boolean()) {
    value.reset();
    return;
  }
  if (!value) value.emplace();
  run(node.parts[0], in, *value);
}

template <class T>
void run_into_optional(Reader& in, void* target, const PlanNode& node) {
  T& value = target_as<T>(target);
  if (!value) value.emplace();
  run(node.parts[0], in, *value);
}

template <class T>
PlanNode make_optional(PlanMaker& maker, Shape::TypeId from) {
  const bool is_optional = maker.type(from).kind == ShapeKind::optional;
  PlanNode part = make_node<typename T::value_type>(maker, is_optional ? maker.type(from).parts[0] : from);
  if (part.read == nullptr) return part;
  if (is_optional && part.exact) return exact_node<T>();
  PlanNode node;
  node.read = is_optional ? &run_optional<T> : &run_into_optional<T>;
  node.parts.push_back(std::move(part));
  return node;
}

template <class T, std::size_t I>
void run_alternative(Reader& in, T& value, const PlanNode& node) {
  using One = std::variant_alternative_t<I, T>;
  if (value.index() != I) value.template emplace<I>();
  if constexpr (!std::is_same_v<One, std::monostate>) run(node, in, *std::get_if<I>(&value));
}

template <class T>
void run_variant(Reader& in, void* target, const PlanNode& node) {
  T& value = target_as<T>(target);
  const std::uint64_t index = in.varint();
  const bool known = [&]<std::size_t... I>(std::index_sequence<I...>) {
    return ((index == I && I < node.parts.size() && (run_alternative<T, I>(in, value, node.parts[I]), true)) || ...);
  }(std::make_index_sequence<std::variant_size_v<T>>{});
  if (!known) in.fail("an alternative that the variant does not have");
}

// Alternatives are appended, never reordered: a struct at another struct's place is refused even where their fields would do.
template <class One>
PlanNode make_alternative(PlanMaker& maker, Shape::TypeId from) {
  const Shape::Type& type = maker.type(from);
  if constexpr (std::is_same_v<One, std::monostate>) {
    if (type.kind != ShapeKind::unit) return maker.mismatch(from, "monostate");
    PlanNode node;
    node.exact = true;
    node.read = [](Reader&, void*, const PlanNode&) {};
    return node;
  } else {
    if constexpr (kFieldKind<One> == FieldKind::structure) {
      if (type.kind == ShapeKind::structure) {
        const std::string& name = maker.writer().structs()[type.index].name;
        const auto aliases = event_aliases<One>();
        const bool same = name == struct_name<One>() || std::find(aliases.begin(), aliases.end(), name) != aliases.end();
        if (!same) return maker.mismatch(from, type_text_of<One>());
      }
    }
    return make_node<One>(maker, from);
  }
}

template <class... A>
PlanNode make_variant(PlanMaker& maker, Shape::TypeId from, std::type_identity<std::variant<A...>>) {
  using T = std::variant<A...>;
  const Shape::Type& type = maker.type(from);
  if (type.kind != ShapeKind::variant) return maker.mismatch(from, type_text_of<T>());
  PlanNode node;
  node.read = &run_variant<T>;
  bool matched = true;
  bool exact = true;
  std::size_t next = 0;
  const auto add = [&]<class One>(std::type_identity<One>) {
    if (!matched || next == type.parts.size()) return;
    node.parts.push_back(make_alternative<One>(maker, type.parts[next++]));
    matched = node.parts.back().read != nullptr;
    exact = exact && node.parts.back().exact;
  };
  (add(std::type_identity<A>{}), ...);
  if (!matched) return {};
  if (exact && type.parts.size() <= sizeof...(A)) return exact_node<T>();
  return node;
}

template <class T>
void run_sequence(Reader& in, void* target, const PlanNode& node) {
  read_sequence(in, target_as<T>(target), in.count(node.bytes_each), [&](auto& element) { run(node.parts[0], in, element); });
}

template <class T>
void run_set(Reader& in, void* target, const PlanNode& node) {
  read_set(in, target_as<T>(target), in.count(node.bytes_each), [&](auto& element) { run(node.parts[0], in, element); });
}

template <class T>
void run_array(Reader& in, void* target, const PlanNode& node) {
  for (auto& element : target_as<T>(target)) run(node.parts[0], in, element);
}

template <class T>
void run_map(Reader& in, void* target, const PlanNode& node) {
  read_map(
      in, target_as<T>(target), in.count(2), [&](auto& key) { run(node.parts[0], in, key); },
      [&](auto& mapped) { run(node.parts[1], in, mapped); });
}

// Sequence, set, array: the writer's kind must be the same, its element must match.
template <class T>
PlanNode make_elements(PlanMaker& maker, Shape::TypeId from, ShapeKind kind, PlanNode::Read read) {
  const Shape::Type& type = maker.type(from);
  if (type.kind != kind) return maker.mismatch(from, type_text_of<T>());
  PlanNode part = make_node<typename T::value_type>(maker, type.parts[0]);
  if (part.read == nullptr) return part;
  if (part.exact) return exact_node<T>();
  PlanNode node;
  node.read = read;
  node.bytes_each = writer_bytes_min(maker.writer(), type.parts[0]);
  node.parts.push_back(std::move(part));
  return node;
}

template <class T>
PlanNode make_map(PlanMaker& maker, Shape::TypeId from) {
  const Shape::Type& type = maker.type(from);
  if (type.kind != ShapeKind::map) return maker.mismatch(from, type_text_of<T>());
  PlanNode node;
  node.read = &run_map<T>;
  node.parts.push_back(make_node<typename T::key_type>(maker, type.parts[0]));
  if (node.parts[0].read == nullptr) return {};
  node.parts.push_back(make_node<typename T::mapped_type>(maker, type.parts[1]));
  if (node.parts[1].read == nullptr) return {};
  return node.parts[0].exact && node.parts[1].exact ? exact_node<T>() : node;
}

template <class T>
void run_mapped(Reader& in, void* target, const PlanNode& node) {
  typename lungo_codec<T>::Wire wire{};
  run(node.parts[0], in, wire);
  from_wire(in, wire, target_as<T>(target));
}

template <class T>
PlanNode make_mapped(PlanMaker& maker, Shape::TypeId from) {
  PlanNode part = make_node<typename lungo_codec<T>::Wire>(maker, from);
  if (part.read == nullptr) return part;
  if (part.exact) return exact_node<T>();
  PlanNode node;
  node.read = &run_mapped<T>;
  node.parts.push_back(std::move(part));
  return node;
}

template <class T>
PlanNode same_kind(PlanMaker& maker, Shape::TypeId from, ShapeKind kind) {
  return maker.type(from).kind == kind ? exact_node<T>() : maker.mismatch(from, type_text_of<T>());
}

// A struct inside another: its length, then its fields.
template <class T>
void run_nested(Reader& in, void* target, const PlanNode& node) {
  const std::byte* outer = in.open();
  run(node.parts[0], in, target_as<T>(target));
  in.close(outer);
}

template <class T>
PlanNode make_nested(PlanMaker& maker, Shape::TypeId from) {
  if (maker.type(from).kind != ShapeKind::structure) return maker.mismatch(from, type_text_of<T>());
  PlanNode part = make_fields_node<T>(maker, maker.type(from).index);
  if (part.read == nullptr) return part;
  if (part.exact) return exact_node<T>();
  PlanNode node;
  node.read = &run_nested<T>;
  node.parts.push_back(std::move(part));
  return node;
}

template <class T>
PlanNode make_node(PlanMaker& maker, Shape::TypeId from) {
  constexpr FieldKind kind = kFieldKind<T>;
  if constexpr (!field_is_supported<T>::value) {
    return {};
  } else if constexpr (kind == FieldKind::mapped) {
    return make_mapped<T>(maker, from);
  } else if constexpr (kind == FieldKind::boolean) {
    return same_kind<T>(maker, from, ShapeKind::boolean);
  } else if constexpr (kind == FieldKind::integer || kind == FieldKind::enumeration) {
    return make_integer<T>(maker, from);
  } else if constexpr (kind == FieldKind::floating) {
    return make_floating<T>(maker, from);
  } else if constexpr (kind == FieldKind::text) {
    return same_kind<T>(maker, from, ShapeKind::text);
  } else if constexpr (kind == FieldKind::bytes) {
    return same_kind<T>(maker, from, ShapeKind::bytes);
  } else if constexpr (kind == FieldKind::duration || kind == FieldKind::time_point) {
    return make_ticks<T>(maker, from);
  } else if constexpr (kind == FieldKind::optional) {
    return make_optional<T>(maker, from);
  } else if constexpr (kind == FieldKind::variant) {
    return make_variant(maker, from, std::type_identity<T>{});
  } else if constexpr (kind == FieldKind::sequence) {
    return make_elements<T>(maker, from, ShapeKind::sequence, &run_sequence<T>);
  } else if constexpr (kind == FieldKind::set) {
    return make_elements<T>(maker, from, ShapeKind::set, &run_set<T>);
  } else if constexpr (kind == FieldKind::array) {
    if (maker.type(from).length != std::tuple_size_v<T>) return maker.mismatch(from, type_text_of<T>());
    return make_elements<T>(maker, from, ShapeKind::array, &run_array<T>);
  } else if constexpr (kind == FieldKind::map) {
    return make_map<T>(maker, from);
  } else {
    return make_nested<T>(maker, from);
  }
}

}  // namespace lungo::detail
