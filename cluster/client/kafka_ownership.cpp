// KafkaOwnership: the group, its callback, and who takes part. kafka_ownership_asks.cpp has what is asked of the brokers.

#include "client/kafka_ownership.hpp"

#include <algorithm>

#include <lungo/log/log_text.hpp>
#include <lungo/log/start_activity.hpp>

namespace lungo {

namespace {

constexpr Duration kPollTime = std::chrono::milliseconds{100};
constexpr Duration kAgain = std::chrono::seconds{1};
constexpr Duration kComplainEvery = std::chrono::seconds{60};
constexpr Duration kTellTime = std::chrono::seconds{30};

}  // namespace

auto KafkaOwnership::start(ownership::OwnershipCore::Options options, KafkaNames names, Parts parts, const Ports& ports)
    -> Result<std::unique_ptr<KafkaOwnership>> {
  std::unique_ptr<KafkaOwnership> made(new KafkaOwnership(std::move(options), std::move(names), std::move(parts), ports));
  Result<std::unique_ptr<TaskActivity>> asks = TaskActivity::start("lungo-kafka-asks", ports);
  if (!asks) return asks.error();
  made->asks_ = std::move(*asks);
  Result<std::unique_ptr<TaskActivity>> tells = TaskActivity::start("lungo-kafka-tells", ports);
  if (!tells) return tells.error();
  made->tells_ = std::move(*tells);
  Result<std::unique_ptr<RunningActivity>> running = start_activity(ports.executor, *made);
  if (!running) return running.error();
  const std::lock_guard lock(made->mutex_);
  made->running_ = std::move(*running);
  return made;
}

KafkaOwnership::KafkaOwnership(ownership::OwnershipCore::Options options, KafkaNames names, Parts parts, const Ports& ports)
    : transaction_timeout_(options.transaction_timeout),
      names_(std::move(names)),
      parts_(std::move(parts)),
      ports_(ports),
      core_(std::move(options)) {}

KafkaOwnership::~KafkaOwnership() {
  if (asks_) asks_->stop();
  if (tells_) tells_->stop();
  running_.reset();
  group_.reset();
}

// ---- who takes part ----

/// Ends a listener's part.
struct KafkaOwnership::Token {
  Token(KafkaOwnership& owner, ownership::ListenerId who, std::shared_ptr<Joiner> its)
      : ownership(owner), id(who), joiner(std::move(its)) {}
  ~Token() {
    {
      const std::lock_guard no_call(joiner->calls);
      joiner->is_gone = true;
    }
    ownership.leave(id);
  }
  Token(const Token&) = delete;
  Token& operator=(const Token&) = delete;

  KafkaOwnership& ownership;
  const ownership::ListenerId id;
  const std::shared_ptr<Joiner> joiner;
};

std::shared_ptr<void> KafkaOwnership::join(const std::vector<std::string>& topics, MembershipListener& listener) {
  auto joiner = std::make_shared<Joiner>(listener);
  ownership::ListenerId id{};
  {
    const std::lock_guard lock(mutex_);
    id = ownership::ListenerId{++listeners_};
    joiners_.emplace(id, joiner);
  }
  auto token = std::make_shared<Token>(*this, id, std::move(joiner));
  const std::uint64_t number = tell(ownership::Joined{.listener = id, .topics = topics});
  // What is open is told at once: when the core has taken its input, and those who are told have been.
  const auto is_taken = [this, number] {
    const std::lock_guard lock(mutex_);
    return taken_ >= number;
  };
  const Instant deadline = ports_.clock.monotonic() + kTellTime;
  ports_.executor.wait_until(is_taken, deadline);
  tells_->drain(deadline);
  return token;
}

void KafkaOwnership::leave(ownership::ListenerId id) {
  {
    const std::lock_guard lock(mutex_);
    joiners_.erase(id);
  }
  tell(ownership::Left{id});
}

std::uint64_t KafkaOwnership::tell(ownership::Input input) {
  std::shared_ptr<RdkGroup> group;
  std::uint64_t number = 0;
  {
    const std::lock_guard lock(mutex_);
    number = ++told_;
    if (has_failed_) {
      taken_ = told_;
    } else {
      inbox_.push_back(std::move(input));
    }
    group = group_;
    if (running_) running_->wake();
  }
  if (group) group->wake();
  ports_.executor.notify();
  return number;
}

auto KafkaOwnership::standing(const TopicPartition& partition) const -> Standing {
  const std::lock_guard lock(mutex_);
  return has_failed_ ? Standing::away : core_.standing(partition);
}

std::vector<TopicPartition> KafkaOwnership::mine() const {
  const std::lock_guard lock(mutex_);
  return has_failed_ ? std::vector<TopicPartition>{} : core_.mine();
}

bool KafkaOwnership::is_closing() const {
  const std::lock_guard lock(mutex_);
  return is_closing_;
}

void KafkaOwnership::begin_anew(Instant deadline) {
  std::shared_ptr<RdkGroup> group;
  {
    const std::lock_guard lock(mutex_);
    if (group_ == nullptr || is_closing_ || has_failed_) return;
    is_beginning_anew_ = true;
    group = group_;
    running_->wake();
  }
  group->wake();
  const auto has_let_go = [this] {
    const std::lock_guard lock(mutex_);
    return !is_beginning_anew_ && (core_.mine().empty() || is_closing_);
  };
  ports_.executor.wait_until(has_let_go, deadline);
}

void KafkaOwnership::close(Instant deadline) {
  {
    const std::lock_guard lock(mutex_);
    is_closing_ = true;
  }
  tell(ownership::GiveBack{});
  const auto has_left = [this] {
    const std::lock_guard lock(mutex_);
    return has_left_;
  };
  ports_.executor.wait_until(has_left, deadline);
  tells_->drain(deadline);
}

void KafkaOwnership::call(ownership::ListenerId id, std::function<void(MembershipListener&)> what, std::function<void()> then) {
  std::shared_ptr<Joiner> joiner;
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = joiners_.find(id); found != joiners_.end()) joiner = found->second;
  }
  tells_->post([joiner = std::move(joiner), what = std::move(what), then = std::move(then)] {
    if (joiner) {
      const std::lock_guard in_call(joiner->calls);
      if (!joiner->is_gone) what(joiner->listener);
    }
    if (then) then();
  });
}

