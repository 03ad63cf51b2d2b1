// How a follower takes what fails for long: each try opens the file anew and reads it up to its mark, so tries must be few.
#include "import/follow.hpp"

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
  tracker::EventAppends appends_{store_};
  tracker::ProgressBook book_ = tracker::ProgressBook::open(store_).value();
  PosixPorts posix_;
  tracker::Secret secret_ =
      tracker::Secret::load_or_create(posix_.ports().storage, directory_.path(), simulation_.random).value();
  tracker::OpenFiles open_files_;
  tracker::LogFollower follower_{
      {.store = store_, .appends = appends_, .book = book_, .secret = secret_, .open_files = open_files_}, log()};
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

std::string told(tracker::LogFollower& follower) {
  std::string all;
  for (const std::string& note : follower.take_notes()) all += note + "\n";
  return all;
}

TEST_F(Follower, RotationWhileNothingRanIsTold) {
  const std::string rotated = log() + ".1";
  const auto follower = [&] {
    return tracker::LogFollower{
        {.store = store_, .appends = appends_, .book = book_, .secret = secret_, .open_files = open_files_}, log()};
  };
  const auto reopened_book = [&] { book_ = tracker::ProgressBook::open(store_).value(); };
  write(log(), kLine);
  {
    tracker::LogFollower first = follower();
    EXPECT_EQ(first.poll(kLines).value(), 1U);
    ASSERT_TRUE(first.finish());
    EXPECT_EQ(told(first), "");
  }
  write(log(), line_at(1, "/missed"), std::ios::app);
  std::filesystem::rename(log(), rotated);
  write(log(), line_at(2, "/new"));
  reopened_book();
  {
    tracker::LogFollower second = follower();
    EXPECT_EQ(second.poll(kLines).value(), 1U);
    const std::string note = told(second);
    EXPECT_NE(note.find("rotation may be missing"), std::string::npos) << note;
    EXPECT_NE(note.find("--import"), std::string::npos) << note;
    ASSERT_TRUE(second.finish());
    EXPECT_EQ(second.poll(kLines).value(), 0U);
    EXPECT_EQ(told(second), "") << "once";
  }
  reopened_book();
  {
    tracker::LogFollower third = follower();
    EXPECT_EQ(third.poll(kLines).value(), 0U);
    EXPECT_EQ(told(third), "") << "the same file as before";
    // A rotation that it sees is none that it misses.
    std::filesystem::rename(log(), rotated + "x");
    write(log(), line_at(3, "/newer"));
    EXPECT_EQ(third.poll(kLines).value(), 0U);
    simulation_.clock.advance(std::chrono::seconds{3});
    EXPECT_EQ(third.poll(kLines).value(), 0U);
    EXPECT_EQ(third.poll(kLines).value(), 1U);
    EXPECT_EQ(told(third), "");
    ASSERT_TRUE(third.finish());
  }
  // Whoever imports what was rotated before following need not be told.
  std::filesystem::rename(log(), rotated + "y");
  write(log(), line_at(4, "/newest"));
  reopened_book();
  {
    const auto import = tracker::LogImport::open(
        {.store = store_, .appends = appends_, .book = book_, .secret = secret_, .open_files = open_files_}, rotated + "y",
        tracker::ImportMode::whole);
    EXPECT_EQ((*import)->step(kLines)->lines, 0U);
    ASSERT_TRUE((*import)->finish(true));
  }
  tracker::LogFollower last = follower();
  EXPECT_EQ(last.poll(kLines).value(), 1U);
  EXPECT_EQ(told(last), "");
}

}  // namespace
}  // namespace lungo::test
