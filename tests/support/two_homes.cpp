#include "tests/support/two_homes.hpp"

#include <algorithm>
#include <deque>

#include <lungo/log/check.hpp>

namespace lungo::test {

namespace {

using namespace std::chrono_literals;

bool is_about(const AppendRequest& request, const TopicPartition& partition) {
  return request.to == partition || std::ranges::find(request.on_behalf_of, partition) != request.on_behalf_of.end();
}

}  // namespace

/// One process's side of the log, with what it has queued.
class TwoHomes::HomeLog final : public EventLog, public Activity {
 public:
  HomeLog(TwoHomes& homes, int index) : homes_(homes), shared_(*homes.shared_), index_(index) {}
  void start() {
    if (running_ == nullptr) running_ = homes_.ports_.executor.start(*this);
  }
  void stop() { running_.reset(); }

  // ---- appends ----

  void append(AppendRequest request, Completion completion) override {
    if (std::optional<Error> refusal = homes_.why_not(index_, request)) return completion(std::move(*refusal));
    if (!homes_.random_) return shared_.append(std::move(request), std::move(completion));
    queue_.push_back({std::move(request), std::move(completion), later()});
    running_->wake();
  }
  /// What is queued about the partition is decided before another process has it: some of it was written, the rest is not.
  void decide(const TopicPartition& partition) {
    std::deque<Queued> queued;
    queued.swap(queue_);
    bool is_written = true;
    for (Queued& append : queued) {
      if (!is_about(append.request, partition)) {
        queue_.push_back(std::move(append));
        continue;
      }
      is_written = is_written && homes_.random_->below(2) == 0;
      if (is_written) {
        write(std::move(append));
      } else {
        ++homes_.refused_;
        answer(std::move(append.completion), Error{Errc::not_owner, to_string(partition) + " has gone to another process"});
      }
    }
  }
  Instant step(Instant now) override {
    while (!queue_.empty() && queue_.front().due <= now) {
      Queued append = std::move(queue_.front());
      queue_.pop_front();
      write(std::move(append));
    }
    while (!answers_.empty() && answers_.front().due <= now) {
      Answer answer = std::move(answers_.front());
      answers_.pop_front();
      answer.completion(std::move(answer.outcome));
    }
    Instant next = Instant::max();
    if (!queue_.empty()) next = queue_.front().due;
    if (!answers_.empty()) next = std::min(next, answers_.front().due);
    return next;
  }
  [[nodiscard]] std::string_view name() const override { return "home-writer"; }

  // ---- reads: those of the shared log ----

  Result<TopicInfo> create_topic(const TopicSpec& spec) override { return shared_.create_topic(spec); }
  Result<TopicInfo> topic(std::string_view name) override { return shared_.topic(name); }
  Result<std::vector<TopicInfo>> topics() override { return shared_.topics(); }
  Result<Fetched> read(const TopicPartition& partition, Offset from, std::size_t bytes_max) override {
    if (std::optional<Error> refusal = why_not_read(partition)) return *std::move(refusal);
    return shared_.read(partition, from, bytes_max);
  }
  Result<Fetched> read_back(const TopicPartition& partition, Offset end, std::size_t bytes_max) override {
    if (std::optional<Error> refusal = why_not_read(partition)) return *std::move(refusal);
    return shared_.read_back(partition, end, bytes_max);
  }
  Result<KeyRecords> read_key(const TopicPartition& partition, std::string_view key, Offset begin, Offset end,
                              std::size_t records_max) override {
    if (std::optional<Error> refusal = why_not_read(partition)) return *std::move(refusal);
    return shared_.read_key(partition, key, begin, end, records_max);
  }
  Result<Ends> ends(const TopicPartition& partition) override { return shared_.ends(partition); }
  Result<std::optional<Offset>> offset_at(const TopicPartition& partition, Timestamp time) override {
    return shared_.offset_at(partition, time);
  }
  Result<void> validate(std::string_view topic, const Position& position) override { return shared_.validate(topic, position); }
  NotifyToken notify_above(const TopicPartition& partition, Offset end, std::function<void()> notify) override {
    return shared_.notify_above(partition, end, std::move(notify));
  }
  std::shared_ptr<Membership> membership() override;
  Ports ports() override { return shared_.ports(); }
  std::optional<std::string> directory() const override { return std::nullopt; }
  bool read_only() const override { return false; }

