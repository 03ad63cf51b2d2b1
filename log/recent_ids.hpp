// The idempotency keys of a partition's last 10,000 records, for retries that say neither a condition nor since when to look.
//
// An id belongs to its record's key: two streams may use the same one. It is known while fewer than 10,000 records lie behind
// its record: the same before and after a restart and on every replica. Built from the log when it is first needed, then kept
// up by the owner. Takes about 300 KB. Threads: the owner's.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include <lungo/log/record_batch.hpp>

namespace lungo {

class RecentIds {
 public:
  static constexpr std::int64_t kRecords = 10'000;

  RecentIds();
  /// Notes the id of the record at `offset`, whose key may be null; offsets ascend.
  void add(std::optional<std::string_view> key, std::string_view id, Offset offset);
  /// Notes the ids of records that lie from `first` on.
  void add_all(const EncodedRecords& records, Offset first);
  /// Offsets at or above `begin` that may have this key and id, latest first: the caller compares, as only hashes are kept.
  /// Stops when `is_it` says true.
  [[nodiscard]] std::optional<Offset> find(std::optional<std::string_view> key, std::string_view id, Offset begin,
                                           const std::function<bool(Offset)>& is_it) const;

 private:
  static constexpr std::uint32_t kNone = UINT32_MAX;
  struct Entry {
    std::uint64_t hash = 0;
    Offset offset;
    std::uint32_t next = kNone;  // of the same chain, older
  };

  void unlink(std::uint32_t index);

  std::vector<std::uint32_t> chains_;  // by the hash's low bits: index of the latest entry
  std::vector<Entry> ring_;
  std::size_t next_ = 0;  // where the next entry goes
};

}  // namespace lungo
