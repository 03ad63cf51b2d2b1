#include "ingest/posted_event.hpp"

#include <gtest/gtest.h>

#include <string>

namespace tracker {
namespace {

/// The body's only event; the test fails when there is another number of them.
PostedEvent parsed(std::string_view body) {
  std::vector<PostedEvent> events;
  const std::optional<BadField> bad = parse_posted_events(body, events);
  EXPECT_FALSE(bad) << bad->field << ' ' << bad->text;
  EXPECT_EQ(events.size(), 1U);
  return events.empty() ? PostedEvent{} : events.front();
}
std::string with_props(const std::string& props) {
  return R"({"name":"order","url":"https://example.com/","props":{)" + props + "}}";
}
std::string prop_of(const std::string& json) { return parsed(with_props("\"p\":" + json)).props["p"]; }
/// "field: text" of what is wrong; empty when nothing is.
std::string wrong_in(std::string_view body) {
  std::vector<PostedEvent> events;
  const std::optional<BadField> bad = parse_posted_events(body, events);
  return bad ? bad->field + ": " + bad->text : "";
}

TEST(PostedEvent, AllFields) {
  const PostedEvent event = parsed(
      R"({"name":"order","url":"https://u:p@Example.com:8443/menu?a=1#x","referrer":"https://a.org/","domain":"example.com",)"
      R"("id":"one","props":{"plan":"a","n":1}})");
  EXPECT_EQ(event.name, "order");
  EXPECT_EQ(event.host, "example.com");
  EXPECT_EQ(event.target, "/menu?a=1");
  EXPECT_EQ(event.referrer, "https://a.org/");
  EXPECT_EQ(event.domain, "example.com");
  EXPECT_EQ(event.id, "one");
  EXPECT_EQ(event.props, (std::map<std::string, std::string>{{"plan", "a"}, {"n", "1"}}));
}

TEST(PostedEvent, NamesOfHostsAreInLowerCase) {
  const PostedEvent event = parsed(R"({"name":"a","url":"http://WWW.Example.COM","domain":"Example.COM"})");
  EXPECT_EQ(event.host, "www.example.com");
  EXPECT_EQ(event.domain, "example.com");
  EXPECT_EQ(event.target, "/");
}

TEST(PostedEvent, NumbersAreWrittenAsPeopleWriteThem) {
  for (const char* text :
       {"0", "-3", "9.5", "0.1", "-0.25", "18446744073709551615", "9223372036854775807", "1e+21", "1e-07", "true", "false"})
    EXPECT_EQ(prop_of(text), text);
  EXPECT_EQ(prop_of("1.0"), "1");
  EXPECT_EQ(prop_of("1e2"), "100");
}

TEST(PostedEvent, NumbersOutOfRangeAreRefused) {
  for (const char* text : {"1e999", "-1e999"})
    EXPECT_EQ(wrong_in(with_props(std::string{"\"p\":"} + text)).substr(0, 7), "props.p") << text;
  EXPECT_EQ(wrong_in(with_props(R"("p":1e99999999999)")).substr(0, 13), ": is not JSON");
  EXPECT_EQ(prop_of("1e-999"), "0");
}

TEST(PostedEvent, BatchKeepsItsOrder) {
  std::vector<PostedEvent> events;
  const auto bad = parse_posted_events(R"([{"name":"a","url":"http://a.b"},{"name":"b","url":"http://a.b"}])", events);
  ASSERT_FALSE(bad);
  ASSERT_EQ(events.size(), 2U);
  EXPECT_EQ(events[0].name, "a");
  EXPECT_EQ(events[1].name, "b");
}

TEST(PostedEvent, WhereItIsWrong) {
  EXPECT_EQ(wrong_in(R"({"url":"http://a.b"})"), "name: is missing");
  EXPECT_EQ(wrong_in(R"({"name":"a","url":"http://a.b","id":"")" + std::string("}")), "");
  EXPECT_EQ(wrong_in(R"([{"name":"a","url":"http://a.b"},[]])"), "[1]: must be an object");
  EXPECT_EQ(wrong_in("[]"), ": holds no event");
  EXPECT_EQ(wrong_in("7"), ": must be an object");
}

TEST(PostedEvent, EveryCutOfABodyIsRefused) {
  const std::string body = R"([{"name":"order","url":"https://example.com/\u00e9","props":{"a":[]}}])";
  for (std::size_t length = 0; length < body.size(); ++length) EXPECT_NE(wrong_in(body.substr(0, length)), "") << length;
}

TEST(SplitUrl, HostAndTarget) {
  const auto split = [](std::string_view url) {
    std::string host;
    std::string target;
    return split_url(url, host, target) ? host + " " + target : "";
  };
  EXPECT_EQ(split("http://a.b"), "a.b /");
  EXPECT_EQ(split("HTTPS://A.B/C"), "a.b /C");
  EXPECT_EQ(split("http://a.b?q=/"), "a.b /?q=/");
  EXPECT_EQ(split("http://a.b#/x"), "a.b /");
  EXPECT_EQ(split("http://a.b:80/x#y"), "a.b /x");
  EXPECT_EQ(split("http://u@v@a.b/"), "a.b /");
  EXPECT_EQ(split("http://a.b/u@c.d"), "a.b /u@c.d");
  EXPECT_EQ(split("http://[::1]:80/x"), "[::1] /x");
  EXPECT_EQ(split("http://[::1]"), "[::1] /");
  for (const char* url : {"",
                          "http:",
                          "http:/a.b",
                          "http://",
                          "http:///",
                          "http://?",
                          "http://#",
                          "http://@/",
                          "http://:80/",
                          "http://[]x/",
                          "http://[::1/",
                          "http://[::1]x/",
                          "http://a.b\\@c.d/",
                          "http://a b/",
                          "http://a.b/\x7f",
                          "http://a.b/\x1f",
                          "httpx://a.b/",
                          "javascript:alert(1)",
                          "//a.b/",
                          "ws://a.b/"})
    EXPECT_EQ(split(url), "") << url;
  EXPECT_EQ(split("http://" + std::string(254, 'a')), "");
}

TEST(PostedEvent, IdsAreThoseOfAWholeBatch) {
  const std::string with = R"({"name":"a","url":"http://a.b","id":"1"})";
  const std::string without = R"({"name":"a","url":"http://a.b"})";
  EXPECT_EQ(wrong_in("[" + with + "," + with + "]"), "");
  EXPECT_EQ(wrong_in("[" + without + "," + without + "]"), "");
  EXPECT_TRUE(wrong_in("[" + without + "," + with + "]").starts_with("[0].id: is missing"));
  EXPECT_TRUE(wrong_in("[" + with + "," + with + "," + without + "]").starts_with("[2].id: is missing"));
}

}  // namespace
}  // namespace tracker
