// What the tests of the event browser share: a log in memory that takes anything, and answers taken apart.
#pragma once

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <lungo/framework/event_store.hpp>
#include <lungo/log/local_event_log.hpp>

#include "tests/support/memory_event_log.hpp"
#include "tests/support/random.hpp"
#include "tests/support/simulation.hpp"
#include "tests/support/temp_directory.hpp"
#include "web/event_browser.hpp"

namespace lungo::test {

namespace json = boost::json;
using tracker::EventBrowser;
using tracker::EventsQuery;

struct Looked {
  std::string page;
  std::int64_t count = 0;
  std::int64_t large = 0;
};

/// The answer as an object: it has to be JSON in valid UTF-8, which the parser checks.
inline json::object object(const Result<std::string>& answer) {
  EXPECT_TRUE(answer) << answer.error();
  if (!answer) return {};
  json::error_code error;
  const json::value value = json::parse(*answer, error);
  EXPECT_FALSE(error) << error.message() << ": " << answer->substr(0, 1'000);
  return value.is_object() ? value.as_object() : json::object{};
}

inline std::string text(const json::value& value) {
  EXPECT_TRUE(value.is_string()) << value;
  return value.is_string() ? std::string{value.as_string()} : std::string{};
}

/// Text that may be put into JSON as it is.
inline void expect_json_text(std::string_view text) {
  json::error_code error;
  json::parse(json::serialize(json::value(text)), error);
  EXPECT_FALSE(error) << text;
}

/// Of a time on the first day of 1970, as "1970-01-01T00:08:19.000Z".
inline std::int64_t seconds_of(const json::object& event) {
  const std::string time = text(event.at("time"));
  return std::stoi(time.substr(11, 2)) * 3'600 + std::stoi(time.substr(14, 2)) * 60 + std::stoi(time.substr(17, 2));
}

inline std::string browser_time(Timestamp time) {
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date{day};
  const std::chrono::hh_mm_ss clock{time - day};
  char text[64];
  std::snprintf(text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02d.%03dZ", static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), static_cast<int>(clock.hours().count()),
                static_cast<int>(clock.minutes().count()), static_cast<int>(clock.seconds().count()),
                static_cast<int>(clock.subseconds().count()));
  return text;
}

/// (partition, offset)
inline std::pair<std::int64_t, std::int64_t> place_of(const json::object& event) {
  return {event.at("partition").as_int64(), event.at("offset").as_int64()};
}

/// The events of all pages, from the newest to the beginning.
inline std::vector<json::object> all_pages(EventBrowser& browser, const std::string& topic, std::int64_t limit) {
  std::vector<json::object> events;
  EventsQuery query{.topic = topic, .limit = limit};
  for (int pages = 0; pages < 10'000; ++pages) {
    const json::object page = object(browser.events(query));
    if (!page.contains("events")) return events;
    for (const json::value& event : page.at("events").as_array()) events.push_back(event.as_object());
    EXPECT_LE(page.at("events").as_array().size(), static_cast<std::size_t>(limit));
    if (page.at("before").is_null()) return events;
    query.before = text(page.at("before"));
  }
  ADD_FAILURE() << "the pages come to no end";
  return events;
}

inline void expect_each_once_and_backwards(const std::vector<json::object>& events) {
  std::map<std::int64_t, std::int64_t> last;  // offset, per partition
  for (const json::object& event : events) {
    const auto [partition, offset] = place_of(event);
    const auto [seen, is_first] = last.try_emplace(partition, offset);
    if (!is_first) {
      ASSERT_EQ(offset, seen->second - 1) << "partition " << partition;
    }
    seen->second = offset;
  }
  for (const auto& [partition, offset] : last) EXPECT_EQ(offset, 0) << "partition " << partition;
}

class EventBrowserTest : public ::testing::Test {
 protected:
  EventBrowserTest() : log(std::make_shared<MemoryEventLog>(simulation.ports())), store(log), browser(store) {
    make_topic("events", 4, true);
  }

  void make_topic(const std::string& name, std::int32_t partitions, bool streams) {
    TopicSpec spec;
    spec.name = name;
    spec.partitions = partitions;
    spec.streams = streams;
    ASSERT_TRUE(log->create_topic(spec));
  }
  void add(const std::string& stream, const std::string& page, std::int64_t millis, std::string_view topic = "events") {
    AppendOptions options;
    options.meta.time = Timestamp{std::chrono::milliseconds{millis}};
    ASSERT_TRUE(store.append(topic, StreamId::written(stream), Looked{page, 1, 2}, options));
  }
  /// Into partition 0, whatever its stream is.
  Offset add_records(EncodedRecords records) {
    return append_wait(*log, {.to = {"events", PartitionId{0}}, .records = std::move(records), .condition = {}, .since = {}})
        .value()
        .first;
  }
  Offset add_raw(const EnvelopeFields& fields) {
    EncodedRecords records;
    EXPECT_TRUE(add_record(fields, records));
    return add_records(std::move(records));
  }
  std::vector<json::object> all_pages(const std::string& topic, std::int64_t limit) {
    return test::all_pages(browser, topic, limit);
  }

  Simulation simulation{1};
  std::shared_ptr<MemoryEventLog> log;
  EventStore store;
  EventBrowser browser;
};

}  // namespace lungo::test
