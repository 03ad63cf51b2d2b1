#include "web/replies.hpp"

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include <lungo/log/log_text.hpp>

#include "valid_utf8.hpp"

namespace tracker {
namespace {

using http::Reply;
using http::status;
using lungo::Errc;

std::string error_text(std::string_view error, std::string_view name) {
  boost::json::object object;
  object["error"] = valid_utf8(error);
  if (!name.empty()) object["field"] = valid_utf8(name);
  return boost::json::serialize(object);
}

/// The log refuses, whoever asks; `busy` is a rebuild's, and that of the one who asked for another.
bool is_of_the_log(Errc code) {
  return (lungo::is_retriable(code) && code != Errc::busy) || code == Errc::partition_failed || code == Errc::closed;
}

status status_of(Errc code) {
  switch (code) {
    case Errc::not_found:
      return status::not_found;
    case Errc::busy:
      return status::conflict;
    case Errc::invalid_argument:
    case Errc::offset_out_of_range:
    case Errc::too_large:
      return status::bad_request;
    default:
      return status::internal_server_error;
  }
}

bool is_about_what_was_asked(Errc code) { return !is_of_the_log(code) && status_of(code) != status::internal_server_error; }

}  // namespace

Reply plain(status code, std::string_view media_type, std::string body) {
  Reply reply{code, media_type, std::move(body)};
  reply.set("X-Content-Type-Options", "nosniff").set("Referrer-Policy", "same-origin");
  reply.set("Cache-Control", "no-store");
  return reply;
}

Reply json_reply(status code, std::string body) { return plain(code, "application/json", std::move(body)); }

Reply error_reply(status code, std::string_view error, std::string_view name) {
  return json_reply(code, error_text(error, name));
}

std::string reason_of(Errc code) {
  switch (code) {
    case Errc::no_space:
      return "the disk is full";
    case Errc::partition_failed:
      return "the disk failed, and takes nothing more until the tracker is started anew";
    case Errc::busy:
      return "too much waits for the disk";
    case Errc::timed_out:
      return "the disk takes too long";
    case Errc::locked:
      return "another program holds the data";
    case Errc::closed:
      return "the tracker stops";
    default:
      return "the tracker can't read or write its data (" + std::string(lungo::to_string(code)) + ")";
  }
}

std::string told_of(const lungo::Error& error) {
  if (is_about_what_was_asked(error.code())) return std::string(error.text());
  lungo::log_text("web", lungo::Severity::warn, "a reader is refused: " + lungo::to_string(error));
  return reason_of(error.code());
}

Reply bad_field_reply(const BadField& bad) {
  return error_reply(status::bad_request, (bad.field.empty() ? "the body " : "`" + bad.field + "` ") + bad.text, bad.field);
}

Reply error_reply(const lungo::Error& error) {
  if (is_of_the_log(error.code())) return later_reply(status::service_unavailable, told_of(error), std::chrono::seconds{1});
  return error_reply(status_of(error.code()), told_of(error));
}

Reply later_reply(status code, std::string_view error, lungo::Duration after) {
  Reply reply = error_reply(code, error);
  const auto seconds = std::max(std::chrono::ceil<std::chrono::seconds>(after), std::chrono::seconds{1});
  reply.set("Retry-After", std::to_string(seconds.count()));
  return reply;
}

Reply moved(std::string where) {
  Reply reply = plain(status::permanent_redirect);
  reply.set("Location", std::move(where));
  return reply;
}

Reply see_other(std::string_view where) {
  Reply reply = plain(status::see_other);
  reply.set("Location", std::string(where));
  return reply;
}

}  // namespace tracker
