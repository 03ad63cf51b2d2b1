// Replies as the whole service makes them: JSON errors, the headers that every answer has.
//
// Threads: any.
#pragma once

#include <string>
#include <string_view>

#include <lungo/log/result.hpp>

#include "http/exchange.hpp"
#include "ingest/posted_event.hpp"

namespace tracker {

/// A reply with the headers that all have: nosniff, no referrer to others, no caching.
http::Reply plain(http::status code, std::string_view media_type = {}, std::string body = {});
http::Reply json_reply(http::status code, std::string body);
/// {"error": TEXT} or {"error": TEXT, "field": NAME}.
http::Reply error_reply(http::status code, std::string_view error, std::string_view field = {});
/// 400 that says what is wrong with which field of the body, or with all of it.
http::Reply bad_field_reply(const BadField& bad);
/// What kind of trouble the server has, for anyone: an error's text may name its files.
std::string reason_of(lungo::Errc code);
/// What to tell a reader of an error: its text where it is about what was asked, otherwise the reason alone, and the text goes
/// into the log.
std::string told_of(const lungo::Error& error);
/// For an error of the log or of the desk: 404, 409, 400, 503 with Retry-After when the log refuses, or 500; with what
/// told_of() says.
http::Reply error_reply(const lungo::Error& error);
/// 503 or 429, to come again after so long; in whole seconds, at least one.
http::Reply later_reply(http::status code, std::string_view error, lungo::Duration after);
/// 308: the page is there, for good.
http::Reply moved(std::string where);
/// 303 to another page of ours.
http::Reply see_other(std::string_view where);

}  // namespace tracker
