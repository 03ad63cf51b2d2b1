// Whether a copy is one: records beside records, and of compacted topics the last ones of each key. For copy_partition.
// Pure. Threads: one.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>

#include <lungo/log/record_batch.hpp>

namespace lungo {

/// Key, value, headers and, `with_times`, time.
bool is_same_record(const RecordView& left, const RecordView& right, bool with_times);

/// The last record of each key. Takes a word and the key for each.
class LastRecords {
 public:
  explicit LastRecords(bool with_times) : with_times_(with_times) {}
  void take(const RecordView& record);
  /// A key of which the last records differ, or that one side lacks. One without a value is the same as none, since compaction
  /// takes it.
  [[nodiscard]] std::optional<std::string> difference(const LastRecords& other) const;
  /// A key of which the other side lacks the last record; it may have more keys.
  [[nodiscard]] std::optional<std::string> missing(const LastRecords& other) const;

 private:
  bool with_times_;
  std::unordered_map<std::string, std::uint64_t> hashes_;
};

}  // namespace lungo
