#include "ingest/request_target.hpp"

#include <algorithm>
#include <array>

namespace tracker {
namespace {

constexpr std::array<std::string_view, 31> kAssetEndings{"css",  "js",   "mjs", "map",   "png", "gif",  "jpg",        "jpeg",
                                                         "webp", "avif", "svg", "ico",   "bmp", "tif",  "tiff",       "woff",
                                                         "ttf",  "otf",  "eot", "mp4",   "m4v", "webm", "ogv",        "mp3",
                                                         "ogg",  "wav",  "swf", "woff2", "cur", "wasm", "webmanifest"};
constexpr std::array<std::string_view, 11> kPageEndings{"html", "htm", "xhtml", "shtml", "php", "asp",
                                                        "aspx", "jsp", "jspx",  "cgi",   "do"};

bool is_one_of(std::string_view ending, auto const& endings) {
  return std::find(endings.begin(), endings.end(), ending) != endings.end();
}

bool is_letter(char c) { return c >= 'a' && c <= 'z'; }
char to_lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

}  // namespace

std::string_view to_string(RequestKind kind) {
  constexpr std::array<std::string_view, 3> kNames{"page", "asset", "other"};
  const auto index = static_cast<std::size_t>(kind);
  return index < kNames.size() ? kNames[index] : kNames[2];
}

RequestKind kind_of(std::string_view method, std::string_view target) {
  const std::string_view page = page_of(target);
  if ((page.empty() || page.front() != '/') && page.find("://") == page.npos) return RequestKind::other;
  const std::string_view segment = page.substr(page.rfind('/') + 1);
  const std::size_t dot = segment.rfind('.');

  std::array<char, 12> lower;
  const std::string_view raw = dot == segment.npos ? std::string_view{} : segment.substr(dot + 1);
  const bool short_enough = raw.size() <= lower.size();
  if (short_enough) std::transform(raw.begin(), raw.end(), lower.begin(), to_lower);
  const std::string_view ending = short_enough ? std::string_view{lower.data(), raw.size()} : std::string_view{};

  if (is_one_of(ending, kAssetEndings)) return RequestKind::asset;
  if (method != "GET") return RequestKind::other;
  // "/v1.2" and "/what.is.it?" have a dot and no ending: an ending has letters, and few.
  const bool has_ending = !ending.empty() && ending.size() <= 5 && std::any_of(ending.begin(), ending.end(), is_letter);
  if (!has_ending) return RequestKind::page;
  return is_one_of(ending, kPageEndings) ? RequestKind::page : RequestKind::other;
}

void referrer_host(std::string_view referrer, std::string& out) {
  out.clear();
  const std::size_t scheme = referrer.find("://");
  if (scheme == referrer.npos) return;
  std::string_view host = referrer.substr(scheme + 3);
  host = host.substr(0, host.find_first_of("/?#"));
  if (const std::size_t at = host.rfind('@'); at != host.npos) host.remove_prefix(at + 1);
  const bool is_ipv6 = !host.empty() && host.front() == '[';
  host = host.substr(0, is_ipv6 ? host.find(']') + 1 : host.find(':'));
  out.assign(host);
  std::transform(out.begin(), out.end(), out.begin(), to_lower);
}

}  // namespace tracker
