// What the tests of the statistics share: all read models in memory over a log in memory, and random events.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "tests/support/memory_event_log.hpp"
#include "tests/support/random.hpp"
#include "tests/support/simulation.hpp"
#include "tracker.hpp"
#include "web/stats_load.hpp"

namespace lungo::test {

class StatsTest : public ::testing::Test {
 protected:
  StatsTest() {
    for (const std::string_view topic : {tracker::kEventsTopic, tracker::kSessionsTopic}) store.stream_topic(topic, 4).value();
  }

  void start() {
    ASSERT_TRUE(engine.start().has_value());
    catch_up();
  }
  void catch_up() { ASSERT_TRUE(engine.catch_up(std::chrono::seconds{60}).has_value()); }

  template <class E>
  void append(const E& event, std::string_view topic = tracker::kEventsTopic) {
    const std::string visitor = "visitor-" + std::to_string(random.below(50));
    ASSERT_TRUE(store.append(topic, StreamId::written(visitor), event).has_value());
  }

  std::string pick(const std::vector<std::string>& from) { return from[random.below(from.size())]; }

  // About now, some days ago, or long ago.
  std::chrono::sys_seconds random_time() {
    const std::int64_t reach[] = {1'800, 86'400, 70 * 86'400};
    return now - std::chrono::seconds{random.below(static_cast<std::uint64_t>(reach[random.below(3)]))};
  }

  template <class E>
  void fill(E& event) {
    event.visitor[0] = static_cast<std::byte>(random.below(3));
    event.visitor[1] = static_cast<std::byte>(random.below(20));
    event.time = random_time();
    event.target = pick(pages) + pick({"", "?x=1"});
    event.referrer_host = pick({"", "", "a.example", "b.example", "\xff\xc3.example"});
    event.browser = pick({"Firefox", "Chrome", "other"});
    event.system = pick({"Linux", "Windows"});
    event.device = static_cast<tracker::Device>(random.below(4));
    event.bot = random.below(8) == 0;
  }

  void append_random_event() {
    switch (random.below(6)) {
      case 0:
      case 1: {
        tracker::Request request;
        fill(request);
        request.status = random.below(4) == 0 ? 404 : 200;
        request.kind = tracker::RequestKind::page;
        return append(request);
      }
      case 2:
      case 3: {
        tracker::PageViewed viewed;
        fill(viewed);
        return append(viewed);
      }
      case 4: {
        tracker::CustomEvent event;
        fill(event);
        event.name = pick({"Order", "Click"});
        return append(event);
      }
      default: {
        tracker::SessionEnded ended;
        ended.started = random_time();
        ended.entry_page = pick(pages);
        ended.exit_page = pick(pages);
        ended.pages = 1 + static_cast<std::int64_t>(random.below(3));
        ended.bounce = ended.pages == 1;
        ended.duration_seconds = static_cast<std::int64_t>(random.below(100));
        ended.path = {ended.entry_page, ended.exit_page};
        append(tracker::SessionStarted{ended.started, 0, ended.entry_page, ""}, tracker::kSessionsTopic);
        return append(ended, tracker::kSessionsTopic);
      }
    }
  }

  Random random{test_seed(31)};
  std::chrono::sys_seconds now = std::chrono::sys_days{std::chrono::year{2026} / 3 / 1} + std::chrono::hours{13};
  std::vector<std::string> pages{"/",    "/menu", "/cart", "/\xe9", "/a/1", "/a/2", "/a/3",
                                 "/a/4", "/a/5",  "/a/6",  "/a/7",  "/a/8", "/a/9", "/b"};
  Simulation sim{test_seed(32)};
  PosixPorts posix;
  Ports ports{posix.ports().storage, sim.clock, sim.executor, sim.random};
  std::shared_ptr<MemoryEventLog> log = std::make_shared<MemoryEventLog>(ports);
  EventStore store{log};
  Engine engine{store, memory()};
  tracker::AddedProjections rows{engine};
};

}  // namespace lungo::test
