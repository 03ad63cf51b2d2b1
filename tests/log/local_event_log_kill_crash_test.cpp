// Processes on one data directory: a writer killed in mid-flight, a reader beside it.
//
// The writer is a child process that says through a pipe what was acknowledged; the parent kills it, or follows it read-only.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>

#include <lungo/log/local_event_log.hpp>
#include "tests/support/quiet_log.hpp"
#include "tests/support/random.hpp"
#include "tests/support/records.hpp"
#include "tests/support/temp_directory.hpp"

namespace lungo::test {
namespace {

const TopicPartition kPartition{"events", PartitionId{0}};
constexpr Duration kPatience = std::chrono::seconds{60};

/// A child process that appends "0", "1", ... and reports each acknowledged number. Must be made while this process has no
/// other threads.
class Writer {
 public:
  Writer(const std::string& directory, std::uint32_t count) {
    int ends[2];
    if (::pipe(ends) != 0) throw std::runtime_error("no pipe");
    child_ = ::fork();
    if (child_ == 0) {
      ::close(ends[0]);
      write_all(directory, count, ends[1]);
      ::_exit(0);
    }
    ::close(ends[1]);
    reports_ = ends[0];
  }
  ~Writer() {
    if (child_ > 0) kill();
    ::close(reports_);
  }
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  /// How many were acknowledged; blocks until there are `count`, or the child is gone.
  std::uint32_t acknowledged(std::uint32_t count) {
    std::uint32_t number = 0;
    while (acknowledged_ < count && ::read(reports_, &number, sizeof number) == sizeof number) acknowledged_ = number + 1;
    return acknowledged_;
  }
  void kill() {
    ::kill(child_, SIGKILL);
    wait();
  }
  void wait() {
    int status = 0;
    ::waitpid(child_, &status, 0);
    child_ = 0;
  }

 private:
  static void write_all(const std::string& directory, std::uint32_t count, int reports) {
    const std::shared_ptr<EventLog> log = open_local(directory).value();
    TopicSpec spec;
    spec.name = "events";
    spec.partitions = 1;
    spec.segment_bytes = 100'000;
    log->create_topic(spec).value();
    const auto begin = static_cast<std::uint32_t>(log->ends(kPartition).value().committed.value());
    for (std::uint32_t number = begin; number < begin + count; ++number) {
      AppendRequest request = append_of(kPartition, "k", std::to_string(number));
      // So that the queue stays short, and is empty when the log closes, which refuses what it has not written.
      request.caller_waits = number % 64 == 0 || number + 1 == begin + count;
      log->append(std::move(request), [reports, number](Result<Appended> result) {
        if (!result || ::write(reports, &number, sizeof number) != sizeof number) ::_exit(1);
      });
    }
  }

  pid_t child_ = 0;
  int reports_ = -1;
  std::uint32_t acknowledged_ = 0;
};

void expect_numbers(const std::vector<std::string>& values) {
  for (std::size_t i = 0; i < values.size(); ++i) ASSERT_EQ(values[i], std::to_string(i));
}

int kills_wanted() {
  const char* const wanted = std::getenv("LUNGO_KILLS");
  return wanted != nullptr ? std::atoi(wanted) : 200;
}

// LUNGO_KILLS says how often.
TEST(LocalEventLogKill, WhatAKilledWriterAcknowledgedIsThereInOrder) {
  const QuietLog quiet;
  const std::uint64_t seed = test_seed(20261122);
  SCOPED_TRACE("LUNGO_TEST_SEED=" + std::to_string(seed));
  Random random(seed);
  const TempDirectory directory;
  std::uint32_t acknowledged = 0;
  for (int round = 0; round < kills_wanted(); ++round) {
    {
      Writer writer(directory.path(), 1'000'000);
      writer.acknowledged(acknowledged + 1 + static_cast<std::uint32_t>(random.below(3000)));
      writer.kill();
      acknowledged = writer.acknowledged(0xffffffff);
    }
    {
      LocalOptions read_only;
      read_only.read_only = true;
      const std::shared_ptr<EventLog> reader = open_local(directory.path(), read_only).value();
      const std::vector<std::string> values = values_of(*reader, kPartition);
      EXPECT_GE(values.size(), acknowledged) << "a reader before recovery";
      expect_numbers(values);
    }
    const std::shared_ptr<EventLog> log = open_local(directory.path()).value();
    const std::vector<std::string> values = values_of(*log, kPartition);
    ASSERT_GE(values.size(), acknowledged);
    expect_numbers(values);
    acknowledged = static_cast<std::uint32_t>(values.size());
  }
}

TEST(LocalEventLogKill, ReaderInAnotherProcessFollowsALiveWriter) {
  const QuietLog quiet;
  const TempDirectory directory;
  constexpr std::uint32_t kCount = 10'000;  // whose reports fit into the pipe, which nobody empties meanwhile
  Writer writer(directory.path(), kCount);
  ASSERT_GE(writer.acknowledged(1), 1u);
  LocalOptions options;
  options.read_only = true;
  const std::shared_ptr<EventLog> reader = open_local(directory.path(), options).value();
  Ports ports = reader->ports();
  std::size_t seen = 0;
  while (seen < kCount) {
    ASSERT_TRUE(ports.executor.wait_until(
        [&] { return reader->ends(kPartition).value().committed.value() > static_cast<std::int64_t>(seen); },
        ports.clock.monotonic() + kPatience));
    for (const std::string& value : values_of(*reader, kPartition, Offset{static_cast<std::int64_t>(seen)})) {
      ASSERT_EQ(value, std::to_string(seen++));
    }
  }
  writer.wait();
}

TEST(LocalEventLogKill, WriterInAnotherProcessHoldsTheLock) {
  const QuietLog quiet;
  const TempDirectory directory;
  Writer writer(directory.path(), 1'000'000);
  ASSERT_GE(writer.acknowledged(1), 1u);
  const Result<std::shared_ptr<EventLog>> second = open_local(directory.path());
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code(), Errc::locked);
  EXPECT_NE(second.error().text().find("pid "), std::string_view::npos) << second.error();
  EXPECT_EQ(second.error().text().find("pid " + std::to_string(::getpid())), std::string_view::npos);
}

}  // namespace
}  // namespace lungo::test
