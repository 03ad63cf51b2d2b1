// What a request's target and referrer tell: the page, its kind, the host that sent the visitor.
//
// Threads: pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace tracker {

/// Fixed numbers: stored in events. A page is what a person means to look at; an asset is what a page pulls in; all the rest
/// (downloads, feeds, robots.txt, forms, nonsense) is other.
enum class RequestKind : std::uint8_t { page = 0, asset = 1, other = 2 };

/// "page", "asset", "other".
std::string_view to_string(RequestKind kind);

/// The target cut at `?`.
inline std::string_view page_of(std::string_view target) { return target.substr(0, target.find('?')); }

/// Judges by method and by the ending of the page's last path segment.
RequestKind kind_of(std::string_view method, std::string_view target);

/// Host of a referrer in lower case, without user, port or path, into `out`; empty for "-", an empty text, or one without
/// "://".
void referrer_host(std::string_view referrer, std::string& out);

}  // namespace tracker
