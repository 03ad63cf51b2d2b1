#include "web/assets.hpp"

#include <xxhash.h>

#include <charconv>

namespace tracker {
namespace {

using http::field;

constexpr std::string_view kPolicy =
    "default-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

std::string_view media_type_of(std::string_view name) {
  const std::string_view ending = name.substr(name.rfind('.') + 1);
  if (ending == "html") return "text/html; charset=utf-8";
  if (ending == "css") return "text/css; charset=utf-8";
  if (ending == "js") return "text/javascript; charset=utf-8";
  if (ending == "svg") return "image/svg+xml";
  return "application/octet-stream";
}

/// Where the file is served; empty: nowhere.
std::string path_of(std::string_view name) {
  if (name == "dashboard.html") return "/";
  if (name == "script.js") return "/js/script.js";
  if (name == "demo/index.html") return "/demo/";
  if (name.starts_with("demo/")) return "/" + std::string(name);
  if (name.ends_with(".html")) return "/" + std::string(name.substr(0, name.size() - 5));
  return "/assets/" + std::string(name);
}

std::string tag_of(std::string_view content) {
  char digits[16];
  const auto [end, error] = std::to_chars(digits, digits + sizeof digits, XXH3_64bits(content.data(), content.size()), 16);
  return "\"" + std::string(digits, error == std::errc{} ? end : digits) + "\"";
}

}  // namespace

Assets::Assets() {
  const std::vector<EmbeddedFile>& files = embedded_files();
  paths_.reserve(files.size());
  for (const EmbeddedFile& file : files) {
    by_path_.emplace(paths_.emplace_back(path_of(file.name)), &file);
    prepared_.emplace(
        file.name, Prepared{media_type_of(file.name), tag_of(file.content), std::make_shared<const std::string>(file.content)});
  }
}

const EmbeddedFile* Assets::find(std::string_view path) const {
  const auto found = by_path_.find(path);
  return found == by_path_.end() ? nullptr : found->second;
}

http::Reply Assets::reply(const EmbeddedFile& file, const http::Request& request) const {
  const Prepared& prepared = prepared_.at(file.name);
  const bool is_known = request[field::if_none_match] == prepared.tag;
  http::Reply reply =
      is_known ? http::Reply{http::status::not_modified} : http::Reply{http::status::ok, prepared.media_type, prepared.body};
  reply.set("X-Content-Type-Options", "nosniff").set("Referrer-Policy", "same-origin");
  reply.set("Cache-Control", "no-cache").set("ETag", prepared.tag);
  if (prepared.media_type.starts_with("text/html")) reply.set("Content-Security-Policy", std::string(kPolicy));
  // The beacon is meant for other sites' pages.
  if (file.name == "script.js") reply.set("Cross-Origin-Resource-Policy", "cross-origin");
  return reply;
}

}  // namespace tracker
