// Files that begin alike, and files that are given twice, while the program has them open.
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "tests/samples/tracker_fixture.hpp"
#include "tests/support/access_log_generator.hpp"
#include "tracker.hpp"

namespace lungo::test {
namespace {

class SameFirstLine : public TrackerTest {
 protected:
  [[nodiscard]] std::string other() const { return directory_ / "other.log"; }
  // The same lines in two directories must make the same events, one file after the other and as `arguments` say.
  void expect_events_of_both(const std::vector<std::string>& arguments, std::int64_t events) {
    std::vector<std::string> all{"--exit", "--json"};
    all.insert(all.end(), arguments.begin(), arguments.end());
    const Finished done = run_tracker(data(), all);
    EXPECT_EQ(done.status, 0) << done.err;
    EXPECT_EQ(number(boost::json::parse(done.out).as_object(), "events"), events) << done.err;
    EXPECT_EQ(records_in(*look_into(data()), "events"), events);
    EXPECT_EQ(number(import_json(data(), {log(), other()}), "events"), events) << "imported once more";
    EXPECT_EQ(records_in(*look_into(data()), "events"), events) << "imported once more";
  }
};

std::string lines_of(const std::string& page, int count) {
  std::string text{kLine};
  for (int i = 1; i < count; ++i) text += line_at(i, page + std::to_string(i));
  return text;
}

TEST_F(SameFirstLine, TwoFollowedFilesAreTwo) {
  write(log(), lines_of("/a", 5));
  write(other(), lines_of("/b", 9));
  expect_events_of_both({"--follow", log(), "--follow", other()}, 5 + 9);
}

TEST_F(SameFirstLine, AnImportedAndAFollowedFileAreTwo) {
  write(log(), lines_of("/a", 5));
  write(other(), lines_of("/b", 9));
  expect_events_of_both({"--import", log(), "--follow", other()}, 5 + 9);
}

TEST_F(SameFirstLine, OneFileByTwoNamesIsOne) {
  write(log(), lines_of("/a", 5));
  std::filesystem::create_hard_link(log(), other());
  expect_events_of_both({"--follow", log(), "--follow", other(), "--follow", log()}, 5);
}

TEST_F(SameFirstLine, OneFileImportedTwiceAndFollowedIsOne) {
  write(log(), lines_of("/a", 5));
  std::filesystem::create_hard_link(log(), other());
  expect_events_of_both({"--import", log(), "--import", other(), "--follow", log()}, 5);
}

// Killed before any mark but the very first ones: the log has events of one of the two only, under its second name.
TEST_F(SameFirstLine, EventsFoundInTheLogTellWhichFileItWas) {
  const std::string text = generate_access_log({.lines = 30'000, .seed = 13});
  write(log(), text.substr(0, text.find('\n') + 1) + lines_of("/a", 5));
  write(other(), text);
  const auto open = [&](tracker::Tracker& tracker, const std::string& path) {
    return tracker::LogImport::open(tracker.import_site(), path, tracker::ImportMode::follow).value();
  };
  {
    const auto tracker = tracker::Tracker::open(open_local(data()).value()).value();
    const auto first = open(*tracker, log());
    const auto second = open(*tracker, other());
    ASSERT_TRUE(second->step(20'000));
  }
  ASSERT_GT(records_in(*look_into(data()), "events"), 0);
  {
    const auto tracker = tracker::Tracker::open(open_local(data()).value()).value();
    const auto second = open(*tracker, other());
    const auto first = open(*tracker, log());
    for (const auto& import : {second.get(), first.get()}) {
      while (import->step(10'000).value().lines > 0) {
      }
      ASSERT_TRUE(import->finish(true));
    }
  }
  EXPECT_EQ(as_shell_prints(import_json(data(), {log(), other()})), shell_summary({log(), other()}));
}

}  // namespace
}  // namespace lungo::test
