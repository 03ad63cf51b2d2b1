// Field reflection: the names, types and references of a struct's fields, without a macro and without registration.
//
// For shapes, codecs and the columns of a projection's rows. Two kinds of struct have fields here:
//   plain     an aggregate without base class, C array, reference, bit-field or const member, at most 64 fields, whose members
//             all have defaults: read at compile time;
//   named     any class with a function, found by argument-dependent lookup, that returns named ties:
//               auto lungo_fields(Money& m) { return std::tuple{lungo::named("cents", m.cents_)}; }
// Why it works: a structured binding finds the members, and __PRETTY_FUNCTION__ of a template whose argument is a pointer to a
// member of an object that is only declared spells the member's name (g++ 12, clang 16).
// Threads: everything here is a pure function.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

#include <lungo/framework/tie_fields.hpp>

namespace lungo {

/// A field with its name, for `lungo_fields`. The name must outlive the program's use of it: a string literal.
template <class F>
struct Named {
  std::string_view name;
  F& value;
};

template <class F>
constexpr Named<F> named(std::string_view name, F& value) {
  return {name, value};
}

namespace detail {

struct AnyField {
  // Only asked whether it would do, never called; but clang wants a definition where F has no linkage.
  template <class F>
  operator F() const {
    __builtin_unreachable();
  }
};

template <class T>
struct AnyBaseOf {
  template <class B>
    requires(std::is_base_of_v<B, T> && !std::is_same_v<B, T>)
  operator B() const {
    __builtin_unreachable();
  }
};

template <std::size_t>
using AnyFieldAt = AnyField;

template <class T, class... Any>
consteval std::size_t count_initializers() {
  if constexpr (sizeof...(Any) <= kFieldsMax && requires { T{std::declval<Any>()..., std::declval<AnyField>()}; }) {
    return count_initializers<T, Any..., AnyField>();
  } else {
    return sizeof...(Any);
  }
}

// How many initializers T takes; with a C array inside that is more than it has fields.
template <class T>
inline constexpr std::size_t kInitializers = count_initializers<T>();

// True if `{}` at this place takes one initializer; for a C array it takes the whole array, and the rest are too many.
template <class T, std::size_t... Before, std::size_t... After>
consteval bool is_one_field(std::index_sequence<Before...>, std::index_sequence<After...>) {
  return requires { T{std::declval<AnyFieldAt<Before>>()..., {}, std::declval<AnyFieldAt<After>>()...}; };
}

template <class T>
consteval bool has_c_array() {
  return []<std::size_t... I>(std::index_sequence<I...>) {
    return !(is_one_field<T>(std::make_index_sequence<I>{}, std::make_index_sequence<sizeof...(I) - I - 1>{}) && ...);
  }(std::make_index_sequence<kInitializers<T>>{});
}

// True if the field behind the last initializer that fits exists but takes no AnyField (it converts from everything).
template <class T>
consteval bool has_closed_field() {
  return []<std::size_t... I>(std::index_sequence<I...>) {
    return requires { T{std::declval<AnyFieldAt<I>>()..., {}}; };
  }(std::make_index_sequence<kInitializers<T>>{});
}

template <class T>
struct Holder {
  T value;
};

#ifdef __clang__
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wundefined-var-template"
#pragma clang diagnostic ignored "-Wundefined-internal"
#endif
template <class T>
extern const Holder<T> nowhere;  // never defined: only the addresses of its members are spelled

template <class M>
struct MemberPointer {
  const M* pointer;
};

template <class T>
using Ties = decltype(tie_fields<kInitializers<T>>(std::declval<T&>()));

template <class T, std::size_t I>
consteval auto member_pointer() {
  using Member = std::remove_cvref_t<std::tuple_element_t<I, Ties<const T>>>;
  return MemberPointer<Member>{&std::get<I>(tie_fields<kInitializers<T>>(nowhere<T>.value))};
}
#ifdef __clang__
#pragma clang diagnostic pop
#endif

template <auto Pointer>
consteval const char* spell() {
  return __PRETTY_FUNCTION__;
}

constexpr bool is_name_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         static_cast<signed char>(c) < 0;
}

// The last name in what the compiler spelled: "... T::name)}]" or "... value.name}]".
consteval std::string_view last_name(std::string_view spelled) {
  std::size_t end = spelled.size();
  while (end > 0 && !is_name_char(spelled[end - 1])) --end;
  std::size_t begin = end;
  while (begin > 0 && is_name_char(spelled[begin - 1])) --begin;
  return spelled.substr(begin, end - begin);
}

// A reference to a bit-field refers to a temporary, whose address is no constant.
template <class T, std::size_t... I>
consteval bool has_bit_field(std::index_sequence<I...>) {
  return !(requires { spell<member_pointer<T, I>()>(); } && ...);
}

template <class T, std::size_t... I>
consteval bool has_const_field(std::index_sequence<I...>) {
  return (std::is_const_v<std::remove_reference_t<std::tuple_element_t<I, Ties<T>>>> || ...);
}

}  // namespace detail

