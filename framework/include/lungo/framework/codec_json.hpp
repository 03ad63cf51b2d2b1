// JSON for events: typed both ways, and of a payload whose shape alone is known. What each type becomes:
// docs/reference/codec.md.
//
// Numbers above 2^53 become strings, so that no reader rounds them; NaN and infinities become "NaN", "Infinity", "-Infinity";
// text that is not UTF-8 becomes {"$bytes": base64}, bytes a base64 string; times that have a calendar date become ISO 8601.
// from_json() takes all these forms back. A member that is absent keeps its value of T{}; one that T does not know is an error.
// Threads: pure functions.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <lungo/framework/decode_plan.hpp>
#include <lungo/framework/payload_walk.hpp>

namespace lungo {

/// Writes what it visits as one line of JSON.
class JsonWriter : public PayloadVisitor {
 public:
  [[nodiscard]] std::string take() { return std::move(out_); }

  void begin_struct(std::string_view name) override;
  void field(std::string_view name) override;
  void end_struct() override;
  void begin_list() override;
  void end_list() override;
  void begin_map(bool text_keys) override;
  void text_key(std::string_view key) override;
  void end_map(bool text_keys) override;
  void begin_alternative(std::uint64_t index) override;
  void end_alternative() override;
  void null() override;
  void boolean(bool value) override;
  void integer(std::int64_t value) override;
  void unsigned_integer(std::uint64_t value) override;
  void number(float value) override;
  void number(double value) override;
  void text(std::string_view value) override;
  void bytes(BytesView value) override;
  void time(std::int64_t ticks, std::uint64_t num, std::uint64_t den) override;
  void encrypted(BytesView value) override;

 private:
  void open(char bracket);
  void close(char bracket);
  void value(std::string_view json);
  void quoted(std::string_view text);

  std::string out_;
  bool comma_ = false;  // a value stands before this place
};

/// A payload as JSON, by its shape alone.
/// Errors: undecodable  the bytes are no payload of that shape.
Result<std::string> to_json(const Shape& shape, BytesView payload);

/// A typed event as JSON; the same text as to_json(shape_of<T>(), encoded event).
template <class T>
std::string to_json(const T& event) {
  JsonWriter writer;
  walk_event(event, writer);
  return writer.take();
}

namespace detail {

/// A place in a parsed document, and the path that leads to it. The library that parses stays behind this page.
class JsonValue {
 public:
  explicit JsonValue(const void* value) : value_(value) {}
  [[nodiscard]] bool is_null() const;
  [[nodiscard]] bool is_list() const;
  [[nodiscard]] bool is_object() const;
  [[nodiscard]] std::optional<bool> boolean() const;
  [[nodiscard]] std::optional<std::int64_t> integer() const;                                   // also a string of digits
  [[nodiscard]] std::optional<std::uint64_t> unsigned_integer() const;                         // also a string of digits
  [[nodiscard]] std::optional<double> number() const;                                          // also "NaN" and infinities
  [[nodiscard]] std::optional<std::string> text() const;                                       // also {"$bytes": ...}
  [[nodiscard]] std::optional<std::string> base64() const;                                     // the bytes
  [[nodiscard]] std::optional<std::int64_t> time(std::uint64_t num, std::uint64_t den) const;  // ISO 8601 or ticks
  [[nodiscard]] std::size_t size() const;  // elements of a list, members of an object
  [[nodiscard]] JsonValue at(std::size_t index) const;
  [[nodiscard]] std::string_view member_name(std::size_t index) const;
  [[nodiscard]] std::optional<JsonValue> member(std::string_view name) const;

 private:
  const void* value_;
};

/// The text that a map's key stands for: as it is, or base64 where it was not UTF-8.
std::optional<std::string> json_key_text(std::string_view key);

class JsonDocument {
 public:
  static Result<JsonDocument> parse(std::string_view text);
  JsonDocument(JsonDocument&&) noexcept;
  ~JsonDocument();
  [[nodiscard]] JsonValue root() const;

 private:
  struct Parsed;
  explicit JsonDocument(std::unique_ptr<Parsed> parsed);
  std::unique_ptr<Parsed> parsed_;
};

/// Where a reading is, and the first thing that was wrong.
class JsonPath {
 public:
  void enter(std::string_view step) { steps_.emplace_back(step); }
  void leave() { steps_.pop_back(); }
  /// Notes the problem with the path; false, for `return path.fail(...)`.
  bool fail(std::string_view problem);
  [[nodiscard]] Error error(std::string_view event) const;

