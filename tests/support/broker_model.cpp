#include "tests/support/broker_model.hpp"

#include <algorithm>

namespace lungo::test {

BrokerModel::BrokerModel(Options options, std::vector<TopicPartition> shared, std::vector<TopicPartition> plain)
    : options_(options), shared_(std::move(shared)) {
  for (const TopicPartition& partition : shared_) logs_[partition];
  for (const TopicPartition& partition : plain) logs_[partition];
}

void BrokerModel::pass(Duration time) {
  now_ += time;
  for (auto& [id, transactions] : transactions_) {
    if (transactions.state == State::ongoing && now_ - transactions.began > options_.transaction_timeout) fence(transactions);
  }
  const bool is_late = is_rebalancing_ && now_ - rebalances_since_ > options_.rebalance_timeout;
  const std::size_t gone = std::erase_if(members_, [&](const auto& entry) {
    const Member& member = entry.second;
    return !member.has_joined && (is_late || now_ - member.heard_of > options_.session_timeout);
  });
  if (gone > 0) rebalance();
  if (is_rebalancing_) complete_rebalance();
}

bool BrokerModel::step(Random& random) {
  struct Marker {
    std::string id;
    std::optional<TopicPartition> partition;
  };
  std::vector<Marker> markers;
  for (const auto& [id, transactions] : transactions_) {
    if (transactions.state != State::prepare_commit && transactions.state != State::prepare_abort) continue;
    for (const TopicPartition& partition : transactions.partitions) markers.push_back({id, partition});
    if (transactions.has_offsets) markers.push_back({id, std::nullopt});
  }
  std::vector<Log*> behind;
  for (auto& [name, log] : logs_) {
    if (static_cast<std::size_t>(log.high_watermark.value()) < log.entries.size()) behind.push_back(&log);
  }
  const std::uint64_t choice = random.below(markers.size() + behind.size());
  if (markers.empty() && behind.empty()) return false;
  if (choice < markers.size()) {
    write_marker(markers[choice].id, markers[choice].partition);
  } else {
    Log& log = *behind[choice - markers.size()];
    const std::uint64_t more = log.entries.size() - static_cast<std::size_t>(log.high_watermark.value());
    log.high_watermark = log.high_watermark.plus(1 + static_cast<std::int64_t>(random.below(more)));
  }
  return true;
}

// ---- partitions ----

Offset BrokerModel::produce(const TopicPartition& partition, Record record) {
  std::vector<Entry>& entries = logs_.at(partition).entries;
  entries.push_back({.record = std::move(record), .transaction = {}});
  return Offset{static_cast<std::int64_t>(entries.size()) - 1};
}

BrokerModel::Produced BrokerModel::produce(const Producer& producer, const TopicPartition& partition, int sequence,
                                           const std::vector<Record>& records) {
  Log& log = logs_.at(partition);
  LogProducer& its = log.producers[producer.id];
  if (producer.epoch < its.epoch) return {.answer = Answer::producer_fenced};
  if (producer.epoch > its.epoch) its = LogProducer{.epoch = producer.epoch, .batches = {}, .open = its.open};
  const auto known = static_cast<std::size_t>(sequence);
  if (known < its.batches.size()) return {.answer = Answer::ok, .base = its.batches[known]};
  if (known > its.batches.size()) return {.answer = Answer::out_of_order};
  if (!its.open) {  // KIP-890: the coordinator is asked
    const Transactions& transactions = transactions_.at(producer.id);
    if (producer.epoch != transactions.epoch) return {.answer = Answer::producer_fenced};
    if (transactions.state != State::ongoing || !transactions.partitions.contains(partition)) {
      return {.answer = Answer::invalid_state};
    }
    its.open = transactions.number;
  }
  const Offset base{static_cast<std::int64_t>(log.entries.size())};
  log.open.try_emplace(*its.open, base);
  its.batches.push_back(base);
  for (const Record& record : records) log.entries.push_back({.record = record, .transaction = its.open});
  return {.answer = Answer::ok, .base = base};
}

Offset BrokerModel::last_stable(const TopicPartition& partition) const {
  const Log& its = log(partition);
  Offset stable = its.high_watermark;
  for (const auto& [transaction, first] : its.open) stable = std::min(stable, first);
  return stable;
}

bool BrokerModel::is_stable() const {
  return std::ranges::all_of(logs_, [this](const auto& entry) {
    return static_cast<std::size_t>(last_stable(entry.first).value()) == entry.second.entries.size();
  });
}

BrokerModel::Fetched BrokerModel::fetch(const TopicPartition& partition, Offset from, std::int64_t records_max) const {
  const Log& its = log(partition);
  Fetched fetched{.records = {}, .next = std::min(last_stable(partition), from.plus(records_max))};
  if (fetched.next <= from) return {.records = {}, .next = from};
  for (Offset at = from; at < fetched.next; at = at.next()) {
    const Entry& entry = its.entries[static_cast<std::size_t>(at.value())];
    if (entry.is_marker || (entry.transaction && !is_committed(*entry.transaction))) continue;
    fetched.records.emplace_back(at, entry.record);
  }
  return fetched;
}

// ---- transactions ----

std::optional<BrokerModel::Producer> BrokerModel::init(const std::string& id) {
  Transactions& transactions = transactions_[id];
  if (transactions.state == State::ongoing) fence(transactions);
  if (transactions.state == State::prepare_commit || transactions.state == State::prepare_abort) return std::nullopt;
  ++transactions.epoch;
  transactions.state = State::empty;
  return Producer{.id = id, .epoch = transactions.epoch};
}

BrokerModel::Answer BrokerModel::bump(Producer& producer) {
  if (transactions_.at(producer.id).epoch != producer.epoch) return Answer::producer_fenced;
  const std::optional<Producer> next = init(producer.id);
  if (!next) return Answer::concurrent_transactions;
  producer = *next;
  return Answer::ok;
}

BrokerModel::Answer BrokerModel::begin_or_go_on(const Producer& producer) {
  Transactions& transactions = transactions_.at(producer.id);
  if (producer.epoch != transactions.epoch) return Answer::producer_fenced;
  switch (transactions.state) {
    case State::ongoing:
      return Answer::ok;
    case State::prepare_commit:
    case State::prepare_abort:
      return Answer::concurrent_transactions;
    default:
      transactions.state = State::ongoing;
      transactions.number = ++last_transaction_;
      transactions.began = now_;
      return Answer::ok;
  }
}

BrokerModel::Answer BrokerModel::add_partition(const Producer& producer, const TopicPartition& partition) {
  const Answer answer = begin_or_go_on(producer);
  if (answer == Answer::ok) transactions_.at(producer.id).partitions.insert(partition);
  return answer;
}

BrokerModel::Answer BrokerModel::add_offsets(const Producer& producer) {
  const Answer answer = begin_or_go_on(producer);
  if (answer == Answer::ok) transactions_.at(producer.id).has_offsets = true;
  return answer;
}

BrokerModel::Answer BrokerModel::end(const Producer& producer, bool commit) {
  Transactions& transactions = transactions_.at(producer.id);
  if (producer.epoch != transactions.epoch) return Answer::producer_fenced;
  switch (transactions.state) {
    case State::ongoing:
      prepare(transactions, commit);
      return Answer::ok;
    case State::prepare_commit:
      return commit ? Answer::concurrent_transactions : Answer::invalid_state;
    case State::prepare_abort:
      return commit ? Answer::invalid_state : Answer::concurrent_transactions;
    case State::complete_commit:
      return commit ? Answer::ok : Answer::invalid_state;
    case State::complete_abort:
      return commit ? Answer::invalid_state : Answer::ok;
    default:
      return Answer::invalid_state;
  }
}

bool BrokerModel::is_ongoing_in_group(const std::string& id) const {
  const auto found = transactions_.find(id);
  if (found == transactions_.end() || found->second.state != State::ongoing) return false;
  const std::set<TopicPartition>& partitions = found->second.partitions;
  return found->second.has_offsets || std::ranges::any_of(shared_, [&](const auto& one) { return partitions.contains(one); });
}

// From here on it is decided: markers only say so in the partitions.
void BrokerModel::prepare(Transactions& transactions, bool commit) {
  if (commit) committed_.insert(transactions.number);
  transactions.state = commit ? State::prepare_commit : State::prepare_abort;
  complete_if_done(transactions);
}

void BrokerModel::fence(Transactions& transactions) {
  ++transactions.epoch;
  prepare(transactions, false);
}

void BrokerModel::write_marker(const std::string& id, const std::optional<TopicPartition>& partition) {
  Transactions& transactions = transactions_.at(id);
  if (partition) {
    Log& log = logs_.at(*partition);
    LogProducer& its = log.producers[id];
    if (transactions.epoch > its.epoch) its = LogProducer{.epoch = transactions.epoch, .batches = {}, .open = {}};
    its.open.reset();
    log.open.erase(transactions.number);
    log.entries.push_back({.record = {}, .transaction = {}, .is_marker = true});
    transactions.partitions.erase(*partition);
  } else {
    const auto pending = pending_offsets_.find(transactions.number);
    if (pending != pending_offsets_.end()) {
      if (is_committed(transactions.number)) {
        for (const auto& [name, counter] : pending->second) offsets_[name] = counter;
      }
      pending_offsets_.erase(pending);
    }
    transactions.has_offsets = false;
  }
  complete_if_done(transactions);
}

void BrokerModel::complete_if_done(Transactions& transactions) {
  if (!transactions.partitions.empty() || transactions.has_offsets) return;
  transactions.state = transactions.state == State::prepare_commit ? State::complete_commit : State::complete_abort;
}

// ---- the group ----

std::optional<std::string> BrokerModel::join(const std::string& member) {
  if (!member.empty() && !members_.contains(member)) return std::nullopt;
  const std::string name = member.empty() ? "member-" + std::to_string(++last_member_) : member;
  if (!is_rebalancing_) rebalance();
  members_[name].has_joined = true;
  members_[name].heard_of = now_;
  complete_rebalance();
  return name;
}

void BrokerModel::rebalance() {
  if (is_rebalancing_) return;
  is_rebalancing_ = true;
  rebalances_since_ = now_;
  for (auto& [name, member] : members_) member.has_joined = false;
}

/// When all are there: the next generation, shared by range.
void BrokerModel::complete_rebalance() {
  if (!std::ranges::all_of(members_, [](const auto& entry) { return entry.second.has_joined; })) return;
  is_rebalancing_ = false;
  ++generation_;
  std::size_t begin = 0;
  std::size_t index = 0;
  for (auto& [name, member] : members_) {
    const std::size_t end = shared_.size() * ++index / members_.size();
    member.partitions = {shared_.begin() + static_cast<std::ptrdiff_t>(begin),
                         shared_.begin() + static_cast<std::ptrdiff_t>(end)};
    member.has_joined = false;
    member.heard_of = now_;
    begin = end;
  }
}

std::optional<BrokerModel::Assignment> BrokerModel::assignment(const std::string& member) const {
  const auto found = members_.find(member);
  if (is_rebalancing_ || found == members_.end()) return std::nullopt;
  return Assignment{.generation = generation_, .partitions = found->second.partitions};
}

BrokerModel::Answer BrokerModel::heartbeat(const std::string& member, int generation) {
  const auto found = members_.find(member);
  if (found == members_.end()) return Answer::unknown_member;
  if (generation != generation_) return Answer::illegal_generation;
  found->second.heard_of = now_;
  return is_rebalancing_ ? Answer::rebalance_in_progress : Answer::ok;
}

void BrokerModel::leave(const std::string& member) {
  if (members_.erase(member) == 0) return;
  rebalance();
  complete_rebalance();
}

std::vector<std::string> BrokerModel::members() const {
  std::vector<std::string> names;
  for (const auto& [name, member] : members_) names.push_back(name);
  return names;
}

BrokerModel::Answer BrokerModel::commit_offsets(const Producer& producer, const std::string& member, int generation,
                                                const std::map<TopicPartition, Counter>& counters) {
  const Transactions& transactions = transactions_.at(producer.id);
  if (producer.epoch != transactions.epoch) return Answer::producer_fenced;
  if (transactions.state != State::ongoing || !transactions.has_offsets) return Answer::invalid_state;
  if (!members_.contains(member)) return Answer::unknown_member;
  if (generation != generation_) return Answer::illegal_generation;
  for (const auto& [partition, counter] : counters) pending_offsets_[transactions.number][partition] = counter;
  return Answer::ok;
}

BrokerModel::Offsets BrokerModel::offsets(const TopicPartition& partition, bool require_stable) const {
  if (require_stable) {
    for (const auto& [transaction, counters] : pending_offsets_) {
      if (counters.contains(partition)) return {.counter = {}, .is_pending = true};
    }
  }
  const auto found = offsets_.find(partition);
  return {.counter = found == offsets_.end() ? std::nullopt : std::optional{found->second}, .is_pending = false};
}

}  // namespace lungo::test