/// Why a struct's fields cannot be read at compile time.
enum class PlainProblem {
  none,
  not_aggregate,
  base_class,
  no_default,
  too_many_fields,
  c_array,
  closed_field,
  bit_field,
  const_field
};

/// The first reason that applies to T, in the order of the enumeration.
template <class T>
consteval PlainProblem plain_problem() {
  if constexpr (!std::is_class_v<T> || !std::is_aggregate_v<T>) {
    return PlainProblem::not_aggregate;
  } else if constexpr (requires { T{std::declval<detail::AnyBaseOf<T>>()}; }) {
    return PlainProblem::base_class;
  } else if constexpr (!requires { T{}; }) {
    return PlainProblem::no_default;  // a reference is such a member
  } else if constexpr (detail::kInitializers<T> > detail::kFieldsMax) {
    return PlainProblem::too_many_fields;
  } else if constexpr (detail::has_c_array<T>()) {
    return PlainProblem::c_array;
  } else if constexpr (detail::has_closed_field<T>()) {
    return PlainProblem::closed_field;
  } else if constexpr (detail::has_bit_field<T>(std::make_index_sequence<detail::kInitializers<T>>{})) {
    return PlainProblem::bit_field;
  } else if constexpr (detail::has_const_field<T>(std::make_index_sequence<detail::kInitializers<T>>{})) {
    return PlainProblem::const_field;
  } else {
    return PlainProblem::none;
  }
}

/// A class whose fields are named by `lungo_fields`.
template <class T>
concept NamesItsFields = requires(T& value) { lungo_fields(value); };

/// A struct whose fields are read at compile time. `lungo_fields`, where it exists, goes first.
template <class T>
concept Plain = !NamesItsFields<T> && plain_problem<T>() == PlainProblem::none;

/// A class with fields that shapes, codecs and rows know.
template <class T>
concept HasFields = NamesItsFields<T> || Plain<T>;

namespace detail {

template <class T>
consteval std::size_t count_fields() {
  if constexpr (NamesItsFields<T>) {
    return std::tuple_size_v<decltype(lungo_fields(std::declval<T&>()))>;
  } else {
    return kInitializers<T>;
  }
}

template <class T, std::size_t... I>
consteval auto plain_names(std::index_sequence<I...>) {
  return std::array<std::string_view, sizeof...(I)>{last_name(spell<member_pointer<T, I>()>())...};
}

}  // namespace detail

template <HasFields T>
inline constexpr std::size_t field_count = detail::count_fields<T>();

/// References to the fields in order, as a std::tuple. A const value gives const references, except through `lungo_fields`,
/// whose author sees a non-const object: he must not change it.
template <class T>
  requires HasFields<std::remove_const_t<T>>
constexpr auto field_ties(T& value) {
  using Class = std::remove_const_t<T>;
  if constexpr (NamesItsFields<Class>) {
    return std::apply([](const auto&... field) { return std::tie(field.value...); }, lungo_fields(const_cast<Class&>(value)));
  } else {
    return detail::tie_fields<field_count<Class>>(value);
  }
}

/// The fields' names in order. Those of a plain struct are constants; those that `lungo_fields` gives are asked once.
template <HasFields T>
const std::array<std::string_view, field_count<T>>& field_names() {
  if constexpr (NamesItsFields<T>) {
    static const auto names = [] {
      T value{};
      return std::apply([](const auto&... field) { return std::array<std::string_view, field_count<T>>{field.name...}; },
                        lungo_fields(value));
    }();
    return names;
  } else {
    static constexpr auto names = detail::plain_names<T>(std::make_index_sequence<field_count<T>>{});
    return names;
  }
}

/// Type of the field at `I`, without const and reference.
template <HasFields T, std::size_t I>
using FieldType = std::remove_cvref_t<std::tuple_element_t<I, decltype(field_ties(std::declval<T&>()))>>;

/// Calls `visit(name, reference)` for each field, in order.
template <class T, class Visitor>
  requires HasFields<std::remove_const_t<T>>
constexpr void for_each_field(T& value, Visitor&& visit) {
  using Class = std::remove_const_t<T>;
  const auto& names = field_names<Class>();
  std::apply(
      [&](auto&... field) {
        std::size_t next = 0;
        (visit(names[next++], field), ...);
      },
      field_ties(value));
}

}  // namespace lungo