 private:
  std::vector<std::string> steps_;
  std::string problem_;
};

template <class T>
bool read_json(JsonPath& path, JsonValue from, T& value);

template <class T>
bool read_json_integer(JsonPath& path, JsonValue from, T& value) {
  if constexpr (std::is_signed_v<T>) {
    const std::optional<std::int64_t> number = from.integer();
    if (!number || !std::in_range<NumberOf<T>>(*number)) return path.fail("is no integer that the field can hold");
    value = static_cast<T>(*number);
  } else {
    const std::optional<std::uint64_t> number = from.unsigned_integer();
    if (!number || !std::in_range<NumberOf<T>>(*number)) return path.fail("is no integer that the field can hold");
    value = static_cast<T>(*number);
  }
  return true;
}

template <class T>
bool read_json_fields(JsonPath& path, JsonValue from, T& value) {
  if (!from.is_object()) return path.fail("is no object");
  std::size_t found = 0;
  bool good = true;
  for_each_field(value, [&](std::string_view name, auto& field) {
    std::optional<JsonValue> member = from.member(name);
    for (std::size_t alias = 0; !member; ++alias) {
      const std::string_view before = name_before<T>(name, alias);
      if (before.empty()) break;
      member = from.member(before);
    }
    if (!member || !good) return;
    ++found;
    path.enter(name);
    good = read_json(path, *member, field);
    path.leave();
  });
  if (good && found != from.size()) return path.fail("has a member that the struct does not have");
  return good;
}

template <class T, class AddOne>
bool read_json_list(JsonPath& path, JsonValue from, T& value, AddOne add_one) {
  if (!from.is_list()) return path.fail("is no list");
  value.clear();
  for (std::size_t i = 0; i < from.size(); ++i) {
    typename T::value_type element{};
    path.enter(std::to_string(i));
    const bool good = read_json(path, from.at(i), element) && (add_one(std::move(element)) || path.fail("occurs twice"));
    path.leave();
    if (!good) return false;
  }
  return true;
}

template <class K>
bool key_from_text(std::string text, K& key) {
  if constexpr (kFieldKind<K> == FieldKind::mapped) {
    typename lungo_codec<K>::Wire wire{};
    if (!key_from_text(std::move(text), wire)) return false;
    Reader refusal{BytesView{}};
    from_wire(refusal, wire, key);
    return !refusal.failed();
  } else {
    key = std::move(text);
    return true;
  }
}

template <class T>
bool read_json_map(JsonPath& path, JsonValue from, T& value) {
  constexpr bool kTextKeys = is_text_key<typename T::key_type>;
  if (kTextKeys ? !from.is_object() : !from.is_list()) return path.fail(kTextKeys ? "is no object" : "is no list of pairs");
  value.clear();
  for (std::size_t i = 0; i < from.size(); ++i) {
    typename T::key_type key{};
    typename T::mapped_type mapped{};
    path.enter(kTextKeys ? std::string(from.member_name(i)) : std::to_string(i));
    bool good = true;
    if constexpr (kTextKeys) {
      std::optional<std::string> text = json_key_text(from.member_name(i));
      good = (text && key_from_text(std::move(*text), key)) || path.fail("is no key");
      good = good && read_json(path, from.at(i), mapped);
    } else {
      const JsonValue pair = from.at(i);
      good = (pair.is_list() && pair.size() == 2) || path.fail("is no pair");
      good = good && read_json(path, pair.at(0), key) && read_json(path, pair.at(1), mapped);
    }
    good = good && (value.emplace(std::move(key), std::move(mapped)).second || path.fail("occurs twice"));
    path.leave();
    if (!good) return false;
  }
  return true;
}

template <class T>
bool read_json_variant(JsonPath& path, JsonValue from, T& value) {
  const std::optional<JsonValue> index = from.is_object() ? from.member("alternative") : std::nullopt;
  const std::optional<JsonValue> inner = from.is_object() ? from.member("value") : std::nullopt;
  const std::optional<std::uint64_t> wanted = index ? index->unsigned_integer() : std::nullopt;
  if (!wanted || !inner) return path.fail("is no {\"alternative\": number, \"value\": ...}");
  const auto read_one = [&]<std::size_t I>(std::integral_constant<std::size_t, I>) {
    using One = std::variant_alternative_t<I, T>;
    One& one = value.template emplace<I>();
    if constexpr (std::is_same_v<One, std::monostate>) {
      return inner->is_null() || path.fail("is not null");
    } else {
      return read_json(path, *inner, one);
    }
  };
  bool known = false;
  const bool good = [&]<std::size_t... I>(std::index_sequence<I...>) {
    return ((*wanted == I && (known = true, read_one(std::integral_constant<std::size_t, I>{}))) || ...);
  }(std::make_index_sequence<std::variant_size_v<T>>{});
  return known ? good : path.fail("names an alternative that the variant does not have");
}

template <class T, class V>
bool take(JsonPath& path, std::optional<V> found, T& value, std::string_view problem) {
  if (!found) return path.fail(problem);
  value = static_cast<T>(std::move(*found));
  return true;
}

template <class T>
bool read_json(JsonPath& path, JsonValue from, T& value) {
  constexpr FieldKind kind = kFieldKind<T>;
  if constexpr (!field_is_supported<T>::value) {
    return false;
  } else if constexpr (kind == FieldKind::mapped) {
    typename lungo_codec<T>::Wire wire{};
    if (!read_json(path, from, wire)) return false;
    Reader refusal{BytesView{}};
    from_wire(refusal, wire, value);
    return !refusal.failed() || path.fail("is a value that its lungo_codec refuses");
  } else if constexpr (kind == FieldKind::boolean) {
    return take(path, from.boolean(), value, "is no bool");
  } else if constexpr (kind == FieldKind::integer) {
    return read_json_integer(path, from, value);
  } else if constexpr (kind == FieldKind::floating) {
    return take(path, from.number(), value, "is no number");
  } else if constexpr (kind == FieldKind::text) {
    return take(path, from.text(), value, "is no string");
  } else if constexpr (kind == FieldKind::bytes) {
    const std::optional<std::string> raw = from.base64();
    if (!raw) return path.fail("is no base64 string");
    const auto* first = reinterpret_cast<const typename T::value_type*>(raw->data());
    value.assign(first, first + raw->size());
    return true;
  } else if constexpr (kind == FieldKind::enumeration) {
    std::underlying_type_t<T> number{};
    if (!read_json(path, from, number)) return false;
    value = static_cast<T>(number);
    return true;
  } else if constexpr (kind == FieldKind::duration) {
    typename T::rep ticks{};
    if (!read_json(path, from, ticks)) return false;
    value = T{ticks};
    return true;
  } else if constexpr (kind == FieldKind::time_point) {
    using Rep = typename T::duration::rep;
    using Period = typename T::duration::period;
    Rep ticks{};
    if constexpr (std::is_integral_v<Rep>) {
      const std::optional<std::int64_t> found = from.time(Period::num, Period::den);
      if (!found || !std::in_range<Rep>(*found)) return path.fail("is no time that the field can hold");
      ticks = static_cast<Rep>(*found);
    } else if (!read_json(path, from, ticks)) {
      return false;
    }
    value = T{typename T::duration{ticks}};
    return true;
  } else if constexpr (kind == FieldKind::optional) {
    if (from.is_null()) {
      value.reset();
      return true;
    }
    return read_json(path, from, value.emplace());
  } else if constexpr (kind == FieldKind::variant) {
    return read_json_variant(path, from, value);
  } else if constexpr (kind == FieldKind::array) {
    if (!from.is_list() || from.size() != value.size()) return path.fail("is no list of " + std::to_string(value.size()));
    for (std::size_t i = 0; i < value.size(); ++i) {
      path.enter(std::to_string(i));
      const bool good = read_json(path, from.at(i), value[i]);
      path.leave();
      if (!good) return false;
    }
    return true;
  } else if constexpr (kind == FieldKind::map) {
    return read_json_map(path, from, value);
  } else if constexpr (kind == FieldKind::set) {
    return read_json_list(path, from, value,
                          [&](typename T::value_type&& element) { return value.insert(std::move(element)).second; });
  } else if constexpr (kind == FieldKind::sequence) {
    return read_json_list(path, from, value,
                          [&](typename T::value_type&& element) { return value.push_back(std::move(element)), true; });
  } else if constexpr (kind == FieldKind::structure) {
    return read_json_fields(path, from, value);
  } else {
    return foreign_codec<T>::read_json(path, from, value);
  }
}

}  // namespace detail

/// An event from JSON text.
/// Errors: undecodable  no JSON, or a member that does not fit; the text has the path of fields.
template <class T>
Result<T> from_json(std::string_view text) {
  Result<detail::JsonDocument> document = detail::JsonDocument::parse(text);
  if (!document) return document.error().with_context(event_name<T>());
  T event{};
  detail::JsonPath path;
  if (!detail::read_json(path, document->root(), event)) return path.error(event_name<T>());
  return event;
}

}  // namespace lungo
