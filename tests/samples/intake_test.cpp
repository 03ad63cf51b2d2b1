// The way in for posted events without a server: what is told of trouble, whose events they are, and what one lane may hold.
#include "web/intake.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <lungo/framework/partition_reader.hpp>

#include "tests/support/memory_event_log.hpp"
#include "tests/support/simulation.hpp"

namespace lungo::test {
namespace {

using namespace std::chrono_literals;
using tracker::Intake;
using tracker::IntakeOptions;
namespace http = tracker::http;

/// Something may happen whenever it is asked for the time.
class BusyClock final : public ManualClock {
 public:
  Timestamp now() override {
    if (const std::function<void()> happens = std::exchange(on_now, nullptr)) happens();
    return ManualClock::now();
  }
  Instant monotonic() override {
    if (const std::function<void()> happens = std::exchange(on_monotonic, nullptr)) happens();
    return ManualClock::monotonic();
  }

  std::function<void()> on_now;
  std::function<void()> on_monotonic;
};

class IntakeOf : public ::testing::Test {
 protected:
  IntakeOf() {
    store.stream_topic(tracker::kEventsTopic, 4).value();
    EXPECT_TRUE((store.declare<tracker::PageViewed, tracker::CustomEvent>()));
    IntakeOptions options;
    options.rate = {};
    options.in_flight_max = 1u << 30;
    options.behind_proxy = true;
    intake =
        Intake::open(appends, {}, options, [this](std::function<void()> work) { posted.push_back(std::move(work)); }).value();
  }

  static http::Request request_from(const std::string& address, int events = 1) {
    const std::string event = R"({"name":"pageview","url":"http://localhost/"})";
    http::Request request;
    request.peer = boost::asio::ip::make_address(address);
    request.body = "[" + event;
    for (int i = 1; i < events; ++i) request.body += "," + event;
    request.body += "]";
    return request;
  }
  void take(const http::Request& request) {
    intake->take(request, http::Responder{[this](const http::Reply& reply) {
                   answers.push_back(reply.code());
                   last_body = reply.body();
                 }});
  }
  void run_posted() {
    while (!posted.empty())
      for (const std::function<void()>& work : std::exchange(posted, {})) work();
  }
  /// Sends an event and waits for the answer.
  http::status send(const std::string& address) {
    take(request_from(address));
    run_posted();
    return answers.back();
  }
  std::int64_t end_of(std::int32_t partition) {
    return log->ends({std::string{tracker::kEventsTopic}, PartitionId{partition}}).value().committed.value();
  }
  std::int64_t stored() { return end_of(0) + end_of(1) + end_of(2) + end_of(3); }
  /// Where the address's visitor's events go.
  std::int32_t partition_of(const std::string& address) {
    std::vector<std::int64_t> before;
    for (std::int32_t i = 0; i < 4; ++i) before.push_back(end_of(i));
    send(address);
    std::int32_t partition = 0;
    while (partition < 3 && end_of(partition) == before[static_cast<std::size_t>(partition)]) ++partition;
    return partition;
  }
  /// An address whose visitor's events go to another partition than the first one's.
  std::string other_than(const std::string& first) {
    const std::int32_t partition = partition_of(first);
    for (int i = 0; i < 100; ++i)
      if (std::string address = "198.51.100." + std::to_string(i); partition_of(address) != partition) return address;
    return {};
  }

