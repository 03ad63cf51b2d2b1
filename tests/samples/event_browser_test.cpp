// What the page of events is told: topics, streams, pages of events in both directions, one event decoded.
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <set>
#include <string>

#include <lungo/log/local_event_log.hpp>

#include "model/events.hpp"
#include "tests/support/temp_directory.hpp"
#include "web/event_browser.hpp"

namespace lungo::test {
namespace {

using tracker::EventsQuery;

struct Unlike {  // an event that the tracker does not know
  std::string text;
};

class EventBrowserOf : public ::testing::Test {
 protected:
  EventBrowserOf() { store_.stream_topic("events", 3).value(); }

  static EventMeta at(int second) {
    EventMeta meta;
    meta.time = Timestamp{std::chrono::seconds{1'700'000'000 + second}};
    return meta;
  }
  template <class E>
  Commit append(const std::string& stream, const E& event, int second) {
    return store_.append("events", StreamId::written(stream), event, {.meta = at(second)}).value();
  }
  /// A record whose envelope can't be read: no shape's hash is that short.
  void append_undecodable(std::string_view stream) {
    const HeaderView shape{"l.s", as_bytes("short")};
    EncodedRecords records;
    records.add({Timestamp{}, as_bytes(stream), as_bytes("x"), {&shape, 1}}).value();
    const TopicPartition to{"events", partition_of_stream(stream, 3)};
    ASSERT_TRUE(append_wait(store_.log(), {.to = to, .records = std::move(records)}));
  }
  static tracker::PageViewed view_of(const std::string& target) {
    tracker::PageViewed view;
    view.target = target;
    return view;
  }
  static boost::json::object parsed(const Result<std::string>& text) {
    EXPECT_TRUE(text) << (text ? "" : text.error().text());
    return boost::json::parse(text ? *text : "{}").as_object();
  }
  static EventsQuery query(std::int64_t limit, std::string before = "") {
    EventsQuery wanted;
    wanted.topic = "events";
    wanted.limit = limit;
    wanted.before = std::move(before);
    return wanted;
  }
  Errc refused(const EventsQuery& wanted) {
    const Result<std::string> events = browser_.events(wanted);
    return events ? Errc{} : events.error().code();
  }

  TempDirectory directory_;
  EventStore store_{open_local(directory_ / "data").value()};
  tracker::EventBrowser browser_{store_};
};

TEST_F(EventBrowserOf, TopicsAreAllButOurOwnWithTheirEnds) {
  append("visitor-a", view_of("/"), 0);
  const boost::json::array topics = parsed(browser_.topics()).at("topics").as_array();
  ASSERT_EQ(topics.size(), 1U);
  EXPECT_EQ(topics[0].at("name").as_string(), "events");
  std::int64_t ends = 0;
  for (const boost::json::value& partition : topics[0].at("partitions").as_array()) ends += partition.at("end").as_int64();
  EXPECT_EQ(topics[0].at("partitions").as_array().size(), 3U);
  EXPECT_EQ(ends, 1);
}

TEST_F(EventBrowserOf, PagesFromTheNewestToTheFirstShowEachEventOnce) {
  constexpr int kEvents = 173;
  for (int i = 0; i < kEvents; ++i) append("visitor-" + std::to_string(i % 20), view_of("/" + std::to_string(i)), i);
  std::set<std::pair<std::int64_t, std::int64_t>> seen;
  std::string before;
  std::string last_time = "9";
  for (int page = 0; page < 100; ++page) {
    const boost::json::object answer = parsed(browser_.events(query(10, before)));
    for (const boost::json::value& event : answer.at("events").as_array()) {
      EXPECT_TRUE(seen.emplace(event.at("partition").as_int64(), event.at("offset").as_int64()).second);
      const std::string time{event.at("time").as_string()};
      EXPECT_LE(time, last_time) << "newest first";
      last_time = time;
    }
    if (answer.at("before").is_null()) break;
    before = answer.at("before").as_string().c_str();
  }
  EXPECT_EQ(seen.size(), static_cast<std::size_t>(kEvents));
}

TEST_F(EventBrowserOf, AStreamsPagesGoForward) {
  for (int i = 0; i < 25; ++i) {
    append("visitor-a", view_of("/a"), i);
    append("visitor-b", view_of("/b"), i);
  }
  EventsQuery wanted = query(10);
  wanted.stream = "visitor-a";
  std::vector<std::size_t> pages;
  std::int64_t last = -1;
  for (int page = 0; page < 10; ++page) {
    const boost::json::object answer = parsed(browser_.events(wanted));
    pages.push_back(answer.at("events").as_array().size());
    for (const boost::json::value& event : answer.at("events").as_array()) {
      EXPECT_EQ(event.at("stream").as_string(), "visitor-a");
      EXPECT_GT(event.at("offset").as_int64(), last);
      last = event.at("offset").as_int64();
    }
    if (answer.at("after").is_null()) break;
    wanted.after = answer.at("after").as_string().c_str();
  }
  EXPECT_EQ(pages, (std::vector<std::size_t>{10, 10, 5}));
}

TEST_F(EventBrowserOf, StreamsAreListedByTheirLastEvent) {
  append("visitor-a", view_of("/"), 0);
  append("visitor-b", view_of("/"), 1);
  append("visitor-a", view_of("/"), 2);
  const boost::json::object answer = parsed(browser_.streams("events"));
  EXPECT_EQ(answer.at("looked_at").as_int64(), 3);
  const boost::json::array& streams = answer.at("streams").as_array();
  ASSERT_EQ(streams.size(), 2U);
  EXPECT_EQ(streams[0].at("stream").as_string(), "visitor-a");
  EXPECT_EQ(streams[0].at("events").as_int64(), 2);
  EXPECT_EQ(streams[1].at("stream").as_string(), "visitor-b");
}

TEST_F(EventBrowserOf, AnEventIsDecodedByItsShapeWhoeverWroteIt) {
  const Commit commit = append("visitor-a", Unlike{"<script>\xff\u202e\"</script>"}, 5);
  const boost::json::object event = parsed(browser_.event("events", commit.partition.partition, commit.first));
  EXPECT_EQ(event.at("type").as_string(), "Unlike");
  EXPECT_EQ(event.at("time").as_string(), "2023-11-14T22:13:25.000Z");
  EXPECT_NE(std::string{event.at("shape").as_string()}.find("text"), std::string::npos);
  EXPECT_TRUE(event.at("error").is_null()) << event.at("error");
  EXPECT_TRUE(event.at("payload").as_object().contains("text"));
}

TEST_F(EventBrowserOf, BytesWithoutAnEventAreShownAsSuch) {
  EncodedRecords records;
  records.add({Timestamp{}, as_bytes("visitor-a"), as_bytes("\xff\xfe no event"), {}}).value();
  const TopicPartition to{"events", partition_of_stream("visitor-a", 3)};
  const Appended appended = append_wait(store_.log(), {.to = to, .records = std::move(records)}).value();
  const boost::json::object event = parsed(browser_.event("events", to.partition, appended.first));
  EXPECT_TRUE(event.at("error").is_string());
  EXPECT_EQ(parsed(browser_.events(query(10))).at("events").as_array().size(), 1U);
}

TEST_F(EventBrowserOf, BytesWithoutAnEventHideNothingOfTheirStream) {
  for (int i = 0; i < 3; ++i) {
    append("visitor-a", view_of("/a"), i);
    append_undecodable("visitor-a");
  }
  EventsQuery wanted = query(2);
  wanted.stream = "visitor-a";
  std::vector<std::string> types;
  std::set<std::int64_t> offsets;
  for (int page = 0; page < 10; ++page) {
    const boost::json::object answer = parsed(browser_.events(wanted));
    for (const boost::json::value& event : answer.at("events").as_array()) {
      types.emplace_back(event.at("type").as_string().c_str());
      offsets.insert(event.at("offset").as_int64());
      EXPECT_EQ(event.at("stream").as_string(), "visitor-a");
    }
    if (answer.at("after").is_null()) break;
    wanted.after = answer.at("after").as_string().c_str();
  }
  const std::string view = "PageViewed";
  EXPECT_EQ(types, (std::vector<std::string>{view, "", view, "", view, ""}));
  EXPECT_EQ(offsets.size(), 6U);
}

TEST_F(EventBrowserOf, NonsenseIsRefusedWithItsReason) {
  append("visitor-a", view_of("/"), 0);
  for (const char* cursor : {"x", "1", "1,2", "1,2,3,4", "-1,0,0", "1,,2", "99999999999999999999,0,0", "1,2,3 "})
    EXPECT_EQ(refused(query(10, cursor)), Errc::invalid_argument) << cursor;
  EXPECT_EQ(refused(query(10, "9223372036854775807,9223372036854775807,9223372036854775807")), Errc{});
  for (const std::int64_t limit : {-1L, 0L, 201L, INT64_MAX}) EXPECT_EQ(refused(query(limit)), Errc::invalid_argument) << limit;
  EventsQuery wanted = query(10);
  wanted.topic = "../etc";
  EXPECT_EQ(refused(wanted), Errc::not_found);
  wanted = query(10);
  wanted.stream = std::string{"\0\xff/--", 5};
  EXPECT_EQ(refused(wanted), Errc{}) << "a stream without events";
  wanted.after = "-5";
  EXPECT_EQ(refused(wanted), Errc::invalid_argument);
  wanted.after = "9223372036854775807";
  EXPECT_EQ(refused(wanted), Errc{});
  for (const std::int64_t offset : {-1L, 1L, INT64_MAX}) {
    const Result<std::string> event = browser_.event("events", partition_of_stream("visitor-a", 3), Offset{offset});
    EXPECT_EQ(event ? Errc{} : event.error().code(), Errc::offset_out_of_range) << offset;
  }
  EXPECT_EQ(browser_.event("events", PartitionId{3}, Offset{0}).error(), Errc::not_found);
}

}  // namespace
}  // namespace lungo::test
