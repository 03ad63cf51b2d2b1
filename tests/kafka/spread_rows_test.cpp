// Goal: two processes over one cluster keep a projection's rows together, and each reads all of them, whoever has come or gone.
#include <lungo/projections/spread_engine.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>

#include <lungo/cluster/kafka.hpp>
#include <lungo/framework/forwarded_appends.hpp>
#include <lungo/log/answer.hpp>

#include "tests/kafka/brokers.hpp"
#include "tests/support/quiet_log.hpp"
#include "tests/support/temp_directory.hpp"

namespace lungo::test {
namespace {

using namespace std::chrono_literals;

constexpr std::int32_t kSpreadOver = 4;  // partitions

struct Points {
  std::int64_t game = 0;
  std::int64_t points = 0;
};

struct PointsOfGames {
  static constexpr std::string_view topic = "spread-rows-test";
  using Events = lungo::events<Points>;
  using Key = std::int64_t;
  struct State {
    std::int64_t points = 0;
  };
  static inline std::atomic<int> applied{0};
  static Key key(const Envelope&, const Points& e) { return e.game; }
  static void evolve(State& s, const Points& e) {
    ++applied;
    s.points += e.points;
  }
  static State merge(State a, const State& b) { return {a.points + b.points}; }
};

/// Hands requests over to whoever is there, in this process.
class Wires final : public Forwarder {
 public:
  void set(const std::string& endpoint, ForwardServer* server) {
    const std::lock_guard lock(mutex_);
    servers_[endpoint] = server;
  }
  void forward(const std::string& endpoint, Bytes request, Done done) override {
    const std::lock_guard lock(mutex_);
    ForwardServer* const server = servers_[endpoint];
    if (server == nullptr) return done(Error{Errc::closed, "connection refused"});
    server->serve(request, [done = std::move(done)](Bytes answer) { done(std::move(answer)); });
  }

 private:
  std::mutex mutex_;  // held while a request is served, so that a server outlives it
  std::map<std::string, ForwardServer*> servers_;
};

class KafkaSpread : public testing::Test {
 protected:
  struct Site {
    Site(KafkaSpread& test, const std::string& its_endpoint)
        : wires(test.wires), endpoint(its_endpoint), log(test.open(endpoint)) {
      store.emplace(log);
      store->forward_with(wires);
      store->stream_topic(PointsOfGames::topic, kSpreadOver).value();
      server.emplace(*store);
      server->take_appends(PointsOfGames::topic).value();
      engine.emplace(*store, sqlite_by_partition("views.db"));
      points = &engine->add<PointsOfGames>();
      engine->answer_in(*server);
      engine->start().value();
      appends.emplace(*store);
      wires->set(endpoint, &*server);
    }
    ~Site() { wires->set(endpoint, nullptr); }

    std::shared_ptr<Wires> wires;
    std::string endpoint;
    std::shared_ptr<EventLog> log;
    std::optional<EventStore> store;
    std::optional<ForwardServer> server;
    std::optional<SpreadEngine> engine;
    SpreadProjection<PointsOfGames>* points = nullptr;
    std::optional<ForwardedAppends> appends;
  };

  ~KafkaSpread() override {
    static_cast<void>(brokers.admin->delete_topic(std::string(PointsOfGames::topic), Brokers::kTimeout));
  }

  std::shared_ptr<EventLog> open(const std::string& endpoint) {
    KafkaOptions options;
    options.directory = scratch / endpoint;
    options.endpoint = endpoint;
    return connect_kafka(kafka_address(), app, options).value();
  }
  /// At their owners, whoever they are; returns what was committed.
  std::vector<Commit> score(Site& site, int count) {
    EventBatch batch = site.store->batch(PointsOfGames::topic).value();
    for (int event = 0; event < count; ++event, ++scored) {
      EventMeta meta;
      const std::string id = std::to_string(scored);
      meta.id = id;
      batch.add(StreamId("Player", std::to_string(scored % 17)), Points{scored % 5, scored}, meta).value();
      wanted[scored % 5] += scored;
    }
    std::vector<Commit> commits;
    for (AppendRequest& request : EventStore::requests_of(std::move(batch))) {
      Answer<Commit> answer{site.log->ports(), 60s};
      site.appends->append(std::move(request), 60s, answer.completion());
      commits.push_back(answer.wait()->value());
    }
    return commits;
  }
  void expect_wanted(Site& site, const std::vector<Commit>& commits) {
    Result<std::vector<RowOf<PointsOfGames>>> rows = std::vector<RowOf<PointsOfGames>>{};
    for (const Commit& commit : commits) {
      rows = site.points->scan({}, {.timeout = 60s, .at_least = commit});
      ASSERT_TRUE(rows) << rows.error();
    }
    std::map<std::int64_t, std::int64_t> found;
    for (const auto& row : *rows) found.emplace(row.key, row.state.points);
    EXPECT_EQ(found, wanted);
  }
  static bool owns(Site& site, std::size_t partitions) {
    const Ports ports = site.log->ports();
    return ports.executor.wait_until([&] { return site.engine->status().size() == partitions; }, ports.clock.monotonic() + 60s);
  }

  QuietLog quiet;
  TempDirectory scratch;
  Brokers brokers;
  const std::string app = brokers.name("spread");
  const std::shared_ptr<Wires> wires = std::make_shared<Wires>();
  std::int64_t scored = 0;
  std::map<std::int64_t, std::int64_t> wanted;  // points by game
};

TEST_F(KafkaSpread, TwoProcessesKeepTheRowsTogetherAndOneTakesThemOver) {
  constexpr int kFirst = 2000;
  constexpr int kLater = 100;
  Site here{*this, "10.0.0.1:80"};
  expect_wanted(here, score(here, kFirst));
  auto there = std::make_unique<Site>(*this, "10.0.0.2:80");
  ASSERT_TRUE(owns(here, kSpreadOver / 2));
  ASSERT_TRUE(owns(*there, kSpreadOver / 2));
  const std::vector<Commit> commits = score(here, kLater);
  expect_wanted(here, commits);
  expect_wanted(*there, commits);
  PointsOfGames::applied = 0;
  there.reset();
  ASSERT_TRUE(owns(here, kSpreadOver));
  expect_wanted(here, commits);
  EXPECT_LE(PointsOfGames::applied, kLater) << "what came while the other had them; the rest is in the files";
}

}  // namespace
}  // namespace lungo::test