  Simulation sim{test_seed(51)};
  PosixPorts posix;
  BusyClock clock;
  std::shared_ptr<MemoryEventLog> log =
      std::make_shared<MemoryEventLog>(Ports{posix.ports().storage, clock, sim.executor, sim.random});
  EventStore store{log};
  tracker::EventAppends appends{store};
  std::vector<std::function<void()>> posted;
  std::vector<http::status> answers;
  std::string last_body;
  std::unique_ptr<Intake> intake;
};

const std::string kOne = "192.0.2.1";
const Error kFull{Errc::no_space, "the disk is full"};
const Error kFailed{Errc::partition_failed, "a sync failed"};

TEST_F(IntakeOf, FullDiskIsNoTroubleAnyMoreWhenNobodyMeetsIt) {
  log->fail_appends(1, kFull);
  EXPECT_EQ(send(kOne), http::status::service_unavailable);
  ASSERT_TRUE(intake->trouble());
  EXPECT_EQ(*intake->trouble(), Errc::no_space);
  clock.advance(9s);
  EXPECT_TRUE(intake->trouble());
  clock.advance(2s);
  EXPECT_FALSE(intake->trouble()) << "a balancer that sends no more events would never send any again";
}

TEST_F(IntakeOf, RefusalNamesTheReasonWithoutTheServersPaths) {
  log->fail_appends(1, {Errc::no_space, "/srv/data/events-0/000.log: write: No space left on device"});
  EXPECT_EQ(send(kOne), http::status::service_unavailable);
  EXPECT_NE(last_body.find("the disk is full"), std::string::npos) << last_body;
  EXPECT_EQ(last_body.find("srv"), std::string::npos) << last_body;
}

TEST_F(IntakeOf, TroubleOfAPartitionEndsWithItsOwnNextSuccess) {
  const std::string other = other_than(kOne);
  log->fail_appends(1, kFull);
  send(kOne);
  EXPECT_EQ(send(other), http::status::no_content);
  EXPECT_TRUE(intake->trouble()) << "nothing is known of the full partition";
  EXPECT_EQ(send(kOne), http::status::no_content);
  EXPECT_FALSE(intake->trouble());
}

TEST_F(IntakeOf, FailedPartitionStaysTroubleWhateverGoesOnBesideIt) {
  const std::string other = other_than(kOne);
  log->fail_appends(1, kFailed);
  send(kOne);
  EXPECT_EQ(send(other), http::status::no_content);
  clock.advance(1h);
  log->fail_appends(1, kFull);
  send(other);
  ASSERT_TRUE(intake->trouble());
  EXPECT_EQ(*intake->trouble(), Errc::partition_failed);
}

TEST_F(IntakeOf, SenderIsTheSameInBothFormsOfItsAddress) {
  const auto address = boost::asio::ip::make_address(kOne);
  http::Request request = request_from("::1");
  request.fields.set("X-Forwarded-For", "203.0.113.9, ::ffff:192.0.2.1");
  EXPECT_EQ(intake->sender_of(request), address);
  request.fields.set("X-Forwarded-For", "2001:db8::1");
  EXPECT_EQ(intake->sender_of(request), boost::asio::ip::make_address("2001:db8::1"));
}

// One append is on its way and takes long; whoever comes meanwhile shares the next one.
TEST_F(IntakeOf, NothingOfARefusedRequestIsStored) {
  log->hold_commits();
  const http::Request request = request_from(kOne, 100);
  std::size_t sent = 0;
  while (answers.empty() && sent < 20'000) {
    take(request);
    run_posted();
    ++sent;
  }
  ASSERT_EQ(answers, std::vector{http::status::service_unavailable}) << "to come again, as it is nobody's fault";
  log->commit_held();
  run_posted();
  ASSERT_EQ(answers.size(), sent);
  EXPECT_EQ(std::count(answers.begin(), answers.end(), http::status::no_content), static_cast<std::ptrdiff_t>(sent - 1));
  EXPECT_EQ(stored(), static_cast<std::int64_t>(sent - 1) * 100);
  EXPECT_EQ(intake->counts().in_flight, 0U);
}

TEST_F(IntakeOf, EventThatComesWhileTheTimeIsReadIsNotPassed) {
  log->hold_commits();
  Timestamp came{};
  clock.on_now = [&] {
    take(request_from(kOne));
    came = clock.now();
    clock.advance(1h);
  };
  EXPECT_LE(intake->complete_until(), came);
  // The other way round: the time is read while an event comes.
  clock.advance(1h);
  std::vector<Timestamp> passed;
  const auto look = [&] {
    clock.advance(1h);
    passed.push_back(intake->complete_until());
  };
  log->commit_held();
  run_posted();
  clock.on_monotonic = [&] {
    look();
    clock.on_monotonic = look;
  };
  take(request_from(kOne));
  clock.on_monotonic = nullptr;
  run_posted();
  ASSERT_EQ(stored(), 2);
  const TopicInfo topic = log->topic(tracker::kEventsTopic).value();
  Timestamp last{};
  for (std::int32_t partition = 0; partition < 4; ++partition) {
    PartitionReader reader{*log, topic, {topic.id, PartitionId{partition}, Offset{0}, kNoEpoch}};
    while (const Envelope* envelope = reader.next().value()) last = std::max(last, envelope->time);
  }
  ASSERT_EQ(passed.size(), 2U);
  for (const Timestamp time : passed) EXPECT_LE(time, last);
}

}  // namespace
}  // namespace lungo::test
