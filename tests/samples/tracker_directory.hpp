// What a tracker's data directory holds, read from outside: the records of its topics, the rows of its views, its summary.
#pragma once

#include <gtest/gtest.h>
#include <sqlite3.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include <lungo/framework/partition_reader.hpp>
#include <lungo/log/local_event_log.hpp>

#include "tests/samples/program.hpp"

namespace lungo::test {

inline std::string shared_log() {
  const char* named = std::getenv("LUNGO_ACCESS_LOG");
  return named != nullptr ? named : LUNGO_SHARED_LOG;
}

inline std::vector<std::string> tracker_command(const std::string& data, const std::vector<std::string>& more) {
  std::vector<std::string> command{LUNGO_WEB_TRACKER};
  command.insert(command.end(), {"--data", data});
  command.insert(command.end(), more.begin(), more.end());
  // Whoever means the web service says on which port.
  const auto is_given = [&more](const char* word) { return std::find(more.begin(), more.end(), word) != more.end(); };
  if (!is_given("--port") && !is_given("replay")) command.emplace_back("--no-web");
  return command;
}

inline Finished run_tracker(const std::string& data, const std::vector<std::string>& more) {
  return run(tracker_command(data, more));
}

/// Imports and gives the summary; fails the test when the program fails.
inline boost::json::object import_json(const std::string& data, const std::vector<std::string>& logs) {
  std::vector<std::string> arguments{"--exit", "--json"};
  for (const std::string& log : logs) arguments.insert(arguments.end(), {"--import", log});
  const Finished done = run_tracker(data, arguments);
  EXPECT_EQ(done.status, 0) << done.err;
  boost::system::error_code error;
  const boost::json::value value = boost::json::parse(done.out, error);
  EXPECT_FALSE(error) << done.out << done.err;
  return value.is_object() ? value.as_object() : boost::json::object{};
}

/// Makes all rows anew from the log, as a user does; fails the test when the program fails.
inline void rebuild_by_replay(const std::string& data) {
  const Finished done = run({LUNGO_WEB_TRACKER, "replay", "rebuild", "--data", data});
  EXPECT_EQ(done.status, 0) << done.out << done.err;
}

/// The summary in the words of summary_by_shell.sh.
inline std::string as_shell_prints(const boost::json::object& summary) {
  std::ostringstream out;
  std::int64_t dropped = 0;
  for (const auto& [reason, count] : summary.at("drops").as_object()) dropped += count.to_number<std::int64_t>();
  out << "lines\t" << summary.at("lines") << "\ndropped\t" << dropped << '\n';
  const auto counts = [&](const char* name, const char* word) {
    std::map<std::string, std::int64_t> sorted;
    for (const auto& [key, count] : summary.at(name).as_object()) sorted[std::string{key}] = count.to_number<std::int64_t>();
    for (const auto& [key, count] : sorted) out << word << '\t' << key << '\t' << count << '\n';
  };
  counts("hits_per_day", "day");
  counts("hits_per_status", "status");
  int rank = 0;
  for (const boost::json::value& page : summary.at("top_pages").as_array()) {
    out << "page\t" << ++rank << '\t' << page.at("hits") << '\t' << std::string_view{page.at("page").as_string()} << '\n';
  }
  out << "visitors\t" << summary.at("distinct_visitors") << '\n';
  counts("distinct_visitors_per_day", "visitors_on");
  return out.str();
}

inline std::string shell_summary(const std::vector<std::string>& logs) {
  std::vector<std::string> command{LUNGO_SHELL_SUMMARY};
  command.insert(command.end(), logs.begin(), logs.end());
  const Finished done = run(command);
  EXPECT_EQ(done.status, 0) << done.err;
  return done.out;
}

/// Opens the directory beside whoever writes it; null when there is nothing to open yet.
inline std::shared_ptr<EventLog> look_into(const std::string& data) {
  LocalOptions options;
  options.read_only = true;
  Result<std::shared_ptr<EventLog>> log = open_local(data, options);
  return log ? *log : nullptr;
}

/// Committed records of a topic; 0 when it is not there.
inline std::int64_t records_in(EventLog& log, const std::string& topic) {
  const Result<TopicInfo> info = log.topic(topic);
  if (!info) return 0;
  std::int64_t records = 0;
  for (std::int32_t partition = 0; partition < info->spec.partitions; ++partition) {
    const Result<Ends> ends = log.ends({topic, PartitionId{partition}});
    if (ends) records += ends->committed - ends->start;
  }
  return records;
}

/// Per stream, a hash over (type, payload, time, l.id) of its records in order, and how many there are.
struct StreamDigest {
  std::uint64_t hash = 0;
  std::int64_t records = 0;
  friend bool operator==(const StreamDigest&, const StreamDigest&) = default;
};

inline void digest(const Envelope& envelope, StreamDigest& digest) {
  const auto add = [&](std::string_view text) {
    digest.hash = (digest.hash ^ std::hash<std::string_view>{}(text)) * 0x9e3779b97f4a7c15ull;
    digest.hash ^= digest.hash >> 29;
  };
  add(envelope.type);
  add(as_text(envelope.payload));
  add(std::to_string(envelope.time.time_since_epoch().count()));
  add(envelope.id);
  ++digest.records;
}

inline std::map<std::string, StreamDigest> streams_of(const std::string& data, const std::string& topic) {
  std::map<std::string, StreamDigest> streams;
  const std::shared_ptr<EventLog> log = look_into(data);
  if (!log) return streams;
  const TopicInfo info = log->topic(topic).value();
  for (std::int32_t partition = 0; partition < info.spec.partitions; ++partition) {
    PartitionReader reader{*log, info, {info.id, PartitionId{partition}, Offset{0}, kNoEpoch}};
    while (const Envelope* envelope = reader.next().value()) digest(*envelope, streams[std::string{envelope->stream}]);
  }
  return streams;
}

/// All rows of all projections' tables as text, per table.
inline std::map<std::string, std::string> rows_of(const std::string& data) {
  std::map<std::string, std::string> tables;
  sqlite3* database = nullptr;
  EXPECT_EQ(sqlite3_open_v2((data + "/views.db").c_str(), &database, SQLITE_OPEN_READONLY, nullptr), SQLITE_OK);
  const auto query = [&](const std::string& sql, const auto& take) {
    sqlite3_stmt* statement = nullptr;
    EXPECT_EQ(sqlite3_prepare_v2(database, sql.c_str(), -1, &statement, nullptr), SQLITE_OK) << sqlite3_errmsg(database);
    while (statement != nullptr && sqlite3_step(statement) == SQLITE_ROW) {
      std::string row;
      for (int column = 0; column < sqlite3_column_count(statement); ++column) {
        const void* bytes = sqlite3_column_blob(statement, column);
        row.append(static_cast<const char*>(bytes), static_cast<std::size_t>(sqlite3_column_bytes(statement, column)));
        row.push_back('|');
      }
      take(row);
    }
    sqlite3_finalize(statement);
  };
  std::vector<std::string> names;
  query(
      "select name from sqlite_master where type = 'table' and name not like 'lungo%' and name not like 'sqlite%' and name not "
      "like '%shadow'",
      [&](const std::string& row) { names.push_back(row.substr(0, row.size() - 1)); });
  for (const std::string& name : names) {
    std::vector<std::string> rows;
    query("select * from \"" + name + "\"", [&](const std::string& row) { rows.push_back(row); });
    std::sort(rows.begin(), rows.end());
    for (const std::string& row : rows) tables[name] += row + "\n";
  }
  sqlite3_close(database);
  return tables;
}

inline void expect_same_rows(const std::map<std::string, std::string>& expected,
                             const std::map<std::string, std::string>& actual) {
  std::vector<std::string> names;
  std::vector<std::string> actual_names;
  for (const auto& [name, rows] : expected) names.push_back(name);
  for (const auto& [name, rows] : actual) actual_names.push_back(name);
  EXPECT_EQ(names, actual_names);
  for (const auto& [name, rows] : expected) {
    const auto other = actual.find(name);
    EXPECT_TRUE(other != actual.end() && other->second == rows) << "rows of " << name << " differ";
  }
}

}  // namespace lungo::test
