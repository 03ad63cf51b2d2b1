// What goes into OwnershipCore and what comes out of it. Values; any thread.
//
// A question carries the tenure in which it was asked, and so does its answer: one that comes later is passed over.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include <lungo/log/result.hpp>
#include <lungo/log/types.hpp>

#include "client/tenure.hpp"

namespace lungo::ownership {

/// A MembershipListener, as its shell counts them.
using ListenerId = Id<struct ListenerTag, std::uint64_t>;

// ---- in: from those who take part ----

struct Joined {
  ListenerId listener;
  std::vector<std::string> topics;
};
/// Its token is gone. Nothing is said to it from now on.
struct Left {
  ListenerId listener;
};
/// Its call of closing() has returned.
struct ClosingDone {
  ListenerId listener;
};
/// Leaves the group, and joins it no more: the home stops, or can't keep its mirror.
struct GiveBack {};

// ---- in: from the group's consumer ----

/// The callback brings partitions. `metadata` is what the consumer says of itself now, `topics` what it has subscribed to:
/// those that it did not know then are shared by the next assignment.
struct Assigned {
  std::string member;
  std::string metadata;
  std::vector<TopicPartition> partitions;
  std::vector<std::string> topics{};
};
/// The callback takes all partitions. It returns at Unassign.
struct Revoked {};
/// The callback takes all partitions, which may be another's already.
struct Lost {};

// ---- in: answers, and what the tail has read ----

struct HighWatermarks {
  std::uint64_t tenure = 0;
  std::vector<std::pair<TopicPartition, Result<Offset>>> rows;
};
struct Owners {
  struct Row {
    TopicPartition partition;
    std::optional<std::string> note;  // the metadata of the group's offset
    bool is_pending = false;          // a transaction that has one is not decided
  };
  std::uint64_t tenure = 0;
  Result<void> outcome;
  std::vector<Row> rows;             // the notes are asked for first,
  std::vector<std::string> members;  // then who is in the group
};
struct Fenced {
  std::string transactional_id;
  Result<void> outcome;
};
/// The mirror of the partition ends here now, which may be below where it ended: it is made anew then.
struct MirrorEnd {
  TopicPartition partition;
  Offset end;
};
/// Time has passed: see OwnershipCore::wake_at().
struct Tick {};

using Input = std::variant<Joined, Left, ClosingDone, GiveBack, Assigned, Revoked, Lost, HighWatermarks, Owners, Fenced,
                           MirrorEnd, Claimed, LetGone, Tick>;

// ---- out ----

/// To the group's consumer: these topics, or none, which leaves the group.
struct Subscribe {
  std::vector<std::string> topics;
};
/// To the group's consumer: the callback may return.
struct Unassign {};
/// The high watermark of each, read_uncommitted; answered by HighWatermarks.
struct AskHighWatermarks {
  std::uint64_t tenure = 0;
  std::vector<TopicPartition> partitions;
};
/// The group's offsets of these, without or with require_stable, then its members; answered by Owners.
struct AskOwners {
  std::uint64_t tenure = 0;
  std::vector<TopicPartition> partitions;
  bool require_stable = false;
};
/// init_transactions by a producer of this id, which is thrown away; answered by Fenced.
struct Fence {
  std::string transactional_id;
};
/// As MembershipListener's.
struct TellOpened {
  ListenerId listener;
  std::vector<TopicPartition> partitions;
};
struct TellClosing {
  ListenerId listener;
  std::vector<TopicPartition> partitions;
  Instant deadline;
};
struct TellLost {
  ListenerId listener;
  std::vector<TopicPartition> partitions;
};
/// A line for who operates this.
struct Warn {
  std::string text;
};

using Effect = std::variant<Subscribe, Unassign, AskHighWatermarks, AskOwners, Fence, Grant, LetGo, TakeAway, TellOpened,
                            TellClosing, TellLost, Warn>;
using Effects = std::vector<Effect>;

}  // namespace lungo::ownership