// ---- the activity ----

Instant KafkaOwnership::step(Instant now) {
  return guard_.step(
      "this process leaves its group", [this, now] { return work(now); }, [this] { fail(); });
}

/// Again, where memory is short here, too.
void KafkaOwnership::fail() {
  std::shared_ptr<RdkGroup> gone;
  std::vector<TopicPartition> lost;
  std::vector<ownership::ListenerId> listeners;
  std::uint64_t tenure = 0;
  {
    const std::lock_guard lock(mutex_);
    if (has_failed_) return;
    lost = core_.mine();
    tenure = core_.tenure();
    for (const auto& [id, joiner] : joiners_) listeners.push_back(id);
    trouble_ = Error{Errc::closed, "this process has left its group, as the text log says why; open the log anew"};
    gone.swap(group_);
  }
  parts_.to_writer(ownership::TakeAway{tenure});
  gone.reset();
  for (const ownership::ListenerId id : listeners) carry_out(ownership::TellLost{.listener = id, .partitions = lost});
  {
    const std::lock_guard lock(mutex_);
    inbox_.clear();
    taken_ = told_;
    has_failed_ = has_left_ = true;
  }
  parts_.changed();
  ports_.executor.notify();
}

Instant KafkaOwnership::work(Instant now) {
  open_group();
  if (group_) {
    if (const Result<void> polled = group_->poll(kPollTime); !polled) complain(polled.error());
  }
  take_inbox();
  if (is_leaving_ && group_) {
    is_leaving_ = false;
    subscribed_.clear();
    if (const Result<void> closed = group_->close(); !closed) complain(closed.error());
    take_inbox();
    std::shared_ptr<RdkGroup> gone;
    const std::lock_guard lock(mutex_);
    gone.swap(group_);
  }
  step_core(ownership::Tick{});
  parts_.changed();
  {
    const std::lock_guard lock(mutex_);
    has_left_ = is_closing_ && !group_ && inbox_.empty();
  }
  ports_.executor.notify();
  return group_ ? now : std::min(now + kPollTime, core_.wake_at());
}

/// The group, where there is something to share and the last try is a while ago.
void KafkaOwnership::open_group() {
  const Instant now = ports_.clock.monotonic();
  {
    const std::lock_guard lock(mutex_);
    if (std::exchange(is_beginning_anew_, false)) subscribed_.clear();  // who subscribes joins again
  }
  if (wanted_.empty() || now < again_at_) return;
  if (!group_) {
    Result<std::unique_ptr<RdkGroup>> made = parts_.make_group(*this);
    if (!made) {
      again_at_ = now + kAgain;
      return complain(made.error());
    }
    const std::lock_guard lock(mutex_);
    group_ = std::move(*made);
  }
  if (subscribed_ == wanted_) return;
  if (const Result<void> done = group_->subscribe(wanted_); !done) {
    again_at_ = now + kAgain;
    return complain(done.error());
  }
  subscribed_ = wanted_;
}

std::optional<Error> KafkaOwnership::trouble() const {
  const std::lock_guard lock(mutex_);
  return trouble_;
}

