// What pages and programs post to /api/event: JSON, taken apart and checked field by field.
//
//   body  = event | "[" event { "," event } "]"        at most kPostedEventsMax
//   event = {"name": TEXT, "url": URL, "referrer"?: TEXT | null, "domain"?: TEXT | null, "props"?: PROPS | null, "id"?: TEXT |
//   null} PROPS = { TEXT: TEXT | NUMBER | BOOLEAN | null }   a null is left out
//
// Fields with other names are passed over: they are somebody's next version. Texts are valid UTF-8, as JSON demands.
// Threads: pure functions.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tracker {

inline constexpr std::size_t kPostedEventsMax = 100;
inline constexpr std::size_t kNameBytesMax = 120;
inline constexpr std::size_t kUrlBytesMax = 2048;  // of a referrer too
inline constexpr std::size_t kDomainBytesMax = 253;
inline constexpr std::size_t kPropsMax = 30;
inline constexpr std::size_t kPropNameBytesMax = 300;
inline constexpr std::size_t kPropValueBytesMax = 2000;
inline constexpr std::size_t kIdBytesMax = 64;

struct PostedEvent {
  std::string name;
  std::string host;    // of the url, lower case, without port
  std::string target;  // path and query of the url, without fragment; begins with "/"
  std::string referrer;
  std::string domain;  // lower case; empty: not said
  std::string id;      // empty: none
  std::map<std::string, std::string> props;
};

/// What is wrong with a body, and where: "url", "[2].props.plan"; empty: the body as a whole.
struct BadField {
  std::string field;
  std::string text;
};

/// Appends the body's events to `out`; nothing returned = all are fine. `out` is worthless otherwise.
std::optional<BadField> parse_posted_events(std::string_view body, std::vector<PostedEvent>& out);

/// The parts of an absolute http or https URL; false when it is none, or holds spaces or control characters.
bool split_url(std::string_view url, std::string& host, std::string& target);

}  // namespace tracker
