// WriterCore: appends, whose their partitions are, what the mirror has read back. writer_transaction.cpp has the handle.

#include "client/writer_core.hpp"

#include <algorithm>

#include <lungo/log/check.hpp>

namespace lungo::writing {

namespace {

constexpr Duration kSweepInterval = std::chrono::milliseconds{100};

}  // namespace

WriterCore::WriterCore(Options options, const MirrorLookup& mirror)
    : options_(options),
      mirror_(mirror),
      gathering_({.from = options.gather_from, .most = options.transaction_records_max, .quiet = options.gather_quiet}) {}

Effects WriterCore::step(Input input, Instant now) {
  now_ = now;
  gathering_.step(now_);
  std::visit([this](auto& one) { on(one); }, input);
  if (!has_ended_) {
    sweep();
    let_go();
    make_handle();
    begin();
    end();
    // Who is gone is referred to by transactions, and by appends that wait.
    if (open_ == nullptr && undecided_.empty() && held_bytes_ == 0) gone_.clear();
  }
  return std::exchange(effects_, {});
}

Instant WriterCore::wake_at() const {
  if (has_ended_) return Instant::max();
  Instant at = Instant::max();
  if (held_bytes_ > 0) at = sweep_at_;
  if (!is_ready_ && call_ == Call::none) at = std::min(at, make_at_);
  if (repeat_) at = std::min(at, repeat_at_);
  if (let_go_ && has_owned_open()) {
    at = std::min(at, now_ < let_go_->deadline ? let_go_->deadline : let_go_->deadline + options_.abort_timeout);
  }
  if (closing_) at = std::min(at, closing_->deadline);
  if (open_ == nullptr && is_ready_) {
    if (const Instant begins = begins_at(); begins > now_) at = std::min(at, begins);
  }
  return std::max(at, now_);
}

// ---- appends ----

PartitionAppends& WriterCore::partition_of(const TopicPartition& name) {
  std::unique_ptr<PartitionAppends>& found = partitions_[name];
  if (found == nullptr) found = std::make_unique<PartitionAppends>(name, mirror_);
  return *found;
}

void WriterCore::on(Append& append) {
  PartitionAppends& partition = partition_of(append.request.to);
  auto pending = std::make_unique<PendingAppend>();
  pending->ticket = append.ticket;
  pending->bytes = append.request.records.size_bytes();
  for (const TopicPartition& owned : append.request.on_behalf_of) pending->on_behalf_of.push_back(&partition_of(owned));
  pending->deadline = append.deadline;
  pending->request = std::move(append.request);
  const std::optional<Error> refusal = refusal_of(*pending, partition);
  held_bytes_ += pending->bytes;
  if (refusal) return answers_.give(*pending, *refusal);
  gathering_.queued(queued(), now_);
  partition.add(std::move(pending), answers_);
}

std::optional<Error> WriterCore::refusal_of(const PendingAppend& append, const PartitionAppends& partition) const {
  const EncodedRecords& records = append.request.records;
  if (closing_) return closing_->reason;
  if (records.empty()) return Error{Errc::invalid_argument, "an append needs a record"};
  if (records.size_bytes() > options_.transaction_bytes_max || records.count() > options_.transaction_records_max) {
    return Error{Errc::too_large, "the append has " + std::to_string(records.count()) + " records of " +
                                      std::to_string(records.size_bytes()) + " bytes, a transaction takes " +
                                      std::to_string(options_.transaction_records_max) + " and " +
                                      std::to_string(options_.transaction_bytes_max)};
  }
  if (const PartitionAppends* const lost = partition.lost_owner(append)) return lost->not_owner();
  if (const std::optional<Error> refusal = partition.refusal(now_)) return *refusal;
  if (held_bytes_ + records.size_bytes() > options_.queued_bytes_max) {
    return Error{Errc::busy, std::to_string(held_bytes_) + " bytes wait to be committed, " +
                                 std::to_string(options_.queued_bytes_max) + " may"};
  }
  return std::nullopt;
}

void WriterCore::sweep() {
  if (now_ < sweep_at_) return;
  sweep_at_ = now_ + kSweepInterval;
  for (const auto& [name, partition] : partitions_) partition->sweep(now_, last_failure_, answers_);
}

// ---- whose the partitions are ----

void WriterCore::on(const Grant& grant) {
  if (tenure_ != grant.tenure) {
    tenure_ = grant.tenure;
    is_stale_ = false;
    let_go_.reset();
    close_owned();
  }
  for (const ownership::Granted& granted : grant.partitions) partition_of(granted.partition).grant(granted.barrier);
  if (open_ != nullptr) advance();
}

void WriterCore::close_owned() {
  suspects_.clear();
  suspects_counted_ = 0;
  for (const auto& [name, partition] : partitions_) partition->close(answers_);
  for (const auto& [name, partition] : partitions_) partition->refuse_orphans(answers_);
}

void WriterCore::on(const LetGo& let_go) {
  const bool is_over = has_ended_ && !has_owned_open() && !is_unsure_;
  if (is_over || tenure_ == nullptr || tenure_->number != let_go.tenure) {
    effects_.push_back(LetGone{let_go.tenure});
    return;
  }
  let_go_ = let_go;
  close_owned();
}

void WriterCore::let_go() {
  if (!let_go_) return;
  if (has_owned_open() && now_ >= let_go_->deadline + options_.abort_timeout) throw_away();
  // While a commit is to be resumed the handle takes no other call.
  if (has_owned_open() && now_ >= let_go_->deadline && call_ == Call::none && !is_aborting() && repeat_ != Call::commit) {
    abort_open();
  }
  if (has_owned_open() || is_unsure_) return;
  effects_.push_back(LetGone{let_go_->tenure});
  let_go_.reset();
  tenure_ = nullptr;
}

void WriterCore::on(const TakeAway& take_away) {
  if (tenure_ == nullptr || tenure_->number != take_away.tenure) return;
  tenure_ = nullptr;
  let_go_.reset();
  close_owned();
  if (open_ != nullptr) advance();
}

// ---- what the mirror has read back ----

void WriterCore::on(const Read& read) {
  const auto found = partitions_.find(read.partition);
  if (found == partitions_.end()) return;
  PartitionAppends::Found lies_there = found->second->read(read);
  std::ranges::move(lies_there.foreign, std::back_inserter(suspects_));
  for (const std::shared_ptr<Transaction>& transaction : lies_there.passed) tell_missing(*transaction);
  settle_undecided();
  found->second->settle(answers_);
}

/// Where nobody has confirmed the commit they are just aborted.
void WriterCore::tell_missing(Transaction& transaction) {
  if (transaction.outcome != Transaction::Outcome::committed || transaction.is_unseen) return;
  for (; transaction.told < transaction.missing.size(); ++transaction.told) {
    effects_.push_back(transaction.missing[transaction.told]);
  }
}

void WriterCore::settle_undecided() {
  std::vector<std::shared_ptr<Transaction>> decided;
  std::erase_if(undecided_, [&](const std::shared_ptr<Transaction>& transaction) {
    const bool is_committed = transaction->outcome == Transaction::Outcome::committed;
    if (!is_committed && transaction->ranges_left > 0) return false;
    if (!is_committed) transaction->outcome = Transaction::Outcome::aborted;
    decided.push_back(transaction);
    return true;
  });
  for (const std::shared_ptr<Transaction>& transaction : decided) {
    for (PartitionAppends* const partition : transaction->partitions) {
      partition->hold(-1);
      if (transaction->outcome == Transaction::Outcome::committed) {
        partition->settle(answers_);
      } else {
        partition->take_back(*transaction, answers_);
      }
    }
  }
}

void WriterCore::on(const TopicGone& gone) {
  for (auto entry = partitions_.begin(); entry != partitions_.end();) {
    if (entry->first.topic != gone.topic) {
      ++entry;
      continue;
    }
    entry->second->forget(gone.why, answers_);
    gone_.push_back(std::move(entry->second));  // a transaction may go to it
    entry = partitions_.erase(entry);
  }
  for (const auto& [name, partition] : partitions_) partition->refuse_orphans(answers_);
  std::erase_if(suspects_, [&](const Foreign& suspect) { return suspect.partition.topic == gone.topic; });
  suspects_counted_ = 0;
  settle_undecided();
}

// ---- the end ----

void WriterCore::on(const Close& close) {
  closing_ = close;
  for (const auto& [name, partition] : partitions_) partition->refuse_queued(close.reason, answers_);
}

void WriterCore::end() {
  if (!closing_ || has_ended_) return;
  const bool is_idle =
      open_ == nullptr && std::ranges::none_of(partitions_, [](const auto& one) { return one.second->is_sent(); });
  if (!is_idle && now_ < closing_->deadline) return;
  for (const auto& [name, partition] : partitions_) {
    partition->refuse_queued(closing_->reason, answers_);  // what came back of an aborted transaction
    partition->abandon({Errc::timed_out, "the log closes before an answer came; whether it is written is unknown"}, answers_);
  }
  has_ended_ = true;
  effects_.push_back(Ended{});
}

}  // namespace lungo::writing
