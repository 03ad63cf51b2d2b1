// Sockets of dashboards at the desk: who asks often takes no place from others, and always gets what it asked for last.
#include "web/watchers.hpp"

#include <boost/json.hpp>

#include "tests/samples/stats_fixture.hpp"

namespace lungo::test {
namespace {

using namespace std::chrono_literals;
using tracker::StatsDesk;
using tracker::Watchers;

class Socket final : public tracker::http::WebSocket {
 public:
  void send(std::shared_ptr<const std::string> message) override { told.push_back(boost::json::parse(*message).as_object()); }
  /// The types of what it was told.
  [[nodiscard]] std::vector<std::string> types() const {
    std::vector<std::string> all;
    for (const boost::json::object& one : told) all.emplace_back(one.at("type").as_string().c_str());
    return all;
  }

  std::vector<boost::json::object> told;
};

std::string watch(const std::string& period) { return R"({"type":"watch","period":")" + period + "\"}"; }

class WatchersOfADesk : public StatsTest {
 protected:
  WatchersOfADesk() {
    sim.clock.set_wall(now);
    desk.set_running(running.get());
    start();
  }
  ~WatchersOfADesk() override { desk.set_running(nullptr); }

  /// Until nothing waits for more of it.
  void fill_desk() {
    while (desk.submit([] {})) {
    }
  }
  /// A view of `period`, and nothing else since `first`.
  static void expect_view(const Socket& socket, const std::string& period) {
    ASSERT_FALSE(socket.told.empty());
    ASSERT_EQ(socket.told.back().at("type"), "view");
    EXPECT_EQ(socket.told.back().at("view").at("filter").at("period").as_string(), period);
  }

  StatsDesk desk{engine, rows, ports};
  std::unique_ptr<RunningActivity> running = sim.executor.start(desk);
  Watchers watchers{desk, [](const std::function<void()>& work) { work(); }};
  Socket socket;
  Socket other;
};

TEST_F(WatchersOfADesk, WhatIsRefusedTakesNothingFromWhatWasAskedBefore) {
  const auto dashboard = watchers.join(socket);
  dashboard->on_message(watch("7d"));
  fill_desk();
  dashboard->on_message(watch("today"));
  sim.executor.run_for(1s);
  expect_view(socket, "today");
}

TEST_F(WatchersOfADesk, WhoIsRefusedIsToldAndMayAskAgain) {
  const auto dashboard = watchers.join(socket);
  fill_desk();
  dashboard->on_message(watch("7d"));
  EXPECT_EQ(socket.types(), std::vector<std::string>{"error"});
  sim.executor.run_for(1s);
  dashboard->on_message(watch("7d"));
  sim.executor.run_for(1s);
  expect_view(socket, "7d");
}

TEST_F(WatchersOfADesk, WhoAsksOftenTakesOnePlaceAndGetsTheLast) {
  const auto dashboard = watchers.join(socket);
  const auto patient = watchers.join(other);
  for (std::size_t i = 0; i < 4 * StatsDesk::kJobsMax; ++i) dashboard->on_message(watch(i % 2 == 0 ? "7d" : "12mo"));
  dashboard->on_message(watch("30d"));
  patient->on_message(watch("today"));
  sim.executor.run_for(1s);
  expect_view(other, "today");
  expect_view(socket, "30d");
  EXPECT_EQ(socket.types(), std::vector<std::string>{"view"}) << "nobody wants those in between";
}

TEST_F(WatchersOfADesk, WhoLeavesWhileItAsksLeavesNoViewBehind) {
  for (std::size_t i = 0; i < 2 * StatsDesk::kViewsMax; ++i) {
    const auto dashboard = watchers.join(socket);
    dashboard->on_message(R"({"type":"watch","period":"7d","page":"/)" + std::to_string(i) + "\"}");
    dashboard->on_message(R"({"type":"watch","period":"today","page":"/)" + std::to_string(i) + "\"}");
    if (i % 2 == 0) sim.executor.run_for(100ms);
  }
  sim.executor.run_for(1s);
  EXPECT_EQ(watchers.size(), 0U);
  const auto patient = watchers.join(other);
  patient->on_message(watch("12mo"));
  sim.executor.run_for(1s);
  expect_view(other, "12mo");
}

}  // namespace
}  // namespace lungo::test
