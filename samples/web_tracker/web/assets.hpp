// The pages and what they need, as built into the program.
//
// Threads: read-only after the first call.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "http/exchange.hpp"

namespace tracker {

struct EmbeddedFile {
  std::string_view name;  // below pages/, e.g. "demo/index.html"
  std::string_view content;
};

/// Generated at build time.
const std::vector<EmbeddedFile>& embedded_files();

/// Files as replies: media type, entity tag, and on pages the content security policy.
class Assets {
 public:
  Assets();
  /// The file that a path of ours names: "/", "/replay", "/demo/", "/assets/style.css", "/js/script.js"...; null when none
  /// does.
  [[nodiscard]] const EmbeddedFile* find(std::string_view path) const;
  /// 200 with the file, or 304 when the client has it. An HTML page never stays in a cache without being asked for.
  [[nodiscard]] http::Reply reply(const EmbeddedFile& file, const http::Request& request) const;

 private:
  struct Prepared {
    std::string_view media_type;
    std::string tag;
    std::shared_ptr<const std::string> body;
  };
  std::unordered_map<std::string_view, const EmbeddedFile*> by_path_;
  std::unordered_map<std::string_view, Prepared> prepared_;
  std::vector<std::string> paths_;  // what by_path_ views
};

}  // namespace tracker
