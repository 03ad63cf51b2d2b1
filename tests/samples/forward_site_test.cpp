// Appends that another tracker makes, over HTTP: that they get there, once, and what is answered when they don't.
#include "forward/forward_site.hpp"

#include <gtest/gtest.h>

#include <thread>

#include <lungo/framework/partition_reader.hpp>
#include "import/batched_appends.hpp"
#include "tests/samples/forward_fixture.hpp"
#include "web/intake.hpp"

namespace lungo::test {
namespace {

using namespace std::chrono_literals;

class ForwardSite : public Forwarded {};

TEST_F(ForwardSite, AppendsGoToWhoeverOwnsTheirPartition) {
  ForwardingTracker there{secret_};
  ForwardingTracker here{secret_, there.site->endpoint()};
  EXPECT_EQ(there.append("visitor-0"), "written");
  for (int visitor = 1; visitor <= 20; ++visitor) EXPECT_EQ(here.append("visitor-" + std::to_string(visitor)), "written");
  EXPECT_EQ(there.stored(), 21);
  EXPECT_EQ(here.stored(), 0);
  EXPECT_EQ(here.append("visitor-1", "one"), "written");
  EXPECT_EQ(here.append("visitor-1", "one"), "repeated");
}

TEST_F(ForwardSite, ManyAtATimeGoThroughToo) {
  ForwardingTracker there{secret_};
  ForwardingTracker here{secret_, there.site->endpoint()};
  std::vector<std::future<ForwardingTracker::Outcome>> outcomes;
  for (int visitor = 0; visitor < 300; ++visitor) outcomes.push_back(here.begin("visitor-" + std::to_string(visitor)));
  for (auto& outcome : outcomes) EXPECT_TRUE(outcome.get());
  EXPECT_EQ(there.stored(), 300);
}

TEST_F(ForwardSite, AnOwnerThatWasStartedAnewIsReachedOverANewConnection) {
  auto there = std::make_unique<ForwardingTracker>(secret_);
  const boost::asio::ip::tcp::endpoint at = *tracker::endpoint_of(there->site->endpoint());
  ForwardingTracker here{secret_, there->site->endpoint()};
  EXPECT_EQ(here.append("visitor-1"), "written");
  there.reset();
  there = std::make_unique<ForwardingTracker>(secret_, "", tracker::ForwardTimeouts{}, at);
  EXPECT_EQ(here.append("visitor-1"), "written") << "without an id: the old connection was not tried";
  EXPECT_EQ(there->stored(), 1);
}

TEST_F(ForwardSite, AnOwnerThatIsNotThereYetIsWaitedFor) {
  boost::asio::ip::tcp::endpoint at;
  { at = *tracker::endpoint_of(ForwardingTracker{secret_}.site->endpoint()); }
  ForwardingTracker here{secret_, tracker::text_of(at)};
  auto outcome = here.begin("visitor-1");
  EXPECT_EQ(outcome.wait_for(200ms), std::future_status::timeout);
  ForwardingTracker there{secret_, "", {}, at};
  EXPECT_TRUE(outcome.get());
}

TEST_F(ForwardSite, TwoThatTakeEachOtherForTheOwnerSendNothingInACircle) {
  ForwardingTracker one{secret_};
  ForwardingTracker other{secret_, one.site->endpoint()};
  one.log->give_to(other.site->endpoint());
  auto outcome = other.begin("visitor-1");
  EXPECT_EQ(outcome.wait_for(300ms), std::future_status::timeout) << "it waits for an owner";
  one.log->give_to({});
  EXPECT_TRUE(outcome.get());
  EXPECT_EQ(one.stored(), 1);
}

TEST_F(ForwardSite, WhatIsOnItsWayIsAnsweredWhenItStops) {
  ForwardingTracker there{secret_};
  ForwardingTracker here{secret_, there.site->endpoint()};
  there.log->hold_commits();
  auto sent = here.begin("visitor-1");
  while (there.log->append_calls() == 0) std::this_thread::sleep_for(1ms);
  here.appends.reset();
  EXPECT_EQ(to_string(sent.get().error()), "canceled: stopped before the append was answered; it may have been written");
  there.log->commit_held();
  EXPECT_EQ(there.stored(), 1) << "as it was";
  here.site.reset();
  const Result<Bytes> late = here.send(there.site->endpoint(), {});
  EXPECT_EQ(to_string(late.error()), "closed: stopped before it was sent");
}

TEST_F(ForwardSite, EndpointsAreAddressesWithPorts) {
  for (const char* text : {"192.0.2.1:80", "[2001:db8::1]:7070", "127.0.0.1:0"}) {
    ASSERT_TRUE(tracker::endpoint_of(text)) << text;
    EXPECT_EQ(tracker::text_of(*tracker::endpoint_of(text)), text);
  }
  for (const char* text : {"", ":", ":80", "localhost:80", "192.0.2.1", "192.0.2.1:", "192.0.2.1:65536", "192.0.2.1:-1",
                           "2001:db8::1:80", "[192.0.2.1]:80", "192.0.2.1:80x", "192.0.2.1: 80"})
    EXPECT_FALSE(tracker::endpoint_of(text)) << text;
}

TEST_F(ForwardSite, PostedEventsOfAnothersPartitionAreAnswered) {
  ForwardingTracker there{secret_};
  ForwardingTracker here{secret_, there.site->endpoint()};
  std::promise<std::function<void()>> posted;
  const auto intake = tracker::Intake::open(*here.appends, secret_, {}, [&posted](std::function<void()> work) {
                        posted.set_value(std::move(work));
                      }).value();
  tracker::http::Request request;
  request.peer = boost::asio::ip::make_address("127.0.0.1");
  request.body = R"({"name": "pageview", "url": "http://localhost/page", "id": "one"})";
  std::promise<tracker::http::status> answered;
  intake->take(request, tracker::http::Responder{[&](const tracker::http::Reply& reply) { answered.set_value(reply.code()); }});
  posted.get_future().get()();
  EXPECT_EQ(answered.get_future().get(), tracker::http::status::no_content);
  EXPECT_EQ(there.stored(), 1);
}

TEST_F(ForwardSite, AnImportsBatchesFitIntoARequest) {
  ForwardingTracker there{secret_};
  ForwardingTracker here{secret_, there.site->endpoint()};
  const auto batches = tracker::BatchedAppends::open(*here.appends, {std::string(tracker::kFailedTopic)}).value();
  const auto line_of = [](std::size_t bytes) { return tracker::FailedLine{.file = "file", .original = Bytes(bytes)}; };
  there.log->hold_commits();  // while the first is on its way, a second one fills up
  std::thread commits{[&] {
    while (there.log->append_calls() == 0) std::this_thread::sleep_for(1ms);
    std::this_thread::sleep_for(100ms);
    there.log->commit_held();
  }};
  for (int line = 0; line < 6; ++line) ASSERT_TRUE(batches->add(0, "failed-1", line_of(200u << 10), {}));
  ASSERT_TRUE(batches->add(0, "failed-1", line_of(512u << 10), {}));
  ASSERT_TRUE(batches->flush());
  commits.join();
  EXPECT_EQ(there.log->ends({std::string(tracker::kFailedTopic), PartitionId{0}})->committed, Offset{7});
}

}  // namespace
}  // namespace lungo::test
