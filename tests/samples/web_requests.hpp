// A tracker's program that serves, and what a browser asks it, one request at a time over a connection that is kept.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "tests/samples/web_client.hpp"

namespace lungo::test {

/// The port that a tracker said it serves on; waits for it. 0: it does not.
inline std::uint16_t port_of(Program& program) {
  constexpr std::string_view kBefore = "web-tracker: http://127.0.0.1:";
  std::uint16_t port = 0;
  static_cast<void>(eventually([&] {
    const std::string said = program.err();
    const std::size_t at = said.find(kBefore);
    if (at != said.npos && said.find('/', at + kBefore.size()) != said.npos)
      port = static_cast<std::uint16_t>(std::stoi(said.substr(at + kBefore.size())));
    return port != 0 || !program.is_running();
  }));
  return port;
}

/// A line of fields by which a person's browser is known; without it the sender is taken for a program.
inline constexpr std::string_view kBrowser =
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:115.0) Gecko/20100101 Firefox/115.0\r\n";

/// Nothing when the server is gone, or goes meanwhile.
inline std::optional<Answer> ask(WebClient& client, std::string_view bytes) {
  client.send(bytes);
  return client.read();
}
inline std::optional<Answer> get(WebClient& client, std::string_view target) {
  return ask(client, http_request("GET", target, kBrowser));
}
inline std::optional<Answer> post(WebClient& client, std::string_view events) {
  return ask(client, post_event(events, kBrowser));
}

/// An event; with an id, if there is one.
inline std::string page_view(const std::string& page, const std::string& id = {}) {
  return R"({"name": "pageview", "url": "http://localhost)" + page + (id.empty() ? "" : R"(", "id": ")" + id) + R"("})";
}

}  // namespace lungo::test
