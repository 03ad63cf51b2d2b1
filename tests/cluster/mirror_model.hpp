// The mirror in memory: what WriterCore looks up, and what tests put there as the tail would. "events" is the stream topic.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "client/mirror_lookup.hpp"

namespace lungo::test {

class MirrorModel : public writing::MirrorLookup {
 public:
  struct Record {
    std::optional<std::string> key;
    std::optional<std::string> id;
    std::string value;
  };
  struct Partition {
    Offset start;
    Offset end;
    std::map<Offset, Record> records;
  };

  bool is_events_gone = false;

  Partition& operator[](const TopicPartition& partition) { return partitions_[partition]; }
  [[nodiscard]] Offset end(const TopicPartition& partition) const { return of(partition).end; }

  bool is_stream(const TopicPartition& partition) const override { return partition.topic == "events" && !is_events_gone; }

  Result<Range> range(const TopicPartition& partition) const override { return Range{of(partition).start, of(partition).end}; }

  Result<std::optional<Offset>> latest(const TopicPartition& partition, std::string_view key, Offset from) const override {
    const std::map<Offset, Record>& records = of(partition).records;
    for (auto record = records.rbegin(); record != records.rend() && record->first >= from; ++record) {
      if (record->second.key == key) return std::optional{record->first};
    }
    return std::optional<Offset>{};
  }

  Result<std::optional<Appended>> repeated(const TopicPartition& partition, const EncodedRecords& records,
                                           std::optional<Offset> from) const override {
    const std::map<Offset, Record>& all = of(partition).records;
    for (auto first = all.end(); first != all.begin();) {
      --first;
      if (from && first->first < *from) break;
      if (!is(first->second, records, 0)) continue;
      auto last = first;
      for (std::size_t i = 1; i < records.count(); ++i) {
        ++last;
        if (last == all.end() || !is(last->second, records, i)) {
          return Error{Errc::invalid_argument, "the id names another append", first->first};
        }
      }
      return std::optional{Appended{.first = first->first, .end = last->first.next(), .epoch = kNoEpoch, .repeated = true}};
    }
    return std::optional<Appended>{};
  }

 private:
  static bool is(const Record& record, const EncodedRecords& records, std::size_t index) {
    return record.key == records.key(index) && record.id == records.id(index);
  }
  [[nodiscard]] const Partition& of(const TopicPartition& partition) const {
    static const Partition kNothing;
    const auto found = partitions_.find(partition);
    return found == partitions_.end() ? kNothing : found->second;
  }

  std::map<TopicPartition, Partition> partitions_;
};

}  // namespace lungo::test
