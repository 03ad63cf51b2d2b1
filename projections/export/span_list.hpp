// What the names at a target tell of one partition: how far it was exported, and where spans do not tile. Pure. Threads: one.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include <lungo/log/types.hpp>

namespace lungo::exporting {

class SpanList {
 public:
  struct Range {
    Offset first;
    Offset end;
    friend auto operator<=>(const Range&, const Range&) = default;
  };

  /// Of one file. A span has a file for each hour: those of one span count once.
  void add(Range span);

  [[nodiscard]] bool empty() const { return spans_.empty(); }
  /// Where the next span begins: behind all that are there. Nothing when there is none.
  [[nodiscard]] std::optional<Offset> end() const;
  /// Between spans, ascending.
  [[nodiscard]] std::vector<Range> gaps() const;
  /// What more than one span has, ascending; ranges of it do not touch.
  [[nodiscard]] std::vector<Range> overlaps() const;

 private:
  std::map<Range, int> spans_;  // and how many files each has
};

}  // namespace lungo::exporting
