#include "tests/support/access_log_generator.hpp"

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "import/access_line.hpp"
#include "ingest/user_agent.hpp"

namespace lungo::test {
namespace {

TEST(AccessLogGenerator, SameOptionsGiveTheSameBytesAndAnotherSeedOthers) {
  const AccessLogOptions options{.lines = 5'000, .seed = 4};
  const std::string log = generate_access_log(options);
  EXPECT_EQ(log, generate_access_log(options));
  EXPECT_NE(log, generate_access_log({.lines = 5'000, .seed = 5}));
}

TEST(AccessLogGenerator, LogIsWhatWasAskedFor) {
  AccessLogOptions options{.lines = 100'000, .seed = 4, .days = 5};
  AccessLogGenerator generator{options};
  std::uint64_t lines = 0;
  std::uint64_t broken = 0;
  std::uint64_t back = 0;
  std::uint64_t bots = 0;
  std::chrono::seconds back_most{0};
  std::chrono::sys_seconds before{};
  std::map<std::string, int> days;
  for (std::string line; generator.next(line); line.clear()) {
    ++lines;
    ASSERT_EQ(line.back(), '\n');
    line.pop_back();
    tracker::AccessLine parsed;
    if (tracker::parse_access_line(line, parsed)) {
      ++broken;
      continue;
    }
    if (parsed.time < before) ++back;
    back_most = std::max(back_most, std::chrono::duration_cast<std::chrono::seconds>(before - parsed.time));
    before = parsed.time;
    bots += tracker::judge_user_agent(parsed.user_agent).bot ? 1 : 0;
    ++days[std::to_string(std::chrono::floor<std::chrono::days>(parsed.time).time_since_epoch().count())];
  }
  EXPECT_EQ(lines, options.lines);
  EXPECT_EQ(broken, generator.counts().broken);
  EXPECT_NEAR(static_cast<double>(broken), 1'000, 150);
  EXPECT_NEAR(static_cast<double>(bots), 15'000, 800);
  EXPECT_NEAR(static_cast<double>(back), 45'000, 6'000);
  EXPECT_LT(back_most, std::chrono::seconds{60});
  EXPECT_EQ(days.size(), 5U);
}

}  // namespace
}  // namespace lungo::test