void KafkaOwnership::complain(const Error& error) {
  {
    const std::lock_guard lock(mutex_);
    trouble_ = error;
  }
  const Instant now = ports_.clock.monotonic();
  if (now < complain_at_) return;
  complain_at_ = now + kComplainEvery;
  log_text("kafka", Severity::warn, "the group of owners: " + to_string(error));
}

bool KafkaOwnership::take_inbox() {
  std::vector<ownership::Input> inbox;
  {
    const std::lock_guard lock(mutex_);
    if (inbox_.empty()) return false;
    inbox.swap(inbox_);
  }
  for (ownership::Input& input : inbox) step_core(std::move(input));
  {
    const std::lock_guard lock(mutex_);
    taken_ += inbox.size();
  }
  ports_.executor.notify();
  return true;
}

void KafkaOwnership::step_core(ownership::Input input) {
  ownership::Effects effects;
  {
    const std::lock_guard lock(mutex_);
    effects = core_.step(std::move(input), ports_.clock.monotonic());
  }
  for (const ownership::Effect& effect : effects) {
    std::visit([this](const auto& one) { carry_out(one); }, effect);
  }
}

// ---- the group's callback, inside poll() and close() ----

std::vector<TopicPartition> KafkaOwnership::in_lungo(const std::vector<TopicPartition>& partitions) const {
  std::vector<TopicPartition> ours;
  for (const TopicPartition& partition : partitions) {
    if (std::optional<std::string> name = names_.in_lungo(partition.topic)) {
      ours.push_back({*std::move(name), partition.partition});
    }
  }
  return ours;
}

void KafkaOwnership::assigned(const std::vector<TopicPartition>& partitions, const RdkGroupMetadata& metadata) {
  {
    const std::lock_guard lock(mutex_);
    trouble_.reset();
  }
  std::vector<std::string> topics;
  for (const std::string& topic : subscribed_) topics.push_back(names_.in_lungo(topic).value_or(topic));
  step_core(ownership::Assigned{.member = group_->member_id(),
                                .metadata = metadata.serialized(),
                                .partitions = in_lungo(partitions),
                                .topics = std::move(topics)});
  parts_.changed();
}

void KafkaOwnership::revoked(const std::vector<TopicPartition>& /*partitions*/) {
  is_unassigned_ = false;
  step_core(ownership::Revoked{});
  wait_for_unassign();
}

void KafkaOwnership::lost(const std::vector<TopicPartition>& /*partitions*/) {
  is_unassigned_ = false;
  step_core(ownership::Lost{});
  wait_for_unassign();
}

/// The core's own times bound it.
void KafkaOwnership::wait_for_unassign() {
  while (!is_unassigned_) {
    if (!take_inbox()) {
      const auto has_come = [this] {
        const std::lock_guard lock(mutex_);
        return !inbox_.empty();
      };
      ports_.executor.wait_until(has_come, std::min(core_.wake_at(), ports_.clock.monotonic() + kPollTime));
    }
    step_core(ownership::Tick{});
  }
  parts_.changed();
}

// ---- effects ----

void KafkaOwnership::carry_out(const ownership::Subscribe& subscribe) {
  std::vector<std::string> topics;
  for (const std::string& topic : subscribe.topics) topics.push_back(names_.on_kafka(topic));
  is_leaving_ = topics.empty();
  wanted_ = std::move(topics);
}

void KafkaOwnership::carry_out(const ownership::Unassign& /*unassign*/) { is_unassigned_ = true; }
void KafkaOwnership::carry_out(const ownership::Grant& grant) { parts_.to_writer(grant); }
void KafkaOwnership::carry_out(const ownership::LetGo& let_go) { parts_.to_writer(let_go); }
void KafkaOwnership::carry_out(const ownership::TakeAway& take_away) { parts_.to_writer(take_away); }

void KafkaOwnership::carry_out(const ownership::TellOpened& opened) {
  call(opened.listener, [partitions = opened.partitions](MembershipListener& listener) { listener.opened(partitions); });
}

void KafkaOwnership::carry_out(const ownership::TellClosing& closing) {
  call(
      closing.listener,
      [partitions = closing.partitions, deadline = closing.deadline](MembershipListener& listener) {
        listener.closing(partitions, deadline);
      },
      [this, id = closing.listener] { tell(ownership::ClosingDone{id}); });
}

void KafkaOwnership::carry_out(const ownership::TellLost& lost) {
  call(lost.listener, [partitions = lost.partitions](MembershipListener& listener) { listener.lost(partitions); });
}

void KafkaOwnership::carry_out(const ownership::Warn& warn) { log_text("kafka", Severity::warn, warn.text); }

}  // namespace lungo
