#include "tests/support/access_log_generator.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cmath>
#include <string_view>
#include <vector>

namespace lungo::test {
namespace {

// splitmix64: small, fast, and the same on every machine, unlike the distributions of <random>.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next() {
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15ull);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
  }
  /// In [0, bound).
  std::uint32_t below(std::uint32_t bound) { return static_cast<std::uint32_t>(((next() >> 32) * bound) >> 32); }
  bool percent(double share) { return static_cast<double>(next() >> 11) * 0x1.0p-53 * 100.0 < share; }

 private:
  std::uint64_t state_;
};

// Draws from a Zipf law in constant time: Walker's alias method, with Vose's way of filling the table.
class ZipfTable {
 public:
  ZipfTable(std::uint32_t count, double exponent) : keep_(count), alias_(count) {
    std::vector<double> weights(count);
    double sum = 0;
    for (std::uint32_t i = 0; i < count; ++i) sum += weights[i] = 1.0 / std::pow(i + 1.0, exponent);
    std::vector<std::uint32_t> small;
    std::vector<std::uint32_t> large;
    for (std::uint32_t i = 0; i < count; ++i) {
      weights[i] *= count / sum;
      (weights[i] < 1.0 ? small : large).push_back(i);
    }
    while (!small.empty() && !large.empty()) {
      const std::uint32_t low = small.back();
      const std::uint32_t high = large.back();
      small.pop_back();
      set(low, weights[low], high);
      weights[high] -= 1.0 - weights[low];
      if (weights[high] < 1.0) {
        large.pop_back();
        small.push_back(high);
      }
    }
    for (const std::uint32_t i : small) set(i, 1.0, i);
    for (const std::uint32_t i : large) set(i, 1.0, i);
  }
  std::uint32_t draw(Random& random) const {
    const std::uint32_t slot = random.below(static_cast<std::uint32_t>(keep_.size()));
    return static_cast<std::uint32_t>(random.next() >> 32) <= keep_[slot] ? slot : alias_[slot];
  }

 private:
  void set(std::uint32_t slot, double keep, std::uint32_t alias) {
    keep_[slot] = static_cast<std::uint32_t>(std::min(keep, 1.0) * 4294967295.0);
    alias_[slot] = alias;
  }
  std::vector<std::uint32_t> keep_;
  std::vector<std::uint32_t> alias_;
};

constexpr std::array<std::string_view, 12> kBrowsers{
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/122.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/121.0.0.0 Safari/537.36",
    "Mozilla/5.0 (X11; Linux x86_64; rv:123.0) Gecko/20100101 Firefox/123.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:122.0) Gecko/20100101 Firefox/122.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_3 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.3 "
    "Mobile/15E148 "
    "Safari/604.1",
    "Mozilla/5.0 (iPad; CPU OS 16_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/16.6 Mobile/15E148 "
    "Safari/604.1",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 14_3) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.3 Safari/605.1.15",
    "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/122.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (Linux; Android 13; SM-X200) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/121.0.0.0 Safari/537.36 "
    "Edg/121.0.0.0",
    "Opera/9.80 (Windows NT 6.1; WOW64) Presto/2.12.388 Version/12.18",
    "Mozilla/4.0 (compatible; MSIE 8.0; Windows NT 6.1; Trident/4.0)"};
constexpr std::array<std::string_view, 8> kBots{"Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
                                                "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
                                                "Mozilla/5.0 (compatible; YandexBot/3.0; +http://yandex.com/bots)",
                                                "UniversalFeedParser/4.2-pre-314-svn +http://feedparser.org/",
                                                "curl/7.88.1",
                                                "python-requests/2.31.0",
                                                "Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)",
                                                "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)"};
constexpr std::array<std::string_view, 16> kWords{"espresso", "roast", "grinder", "filter", "blog", "shop",
                                                  "guide",    "about", "recipes", "events", "bags", "brewing",
                                                  "news",     "beans", "origins", "cups"};
constexpr std::array<std::string_view, 6> kReferrers{"https://www.google.com/search?q=coffee",
                                                     "https://duckduckgo.com/",
                                                     "https://t.co/x1Y2",
                                                     "https://www.bing.com/search?q=beans",
                                                     "https://news.example.org/item?id=7",
                                                     "android-app://com.google.android.gm/"};
