// Shape: what a payload looks like, said by the program that wrote it.
//
// The event's name and the whole closure of its named, typed fields. A record names its shape by hash; whoever has the shape
// can skip, print and convert the payload without the writer's code. Canonical bytes and test vectors: docs/reference/shape.md.
// Promise: equal shapes have equal canonical bytes and equal hashes; parse() of hostile bytes takes memory in proportion to
// their length and never recurses deeper than kTypeDepthMax.
// Threads: immutable; shape_of() may be called from any thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <lungo/framework/event.hpp>
#include <lungo/framework/field_types.hpp>
#include <lungo/log/bytes.hpp>
#include <lungo/log/result.hpp>

namespace lungo {

/// First 16 bytes of SHA-256 over a shape's canonical bytes.
using ShapeHash = std::array<std::byte, 16>;

/// 32 lower-case hexadecimal digits.
std::string to_string(const ShapeHash& hash);

/// Numbers are part of the canonical bytes: never changed, never reused.
enum class ShapeKind : std::uint8_t {
  boolean = 1,
  int8 = 2,
  int16 = 3,
  int32 = 4,
  int64 = 5,
  uint8 = 6,
  uint16 = 7,
  uint32 = 8,
  uint64 = 9,
  float32 = 10,
  float64 = 11,
  text = 12,
  bytes = 13,
  enumeration = 14,  // parts: integer
  duration = 15,     // parts: number; num/den seconds per tick
  time_point = 16,   // the same, since 1970-01-01 UTC
  optional = 17,     // parts: value
  variant = 18,      // parts: alternatives
  sequence = 19,     // parts: element
  array = 20,        // parts: element; length
  set = 21,          // parts: element
  map = 22,          // parts: key, value
  structure = 23,    // index of a struct
  unit = 24,         // nothing (std::monostate); only an alternative of a variant
  encrypted = 25,    // parts: what the bytes hold once decrypted; written by no version yet
};

class Shape {
 public:
  using TypeId = std::uint32_t;
  static constexpr std::size_t kBytesMax = 64 << 10;
  static constexpr std::size_t kTypeDepthMax = 32;
  static constexpr std::size_t kFieldsMax = 1024;  // of one struct
  static constexpr std::size_t kNameBytesMax = 255;

  struct Type {
    ShapeKind kind{};
    std::uint32_t index = 0;         // structure
    std::uint64_t length = 0;        // array
    std::uint64_t num = 1, den = 1;  // duration, time_point
    std::vector<TypeId> parts;
  };
  struct Field {
    std::string name;
    TypeId type = 0;
  };
  struct Struct {
    std::string name;
    std::vector<Field> fields;
  };

  /// Reads canonical bytes, of any origin.
  /// Errors: corrupt  they break the grammar or a limit;  newer_format  made by a newer version.
  static Result<Shape> parse(BytesView canonical);

  /// The event's name.
  [[nodiscard]] std::string_view name() const { return structs_.front().name; }
  [[nodiscard]] const ShapeHash& hash() const { return hash_; }
  [[nodiscard]] BytesView canonical() const { return canonical_; }
  /// As C++-like declarations, for people.
  [[nodiscard]] std::string to_text() const;
  /// One type as text, such as "optional<int32>".
  [[nodiscard]] std::string type_text(TypeId type) const;

  /// The structs of the closure; the first is the event.
  [[nodiscard]] const std::vector<Struct>& structs() const { return structs_; }
  [[nodiscard]] const Struct& event() const { return structs_.front(); }
  [[nodiscard]] const Type& type(TypeId id) const { return types_[id]; }

  friend bool operator==(const Shape& a, const Shape& b) { return a.canonical_ == b.canonical_; }

 private:
  friend class ShapeParser;
  Shape() = default;

  std::vector<Struct> structs_;
  std::vector<Type> types_;
  Bytes canonical_;
  ShapeHash hash_{};
};

/// Collects canonical bytes. The structs of the closure are numbered as they are first met, and described in that order.
class ShapeBuilder {
 public:
  using Describe = void (*)(ShapeBuilder&);

  /// Builds the shape of an event from the function that writes its struct.
  /// Throws Exception where a limit of Shape is passed: a matter of the program, found at its first use of the type.
  static Shape build(TypeKey event, Describe describe);

  void kind(ShapeKind kind) { out_.push_back(static_cast<std::byte>(kind)); }
  void number(std::uint64_t value);
  void name(std::string_view text);
  /// A field of this struct type; `describe` is called later, once.
  void structure(TypeKey type, Describe describe);

