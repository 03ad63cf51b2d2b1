// What the summary tells beside the read models' rows.
#include <gtest/gtest.h>

#include <string>

#include "tests/samples/tracker_fixture.hpp"

namespace lungo::test {
namespace {

using TrackerSummary = TrackerTest;

TEST_F(TrackerSummary, StepsOfTheChainAreCounted) {
  write(log(), std::string{kLine} + "nonsense\n" + line_at(1, "/a"));
  const Finished done = run_tracker(data(), {"--exit", "--json", "--import", log()});
  EXPECT_EQ(boost::json::serialize(boost::json::parse(done.out).at("imports").at(0).at("steps")),
            R"([{"step":"parse","lines":3,"dropped":1},{"step":"target","lines":2,"dropped":0},)"
            R"({"step":"referrer","lines":2,"dropped":0},{"step":"visitor","lines":2,"dropped":0}])");

  const std::string other = directory_ / "other";
  const Finished brief = run_tracker(other, {"--exit", "--import", log()});
  EXPECT_EQ(brief.out.find("step parse"), std::string::npos) << brief.out;
  write(log(), "more nonsense\n", std::ios::app);
  const Finished verbose = run_tracker(other, {"--exit", "--verbose", "--import", log()});
  EXPECT_NE(verbose.out.find("step parse: 1 lines, 1 dropped"), std::string::npos) << verbose.out;
}

TEST_F(TrackerSummary, LateEventsOfTheRunAreCounted) {
  write(log(), line_at(10, "/a") + line_at(5, "/late") + line_at(11, "/b"));
  const std::string arguments = "--exit";
  const Finished json = run_tracker(data(), {arguments, "--json", "--import", log()});
  EXPECT_EQ(boost::json::parse(json.out).at("late_in_this_run"), 1) << json.out;
  const Finished text = run_tracker(directory_ / "other", {arguments, "--import", log()});
  EXPECT_NE(text.out.find("Late in this run: 1 events"), std::string::npos) << text.out;
}

TEST_F(TrackerSummary, JsonWithoutExitSaysWhenItPrints) {
  write(log(), std::string{kLine});
  Program program{tracker_command(data(), {"--json", "--follow", log()})};
  EXPECT_TRUE(eventually([&] { return program.err().find("--exit only") != std::string::npos; })) << program.err();
  program.send(SIGTERM);
  EXPECT_EQ(program.wait(), 0) << program.err();
}

}  // namespace
}  // namespace lungo::test
