// PORT: what the writer asks the mirror before it appends: whose the partition's appends are, whether a condition holds, and
// whether an append was written before.
//
// The mirror may be ahead of what its owner was told that it has read, never behind: an answer of "nothing there" holds up to
// the end that range() gave before. Threads: the writer's.
#pragma once

#include <optional>
#include <string_view>

#include <lungo/log/event_log.hpp>

namespace lungo::writing {

class MirrorLookup {
 public:
  virtual ~MirrorLookup() = default;

  /// Only its owner appends to it (lungo.streams).
  virtual bool is_stream(const TopicPartition& partition) const = 0;

  struct Range {
    Offset start;
    Offset end;
  };
  /// What it has of the partition now. Errors: not_found; io.
  virtual Result<Range> range(const TopicPartition& partition) const = 0;
  /// The latest record with this key at or above `from`, of a stream topic. Errors: corrupt, io.
  virtual Result<std::optional<Offset>> latest(const TopicPartition& partition, std::string_view key, Offset from) const = 0;
  /// Where `records` lie if they were appended before, as their first one's id tells (AppendRequest::since): looked for at or
  /// above `from`, without it among the partition's last 10,000 records. Errors: invalid_argument where the id names another
  /// append, with its offset; corrupt, io.
  virtual Result<std::optional<Appended>> repeated(const TopicPartition& partition, const EncodedRecords& records,
                                                   std::optional<Offset> from) const = 0;
};

}  // namespace lungo::writing
