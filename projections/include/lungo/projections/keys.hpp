// What the engine does with a projection's Key besides storing it: order, hash, equality, and how much memory a value holds.
//
// Order: field by field from the first, as a defaulted operator<=> has it. Integers, text (by bytes), bytes, enums and times
// are ordered by SQLite itself; a Key with anything else (optional, nested, containers, 64-bit unsigned) gets a further column
// `key_order` whose bytes order like the Key.
// Threads: pure functions.
#pragma once

#include <bit>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <variant>

#include <lungo/framework/field_types.hpp>
#include <lungo/framework/state_bytes.hpp>
#include <lungo/projections/state_store.hpp>

namespace lungo::detail {

/// Appends bytes whose memcmp order is the order of cells. The grammar is in cell_codec.hpp.
void append_ordered(const Cell& cell, std::string& out);

template <class T>
consteval bool is_byte_array() {
  if constexpr (is_std_array<T>) {
    return is_raw_byte<typename T::value_type>;
  } else {
    return false;
  }
}

template <class T>
BytesView bytes_of(const T& bytes) {
  return std::as_bytes(std::span{bytes.data(), bytes.size()});
}

/// A field that one integer column holds.
template <class T>
consteval bool is_integral_field() {
  constexpr FieldKind kind = kFieldKind<T>;
  if constexpr (kind == FieldKind::duration || kind == FieldKind::time_point) {
    return std::is_integral_v<typename T::rep>;
  } else {
    return kind == FieldKind::boolean || kind == FieldKind::integer || kind == FieldKind::enumeration;
  }
}

/// The integer that stands for the field; unsigned 64-bit values keep their bits, not their order.
template <class T>
constexpr std::int64_t integer_of(const T& value) {
  constexpr FieldKind kind = kFieldKind<T>;
  if constexpr (kind == FieldKind::duration) {
    return static_cast<std::int64_t>(value.count());
  } else if constexpr (kind == FieldKind::time_point) {
    return static_cast<std::int64_t>(value.time_since_epoch().count());
  } else {
    return static_cast<std::int64_t>(value);
  }
}

template <class T>
consteval bool is_unsigned_64() {
  if constexpr (std::is_enum_v<T>) {
    return is_unsigned_64<std::underlying_type_t<T>>();
  } else {
    return std::is_unsigned_v<T> && sizeof(T) == 8;
  }
}

/// A field that SQLite orders as C++ does.
template <class T>
consteval bool orders_itself() {
  if constexpr (is_integral_field<T>()) {
    return !is_unsigned_64<T>();
  } else {
    constexpr FieldKind kind = kFieldKind<T>;
    return kind == FieldKind::text || kind == FieldKind::bytes || kind == FieldKind::floating || is_byte_array<T>();
  }
}

/// Appends a value of any field type, or a struct of them, in key order.
template <class T>
void append_ordered_value(const T& value, std::string& out) {
  constexpr FieldKind kind = kFieldKind<T>;
  if constexpr (is_integral_field<T>()) {
    const std::int64_t integer = integer_of(value);
    append_ordered(
        Cell{is_unsigned_64<T>() ? std::bit_cast<std::int64_t>(std::bit_cast<std::uint64_t>(integer) ^ (1ull << 63)) : integer},
        out);
  } else if constexpr (kind == FieldKind::floating) {
    append_ordered(Cell{static_cast<double>(value)}, out);
  } else if constexpr (kind == FieldKind::text) {
    append_ordered(Cell{std::string_view{value}}, out);
  } else if constexpr (kind == FieldKind::bytes || is_byte_array<T>()) {
    append_ordered(Cell{bytes_of(value)}, out);
  } else if constexpr (kind == FieldKind::mapped) {
    append_ordered_value(lungo_codec<T>::to_wire(value), out);
  } else if constexpr (kind == FieldKind::optional) {
    out.push_back(value ? '\1' : '\0');
    if (value) append_ordered_value(*value, out);
  } else if constexpr (kind == FieldKind::variant) {
    append_ordered(Cell{static_cast<std::int64_t>(value.index())}, out);
    std::visit([&out](const auto& inner) { append_ordered_value(inner, out); }, value);
  } else if constexpr (kind == FieldKind::sequence || kind == FieldKind::array || kind == FieldKind::set ||
                       kind == FieldKind::map) {
    for (const auto& element : value) {
      out.push_back('\1');
      append_ordered_value(element, out);
    }
    out.push_back('\0');
  } else if constexpr (is_instance<T, std::pair>) {
    append_ordered_value(value.first, out);
    append_ordered_value(value.second, out);
  } else {
    std::apply([&out](const auto&... field) { (append_ordered_value(field, out), ...); }, field_ties(value));
  }
}

/// XXH3 of the bytes: several look-ups per event hash a page's path.
std::uint64_t text_hash(std::string_view text);

inline std::uint64_t mix(std::uint64_t hash, std::uint64_t value) {
  hash = (hash ^ value) * 0x9e3779b97f4a7c15ull;  // golden ratio: spreads runs of small integers over the upper bits
  return hash ^ (hash >> 32);
}

/// Hash within this process. A std::string and a view of it hash alike.
template <class T>
std::uint64_t key_hash(const T& value, std::uint64_t seed = 0) {
  if constexpr (std::is_convertible_v<const T&, std::string_view>) {
    return mix(seed, text_hash(std::string_view{value}));
  } else if constexpr (is_integral_field<T>()) {
    return mix(seed, static_cast<std::uint64_t>(integer_of(value)));
  } else if constexpr (kFieldKind<T> == FieldKind::bytes || is_byte_array<T>()) {
    return mix(seed, text_hash(as_text(bytes_of(value))));
  } else if constexpr (kFieldKind<T> == FieldKind::structure) {
    return std::apply(
        [seed](const auto&... field) {
          std::uint64_t hash = seed;
          ((hash = key_hash(field, hash)), ...);
          return hash;
        },
        field_ties(value));
  } else {
    std::string ordered;
    append_ordered_value(value, ordered);
    return mix(seed, text_hash(ordered));
  }
}

/// A struct with as many fields as the struct Key, which can be made of it: what key() may return in its place, with views
/// where Key has text. It hashes and compares like the Key, so that a row that is held is found without making one.
template <class K, class Key>
consteval bool views_key() {
  if constexpr (kFieldKind<K> == FieldKind::structure && kFieldKind<Key> == FieldKind::structure) {
    return field_count<K> == field_count<Key> && std::is_constructible_v<Key, const K&>;
  } else {
    return false;
  }
}

template <class A, class B>
bool key_equal(const A& a, const B& b) {
  if constexpr (std::is_convertible_v<const A&, std::string_view> && std::is_convertible_v<const B&, std::string_view>) {
    return std::string_view{a} == std::string_view{b};
  } else if constexpr (requires {
                         { a == b } -> std::convertible_to<bool>;
                       }) {
    return a == b;
  } else {
    static_assert(std::is_same_v<A, B> || views_key<B, A>(),
                  "lungo: key() must return the projection's Key, or something that is comparable with it");
    return [&]<std::size_t... I>(std::index_sequence<I...>) {
      const auto left = field_ties(a);
      const auto right = field_ties(b);
      return (key_equal(std::get<I>(left), std::get<I>(right)) && ...);
    }(std::make_index_sequence<field_count<A>>{});
  }
}

/// Bytes on the heap that belong to a value; an estimate that keeps the row cache within its bound.
template <class T>
std::size_t heap_bytes(const T& value) {
  constexpr FieldKind kind = kFieldKind<T>;
  if constexpr (kind == FieldKind::text) {
    return value.capacity() > 15 ? value.capacity() + 17 : 0;
  } else if constexpr (kind == FieldKind::bytes) {
    return value.capacity() == 0 ? 0 : value.capacity() + 16;
  } else if constexpr (kind == FieldKind::optional) {
    return value ? heap_bytes(*value) : 0;
  } else if constexpr (kind == FieldKind::sequence || kind == FieldKind::set || kind == FieldKind::map) {
    std::size_t bytes = 0;
    for (const auto& element : value) bytes += sizeof(element) + heap_bytes(element);
    return bytes + (kind == FieldKind::sequence ? 0 : value.size() * kNodeBytes);
  } else if constexpr (is_instance<T, std::pair>) {
    return heap_bytes(value.first) + heap_bytes(value.second);
  } else if constexpr (kind == FieldKind::structure) {
    return std::apply([](const auto&... field) { return (std::size_t{0} + ... + heap_bytes(field)); }, field_ties(value));
  } else {
    return 0;
  }
}

}  // namespace lungo::detail
