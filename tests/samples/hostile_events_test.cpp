// Bodies of POST /api/event as attackers write them: refused with the field that is to blame, or stored exactly as sent.
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include <lungo/framework/event_decoder.hpp>
#include <lungo/framework/partition_reader.hpp>

#include "model/events.hpp"
#include "tests/samples/web_rows.hpp"

namespace lungo::test {
namespace {

using tracker::CustomEvent;
using tracker::PageViewed;

/// An event with fields of its own; a name or a url among them takes the place of the usual one.
std::string event(const std::string& more = {}) {
  std::string text = "{";
  if (more.find("\"name\"") == more.npos) text += R"("name":"pageview",)";
  if (more.find("\"url\"") == more.npos) text += R"("url":"https://example.com/",)";
  text += more;
  if (text.back() == ',') text.pop_back();
  return text + "}";
}
std::string url(const std::string& text) { return event("\"url\":\"" + text + "\""); }
std::string quoted(std::size_t length) { return "\"" + std::string(length, 'x') + "\""; }
std::string props(int count) {
  std::string text = "\"props\":{";
  for (int i = 0; i < count; ++i) text += (i > 0 ? ",\"p" : "\"p") + std::to_string(i) + "\":" + std::to_string(i);
  return text + "}";
}
std::string batch(int count) { return "[" + event() + repeated("," + event(), count - 1) + "]"; }
Row refused(const char* name, const std::string& body, std::string_view field) {
  return {name, post_event(body), 400, {names(field), "Access-Control-Allow-Origin: *"}};
}
Row no_json(const char* name, const std::string& body) { return {name, post_event(body), 400, {"the body"}}; }
Row taken(const char* name, const std::string& body) {
  return {name, post_event(body), 204, {"Access-Control-Allow-Origin: *"}};
}

/// Everything that is in the log.
struct Stored {
  std::vector<PageViewed> views;
  std::vector<CustomEvent> customs;
  [[nodiscard]] std::size_t size() const { return views.size() + customs.size(); }
};

Stored stored_in(WebSite& site) {
  Stored stored;
  EventStore store = site.tracker().store();
  EventLog& log = store.log();
  const TopicInfo info = log.topic(std::string{tracker::kEventsTopic}).value();
  EventDecoder decoder{store.shapes()};
  const int view = decoder.add<PageViewed>();
  const int custom = decoder.add<CustomEvent>();
  for (std::int32_t partition = 0; partition < info.spec.partitions; ++partition) {
    PartitionReader reader{log, info, {info.id, PartitionId{partition}, Offset{0}, kNoEpoch}};
    while (const Envelope* envelope = reader.next().value()) {
      const Decoded decoded = decoder.decode(*envelope).value();
      if (decoded.type == view) stored.views.push_back(*static_cast<const PageViewed*>(decoded.event));
      if (decoded.type == custom) stored.customs.push_back(*static_cast<const CustomEvent*>(decoded.event));
    }
  }
  return stored;
}

TEST(HostileEvents, FieldsThatAreWrongAreNamed) {
  const WebSite site{unhurried()};
  expect_rows(site,
              {
                  refused("no name", R"({"url":"https://example.com/"})", "name"),
                  refused("an empty name", event(R"("name":"")"), "name"),
                  refused("a name that is a number", event(R"("name":7)"), "name"),
                  refused("a name that is null", event(R"("name":null)"), "name"),
                  refused("a name that is a list", event(R"("name":["pageview"])"), "name"),
                  refused("a long name", event("\"name\":" + quoted(121)), "name"),
                  refused("no url", R"({"name":"pageview"})", "url"),
                  refused("an empty url", url(""), "url"),
                  refused("a url that is an object", event(R"("url":{})"), "url"),
                  refused("a long url", url("https://example.com/" + std::string(2029, 'x')), "url"),
                  refused("a url without a scheme", url("example.com/menu"), "url"),
                  refused("a url of this page's scheme", url("//example.com/"), "url"),
                  refused("a path", url("/menu"), "url"),
                  refused("a script", url("javascript:alert(1)"), "url"),
                  refused("a script with slashes", url("javascript://example.com/%0aalert(1)"), "url"),
                  refused("data", url("data:text/html,<script>alert(1)</script>"), "url"),
                  refused("a file", url("file:///etc/passwd"), "url"),
                  refused("another protocol", url("ftp://example.com/"), "url"),
                  refused("a url without a host", url("http://"), "url"),
                  refused("a url with a path only", url("http:///menu"), "url"),
                  refused("a url with a user only", url("http://user@/"), "url"),
                  refused("a url with a port only", url("http://:80/"), "url"),
                  refused("a space in the url", url("http://example.com/a b"), "url"),
                  refused("a space before the url", url(" http://example.com/"), "url"),
                  refused("a tab in the url", url(R"(http://example.com/\t)"), "url"),
                  refused("a line end in the url", url(R"(http://example.com/\r\nSet-Cookie: a=b)"), "url"),
                  refused("a zero in the url", url(R"(http://example.com/\u0000)"), "url"),
                  refused("a delete character in the url", url(R"(http://example.com/\u007f)"), "url"),
                  refused("an address without its end", url("http://[::1/"), "url"),
                  refused("words behind an address", url("http://[::1]example.com/"), "url"),
                  refused("a backslash in the host", url(R"(http://evil.com\\@example.com/)"), "url"),
                  refused("a referrer that is a number", event(R"("referrer":1)"), "referrer"),
                  refused("a referrer that is an object", event(R"("referrer":{})"), "referrer"),
                  refused("a long referrer", event("\"referrer\":" + quoted(2049)), "referrer"),
                  refused("a domain that is a list", event(R"("domain":[])"), "domain"),
                  refused("a long domain", event("\"domain\":" + quoted(254)), "domain"),
                  refused("an id that is a number", event(R"("id":1)"), "id"),
                  refused("a long id", event("\"id\":" + quoted(65)), "id"),
                  refused("props that are a list", event(R"("props":[1])"), "props"),
                  refused("props that are a text", event(R"("props":"a=b")"), "props"),
                  refused("an object in the props", event(R"("props":{"plan":{"a":1}})"), "props.plan"),
                  refused("a list in the props", event(R"("props":{"plan":[]})"), "props.plan"),
                  refused("a number that is too large", event(R"("props":{"n":1e999})"), "props.n"),
                  refused("a number with many digits", event("\"props\":{\"n\":1" + std::string(1000, '0') + "}"), "props.n"),
                  refused("more than 30 props", event(props(31)), "props"),
                  refused("a long key in the props", event("\"props\":{" + quoted(301) + ":1}"), "props"),
                  refused("a long value in the props", event("\"props\":{\"plan\":" + quoted(2001) + "}"), "props.plan"),
                  refused("the second of a batch", "[" + event() + "," + url("x:") + "]", "[1].url"),
                  refused("a prop in a batch", "[" + event() + "," + event(R"("props":{"plan":[]})") + "]", "[1].props.plan"),
                  refused("a number in a batch", "[" + event() + ",7]", "[1]"),
                  refused("a list in a batch", "[[" + event() + "]]", "[0]"),
              });
}

TEST(HostileEvents, BodiesThatAreNoEvents) {
  const WebSite site{unhurried()};
  const auto deep = [](std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  expect_rows(
      site, {
                {"nothing", http_request("POST", "/api/event", "Content-Type: application/json\r\nContent-Length: 0\r\n"), 400},
                no_json("an open brace", "{"),
                no_json("null", "null"),
                no_json("a number", "7"),
                no_json("a text", "\"pageview\""),
                no_json("no event", "[]"),
                no_json("101 events", batch(101)),
                no_json("30,000 numbers", "[0" + repeated(",0", 30'000) + "]"),
                no_json("lists 32,000 deep", deep(32'000)),
                no_json("lists 32,000 deep without an end", std::string(60'000, '[')),
                no_json("objects 10,000 deep", repeated("{\"a\":", 10'000)),
                no_json("deep in a field that nobody reads", event("\"x\":" + deep(20))),
                no_json("bytes that are no UTF-8", event("\"referrer\":\"\xff\xfe\"")),
                no_json("an overlong slash", event("\"referrer\":\"\xc0\xaf\"")),
                no_json("a surrogate in UTF-8", event("\"referrer\":\"\xed\xa0\x80\"")),
                no_json("over the last code point", event("\"referrer\":\"\xf4\x90\x80\x80\"")),
                no_json("half a character", event("\"referrer\":\"\xe2\x82\"")),
                no_json("a lone high surrogate", event(R"("referrer":"\ud800")")),
                no_json("a lone low surrogate", event(R"("referrer":"\udc00")")),
                no_json("two high surrogates", event(R"("referrer":"\ud800\ud800")")),
                no_json("a line end in a text", event("\"referrer\":\"a\nb\"")),
                no_json("a zero in a text", event(std::string("\"referrer\":\"a\0b\"", 16))),
                no_json("an escape that is none", event(R"("referrer":"\x41")")),
                no_json("a byte order mark", "\xef\xbb\xbf" + event()),
                no_json("UTF-16", std::string("{\0\"\0n\0", 6)),
                no_json("two events without a list", event() + event()),
                no_json("words behind the event", event() + " x"),
                no_json("a comment", "/* */" + event()),
                no_json("a comma too many", R"({"name":"pageview","url":"https://example.com/",})"),
                no_json("single quotes", "{'name':'pageview'}"),
                no_json("no number", event(R"("props":{"n":NaN})")),
                no_json("endless", event(R"("props":{"n":Infinity})")),
                no_json("a leading zero", event(R"("props":{"n":007})")),
                no_json("compressed", std::string("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03", 10)),
                no_json("XML", "<?xml version=\"1.0\"?><event/>"),
                no_json("a form", "name=pageview&url=https://example.com/"),
            });
}

TEST(HostileEvents, WhatIsOddAndAllowed) {
  const WebSite site{unhurried()};
  expect_rows(site, {
                        taken("the longest of everything",
                              event("\"name\":" + quoted(120) + ",\"url\":\"https://example.com/" + std::string(2028, 'x') +
                                    "\",\"referrer\":" + quoted(2048) + ",\"id\":" + quoted(64) + "," + props(30))),
                        taken("nulls", event(R"("referrer":null,"domain":null,"id":null,"props":null)")),
                        taken("a null among the props", event(R"("props":{"plan":null})")),
                        taken("fields that nobody knows", event(R"("v":7,"screen":{"width":[1,2]},"__proto__":{"a":1})")),
                        taken("a hundred events", batch(100)),
                        taken("a key twice", R"({"name":"a","name":"pageview","url":"x:","url":"https://example.com/"})"),
                        taken("a number that is too small", event(R"("props":{"n":1e-999})")),
                        taken("space around it", "  \r\n\t" + event() + "\n"),
                        taken("a script as a referrer", event(R"("referrer":"javascript:alert`1`")")),
                        taken("markup everywhere",
                              event(R"("name":"<script>","url":"https://example.com/<img>","referrer":"</script>")")),
                        taken("HTTPS in upper case", url("HTTPS://EXAMPLE.COM/")),
                        taken("a user in the url", url("https://user:secret@example.com/")),
                        taken("a port", url("https://example.com:8443/")),
                    });
}

TEST(HostileEvents, MediaTypes) {
  const WebSite site{unhurried()};
  const auto of = [](std::string_view fields) { return http_request("POST", "/api/event", fields, event()); };
  expect_rows(site,
              {
                  {"a form, as curl sends", of("Content-Type: application/x-www-form-urlencoded\r\n"), 415, {"\"error\":"}},
                  {"a form of parts", of("Content-Type: multipart/form-data; boundary=x\r\n"), 415},
                  {"a page", of("Content-Type: text/html\r\n"), 415},
                  {"another JSON", of("Content-Type: application/jsonx\r\n"), 415},
                  {"a list of types", of("Content-Type: text/plain, application/json\r\n"), 415},
                  {"no type, only a parameter", of("Content-Type: ; charset=utf-8\r\n"), 415},
                  {"JSON", of("Content-Type: application/json\r\n"), 204},
                  {"JSON and its characters", of("Content-Type: application/json; charset=utf-8\r\n"), 204},
                  {"JSON in upper case", of("Content-Type: APPLICATION/JSON\r\n"), 204},
                  {"text, as sendBeacon sends", of("Content-Type: text/plain;charset=UTF-8\r\n"), 204},
                  {"packed", of("Content-Encoding: gzip\r\n"), 415, {"gzip", "Accept-Encoding: identity"}},
                  {"packed in two lists", of("Content-Encoding: identity\r\nContent-Encoding: br\r\n"), 415, {"br"}},
                  {"a list of codings", of("Content-Encoding: identity, gzip\r\n"), 415},
                  {"not packed", of("Content-Encoding: Identity\r\n"), 204},
                  {"a coding without a name", of("Content-Encoding:\r\n"), 204},
                  {"no type", of(""), 204},
              });
}

TEST(HostileEvents, OnlyHostsOfTheSites) {
  const WebSite site{unhurried()};
  const auto at = [](const char* name, const std::string& host, int status) {
    return Row{name, post_event(url("http://" + host + "/")), status};
  };
  const auto in = [](const char* name, const std::string& domain, int status) {
    return Row{name, post_event(event("\"domain\":\"" + domain + "\"")), status};
  };
  expect_rows(site, {
                        at("the site", "example.com", 204),
                        at("below the site", "www.example.com", 204),
                        at("far below the site", "a.b.c.example.com", 204),
                        at("in upper case", "WWW.Example.COM", 204),
                        at("with a port", "example.com:8080", 204),
                        at("this machine", "localhost:8080", 204),
                        at("this machine's address", "127.0.0.1", 204),
                        at("this machine's other address", "[::1]:80", 204),
                        at("another", "evil.com", 403),
                        at("the site as an ending", "evilexample.com", 403),
                        at("the site as a beginning", "example.com.evil.com", 403),
                        at("the site as a user", "example.com@evil.com", 403),
                        at("the site as a user with a password", "example.com:80@evil.com", 403),
                        at("the site as a fragment", "evil.com#example.com", 403),
                        at("the site as a query", "evil.com?example.com", 403),
                        at("a dot behind the site", "example.com.", 403),
                        at("a dot before the site", ".example.com", 403),
                        at("two dots", "a..example.com", 403),
                        at("above the site", "com", 403),
                        at("a letter that looks alike", "ex\xd0\xb0mple.com", 403),
                        at("another address of this machine", "127.0.0.2", 403),
                        at("a name behind localhost", "localhost.evil.com", 403),
                        in("the site's name", "example.com", 204),
                        in("a site's name in upper case", "Example.COM", 204),
                        in("another site's name", "evil.com", 403),
                        in("a list of names", "example.com,evil.com", 403),
                        in("markup", "<script>.example.com", 403),
                    });
  const std::optional<Answer> answer = site.ask(post_event(url("http://evil.com/")));
  ASSERT_TRUE(answer);
  EXPECT_NE(answer->body.find("evil.com is not one of this tracker's sites"), std::string::npos) << answer->body;
}

TEST(HostileEvents, BatchIsTakenWholeOrNotAtAll) {
  WebSite site{unhurried()};
  const std::vector<std::pair<std::string, int>> bodies{
      {"[" + event() + "," + event() + "," + event(R"("name":"")") + "]", 400},
      {"[" + event(R"("id":"one")") + "," + event(R"("id":"two","props":[])") + "]", 400},
      {"[" + event() + "," + url("http://evil.com/") + "]", 403},
      {"[" + event(R"("id":"one")") + "," + event() + "]", 400},
      {batch(101), 400},
  };
  for (const auto& [body, status] : bodies) EXPECT_EQ(site.status_of(post_event(body)), status) << body.substr(0, 200);
  EXPECT_EQ(stored_in(site).size(), 0U);
  EXPECT_EQ(site.status_of(post_event("[" + event() + "," + event(R"("name":"order")") + "]")), 204);
  EXPECT_EQ(stored_in(site).views.size(), 1U);
  EXPECT_EQ(stored_in(site).customs.size(), 1U);
}

TEST(HostileEvents, IdThatComesAgainCountsOnce) {
  WebSite site{unhurried()};
  for (int i = 0; i < 3; ++i) EXPECT_EQ(site.status_of(post_event(event(R"("id":"one")"))), 204);
  EXPECT_EQ(stored_in(site).size(), 1U);
  const std::string twice = "[" + event(R"("id":"two")") + "," + event(R"("id":"two")") + "," + event(R"("id":"one")") + "]";
  for (int i = 0; i < 2; ++i) EXPECT_EQ(site.status_of(post_event(twice)), 204);
  EXPECT_EQ(stored_in(site).size(), 2U);

  std::vector<WebClient> clients;
  for (int i = 0; i < 20; ++i) clients.push_back(site.client());
  for (WebClient& client : clients) client.send(post_event(event(R"("id":"three")")));
  for (WebClient& client : clients) {
    const std::optional<Answer> answer = client.read();
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->status, 204);
  }
  EXPECT_EQ(stored_in(site).size(), 3U);
}

TEST(HostileEvents, StoredExactlyAsSent) {
  WebSite site{unhurried()};
  const std::string body = event(
      R"("name":"\u0000<b>\u202e\ud83d\ude00\"","url":"https://Example.com:81/%00/<x>?q='\"\\#gone","referrer":"https://A.Example.org/\n?x",)"
      R"("domain":"www.example.com","props":{"":"","a\u0000":"\ud83d\ude00","text":"</script>","number":9.5,"whole":12345678901234567,)"
      R"("less":-3,"small":0.1,"yes":true,"no":false,"none":null,"many":1e21})");
  ASSERT_EQ(site.status_of(
                post_event(body, "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n")),
            204);
  const Stored stored = stored_in(site);
  ASSERT_EQ(stored.customs.size(), 1U);
  const CustomEvent& event = stored.customs.front();
  using namespace std::string_literals;
  EXPECT_EQ(event.name, "\0<b>\u202e\U0001f600\""s);
  EXPECT_EQ(event.host, "www.example.com");
  EXPECT_EQ(event.target, "/%00/<x>?q='\"\\");
  EXPECT_EQ(event.referrer, "https://A.Example.org/\n?x");
  EXPECT_EQ(event.referrer_host, "a.example.org");
  EXPECT_EQ(event.browser, "Firefox");
  const std::map<std::string, std::string> props{
      {"", ""},       {"a\0"s, "\U0001f600"}, {"text", "</script>"}, {"number", "9.5"}, {"whole", "12345678901234567"},
      {"less", "-3"}, {"small", "0.1"},       {"yes", "true"},       {"no", "false"},   {"many", "1e+21"},
  };
  EXPECT_EQ(event.props, props);
}

TEST(HostileEvents, WhatAUserAgentHoldsIsCut) {
  WebSite site{unhurried()};
  EXPECT_EQ(site.status_of(post_event(event(), "User-Agent: " + std::string(7000, 'x') + "\r\n")), 204);
  EXPECT_EQ(site.status_of(post_event(event(), "User-Agent: \xff\xfe<script>\r\n")), 204);
  const Stored stored = stored_in(site);
  ASSERT_EQ(stored.views.size(), 2U);
  for (const PageViewed& view : stored.views) EXPECT_LT(view.browser.size() + view.system.size(), 100U);
}

TEST(HostileEvents, MoreThanTheRateAllowsIsToldWhenToComeAgain) {
  tracker::SiteOptions options = unhurried();
  options.intake.rate = {2, 5};
  WebSite site{options};
  const auto at = [](std::string_view forwarded) {
    return post_event(event(), "X-Forwarded-For: " + std::string{forwarded} + "\r\n");
  };
  EXPECT_EQ(site.status_of(post_event(batch(9))), 204) << "a whole burst goes once, and what is more is owed";
  const std::optional<Answer> answer = site.ask(post_event(batch(5)));
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 429);
  EXPECT_GE(std::stoi("0" + (*answer)["Retry-After"]), 1);
  EXPECT_EQ((*answer)["Access-Control-Allow-Origin"], "*");
  expect_safe(*answer);
  EXPECT_EQ(site.status_of(http_request("POST", "/api/event", "X-Forwarded-For: 192.0.2.1\r\n", batch(5))), 429)
      << "an address that the sender made up";
  EXPECT_TRUE(eventually([&] { return site.status_of(at("192.0.2.1")) == 204; })) << "it recovers";
  EXPECT_EQ(stored_in(site).size(), 10U);
}

TEST(HostileEvents, MoreThanMayBeInFlightIsToldToComeAgain) {
  tracker::SiteOptions options = unhurried();
  options.intake.in_flight_max = 500;
  WebSite site{options};
  expect_rows(site, {
                        {"more at once than there is room for", post_event(batch(20)), 503, {"Retry-After: ", "\"error\":"}},
                        taken("little", event()),
                        {"again", post_event(batch(20)), 503},
                        taken("little again", event()),
                    });
  EXPECT_EQ(stored_in(site).size(), 2U);
}

TEST(HostileEvents, FullBodiesAtOnceAreAllTaken) {
  WebSite site{unhurried()};
  const std::string full = event("\"referrer\":" + quoted(550));
  const std::string body = post_event("[" + full + repeated("," + full, 99) + "]");
  ASSERT_GT(body.size(), 60'000U);
  std::vector<WebClient> clients;
  for (int i = 0; i < 64; ++i) clients.push_back(site.client());
  for (WebClient& client : clients) client.send(body + body);
  for (WebClient& client : clients) {
    for (int i = 0; i < 2; ++i) {
      const std::optional<Answer> answer = client.read();
      ASSERT_TRUE(answer);
      EXPECT_EQ(answer->status, 204) << answer->body;
    }
  }
  EXPECT_EQ(stored_in(site).size(), 64U * 2 * 100);
}

TEST(HostileEvents, BehindAProxyTheLastForwardedAddressCounts) {
  tracker::SiteOptions options = unhurried();
  options.intake.rate = {0.001, 1};
  options.intake.behind_proxy = true;
  const WebSite site{options};
  const auto from = [](std::string_view fields) { return post_event(event(), fields); };
  // Fields that stand last in the header, as a proxy writes them; and behind the body others of the same names.
  const auto with_trailer = [](const std::string& address, const std::string& trailer) {
    return "POST /api/event HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nUser-Agent: x\r\nX-Forwarded-For: " +
           address + "\r\n\r\n30\r\n" + event() + "\r\n0\r\n" + trailer + "\r\n\r\n";
  };
  expect_rows(site,
              {
                  {"one", from("X-Forwarded-For: 192.0.2.1\r\n"), 204},
                  {"the same", from("X-Forwarded-For: 192.0.2.1\r\n"), 429},
                  {"another", from("X-Forwarded-For: 192.0.2.2\r\n"), 204},
                  {"made up before it", from("X-Forwarded-For: 192.0.2.3, 192.0.2.1\r\n"), 429},
                  {"made up, in a line of its own", from("X-Forwarded-For: 192.0.2.4\r\nX-Forwarded-For: 192.0.2.1\r\n"), 429},
                  {"space around it", from("X-Forwarded-For:   192.0.2.3 ,\t192.0.2.1  \r\n"), 429},
                  {"of the same network", from("X-Forwarded-For: 2001:db8::1\r\n"), 204},
                  {"of the same network again", from("X-Forwarded-For: 2001:db8::2\r\n"), 429},
                  {"an address in another's words", from("X-Forwarded-For: ::ffff:192.0.2.1\r\n"), 429},
                  {"none: the proxy's own", from(""), 204},
                  {"no address: the proxy's own", from("X-Forwarded-For: <script>\r\n"), 429},
                  {"ahead of a spent one in a trailer", with_trailer("192.0.2.6", "X-Forwarded-For: 192.0.2.1"), 204},
                  {"spent, ahead of one made up in a trailer", with_trailer("192.0.2.1", "X-Forwarded-For: 192.0.2.7"), 429},
                  {"ahead of another field in a trailer", with_trailer("192.0.2.8", "Host: x"), 204},
                  {"spent, ahead of another field in a trailer", with_trailer("192.0.2.8", "Host: x"), 429},
              });
}

TEST(HostileEvents, OtherSitesPagesMaySendAndReadNothing) {
  const WebSite site{unhurried()};
  const std::string evil = "Origin: https://evil.com\r\n";
  const std::optional<Answer> asked =
      site.ask(http_request("OPTIONS", "/api/event", evil + "Access-Control-Request-Method: POST\r\n"));
  ASSERT_TRUE(asked);
  EXPECT_EQ(asked->status, 204);
  EXPECT_EQ((*asked)["Access-Control-Allow-Origin"], "*");
  EXPECT_EQ((*asked)["Access-Control-Allow-Methods"], "POST");
  EXPECT_EQ((*asked)["Access-Control-Allow-Headers"], "Content-Type");
  expect_safe(*asked);
  EXPECT_EQ(site.status_of(post_event(event(), evil)), 204);
  for (const char* target : {"/", "/api/stats", "/api/topics", "/metrics", "/api/event?topic=events&partition=0&offset=0"}) {
    SCOPED_TRACE(target);
    const std::optional<Answer> answer = site.ask(http_request("GET", target, evil));
    ASSERT_TRUE(answer);
    EXPECT_FALSE(answer->has("Access-Control-Allow-Origin"));
    expect_safe(*answer);
  }
  EXPECT_EQ(site.status_of(http_request("OPTIONS", "/api/stats", evil)), 405);
}

}  // namespace
}  // namespace lungo::test
