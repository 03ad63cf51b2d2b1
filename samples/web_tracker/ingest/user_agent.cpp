#include "ingest/user_agent.hpp"

#include <algorithm>
#include <array>

namespace tracker {
namespace {

constexpr std::size_t kJudgedBytes = 512;  // what follows in longer headers is noise

struct Rule {
  std::string_view word;  // in lower case, to be found anywhere
  std::string_view name;
};

// The first that is found wins, so the more special word stands first: every Edge also says Chrome and Safari.
constexpr std::array kBrowsers{Rule{"edg/", "Edge"},
                               Rule{"edge/", "Edge"},
                               Rule{"edga/", "Edge"},
                               Rule{"edgios/", "Edge"},
                               Rule{"opr/", "Opera"},
                               Rule{"opera", "Opera"},
                               Rule{"vivaldi", "Vivaldi"},
                               Rule{"samsungbrowser", "Samsung Internet"},
                               Rule{"silk/", "Silk"},
                               Rule{"ucbrowser", "UC Browser"},
                               Rule{"yabrowser", "Yandex"},
                               Rule{"fxios", "Firefox"},
                               Rule{"firefox", "Firefox"},
                               Rule{"iceweasel", "Firefox"},
                               Rule{"crios", "Chrome"},
                               Rule{"chromium", "Chromium"},
                               Rule{"chrome", "Chrome"},
                               Rule{"msie", "Internet Explorer"},
                               Rule{"trident/", "Internet Explorer"},
                               Rule{"konqueror", "Konqueror"},
                               Rule{"android", "Android Browser"},
                               Rule{"safari", "Safari"},
                               Rule{"applewebkit", "WebKit"},
                               Rule{"gecko/", "Gecko"}};

constexpr std::array kSystems{Rule{"windows phone", "Windows Phone"},
                              Rule{"windows", "Windows"},
                              Rule{"android", "Android"},
                              Rule{"iphone", "iOS"},
                              Rule{"ipad", "iOS"},
                              Rule{"ipod", "iOS"},
                              Rule{"mac os x", "macOS"},
                              Rule{"macintosh", "macOS"},
                              Rule{"darwin", "macOS"},
                              Rule{"cros ", "ChromeOS"},
                              Rule{"linux", "Linux"},
                              Rule{"freebsd", "FreeBSD"},
                              Rule{"openbsd", "OpenBSD"},
                              Rule{"x11", "Unix"}};

// A contact address or URL in the header is what polite programs leave there, and people's browsers do not.
constexpr std::array<std::string_view, 31> kBotWords{
    "bot",     "crawl",     "spider",      "slurp", "feed",    "://",         "archiver",   "curl",
    "wget",    "python",    "libwww",      "java/", "go-http", "ruby",        "phantomjs",  "headless",
    "monitor", "validator", "@",           "fetch", "scan",    "perl",        "okhttp",     "axios",
    "node",    "rss",       "chef client", "nutch", "preview", "link sleuth", "http client"};

template <std::size_t count>
std::string_view first_match(const std::array<Rule, count>& rules, std::string_view text) {
  for (const Rule& rule : rules) {
    if (text.find(rule.word) != text.npos) return rule.name;
  }
  return "other";
}

bool has(std::string_view text, std::string_view word) { return text.find(word) != text.npos; }

bool is_bot(std::string_view text) {
  if (text.empty() || text == "-") return true;
  return std::any_of(kBotWords.begin(), kBotWords.end(), [&](std::string_view word) { return has(text, word); });
}

Device device_of(std::string_view text) {
  if (has(text, "ipad") || has(text, "tablet") || has(text, "kindle") || has(text, "silk/")) return Device::tablet;
  if (has(text, "mobile") || has(text, "iphone") || has(text, "ipod") || has(text, "opera mini") || has(text, "midp") ||
      has(text, "windows phone")) {
    return Device::mobile;
  }
  if (has(text, "android")) return Device::tablet;  // Android's own rule: phones say Mobile, tablets do not
  if (has(text, "windows") || has(text, "macintosh") || has(text, "x11") || has(text, "linux") || has(text, "cros ")) {
    return Device::desktop;
  }
  return Device::other;
}

}  // namespace

std::string_view to_string(Device device) {
  constexpr std::array<std::string_view, 4> kNames{"other", "desktop", "mobile", "tablet"};
  const auto index = static_cast<std::size_t>(device);
  return index < kNames.size() ? kNames[index] : kNames[0];
}

UserAgent judge_user_agent(std::string_view header) {
  std::array<char, kJudgedBytes> lower;
  const std::size_t size = std::min(header.size(), lower.size());
  std::transform(header.begin(), header.begin() + size, lower.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  const std::string_view text{lower.data(), size};
  return {.browser = first_match(kBrowsers, text),
          .system = first_match(kSystems, text),
          .device = device_of(text),
          .bot = is_bot(text)};
}

}  // namespace tracker
