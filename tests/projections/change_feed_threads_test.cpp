// The change feed on real threads: copies of the rows that begin at any moment beside commits, rebuilds and each other. Meant
// for the thread sanitizer as much as for its own checks.
#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

#include <lungo/log/local_event_log.hpp>
#include <lungo/projections/engine.hpp>
#include "tests/projections/shop_projections.hpp"
#include "tests/support/temp_directory.hpp"

namespace lungo::test {
namespace {

using namespace std::chrono_literals;

constexpr Duration kPatience = 60s;  // never reached unless the test fails

using Counts = std::map<std::string, std::int64_t>;

Counts scanned(Projection<TopPages>& top) {
  Counts rows;
  top.for_each([&rows](const std::string& url, const TopPages::State& state) { rows[url] = state.views; }).value();
  return rows;
}

/// A copy of a projection's rows, made as Projection::watch() says: (a) to (d).
class Copy {
 public:
  Copy(Engine& engine, Projection<TopPages>& top, Executor& executor) : engine_(engine), top_(top), executor_(executor) {
    token_ = top.watch([this](const Projection<TopPages>::Changes& changes) { keep(changes); });  // (a)
    read_everything();
  }

  /// The rows as of what was told until now.
  const Counts& rows() {
    std::vector<Told> told;
    {
      const std::lock_guard lock{mutex_};
      told.swap(told_);
    }
    for (const Told& change : told) {
      EXPECT_GT(change.sequence, last_);
      last_ = change.sequence;
      if (change.sequence <= since_) continue;
      if (change.replaced) read_everything();
      for (const auto& [url, views] : change.rows) rows_[url] = views;  // (d)
    }
    return rows_;
  }

 private:
  struct Told {
    std::uint64_t sequence;
    bool replaced;
    Counts rows;
  };

  void keep(const Projection<TopPages>::Changes& changes) {
    Told told{changes.sequence, changes.replaced, {}};
    for (const auto& row : changes.rows) told.rows[row.key] = row.state.views;
    {
      const std::lock_guard lock{mutex_};
      told_.push_back(std::move(told));
    }
    executor_.notify();
  }
  void read_everything() {
    since_ = engine_.change_sequence();  // (b)
    rows_ = scanned(top_);               // (c)
  }

  Engine& engine_;
  Projection<TopPages>& top_;
  Executor& executor_;
  std::uint64_t since_ = 0;
  std::uint64_t last_ = 0;
  Counts rows_;
  std::mutex mutex_;
  std::vector<Told> told_;
  WatchToken token_;  // the first to go
};

/// Runs with the rows in memory and in SQLite.
class ChangeFeedThreads : public testing::TestWithParam<bool> {
 protected:
  ChangeFeedThreads() { store.stream_topic("events", 2).value(); }

  std::unique_ptr<StateStore> rows() { return GetParam() ? sqlite("views.db") : memory(); }

  TempDirectory directory;
  EventStore store{open_local(directory.path()).value()};
};

TEST_P(ChangeFeedThreads, CopiesThatBeginAtAnyMomentMissNothing) {
  constexpr int kRounds = 15;
  constexpr int kViewsEach = 8;
  Engine engine{store, rows(), {.commit_interval = 0ms}};
  auto& top = engine.add<TopPages>();
  ASSERT_TRUE(engine.start());
  std::atomic<bool> rebuilding{true};
  std::atomic<int> rebuilt{0};
  std::thread rebuild{[&] {
    while (rebuilding) {
      EXPECT_TRUE(engine.rebuild({.timeout = kPatience}));
      ++rebuilt;
    }
  }};
  Executor& executor = store.log().ports().executor;
  for (int round = 0; round < kRounds; ++round) {
    std::vector<std::unique_ptr<Copy>> copies[2];
    std::atomic<int> writing{2};
    std::vector<std::thread> threads;
    for (int writer = 0; writer < 2; ++writer) {
      threads.emplace_back([&, writer] {
        for (int number = 0; number < kViewsEach; ++number) {
          const std::string url = "/" + std::to_string((writer + number) % 5);
          const Commit commit = view(store, "v" + std::to_string(number), url).value();
          EXPECT_TRUE(number % 3 != 0 || top.wait_for(at_least(commit, kPatience)));
        }
        --writing;
      });
      threads.emplace_back([&, writer] {
        while (writing > 0) {
          if (copies[writer].size() < 200) copies[writer].push_back(std::make_unique<Copy>(engine, top, executor));
          copies[writer].back()->rows();
          if (copies[writer].size() % 3 == 0) copies[writer].erase(copies[writer].begin());
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    ASSERT_TRUE(engine.catch_up(kPatience));
    const Counts wanted = scanned(top);
    for (const auto& some : copies) {
      for (const std::unique_ptr<Copy>& copy : some) {
        const Instant deadline = store.log().ports().clock.monotonic() + kPatience;
        EXPECT_TRUE(executor.wait_until([&] { return copy->rows() == wanted; }, deadline)) << "round " << round;
      }
    }
    if (HasFailure()) break;
  }
  rebuilding = false;
  rebuild.join();
  EXPECT_GT(rebuilt, 0);
}

TEST_P(ChangeFeedThreads, NoCallIsInProgressWhenTheTokenIsGone) {
  Engine engine{store, rows(), {.commit_interval = 0ms}};
  auto& top = engine.add<TopPages>();
  std::atomic<bool> watching{true};
  std::atomic<int> calls{0};
  const auto watch = [&] {
    while (watching) {
      const auto is_gone = std::make_shared<std::atomic<bool>>(false);
      WatchToken token = top.watch([&calls, is_gone](const auto&) {
        EXPECT_FALSE(*is_gone);
        std::this_thread::yield();
        EXPECT_FALSE(*is_gone);
        ++calls;
      });
      std::this_thread::yield();
      token.reset();
      *is_gone = true;
    }
  };
  std::vector<std::thread> watchers;
  watchers.emplace_back(watch);
  watchers.emplace_back(watch);
  ASSERT_TRUE(engine.start());  // beside those who watch already
  for (int number = 0; number < 300 || (calls == 0 && number < 10'000); ++number) {
    const Commit commit = view(store, "v", "/a").value();
    ASSERT_TRUE(top.wait_for(at_least(commit, kPatience)));
  }
  watching = false;
  for (std::thread& watcher : watchers) watcher.join();
  EXPECT_GT(calls, 0);
  EXPECT_TRUE(engine.stop());
}

INSTANTIATE_TEST_SUITE_P(Rows, ChangeFeedThreads, testing::Values(false, true),
                         [](const auto& kind) { return kind.param ? "Sqlite" : "Memory"; });

}  // namespace
}  // namespace lungo::test
