// WriterCore: the handle and its open transaction, by the rules of docs/decisions/0007, section C, and the failures of E.

#include <algorithm>

#include <lungo/log/check.hpp>

#include "client/writer_core.hpp"

namespace lungo::writing {

using State = PartitionAppends::State;

// ---- the handle ----

void WriterCore::make_handle() {
  if (repeat_ && now_ >= repeat_at_) {
    const Call again = *std::exchange(repeat_, std::nullopt);
    if (again == Call::abort) {
      call(again);
    } else {
      advance();
    }
  }
  if (is_ready_ || call_ != Call::none || now_ < make_at_ || has_ended_) return;
  call(Call::init);
}

void WriterCore::call(Call call) {
  check(call_ == Call::none, "a handle takes one call at a time");
  call_ = call;
  switch (call) {
    case Call::none:
      break;
    case Call::init:
      handle_ = HandleNumber{handle_.value() + 1};
      effects_.push_back(MakeHandle{handle_});
      break;
    case Call::counters:
      send_counters();
      break;
    case Call::commit:
      open_->is_commit_sent = true;
      effects_.push_back(Commit{handle_});
      break;
    case Call::abort:
      effects_.push_back(Abort{handle_});
      break;
  }
}

void WriterCore::on(const CallDone& done) {
  if (done.handle != handle_ || call_ == Call::none || has_ended_) return;
  const Call call = std::exchange(call_, Call::none);
  if (done.failure) return fail(call, *done.failure);
  resumed_since_.reset();
  switch (call) {
    case Call::none:
      break;
    case Call::init:
      is_ready_ = true;
      is_unsure_ = false;
      break;
    case Call::counters:
      counters_done();
      break;
    case Call::commit:
      commit_done();
      break;
    case Call::abort:
      end_open();
      break;
  }
}

void WriterCore::fail(Call call, const CallFailure& failure) {
  last_failure_ = failure.error;
  if (failure.is_stale && open_ != nullptr && open_->tenure == tenure_) is_stale_ = true;
  const bool may_repeat = call == Call::counters || call == Call::commit || call == Call::abort;
  if (failure.kind == CallFailure::Kind::retriable && may_repeat) {
    if (!resumed_since_) resumed_since_ = now_;
    // One whose request was lost may never end (librdkafka 2.0.2), and the brokers have aborted its transaction meanwhile.
    if (now_ - *resumed_since_ >= options_.resume_time) return throw_away();
    repeat_ = call;
    repeat_at_ = now_ + options_.again_min;
    return;
  }
  if (failure.kind == CallFailure::Kind::fatal || call == Call::init || call == Call::abort) return throw_away();
  if (!failure.is_stale) not_before_ = now_ + next_pause();
  end_with_abort();
}

/// Whoever has claimed claims again: the next handle's transactions are another producer's.
void WriterCore::throw_away() {
  is_ready_ = false;
  call_ = Call::none;
  repeat_.reset();
  resumed_since_.reset();
  make_at_ = now_ + next_pause();
  for (const auto& [name, partition] : partitions_) partition->claim_again();
  if (open_ == nullptr) return;
  if (!open_->is_acknowledged && !open_->appends.empty()) effects_.push_back(GiveUp{handle_});
  is_unsure_ |= open_->tenure != nullptr;
  end_open();
}

/// None at first, as the broker's timeout may be what has ended a handle.
Duration WriterCore::next_pause() {
  const int failures = failures_++;
  if (failures == 0) return Duration{0};
  return std::min(options_.again_max, options_.again_min * (1 << std::min(failures - 1, 10)));
}

// ---- a transaction begins ----

/// Rule 5: records follow when the notes have been taken.
bool WriterCore::has_to_claim() const {
  return may_write_owned() &&
         std::ranges::any_of(partitions_, [](const auto& one) { return one.second->state() == State::claiming; });
}

Instant WriterCore::begins_at() const {
  if (has_to_claim()) return not_before_;
  const bool is_read = last_ == nullptr || last_->ranges_left == 0;
  const Instant rested = is_read ? Instant::min() : committed_at_ + options_.pause;
  return std::max({not_before_, rested, gathering_.until(queued())});
}

std::size_t WriterCore::queued() const {
  std::size_t all = 0;
  for (const auto& [name, partition] : partitions_) all += partition->queued();
  return all;
}

void WriterCore::begin() {
  if (open_ != nullptr || !is_ready_ || call_ != Call::none || closing_ || now_ < not_before_) return;
  if (std::shared_ptr<Transaction> claim = compose_claim()) return begin(std::move(claim));
  if (now_ < begins_at()) return;
  std::shared_ptr<Transaction> transaction = compose();
  if (!transaction->appends.empty()) return begin(std::move(transaction));
  if (std::shared_ptr<Transaction> question = compose_question()) begin(std::move(question));
}

void WriterCore::begin(std::shared_ptr<Transaction> transaction) {
  open_ = std::move(transaction);
  gathering_.begun(open_->appends.size(), now_);
  Produce produce{.handle = handle_, .appends = {}};
  for (const PendingAppend* append : open_->appends) produce.appends.push_back(&append->request);
  effects_.push_back(std::move(produce));
}

/// Null where nothing is to be claimed.
std::shared_ptr<Transaction> WriterCore::compose_claim() const {
  if (!has_to_claim()) return nullptr;
  auto claim = std::make_shared<Transaction>();
  for (const auto& [name, partition] : partitions_) {
    if (partition->state() == State::claiming) claim->counted.push_back(partition.get());
  }
  claim->tenure = tenure_;
  claim->is_claim = true;
  return claim;
}

/// Counters without records, when nothing else goes, as their answer tells whether suspects are what they seem. Null without
/// any.
std::shared_ptr<Transaction> WriterCore::compose_question() const {
  if (!may_write_owned() || suspects_.empty()) return nullptr;
  auto question = std::make_shared<Transaction>();
  question->tenure = tenure_;
  question->counted.push_back(partitions_.at(suspects_.front().partition).get());
  return question;
}

// Each partition is the first in its turn: a transaction may be full before it has come to the last.
std::shared_ptr<Transaction> WriterCore::compose() {
  auto transaction = std::make_shared<Transaction>();
  Room room{
      .records = options_.transaction_records_max, .bytes = options_.transaction_bytes_max, .has_tenure = may_write_owned()};
  auto next = partitions_.upper_bound(first_);
  for (std::size_t i = 0; i < partitions_.size() && !room.is_full; ++i, ++next) {
    if (next == partitions_.end()) next = partitions_.begin();
    if (i == 0) first_ = next->first;
    next->second->take(transaction, room, answers_);
  }
  const auto count = [&](PartitionAppends* owned) {
    if (std::ranges::find(transaction->counted, owned) == transaction->counted.end()) transaction->counted.push_back(owned);
  };
  for (PartitionAppends* const partition : transaction->partitions) {
    if (partition->is_stream()) count(partition);
  }
  for (const PendingAppend* append : transaction->appends) {
    for (PartitionAppends* const owned : append->on_behalf_of) count(owned);
  }
  if (!transaction->counted.empty()) transaction->tenure = tenure_;
  return transaction;
}

// ---- and ends ----

/// Rule 1: with what it began with, and not at all once that is over. The coordinator would take the counters of a partition
/// that this process has lost, if they came with the metadata of now.
std::shared_ptr<const ownership::Tenure> WriterCore::tenure_to_end_with() const {
  return open_->tenure == tenure_ ? open_->tenure : nullptr;
}

void WriterCore::advance() {
  if (call_ != Call::none || repeat_ || has_ended_) return;
  const bool is_over = open_->tenure != nullptr && tenure_to_end_with() == nullptr;
  if (is_over && !open_->is_commit_sent) return abort_open();
  if (!open_->is_acknowledged) return;  // rule 1: counters come behind all records
  if (open_->tenure != nullptr && !open_->is_counted) return call(Call::counters);
  call(Call::commit);
}

void WriterCore::on(const Acknowledged& acknowledged) {
  if (acknowledged.handle != handle_ || open_ == nullptr || open_->is_acknowledged || is_aborting() || has_ended_) return;
  check(acknowledged.appends.size() == open_->appends.size(), "each append of a transaction has its place");
  std::vector<std::pair<PartitionAppends*, const std::vector<OffsetRange>*>> written;
  for (const Acknowledged::Partition& partition : acknowledged.partitions) {
    const auto its = std::ranges::find(open_->partitions, partition.name, [](const auto* one) { return one->name(); });
    check(its != open_->partitions.end(), "records are acknowledged where they were sent");
    if ((*its)->has_passed(partition.records)) {
      return fail(Call::none, {.kind = CallFailure::Kind::fatal,
                               .error = Error{Errc::io, "records were acknowledged at offsets of " + to_string(partition.name) +
                                                            " that had been decided before: they are not there"}});
    }
    written.emplace_back(*its, &partition.records);
  }
  for (std::size_t i = 0; i < acknowledged.appends.size(); ++i) open_->appends[i]->place = acknowledged.appends[i];
  for (const auto& [partition, records] : written) partition->put(open_, *records);
  open_->appends.clear();
  open_->is_acknowledged = true;
  advance();
}

void WriterCore::on(const ProduceFailed& failed) {
  if (failed.handle != handle_ || open_ == nullptr || open_->is_acknowledged || is_aborting() || has_ended_) return;
  open_->refused = failed.refused;
  for (const ProduceFailed::Refused& refused : failed.refused) {
    if (refused.append) open_->appends.at(*refused.append)->refusal = refused.error;
    const auto found = partitions_.find(refused.partition);
    if (!refused.lasts || found == partitions_.end()) continue;
    found->second->refuse_until(now_ + options_.refusal_time, refused.error);
    found->second->refuse_queued(refused.error, answers_);
  }
  const auto is_searched_for = [](const ProduceFailed::Refused& refused) { return !refused.lasts && !refused.append; };
  const int failures = failures_;
  fail(Call::none, failed.failure);
  if (std::ranges::none_of(failed.refused, is_searched_for)) return;
  failures_ = failures;  // it ends by itself: the others need not wait longer each time
  make_at_ = not_before_ = now_;
}

void WriterCore::send_counters() {
  SendCounters counters{.handle = handle_, .tenure = tenure_to_end_with(), .counters = {}};
  for (const PartitionAppends* owned : open_->counted) counters.counters.push_back({owned->name(), owned->counter()});
  suspects_counted_ = suspects_.size();
  effects_.push_back(std::move(counters));
}

void WriterCore::counters_done() {
  open_->is_counted = true;
  if (open_->tenure == tenure_) {
    const auto end = suspects_.begin() + static_cast<std::ptrdiff_t>(suspects_counted_);
    std::move(suspects_.begin(), end, std::back_inserter(effects_));
    suspects_.erase(suspects_.begin(), end);
  }
  suspects_counted_ = 0;
  advance();
}

void WriterCore::commit_done() {
  const std::shared_ptr<Transaction> done = std::exchange(open_, nullptr);
  done->outcome = Transaction::Outcome::committed;
  failures_ = 0;
  last_failure_.reset();
  last_ = done;
  committed_at_ = now_;
  gathering_.committed(queued(), now_);
  tell_missing(*done);
  for (PartitionAppends* const partition : done->partitions) partition->settle(answers_);
  if (!done->is_claim || done->tenure != tenure_ || let_go_) return;
  Claimed claimed{.tenure = tenure_->number, .partitions = {}};
  for (PartitionAppends* const partition : done->counted) {
    partition->claimed();
    claimed.partitions.push_back(partition->name());
  }
  effects_.push_back(std::move(claimed));
}

/// Rule 6: librdkafka (2.0.2) gives the numbers of records whose fate it does not know to those of the next transaction, and
/// the brokers take these for repetitions: they confirm them and write nothing. A handle that is made anew has other numbers.
void WriterCore::abort_open() {
  if (!open_->is_acknowledged && !open_->appends.empty()) return throw_away();
  end_with_abort();
}

void WriterCore::end_with_abort() {
  repeat_.reset();
  resumed_since_.reset();
  call(Call::abort);
}

/// The handle has nothing open any more, or is no more. What was never to be committed is not; the rest the mirror tells.
void WriterCore::end_open() {
  const std::shared_ptr<Transaction> ended = std::exchange(open_, nullptr);
  ended->appends.clear();
  if (ended->outcome == Transaction::Outcome::committed) {  // the mirror has read it
    for (PartitionAppends* const partition : ended->partitions) partition->settle(answers_);
    return;
  }
  ended->outcome = ended->is_commit_sent ? Transaction::Outcome::undecided : Transaction::Outcome::aborted;
  for (PartitionAppends* const partition : ended->partitions) {
    if (ended->is_commit_sent) {
      partition->hold(1);
    } else {
      partition->take_back(*ended, answers_);
    }
  }
  if (!ended->is_commit_sent) return;
  undecided_.push_back(ended);
  settle_undecided();
}

}  // namespace lungo::writing
