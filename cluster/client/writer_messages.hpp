// What goes into WriterCore and what comes out of it. Values; any thread.
//
// A handle is a transactional producer, all of one transactional id; the number tells one from those made before it. At most
// one call of a handle is under way: the one that was asked for last and is not answered.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include <lungo/log/event_log.hpp>

#include "client/tenure.hpp"

namespace lungo::writing {

using ownership::Claimed;
using ownership::Grant;
using ownership::LetGo;
using ownership::LetGone;
using ownership::TakeAway;

/// One append, as its shell counts them.
using AppendTicket = Id<struct AppendTicketTag, std::uint64_t>;
using HandleNumber = Id<struct HandleTag, std::uint64_t>;

struct OffsetRange {
  Offset begin;
  Offset end;
  friend bool operator==(const OffsetRange&, const OffsetRange&) = default;
};
/// Offsets come ascending.
inline void add_offset(std::vector<OffsetRange>& ranges, Offset offset) {
  if (ranges.empty() || ranges.back().end != offset) ranges.push_back({offset, offset});
  ranges.back().end = offset.next();
}

/// What a call of the producer failed with.
struct CallFailure {
  enum class Kind {
    retriable,  // the same call may go on where it was
    abort,      // the transaction has to be aborted
    fatal,      // the handle is of no use any more
  };
  Kind kind = Kind::abort;
  Error error;
  bool is_stale = false;  // the group takes no counters with this tenure's metadata any more
};

// ---- in ----

struct Append {
  AppendTicket ticket;
  AppendRequest request;
  Instant deadline;
};
/// Answers MakeHandle, SendCounters, Commit and Abort.
struct CallDone {
  HandleNumber handle;
  std::optional<CallFailure> failure;
};
/// Answers Produce: every record lies in its partition, below its high watermark.
struct Acknowledged {
  struct Partition {
    TopicPartition name;
    std::vector<OffsetRange> records;  // all of them, ascending
  };
  HandleNumber handle;
  std::vector<OffsetRange> appends;  // of each append from its first record to one past its last, as they were produced
  std::vector<Partition> partitions;
};
/// Answers Produce, too: not every record does. Fatal, unless each one was acknowledged or refused.
struct ProduceFailed {
  struct Refused {
    TopicPartition partition;
    Error error;
    bool lasts = false;                 // the next ones would be refused as well
    std::optional<std::size_t> append;  // of Produce, the one that has the record; where none is named, any of the partition
  };
  HandleNumber handle;
  CallFailure failure;
  std::vector<Refused> refused;
};
/// The mirror has taken in [from, end) of the partition, with records at these offsets. `from` lies above the end before where
/// the records between are gone, and below it where the mirror is made anew.
struct Read {
  TopicPartition partition;
  Offset from;
  Offset end;
  std::vector<OffsetRange> records;
};
/// What was known of it is void: it was deleted, or made anew below us, or the mirror's copy of it was not Kafka's. All that
/// waits is answered: with `not_found`, or with `why`, which what was sent gets as `timed_out`.
struct TopicGone {
  std::string topic;
  std::optional<Error> why{};
};
/// Refuses appends with `reason`, what waits included, ends the open transaction, and answers Ended, at `deadline` at the
/// latest.
struct Close {
  Error reason;
  Instant deadline;
};
/// Time has passed: see WriterCore::wake_at().
struct Tick {};

using Input = std::variant<Append, Grant, LetGo, TakeAway, CallDone, Acknowledged, ProduceFailed, Read, TopicGone, Close, Tick>;

// ---- out ----

/// Destroys the handle before, if there is one, makes this one and calls init_transactions.
struct MakeHandle {
  HandleNumber handle;
};
/// begin_transaction, then all records of these, in order; without any, that is all. They stay where they are until it is
/// answered, or Abort, GiveUp or MakeHandle follows.
struct Produce {
  HandleNumber handle;
  std::vector<const AppendRequest*> appends;
};
/// What was produced is looked at no more, and nothing is done with the handle; MakeHandle follows, maybe much later.
struct GiveUp {
  HandleNumber handle;
};
/// send_offsets_to_transaction, with the tenure's metadata.
struct SendCounters {
  struct Counter {
    TopicPartition partition;
    Offset offset;  // one past the last record that the owner appended, or its barrier
  };
  HandleNumber handle;
  std::shared_ptr<const ownership::Tenure> tenure;
  std::vector<Counter> counters;
};
struct Commit {
  HandleNumber handle;
};
/// abort_transaction, which drops what is not sent yet.
struct Abort {
  HandleNumber handle;
};
/// This process's appends to the partition are committed up to here; the mirror has them later. Told before their answers.
struct Committed {
  TopicPartition partition;
  Offset end;
};
/// An append is done, or refused.
struct Answer {
  AppendTicket ticket;
  Result<Appended> outcome;
};
/// Records in an owned partition that its owner did not append. Told when the group has taken counters of the tenure in which
/// they were read.
struct Foreign {
  TopicPartition partition;
  OffsetRange records;
  std::optional<Offset> as_of;  // the latest of the conditions that they may have voided
};
/// Records of its own in a stream partition, which the brokers have acknowledged and whose commit they have confirmed, and
/// which the mirror has passed without finding them.
struct Missing {
  TopicPartition partition;
  OffsetRange records;
};
/// Answers Close. All appends are answered.
struct Ended {};

using Effect = std::variant<MakeHandle, Produce, GiveUp, SendCounters, Commit, Abort, Committed, Answer, Foreign, Missing,
                            Claimed, LetGone, Ended>;
using Effects = std::vector<Effect>;

}  // namespace lungo::writing
