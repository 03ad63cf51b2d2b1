// The appends of this process to one partition: those that wait, those in transactions, and those that were committed and are
// not read back yet. For WriterCore, which has one of these for each partition, and one transaction open at a time.
//
//   add() -> queued --take()--> sent --committed--> answered --read back--> forgotten
//               ^----take_back()--/                                                     where the transaction was aborted
//
// Conditions and ids are looked for in the mirror when an append comes, and again in what the mirror has got since when it is
// to go. What was sent and is not read back the mirror does not have. An append that asks for a key of one of those waits until
// that is read back or aborted, unless it is committed and lies below what the condition has seen; so does one that asks for an
// id. What comes later under a key of one that waits, waits behind it.
//
// The offsets of its own records tell two things when the mirror has passed them: what of a transaction with unknown outcome
// became of it, since its records are there all or none; and which records somebody else has written.
// Threads: none of its own; one caller at a time.
#pragma once

#include <algorithm>
#include <deque>
#include <functional>
#include <limits>
#include <memory>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "client/mirror_lookup.hpp"
#include "client/writer_messages.hpp"

namespace lungo::writing {

class PartitionAppends;
struct PendingAppend;

/// One transaction, from the records that go into it until it is known what became of them.
struct Transaction {
  enum class Outcome {
    open,       // it can still be aborted
    undecided,  // it was to be committed, and the answer did not come
    committed,
    aborted,
  };
  std::shared_ptr<const ownership::Tenure> tenure;  // null where nothing of it is owned
  bool is_claim = false;
  std::vector<PendingAppend*> appends;        // until they are acknowledged
  std::vector<PartitionAppends*> partitions;  // those that they go to
  std::vector<PartitionAppends*> counted;     // owned ones, whose counters go with it
  std::vector<ProduceFailed::Refused> refused;
  bool is_acknowledged = false;
  bool is_counted = false;
  bool is_commit_sent = false;
  Outcome outcome = Outcome::open;
  std::size_t ranges_left = 0;   // of its own offsets, those that the mirror has not passed
  bool is_unseen = false;        // the mirror has passed some without looking
  std::vector<Missing> missing;  // the mirror has looked, and they are not there
  std::size_t told = 0;          // of these
};

struct PendingAppend {
  AppendTicket ticket;
  AppendRequest request;
  std::vector<PartitionAppends*> on_behalf_of;  // goes only while all of these are owned, with their counters
  Instant deadline;
  std::size_t bytes = 0;
  bool is_answered = false;                  // its deadline passed in the transaction
  std::optional<Offset> checked_to;          // nothing below it is in the way
  std::optional<OffsetRange> place;          // once it is acknowledged
  std::optional<Error> refusal;              // a broker's, or the client's, of a record of it
  std::shared_ptr<Transaction> transaction;  // null while it is queued
};

/// Where answers go.
class Answers {
 public:
  Answers(Effects& effects, std::size_t& held_bytes) : effects_(effects), held_bytes_(held_bytes) {}
  void committed(const TopicPartition& partition, Offset end) { effects_.push_back(Committed{partition, end}); }
  /// Once for each append; a second one is dropped.
  void give(PendingAppend& append, Result<Appended> outcome);

 private:
  Effects& effects_;
  std::size_t& held_bytes_;  // of appends that are not answered
};

/// What a transaction may still take.
struct Room {
  std::size_t records = 0;
  std::size_t bytes = 0;
  bool has_tenure = false;  // also what is owned
  bool is_full = false;     // the next one did not fit
};

class PartitionAppends {
 public:
  enum class State { away, claiming, mine };

  /// `mirror` outlives it.
  PartitionAppends(TopicPartition name, const MirrorLookup& mirror);

  [[nodiscard]] const TopicPartition& name() const { return name_; }
  /// Whether this process is the owner. To a plain topic every process appends, whoever owns its partitions.
  [[nodiscard]] State state() const { return state_; }
  [[nodiscard]] bool is_stream() const { return is_stream_; }
  [[nodiscard]] Error not_owner() const;
  [[nodiscard]] const PartitionAppends* lost_owner(const PendingAppend& append) const;
  [[nodiscard]] Offset counter() const { return counter_; }
  [[nodiscard]] std::size_t queued() const { return queue_.size(); }
  /// Something went, and is not answered.
  [[nodiscard]] bool is_sent() const { return sent_.size() > answered_; }
  /// Why appends are refused for now, whoever is the owner.
  [[nodiscard]] std::optional<Error> refusal(Instant now) const { return now < refused_until_ ? refusal_ : std::nullopt; }

