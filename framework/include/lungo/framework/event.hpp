// Event types: the list that a Fold names, and an event's name in the log.
//
// An event is a plain struct (fields.hpp), and that is all. Its name in the log is the struct's own name without namespaces, or
// `static constexpr std::string_view event_name`; names that it had before go into `event_aliases`, those of fields into
// `field_aliases`.
// A struct in an anonymous namespace or in a function has a name like any other. An instance of a class template is spelled
// differently by different compilers, so it must say its `event_name`.
#pragma once

#include <cstddef>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

#include <lungo/framework/fields.hpp>
#include <lungo/log/result.hpp>

namespace lungo {

namespace detail {

template <class T>
consteval const char* spell_type() {
  return __PRETTY_FUNCTION__;
}

// "... [with T = a::b::Name]" (g++) or "... [T = a::b::Name]" (clang), cut to what follows "T = ".
template <class T>
consteval std::string_view spelled_type() {
  std::string_view text = spell_type<T>();
  text.remove_prefix(text.find("T = ") + 4);
  return text.substr(0, text.size() - 1);
}

template <class T>
inline constexpr bool kIsTemplateInstance = spelled_type<T>().ends_with('>');

/// The type's own name: no namespaces, no template arguments.
template <class T>
consteval std::string_view plain_type_name() {
  std::string_view text = spelled_type<T>();
  if (text.ends_with('>')) {  // walk back over the template's arguments
    int depth = 0;
    std::size_t at = text.size();
    do {
      --at;
      depth += text[at] == '>' ? 1 : text[at] == '<' ? -1 : 0;
    } while (depth > 0 && at > 0);
    text = text.substr(0, at);
  }
  const std::size_t colon = text.rfind("::");
  return colon == std::string_view::npos ? text : text.substr(colon + 2);
}

template <class T>
inline constexpr char type_tag = 0;

}  // namespace detail

/// `now` is a field that writers called `before`.
struct FieldAlias {
  std::string_view now, before;
};

/// Tells types apart at run time without RTTI; equal for the same type within one program.
using TypeKey = const void*;

template <class T>
constexpr TypeKey type_key() {
  return &detail::type_tag<T>;
}

/// The event's name in the log: `T::event_name`, otherwise the struct's own name.
template <class T>
constexpr std::string_view event_name() {
  if constexpr (requires { std::string_view{T::event_name}; }) {
    return T::event_name;
  } else {
    static_assert(
        !detail::kIsTemplateInstance<T>,
        "lungo: an event that is an instance of a class template needs `static constexpr std::string_view event_name`: "
        "compilers spell its name differently");
    return detail::plain_type_name<T>();
  }
}

/// Names that the event had before: `T::event_aliases`, a constexpr array of std::string_view.
template <class T>
constexpr std::span<const std::string_view> event_aliases() {
  if constexpr (requires { std::span<const std::string_view>{T::event_aliases}; }) {
    return T::event_aliases;
  } else {
    return {};
  }
}

/// True if a record of this event name is a T.
template <class T>
constexpr bool answers_to(std::string_view name) {
  if (name == event_name<T>()) return true;
  for (const std::string_view alias : event_aliases<T>()) {
    if (name == alias) return true;
  }
  return false;
}

namespace detail {

template <class A, class B>
constexpr bool share_a_name() {
  if (answers_to<A>(event_name<B>()) || answers_to<B>(event_name<A>())) return true;
  for (const std::string_view alias : event_aliases<B>()) {
    if (answers_to<A>(alias)) return true;
  }
  return false;
}

template <class First = void, class... Rest>
consteval bool names_differ() {
  if constexpr (sizeof...(Rest) == 0) {
    return true;
  } else {
    return !(share_a_name<First, Rest>() || ...) && names_differ<Rest...>();
  }
}

}  // namespace detail

/// The event types of a Fold, in the order in which a decoder tries their names.
template <class... E>
struct events {
  static_assert(sizeof...(E) > 0, "lungo: events<> lists no event");
  static_assert(detail::names_differ<E...>(), "lungo: two events of this list have the same event name or alias");
  static constexpr std::size_t size = sizeof...(E);
};

/// Which type answers to which event name in this process: two types of one name would decode each other's payloads.
/// Threads: none; the owner (a shape registry) locks.
class EventNames {
 public:
  /// Notes T's name and aliases. Adding the same T again does nothing.
  /// Errors: already_exists  another type has that name; the text has it.
  template <class T>
  Result<void> add() {
    return add(event_name<T>(), event_aliases<T>(), type_key<T>());
  }

 private:
  Result<void> add(std::string_view name, std::span<const std::string_view> aliases, TypeKey type);

  std::map<std::string, TypeKey, std::less<>> types_;
};

}  // namespace lungo
