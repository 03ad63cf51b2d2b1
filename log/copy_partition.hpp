// Copying one partition: first over what the target has, which has to be what the source has, then the rest.
//
// A record of the source has its place in the target by its number, not by its offset: the n-th of one is the n-th of the
// other. Compaction breaks that on either side, so that of a compacted topic the copy goes on behind the source's record that
// is the target's last one, and from the beginning where that is gone: then the last record of each key comes once more, and
// last. Threads: one.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include <lungo/log/copy.hpp>
#include "record_walk.hpp"

namespace lungo {

/// What a copy answers that was told to stop.
inline Error copy_canceled() { return Error{Errc::canceled, "the copy was stopped; called again, it goes on"}; }

class PartitionCopier {
 public:
  /// Called with the source's offset now and then; false stops.
  using Tell = std::function<bool(Offset)>;

  /// Copies up to `end` of the source. Logs and `marks` outlive the copy. Errors: as EventLog::ends().
  static Result<PartitionCopier> begin(EventLog& from, EventLog& to, const TopicSpec& topic, PartitionId partition, Offset end,
                                       const std::set<Offset>& marks);

  /// Errors: as copy_log().
  Result<void> run(Duration timeout, const Tell& tell);
  /// Compares what both have, from their starts; `is_shared`: a compacted target may have keys that the source lacks. Errors:
  /// corrupt, saying where; canceled; as EventLog::read().
  Result<void> verify(bool is_shared, const Tell& tell);

  [[nodiscard]] std::int64_t records() const { return records_; }
  [[nodiscard]] std::int64_t found_there() const { return found_there_; }
  /// Complete after run().
  [[nodiscard]] const std::map<Offset, Offset>& marks() const { return moved_; }

 private:
  PartitionCopier(EventLog& from, EventLog& to, const TopicSpec& topic, TopicPartition partition, Offset start, Offset end,
                  Offset to_start, Offset to_end, const std::set<Offset>& marks);

  Result<void> pass_what_is_there(const Tell& tell);
  Result<void> pass_last_of_compacted(const Tell& tell);
  Result<void> append_rest(Duration timeout, const Tell& tell);
  Result<void> append(AppendRequest request, const std::vector<Offset>& offsets, Duration timeout);
  Result<void> verify_compacted(bool is_shared, const Tell& tell);
  /// The marks up to the source's offset lie at `to`.
  void move_marks(Offset from, Offset to);
  [[nodiscard]] Error differ(Errc code, const RecordWalk& from, Offset to) const;

  EventLog* from_;
  EventLog* to_;
  TopicPartition partition_;
  bool is_streams_;
  bool is_compacted_;
  bool has_own_times_;  // the topic's times are the appenders', so that the copy has them
  Offset start_;
  Offset to_start_;
  Offset to_end_;
  RecordWalk source_;
  std::set<Offset>::const_iterator next_mark_;
  std::set<Offset>::const_iterator last_mark_;
  std::map<Offset, Offset> moved_;
  std::int64_t records_ = 0;
  std::int64_t found_there_ = 0;
};

}  // namespace lungo