  // ---- listeners ----

  struct Joined {
    std::vector<std::string> topics;
    MembershipListener* listener;
  };
  [[nodiscard]] std::vector<std::uint64_t> members(std::string_view topic) const {
    std::vector<std::uint64_t> ids;
    for (const auto& [id, joined] : joined_) {
      if (std::ranges::find(joined.topics, topic) != joined.topics.end()) ids.push_back(id);
    }
    return ids;
  }
  /// Calls `tell` for those that have joined the partition's topic.
  void tell(const TopicPartition& partition, const std::function<void(MembershipListener&)>& tell) {
    for (const std::uint64_t id : members(partition.topic)) {
      if (const auto joined = joined_.find(id); joined != joined_.end()) tell(*joined->second.listener);
    }
  }

 private:
  friend class HomeMembership;
  struct Queued {
    AppendRequest request;
    Completion completion;
    Instant due;
  };
  struct Answer {
    Completion completion;
    Result<Appended> outcome;
    Instant due;
  };

  Instant later() {
    const Instant due = homes_.ports_.clock.monotonic() + std::chrono::microseconds{homes_.random_->below(3000)};
    return last_due_ = std::max(last_due_, due);  // one after the other
  }
  void write(Queued append) {
    shared_.append(std::move(append.request),
                   [this, completion = std::move(append.completion)](Result<Appended> outcome) mutable {
                     answer(std::move(completion), std::move(outcome));
                   });
  }
  void answer(Completion completion, Result<Appended> outcome) {
    answers_.push_back({std::move(completion), std::move(outcome), later()});
    running_->wake();
  }
  [[nodiscard]] std::optional<Error> why_not_read(const TopicPartition& partition) const {
    if (!homes_.reads_own_only_ || !homes_.is_shared_out(partition) || homes_.owner(partition) == index_) return std::nullopt;
    return Error{Errc::not_owner, to_string(partition) + " is not kept here"};
  }

  TwoHomes& homes_;
  MemoryEventLog& shared_;
  const int index_;
  std::deque<Queued> queue_;
  std::deque<Answer> answers_;
  Instant last_due_{};
  std::map<std::uint64_t, Joined> joined_;
  std::uint64_t next_joined_ = 0;
  std::unique_ptr<RunningActivity> running_;
};

class TwoHomes::HomeMembership final : public Membership {
 public:
  explicit HomeMembership(HomeLog& log) : log_(log) {}

  Result<Token> join(const std::vector<std::string>& topics, MembershipListener& listener) override {
    for (const std::string& topic : topics) {
      if (Result<TopicInfo> found = log_.topic(topic); !found) return found.error();
    }
    const std::uint64_t id = ++log_.next_joined_;
    log_.joined_.emplace(id, HomeLog::Joined{topics, &listener});
    std::vector<TopicPartition> open;
    for (const auto& [partition, home] : log_.homes_.owners_) {
      if (home == log_.index_ && std::ranges::find(topics, partition.topic) != topics.end()) open.push_back(partition);
    }
    if (!open.empty()) listener.opened(open);
    return Token{nullptr, [&log = log_, id](void*) { log.joined_.erase(id); }};
  }
  Result<std::vector<TopicPartition>> mine() override {
    std::vector<TopicPartition> partitions;
    for (const auto& [partition, home] : log_.homes_.owners_) {
      if (home == log_.index_) partitions.push_back(partition);
    }
    return partitions;
  }
  Result<std::optional<Owner>> owner_of(const TopicPartition& partition) override {
    const std::optional<int> home = log_.homes_.owner(partition);
    if (!home) return std::optional<Owner>{};
    return std::optional{Owner{endpoint(*home), *home == log_.index_}};
  }

