// What several processes do to one stream topic in tests of ownership: each counts up the streams of the partitions that it
// owns, so that every loss, repetition and write of a zombie shows.
//
//   stream "k7": records "1 at a", "2 at a", "3 at b", ...        value: the number, and who wrote it
//
// Each number is appended on the condition that the one before it is the stream's last. Threads: one.
#pragma once

#include <charconv>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include <lungo/log/event_log.hpp>
#include <lungo/log/membership.hpp>

#include "tests/support/records.hpp"

namespace lungo::test {

class CountingOwner {
 public:
  CountingOwner(EventLog& log, std::string topic, std::string name, int streams)
      : log_(log), topic_(std::move(topic)), name_(std::move(name)), streams_(streams) {}

  /// One number more for each stream that is ours. `answered` is told of those that are in the log.
  void count(const std::function<void(const std::string& key, int number)>& answered) {
    const std::int32_t partitions = log_.topic(topic_)->spec.partitions;
    const std::vector<TopicPartition> mine = log_.membership()->mine().value();
    for (int i = 0; i < streams_; ++i) {
      const std::string key = "k" + std::to_string(i);
      const TopicPartition partition{topic_, partition_of_key(key, partitions)};
      if (std::find(mine.begin(), mine.end(), partition) == mine.end()) {
        last_.erase(key);  // another's, which counts on
        continue;
      }
      count(partition, key, answered);
    }
  }

  /// What went wrong other than that a partition was another's, or not in time.
  std::vector<std::string> troubles;
  int refused = 0;  // not_owner
  int conflicts = 0;

 private:
  struct Last {
    int number = 0;
    Offset as_of;
  };

  void count(const TopicPartition& partition, const std::string& key,
             const std::function<void(const std::string& key, int number)>& answered) {
    auto known = last_.find(key);
    if (known == last_.end()) {
      const std::optional<Last> read = look(partition, key);
      if (!read) return;
      known = last_.emplace(key, *read).first;
    }
    const int number = known->second.number + 1;
    AppendRequest request =
        append_of(partition, key, std::to_string(number) + " at " + name_, key + "-" + std::to_string(number));
    request.condition = Condition{.key = key, .as_of = known->second.as_of};
    const Result<Appended> appended = append_wait(log_, std::move(request), std::chrono::seconds{10});
    if (appended) {
      known->second = {number, appended->end};
      answered(key, number);
      return;
    }
    last_.erase(known);
    if (appended.error() == Errc::not_owner) {
      ++refused;
    } else if (appended.error() == Errc::conflict || appended.error() == Errc::invalid_argument) {
      ++conflicts;  // another has counted on; invalid_argument: under the same id
    } else if (appended.error() != Errc::timed_out) {
      troubles.push_back(to_string(appended.error()));
    }
  }

  std::optional<Last> look(const TopicPartition& partition, const std::string& key) {
    const Result<Ends> ends = log_.ends(partition);
    if (!ends) return std::nullopt;
    Last last{.number = 0, .as_of = ends->committed};
    for (Offset at = ends->start; at < ends->committed;) {
      const Result<KeyRecords> found = log_.read_key(partition, key, at, ends->committed, 1'000);
      if (!found) return std::nullopt;
      for (const RecordView& record : found->records) last.number = number_of(as_text(record.value));
      if (found->done) break;
      at = found->next;
    }
    return last;
  }

 public:
  static int number_of(std::string_view value) {
    int number = 0;
    std::from_chars(value.data(), value.data() + value.size(), number);
    return number;
  }

  /// The values of each stream, in order. Throws where a stream does not count 1, 2, 3, ...
  static std::map<std::string, std::vector<std::string>> streams_of(EventLog& log, const std::string& topic) {
    std::map<std::string, std::vector<std::string>> streams;
    const std::int32_t partitions = log.topic(topic).value().spec.partitions;
    for (std::int32_t index = 0; index < partitions; ++index) {
      const TopicPartition partition{topic, PartitionId{index}};
      const Ends ends = log.ends(partition).value();
      for (Offset at = ends.start; at < ends.committed;) {
        const Fetched fetched = log.read(partition, at, 1u << 20).value();
        if (fetched.empty()) break;
        RecordCursor cursor = fetched.records();
        while (const RecordView* record = cursor.next()) {
          std::vector<std::string>& stream = streams[std::string(as_text(record->key))];
          stream.emplace_back(as_text(record->value));
          if (number_of(stream.back()) != static_cast<int>(stream.size())) {
            throw std::runtime_error("stream " + std::string(as_text(record->key)) + " has '" + stream.back() + "' as number " +
                                     std::to_string(stream.size()));
          }
        }
        at = fetched.next().offset;
      }
    }
    return streams;
  }

 private:
  EventLog& log_;
  const std::string topic_;
  const std::string name_;
  const int streams_;
  std::map<std::string, Last> last_;
};

}  // namespace lungo::test
