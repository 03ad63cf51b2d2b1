#include "client/kafka_tail.hpp"

#include <algorithm>

#include <lungo/log/deadline.hpp>
#include <lungo/log/log_text.hpp>

#include "client/look_again.hpp"

namespace lungo {

namespace {

constexpr std::size_t kRecordsMax = 20'000;  // of a step
constexpr Duration kAgain = std::chrono::seconds{1};
constexpr Duration kTrimEvery = std::chrono::seconds{60};
constexpr Duration kNewsTime = std::chrono::seconds{5};
constexpr Duration kLookAgain = std::chrono::milliseconds{20};

}  // namespace

auto KafkaTail::open(Make make, RdkAdmin& admin, KafkaMirror& mirror, Ports ports, NameOf name_of, Told told, Emptied emptied)
    -> Result<std::unique_ptr<KafkaTail>> {
  Result<std::unique_ptr<RdkTail>> consumer = make();
  if (!consumer) return consumer.error();
  std::unique_ptr<KafkaTail> tail{new KafkaTail(std::move(make), std::move(*consumer), admin, mirror, ports, std::move(name_of),
                                                std::move(told), std::move(emptied))};
  Result<std::unique_ptr<TaskActivity>> asks = TaskActivity::start("lungo-kafka-trim", ports);
  if (!asks) return asks.error();
  tail->asks_ = std::move(*asks);
  return tail;
}

KafkaTail::KafkaTail(Make make, std::unique_ptr<RdkTail> consumer, RdkAdmin& admin, KafkaMirror& mirror, Ports ports,
                     NameOf name_of, Told told, Emptied emptied)
    : make_(std::move(make)),
      admin_(admin),
      mirror_(mirror),
      ports_(ports),
      name_of_(std::move(name_of)),
      told_(std::move(told)),
      emptied_(std::move(emptied)),
      consumer_(std::move(consumer)) {}

void KafkaTail::follow(const TopicPartition& partition) {
  const TopicPartition name = on_kafka(partition);
  {
    const std::lock_guard lock(mutex_);
    const auto [entry, is_new] = followed_.try_emplace(name, Followed{.partition = partition});
    if (!is_new) return;
    entry->second.again_at = Instant::min();
  }
  consumer()->wake();
}

std::shared_ptr<RdkTail> KafkaTail::consumer() const {
  const std::lock_guard lock(mutex_);
  return consumer_;
}

void KafkaTail::unfollow(std::string_view topic) {
  const std::string name = name_of_(topic);
  const std::lock_guard lock(mutex_);
  std::erase_if(followed_, [&](const auto& entry) {
    if (entry.first.topic != name) return false;
    if (entry.second.is_assigned) unfollowed_.push_back(entry.first);
    return true;
  });
  ports_.executor.notify();
}

void KafkaTail::close() {
  {
    const std::lock_guard lock(mutex_);
    is_closed_ = true;
  }
  asks_->drop();
  ports_.executor.notify();
}

bool KafkaTail::is_closed() const {
  const std::lock_guard lock(mutex_);
  return is_closed_;
}

bool KafkaTail::has_ended(const TopicPartition& partition) const {
  const std::lock_guard lock(mutex_);
  const auto found = followed_.find(on_kafka(partition));
  return found != followed_.end() && found->second.has_ended;
}

bool KafkaTail::is_followed(const TopicPartition& partition) const {
  const std::lock_guard lock(mutex_);
  return followed_.contains(on_kafka(partition));
}

std::optional<Error> KafkaTail::trouble(const TopicPartition& partition) const {
  const std::lock_guard lock(mutex_);
  const auto found = followed_.find(on_kafka(partition));
  return found == followed_.end() ? std::nullopt : found->second.trouble;
}

Result<void> KafkaTail::catch_up(const TopicPartition& partition, Duration timeout) {
  const Instant begin = ports_.clock.monotonic();
  const Instant deadline = deadline_after(begin, timeout);
  // Who follows it knows that it is there: a broker hears of a new one, or that it leads it, a little later.
  const auto is_known = [&](const Result<Offset>& end) {
    if (end || is_closed()) return true;
    const bool may_be_news = end.error() == Errc::not_found && ports_.clock.monotonic() < begin + kNewsTime;
    return !may_be_news && !is_retriable(end.error().code());
  };
  const Result<Offset> goal = look_again(
      ports_, deadline, [&] { return consumer()->stable_end(on_kafka(partition), std::min(timeout, kAskTime)); }, is_known);
  if (!goal) return goal.error();
  const auto end = [&] {
    const Result<Ends> ends = mirror_.reads().ends(partition);
    return ends ? ends->committed : Offset{0};
  };
  // A mirror of before may be as long and another's: not before the cluster has been seen to go on from it.
  const auto is_there = [&] { return has_ended(partition) && end() >= *goal; };
  ports_.executor.wait_until([&] { return is_there() || !is_followed(partition) || is_closed(); }, deadline);
  if (is_there()) return {};
  if (!is_followed(partition)) return Error{Errc::busy, "topic " + partition.topic + " was let go meanwhile"};
  if (is_closed()) return Error{Errc::closed, "the log is closed"};
  if (const std::optional<Error> cause = trouble(partition)) return *cause;
  return Error{Errc::timed_out, "the mirror of " + to_string(partition) + " is at offset " + std::to_string(end().value()) +
                                    " of " + std::to_string(goal->value())};
}

Instant KafkaTail::step(Instant now) {
  remove_unfollowed();
  look_after_one(now);
  const Result<RdkFetched> fetched = consumer()->poll(kPollTime, kRecordsMax);
  if (!fetched) {
    make_anew(fetched.error(), now);
    return now + kAgain;
  }
  for (const RdkRun& run : fetched->runs) take(run, ports_.clock.monotonic());
  if (!fetched->runs.empty()) ports_.executor.notify();
  return now;
}

void KafkaTail::remove_unfollowed() {
  std::vector<TopicPartition> gone;
  {
    const std::lock_guard lock(mutex_);
    gone.swap(unfollowed_);
  }
  if (!gone.empty()) static_cast<void>(consumer()->remove(gone));
}

/// One a step: each may wait for the cluster, and the others are being read meanwhile.
void KafkaTail::look_after_one(Instant now) {
  std::optional<std::pair<TopicPartition, Followed>> due;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [name, followed] : followed_) {
      const bool begins = followed.again_at && *followed.again_at <= now;
      if (begins || (!due && !followed.again_at && followed.trim_at <= now)) due.emplace(name, followed);
      if (begins) break;
    }
  }
  if (!due) return;
  const auto& [name, followed] = *due;
  if (!followed.again_at) {
    {
      const std::lock_guard lock(mutex_);
      if (const auto found = followed_.find(name); found != followed_.end()) found->second.trim_at = now + kTrimEvery;
    }
    // Where its leader is gone the answer takes long, and the others are to be read meanwhile.
    asks_->post([this, due = *std::move(due)] { trim(due.first, due.second); });
    return;
  }
  const Result<void> begun = begin(name, followed);
  {
    const std::lock_guard lock(mutex_);
    const auto found = followed_.find(name);
    if (found == followed_.end()) {
      if (begun) unfollowed_.push_back(name);
      return;
    }
    found->second.is_assigned = found->second.is_assigned || begun.has_value();
    found->second.has_ended = false;
    found->second.again_after = begun ? Duration{} : std::clamp(2 * found->second.again_after, kLookAgain, kAgain);
    found->second.again_at = begun ? std::nullopt : std::optional{now + found->second.again_after};
    found->second.trouble = begun ? std::nullopt : std::optional{begun.error()};
    found->second.trim_at = now + kTrimEvery;
  }
  ports_.executor.notify();
}

