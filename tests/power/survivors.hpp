// What a power cut may leave of what the writer wrote, and whether it did.
//
// Of each lane the log holds, from its start on, one record after another, each the one that was written there: all that was
// there at the last look, and everything that was acknowledged as synced; behind that more of the same or nothing. A start is
// one that was asked for. A topic that was made is there, one that was deleted is not. By key everything is found. Where a lane
// is compacted, records may be gone, but never the last one of a key.
// Threads: one.
#pragma once

#include <array>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <lungo/log/event_log.hpp>

#include "tests/power/report_page.hpp"

namespace lungo::test {

/// The records of a lane.
struct LaneContents {
  Offset start{0};
  Offset end{0};
  std::map<Offset, LaneRecord> records;  // of [start, end) all, but where compaction has taken some
  LeaderEpoch epoch = kNoEpoch;          // of the last
};

/// What was wrong. Throwing it is how a look ends early.
struct Fault {
  std::string text;
  bool is_of_the_log = true;  // and not of the test's surroundings
};

class Survivors {
 public:
  /// The power was cut under the writer `life`, the log is open again. Throws Fault. What is there counts as synced from now
  /// on.
  void look(EventLog& log, const ReportPage& page, std::uint32_t life);
  /// The log was opened once more, and has the same. Throws Fault.
  void look_again(EventLog& log);
  /// Appends work, and are as good as the writer's. Throws Fault.
  void append(EventLog& log, std::uint32_t life, Random& random);

  /// Records that were acknowledged as written, and gone: what shows that the cuts were some.
  [[nodiscard]] std::uint64_t written_and_lost() const { return written_and_lost_; }
  /// How often records of a compacted lane had given place: what shows that the cuts met compaction.
  [[nodiscard]] std::uint64_t compacted() const { return compacted_; }
  /// Records that were acknowledged as synced.
  [[nodiscard]] std::uint64_t synced() const { return synced_; }

 private:
  struct Known {
    bool is_there = false;
    LaneContents contents;
    std::uint32_t visit = 0;
  };

  void look_at(EventLog& log, std::size_t number, const LaneReport& report, std::uint32_t life);

  std::array<Known, kLanes.size()> lanes_;
  std::uint64_t written_and_lost_ = 0;
  std::uint64_t synced_ = 0;
  std::uint64_t compacted_ = 0;
};

}  // namespace lungo::test
