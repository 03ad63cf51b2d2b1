// Spread rows on the embedded log, real threads and a real disk: appends, reads and a stop at once. Meant for the thread
// sanitizer as much as for its own checks.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include <lungo/log/local_event_log.hpp>
#include "tests/projections/spread_pages.hpp"

namespace lungo::test {
namespace {

using namespace std::chrono_literals;

TEST(SpreadThreads, WritersReadTheirOwnWritesWhileOthersScanUntilTheStop) {
  constexpr int kWriters = 3;
  constexpr int kViewsEach = 40;
  constexpr Duration kPatience = 60s;  // never reached unless the test fails
  TempDirectory directory;
  EventStore store{open_local(directory.path()).value()};
  store.stream_topic("events", 2).value();
  SpreadOptions options;
  options.engine.commit_interval = 1ms;
  options.snapshot_every = 10;
  options.snapshot_interval = 1ms;
  SpreadEngine engine{store, sqlite_by_partition("views.db"), options};
  auto& top = engine.add<TopPages>();
  auto& calls = engine.add<AppliedCalls>();
  ASSERT_TRUE(engine.start());

  const auto write = [&](int writer) {
    const std::string url = "/" + std::to_string(writer);
    for (std::int64_t round = 1; round <= kViewsEach; ++round) {
      const Commit commit = view(store, "v" + std::to_string(static_cast<int>(round % 5) + writer), url).value();
      const auto row = top.get(url, {.timeout = kPatience, .at_least = commit});
      // The views before this one may lie in the other partition, whose rows nobody has waited for.
      EXPECT_TRUE(row && *row && (**row).views >= 1 && (**row).views <= round) << url << " round " << round;
    }
  };
  std::atomic<bool> stopped{false};
  const auto scan = [&] {
    std::int64_t before = 0;
    while (!stopped) {
      const auto row = calls.get(0, {.timeout = kPatience, .at_least = {}});
      if (!row) {
        EXPECT_EQ(row.error(), Errc::closed) << row.error();
        return;
      }
      const std::int64_t now = *row ? (**row).count : 0;
      EXPECT_GE(now, before) << "committed events were gone";
      before = now;
      for (const SpreadStatus& status : engine.status()) EXPECT_FALSE(status.error) << *status.error;
      std::this_thread::yield();
    }
  };
  std::vector<std::thread> scanners;
  for (int scanner = 0; scanner < 2; ++scanner) scanners.emplace_back(scan);
  std::vector<std::thread> writers;
  for (int writer = 0; writer < kWriters; ++writer) writers.emplace_back(write, writer);
  for (std::thread& writer : writers) writer.join();
  ASSERT_TRUE(engine.catch_up(kPatience));
  EXPECT_EQ(calls.get(0).value()->count, kWriters * kViewsEach);
  EXPECT_TRUE(engine.stop());
  stopped = true;
  for (std::thread& scanner : scanners) scanner.join();
}

}  // namespace
}  // namespace lungo::test
