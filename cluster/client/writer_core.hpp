// What this process writes: appends queue, a transaction takes what has queued, and each is answered when its transaction is
// committed; who reads waits until the mirror has it. Pure: (state, input, now) -> effects; the writer's shell carries them
// out.
//
//          MakeHandle ------> idle ---Produce---> open --Acknowledged--> SendCounters --> Commit --> idle      (the handle)
//              ^                                    \------- a failure, or the tenure is over ----> Abort --> idle
//              \---------------------------- a failure that is fatal, anywhere
//
// Promise: one transaction is open at a time. Counters are sent when every record of it has been acknowledged, with the
// metadata of the tenure that it began with, and never when that tenure is over; so whoever is the owner behind the next
// rebalance has all that can still be committed below its barrier. The first transaction of a tenure has counters and no
// records: they say who may have something open.
//
// An append is answered with its offsets, or with an error: `timed_out` where it may be written all the same and the text says
// so; with any other error it is not, and will not be. What is known not to be written goes again by itself until its
// deadline. Where `commit` was called and did not answer, nothing goes to the transaction's partitions until the mirror has
// passed its offsets: its records are there, or they are not.
//
// Threads: none of its own; one caller at a time. Effects refer to appends that lie here: they are carried out before the next
// step.
#pragma once

#include <map>

#include "client/gathering.hpp"
#include "client/partition_appends.hpp"

namespace lungo::writing {

class WriterCore {
 public:
  struct Options {
    std::size_t queued_bytes_max = 64u << 20;  // of appends that are not answered; what comes above it is answered `busy`
    std::size_t transaction_bytes_max = 8u << 20;
    std::size_t transaction_records_max = 16'384;
    // Behind a commit, unless the mirror has read it back: its markers are being written until then.
    Duration pause = std::chrono::milliseconds{3};
    std::size_t gather_from = 16;  // see gathering.hpp
    Duration gather_quiet = std::chrono::milliseconds{3};
    Duration again_min = std::chrono::milliseconds{100};  // before what failed is tried again, doubled with each failure
    Duration again_max = std::chrono::seconds{5};
    Duration abort_timeout = std::chrono::seconds{5};  // behind LetGo's deadline; then the handle is made anew
    Duration resume_time = std::chrono::seconds{15};   // for a call, above transaction_timeout; then it is made anew, too
    Duration refusal_time = std::chrono::seconds{10};  // for what lasts, see ProduceFailed::Refused
  };

  /// `mirror` outlives it.
  WriterCore(Options options, const MirrorLookup& mirror);
  WriterCore(const WriterCore&) = delete;

  /// What is to be done, in this order.
  Effects step(Input input, Instant now);
  /// When a Tick has something to do.
  [[nodiscard]] Instant wake_at() const;

 private:
  enum class Call { none, init, counters, commit, abort };

  void on(Append& append);
  void on(const Grant& grant);
  void on(const LetGo& let_go);
  void on(const TakeAway& take_away);
  void on(const CallDone& done);
  void on(const Acknowledged& acknowledged);
  void on(const ProduceFailed& failed);
  void on(const Read& read);
  void on(const TopicGone& gone);
  void on(const Close& close);
  void on(const Tick&) {}

  // writer_core.cpp: the queue, the tenure
  std::optional<Error> refusal_of(const PendingAppend& append, const PartitionAppends& partition) const;
  PartitionAppends& partition_of(const TopicPartition& name);
  void close_owned();
  void let_go();
  void settle_undecided();
  void tell_missing(Transaction& transaction);
  void sweep();
  void end();

  // writer_transaction.cpp: the handle, the open transaction
  void make_handle();
  void begin();
  void begin(std::shared_ptr<Transaction> transaction);
  [[nodiscard]] std::shared_ptr<Transaction> compose_claim() const;
  [[nodiscard]] std::shared_ptr<Transaction> compose();
  [[nodiscard]] std::shared_ptr<Transaction> compose_question() const;
  [[nodiscard]] std::shared_ptr<const ownership::Tenure> tenure_to_end_with() const;
  void advance();
  void call(Call call);
  void send_counters();
  void fail(Call call, const CallFailure& failure);
  void counters_done();
  void commit_done();
  void abort_open();
  void end_with_abort();
  void throw_away();
  void end_open();
  [[nodiscard]] bool may_write_owned() const { return tenure_ != nullptr && !is_stale_ && !let_go_; }
  /// A transaction with counters, which its tenure's end has to wait for.
  [[nodiscard]] bool has_owned_open() const { return open_ != nullptr && open_->tenure != nullptr; }
  [[nodiscard]] bool is_aborting() const { return call_ == Call::abort || repeat_ == Call::abort; }
  [[nodiscard]] Instant begins_at() const;
  [[nodiscard]] bool has_to_claim() const;
  [[nodiscard]] std::size_t queued() const;
  Duration next_pause();

  const Options options_;
  const MirrorLookup& mirror_;
  Instant now_{};
  Effects effects_;
  std::size_t held_bytes_ = 0;  // of appends that are not answered
  Answers answers_{effects_, held_bytes_};
  Instant sweep_at_{};
  std::optional<Close> closing_;
  bool has_ended_ = false;

  std::map<TopicPartition, std::unique_ptr<PartitionAppends>> partitions_;
  std::vector<std::unique_ptr<PartitionAppends>> gone_;  // of topics that were deleted, until nothing waits
  TopicPartition first_;                                 // whose turn it is to be the first in a transaction

  std::shared_ptr<const ownership::Tenure> tenure_;  // null between two of them
  bool is_stale_ = false;                            // the group has refused its metadata: another one is to come
  std::optional<LetGo> let_go_;

  HandleNumber handle_{};
  bool is_ready_ = false;   // the handle
  bool is_unsure_ = false;  // one was thrown away with something owned open, and its id is not initialised again yet
  Instant make_at_{};       // the next handle
  Call call_ = Call::none;  // under way
  std::optional<Instant> resumed_since_;  // it, or the one that is
  std::optional<Call> repeat_;            // to be made again,
  Instant repeat_at_{};                   // then
  int failures_ = 0;                      // since the last commit,
  std::optional<Error> last_failure_;     // and the last of them
  Instant not_before_{};                  // the next transaction
  Gathering gathering_;
  std::shared_ptr<Transaction> open_;
  std::shared_ptr<Transaction> last_;  // that was committed,
  Instant committed_at_{};             // then
  std::vector<std::shared_ptr<Transaction>> undecided_;
  // Read in this tenure. A process that has lost its partitions and does not know takes the next owner's records for foreign
  // ones; where the group takes its counters behind that, there was no next owner.
  std::vector<Foreign> suspects_;
  std::size_t suspects_counted_ = 0;  // found before counters were sent
};

}  // namespace lungo::writing
