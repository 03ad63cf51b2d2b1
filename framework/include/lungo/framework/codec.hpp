// The binary codec: an event's fields one after another, nothing else. Grammar and examples: docs/reference/codec.md.
//
// The bytes say nothing about themselves: their shape (shape.hpp) does. encode() writes the shape of T; decode() reads exactly
// that shape; DecodePlan (decode_plan.hpp) reads what an older or newer program wrote.
// Promise: decode of hostile bytes gives Errc::undecodable; it takes memory of at most the payload's length times the largest
// element; reading into an object that was read into before reuses its strings and containers.
// Threads: pure functions.
#pragma once

#include <algorithm>
#include <limits>
#include <type_traits>
#include <utility>

#include <lungo/framework/shape.hpp>
#include <lungo/framework/wire.hpp>

namespace lungo {
namespace detail {

template <class T>
void write_value(Writer& out, const T& value);
template <class T>
void read_value(Reader& in, T& value);

// ---- smallest encoded size: bounds a collection's count before anything is allocated -------------------------------------

template <class T>
consteval std::size_t bytes_min();

template <class T, std::size_t... I>
consteval std::size_t fields_bytes_min(std::index_sequence<I...>) {
  return (std::size_t{0} + ... + bytes_min<FieldType<T, I>>());
}

template <class T>
consteval std::size_t bytes_min() {
  constexpr FieldKind kind = kFieldKind<T>;
  if constexpr (kind == FieldKind::mapped) {
    return bytes_min<typename lungo_codec<T>::Wire>();
  } else if constexpr (kind == FieldKind::floating) {
    return sizeof(T);
  } else if constexpr (kind == FieldKind::array) {
    return std::tuple_size_v<T> * bytes_min<typename T::value_type>();
  } else if constexpr (kind == FieldKind::structure) {
    return 1 + fields_bytes_min<T>(std::make_index_sequence<field_count<T>>{});
  } else {
    return 1;
  }
}

// ---- writing --------------------------------------------------------------------------------------------------------------

template <class T>
void write_integer(Writer& out, T value) {
  if constexpr (sizeof(T) == 1) {
    out.byte(static_cast<std::uint8_t>(value));
  } else if constexpr (std::is_signed_v<T>) {
    out.varint(zigzag(value));
  } else {
    out.varint(value);
  }
}

template <class T>
void write_fields(Writer& out, const T& value) {
  std::apply([&](const auto&... field) { (write_value(out, field), ...); }, field_ties(value));
}

// Elements of a container without an order of its own are written sorted, so that equal values have equal bytes.
template <class T, class WriteOne>
void write_sorted(const T& value, WriteOne write_one) {
  std::vector<const typename T::value_type*> order;
  order.reserve(value.size());
  for (const auto& element : value) order.push_back(&element);
  const auto key = [](const typename T::value_type& element) -> const auto& {
    if constexpr (requires { element.first; }) {
      return element.first;
    } else {
      return element;
    }
  };
  std::sort(order.begin(), order.end(), [&](const auto* a, const auto* b) { return key(*a) < key(*b); });
  for (const auto* element : order) write_one(*element);
}

template <class T, class WriteOne>
void write_elements(Writer& out, const T& value, WriteOne write_one) {
  out.varint(value.size());
  if constexpr (requires { value.hash_function(); }) {
    write_sorted(value, write_one);
  } else {
    for (const auto& element : value) write_one(element);
  }
}

template <class T>
void write_value(Writer& out, const T& value) {
  constexpr FieldKind kind = kFieldKind<T>;
  if constexpr (!field_is_supported<T>::value) {
    return;
  } else if constexpr (kind == FieldKind::mapped) {
    write_value<typename lungo_codec<T>::Wire>(out, lungo_codec<T>::to_wire(value));
  } else if constexpr (kind == FieldKind::boolean) {
    out.byte(value ? 1 : 0);
  } else if constexpr (std::is_same_v<T, std::byte>) {
    out.byte(static_cast<std::uint8_t>(value));
  } else if constexpr (kind == FieldKind::integer) {
    write_integer(out, value);
  } else if constexpr (kind == FieldKind::floating) {
    out.raw(&value, sizeof value);
  } else if constexpr (kind == FieldKind::text) {
    out.text(value);
  } else if constexpr (kind == FieldKind::bytes) {
    out.text(as_text(std::as_bytes(std::span{value})));
  } else if constexpr (kind == FieldKind::enumeration) {
    write_value(out, static_cast<std::underlying_type_t<T>>(value));
  } else if constexpr (kind == FieldKind::duration) {
    write_value(out, value.count());
  } else if constexpr (kind == FieldKind::time_point) {
    write_value(out, value.time_since_epoch().count());
  } else if constexpr (kind == FieldKind::optional) {
    out.byte(value ? 1 : 0);
    if (value) write_value(out, *value);
  } else if constexpr (kind == FieldKind::variant) {
    out.varint(value.index());
    std::visit(
        [&]<class One>(const One& one) {
          if constexpr (!std::is_same_v<One, std::monostate>) write_value(out, one);
        },
        value);
  } else if constexpr (kind == FieldKind::array) {
    if constexpr (is_raw_byte<typename T::value_type>) {
      out.raw(value.data(), value.size());
    } else {
      for (const auto& element : value) write_value(out, element);
    }
  } else if constexpr (kind == FieldKind::map) {
    write_elements(out, value, [&](const auto& pair) {
      write_value(out, pair.first);
      write_value(out, pair.second);
    });
  } else if constexpr (kind == FieldKind::sequence || kind == FieldKind::set) {
    write_elements(out, value, [&](const typename T::value_type& element) { write_value(out, element); });
  } else {
    const std::size_t mark = out.open();
    if constexpr (kind == FieldKind::foreign) {
      foreign_codec<T>::write(out, value);
    } else {
      write_fields(out, value);
    }
    out.close(mark);
  }
}

// ---- reading --------------------------------------------------------------------------------------------------------------

template <class T>
T read_integer(Reader& in) {
  if constexpr (sizeof(T) == 1) {
    return static_cast<T>(in.byte());
  } else {
    const std::uint64_t bits = in.varint();
    if constexpr (sizeof(T) == 8) {
      return std::is_signed_v<T> ? static_cast<T>(unzigzag(bits)) : static_cast<T>(bits);
    } else {  // zigzag or not, what fits the type has no bit above its width
      if (bits > std::numeric_limits<std::make_unsigned_t<T>>::max()) [[unlikely]] {
        in.fail("a number that its type cannot hold");
        return 0;
      }
      return std::is_signed_v<T> ? static_cast<T>(unzigzag(bits)) : static_cast<T>(bits);
    }
  }
}

template <class T>
void read_fields(Reader& in, T& value) {
  std::apply([&](auto&... field) { (read_value(in, field), ...); }, field_ties(value));
}

template <std::size_t I, class T>
void read_alternative(Reader& in, T& value) {
  using One = std::variant_alternative_t<I, T>;
  if (value.index() != I) value.template emplace<I>();
  if constexpr (!std::is_same_v<One, std::monostate>) read_value(in, *std::get_if<I>(&value));
}

template <class T>
void read_variant(Reader& in, T& value) {
  const std::uint64_t index = in.varint();
  const bool known = [&]<std::size_t... I>(std::index_sequence<I...>) {
    return ((index == I && (read_alternative<I>(in, value), true)) || ...);
  }(std::make_index_sequence<std::variant_size_v<T>>{});
  if (!known) in.fail("an alternative that the variant does not have");
}

template <class T, class ReadOne>
void read_sequence(Reader& in, T& value, std::size_t count, ReadOne read_one) {
  value.resize(count);
  if constexpr (std::is_same_v<typename T::value_type, bool>) {
    for (std::size_t i = 0; i < count && !in.failed(); ++i) {
      bool one = false;
      read_one(one);
      value[i] = one;
    }
  } else {
    for (auto& element : value) {
      if (in.failed()) break;
      read_one(element);
    }
  }
}

// Sets and maps: the nodes of what the object held before are filled anew.
template <class T, class ReadNode, class ReadNew>
void read_nodes(Reader& in, T& value, std::size_t count, ReadNode read_node, ReadNew read_new) {
  T spare;
  std::swap(spare, value);
  for (std::size_t i = 0; i < count && !in.failed(); ++i) {
    const std::size_t before = value.size();
    if (spare.empty()) {
      read_new();
    } else {
      auto node = spare.extract(spare.begin());
      read_node(node);
      if constexpr (requires { value.hash_function(); }) {
        value.insert(std::move(node));
      } else {
        value.insert(value.end(), std::move(node));
      }
    }
    if (value.size() == before) in.fail("an element or key that occurs twice");
  }
}

template <class T, class ReadOne>
void read_set(Reader& in, T& value, std::size_t count, ReadOne read_one) {
  read_nodes(
      in, value, count, [&](auto& node) { read_one(node.value()); },
      [&] {
        typename T::value_type element{};
        read_one(element);
        value.insert(value.end(), std::move(element));
      });
}

template <class T, class ReadKey, class ReadMapped>
void read_map(Reader& in, T& value, std::size_t count, ReadKey read_key, ReadMapped read_mapped) {
  read_nodes(
      in, value, count,
      [&](auto& node) {
        read_key(node.key());
        read_mapped(node.mapped());
      },
      [&] {
        typename T::key_type key{};
        read_key(key);
        const std::size_t before = value.size();
        const auto place = value.emplace_hint(value.end(), std::move(key), typename T::mapped_type{});
        if (value.size() != before) read_mapped(place->second);
      });
}

template <class T>
void from_wire(Reader& in, const typename lungo_codec<T>::Wire& wire, T& value) {
  if (in.failed()) return;
  auto made = lungo_codec<T>::from_wire(wire);
  if constexpr (std::is_same_v<decltype(made), Result<T>>) {
    if (made) {
      value = std::move(*made);
    } else {
      in.fail("a value that its lungo_codec refuses");
    }
  } else {
    value = std::move(made);
  }
}

template <class T>
void read_value(Reader& in, T& value) {
  constexpr FieldKind kind = kFieldKind<T>;
  const auto read_one = [&](auto& element) { read_value(in, element); };
  if constexpr (!field_is_supported<T>::value) {
    return;
  } else if constexpr (kind == FieldKind::mapped) {
    typename lungo_codec<T>::Wire wire{};
    read_value(in, wire);
    from_wire(in, wire, value);
  } else if constexpr (kind == FieldKind::boolean) {
    value = in.boolean();
  } else if constexpr (std::is_same_v<T, std::byte>) {
    value = static_cast<std::byte>(in.byte());
  } else if constexpr (kind == FieldKind::integer) {
    value = read_integer<T>(in);
  } else if constexpr (kind == FieldKind::floating) {
    value = in.floating<T>();
  } else if constexpr (kind == FieldKind::text) {
    const BytesView bytes = in.prefixed();
    value.assign(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  } else if constexpr (kind == FieldKind::bytes) {
    const BytesView bytes = in.prefixed();
    const auto* first = reinterpret_cast<const typename T::value_type*>(bytes.data());
    value.assign(first, first + bytes.size());
  } else if constexpr (kind == FieldKind::enumeration) {
    std::underlying_type_t<T> number{};
    read_value(in, number);
    value = static_cast<T>(number);
  } else if constexpr (kind == FieldKind::duration) {
    typename T::rep ticks{};
    read_value(in, ticks);
    value = T{ticks};
  } else if constexpr (kind == FieldKind::time_point) {
    typename T::duration since{};
    read_value(in, since);
    value = T{since};
  } else if constexpr (kind == FieldKind::optional) {
    if (in.boolean()) {
      if (!value) value.emplace();
      read_value(in, *value);
    } else {
      value.reset();
    }
  } else if constexpr (kind == FieldKind::variant) {
    read_variant(in, value);
  } else if constexpr (kind == FieldKind::array) {
    if constexpr (is_raw_byte<typename T::value_type>) {
      const BytesView bytes = in.raw(value.size());
      if (!bytes.empty()) std::memcpy(value.data(), bytes.data(), bytes.size());
    } else {
      for (auto& element : value) read_value(in, element);
    }
  } else if constexpr (kind == FieldKind::map) {
    const std::size_t count = in.count(bytes_min<typename T::key_type>() + bytes_min<typename T::mapped_type>());
    read_map(in, value, count, read_one, read_one);
  } else if constexpr (kind == FieldKind::set) {
    read_set(in, value, in.count(bytes_min<typename T::value_type>()), read_one);
  } else if constexpr (kind == FieldKind::sequence) {
    read_sequence(in, value, in.count(bytes_min<typename T::value_type>()), read_one);
  } else {
    const std::byte* outer = in.open();
    if constexpr (kind == FieldKind::foreign) {
      foreign_codec<T>::read(in, value);
    } else {
      read_fields(in, value);
    }
    in.close(outer);
  }
}

}  // namespace detail

/// Appends the payload of an event to `out`.
/// Throws Exception (too_large) when the value nests structs deeper than kStructDepthMax.
template <class T>
void encode(const T& value, Bytes& out) {
  if constexpr (!EventType<T>) {
    static_assert(sizeof(type_is_readable<T>) > 0);
  } else {
    Writer writer;
    if constexpr (kFieldKind<T> == FieldKind::foreign) {
      foreign_codec<T>::write(writer, value);
    } else {
      detail::write_fields(writer, value);
    }
    writer.append_to(out);
  }
}

/// Reads a payload of exactly T's shape into `out`, whose memory is reused. After an error `out` is valid, its value is not.
/// Errors: undecodable  the bytes break the grammar; the text has the event's name, the reason and the byte.
template <class T>
Result<void> decode(BytesView payload, T& out) {
  if constexpr (!EventType<T>) {
    static_assert(sizeof(type_is_readable<T>) > 0);
    return {};
  } else {
    Reader reader{payload};
    if constexpr (kFieldKind<T> == FieldKind::foreign) {
      foreign_codec<T>::read(reader, out);
    } else {
      detail::read_fields(reader, out);
    }
    if (!reader.failed() && reader.at_end()) [[likely]]
      return {};
    return reader.finish(event_name<T>());
  }
}

}  // namespace lungo