constexpr std::array<std::string_view, 7> kAssets{"/static/site.css", "/static/app.js",      "/images/logo.png",
                                                  "/favicon.ico",     "/fonts/roboto.woff2", "/images/hero-2.jpg?v=3",
                                                  "/static/print.css"};
constexpr std::array<std::string_view, 4> kFunnel{"/", "/shop", "/cart", "/checkout"};
constexpr std::array<std::string_view, 12> kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                   "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
constexpr std::string_view kOwnSite = "https://coffee.example";

void append_number(std::string& out, std::uint64_t value) {
  char digits[20];
  const auto end = std::to_chars(digits, digits + sizeof digits, value).ptr;
  out.append(digits, end);
}

void append_two(std::string& out, unsigned value) {
  out.push_back(static_cast<char>('0' + value / 10));
  out.push_back(static_cast<char>('0' + value % 10));
}

// One visitor's walk through the site, or a bot's.
struct Session {
  std::uint32_t visitor = 0;
  bool bot = false;
  std::uint32_t pages_left = 0;
  std::uint32_t assets_left = 0;
  std::uint32_t funnel_step = 4;  // 4: does not walk the funnel
  std::uint32_t page = 0;         // index of the last page's URL
  bool has_page = false;
  std::uint8_t referrer = 0;
};

}  // namespace