 private:
  Bytes out_;
  std::map<TypeKey, std::uint64_t> known_;
  std::deque<Describe> waiting_;
};

namespace detail {

template <class T>
consteval ShapeKind integer_kind() {
  constexpr bool is_signed = std::is_signed_v<T>;
  switch (sizeof(T)) {
    case 1:
      return is_signed ? ShapeKind::int8 : ShapeKind::uint8;
    case 2:
      return is_signed ? ShapeKind::int16 : ShapeKind::uint16;
    case 4:
      return is_signed ? ShapeKind::int32 : ShapeKind::uint32;
    default:
      return is_signed ? ShapeKind::int64 : ShapeKind::uint64;
  }
}

// A struct's name in a shape: an identifier, or nothing for an unnamed one.
template <class T>
consteval std::string_view struct_name() {
  const std::string_view name = plain_type_name<T>();
  for (const char c : name) {
    if (!is_name_char(c)) return {};
  }
  return name;
}

template <class T>
void describe_field(ShapeBuilder& out);

template <class Time>
void describe_ticks(ShapeBuilder& out, ShapeKind kind) {
  using Rep = typename Time::rep;
  out.kind(kind);
  describe_field<Rep>(out);
  out.number(static_cast<std::uint64_t>(Time::period::num));
  out.number(static_cast<std::uint64_t>(Time::period::den));
}

template <class T>
void describe_fields(ShapeBuilder& out) {
  out.number(field_count<T>);
  [&]<std::size_t... I>(std::index_sequence<I...>) {
    ((out.name(field_names<T>()[I]), describe_field<FieldType<T, I>>(out)), ...);
  }(std::make_index_sequence<field_count<T>>{});
}

template <class T>
void describe_struct(ShapeBuilder& out) {
  if constexpr (kFieldKind<T> == FieldKind::foreign) {
    foreign_codec<T>::describe(out);
  } else {
    out.name(struct_name<T>());
    describe_fields<T>(out);
  }
}

template <class T>
void describe_event(ShapeBuilder& out) {
  out.name(event_name<T>());
  if constexpr (kFieldKind<T> == FieldKind::foreign) {
    foreign_codec<T>::describe_fields(out);
  } else {
    describe_fields<T>(out);
  }
}

template <class... A>
void describe_alternatives(ShapeBuilder& out, std::type_identity<std::variant<A...>>) {
  out.number(sizeof...(A));
  const auto describe = [&]<class One>(std::type_identity<One>) {
    if constexpr (std::is_same_v<One, std::monostate>) {
      out.kind(ShapeKind::unit);
    } else {
      describe_field<One>(out);
    }
  };
  (describe(std::type_identity<A>{}), ...);
}

template <class T>
void describe_field(ShapeBuilder& out) {
  constexpr FieldKind kind = kFieldKind<T>;
  if constexpr (!field_is_supported<T>::value) {
    return;
  } else if constexpr (kind == FieldKind::mapped) {
    describe_field<typename lungo_codec<T>::Wire>(out);
  } else if constexpr (kind == FieldKind::boolean) {
    out.kind(ShapeKind::boolean);
  } else if constexpr (kind == FieldKind::integer) {
    out.kind(integer_kind<T>());
  } else if constexpr (kind == FieldKind::floating) {
    out.kind(sizeof(T) == 4 ? ShapeKind::float32 : ShapeKind::float64);
  } else if constexpr (kind == FieldKind::text) {
    out.kind(ShapeKind::text);
  } else if constexpr (kind == FieldKind::bytes) {
    out.kind(ShapeKind::bytes);
  } else if constexpr (kind == FieldKind::enumeration) {
    out.kind(ShapeKind::enumeration);
    describe_field<std::underlying_type_t<T>>(out);
  } else if constexpr (kind == FieldKind::duration) {
    describe_ticks<T>(out, ShapeKind::duration);
  } else if constexpr (kind == FieldKind::time_point) {
    describe_ticks<typename T::duration>(out, ShapeKind::time_point);
  } else if constexpr (kind == FieldKind::optional) {
    out.kind(ShapeKind::optional);
    describe_field<typename T::value_type>(out);
  } else if constexpr (kind == FieldKind::variant) {
    out.kind(ShapeKind::variant);
    describe_alternatives(out, std::type_identity<T>{});
  } else if constexpr (kind == FieldKind::sequence || kind == FieldKind::set) {
    out.kind(kind == FieldKind::set ? ShapeKind::set : ShapeKind::sequence);
    describe_field<typename T::value_type>(out);
  } else if constexpr (kind == FieldKind::array) {
    out.kind(ShapeKind::array);
    out.number(std::tuple_size_v<T>);
    describe_field<typename T::value_type>(out);
  } else if constexpr (kind == FieldKind::map) {
    out.kind(ShapeKind::map);
    describe_field<typename T::key_type>(out);
    describe_field<typename T::mapped_type>(out);
  } else {
    out.structure(type_key<T>(), &describe_struct<T>);
  }
}

}  // namespace detail

/// A struct that can be an event: its own fields are known and each of them has a field type.
template <class T>
concept EventType = kFieldKind<T> == FieldKind::structure || kFieldKind<T> == FieldKind::foreign;

/// The shape of an event type, computed once per type. T that is no event is a compile error that says why.
template <class T>
const Shape& shape_of() {
  if constexpr (EventType<T>) {
    static const Shape shape = ShapeBuilder::build(type_key<T>(), &detail::describe_event<T>);
    return shape;
  } else {
    static_assert(sizeof(type_is_readable<T>) > 0);
  }
}

}  // namespace lungo
