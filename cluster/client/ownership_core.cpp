#include "client/ownership_core.hpp"

#include <algorithm>

#include <lungo/log/check.hpp>

#include "client/owner_note.hpp"

namespace lungo::ownership {

OwnershipCore::OwnershipCore(Options options) : options_(std::move(options)) {}

Effects OwnershipCore::step(Input input, Instant now) {
  now_ = now;
  std::visit([this](const auto& one) { on(one); }, input);
  grant_what_is_read();
  ask();
  warn_of_what_stands_still();
  return std::exchange(effects_, {});
}

Instant OwnershipCore::wake_at() const {
  Instant at = phase_ends_at_;
  if (phase_ != Phase::holding) return at;
  const Duration patience = options_.transaction_timeout + options_.abort_timeout;
  for (const auto& [name, partition] : partitions_) {
    if (partition.state != State::waiting) continue;
    const bool is_fenced = partition.before != Before::fencing || fencing_.contains(partition.fencing);
    const bool is_asked = partition.is_barrier_asked && partition.before != Before::unasked && is_fenced;
    if (!is_asked) at = std::min(at, ask_again_at_);
    if (!partition.has_warned) at = std::min(at, partition.moved_at + patience);
  }
  return at;
}

std::vector<TopicPartition> OwnershipCore::mine() const {
  std::vector<TopicPartition> open;
  for (const auto& [name, partition] : partitions_) {
    if (partition.state == State::open) open.push_back(name);
  }
  return open;
}

auto OwnershipCore::standing(const TopicPartition& partition) const -> Standing {
  const auto found = partitions_.find(partition);
  const State state = found == partitions_.end() ? State::away : found->second.state;
  if (state == State::open) return Standing::open;
  const bool is_wanted = !is_given_back_ && std::ranges::find(subscribed_, partition.topic) != subscribed_.end();
  const bool is_shared = phase_ == Phase::holding && shared_.contains(partition.topic);
  return state != State::away || (is_wanted && !is_shared) ? Standing::coming : Standing::away;
}

// ---- who takes part ----

/// Calls `tell` with each listener that has joined one of the topics, and its partitions of them.
template <class Tell>
void OwnershipCore::tell(const std::vector<TopicPartition>& partitions, const Tell& tell) {
  for (const auto& [listener, topics] : listeners_) {
    std::vector<TopicPartition> its;
    std::ranges::copy_if(partitions, std::back_inserter(its),
                         [&](const TopicPartition& one) { return topics.contains(one.topic); });
    if (!its.empty()) tell(listener, std::move(its));
  }
}

void OwnershipCore::subscribe() {
  std::set<std::string> all;
  if (!is_given_back_) {
    for (const auto& [listener, topics] : listeners_) all.insert(topics.begin(), topics.end());
  }
  std::vector<std::string> topics(all.begin(), all.end());
  if (topics == subscribed_) return;
  subscribed_ = topics;
  effects_.push_back(Subscribe{.topics = std::move(topics)});
}

void OwnershipCore::on(const Joined& joined) {
  const std::set<std::string>& topics = listeners_[joined.listener] = {joined.topics.begin(), joined.topics.end()};
  if (phase_ == Phase::holding) {
    std::vector<TopicPartition> its = mine();
    std::erase_if(its, [&](const TopicPartition& one) { return !topics.contains(one.topic); });
    if (!its.empty()) effects_.push_back(TellOpened{joined.listener, std::move(its)});
  }
  subscribe();
}

void OwnershipCore::on(const Left& left) {
  listeners_.erase(left.listener);
  subscribe();
  on(ClosingDone{left.listener});
}

void OwnershipCore::on(const ClosingDone& done) {
  closing_.erase(done.listener);
  if (phase_ == Phase::closing && closing_.empty()) let_go();
}

void OwnershipCore::on(const GiveBack&) {
  is_given_back_ = true;
  subscribe();
}

// ---- the group's consumer ----

void OwnershipCore::on(const Assigned& assigned) {
  check(phase_ == Phase::away, "an assignment ends before the next one begins");
  const Result<std::string> note = format_owner_note(
      {.member = assigned.member, .transactional_id = options_.transactional_id, .endpoint = options_.endpoint});
  check(note.has_value(), "the owner's note fits into an offset's metadata");
  tenure_ = std::make_shared<const Tenure>(Tenure{.number = ++tenures_, .metadata = assigned.metadata, .note = *note});
  phase_ = Phase::holding;
  shared_ = {assigned.topics.begin(), assigned.topics.end()};
  for (const TopicPartition& name : assigned.partitions) {
    Partition& partition = partitions_[name];
    partition = Partition{.mirror_end = partition.mirror_end, .state = State::waiting, .moved_at = now_};
  }
  ask_again_at_ = now_;
}

void OwnershipCore::on(const Revoked&) {
  if (phase_ != Phase::holding) {
    if (phase_ == Phase::away) effects_.push_back(Unassign{});
    return;
  }
  phase_ = Phase::closing;
  phase_ends_at_ = now_ + options_.closing_timeout;
  tell(mine(), [this](ListenerId listener, std::vector<TopicPartition> partitions) {
    closing_.insert(listener);
    effects_.push_back(TellClosing{listener, std::move(partitions), phase_ends_at_});
  });
  if (closing_.empty()) let_go();
}

void OwnershipCore::on(const Lost&) {
  if (phase_ == Phase::holding) {
    tell(mine(), [this](ListenerId listener, std::vector<TopicPartition> partitions) {
      effects_.push_back(TellLost{listener, std::move(partitions)});
    });
  }
  if (has_granted_) effects_.push_back(TakeAway{tenure_->number});
  end_tenure();
}

// Rule 4. The open transaction ends in its own time: it has its counters before the next generation, or it is refused.
void OwnershipCore::let_go() {
  if (!has_granted_) return end_tenure();
  phase_ = Phase::letting_go;
  const Instant deadline = now_ + options_.transaction_timeout;
  phase_ends_at_ = is_given_back_ ? now_ + options_.give_back_timeout : deadline + 2 * options_.abort_timeout;
  effects_.push_back(LetGo{.tenure = tenure_->number, .deadline = deadline});
  for (auto& [name, partition] : partitions_) partition.state = State::away;
}

void OwnershipCore::on(const LetGone& gone) {
  if (phase_ == Phase::letting_go && gone.tenure == tenure_->number) end_tenure();
}

void OwnershipCore::end_tenure() {
  for (auto& [name, partition] : partitions_) partition.state = State::away;
  phase_ = Phase::away;
  phase_ends_at_ = Instant::max();
  tenure_ = nullptr;
  has_granted_ = false;
  closing_.clear();
  fenced_.clear();
  effects_.push_back(Unassign{});
}

void OwnershipCore::on(const Tick&) {
  if (now_ < phase_ends_at_) return;
  if (phase_ == Phase::closing) return let_go();
  // Whoever takes over waits for what is open, as of a process that was killed.
  effects_.push_back(Warn{"a transaction did not end before its partitions had to be let go"});
  effects_.push_back(TakeAway{tenure_->number});
  end_tenure();
}

// ---- rule 2: the barrier ----

void OwnershipCore::ask() {
  if (phase_ != Phase::holding || now_ < ask_again_at_) return;
  AskHighWatermarks barriers{.tenure = tenure_->number, .partitions = {}};
  for (auto& [name, partition] : partitions_) {
    if (partition.state != State::waiting || partition.is_barrier_asked) continue;
    partition.is_barrier_asked = true;
    barriers.partitions.push_back(name);
  }
  if (!barriers.partitions.empty()) effects_.push_back(std::move(barriers));
  ask_owners(false);
  ask_owners(true);
  for (const auto& [name, partition] : partitions_) {
    if (partition.state != State::waiting || partition.before != Before::fencing) continue;
    if (fencing_.insert(partition.fencing).second) effects_.push_back(Fence{partition.fencing});
  }
}

void OwnershipCore::on(const HighWatermarks& answer) {
  if (tenure_ == nullptr || answer.tenure != tenure_->number) return;
  for (const auto& [name, end] : answer.rows) {
    const auto found = partitions_.find(name);
    if (found == partitions_.end()) continue;
    if (end) {
      found->second.barrier = *end;
    } else {
      found->second.is_barrier_asked = false;
      ask_again_at_ = now_ + options_.ask_again;
    }
  }
}

void OwnershipCore::on(const MirrorEnd& mirror) {
  Partition& partition = partitions_[mirror.partition];
  if (mirror.end == partition.mirror_end) return;
  partition.mirror_end = mirror.end;
  partition.moved_at = now_;
  partition.has_warned = false;
}

void OwnershipCore::grant_what_is_read() {
  if (phase_ != Phase::holding) return;
  Grant grant{.tenure = tenure_, .partitions = {}};
  for (auto& [name, partition] : partitions_) {
    if (partition.state != State::waiting || !partition.barrier) continue;
    if (partition.mirror_end < *partition.barrier) continue;  // something below it is undecided, or not read yet
    partition.state = State::claiming;
    grant.partitions.push_back({name, *partition.barrier});
  }
  if (grant.partitions.empty()) return;
  has_granted_ = true;
  effects_.push_back(std::move(grant));
}

void OwnershipCore::on(const Claimed& claimed) {
  if (phase_ != Phase::holding || claimed.tenure != tenure_->number) return;
  std::vector<TopicPartition> opened;
  for (const TopicPartition& name : claimed.partitions) {
    Partition& partition = partitions_[name];
    if (partition.state != State::claiming) continue;  // claimed again, with a producer that was made anew
    partition.state = State::open;
    opened.push_back(name);
  }
  tell(opened, [this](ListenerId listener, std::vector<TopicPartition> partitions) {
    effects_.push_back(TellOpened{listener, std::move(partitions)});
  });
}

void OwnershipCore::warn_of_what_stands_still() {
  if (phase_ != Phase::holding) return;
  for (auto& [name, partition] : partitions_) {
    if (partition.state != State::waiting || partition.has_warned) continue;
    if (now_ - partition.moved_at < options_.transaction_timeout + options_.abort_timeout) continue;
    partition.has_warned = true;
    const std::string end = partition.barrier ? std::to_string(partition.barrier->value()) : "an end that no broker tells";
    effects_.push_back(Warn{to_string(name) + " can't be taken over: it is read to " +
                            std::to_string(partition.mirror_end.value()) + " of " + end +
                            ", and does not go on; a transaction may be left open there (kafka-transactions.sh find-hanging)"});
  }
}

// ---- rule 3: the fence ----

void OwnershipCore::ask_owners(bool require_stable) {
  AskOwners owners{.tenure = tenure_->number, .partitions = {}, .require_stable = require_stable};
  for (auto& [name, partition] : partitions_) {
    if (partition.state != State::waiting || partition.before != Before::unasked) continue;
    if (partition.require_stable != require_stable) continue;
    partition.before = Before::asked;
    owners.partitions.push_back(name);
  }
  if (!owners.partitions.empty()) effects_.push_back(std::move(owners));
}

void OwnershipCore::on(const Owners& answer) {
  if (tenure_ == nullptr || answer.tenure != tenure_->number) return;
  if (!answer.outcome) {
    for (auto& [name, partition] : partitions_) {
      if (partition.before == Before::asked) partition.before = Before::unasked;
    }
    ask_again_at_ = now_ + options_.ask_again;
    return;
  }
  const std::set<std::string> members(answer.members.begin(), answer.members.end());
  for (const Owners::Row& row : answer.rows) look_at_owner(row, members);
}

// A member of the group has come through its own callback: it has nothing open, or the barrier waits for it.
void OwnershipCore::look_at_owner(const Owners::Row& row, const std::set<std::string>& members) {
  const auto found = partitions_.find(row.partition);
  if (found == partitions_.end() || found->second.before != Before::asked) return;
  Partition& partition = found->second;
  if (row.is_pending) {
    partition.before = Before::unasked;
    ask_again_at_ = now_ + options_.ask_again;
    return;
  }
  partition.before = Before::known;
  if (!row.note) return;
  const Result<OwnerNote> note = parse_owner_note(*row.note);
  if (!note) {
    effects_.push_back(Warn{to_string(row.partition) + ": " + to_string(note.error())});
    return;
  }
  const std::string& id = note->transactional_id;
  if (members.contains(note->member) || id == options_.transactional_id || fenced_.contains(id)) return;
  partition.before = Before::fencing;
  partition.fencing = id;
}

// Behind the fence the note may name another: one whose notes were not decided before.
void OwnershipCore::on(const Fenced& fenced) {
  fencing_.erase(fenced.transactional_id);
  if (!fenced.outcome) {
    ask_again_at_ = now_ + options_.ask_again;
    return;
  }
  if (tenure_ == nullptr) return;
  fenced_.insert(fenced.transactional_id);
  for (auto& [name, partition] : partitions_) {
    if (partition.before != Before::fencing || partition.fencing != fenced.transactional_id) continue;
    partition.before = Before::unasked;
    partition.require_stable = true;
  }
}

}  // namespace lungo::ownership
