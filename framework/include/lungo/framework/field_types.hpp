// Which C++ types may be fields, and what each is to a shape and to a codec.
//
// bool; integers of 8 to 64 bits; float, double; std::string; enum; std::chrono durations and system_clock times;
// std::optional; std::variant (append only); std::vector, deque, list; std::array; set, map and their unordered forms; structs
// with fields; std::vector<std::byte> or of std::uint8_t as raw bytes. A struct may contain itself through vector, optional,
// set or map. std::vector<bool> is a sequence of bools, a byte each. Any other class joins through `lungo_codec<T>`, which says
// as which field type it travels:
//   template <> struct lungo::lungo_codec<Money> {
//     using Wire = std::int64_t;
//     static Wire to_wire(const Money& m) { return m.cents(); }
//     static Money from_wire(const Wire& cents) { return Money{cents}; }        // or Result<Money>: an error = undecodable
//   };
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <type_traits>
#include <unordered_map>
#include <unordered_set>
#include <variant>
#include <vector>

#include <lungo/framework/fields.hpp>

namespace lungo {

/// Says as which field type a T travels; see the file's comment.
template <class T>
struct lungo_codec;

/// What codec_boost.hpp fills in for classes with `serialize`: shape, writing and reading of a T. Not for applications.
template <class T>
struct foreign_codec;

enum class FieldKind {
  boolean,
  integer,
  floating,
  text,
  bytes,
  enumeration,
  duration,
  time_point,
  optional,
  variant,
  sequence,
  array,
  set,
  map,
  mapped,     // through lungo_codec
  structure,  // has fields
  foreign,    // through foreign_codec
  pointer,    // refused
  view,       // refused
  unknown,    // refused
};

namespace detail {

template <class T, template <class...> class Template>
inline constexpr bool is_instance = false;
template <class... A, template <class...> class Template>
inline constexpr bool is_instance<Template<A...>, Template> = true;

template <class T>
inline constexpr bool is_std_array = false;
template <class E, std::size_t N>
inline constexpr bool is_std_array<std::array<E, N>> = true;

template <class T>
inline constexpr bool is_system_time = false;
template <class D>
inline constexpr bool is_system_time<std::chrono::time_point<std::chrono::system_clock, D>> = true;

template <class T>
inline constexpr bool is_plain_integer =
    std::is_integral_v<T> && sizeof(T) <= 8 && !std::is_same_v<T, wchar_t> && !std::is_same_v<T, char8_t> &&
    !std::is_same_v<T, char16_t> && !std::is_same_v<T, char32_t>;

template <class T>
inline constexpr bool is_pointer_like = std::is_pointer_v<T> || std::is_member_pointer_v<T> || std::is_null_pointer_v<T>;

template <class T>
concept HasCodec = requires { typename lungo_codec<T>::Wire; };

template <class T>
concept HasForeignCodec = requires { foreign_codec<T>::kIsForeign; };

// One byte that is copied as it is.
template <class T>
inline constexpr bool is_raw_byte = std::is_same_v<T, std::byte> || std::is_same_v<T, std::uint8_t>;

template <class T>
consteval bool is_byte_vector() {
  if constexpr (is_instance<T, std::vector>) {
    return is_raw_byte<typename T::value_type>;
  } else {
    return false;
  }
}

template <class T>
consteval FieldKind field_kind() {
  using K = FieldKind;
  if constexpr (HasCodec<T>)
    return K::mapped;
  else if constexpr (std::is_same_v<T, bool>)
    return K::boolean;
  else if constexpr (is_plain_integer<T> || std::is_same_v<T, std::byte>)
    return K::integer;
  else if constexpr (std::is_same_v<T, float> || std::is_same_v<T, double>)
    return K::floating;
  else if constexpr (std::is_same_v<T, std::string>)
    return K::text;
  else if constexpr (std::is_enum_v<T>)
    return K::enumeration;
  else if constexpr (is_pointer_like<T> || is_instance<T, std::unique_ptr> || is_instance<T, std::shared_ptr>)
    return K::pointer;
  else if constexpr (std::is_same_v<T, std::string_view>)
    return K::view;
  else if constexpr (is_byte_vector<T>())
    return K::bytes;
  else if constexpr (is_instance<T, std::vector> || is_instance<T, std::deque> || is_instance<T, std::list>)
    return K::sequence;
  else if constexpr (is_std_array<T>)
    return K::array;
  else if constexpr (is_instance<T, std::optional>)
    return K::optional;
  else if constexpr (is_instance<T, std::variant>)
    return K::variant;
  else if constexpr (is_instance<T, std::set> || is_instance<T, std::unordered_set>)
    return K::set;
  else if constexpr (is_instance<T, std::map> || is_instance<T, std::unordered_map>)
    return K::map;
  else if constexpr (is_instance<T, std::chrono::duration>)
    return K::duration;
  else if constexpr (is_system_time<T>)
    return K::time_point;
  else if constexpr (std::is_class_v<T>) {
    if constexpr (HasFields<T>)
      return K::structure;
    else if constexpr (HasForeignCodec<T>)
      return K::foreign;
    else
      return K::unknown;
  } else
    return K::unknown;
}

}  // namespace detail

template <class T>
inline constexpr FieldKind kFieldKind = detail::field_kind<T>();

/// Its instantiation is the compile error for a class that is no field and no event; the compiler names the type.
template <class TheType>
struct type_is_readable {
  static constexpr PlainProblem problem = plain_problem<TheType>();
  static_assert(
      problem != PlainProblem::not_aggregate,
      "lungo: TheType is not an aggregate (it has constructors, private members or virtual functions, or is no struct). "
      "Ways out: serialize(ar, version) with nvp names and codec_boost.hpp, lungo_fields(T&), or lungo_codec<T>");
  static_assert(problem != PlainProblem::base_class,
                "lungo: TheType has a base class. "
                "Ways out: serialize(ar, version) with nvp names and codec_boost.hpp, lungo_fields(T&), or lungo_codec<T>");
  static_assert(problem != PlainProblem::no_default,
                "lungo: TheType has a reference member, or a member without a default or with an explicit default constructor. "
                "Ways out: serialize(ar, version) with nvp names and codec_boost.hpp, lungo_fields(T&), or lungo_codec<T>");
  static_assert(problem != PlainProblem::too_many_fields,
                "lungo: TheType has more than 64 fields; group them in nested structs. "
                "Ways out: serialize(ar, version) with nvp names and codec_boost.hpp, lungo_fields(T&), or lungo_codec<T>");
  static_assert(problem != PlainProblem::c_array,
                "lungo: TheType has a C array member; use std::array. "
                "Ways out: serialize(ar, version) with nvp names and codec_boost.hpp, lungo_fields(T&), or lungo_codec<T>");
  static_assert(problem != PlainProblem::closed_field,
                "lungo: TheType has a member whose type converts from anything, so its fields cannot be counted. "
                "Ways out: serialize(ar, version) with nvp names and codec_boost.hpp, lungo_fields(T&), or lungo_codec<T>");
  static_assert(problem != PlainProblem::bit_field,
                "lungo: TheType has a bit-field. "
                "Ways out: serialize(ar, version) with nvp names and codec_boost.hpp, lungo_fields(T&), or lungo_codec<T>");
  static_assert(problem != PlainProblem::const_field,
                "lungo: TheType has a const member, which cannot be read into. "
                "Ways out: serialize(ar, version) with nvp names and codec_boost.hpp, lungo_fields(T&), or lungo_codec<T>");
  static constexpr bool value = false;
};

namespace detail {

// What T travels as, through any chain of lungo_codec.
template <class T>
struct WireOf {
  using type = T;
};
template <HasCodec T>
struct WireOf<T> : WireOf<typename lungo_codec<T>::Wire> {};
template <class T>
using WireType = typename WireOf<T>::type;

template <class T>
inline constexpr bool is_optional_of_optional = false;
template <class T>
inline constexpr bool is_optional_of_optional<std::optional<T>> = is_instance<WireType<T>, std::optional>;

template <class T>
consteval bool is_array_of_nothing() {
  if constexpr (is_std_array<T>) {
    return std::tuple_size_v<T> == 0;
  } else {
    return false;
  }
}

template <class T>
consteval bool is_enum_over_bool() {
  if constexpr (std::is_enum_v<T>) {
    return std::is_same_v<std::underlying_type_t<T>, bool>;
  } else {
    return false;
  }
}

}  // namespace detail

/// True if T can be a field; otherwise a compile error that names T and says why not.
template <class TheType>
struct field_is_supported {
  static constexpr FieldKind kind = kFieldKind<TheType>;
  static_assert(kind != FieldKind::pointer,
                "lungo: TheType is a pointer, and events are values: use a value, std::optional, std::vector, or an id");
  static_assert(kind != FieldKind::view, "lungo: std::string_view does not own its bytes: use std::string");
  static_assert(kind != FieldKind::unknown || std::is_class_v<TheType>,
                "lungo: TheType cannot be a field: it has no portable width (wchar_t, char8_t, long double, 128 bits...)");
  static_assert(!detail::is_optional_of_optional<TheType>,
                "lungo: TheType is an optional of an optional: null would have two meanings");
  static_assert(!detail::is_enum_over_bool<TheType>(), "lungo: TheType is an enum over bool: give it an integer type");
  static_assert(!detail::is_array_of_nothing<TheType>(), "lungo: TheType is an array of no elements");
  // A class that is unknown says itself what is wrong with it.
  static constexpr bool is_unknown_class = kind == FieldKind::unknown && std::is_class_v<TheType>;
  static_assert(sizeof(std::conditional_t<is_unknown_class, type_is_readable<TheType>, std::true_type>) > 0);
  static constexpr bool value = kind != FieldKind::unknown && kind != FieldKind::pointer && kind != FieldKind::view;
};

}  // namespace lungo
