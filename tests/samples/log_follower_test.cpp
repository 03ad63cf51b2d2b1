// How a follower takes what fails for long: each try opens the file anew and reads it up to its mark, so tries must be few.
#include "follow.hpp"

#include <gtest/gtest.h>

#include <filesystem>

#include "tests/samples/tracker_fixture.hpp"
#include "tests/support/memory_event_log.hpp"
#include "tests/support/random.hpp"
#include "tests/support/simulation.hpp"

namespace lungo::test {
namespace {

constexpr std::size_t kLines = 100;

class Follower : public TrackerTest {
 protected:
  Follower() {
    EXPECT_TRUE(store_.stream_topic(tracker::kEventsTopic, 4));
    EXPECT_TRUE(store_.stream_topic(tracker::kFailedTopic, 1));
    EXPECT_TRUE(store_.declare(events<tracker::Request, tracker::FailedLine, tracker::ImportProgress>{}));
  }
  Errc poll() {
    const Result<std::size_t> taken = follower_.poll(kLines);
    return taken ? Errc{} : taken.error().code();
  }

  Simulation simulation_{1};
  std::shared_ptr<MemoryEventLog> log_ = std::make_shared<MemoryEventLog>(simulation_.ports());
  EventStore store_{log_};
  tracker::ProgressBook book_ = tracker::ProgressBook::open(store_).value();
  PosixPorts posix_;
  tracker::Secret secret_ =
      tracker::Secret::load_or_create(posix_.ports().storage, directory_.path(), simulation_.random).value();
  tracker::OpenFiles open_files_;
  tracker::LogFollower follower_{{.store = store_, .book = book_, .secret = secret_, .open_files = open_files_}, log()};
};

TEST_F(Follower, FileThatCannotBeReadIsTriedAgainAfterPausesThatGrow) {
  std::filesystem::create_directory(log());
  EXPECT_EQ(poll(), Errc::unsupported);
  simulation_.clock.advance(std::chrono::seconds{1});
  EXPECT_EQ(poll(), Errc::unsupported);
  std::filesystem::remove(log());
  write(log(), kLine);
  simulation_.clock.advance(std::chrono::milliseconds{1'999});
  EXPECT_EQ(poll(), Errc::unsupported) << "not opened yet";
  simulation_.clock.advance(std::chrono::milliseconds{1});
  EXPECT_EQ(follower_.poll(kLines).value(), 1U);
}

TEST_F(Follower, FullDiskIsTriedRarelyThoughItTakesLinesBeforeItRefusesThem) {
  write(log(), kLine);
  EXPECT_EQ(poll(), Errc{});
  int openings = 0;
  for (int tick = 0; tick < 5 * 60; ++tick) {  // a minute, as the program polls
    log_->fail_appends(1'000, {Errc::no_space, "full"});
    const bool was_open = follower_.import() != nullptr;
    poll();
    if (follower_.import() != nullptr && !was_open) ++openings;
    simulation_.clock.advance(std::chrono::milliseconds{200});
  }
  EXPECT_GE(openings, 3);
  EXPECT_LE(openings, 8);

  log_->fail_appends(0, {Errc::no_space, "full"});
  simulation_.clock.advance(tracker::RetryPause::kMax);
  EXPECT_EQ(poll(), Errc{});
  ASSERT_TRUE(follower_.finish());
  EXPECT_EQ(records_in(*log_, "events"), 1);
}

}  // namespace
}  // namespace lungo::test
