#include "client/partition_appends.hpp"

#include <lungo/log/mirror_batch.hpp>

#include <algorithm>

#include <lungo/log/check.hpp>

namespace lungo::writing {

namespace {

constexpr int kGrowsAfterMax = 64;

std::size_t hash_of(std::optional<std::string_view> key) {
  constexpr std::size_t kNoKey = 0x9e3779b97f4a7c15;
  return key ? std::hash<std::string_view>{}(*key) : kNoKey;
}

// An id belongs to its record's key.
std::size_t hash_of(std::optional<std::string_view> key, std::string_view id) {
  constexpr std::size_t kMultiplier = 0xbf58476d1ce4e5b9;  // odd, so that no bit is lost
  return hash_of(key) * kMultiplier + std::hash<std::string_view>{}(id);
}

}  // namespace

void Answers::give(PendingAppend& append, Result<Appended> outcome) {
  if (append.is_answered) return;
  append.is_answered = true;
  held_bytes_ -= append.bytes;
  effects_.push_back(Answer{append.ticket, std::move(outcome)});
}

PartitionAppends::PartitionAppends(TopicPartition name, const MirrorLookup& mirror)
    : name_(std::move(name)), mirror_(mirror), is_stream_(mirror.is_stream(name_)) {}

Error PartitionAppends::not_owner() const { return {Errc::not_owner, to_string(name_) + " is another process's"}; }

// ---- whose it is ----

void PartitionAppends::grant(Offset barrier) {
  check(state_ == State::away, "a partition is granted once in a tenure");
  state_ = State::claiming;
  // Who was known before its topic was there, between one of its name and the next, was known as plain.
  if (sent_.empty() && own_.empty()) is_stream_ = mirror_.is_stream(name_);
  counter_ = barrier;
  if (is_stream_) barrier_ = barrier;
}

void PartitionAppends::claim_again() {
  if (state_ == State::mine) state_ = State::claiming;
}

void PartitionAppends::claimed() {
  if (state_ == State::claiming) state_ = State::mine;
}

void PartitionAppends::close(Answers& answers) {
  state_ = State::away;
  barrier_.reset();
  if (is_stream_) refuse_queued(not_owner(), answers);
}

void PartitionAppends::forget(const std::optional<Error>& why, Answers& answers) {
  const Error gone = why.value_or(Error{Errc::not_found, "topic " + name_.topic + " was deleted"});
  state_ = State::away;
  refuse_queued(gone, answers);
  abandon(why ? Error{Errc::timed_out, "whether it is written is unknown: " + std::string(why->text())} : gone, answers);
  std::erase_if(sent_, [](const auto& append) { return append->transaction->outcome != Transaction::Outcome::open; });
  answered_ = 0;
  for (const OwnRange& range : own_) --range.transaction->ranges_left;  // nothing passes them any more
  own_.clear();
}

void PartitionAppends::refuse_queued(const Error& error, Answers& answers) {
  for (const std::unique_ptr<PendingAppend>& append : queue_) answers.give(*append, error);
  queue_.clear();
}

void PartitionAppends::refuse_orphans(Answers& answers) {
  std::erase_if(queue_, [&](const std::unique_ptr<PendingAppend>& append) {
    const PartitionAppends* const lost = lost_owner(*append);
    if (lost != nullptr) answers.give(*append, lost->not_owner());
    return lost != nullptr;
  });
}

// ---- what may go ----

void PartitionAppends::add(std::unique_ptr<PendingAppend> append, Answers& answers) {
  if (look_up(*append, answers) != Fate::answered) queue_.push_back(std::move(append));
}

void PartitionAppends::take(const std::shared_ptr<Transaction>& transaction, Room& room, Answers& answers) {
  const bool may_go = !is_stream_ || (state_ == State::mine && room.has_tenure);
  if (!may_go || undecided_ > 0 || queue_.empty()) return;
  std::vector<std::unique_ptr<PendingAppend>> waiting;
  std::unordered_set<std::size_t> behind;  // keys of what waits
  const std::size_t sent_before = sent_.size();
  while (!queue_.empty() && sent_.size() - sent_before < most_) {
    PendingAppend& next = *queue_.front();
    room.is_full = next.request.records.count() > room.records || next.bytes > room.bytes;
    if (room.is_full) break;
    std::unique_ptr<PendingAppend> append = std::move(queue_.front());
    queue_.pop_front();
    const Fate fate = fate_of(*append, behind, room.has_tenure, answers);
    if (fate == Fate::goes) {
      room.records -= append->request.records.count();
      room.bytes -= append->bytes;
      change_in_flight(append->request.records, [](InFlight& one) {
        ++one.appends;
        ++one.undecided;
      });
      append->transaction = transaction;
      transaction->appends.push_back(append.get());
      sent_.push_back(std::move(append));
    } else if (fate == Fate::waits) {
      for (std::size_t i = 0; i < append->request.records.count(); ++i) behind.insert(hash_of(append->request.records.key(i)));
      if (append->request.condition) behind.insert(hash_of(append->request.condition->key));
      waiting.push_back(std::move(append));
    }
  }
  std::move(waiting.rbegin(), waiting.rend(), std::front_inserter(queue_));
  if (sent_.size() > sent_before) transaction->partitions.push_back(this);
}

/// One that has to be owned for it to go, and is another's; null when there is none.
const PartitionAppends* PartitionAppends::lost_owner(const PendingAppend& append) const {
  if (is_stream_ && state_ == State::away) return this;
  const auto lost = std::ranges::find(append.on_behalf_of, State::away, &PartitionAppends::state);
  return lost == append.on_behalf_of.end() ? nullptr : *lost;
}

PartitionAppends::Fate PartitionAppends::fate_of(PendingAppend& append, const std::unordered_set<std::size_t>& behind,
                                                 bool has_tenure, Answers& answers) {
  const AppendRequest& request = append.request;
  for (const PartitionAppends* owned : append.on_behalf_of) {
    if (owned->state() != State::mine || owned->undecided_ > 0 || !has_tenure) return Fate::waits;
  }
  for (std::size_t i = 0; i < request.records.count() && !behind.empty(); ++i) {
    if (behind.contains(hash_of(request.records.key(i)))) return Fate::waits;
  }
  if (const std::optional<Condition>& condition = request.condition) {
    const std::size_t key = hash_of(condition->key);
    if (is_in_flight(key, condition->as_of) || behind.contains(key)) return Fate::waits;
  }
  if (const std::optional<std::string_view> id = request.records.id(0)) {
    if (in_flight_.contains(hash_of(request.records.key(0), *id))) return Fate::waits;
  }
  return look_up(append, answers);
}

// As of the embedded log, AppendChecks::judge().
PartitionAppends::Fate PartitionAppends::look_up(PendingAppend& append, Answers& answers) const {
  const AppendRequest& request = append.request;
  const std::optional<Offset> asked = request.condition ? std::optional{request.condition->as_of} : request.since;
  const bool has_id = request.records.id(0).has_value();
  if (!asked && !has_id) return Fate::goes;
  const auto answer = [&](Result<Appended> outcome) {
    answers.give(append, std::move(outcome));
    return Fate::answered;
  };
  if (asked && !is_stream_) {
    return answer(Error{Errc::unsupported, "conditions and `since` need a topic with lungo.streams"});
  }
  const Result<MirrorLookup::Range> range = mirror_.range(name_);
  if (!range) return answer(range.error());
  if (range->end < std::max(looked_to_, barrier_.value_or(Offset{}))) return Fate::waits;  // it is made anew
  if (asked && *asked < range->start) {
    return answer(Error{Errc::history_trimmed, "the log starts at offset " + std::to_string(range->start.value()) + ", above " +
                                                   std::to_string(asked->value())});
  }
  if (const Offset end = std::max(range->end, committed_); asked && *asked > end) {
    return answer(Error{Errc::invalid_argument,
                        "the log ends at offset " + std::to_string(end.value()) + ", below " + std::to_string(asked->value())});
  }
  const std::optional<Offset> from = std::max(asked, append.checked_to);
  if (from && *from >= range->end) return Fate::goes;
  if (has_id) {
    const Result<std::optional<Appended>> repeated = mirror_.repeated(name_, request.records, from);
    if (!repeated) return answer(repeated.error());
    if (*repeated) return answer(**repeated);
  }
  if (request.condition) {
    const Result<std::optional<Offset>> latest = mirror_.latest(name_, request.condition->key, *from);
    if (!latest) return answer(latest.error());
    if (*latest) {
      return answer(Error{Errc::conflict,
                          "stream " + request.condition->key + " has a record at offset " + std::to_string((*latest)->value()) +
                              ", at or above " + std::to_string(request.condition->as_of.value()),
                          **latest});
    }
  }
  append.checked_to = range->end;
  return Fate::goes;
}

bool PartitionAppends::is_in_flight(std::size_t hash, Offset as_of) const {
  const auto found = in_flight_.find(hash);
  return found != in_flight_.end() && (found->second.undecided > 0 || found->second.end > as_of);
}

template <class Change>
void PartitionAppends::change_in_flight(const EncodedRecords& records, Change change) {
  const auto change_one = [&](std::size_t hash) {
    const auto found = in_flight_.try_emplace(hash).first;
    change(found->second);
    if (found->second.appends == 0) in_flight_.erase(found);
  };
  for (std::size_t i = 0; i < records.count(); ++i) {
    const std::optional<std::string_view> key = records.key(i);
    change_one(hash_of(key));
    if (const std::optional<std::string_view> id = records.id(i)) change_one(hash_of(key, *id));
  }
}

// ---- what became of it ----

void PartitionAppends::put(const std::shared_ptr<Transaction>& transaction, const std::vector<OffsetRange>& records) {
  for (const OffsetRange& range : records) {
    check(own_.empty() || own_.back().records.end <= range.begin, "a later transaction's records lie behind an earlier one's");
    own_.push_back({range, transaction});
    ++transaction->ranges_left;
  }
  if (!records.empty()) counter_ = std::max(counter_, records.back().end);
}

void PartitionAppends::take_back(const Transaction& transaction, Answers& answers) {
  const auto refused = std::ranges::find_if(
      transaction.refused, [this](const ProduceFailed::Refused& one) { return one.partition == name_ && !one.append; });
  const bool is_refused = refused != transaction.refused.end();
  const auto its = static_cast<std::size_t>(
      std::ranges::count(sent_, &transaction, [](const auto& append) { return append->transaction.get(); }));
  const bool is_one_of_many = is_refused && !refused->lasts && its > 1;
  if (is_one_of_many) {
    most_ = its / 2;
    if (std::exchange(has_grown_, false)) grows_after_ = std::min(kGrowsAfterMax, 2 * grows_after_);
    went_ = 0;
  }
  while (!sent_.empty() && sent_.back()->transaction.get() == &transaction) {
    std::unique_ptr<PendingAppend> append = std::move(sent_.back());
    sent_.pop_back();
    change_in_flight(append->request.records, [](InFlight& one) {
      --one.appends;
      --one.undecided;
    });
    append->transaction = nullptr;
    append->place.reset();
    const PartitionAppends* const lost = lost_owner(*append);
    if (transaction.is_unseen) {
      answers.give(*append, Error{Errc::timed_out, "whether it was written is unknown: what lay there is gone"});
    } else if (append->refusal) {
      answers.give(*append, *append->refusal);
    } else if (is_refused && !is_one_of_many) {
      answers.give(*append, refused->error);
    } else if (lost != nullptr) {
      answers.give(*append, lost->not_owner());
    }
    if (!append->is_answered) queue_.push_front(std::move(append));
  }
}

PartitionAppends::Found PartitionAppends::read(const Read& read) {
  Found found;
  if (read.from > looked_to_) {  // what lay between is gone
    for (OwnRange& own : own_) own.transaction->is_unseen |= own.records.begin < read.from && own.records.end > looked_to_;
  }
  for (const OffsetRange& records : read.records) {
    for (Offset at = std::max(records.begin, looked_to_); at < records.end;) {
      while (!own_.empty() && own_.front().records.end <= at) pass_own_range(found);
      Offset end = records.end;
      if (!own_.empty() && own_.front().records.begin <= at) {
        own_.front().transaction->outcome = Transaction::Outcome::committed;
        end = std::min(end, own_.front().records.end);
        own_.front().seen += end - at;
      } else {
        if (!own_.empty()) end = std::min(end, own_.front().records.begin);
        const OffsetRange foreign{std::max(at, barrier_.value_or(end)), end};
        if (foreign.begin < end) found.foreign.push_back({name_, foreign, voided_by(foreign)});
      }
      at = end;
    }
  }
  read_end_ = read.end;
  looked_to_ = std::max(looked_to_, read_end_);
  while (!own_.empty() && own_.front().records.end <= looked_to_) pass_own_range(found);
  return found;
}

// A topic that is compacted may lose some before they are read.
void PartitionAppends::pass_own_range(Found& found) {
  const OwnRange& own = own_.front();
  if (is_stream_ && own.seen < own.records.end - own.records.begin) own.transaction->missing.push_back({name_, own.records});
  --own.transaction->ranges_left;
  found.passed.push_back(own.transaction);
  own_.pop_front();
}

// What lies behind them, or is about to, was decided without them.
std::optional<Offset> PartitionAppends::voided_by(const OffsetRange& records) const {
  std::optional<Offset> as_of;
  for (const std::unique_ptr<PendingAppend>& append : sent_) {
    const bool may_lie_behind = !append->place || append->place->begin > records.begin;
    if (append->request.condition && may_lie_behind) as_of = std::max(as_of, std::optional{append->request.condition->as_of});
  }
  return as_of;
}

void PartitionAppends::settle(Answers& answers) {
  const auto is_committed = [](const auto& append) { return append->transaction->outcome == Transaction::Outcome::committed; };
  const auto unanswered = sent_.begin() + static_cast<std::ptrdiff_t>(answered_);
  const auto end = std::find_if_not(unanswered, sent_.end(), is_committed);
  if (unanswered != end) {
    committed_ = (*std::prev(end))->place->end;
    grow();
  }
  const auto is_waited_for = [](const auto& append) { return !append->is_answered; };
  if (std::any_of(unanswered, end, is_waited_for)) answers.committed(name_, committed_);
  for (auto next = unanswered; next != end; ++next, ++answered_) {
    PendingAppend& append = **next;
    change_in_flight(append.request.records, [&](InFlight& one) {
      --one.undecided;
      one.end = std::max(one.end, append.place->end);
    });
    const bool is_missing = std::ranges::any_of(append.transaction->missing, [&](const Missing& missing) {
      return !append.transaction->is_unseen && missing.partition == name_ && missing.records.begin < append.place->end &&
             append.place->begin < missing.records.end;
    });
    if (is_missing) {
      answers.give(append,
                   Error{Errc::timed_out, "its commit was confirmed, and it is not there: whether it is written is unknown"});
    } else {
      answers.give(append, Appended{.first = append.place->begin, .end = append.place->end, .epoch = kMirrorEpoch});
    }
  }
  for (; answered_ > 0 && sent_.front()->place->end <= read_end_; --answered_) {
    change_in_flight(sent_.front()->request.records, [](InFlight& one) { --one.appends; });
    sent_.pop_front();
  }
}

/// Whoever was refused is gone, or batches of so many are taken. Where more are not, that is tried less often.
void PartitionAppends::grow() {
  if (most_ == kAny || ++went_ < grows_after_) return;
  went_ = 0;
  has_grown_ = true;
  most_ = most_ > kAny / 2 ? kAny : 2 * most_;
}

// ---- what takes too long ----

void PartitionAppends::refuse_until(Instant until, Error error) {
  refused_until_ = until;
  refusal_ = std::move(error);
}

void PartitionAppends::sweep(Instant now, const std::optional<Error>& cause, Answers& answers) {
  const std::string why = cause ? "; what failed last: " + to_string(*cause) : "";
  std::erase_if(queue_, [&](std::unique_ptr<PendingAppend>& append) {
    if (now < append->deadline) return false;
    answers.give(*append, Error{Errc::timed_out, to_string(name_) + " took no append in time; it is not written" + why});
    return true;
  });
  for (const std::unique_ptr<PendingAppend>& append : sent_) {
    if (now < append->deadline) continue;
    answers.give(*append, Error{Errc::timed_out, "no answer in time; whether it is written is unknown" + why});
  }
}

void PartitionAppends::abandon(const Error& error, Answers& answers) {
  for (const std::unique_ptr<PendingAppend>& append : sent_) answers.give(*append, error);
}

}  // namespace lungo::writing
