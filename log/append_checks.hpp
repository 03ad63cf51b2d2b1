// What is to become of each item of a group, before anything is written: conditions and repeated ids.
//
// An item is checked against the log and against the items accepted before it in the same group. An answer that rests on the
// group itself holds only if the group's batch gets written.
// Threads: the owner's.
#pragma once

#include <optional>
#include <vector>

#include <lungo/log/partition_log.hpp>

#include "recent_ids.hpp"
#include "record_lookup.hpp"

namespace lungo {

/// Adds the key hash of each record, in order; kNoKeyHash for one without a key.
void add_key_hashes(const EncodedRecords& records, std::vector<std::uint64_t>& hashes);

struct Verdict {
  std::optional<Result<Appended>> outcome;  // nothing: the item is to be written
  bool rests_on_group = false;
};

class AppendChecks {
 public:
  struct Log {
    Offset start;
    Offset end;
    LeaderEpoch epoch;           // of the batch to be written
    const EpochHistory& epochs;  // of those before
    bool streams = false;        // there is a stream index
    bool copied = false;         // its batches are a mirror's: an append may be in several
  };
  /// `recent_ids` is called when they are needed.
  AppendChecks(Log log, RecordLookup lookup, std::function<Result<const RecentIds*>()> recent_ids);

  Verdict judge(const GroupItem& item);
  /// Only whether the records were appended before, as the id of their first one tells: looked for from `from` on under its
  /// key, without it among the last 10,000. Without an id they were not.
  Verdict judge_id(const EncodedRecords& records, std::optional<Offset> from);
  /// The item's records join the batch.
  void accept(const EncodedRecords& records);
  /// Key hashes of the accepted records, in order; kNoKeyHash for one without a key. Empty without a stream index.
  [[nodiscard]] const std::vector<std::uint64_t>& key_hashes() const { return hashes_; }

 private:
  struct Pending {
    const EncodedRecords* records;
    std::size_t begin;  // of its records among the accepted
  };

  Verdict judge_condition(const Condition& condition);
  [[nodiscard]] std::optional<Offset> latest_pending(std::string_view key) const;
  Result<std::optional<Offset>> recent(std::optional<std::string_view> key, std::string_view id, Offset begin);
  Result<bool> is_written(const EncodedRecords& records, Offset first);
  [[nodiscard]] Verdict repeated(Offset first, std::size_t count, bool in_group) const;
  [[nodiscard]] Verdict reused(std::string_view id, Offset first) const;

  const Log log_;
  RecordLookup lookup_;
  const std::function<Result<const RecentIds*>()> recent_ids_;
  std::vector<std::uint64_t> hashes_;
  std::vector<Pending> pending_;
  std::size_t accepted_ = 0;  // records
};

}  // namespace lungo
