// The event browser: what its answers hold, and that pages show each event once.
#include <gtest/gtest.h>

#include <algorithm>
#include <boost/json.hpp>
#include <functional>

#include "tests/samples/event_browser_fixture.hpp"

namespace lungo::test {
namespace {

TEST_F(EventBrowserTest, TopicsOfTheLibraryAreNotShown) {
  add("visitor-1", "/a", 10);
  const json::array topics = object(browser.topics()).at("topics").as_array();
  ASSERT_EQ(topics.size(), 1u);
  EXPECT_EQ(topics[0].at("name").as_string(), "events");
  ASSERT_EQ(topics[0].at("partitions").as_array().size(), 4u);
  std::int64_t events = 0;
  for (const json::value& one : topics[0].at("partitions").as_array())
    events += one.at("end").as_int64() - one.at("start").as_int64();
  EXPECT_EQ(events, 1);
  ASSERT_TRUE(log->topic(kShapesTopic));
  EXPECT_EQ(browser.streams(kShapesTopic).error(), Errc::not_found);
}

TEST_F(EventBrowserTest, AnEmptyTopicHasAnEmptyPage) {
  EXPECT_EQ(browser.events({.topic = "events"}).value(), R"({"events":[],"before":null})");
  EXPECT_EQ(browser.streams("events").value(), R"({"streams":[],"looked_at":0})");
  EXPECT_EQ(browser.events({.topic = "events", .before = "0,0,0,0"}).value(), R"({"events":[],"before":null})");
  EXPECT_EQ(browser.event("events", PartitionId{0}, Offset{0}).error(), Errc::offset_out_of_range);
}

TEST_F(EventBrowserTest, PagesGoFromTheNewestToTheVeryBeginningWithEachEventOnce) {
  std::vector<std::int64_t> expected;
  for (std::int64_t time = 0; time < 500; ++time) {
    add("visitor-" + std::to_string(time * 7 % 23), "/page", time * 1'000);
    expected.insert(expected.begin(), time);
  }
  for (const std::int64_t limit : {1, 7, 50, 200}) {
    const std::vector<json::object> events = all_pages("events", limit);
    std::vector<std::int64_t> times;
    for (const json::object& event : events) times.push_back(seconds_of(event));
    EXPECT_EQ(times, expected) << "limit " << limit;
  }
  const json::object page = object(browser.events({.topic = "events"}));
  EXPECT_EQ(page.at("events").as_array().size(), 50u);
}

// Times that go back within a partition, as an import of older logs gives: no event is lost or shown twice for it.
TEST_F(EventBrowserTest, TimesThatGoBackLoseNoEvent) {
  const std::uint64_t seed = test_seed(17);
  SCOPED_TRACE(seed);
  Random random{seed};
  for (std::int64_t i = 0; i < 300; ++i)
    add("visitor-" + std::to_string(i % 11), "/page", static_cast<std::int64_t>(random.below(50)) * 1'000);
  const std::vector<json::object> events = all_pages("events", 13);
  ASSERT_EQ(events.size(), 300u);
  expect_each_once_and_backwards(events);
}

TEST_F(EventBrowserTest, OfEqualTimesTheLaterPartitionAndOffsetComeFirst) {
  for (int i = 0; i < 40; ++i) add("visitor-" + std::to_string(i), "/page", 5'000);
  std::vector<std::pair<std::int64_t, std::int64_t>> places;
  for (const json::object& event : all_pages("events", 3)) places.push_back(place_of(event));
  EXPECT_EQ(places.size(), 40u);
  EXPECT_TRUE(std::ranges::is_sorted(places, std::greater{}));
}

TEST_F(EventBrowserTest, AStreamIsPagedForwards) {
  for (int i = 0; i < 25; ++i) {
    add("visitor-1", "/" + std::to_string(i), i * 1'000);
    add("visitor-2", "/other", i * 1'000);
  }
  std::vector<std::int64_t> times;
  EventsQuery query{.topic = "events", .stream = "visitor-1", .limit = 10};
  for (int pages = 0; pages < 3; ++pages) {
    const json::object page = object(browser.events(query));
    EXPECT_FALSE(page.contains("before"));
    for (const json::value& event : page.at("events").as_array()) {
      EXPECT_EQ(event.at("stream").as_string(), "visitor-1");
      times.push_back(seconds_of(event.as_object()));
    }
    ASSERT_EQ(page.at("after").is_null(), pages == 2);
    if (pages < 2) query.after = text(page.at("after"));
  }
  std::vector<std::int64_t> expected(25);
  for (int i = 0; i < 25; ++i) expected[static_cast<std::size_t>(i)] = i;
  EXPECT_EQ(times, expected);
}

TEST_F(EventBrowserTest, StreamsAreThoseOfTheNewestEvents) {
  for (int i = 0; i < 5; ++i) add("visitor-old", "/", i * 1'000);
  for (int i = 0; i < 3; ++i) add("visitor-new", "/", (10 + i) * 1'000);
  const json::object answer = object(browser.streams("events"));
  EXPECT_EQ(answer.at("looked_at").as_int64(), 8);
  const json::array& streams = answer.at("streams").as_array();
  ASSERT_EQ(streams.size(), 2u);
  EXPECT_EQ(json::serialize(streams[0]), R"({"stream":"visitor-new","events":3,"last":"1970-01-01T00:00:12.000Z"})");
  EXPECT_EQ(json::serialize(streams[1]), R"({"stream":"visitor-old","events":5,"last":"1970-01-01T00:00:04.000Z"})");
}

TEST_F(EventBrowserTest, AnEventIsDecodedByItsShape) {
  AppendOptions options;
  options.meta = {Timestamp{std::chrono::milliseconds{1'250}}, "id-1", "corr", "cause", "import-1", {}};
  const Commit commit =
      store.append("events", StreamId{"visitor", "1"}, Looked{"/menu", 3, std::int64_t{1} << 60}, options).value();
  const json::object event = object(browser.event("events", commit.partition.partition, commit.first));
  EXPECT_EQ(json::serialize(event.at("payload")), R"({"page":"/menu","count":3,"large":"1152921504606846976"})");
  EXPECT_EQ(text(event.at("topic")), "events");
  EXPECT_EQ(event.at("partition").as_int64(), commit.partition.partition.value());
  EXPECT_EQ(event.at("offset").as_int64(), commit.first.value());
  EXPECT_EQ(text(event.at("time")), "1970-01-01T00:00:01.250Z");
  EXPECT_EQ(text(event.at("recorded")), browser_time(simulation.clock.now()));
  EXPECT_EQ(text(event.at("type")), "Looked");
  EXPECT_EQ(text(event.at("stream")), "visitor-1");
  EXPECT_EQ(text(event.at("id")), "id-1");
  EXPECT_EQ(text(event.at("correlation")), "corr");
  EXPECT_EQ(text(event.at("causation")), "cause");
  EXPECT_EQ(text(event.at("lane")), "import-1");
  EXPECT_EQ(text(event.at("shape")), shape_of<Looked>().to_text());
  EXPECT_TRUE(event.at("error").is_null());
  EXPECT_GT(event.at("bytes").as_int64(), 6);
}

TEST_F(EventBrowserTest, ATrimmedPartitionEndsAtItsStart) {
  for (int i = 0; i < 60; ++i) add_raw({.stream = "visitor-0", .type = "Odd", .time = Timestamp{std::chrono::seconds{i}}});
  log->trim({"events", PartitionId{0}}, Offset{45});
  EXPECT_EQ(all_pages("events", 4).size(), 15u);
  EXPECT_EQ(browser.event("events", PartitionId{0}, Offset{44}).error(), Errc::offset_out_of_range);
  // A cursor from before the trim.
  EXPECT_EQ(browser.events({.topic = "events", .before = "30,0,0,0"}).value(), R"({"events":[],"before":null})");
}

// Batches and segments end where they like; windows of offsets do not care.
TEST(EventBrowserOnDisk, PagesCrossBatchesAndSegments) {
  const TempDirectory directory;
  std::shared_ptr<EventLog> log = open_local(directory / "data").value();
  TopicSpec spec;
  spec.name = "events";
  spec.partitions = 2;
  spec.streams = true;
  spec.segment_bytes = 100'000;
  ASSERT_TRUE(log->create_topic(spec));
  EventStore store{log};
  std::int64_t added = 0;
  for (const int size : {1, 300, 7, 150, 1, 1, 40}) {
    EventBatch batch = store.batch("events").value();
    for (int i = 0; i < size; ++i) {
      const EventMeta meta{.time = Timestamp{std::chrono::seconds{added}}};
      ASSERT_TRUE(batch.add("visitor-" + std::to_string(added % 13), Looked{std::string(2'000, 'x'), added, 0}, meta));
      ++added;
    }
    ASSERT_TRUE(store.append_wait(std::move(batch)));
  }
  EventBrowser browser{store};
  for (const std::int64_t limit : {3, 60, 200}) {
    const std::vector<json::object> events = all_pages(browser, "events", limit);
    ASSERT_EQ(events.size(), static_cast<std::size_t>(added)) << "limit " << limit;
    for (std::size_t i = 0; i < events.size(); ++i) ASSERT_EQ(seconds_of(events[i]), added - 1 - static_cast<std::int64_t>(i));
  }
  const json::object last = all_pages(browser, "events", 200).back();
  const auto [partition, offset] = place_of(last);
  const json::object event = object(browser.event("events", PartitionId{static_cast<std::int32_t>(partition)}, Offset{offset}));
  EXPECT_EQ(event.at("payload").at("count").as_int64(), 0);
  std::size_t of_stream = 0;
  EventsQuery query{.topic = "events", .stream = "visitor-5", .limit = 4};
  while (true) {
    const json::object page = object(browser.events(query));
    of_stream += page.at("events").as_array().size();
    if (page.at("after").is_null()) break;
    query.after = text(page.at("after"));
  }
  EXPECT_EQ(of_stream, static_cast<std::size_t>((added - 5 + 12) / 13));
}

}  // namespace
}  // namespace lungo::test