  void grant(Offset barrier);
  void claim_again();
  void claimed();
  /// It is another's: what waits for it is answered.
  void close(Answers& answers);
  /// Answers what waits on behalf of a partition that is another's.
  void refuse_orphans(Answers& answers);
  /// The topic is gone: see TopicGone. All is answered; what a transaction still refers to stays.
  void forget(const std::optional<Error>& why, Answers& answers);

  /// Queues the append, unless the mirror has its answer.
  void add(std::unique_ptr<PendingAppend> append, Answers& answers);
  /// Moves what may go into the transaction. Answers what the mirror has an answer for.
  void take(const std::shared_ptr<Transaction>& transaction, Room& room, Answers& answers);
  /// The mirror has passed some of these offsets, so no open transaction has them.
  [[nodiscard]] bool has_passed(const std::vector<OffsetRange>& records) const {
    return std::ranges::any_of(records, [this](const OffsetRange& range) { return range.begin < looked_to_; });
  }
  /// The transaction's records lie here.
  void put(const std::shared_ptr<Transaction>& transaction, const std::vector<OffsetRange>& records);
  /// Nothing more goes until it is known what became of a transaction (+1), or because that is known now (-1).
  void hold(int transactions) { undecided_ += transactions; }
  /// The transaction was aborted: its appends wait again, or are answered where they would wait in vain.
  void take_back(const Transaction& transaction, Answers& answers);
  struct Found {
    std::vector<Foreign> foreign;
    std::vector<std::shared_ptr<Transaction>> passed;  // of which it has passed some
  };
  /// What lies there beside what is its own, and the transactions of that.
  Found read(const Read& read);
  /// Answers what is committed; forgets of it what is read back.
  void settle(Answers& answers);
  /// Answers what waits with `error`.
  void refuse_queued(const Error& error, Answers& answers);
  void refuse_until(Instant until, Error error);
  /// Answers those whose deadline has passed; `cause` is what has failed last, if anything has.
  void sweep(Instant now, const std::optional<Error>& cause, Answers& answers);
  /// Answers with `error` what was sent.
  void abandon(const Error& error, Answers& answers);

 private:
  enum class Fate { goes, waits, answered };
  static constexpr std::size_t kAny = std::numeric_limits<std::size_t>::max();
  struct InFlight {
    int appends = 0;
    int undecided = 0;  // of these, not committed
    Offset end;         // of the others
  };
  struct OwnRange {
    OffsetRange records;
    std::shared_ptr<Transaction> transaction;
    std::int64_t seen = 0;  // of these records
  };

  Fate fate_of(PendingAppend& append, const std::unordered_set<std::size_t>& behind, bool has_tenure, Answers& answers);
  Fate look_up(PendingAppend& append, Answers& answers) const;
  /// Something with that hash, which a condition that has seen what lies below `as_of` can't know.
  [[nodiscard]] bool is_in_flight(std::size_t hash, Offset as_of) const;
  template <class Change>
  void change_in_flight(const EncodedRecords& records, Change change);
  void pass_own_range(Found& found);
  void grow();
  [[nodiscard]] std::optional<Offset> voided_by(const OffsetRange& records) const;

  const TopicPartition name_;
  const MirrorLookup& mirror_;
  bool is_stream_;
  State state_ = State::away;
  std::optional<Offset> barrier_;  // of a stream, while it is owned
  Offset counter_;
  Offset read_end_;
  Offset looked_to_;  // the largest read_end_
  int undecided_ = 0;
  std::size_t most_ = kAny;  // appends of a transaction, so that one which is refused is found among many
  int went_ = 0;             // transactions with so many,
  int grows_after_ = 1;      // and behind how many of these more are tried
  bool has_grown_ = false;   // since the last refusal
  std::optional<Error> refusal_;
  Instant refused_until_{};
  std::deque<std::unique_ptr<PendingAppend>> queue_;
  std::deque<std::unique_ptr<PendingAppend>> sent_;
  std::size_t answered_ = 0;                             // of these, the first ones, which are committed,
  Offset committed_;                                     // up to here
  std::deque<OwnRange> own_;                             // ascending
  std::unordered_map<std::size_t, InFlight> in_flight_;  // by hashes of the keys and ids of what was sent
};

}  // namespace lungo::writing
