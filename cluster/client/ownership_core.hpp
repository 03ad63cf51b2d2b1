// Which partitions are this process's own: what decides when a partition that the group has assigned may be written to, and
// when one that goes may be let go. Pure: (state, input, now) -> effects; the group's shell carries them out.
//
//   away --Assigned--> waiting --barrier passed--> claiming --Claimed--> open --Revoked--> away      (a partition)
//   away --Assigned--> holding --Revoked--> closing --listeners done--> letting go --LetGone--> away (the process)
//                         \--------------------------- Lost ------------------------------------/^
//
// Promise: a partition is granted to the writer only when its mirror has read up to the high watermark E, which was asked for
// after the assignment. What an owner before can still commit lies below E, as its counters come behind its records and are
// refused from the next generation on; and the mirror, which reads what is decided, has passed it. That holds whoever that
// owner was, and by no clock. All else here makes it quick: an owner before that is no member of the group any more is fenced
// by its transactional id, which ends what it has open, instead of waiting for the broker's timeout. Unassign follows a
// Revoked when nothing is open any more, or when waiting longer would throw this process out of the group.
// docs/decisions/0007, section C, has the reasons; its rules are numbered as there.
//
// Threads: none of its own; one caller at a time.
#pragma once

#include <map>
#include <set>

#include "client/ownership_messages.hpp"

namespace lungo::ownership {

class OwnershipCore {
 public:
  struct Options {
    std::string transactional_id;  // the writer's
    std::string endpoint;          // where this process is reached; its note is short enough (format_owner_note())
    // A rebalance takes these one after the other, abort_timeout twice: together below the consumer's max.poll.interval.
    Duration closing_timeout = std::chrono::seconds{5};       // for listeners
    Duration transaction_timeout = std::chrono::seconds{10};  // for the open transaction
    Duration abort_timeout = std::chrono::seconds{5};         // for its abort, and for a producer that is made anew
    Duration give_back_timeout = std::chrono::seconds{1};     // instead, once the writer has ended what it could
    Duration ask_again = std::chrono::milliseconds{100};      // what could not be answered
  };

  explicit OwnershipCore(Options options);

  /// What is to be done, in this order.
  Effects step(Input input, Instant now);
  /// When a Tick has something to do.
  [[nodiscard]] Instant wake_at() const;
  /// The partitions that are open, ascending.
  /// That of now, or the last one; 0 before the first.
  [[nodiscard]] std::uint64_t tenure() const { return tenures_; }
  [[nodiscard]] std::vector<TopicPartition> mine() const;

  enum class Standing {
    open,    // this process's own
    coming,  // it may become so: it is assigned and not open yet, or partitions are being shared
    away,    // another's, or nobody's
  };
  [[nodiscard]] Standing standing(const TopicPartition& partition) const;

 private:
  enum class Phase { away, holding, closing, letting_go };
  enum class State { away, waiting, claiming, open };
  enum class Before { unasked, asked, fencing, known };  // who was the owner, and whether something may be open of it

  struct Partition {
    Offset mirror_end{};
    State state = State::away;
    std::optional<Offset> barrier{};  // E, of this tenure
    bool is_barrier_asked = false;
    Before before = Before::unasked;
    bool require_stable = false;  // when the note is asked for again
    std::string fencing{};        // that transactional id
    Instant moved_at{};           // the mirror's end, or since when it has to
    bool has_warned = false;
  };

  void on(const Joined& joined);
  void on(const Left& left);
  void on(const ClosingDone& done);
  void on(const GiveBack& give_back);
  void on(const Assigned& assigned);
  void on(const Revoked& revoked);
  void on(const Lost& lost);
  void on(const HighWatermarks& answer);
  void on(const Owners& answer);
  void on(const Fenced& fenced);
  void on(const MirrorEnd& mirror);
  void on(const Claimed& claimed);
  void on(const LetGone& gone);
  void on(const Tick& tick);

  void subscribe();
  void ask();
  void ask_owners(bool require_stable);
  void look_at_owner(const Owners::Row& row, const std::set<std::string>& members);
  void grant_what_is_read();
  void warn_of_what_stands_still();
  void let_go();
  void end_tenure();
  template <class Tell>
  void tell(const std::vector<TopicPartition>& partitions, const Tell& tell);

  const Options options_;
  Instant now_{};
  Effects effects_;

  std::map<ListenerId, std::set<std::string>> listeners_;
  std::vector<std::string> subscribed_;
  std::set<std::string> shared_;  // topics of the assignment, where there is one
  bool is_given_back_ = false;

  Phase phase_ = Phase::away;
  std::uint64_t tenures_ = 0;
  std::shared_ptr<const Tenure> tenure_;            // null when away
  bool has_granted_ = false;                        // something of this tenure
  std::map<TopicPartition, Partition> partitions_;  // that have a mirror or were assigned once
  std::set<std::string> fenced_;                    // transactional ids, in this tenure
  std::set<std::string> fencing_;                   // asked for; in any tenure
  Instant ask_again_at_{};
  std::set<ListenerId> closing_;            // those that work on it
  Instant phase_ends_at_ = Instant::max();  // of closing and of letting go
};

}  // namespace lungo::ownership
