// Who may look at the dashboard, as those try it who may not.
#include <gtest/gtest.h>

#include <string>

#include "tests/samples/web_rows.hpp"

namespace lungo::test {
namespace {

constexpr std::string_view kPassword = "open: sesame";

tracker::SiteOptions with_password(std::string_view password = kPassword) {
  tracker::SiteOptions options = unhurried();
  options.password = password;
  return options;
}

std::string log_in(std::string_view password, std::string_view fields = {}) {
  return http_request("POST", "/login", std::string{fields} + "Content-Type: application/x-www-form-urlencoded\r\n",
                      "password=" + std::string{password});
}
constexpr std::string_view kRight = "open%3A+sesame";
// base64 of ":open: sesame" and of "anyone:open: sesame".
constexpr std::string_view kBasic = "Authorization: Basic Om9wZW46IHNlc2FtZQ==\r\n";
constexpr std::string_view kBasicOfAnyone = "Authorization: Basic YW55b25lOm9wZW46IHNlc2FtZQ==\r\n";
constexpr std::string_view kBasicWrong = "Authorization: Basic YW55b25lOndyb25n\r\n";

/// "tracker_session=...", as a browser would send it back.
std::string cookie_of(const WebSite& site) {
  const std::optional<Answer> answer = site.ask(log_in(kRight));
  if (!answer) return {};
  EXPECT_EQ(answer->status, 303);
  EXPECT_EQ((*answer)["Location"], "/");
  const std::string cookie = (*answer)["Set-Cookie"];
  for (const char* part : {"; HttpOnly", "; SameSite=Strict", "; Path=/"}) EXPECT_NE(cookie.find(part), cookie.npos) << cookie;
  return cookie.substr(0, cookie.find(';'));
}
std::string with_cookie(const std::string& cookie) { return get("/api/stats", "Cookie: " + cookie + "\r\n"); }

TEST(HostileAccess, WithoutPasswordOnlyThisMachinesNamesAreAnswered) {
  const WebSite site{unhurried()};
  const auto at = [](const char* name, const std::string& host, int status) {
    return Row{name, get("/", "Host: " + host + "\r\n"), status};
  };
  const std::string evil = "Host: evil.com\r\n";
  expect_rows(site, {
                        at("localhost", "localhost", 200),
                        at("localhost and a port", "LocalHost:8080", 200),
                        at("an address", "127.0.0.1:1", 200),
                        at("another address", "[::1]:8080", 200),
                        at("another name", "evil.com", 403),
                        at("another name and our port", "evil.com:8080", 403),
                        at("our name before another", "localhost.evil.com", 403),
                        at("our address before another", "127.0.0.1.evil.com", 403),
                        at("our other address before another", "[::1].evil.com", 403),
                        at("our address as a number", "2130706433", 403),
                        at("an open address", "[::1", 403),
                        at("a user", "localhost@evil.com", 403),
                        at("a list", "localhost, evil.com", 403),
                        at("an empty name", "", 403),
                        {"no name", "GET / HTTP/1.0\r\n\r\n", 403},
                        {"data", get("/api/stats", evil), 403},
                        {"events", get("/api/events?topic=events", evil), 403},
                        {"metrics", get("/metrics", evil), 403},
                        {"a change", http_request("POST", "/api/rebuild", evil, "{}"), 403},
                        {"a change by our origin's twin",
                         http_request("POST", "/api/rebuild", evil + "Origin: http://evil.com\r\n", "{}"), 403},
                        {"a WebSocket", handshake(evil), 403},
                        {"the beacon, which is for all", get("/js/script.js", evil), 200},
                        {"an event, which is from all", post_event(R"({"name":"a","url":"http://example.com"})", evil), 204},
                    });
}

TEST(HostileAccess, OtherOriginsChangeNothing) {
  const WebSite site{unhurried()};
  const auto rebuild = [](std::string_view method, const std::string& origin) {
    return http_request(method, "/api/rebuild", "Origin: " + origin + "\r\n", "{}");
  };
  const auto unknown = [](const std::string& fields) {
    return http_request("POST", "/api/rebuild", fields, R"({"projections":["none of ours"]})");
  };
  expect_rows(
      site, {
                {"another", rebuild("POST", "http://evil.com"), 403, {"another origin"}},
                {"none that has a name", rebuild("POST", "null"), 403},
                {"another port", rebuild("POST", "http://localhost:81"), 403},
                {"another name of this machine", rebuild("POST", "http://127.0.0.1"), 403},
                {"our name as a beginning", rebuild("POST", "http://localhost.evil.com"), 403},
                {"our name without a scheme", rebuild("POST", "localhost"), 403},
                {"two", rebuild("POST", "http://localhost http://evil.com"), 403},
                {"another, to stop one", rebuild("DELETE", "http://evil.com"), 403},
                {"another, to log in", log_in("x", "Origin: http://evil.com\r\n"), 403},
                {"another, to log out", http_request("POST", "/logout", "Origin: http://evil.com\r\n"), 403},
                {"another, by WebSocket", handshake("Origin: http://evil.com\r\n"), 403},
                {"none that has a name, by WebSocket", handshake("Origin: null\r\n"), 403},
                {"our own, by WebSocket", handshake("Origin: http://localhost\r\n"), 101},
                {"a program, by WebSocket", handshake(), 101},
                {"our own", unknown("Origin: http://localhost\r\n"), 404},
                {"a program", unknown(""), 404},
                {"a body that is no object", http_request("POST", "/api/rebuild", "", "[]"), 400},
                {"names that are none", http_request("POST", "/api/rebuild", "", R"({"projections":[1]})"), 400},
                {"names without a list", http_request("POST", "/api/rebuild", "", R"({"projections":"all"})"), 400},
                {"a body that is no JSON", http_request("POST", "/api/rebuild", "", "{"), 400},
                {"a key that is none of ours",
                 http_request("POST", "/api/rebuild", "", R"({"projection":["Browsers"]})"),
                 400,
                 {"`projection`", names("projection")}},
                {"a key beside ours",
                 http_request("POST", "/api/rebuild", "", R"({"projections":[],"all":true})"),
                 400,
                 {names("all")}},
                {"a name with a zero", http_request("POST", "/api/rebuild", "", R"({"projections":["Browsers\u0000"]})"), 404},
                {"a body that is deep", http_request("POST", "/api/rebuild", "", std::string(60'000, '[')), 400},
            });
}

TEST(HostileAccess, WithPasswordOnlyWhatIsForAllIsOpen) {
  const WebSite site{with_password()};
  const std::vector<std::string> to_login{"Location: /login\n"};
  std::vector<Row> rows{
      {"an event", post_event(R"({"name":"a","url":"http://example.com"})"), 204},
      {"a preflight", http_request("OPTIONS", "/api/event"), 204},
      {"the beacon", get("/js/script.js"), 200},
      {"the demo", get("/demo/"), 200},
      {"health", get("/healthz"), 200},
      {"readiness", get("/readyz"), 200},
      {"the login page", get("/login"), 200},
      {"a style sheet", get("/assets/style.css"), 200},
      {"the dashboard", get("/"), 303, to_login},
      {"the dashboard's filter",
       get("/?period=7d&page=%2Fa%26b"),
       303,
       {"Location: /login?to=%2F%3Fperiod%3D7d%26page%3D%252Fa%2526b\n"}},
      {"the dashboard's head", http_request("HEAD", "/"), 303, to_login},
      {"replay", get("/replay"), 303, {"Location: /login?to=%2Freplay\n"}},
      {"the browser of events", get("/events"), 303, {"Location: /login?to=%2Fevents\n"}},
      {"a rebuild", http_request("POST", "/api/rebuild", "", "{}"), 401},
      {"the end of a rebuild", http_request("DELETE", "/api/rebuild"), 401},
      {"a WebSocket", handshake(), 401},
      {"a WebSocket of our origin", handshake("Origin: http://localhost\r\n"), 401},
      {"a socket's path", get("/ws"), 401},
  };
  const std::vector<std::string> closed{"/api/stats",  "/api/projections",        "/api/topics", "/api/streams?topic=events",
                                        "/api/events", "/api/event?topic=events", "/metrics",    "/api/stats?password=open"};
  for (const std::string& path : closed) {
    rows.push_back({path.c_str(), get(path), 401, {"\"error\":"}});
    rows.push_back({path.c_str(), http_request("HEAD", path), 401});
  }
  expect_rows(site, rows);
  const std::optional<Answer> refused = site.ask(get("/api/stats"));
  ASSERT_TRUE(refused);
  EXPECT_FALSE(refused->has("WWW-Authenticate")) << "a browser would ask by a box of its own";
}

TEST(HostileAccess, CookiesThatWereNotGivenOutAreWorthNothing) {
  const WebSite site{with_password()};
  const std::string cookie = cookie_of(site);
  const std::size_t dot = cookie.find('.');
  ASSERT_NE(dot, cookie.npos) << cookie;
  std::string later = cookie;
  later[cookie.find('=') + 1] = '9';
  std::string other = cookie;
  other.back() = other.back() == '0' ? '1' : '0';
  const WebSite another{with_password()};
  const std::string seal = cookie.substr(dot);
  expect_rows(site, {
                        {"ours", with_cookie(cookie), 200},
                        {"ours behind another's", with_cookie("a=b; " + cookie), 200},
                        {"a later end", with_cookie(later), 401},
                        {"another seal", with_cookie(other), 401},
                        {"half a seal", with_cookie(cookie.substr(0, dot + 20)), 401},
                        {"a longer seal", with_cookie(cookie + "0"), 401},
                        {"a seal of zeros", with_cookie("tracker_session=9999999999999." + std::string(64, '0')), 401},
                        {"no seal", with_cookie("tracker_session=9999999999999."), 401},
                        {"no end", with_cookie("tracker_session=" + seal), 401},
                        {"a dot", with_cookie("tracker_session=."), 401},
                        {"nothing", with_cookie("tracker_session="), 401},
                        {"the password", with_cookie("tracker_session=" + std::string{kPassword}), 401},
                        {"another name", with_cookie("x" + cookie), 401},
                        {"a long one", with_cookie("tracker_session=" + std::string(7000, '1') + seal), 401},
                        {"of another tracker with this password", with_cookie(cookie_of(another)), 401},
                    });
  const std::optional<Answer> out = site.ask(http_request("POST", "/logout", "Cookie: " + cookie + "\r\n"));
  ASSERT_TRUE(out);
  EXPECT_EQ(out->status, 303);
  EXPECT_NE((*out)["Set-Cookie"].find("Max-Age=0"), std::string::npos);
  WebClient socket = site.client();
  socket.send(handshake("Origin: http://localhost\r\nCookie: " + cookie + "\r\n"));
  const std::optional<Answer> opened = socket.read();
  ASSERT_TRUE(opened);
  EXPECT_EQ(opened->status, 101);
}

TEST(HostileAccess, SessionOutlivesARestartAndEndsWithItsPassword) {
  WebSite site{with_password()};
  const std::string cookie = cookie_of(site);
  site.restart(with_password());
  EXPECT_EQ(site.status_of(with_cookie(cookie)), 200);
  site.restart(with_password("another: sesame"));
  EXPECT_EQ(site.status_of(with_cookie(cookie)), 401);
  site.restart(with_password());
  EXPECT_EQ(site.status_of(with_cookie(cookie)), 200) << "the password is the old one again";
}

TEST(HostileAccess, LoginLeadsBackToPagesOfOursOnly) {
  const WebSite site{with_password()};
  const auto log_in_to = [](const std::string& to, std::string_view password = kRight) {
    return http_request("POST", "/login?to=" + to, "Content-Type: application/x-www-form-urlencoded\r\n",
                        "password=" + std::string{password});
  };
  expect_rows(site, {
                        {"a page and its filter",
                         log_in_to("%2F%3Fperiod%3D7d%26page%3D%252Fa%2526b"),
                         303,
                         {"Location: /?period=7d&page=%2Fa%26b\n", "Set-Cookie: "}},
                        {"a path as it is", log_in_to("/replay"), 303, {"Location: /replay\n"}},
                        {"a wrong password", log_in_to("%2Freplay", "wrong"), 303, {"Location: /login?wrong&to=%2Freplay\n"}},
                    });
  for (const char* to : {"", "replay", "//evil.com", "%2F%2Fevil.com", "/%5Cevil.com", "%5C%5Cevil.com", "https://evil.com",
                         "https:evil.com", "javascript:alert(1)", "%20/", "/%09/evil.com", "/%0D%0ASet-Cookie:%20a=b", "/%00",
                         "/%7F", "/a%5Cb", "%zz", "/%C3%A9"}) {
    expect_row(site, {to, log_in_to(to), 303, {"Location: /\n"}});
  }
  const WebSite open{unhurried()};
  expect_row(open, {"where no password is asked", log_in_to("/replay"), 303, {"Location: /replay\n"}});
  expect_row(open, {"where none is asked, elsewhere", log_in_to("//evil.com"), 303, {"Location: /\n"}});
}

TEST(HostileAccess, ProgramsMaySendThePassword) {
  const WebSite site{with_password()};
  expect_rows(site, {
                        {"right", get("/metrics", kBasic), 200},
                        {"right, and any name", get("/metrics", kBasicOfAnyone), 200},
                        {"scheme in lower case", get("/metrics", "Authorization: basic Om9wZW46IHNlc2FtZQ==\r\n"), 200},
                        {"right for a WebSocket", handshake(kBasic), 101},
                        {"right, but another page sent it",
                         http_request("POST", "/api/rebuild", std::string{kBasic} + "Origin: http://evil.com\r\n", "{}"), 403},
                        {"wrong", get("/metrics", kBasicWrong), 401, {"WWW-Authenticate: Basic"}},
                    });
  for (const char* text : {"Basic", "Basic ", "Basic Om9wZW46IHNlc2FtZQ", "Basic ====", "Basic ????",
                           "Basic b3Blbg==", "Bearer Om9wZW46IHNlc2FtZQ==", "Om9wZW46IHNlc2FtZQ=="}) {
    const WebSite fresh{with_password()};
    expect_row(fresh, {text, get("/metrics", "Authorization: " + std::string{text} + "\r\n"), 401});
  }
  expect_row(site, {"long", get("/metrics", "Authorization: Basic " + std::string(7000, 'A') + "\r\n"), 401});
}

TEST(HostileAccess, PasswordsCantBeTriedWithoutEnd) {
  const WebSite site{with_password()};
  for (int i = 0; i < 10; ++i) EXPECT_EQ(site.status_of(log_in(kRight)), 303) << "right ones are not counted";
  for (int i = 0; i < 5; ++i) expect_row(site, {"wrong", log_in("wrong"), 303, {"Location: /login?wrong\n"}});
  expect_row(site, {"wrong again", log_in("wrong"), 429, {"Retry-After: ", "too many passwords"}});
  expect_row(site, {"right, too late", log_in(kRight), 429});
  expect_row(site, {"right, by the other way in", get("/metrics", kBasic), 429, {"Retry-After: "}});
  EXPECT_EQ(site.status_of(get("/healthz")), 200);
}

TEST(HostileAccess, PasswordsCantBeTriedWithoutEndByPrograms) {
  const WebSite site{with_password()};
  for (int i = 0; i < 20; ++i) EXPECT_EQ(site.status_of(get("/metrics", kBasic)), 200) << "right ones are not counted";
  const std::string cookie = cookie_of(site);
  for (int i = 0; i < 5; ++i)
    EXPECT_EQ(site.status_of(get(i % 2 == 0 ? "/metrics" : "/", kBasicWrong)), i % 2 == 0 ? 401 : 303);
  expect_row(site, {"wrong again", get("/metrics", kBasicWrong), 429, {"Retry-After: ", "too many passwords"}});
  expect_row(site, {"right, too late", get("/metrics", kBasic), 429});
  expect_row(site, {"right, too late, for a WebSocket", handshake(kBasic), 429});
  expect_row(site, {"who is in stays in", with_cookie(cookie), 200});
}

TEST(HostileAccess, BehindAProxyOneGuesserLocksOutNobodyElse) {
  tracker::SiteOptions options = with_password();
  options.intake.behind_proxy = true;
  const WebSite site{options};
  const std::string guesser = "X-Forwarded-For: 192.0.2.1\r\n";
  for (int i = 0; i < 5; ++i) EXPECT_EQ(site.status_of(log_in("wrong", guesser)), 303);
  EXPECT_EQ(site.status_of(log_in(kRight, guesser)), 429);
  EXPECT_EQ(site.status_of(log_in(kRight, "X-Forwarded-For: 192.0.2.2\r\n")), 303);
}

TEST(HostileAccess, LoginsOfOddForms) {
  const auto login = [](std::string_view body) {
    return http_request("POST", "/login", "Content-Type: application/x-www-form-urlencoded\r\n", body);
  };
  for (const std::string& body :
       {std::string{"password="}, std::string{"password"}, std::string{"x"}, std::string{"password=%zz"}, std::string{"&&&=&="},
        std::string(60'000, '&'), "password=" + std::string(60'000, 'a'),
        std::string{"password=wrong&password="} + std::string{kRight}}) {
    const WebSite site{with_password()};
    expect_row(site, {body.substr(0, 40).c_str(), login(body), 303, {"Location: /login?wrong\n"}});
  }
}

}  // namespace
}  // namespace lungo::test
