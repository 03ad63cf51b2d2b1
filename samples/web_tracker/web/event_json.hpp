// A log's records as JSON for a browser, whatever their bytes are.
//
// Promise: all text is valid UTF-8 of bounded length.
// Threads: pure functions; event_json() looks a shape up.
#pragma once

#include <boost/json.hpp>
#include <string>
#include <string_view>

#include <lungo/framework/envelope.hpp>
#include <lungo/framework/shape_registry.hpp>

namespace tracker {

/// The text in valid UTF-8, cut when it is longer than a name has any reason to be.
std::string shown(std::string_view text);
/// "2026-11-25T13:00:00.250Z", or milliseconds since 1970 outside of the years 0 to 9999.
std::string shown(lungo::Timestamp time);

/// An event as a row of a list. What a record's broken headers hide stays empty.
boost::json::object event_row(const lungo::TopicPartition& partition, const lungo::RecordView& record);

/// An event with all that is known of it.
std::string event_json(const lungo::TopicPartition& partition, const lungo::RecordView& record, lungo::ShapeRegistry& shapes);

}  // namespace tracker
