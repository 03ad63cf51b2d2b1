// What OwnershipCore and WriterCore say to each other: which partitions this process owns, and since when.
//
//   OwnershipCore  -- Grant, LetGo, TakeAway -->  WriterCore
//                  <-- Claimed, LetGone -----
//
// A tenure is the time between an assignment of partitions and the end of that assignment, which the next rebalance brings. It
// has a number, counted per process. Values; any thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <lungo/log/types.hpp>

namespace lungo::ownership {

struct Tenure {
  std::uint64_t number = 0;  // ascends; 1 is the first
  std::string metadata;      // of the group's consumer, as its client writes it: names the member and the generation
  std::string note;          // format_owner_note() of the owner; goes with each counter
};

struct Granted {
  TopicPartition partition;
  Offset barrier;  // all records of owners before lie below it, and this process has read up to it
};

/// These are the process's own from now on, beside those granted before with the same tenure. The writer claims them: with
/// counters that have no records, before anything else.
struct Grant {
  std::shared_ptr<const Tenure> tenure;
  std::vector<Granted> partitions;
};

/// The tenure ends: no more appends to its partitions, and the open transaction ends, or is aborted from `deadline` on.
struct LetGo {
  std::uint64_t tenure = 0;
  Instant deadline;
};

/// The tenure is over: what is open with it must not be committed.
struct TakeAway {
  std::uint64_t tenure = 0;
};

/// The group's coordinator has taken the writer's notes: whoever comes next finds in them who may have something open.
struct Claimed {
  std::uint64_t tenure = 0;
  std::vector<TopicPartition> partitions;
};

/// Answers LetGo: nothing of the tenure is open any more.
struct LetGone {
  std::uint64_t tenure = 0;
};

}  // namespace lungo::ownership
