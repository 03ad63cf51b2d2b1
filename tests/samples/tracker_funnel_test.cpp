// The funnel's rows when its steps change.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/samples/tracker_fixture.hpp"

namespace lungo::test {
namespace {

using TrackerFunnel = TrackerTest;

TEST_F(TrackerFunnel, RowsOfAnotherFunnelAreThoseOfARebuildThoughNewLinesComeWithIt) {
  const std::string more = directory_ / "more.log";
  write(log(), line_at(0, "/") + line_at(10, "/shop") + line_at(100, "/") + line_at(200, "/x"));
  write(more, line_at(600, "/") + line_at(610, "/shop") + line_at(700, "/") + line_at(800, "/x"));
  import();
  const auto funnel_after = [&](const std::string& in, const std::vector<std::string>& more_arguments) {
    std::vector<std::string> arguments{"--exit", "--json"};
    arguments.insert(arguments.end(), more_arguments.begin(), more_arguments.end());
    const Finished done = run_tracker(in, arguments);
    EXPECT_EQ(done.status, 0) << done.err;
    return boost::json::serialize(boost::json::parse(done.out).at("funnel"));
  };
  const std::string at_once = funnel_after(data(), {"--import", more, "--funnel", "/,/shop"});
  const std::string rows = rows_of(data())["Funnel"];
  rebuild_by_replay(data());
  EXPECT_EQ(rows_of(data())["Funnel"], rows);
  EXPECT_EQ(funnel_after(data(), {}), at_once);

  const std::string fresh = directory_ / "fresh";
  EXPECT_EQ(funnel_after(fresh, {"--import", log(), "--import", more, "--funnel", "/,/shop"}), at_once);
  EXPECT_EQ(rows_of(fresh)["Funnel"], rows) << "nothing is left of the steps before";
}

}  // namespace
}  // namespace lungo::test
