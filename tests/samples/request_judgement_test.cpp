// User agents, targets and referrers.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "ingest/request_target.hpp"
#include "ingest/user_agent.hpp"

namespace tracker {
namespace {

TEST(UserAgent, KnowsTheCommonBrowsers) {
  struct Case {
    std::string_view text, browser, system;
    Device device;
  };
  const std::vector<Case> cases{
      {"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/122.0 Safari/537.36", "Chrome",
       "Windows", Device::desktop},
      {"Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/121.0 Safari/537.36 Edg/121.0", "Edge",
       "Windows", Device::desktop},
      {"Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:27.0) Gecko/20100101 Firefox/27.0", "Firefox", "Linux", Device::desktop},
      {"Mozilla/5.0 (iPhone; CPU iPhone OS 17_3 like Mac OS X) AppleWebKit/605.1.15 Version/17.3 Mobile/15E148 Safari/604.1",
       "Safari", "iOS", Device::mobile},
      {"Mozilla/5.0 (iPad; CPU OS 16_6 like Mac OS X) AppleWebKit/605.1.15 Version/16.6 Mobile/15E148 Safari/604.1", "Safari",
       "iOS", Device::tablet},
      {"Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 Chrome/122.0 Mobile Safari/537.36", "Chrome", "Android",
       Device::mobile},
      {"Mozilla/5.0 (Linux; Android 13; SM-X200) AppleWebKit/537.36 Chrome/120.0 Safari/537.36", "Chrome", "Android",
       Device::tablet},
      {"Opera/9.80 (Windows NT 6.1; WOW64) Presto/2.12.388 Version/12.18", "Opera", "Windows", Device::desktop},
      {"Mozilla/4.0 (compatible; MSIE 8.0; Windows NT 6.1; Trident/4.0)", "Internet Explorer", "Windows", Device::desktop},
      {"Mozilla/5.0 (Windows NT 10.0; Microsoft Foo) Gecko/20100101 Firefox/123.0", "Firefox", "Windows", Device::desktop}};
  for (const Case& one : cases) {
    const UserAgent agent = judge_user_agent(one.text);
    EXPECT_EQ(agent.browser, one.browser) << one.text;
    EXPECT_EQ(agent.system, one.system) << one.text;
    EXPECT_EQ(agent.device, one.device) << one.text;
    EXPECT_FALSE(agent.bot) << one.text;
  }
}

TEST(UserAgent, ProgramsAreBots) {
  for (const std::string_view text :
       {"", "-", "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html", "curl/7.88.1",
        "Wget/1.14 (linux-gnu)", "UniversalFeedParser/4.2-pre-314-svn +http://feedparser.org/",
        "Tiny Tiny RSS/1.11 (http://tt-rss.org/)", "Ruby",
        "Mozilla/5.0 (Unknown; Linux x86_64) AppleWebKit/534.34 (KHTML, like Gecko) PhantomJS/1.9.2 Safari/534.34"}) {
    EXPECT_TRUE(judge_user_agent(text).bot) << text;
  }
}

TEST(UserAgent, TextOfAnyLengthIsJudged) {
  EXPECT_EQ(judge_user_agent("Firefox" + std::string(100'000, 'x')).browser, "Firefox");
}

TEST(RequestTarget, PageIsTheTargetCutAtTheQuestionMark) {
  EXPECT_EQ(page_of("/a?b?c"), "/a");
  EXPECT_EQ(page_of("?x"), "");
  EXPECT_EQ(page_of("/a"), "/a");
}

TEST(RequestTarget, KindFollowsMethodAndEnding) {
  struct Case {
    std::string_view method, target;
    RequestKind kind;
  };
  const std::vector<Case> cases{{"GET", "/", RequestKind::page},
                                {"GET", "/blog/tags/puppet?flav=rss20", RequestKind::page},
                                {"GET", "/a/b.html", RequestKind::page},
                                {"GET", "/v1.2", RequestKind::page},
                                {"GET", "/A/B.PHP?x", RequestKind::page},
                                {"GET", "http://e.com/x", RequestKind::page},
                                {"GET", "/s.css?v=3", RequestKind::asset},
                                {"HEAD", "/logo.PNG", RequestKind::asset},
                                {"GET", "/a.css/b", RequestKind::page},
                                {"GET", "/robots.txt", RequestKind::other},
                                {"GET", "/x.jar", RequestKind::other},
                                {"POST", "/form", RequestKind::other},
                                {"HEAD", "/", RequestKind::other},
                                {"", "-", RequestKind::other},
                                {"", "", RequestKind::other},
                                {"", "\\x16\\x03", RequestKind::other}};
  for (const Case& one : cases) EXPECT_EQ(to_string(kind_of(one.method, one.target)), to_string(one.kind)) << one.target;
}

TEST(RequestTarget, ReferrerHostIsInLowerCaseWithoutPortAndUser) {
  const std::vector<std::pair<std::string_view, std::string_view>> cases{
      {"-", ""},
      {"", ""},
      {"nonsense", ""},
      {"http://", ""},
      {"http://WWW.Example.com/x?y", "www.example.com"},
      {"https://a.b:8080", "a.b"},
      {"https://user:secret@a.b:8080/x@y", "a.b"},
      {"http://[2001:DB8::1]:80/", "[2001:db8::1]"},
      {"android-app://com.google.android.gm/", "com.google.android.gm"},
      {"http://a.b?q=http://c.d/", "a.b"}};
  std::string host;
  for (const auto& [referrer, expected] : cases) {
    referrer_host(referrer, host);
    EXPECT_EQ(host, expected) << referrer;
  }
}

}  // namespace
}  // namespace tracker
