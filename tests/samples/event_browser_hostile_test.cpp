// The event browser over logs that hold anything, and asked for anything.
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <limits>

#include "tests/samples/event_browser_fixture.hpp"
#include "web/newest_first.hpp"

namespace lungo::test {
namespace {

using EventBrowserHostile = EventBrowserTest;

TEST_F(EventBrowserHostile, WhatIsNotToBeDecodedIsShownWithTheReason) {
  const std::string large(300u << 10, 'x');
  const struct {
    EnvelopeFields fields;
    std::string reason;
  } cases[] = {
      {{.type = "Odd", .shape = ShapeHash{std::byte{7}}, .payload = as_bytes("abc")}, "holds no shape 07"},
      {{.type = "Odd", .payload = as_bytes("abc")}, "names no shape"},
      {{.type = "Looked", .shape = shape_of<Looked>().hash(), .payload = as_bytes("\xff\xff")}, "undecodable"},
      {{.type = "Odd", .content_type = kJsonContent, .payload = as_bytes("{\"a\":")}, "no valid JSON"},
      {{.type = "Odd", .content_type = kJsonContent, .payload = as_bytes("\"\xff\"")}, "no valid JSON"},
      {{.type = "Odd", .content_type = kJsonContent, .payload = as_bytes("1}, {\"b\":1")}, "no valid JSON"},
      {{.type = "Odd", .content_type = kJsonContent, .payload = as_bytes(std::string_view{large})}, "has 307200 bytes"},
      {{.type = "Odd", .is_tombstone = true}, "has no value"},
  };
  ASSERT_TRUE(store.declare<Looked>());
  for (const auto& one : cases) {
    const json::object event = object(browser.event("events", PartitionId{0}, add_raw(one.fields)));
    EXPECT_TRUE(event.at("payload").is_null()) << one.reason;
    EXPECT_NE(text(event.at("error")).find(one.reason), std::string::npos) << event.at("error");
    EXPECT_EQ(event.at("bytes").as_int64(), static_cast<std::int64_t>(one.fields.payload.size()));
  }
  const Offset wide =
      add_raw({.type = "Odd", .content_type = kJsonContent, .payload = as_bytes("[1.50,\n 123456789012345678901]")});
  const std::string answer = browser.event("events", PartitionId{0}, wide).value();
  EXPECT_NE(answer.find("\"payload\":[1.50,\n 123456789012345678901]}"), std::string::npos) << answer;
}

// A payload below the limit may be longer than it as JSON.
TEST_F(EventBrowserHostile, APayloadThatIsLargeAsJsonIsCutOut) {
  const Commit commit = store.append("events", StreamId{"visitor", "1"}, Looked{std::string(100u << 10, '\1'), 1, 1}).value();
  const std::string answer = browser.event("events", commit.partition.partition, commit.first).value();
  EXPECT_LT(answer.size(), 2'000u);
  EXPECT_NE(answer.find("as JSON has 6"), std::string::npos) << answer;
}

TEST_F(EventBrowserHostile, HostileNamesBecomeValidText) {
  const std::string bytes{"<script>\0\xff\xc0\xaf\xed\xa0\x80\"\\\n\xe2\x80\xae", 21};
  const std::string endless(5'000, '\x80');
  for (const std::string& name : {bytes, std::string(240, '\xff'), std::string(250, '"')}) {
    const EnvelopeFields fields{.stream = name, .type = name, .id = name, .correlation = name, .causation = name, .lane = name};
    object(browser.event("events", PartitionId{0}, add_raw(fields)));
  }
  const Offset cut = add_raw({.stream = endless, .type = "Odd"});
  EXPECT_LT(browser.event("events", PartitionId{0}, cut).value().size(), 8'000u);
  const json::object page = object(browser.events({.topic = "events"}));
  EXPECT_EQ(page.at("events").as_array().size(), 4u);
  EXPECT_EQ(text(page.at("events").at(3).at("stream")).substr(0, 17), std::string("<script>\0\\xff\\xc0", 17));
  EXPECT_EQ(object(browser.streams("events")).at("streams").as_array().size(), 4u);
  // Its bytes are the stream's name, and those a program may ask with.
  EXPECT_EQ(partition_of_stream(bytes, 4) == PartitionId{0} ? 1u : 0u,
            browser.events({.topic = "events", .stream = bytes}) ? 1u : 0u);
}

TEST_F(EventBrowserHostile, TimesOutsideOfTheCalendarAreNumbers) {
  const Timestamp far{std::chrono::milliseconds{std::numeric_limits<std::int64_t>::max()}};
  const Offset offset = add_raw({.type = "Odd", .time = far, .recorded = far});
  EXPECT_EQ(text(object(browser.event("events", PartitionId{0}, offset)).at("time")), "9223372036854775807");
}

TEST_F(EventBrowserHostile, BrokenHeadersAreNamed) {
  const HeaderView headers[] = {{"l.t", as_bytes("Looked")}, {"l.s", as_bytes("short")}};
  EncodedRecords records;
  ASSERT_TRUE(records.add({Timestamp{}, as_bytes("visitor-9"), as_bytes("abc"), headers}));
  const Offset offset = add_records(std::move(records));
  const json::object event = object(browser.event("events", PartitionId{0}, offset));
  EXPECT_EQ(text(event.at("stream")), "visitor-9");
  EXPECT_NE(text(event.at("error")).find("l.s"), std::string::npos);
  EXPECT_EQ(object(browser.events({.topic = "events"})).at("events").as_array().size(), 1u);
}

TEST_F(EventBrowserHostile, SenselessQuestionsAreAnsweredWithAnError) {
  add("visitor-1", "/a", 10);
  const auto expect = [](Errc code, const Result<std::string>& answer) {
    ASSERT_FALSE(answer) << *answer;
    EXPECT_EQ(answer.error().code(), code) << answer.error();
    EXPECT_GT(answer.error().text().size(), 10u);
    expect_json_text(answer.error().text());
  };
  for (const std::string& topic : {std::string{"none"}, std::string{}, std::string{"\xff\0\n", 3}, std::string(100'000, 'x')}) {
    expect(Errc::not_found, browser.streams(topic));
    expect(Errc::not_found, browser.events({.topic = topic}));
    expect(Errc::not_found, browser.event(topic, PartitionId{0}, Offset{0}));
  }
  for (const char* cursor : {"", "0", "0,0,0", "0,0,0,0,0", "0,0,0,", ",,,", "a,0,0,0", "0,0,0,0x", " 0,0,0,0", "-1,0,0,0",
                             "+1,0,0,0", "0,0,0,99999999999999999999", "1e3,0,0,0", "null"})
    expect(Errc::invalid_argument, browser.events({.topic = "events", .before = cursor}));
  expect(Errc::invalid_argument, browser.events({.topic = "events", .before = std::string(1u << 20, ',')}));
  expect(Errc::offset_out_of_range, browser.events({.topic = "events", .before = "0,0,0,9223372036854775807"}));
  for (const char* cursor : {"", "a", "-1", "1,2", "0x1", "99999999999999999999"})
    expect(Errc::invalid_argument, browser.events({.topic = "events", .stream = "visitor-1", .after = cursor}));
  expect(Errc::offset_out_of_range, browser.events({.topic = "events", .stream = "visitor-1", .after = "9223372036854775807"}));
  expect(Errc::invalid_argument, browser.events({.topic = "events", .stream = "visitor-1", .before = "0,0,0,0"}));
  expect(Errc::invalid_argument, browser.events({.topic = "events", .after = "0"}));
  for (const std::int64_t limit :
       {std::int64_t{0}, std::int64_t{-1}, std::int64_t{201}, std::numeric_limits<std::int64_t>::max()})
    expect(Errc::invalid_argument, browser.events({.topic = "events", .limit = limit}));
  for (const std::string& stream :
       {std::string{}, std::string{"visitor-2"}, std::string{"\xff\0/", 3}, std::string(100'000, '/')})
    expect(Errc::not_found, browser.events({.topic = "events", .stream = stream}));
  for (const std::int32_t partition :
       {-1, 4, std::numeric_limits<std::int32_t>::max(), std::numeric_limits<std::int32_t>::min()})
    expect(Errc::not_found, browser.event("events", PartitionId{partition}, Offset{0}));
  const PartitionId partition = partition_of_stream("visitor-1", 4);
  for (const std::int64_t offset : {std::int64_t{-1}, std::int64_t{1}, std::numeric_limits<std::int64_t>::max()})
    expect(Errc::offset_out_of_range, browser.event("events", partition, Offset{offset}));
  make_topic("plain", 1, false);
  expect(Errc::invalid_argument, browser.events({.topic = "plain", .stream = "visitor-1"}));
}

TEST_F(EventBrowserHostile, ACallLooksAtABoundedPartOfTheLog) {
  const std::string large(100'000, 'x');
  for (int i = 0; i < 400; ++i) add("visitor-" + std::to_string(i % 9), large, i * 1'000);
  std::size_t reads = 0;
  log->on_read([&](const TopicPartition&) { ++reads; });
  const std::size_t count = object(browser.events({.topic = "events", .limit = 200})).at("events").as_array().size();
  EXPECT_LT(count, 100u);
  EXPECT_GT(count, 20u);
  EXPECT_LT(reads, 100u);
  const std::vector<json::object> events = all_pages("events", 200);
  EXPECT_EQ(events.size(), 400u);
  for (std::size_t i = 0; i < events.size(); ++i) ASSERT_EQ(seconds_of(events[i]), static_cast<std::int64_t>(399 - i));
  EXPECT_LT(object(browser.streams("events")).at("looked_at").as_int64(), 100);
}

// More partitions than records that may be looked at: pages still get to the beginning.
TEST_F(EventBrowserHostile, ThousandsOfPartitionsAreReachedBitByBit) {
  make_topic("wide", 2'500, true);
  for (int i = 0; i < 3'000; ++i) add("visitor-" + std::to_string(i), "/", i, "wide");
  std::size_t reads = 0;
  log->on_read([&](const TopicPartition&) { ++reads; });
  object(browser.events({.topic = "wide"}));
  EXPECT_LE(reads, tracker::kRecordsLookedAtMax);
  log->on_read({});
  const std::vector<json::object> events = all_pages("wide", 200);
  EXPECT_EQ(events.size(), 3'000u);
  expect_each_once_and_backwards(events);
}

TEST_F(EventBrowserHostile, StreamsLookAtTheNewestTwoThousandEvents) {
  for (int i = 0; i < 2'600; ++i) add("visitor-" + std::to_string(i), "/", i);
  const json::object answer = object(browser.streams("events"));
  EXPECT_LE(answer.at("looked_at").as_int64(), 2'000);
  EXPECT_GT(answer.at("looked_at").as_int64(), 1'800);
  EXPECT_EQ(text(answer.at("streams").at(0).at("stream")), "visitor-2599");
}

}  // namespace
}  // namespace lungo::test