struct AccessLogGenerator::Parts {
  explicit Parts(const AccessLogOptions& given)
      : options(given), random(given.seed * 0x2545f4914f6cdd1dull + 7), popularity(std::max(1u, given.urls), given.zipf) {
    make_urls();
    // So many sessions at a time that one of them has a line about every 20 s.
    const double lines_per_second =
        static_cast<double>(options.lines) / (86'400.0 * static_cast<double>(std::max(1u, options.days)));
    sessions.resize(static_cast<std::size_t>(std::clamp(lines_per_second * 20.0, 4.0, 50'000.0)));
    for (Session& session : sessions) begin_session(session, false);
    for (Session& crawler : crawlers) begin_session(crawler, true);
  }

  void make_urls() {
    urls.reserve(std::max(1u, options.urls));
    for (const std::string_view step : kFunnel) urls.emplace_back(step);
    Random names{options.seed + 99};
    while (urls.size() < options.urls) {
      std::string url = "/" + std::string{kWords[names.below(kWords.size())]} + "/" +
                        std::string{kWords[names.below(kWords.size())]} + "-" + std::to_string(urls.size());
      const std::uint32_t kind = names.below(10);
      if (kind < 3) url += ".html";
      if (kind == 9) url += "?page=" + std::to_string(names.below(20));
      urls.push_back(std::move(url));
    }
    urls.resize(std::max(1u, options.urls));
  }

  void begin_session(Session& session, bool bot) {
    session = Session{};
    session.bot = bot;
    session.visitor = bot ? random.below(200) : random.below(std::max(1u, options.visitors));
    // Half of the visits see one page only; the others up to twelve.
    session.pages_left = bot ? 5 + random.below(200) : (random.below(2) == 0 ? 1 : 2 + random.below(11));
    if (!bot && random.below(20) == 0 && urls.size() >= kFunnel.size()) session.funnel_step = 0;
    session.referrer = static_cast<std::uint8_t>(random.below(kReferrers.size() + 3));
  }

  // The address belongs to the visitor's number, so that a returning visitor has the same.
  void append_address(const Session& session) {
    std::uint64_t mixed = (session.visitor + 1) * 0x9e3779b97f4a7c15ull;
    if (session.bot) mixed ^= 0x5bd1e995deadbeefull;
    mixed ^= mixed >> 29;
    if (mixed % 16 == 0) {
      line->append("2001:db8:");
      char digits[8];
      const auto end = std::to_chars(digits, digits + sizeof digits, static_cast<std::uint32_t>(mixed >> 40), 16).ptr;
      line->append(digits, static_cast<std::size_t>(std::min<std::ptrdiff_t>(4, end - digits)));
      line->append("::");
      line->append(digits, static_cast<std::size_t>(std::min<std::ptrdiff_t>(3, end - digits)));
      return;
    }
    append_number(*line, 1 + (mixed >> 8) % 223);
    for (const int shift : {16, 24, 32}) {
      line->push_back('.');
      append_number(*line, (mixed >> shift) & 255);
    }
  }

  // " [01/Mar/2024:10:05:" is made anew once a minute only.
  void append_time() {
    const std::int64_t span = std::int64_t{options.days} * 86'400;
    const std::int64_t second = static_cast<std::int64_t>(static_cast<double>(counts.lines) /
                                                          static_cast<double>(options.lines) * static_cast<double>(span));
    if (second / 60 != minute) {
      minute = second / 60;
      const std::chrono::year_month_day date{std::chrono::sys_days{std::chrono::days{options.first_day + second / 86'400}}};
      minute_text = " [";
      append_two(minute_text, static_cast<unsigned>(date.day()));
      minute_text += '/';
      minute_text += kMonths[static_cast<unsigned>(date.month()) - 1];
      minute_text += '/';
      append_number(minute_text, static_cast<std::uint64_t>(static_cast<int>(date.year())));
      minute_text += ':';
      append_two(minute_text, static_cast<unsigned>(second % 86'400 / 3'600));
      minute_text += ':';
      append_two(minute_text, static_cast<unsigned>(second % 3'600 / 60));
      minute_text += ':';
    }
    line->append(minute_text);
    append_two(*line, random.below(60));
    line->append(" +0000] ");
  }

  void append_request(std::string_view method, std::string_view target) {
    line->push_back('"');
    line->append(method);
    line->push_back(' ');
    line->append(target);
    line->append(" HTTP/1.1\" ");
  }

  void append_tail(const Session& session, unsigned status, std::string_view referrer) {
    append_number(*line, status);
    line->push_back(' ');
    if (status == 304) {
      line->push_back('-');
    } else {
      append_number(*line, 200 + random.below(60'000));
    }
    line->append(" \"");
    line->append(referrer);
    line->append("\" \"");
    line->append(agent_of(session));
    line->append("\"\n");
  }

  static std::string_view agent_of(const Session& session) {
    return session.bot ? kBots[session.visitor % kBots.size()] : kBrowsers[(session.visitor * 7) % kBrowsers.size()];
  }

  unsigned draw_status() {
    const std::uint32_t draw = random.below(1000);
    if (draw < 905) return 200;
    if (draw < 945) return 304;
    if (draw < 965) return 301;
    if (draw < 993) return 404;
    if (draw < 996) return 206;
    return draw < 999 ? 500 : 403;
  }

  // A line of the session: an asset of the last page, or the next page.
  void append_session_line(Session& session) {
    append_address(session);
    line->append(random.below(200) == 0 ? " - anna smith" : " - -");
    append_time();
    if (session.assets_left > 0) {
      --session.assets_left;
      append_request("GET", kAssets[random.below(kAssets.size())]);
      std::string& referrer = scratch.assign(kOwnSite);
      referrer += urls[session.page];
      append_tail(session, random.below(12) == 0 ? 304 : 200, referrer);
      return;
    }
    const std::uint32_t before = session.page;
    session.page = session.funnel_step < kFunnel.size() ? session.funnel_step++ : popularity.draw(random);
    const std::uint32_t verb = random.below(60);
    append_request(verb == 0 ? "POST" : verb == 1 ? "HEAD" : "GET", urls[session.page]);
    std::string_view referrer = "-";
    if (session.has_page && !session.bot) {
      scratch.assign(kOwnSite);
      scratch += urls[before];
      referrer = scratch;
    } else if (!session.bot && session.referrer < kReferrers.size()) {
      referrer = kReferrers[session.referrer];
    }
    append_tail(session, draw_status(), referrer);
    session.has_page = true;
    session.assets_left = session.bot ? 0 : random.below(4);
    --session.pages_left;
  }

  // Valid lines that trip up a hasty parser.
  void append_odd_line(Session& session) {
    ++counts.odd;
    append_address(session);
    line->append(" - -");
    append_time();
    switch (random.below(7)) {
      case 0:
        line->append("\"-\" 408 - \"-\" \"-\"\n");
        return;
      case 1:
        line->append("\"\\x16\\x03\\x01\\x02\" 400 226 \"-\" \"-\"\n");
        return;
      case 2:
        line->append("\"GET /say?q=\\\"hi\\\" HTTP/1.1\" 200 12 \"-\" \"Agent \\\"X\\\" \\\\ 1.0\"\n");
        return;
      case 3:
        line->append("\"GET /old/browser HTTP/1.0\" 200 2326\n");
        return;
      case 4:
        line->append("\"GET /feed.xml HTTP/1.1\" 200 99 \"http://\\xe4\\xe5.\\xf0/\" \"Cut Agent/1.0 (never clos\n");
        return;
      case 5:
        line->append("\"\" 400 0 \"-\" \"-\"\n");
        return;
      default:
        line->append("\"GET /caf\xc3\xa9/\xff\xfe HTTP/2.0\" 404 0 \"-\" \"\" \"extra field\" 0.003\n");
        return;
    }
  }

  void append_broken_line(Session& session) {
    ++counts.broken;
    const std::size_t begin = line->size();
    switch (random.below(9)) {
      case 0:
        line->append("\n");
        return;
      case 1:
        line->append(" - - [01/Mar/2024:00:00:00 +0000] \"GET / HTTP/1.1\" 200 1 \"-\" \"-\"\n");
        return;
      case 2:
        line->append("10.1.2.3 - - [31/Feb/2024:00:00:00 +0000] \"GET / HTTP/1.1\" 200 1 \"-\" \"-\"\n");
        return;
      case 3:
        line->append("10.1.2.3 - - 01/Mar/2024:00:00:00 +0000 \"GET / HTTP/1.1\" 200 1 \"-\" \"-\"\n");
        return;
      case 4:
        line->append("10.1.2.3 - - [01/Mar/2024:00:00:00 +0000] GET / HTTP/1.1 200 1 \"-\" \"-\"\n");
        return;
      case 5:
        line->append("10.1.2.3 - - [01/Mar/2024:00:00:00 +0000] \"GET / HTTP/1.1\" 20 1 \"-\" \"-\"\n");
        return;
      case 6:
        line->append("nonsense \x01\x02\xfe without any form\n");
        return;
      case 7:
        append_session_line(session);  // cut somewhere in its first half, where the writer died
        line->resize(begin + (line->size() - begin) / 5);
        line->push_back('\n');
        return;
      default:
        append_session_line(session);
        if (random.below(600) != 0) {  // a closed bracket is missing; rarely the line is over 64 KiB instead
          line->erase(line->find(']', begin), 1);
          return;
        }
        line->pop_back();
        line->append(66'000, 'x');
        line->push_back('\n');
    }
  }

  AccessLogOptions options;
  Random random;
  ZipfTable popularity;
  std::vector<std::string> urls;
  std::vector<Session> sessions;
  std::array<Session, 16> crawlers;
  AccessLogCounts counts;
  std::int64_t minute = -1;
  std::string minute_text;
  std::string scratch;
  std::string* line = nullptr;  // where next() appends; set for the time of the call
};

AccessLogGenerator::AccessLogGenerator(const AccessLogOptions& options) : parts_(std::make_unique<Parts>(options)) {}
AccessLogGenerator::~AccessLogGenerator() = default;
const AccessLogCounts& AccessLogGenerator::counts() const { return parts_->counts; }

bool AccessLogGenerator::next(std::string& out) {
  Parts& parts = *parts_;
  if (parts.counts.lines == parts.options.lines) return false;
  parts.line = &out;
  const bool bot = parts.random.percent(parts.options.bots_percent);
  Session& session = bot ? parts.crawlers[parts.random.below(static_cast<std::uint32_t>(parts.crawlers.size()))]
                         : parts.sessions[parts.random.below(static_cast<std::uint32_t>(parts.sessions.size()))];
  if (session.pages_left == 0 && session.assets_left == 0) parts.begin_session(session, bot);
  if (parts.random.percent(parts.options.broken_percent)) {
    parts.append_broken_line(session);
  } else if (parts.random.below(400) == 0) {
    parts.append_odd_line(session);
  } else {
    if (bot) ++parts.counts.bots;
    parts.append_session_line(session);
  }
  ++parts.counts.lines;
  return true;
}

std::string generate_access_log(const AccessLogOptions& options) {
  AccessLogGenerator generator{options};
  std::string log;
  while (generator.next(log)) {
  }
  return log;
}

}  // namespace lungo::test
