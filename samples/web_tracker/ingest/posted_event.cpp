#include "ingest/posted_event.hpp"

#include <algorithm>
#include <boost/json/monotonic_resource.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <charconv>
#include <cmath>

namespace tracker {
namespace {

namespace json = boost::json;

constexpr std::size_t kDepthMax = 8;

char to_lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

/// The fields of one event, each checked as it is taken.
class EventFields {
 public:
  EventFields(const json::object& object, std::string prefix) : object_(object), prefix_(std::move(prefix)) {}

  std::optional<BadField> take(PostedEvent& event) {
    required("name", kNameBytesMax, event.name);
    std::string url;
    required("url", kUrlBytesMax, url);
    if (!bad_ && !split_url(url, event.host, event.target))
      refuse("url", "must be an absolute http or https URL without spaces");
    optional("referrer", kUrlBytesMax, event.referrer);
    optional("domain", kDomainBytesMax, event.domain);
    std::transform(event.domain.begin(), event.domain.end(), event.domain.begin(), to_lower);
    optional("id", kIdBytesMax, event.id);
    props(event.props);
    return std::move(bad_);
  }

 private:
  void refuse(std::string_view field, std::string text) {
    if (!bad_) bad_ = BadField{prefix_ + std::string(field), std::move(text)};
  }

  void text_of(std::string_view field, const json::value& value, std::size_t bytes_max, std::string& out) {
    if (!value.is_string()) return refuse(field, "must be a text");
    const json::string& text = value.get_string();
    if (text.size() > bytes_max) return refuse(field, "is longer than " + std::to_string(bytes_max) + " bytes");
    out.assign(text.data(), text.size());
  }

  void required(std::string_view field, std::size_t bytes_max, std::string& out) {
    const json::value* value = object_.if_contains(field);
    if (value == nullptr) return refuse(field, "is missing");
    text_of(field, *value, bytes_max, out);
    if (out.empty()) refuse(field, "is empty");
  }

  void optional(std::string_view field, std::size_t bytes_max, std::string& out) {
    const json::value* value = object_.if_contains(field);
    if (value != nullptr && !value->is_null()) text_of(field, *value, bytes_max, out);
  }

  void props(std::map<std::string, std::string>& out) {
    const json::value* value = object_.if_contains("props");
    if (value == nullptr || value->is_null()) return;
    if (!value->is_object()) return refuse("props", "must be an object");
    if (value->get_object().size() > kPropsMax)
      return refuse("props", "has more than " + std::to_string(kPropsMax) + " entries");
    for (const json::key_value_pair& prop : value->get_object()) {
      const std::string field = "props." + std::string(prop.key());
      if (prop.key().size() > kPropNameBytesMax)
        return refuse("props", "has a name longer than " + std::to_string(kPropNameBytesMax) + " bytes");
      if (prop.value().is_null()) continue;
      if (prop.value().is_structured()) return refuse(field, "must be a text, a number or a boolean");
      std::string& text = out[std::string(prop.key())];
      if (prop.value().is_string()) {
        text_of(field, prop.value(), kPropValueBytesMax, text);
      } else if (!written(prop.value(), text)) {
        return refuse(field, "is a number out of range");
      }
    }
  }

  /// A number or a boolean as a person would write it: 9.5, where Boost writes 9.5E0.
  static bool written(const json::value& value, std::string& out) {
    if (!value.is_double()) {
      out = json::serialize(value);
      return true;
    }
    if (!std::isfinite(value.get_double())) return false;
    char digits[32];
    const auto [end, error] = std::to_chars(digits, digits + sizeof digits, value.get_double());
    out.assign(digits, end);
    return error == std::errc{};
  }

  const json::object& object_;
  const std::string prefix_;
  std::optional<BadField> bad_;
};

std::optional<BadField> take_event(const json::value& value, std::string prefix, std::vector<PostedEvent>& out) {
  if (!value.is_object()) {
    if (!prefix.empty()) prefix.pop_back();  // "[2]", not "[2]."
    return BadField{prefix, "must be an object"};
  }
  return EventFields{value.get_object(), std::move(prefix)}.take(out.emplace_back());
}

bool begins_with(std::string_view text, std::string_view beginning) {
  return text.size() >= beginning.size() &&
         std::equal(beginning.begin(), beginning.end(), text.begin(), [](char a, char b) { return a == to_lower(b); });
}

}  // namespace

bool split_url(std::string_view url, std::string& host, std::string& target) {
  if (begins_with(url, "http://")) {
    url.remove_prefix(7);
  } else if (begins_with(url, "https://")) {
    url.remove_prefix(8);
  } else {
    return false;
  }
  if (std::any_of(url.begin(), url.end(), [](char c) { return (c >= 0 && c <= ' ') || c == 0x7f; })) return false;
  url = url.substr(0, url.find('#'));
  const std::size_t path = std::min(url.find_first_of("/?"), url.size());
  std::string_view authority = url.substr(0, path);
  if (authority.find('\\') != authority.npos) return false;  // a slash to browsers, which then go to another host
  if (const std::size_t at = authority.rfind('@'); at != authority.npos) authority.remove_prefix(at + 1);
  const bool is_ipv6 = authority.starts_with('[');
  const std::size_t end = is_ipv6 ? authority.find(']') + 1 : std::min(authority.find(':'), authority.size());
  if (is_ipv6 && end < 3) return false;  // not closed, or empty
  const std::string_view port = authority.substr(end);
  if (!port.empty() && (port.front() != ':' || port.find_first_not_of("0123456789", 1) != port.npos)) return false;
  authority = authority.substr(0, end);
  if (authority.empty() || authority.size() > kDomainBytesMax) return false;
  host.assign(authority);
  std::transform(host.begin(), host.end(), host.begin(), to_lower);
  target.assign(url.substr(path));
  if (target.empty() || target.front() != '/') target.insert(target.begin(), '/');
  return true;
}

std::optional<BadField> parse_posted_events(std::string_view body, std::vector<PostedEvent>& out) {
  unsigned char room[8192];  // a body of the usual size takes no allocation
  json::monotonic_resource memory{room, sizeof room};
  json::parse_options options;
  options.max_depth = kDepthMax;
  boost::system::error_code error;
  const json::value value = json::parse(json::string_view{body.data(), body.size()}, error, &memory, options);
  if (error) return BadField{"", "is not JSON: " + error.message()};
  if (!value.is_array()) return take_event(value, "", out);
  const json::array& events = value.get_array();
  if (events.empty()) return BadField{"", "holds no event"};
  if (events.size() > kPostedEventsMax) return BadField{"", "holds more than " + std::to_string(kPostedEventsMax) + " events"};
  for (std::size_t i = 0; i < events.size(); ++i) {
    if (std::optional<BadField> bad = take_event(events[i], "[" + std::to_string(i) + "].", out)) return bad;
  }
  // What has an id is appended alone: sent again after an error, the others of its batch would count twice.
  const bool any_id = std::any_of(out.begin(), out.end(), [](const PostedEvent& event) { return !event.id.empty(); });
  for (std::size_t i = 0; any_id && i < out.size(); ++i)
    if (out[i].id.empty())
      return BadField{"[" + std::to_string(i) + "].id", "is missing: all events of a batch have one, or none has"};
  return std::nullopt;
}

}  // namespace tracker
