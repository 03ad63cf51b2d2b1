#include "import/access_line.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace tracker {
namespace {

using namespace std::chrono_literals;

AccessLine parsed(std::string_view text) {
  AccessLine line;
  const std::optional<DropReason> reason = parse_access_line(text, line);
  EXPECT_FALSE(reason) << text << ": " << to_string(*reason);
  return line;
}

std::optional<DropReason> reason_of(std::string_view text) {
  AccessLine line;
  return parse_access_line(text, line);
}

TEST(AccessLine, CombinedFormatGivesEveryField) {
  const AccessLine line = parsed(
      R"log(83.149.9.216 - frank [17/May/2015:10:05:03 +0200] "GET /a/b.html?x=1 HTTP/1.1" 200 203023 "http://e.com/" "Mozilla/5.0 (X)")log");
  EXPECT_EQ(line.address, "83.149.9.216");
  EXPECT_EQ(line.time, std::chrono::sys_days{std::chrono::year{2015} / 5 / 17} + 8h + 5min + 3s);
  EXPECT_EQ(line.zone, 120min);
  EXPECT_EQ(line.method, "GET");
  EXPECT_EQ(line.target, "/a/b.html?x=1");
  EXPECT_EQ(line.protocol, "HTTP/1.1");
  EXPECT_EQ(line.status, 200);
  EXPECT_EQ(line.bytes, 203023);
  EXPECT_EQ(line.referrer, "http://e.com/");
  EXPECT_EQ(line.user_agent, "Mozilla/5.0 (X)");
}

TEST(AccessLine, CommonFormatHasNeitherReferrerNorUserAgent) {
  const AccessLine line = parsed(R"(10.0.0.1 - - [01/Jan/2024:00:00:00 +0000] "GET / HTTP/1.0" 304 -)");
  EXPECT_EQ(line.status, 304);
  EXPECT_FALSE(line.bytes);
  EXPECT_EQ(line.referrer, "");
  EXPECT_EQ(line.user_agent, "");
}

TEST(AccessLine, EverythingBehindTheStatusMayBeCutOff) {
  const std::string whole =
      R"(::1 - - [01/Jan/2024:00:00:00 +0000] "GET / HTTP/1.0" 200 17 "http://e.com/" "Agent \"X\" 1.0" "more" 0.1)";
  for (std::size_t size = whole.find(" 17"); size <= whole.size(); ++size) {
    EXPECT_EQ(parsed(std::string_view{whole}.substr(0, size)).status, 200) << size;
  }
  EXPECT_EQ(parsed(std::string_view{whole}.substr(0, whole.find(" 1.0\""))).user_agent, R"(Agent \"X\")");
  EXPECT_EQ(parsed(std::string_view{whole}.substr(0, whole.find("\"X"))).user_agent, "Agent ") << "without half of an escape";
  EXPECT_EQ(parsed(R"(h - - [01/Jan/2024:00:00:00 +0000] "GET / HTTP/1.0" 200 17 "-" "\\\)").user_agent, R"(\\)");
}

TEST(AccessLine, DayIsTheOneOfTheLinesOwnClock) {
  const AccessLine line = parsed(R"(h - - [01/Jan/2024:00:30:00 +0200] "GET / HTTP/1.0" 200 1)");
  EXPECT_EQ(std::chrono::floor<std::chrono::days>(line.time), std::chrono::sys_days{std::chrono::year{2023} / 12 / 31});
  EXPECT_EQ(std::chrono::floor<std::chrono::days>(line.local_time()), std::chrono::sys_days{std::chrono::year{2024} / 1 / 1});
  EXPECT_EQ(parsed(R"(h - - [31/Dec/2023:20:00:00 -0930] "GET / HTTP/1.0" 200 1)").zone, -570min);
}

TEST(AccessLine, LeapSecondStaysOnItsDay) {
  const AccessLine line = parsed(R"(h - - [31/Dec/2016:23:59:60 +0000] "GET / HTTP/1.0" 200 1)");
  EXPECT_EQ(std::chrono::floor<std::chrono::days>(line.time), std::chrono::sys_days{std::chrono::year{2016} / 12 / 31});
}

TEST(AccessLine, EscapedQuotesEndNothing) {
  const AccessLine line =
      parsed(R"(h - - [01/Jan/2024:00:00:00 +0000] "GET /say?q=\"hi\"\\ HTTP/1.1" 200 12 "-" "Agent \"X\" \\")");
  EXPECT_EQ(line.target, R"(/say?q=\"hi\"\\)");
  EXPECT_EQ(line.user_agent, R"(Agent \"X\" \\)");
}

TEST(AccessLine, OddRequestsAreKeptWhole) {
  EXPECT_EQ(parsed(R"(h - - [01/Jan/2024:00:00:00 +0000] "-" 408 -)").target, "-");
  EXPECT_EQ(parsed(R"(h - - [01/Jan/2024:00:00:00 +0000] "" 400 0)").target, "");
  EXPECT_EQ(parsed(R"(h - - [01/Jan/2024:00:00:00 +0000] "\x16\x03\x01" 400 226)").target, R"(\x16\x03\x01)");
  const AccessLine words = parsed(R"(h - - [01/Jan/2024:00:00:00 +0000] "GET  /a b c" 400 0)");
  EXPECT_EQ(words.method, "GET");
  EXPECT_EQ(words.target, "/a");
}

TEST(AccessLine, UserNameMayHoldSpacesAndBrackets) {
  const AccessLine line =
      parsed(R"(h - anna [the admin] smith [x [01/Jan/2024:00:00:01 +0000] "GET / HTTP/1.0" 200 1 "r" "u")");
  EXPECT_EQ(line.time, std::chrono::sys_days{std::chrono::year{2024} / 1 / 1} + 1s);
  EXPECT_EQ(line.referrer, "r");
}

TEST(AccessLine, MalformedLinesSayWhatIsMissing) {
  struct Case {
    std::string text;
    DropReason reason;
  };
  const std::vector<Case> cases{
      {"", DropReason::no_address},
      {R"( - - [01/Jan/2024:00:00:00 +0000] "GET / HTTP/1.0" 200 1)", DropReason::no_address},
      {R"(- - - [01/Jan/2024:00:00:00 +0000] "GET / HTTP/1.0" 200 1)", DropReason::no_address},
      {R"([01/Jan/2024:00:00:00 +0000] "GET / HTTP/1.0" 200 1)", DropReason::no_address},
      {"h", DropReason::no_time},
      {R"(h - - 01/Jan/2024:00:00:00 +0000 "GET / HTTP/1.0" 200 1)", DropReason::no_time},
      {R"(h - - [31/Feb/2024:00:00:00 +0000] "GET / HTTP/1.0" 200 1)", DropReason::no_time},
      {R"(h - - [29/Feb/2023:00:00:00 +0000] "GET / HTTP/1.0" 200 1)", DropReason::no_time},
      {R"(h - - [00/Jan/2024:00:00:00 +0000] "GET / HTTP/1.0" 200 1)", DropReason::no_time},
      {R"(h - - [01/Foo/2024:00:00:00 +0000] "GET / HTTP/1.0" 200 1)", DropReason::no_time},
      {R"(h - - [01/Jan/2024:24:00:00 +0000] "GET / HTTP/1.0" 200 1)", DropReason::no_time},
      {R"(h - - [01/Jan/2024:00:60:00 +0000] "GET / HTTP/1.0" 200 1)", DropReason::no_time},
      {R"(h - - [01/Jan/2024:00:00:61 +0000] "GET / HTTP/1.0" 200 1)", DropReason::no_time},
      {R"(h - - [01/Jan/2024:00:00:00 +0060] "GET / HTTP/1.0" 200 1)", DropReason::no_time},
      {R"(h - - [01/Jan/2024:00:00:00 0000] "GET / HTTP/1.0" 200 1)", DropReason::no_time},
      {R"(h - - [ 1/Jan/2024:00:00:00 +0000] "GET / HTTP/1.0" 200 1)", DropReason::no_time},
      {R"(h - - [01/Jan/2024:00:00:00 +0000])", DropReason::no_request},
      {R"(h - - [01/Jan/2024:00:00:00 +0000] GET / HTTP/1.0 200 1)", DropReason::no_request},
      {R"(h - - [01/Jan/2024:00:00:00 +0000] "GET / HTTP/1.0 200 1)", DropReason::no_request},
      {R"(h - - [01/Jan/2024:00:00:00 +0000] "GET / HTTP/1.0\" 200 1)", DropReason::no_request},
      {R"(h - - [01/Jan/2024:00:00:00 +0000] "GET / HTTP/1.0")", DropReason::no_status},
      {R"(h - - [01/Jan/2024:00:00:00 +0000] "GET / HTTP/1.0" 20 1)", DropReason::no_status},
      {R"(h - - [01/Jan/2024:00:00:00 +0000] "GET / HTTP/1.0" 2000 1)", DropReason::no_status},
      {R"(h - - [01/Jan/2024:00:00:00 +0000] "GET / HTTP/1.0" - 1)", DropReason::no_status},
      {"\x01\x02\xff garbage", DropReason::no_time},
  };
  for (const Case& one : cases) {
    const std::optional<DropReason> reason = reason_of(one.text);
    ASSERT_TRUE(reason) << one.text;
    EXPECT_EQ(to_string(*reason), to_string(one.reason)) << one.text;
  }
}

TEST(AccessLine, LineOf64KibIsTakenAndALongerOneIsNot) {
  std::string text = R"(h - - [01/Jan/2024:00:00:00 +0000] "GET / HTTP/1.0" 200 1 "-" ")";
  text.append(kLineBytesMax - text.size(), 'x');
  EXPECT_FALSE(reason_of(text));
  text.push_back('x');
  EXPECT_EQ(reason_of(text), DropReason::too_long);
}

TEST(AccessLine, ClosedLineSaysTheSameWhateverFollows) {
  const std::string whole =
      R"(h - - [01/Jan/2024:00:00:00 +0000] "GET / HTTP/1.0" 200 17 "http://e.com/" "Agent \"X\" \\" "m" 0.1)";
  const std::size_t agent_end = whole.find(" \"m\"");
  for (std::size_t size = 0; size <= whole.size(); ++size) {
    const std::string_view cut = std::string_view{whole}.substr(0, size);
    EXPECT_EQ(is_closed_line(cut), size >= agent_end) << cut;
    if (size < agent_end) continue;
    const AccessLine line = parsed(cut);
    EXPECT_EQ(line.bytes, 17);
    EXPECT_EQ(line.referrer, "http://e.com/");
    EXPECT_EQ(line.user_agent, R"(Agent \"X\" \\)");
  }
  EXPECT_FALSE(is_closed_line(R"(h - - [01/Jan/2024:00:00:00 +0000] "GET / HTTP/1.0" 304 -)"));
  EXPECT_FALSE(is_closed_line(R"(h - - [01/Jan/2024:00:00:00] "GET / HTTP/1.0" 304 - "-" "-")"));
}

TEST(AccessLine, NoPrefixOfALineIsReadBeyondItsEnd) {
  // Run under the address sanitizer: every cut lies in memory of its own.
  const std::string whole = R"(1.2.3.4 - - [01/Jan/2024:00:00:00 +0000] "GET / HTTP/1.0" 200 17 "http://e.com/" "Agent")";
  for (std::size_t size = 0; size <= whole.size(); ++size) {
    const std::vector<char> copy(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
    AccessLine line;
    const bool good = !parse_access_line({copy.data(), copy.size()}, line);
    EXPECT_EQ(good, size >= whole.find(" 17")) << size;
  }
}

}  // namespace
}  // namespace tracker
