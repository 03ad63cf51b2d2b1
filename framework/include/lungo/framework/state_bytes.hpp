// How much memory a State takes: what bounds the states that Aggregates keeps (kept_states.hpp).
//
// A walk over the fields, strings and containers that field_types.hpp knows. What a State holds by other means (a pointer, a
// class of its own making) can't be looked into, and the walk says so.
// Threads: pure functions of the caller's values.
#pragma once

#include <cstddef>
#include <tuple>
#include <type_traits>
#include <variant>

#include <lungo/framework/field_types.hpp>

namespace lungo::detail {

/// What values hold beyond their own sizeof, roughly: an allocator's rounding is not counted.
struct HeapBytes {
  std::size_t bytes = 0;
  bool is_all = true;  // false: there are parts that can't be looked into
};

inline constexpr std::size_t kNodeBytes = 48;  // of an element that is allocated alone, beside itself

template <class T>
void add_heap_bytes(const T& value, HeapBytes& heap);

template <class T>
void add_elements(const T& values, HeapBytes& heap) {
  using Element = typename T::value_type;
  if constexpr (requires { values.capacity(); }) {
    heap.bytes += values.capacity() * sizeof(Element);
  } else if constexpr (!is_std_array<T>) {
    heap.bytes += values.size() * (sizeof(Element) + kNodeBytes);
  }
  if constexpr (!std::is_trivially_copyable_v<Element>) {
    for (const Element& element : values) add_heap_bytes(element, heap);
  }
}

template <class T>
void add_pairs(const T& map, HeapBytes& heap) {
  heap.bytes += map.size() * (sizeof(typename T::value_type) + kNodeBytes);
  for (const auto& [key, mapped] : map) {
    add_heap_bytes(key, heap);
    add_heap_bytes(mapped, heap);
  }
}

/// Adds what `value` holds to `heap`.
template <class T>
void add_heap_bytes(const T& value, HeapBytes& heap) {
  constexpr FieldKind kind = kFieldKind<T>;
  if constexpr (std::is_trivially_copyable_v<T>) {
    return;  // frees nothing, so it owns nothing
  } else if constexpr (kind == FieldKind::text || kind == FieldKind::bytes) {
    heap.bytes += value.capacity();
  } else if constexpr (kind == FieldKind::optional) {
    if (value) add_heap_bytes(*value, heap);
  } else if constexpr (kind == FieldKind::variant) {
    std::visit([&](const auto& one) { add_heap_bytes(one, heap); }, value);
  } else if constexpr (kind == FieldKind::sequence || kind == FieldKind::array || kind == FieldKind::set) {
    add_elements(value, heap);
  } else if constexpr (kind == FieldKind::map) {
    add_pairs(value, heap);
  } else if constexpr (kind == FieldKind::structure) {
    std::apply([&](const auto&... field) { (add_heap_bytes(field, heap), ...); }, field_ties(value));
  } else {
    heap.is_all = false;
  }
}

}  // namespace lungo::detail
