// Visiting the values of an event one after another: of a payload whose shape alone is known, or of a typed object.
//
// For tools, exports and the JSON codec. Both ways call the same functions in the same order for the same event, so whatever is
// written against PayloadVisitor works for either.
// Promise: walk_payload of hostile bytes reports undecodable after visits that were all within the bytes; it does not recurse
// deeper than structs and types may nest.
// Threads: pure functions; a visitor belongs to one walk.
#pragma once

#include <cstdint>
#include <string_view>

#include <lungo/framework/codec.hpp>
#include <lungo/log/bytes.hpp>
#include <lungo/log/result.hpp>

namespace lungo {

/// What a walk meets. Views live as long as the payload or object that is walked.
class PayloadVisitor {
 public:
  virtual ~PayloadVisitor() = default;

  /// A struct: for each field `field`, then its value.
  virtual void begin_struct(std::string_view name) = 0;
  virtual void field(std::string_view name) = 0;
  virtual void end_struct() = 0;

  /// A sequence, set or array: its elements.
  virtual void begin_list() = 0;
  virtual void end_list() = 0;

  /// A map. With text keys: for each entry `text_key`, then the value. Otherwise a list of two values per entry.
  virtual void begin_map(bool text_keys) = 0;
  virtual void text_key(std::string_view key) = 0;
  virtual void end_map(bool text_keys) = 0;

  /// A variant's alternative: its number, then its value (`null` for an empty one).
  virtual void begin_alternative(std::uint64_t index) = 0;
  virtual void end_alternative() = 0;

  virtual void null() = 0;  // an optional without value
  virtual void boolean(bool value) = 0;
  virtual void integer(std::int64_t value) = 0;
  virtual void unsigned_integer(std::uint64_t value) = 0;
  virtual void number(float value) = 0;
  virtual void number(double value) = 0;
  virtual void text(std::string_view value) = 0;
  virtual void bytes(BytesView value) = 0;
  /// A time with whole ticks of num/den seconds since 1970-01-01 UTC. A duration is a plain number of ticks.
  virtual void time(std::int64_t ticks, std::uint64_t num, std::uint64_t den) = 0;
  virtual void encrypted(BytesView value) = 0;
};

/// Visits the event of a payload by its shape.
/// Errors: undecodable  the bytes are no payload of that shape.
Result<void> walk_payload(const Shape& shape, BytesView payload, PayloadVisitor& visitor);

namespace detail {

template <class T>
void visit_value(PayloadVisitor& out, const T& value);

template <class T>
void visit_fields(PayloadVisitor& out, const T& value, std::string_view name) {
  out.begin_struct(name);
  for_each_field(value, [&](std::string_view field, const auto& of_field) {
    out.field(field);
    visit_value(out, of_field);
  });
  out.end_struct();
}

template <class T>
inline constexpr bool is_text_key = std::is_same_v<WireType<T>, std::string>;

// The text of a key, through its lungo_codec if it has one.
template <class K>
std::string key_text(const K& key) {
  if constexpr (kFieldKind<K> == FieldKind::mapped) {
    return key_text<typename lungo_codec<K>::Wire>(lungo_codec<K>::to_wire(key));
  } else {
    return key;
  }
}

template <class T>
void visit_map(PayloadVisitor& out, const T& value) {
  constexpr bool kTextKeys = is_text_key<typename T::key_type>;
  const auto visit_one = [&](const typename T::value_type& pair) {
    if constexpr (kTextKeys) {
      out.text_key(key_text(pair.first));
      visit_value(out, pair.second);
    } else {
      out.begin_list();
      visit_value(out, pair.first);
      visit_value(out, pair.second);
      out.end_list();
    }
  };
  out.begin_map(kTextKeys);
  if constexpr (requires { value.hash_function(); }) {
    write_sorted(value, visit_one);
  } else {
    for (const auto& pair : value) visit_one(pair);
  }
  out.end_map(kTextKeys);
}

template <class T>
void visit_list(PayloadVisitor& out, const T& value) {
  const auto visit_one = [&](const typename T::value_type& element) { visit_value(out, element); };
  out.begin_list();
  if constexpr (requires { value.hash_function(); }) {
    write_sorted(value, visit_one);
  } else {
    for (const auto& element : value) visit_one(element);
  }
  out.end_list();
}

template <class T>
void visit_value(PayloadVisitor& out, const T& value) {
  constexpr FieldKind kind = kFieldKind<T>;
  if constexpr (!field_is_supported<T>::value) {
    return;
  } else if constexpr (kind == FieldKind::mapped) {
    visit_value<typename lungo_codec<T>::Wire>(out, lungo_codec<T>::to_wire(value));
  } else if constexpr (kind == FieldKind::boolean) {
    out.boolean(value);
  } else if constexpr (kind == FieldKind::integer || kind == FieldKind::enumeration) {
    if constexpr (std::is_same_v<T, std::byte>) {
      out.unsigned_integer(std::to_integer<std::uint64_t>(value));
    } else if constexpr (std::is_enum_v<T>) {
      visit_value(out, static_cast<std::underlying_type_t<T>>(value));
    } else if constexpr (std::is_signed_v<T>) {
      out.integer(value);
    } else {
      out.unsigned_integer(value);
    }
  } else if constexpr (kind == FieldKind::floating) {
    out.number(value);
  } else if constexpr (kind == FieldKind::text) {
    out.text(value);
  } else if constexpr (kind == FieldKind::bytes) {
    out.bytes(std::as_bytes(std::span{value}));
  } else if constexpr (kind == FieldKind::duration) {
    visit_value(out, value.count());
  } else if constexpr (kind == FieldKind::time_point) {
    using Period = typename T::duration::period;
    if constexpr (std::is_integral_v<typename T::duration::rep>) {
      out.time(static_cast<std::int64_t>(value.time_since_epoch().count()), Period::num, Period::den);
    } else {
      visit_value(out, value.time_since_epoch().count());
    }
  } else if constexpr (kind == FieldKind::optional) {
    if (value) {
      visit_value(out, *value);
    } else {
      out.null();
    }
  } else if constexpr (kind == FieldKind::variant) {
    out.begin_alternative(value.index());
    std::visit(
        [&]<class One>(const One& one) {
          if constexpr (std::is_same_v<One, std::monostate>) {
            out.null();
          } else {
            visit_value(out, one);
          }
        },
        value);
    out.end_alternative();
  } else if constexpr (kind == FieldKind::map) {
    visit_map(out, value);
  } else if constexpr (kind == FieldKind::structure) {
    visit_fields(out, value, struct_name<T>());
  } else if constexpr (kind == FieldKind::foreign) {
    foreign_codec<T>::visit(out, value);
  } else {
    visit_list(out, value);
  }
}

}  // namespace detail

/// Visits a typed event.
template <class T>
void walk_event(const T& event, PayloadVisitor& visitor) {
  if constexpr (!EventType<T>) {
    static_assert(sizeof(type_is_readable<T>) > 0);
  } else if constexpr (kFieldKind<T> == FieldKind::foreign) {
    foreign_codec<T>::visit(visitor, event);
  } else {
    detail::visit_fields(visitor, event, event_name<T>());
  }
}

}  // namespace lungo
