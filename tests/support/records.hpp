// Short ways to make appends and to read a partition back.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <lungo/log/event_log.hpp>

namespace lungo::test {

/// One record with this key and value; with an `l.id` header when `id` is not empty.
EncodedRecords record(std::string_view key, std::string_view value, std::string_view id = {});

/// An append of one record.
AppendRequest append_of(const TopicPartition& to, std::string_view key, std::string_view value, std::string_view id = {});

/// The values of all committed records in [from, committed end), in order; throws lungo::Exception when a read fails, and
/// std::runtime_error when offsets are not consecutive.
std::vector<std::string> values_of(EventLog& log, const TopicPartition& partition, Offset from = Offset{0});

}  // namespace lungo::test