 private:
  HomeLog& log_;
};

std::shared_ptr<Membership> TwoHomes::HomeLog::membership() { return std::make_shared<HomeMembership>(*this); }

// ---- the homes ----

TwoHomes::TwoHomes(Ports ports)
    : ports_(ports),
      shared_(std::make_shared<MemoryEventLog>(ports)),
      logs_{std::make_shared<HomeLog>(*this, 0), std::make_shared<HomeLog>(*this, 1)} {}

TwoHomes::~TwoHomes() {
  for (const auto& log : logs_) log->stop();
}

std::shared_ptr<EventLog> TwoHomes::log(int home) { return logs_.at(static_cast<std::size_t>(home)); }

int TwoHomes::members(int home, std::string_view topic) const {
  return static_cast<int>(logs_.at(static_cast<std::size_t>(home))->members(topic).size());
}

std::optional<int> TwoHomes::owner(const TopicPartition& partition) const {
  const auto found = owners_.find(partition);
  return found == owners_.end() ? std::nullopt : std::optional{found->second};
}

bool TwoHomes::is_shared_out(const TopicPartition& partition) const {
  const Result<TopicInfo> topic = shared_->topic(partition.topic);
  return topic && topic->spec.streams && !topic->spec.compact;
}

std::optional<Error> TwoHomes::why_not(int home, const AppendRequest& request) {
  const auto refusal = [&](const TopicPartition& partition) -> std::optional<Error> {
    const std::optional<int> has = owner(partition);
    if (!is_shared_out(partition) || has == home) return std::nullopt;
    ++refused_;
    return Error{Errc::not_owner, to_string(partition) + (has ? " is owned by " + endpoint(*has) : " is nobody's")};
  };
  if (std::optional<Error> refused = refusal(request.to)) return refused;
  for (const TopicPartition& partition : request.on_behalf_of) {
    if (std::optional<Error> refused = refusal(partition)) return refused;
  }
  return std::nullopt;
}

void TwoHomes::give(const TopicPartition& partition, int home) {
  if (owner(partition) == home) return;
  let_go(partition);
  hand_over(partition, home);
}

void TwoHomes::put_away(const TopicPartition& partition) {
  let_go(partition);
  hand_over(partition, std::nullopt);
}

void TwoHomes::take(const TopicPartition& partition, int home) {
  const std::optional<int> before = owner(partition);
  if (before == home) return;
  if (before) untold_.at(static_cast<std::size_t>(*before)).push_back(partition);
  hand_over(partition, home);
}

/// Who has it ends what it does there.
void TwoHomes::let_go(const TopicPartition& partition) {
  const std::optional<int> before = owner(partition);
  if (!before) return;
  const Instant deadline = ports_.clock.monotonic() + 5s;
  logs_.at(static_cast<std::size_t>(*before))->tell(partition, [&](MembershipListener& listener) {
    listener.closing({partition}, deadline);
  });
}

void TwoHomes::hand_over(const TopicPartition& partition, std::optional<int> home) {
  const std::optional<int> before = owner(partition);
  if (before) logs_.at(static_cast<std::size_t>(*before))->decide(partition);
  owners_.erase(partition);
  if (!home) return;
  tell_lost(*home, partition);
  owners_.emplace(partition, *home);
  logs_.at(static_cast<std::size_t>(*home))->tell(partition, [&](MembershipListener& listener) {
    listener.opened({partition});
  });
}

void TwoHomes::tell_lost() {
  for (int home = 0; home < 2; ++home) tell_lost(home, std::nullopt);
}

void TwoHomes::tell_lost(int home, const std::optional<TopicPartition>& only) {
  std::vector<TopicPartition>& untold = untold_.at(static_cast<std::size_t>(home));
  std::vector<TopicPartition> told;
  std::erase_if(untold, [&](const TopicPartition& partition) {
    const bool is_told = !only || partition == *only;
    if (is_told) told.push_back(partition);
    return is_told;
  });
  for (const TopicPartition& partition : told) {
    logs_.at(static_cast<std::size_t>(home))->tell(partition, [&](MembershipListener& listener) {
      listener.lost({partition});
    });
  }
}

void TwoHomes::answer_late(std::uint64_t seed) {
  random_.emplace(seed);
  for (const auto& log : logs_) log->start();
}

void TwoHomes::read_own_only() { reads_own_only_ = true; }

}  // namespace lungo::test