Result<void> KafkaTail::begin(const TopicPartition& on_kafka, const Followed& followed) {
  const Result<Offset> first = admin_.start(on_kafka, kAskTime);
  if (!first) return first.error();
  const Result<Offset> before = mirror_.end(followed.partition);
  const Result<RdkStart> start = mirror_.start(followed.partition, *first);
  if (!start) return start.error();
  // Reading begins at its last record, which is its proof: that alone is no sign.
  const Result<Offset> end = mirror_.end(followed.partition);
  if (before && end && *end < *before && emptied_) emptied_(followed.partition, true);
  const RdkStart there{.partition = on_kafka, .from = start->from};
  return followed.is_assigned ? consumer()->seek(there) : consumer()->add({there});
}

void KafkaTail::trim(const TopicPartition& on_kafka, const Followed& followed) {
  const Result<Offset> first = admin_.start(on_kafka, kAskTime);
  if (!first) return;  // the next time
  if (Result<void> trimmed = mirror_.trim(followed.partition, *first); !trimmed) {
    log_text("kafka", Severity::warn, "mirror of " + to_string(followed.partition) + ": " + to_string(trimmed.error()));
  }
}

void KafkaTail::take(const RdkRun& run, Instant now) {
  TopicPartition partition;
  {
    const std::lock_guard lock(mutex_);
    const auto found = followed_.find(run.partition);
    if (found == followed_.end() || found->second.again_at) return;  // what comes before it begins anew would leave a hole
    partition = found->second.partition;
  }
  std::optional<Error> trouble = run.error;
  bool begins_again = run.error && *run.error == Errc::offset_out_of_range;
  if (begins_again && emptied_) emptied_(partition, false);
  const Result<KafkaMirror::Outcome> outcome = mirror_.take(partition, run);
  if (!outcome) {
    trouble = outcome.error();
    begins_again = true;
  } else if (outcome->anew) {
    begins_again = true;
    if (emptied_) emptied_(partition, true);
  } else if (outcome->taken && told_) {
    told_(*outcome->taken);
  }
  if (!begins_again && run.end) tell_first_end(run.partition, partition, outcome->taken.has_value());
  const std::lock_guard lock(mutex_);
  const auto found = followed_.find(run.partition);
  if (found == followed_.end()) return;
  if (begins_again) found->second.again_at = outcome ? now : now + kAgain;
  if (begins_again) found->second.has_ended = false;
  if (!begins_again && run.end) found->second.has_ended = true;
  if (trouble && (!found->second.trouble || found->second.trouble->code() != trouble->code())) {
    log_text("kafka", Severity::warn, to_string(partition) + " is not read: " + to_string(*trouble));
  }
  found->second.trouble = trouble;
}

/// The mirror of before is whole: who waits for its end is told, though nothing came.
void KafkaTail::tell_first_end(const TopicPartition& on_kafka, const TopicPartition& partition, bool is_told) {
  {
    const std::lock_guard lock(mutex_);
    const auto found = followed_.find(on_kafka);
    if (is_told || found == followed_.end() || found->second.has_ended || !told_) return;
  }
  if (const Result<Offset> end = mirror_.end(partition)) {
    told_({.partition = partition, .from = *end, .end = *end, .records = {}});
  }
}

void KafkaTail::make_anew(const Error& cause, Instant now) {
  log_text("kafka", Severity::error, "the consumer is made anew: " + to_string(cause));
  Result<std::unique_ptr<RdkTail>> made = make_();
  if (!made) return;
  const std::lock_guard lock(mutex_);
  consumer_ = std::move(*made);
  unfollowed_.clear();
  for (auto& [name, followed] : followed_) {
    followed.is_assigned = false;
    followed.again_at = now;
  }
}

}  // namespace lungo
