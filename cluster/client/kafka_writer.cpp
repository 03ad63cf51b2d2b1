#include "client/kafka_writer.hpp"

#include <lungo/log/check.hpp>
#include <lungo/log/log_text.hpp>
#include <lungo/log/start_activity.hpp>

namespace lungo {

namespace {

constexpr Duration kAckWait = std::chrono::milliseconds{20};  // of a step; a word of the group's waits for it
constexpr Duration kWarmUp = std::chrono::seconds{5};
constexpr Duration kCallTime = std::chrono::seconds{1};
constexpr Duration kLastStep = std::chrono::milliseconds{500};

}  // namespace

Result<std::unique_ptr<KafkaWriter>> KafkaWriter::start(Options options, const writing::MirrorLookup& mirror, KafkaNames names,
                                                        MakeProducer make, std::function<std::vector<std::string>()> warm,
                                                        Told told, const Ports& ports) {
  std::unique_ptr<KafkaWriter> made(
      new KafkaWriter(std::move(options), mirror, std::move(names), std::move(make), std::move(warm), std::move(told), ports));
  Result<std::unique_ptr<RunningActivity>> running = start_activity(ports.executor, *made);
  if (!running) return running.error();
  const std::lock_guard lock(made->mutex_);
  made->running_ = std::move(*running);
  return made;
}

KafkaWriter::KafkaWriter(Options options, const writing::MirrorLookup& mirror, KafkaNames names, MakeProducer make,
                         std::function<std::vector<std::string>()> warm, Told told, const Ports& ports)
    : options_(std::move(options)),
      names_(std::move(names)),
      make_(std::move(make)),
      warm_(std::move(warm)),
      told_(std::move(told)),
      ports_(ports),
      core_(options_.core, mirror) {}

KafkaWriter::~KafkaWriter() { stop(); }

void KafkaWriter::stop() {
  std::unique_ptr<RunningActivity> ending;  // waits for the step, without the lock
  {
    const std::lock_guard lock(mutex_);
    is_closing_ = has_ended_ = true;
    ending.swap(running_);
  }
  ending.reset();
  answer_the_rest({Errc::closed, "the log is closed"});
}

void KafkaWriter::answer_the_rest(const Error& error) {
  std::unordered_map<std::uint64_t, Completion> left;
  {
    const std::lock_guard lock(mutex_);
    has_ended_ = true;
    left.swap(completions_);
  }
  for (auto& [ticket, completion] : left) completion(error);
}

// ---- callers' threads ----

void KafkaWriter::append(AppendRequest request, Completion completion, Instant deadline) {
  bool has_failed = false;
  {
    const std::lock_guard lock(mutex_);
    has_failed = has_failed_;
    if (!has_ended_) {
      completions_.emplace(++tickets_, std::move(completion));
      inbox_.push_back(
          writing::Append{.ticket = writing::AppendTicket{tickets_}, .request = std::move(request), .deadline = deadline});
      running_->wake();
      return;
    }
  }
  completion(has_failed ? Error{Errc::closed, "the log has ended, as the text log says why; open it anew"}
                        : Error{Errc::closed, "the log is closed"});
}

void KafkaWriter::tell(writing::Input input) {
  const std::lock_guard lock(mutex_);
  if (has_failed_) return;
  inbox_.push_back(std::move(input));
  if (running_) running_->wake();
}

void KafkaWriter::close(Instant deadline) {
  {
    const std::lock_guard lock(mutex_);
    is_closing_ = true;
  }
  tell(writing::Close{.reason = Error{Errc::closed, "the log is closed"}, .deadline = deadline});
  const auto has_ended = [this] {
    const std::lock_guard lock(mutex_);
    return has_ended_;
  };
  if (ports_.executor.wait_until(has_ended, deadline + kLastStep)) return;
  answer_the_rest({Errc::timed_out, "the log closes before a broker has answered; whether it is written is unknown"});
}

bool KafkaWriter::is_closing() const {
  const std::lock_guard lock(mutex_);
  return is_closing_;
}

std::optional<Error> KafkaWriter::trouble() const {
  const std::lock_guard lock(mutex_);
  return trouble_;
}

KafkaWriter::Counts KafkaWriter::counts() const {
  const std::lock_guard lock(mutex_);
  return counts_;
}

// ---- the activity ----

Instant KafkaWriter::step(Instant /*now*/) {
  return guard_.step(
      "the writer ends", [this] { return work(); }, [this] { fail(); });
}

/// Again, where memory is short here, too.
void KafkaWriter::fail() {
  {
    const std::lock_guard lock(mutex_);
    if (has_failed_) return;
    inbox_.clear();
  }
  under_way_.reset();
  producer_.reset();  // aborts
  answer_the_rest({Errc::timed_out, "the log has ended, as the text log says why; whether it is written is unknown"});
  told_.failed();
  {
    const std::lock_guard lock(mutex_);
    has_failed_ = true;
  }
  ports_.executor.notify();
}

Instant KafkaWriter::work() {
  take_inbox();
  if (under_way_) look(kAckWait);
  step_core(writing::Tick{});
  {
    const std::lock_guard lock(mutex_);
    if (!inbox_.empty()) return Instant::min();
  }
  return under_way_ ? Instant::min() : core_.wake_at();
}

void KafkaWriter::take_inbox() {
  std::vector<writing::Input> inbox;
  {
    const std::lock_guard lock(mutex_);
    inbox.swap(inbox_);
  }
  for (writing::Input& input : inbox) step_core(std::move(input));
}

/// And all that follows from it: an effect's outcome is the next input.
void KafkaWriter::step_core(writing::Input input) {
  outcomes_.push_back(std::move(input));  // behind what the producer has told since
  for (std::size_t i = 0; i < outcomes_.size(); ++i) {
    writing::Input next = std::move(outcomes_[i]);
    for (writing::Effect& effect : core_.step(std::move(next), ports_.clock.monotonic())) {
      std::visit([this](auto& one) { carry_out(one); }, effect);
    }
  }
  outcomes_.clear();
}

writing::CallFailure KafkaWriter::failure_of(const RdkOutcome& outcome) {
  using Kind = writing::CallFailure::Kind;
  Kind kind = Kind::fatal;
  if (outcome.next == RdkNext::call_again) kind = Kind::retriable;
  if (outcome.next == RdkNext::abort) kind = Kind::abort;
  return {.kind = kind, .error = outcome.error, .is_stale = outcome.error == Errc::not_owner};
}

void KafkaWriter::call_done(writing::HandleNumber handle, const RdkOutcome& outcome) {
  writing::CallDone done{.handle = handle, .failure = std::nullopt};
  if (!outcome.ok()) {
    done.failure = failure_of(outcome);
    const Severity severity = outcome.next == RdkNext::call_again ? Severity::debug : Severity::info;
    log_text("kafka", severity, "a transaction's call failed: " + to_string(outcome.error));
  }
  outcomes_.push_back(std::move(done));
}

void KafkaWriter::carry_out(const writing::MakeHandle& make) {
  under_way_.reset();
  producer_.reset();
  Result<std::unique_ptr<RdkProducer>> made = make_();
  if (!made) return call_done(make.handle, {.next = RdkNext::make_anew, .error = made.error()});
  producer_ = std::move(*made);
  {
    const std::lock_guard lock(mutex_);
    ++counts_.handles;
  }
  static_cast<void>(producer_->warm_up(warm_(), kWarmUp));  // without it, the first transaction takes longer
  const Instant deadline = ports_.clock.monotonic() + options_.transaction_timeout;
  RdkOutcome outcome = producer_->init(kCallTime);
  while (outcome.next == RdkNext::call_again && ports_.clock.monotonic() < deadline && !is_closing()) {
    outcome = producer_->init(kCallTime);
  }
  {
    const std::lock_guard lock(mutex_);
    trouble_ = outcome.ok() ? std::nullopt : std::optional{outcome.error};
  }
  call_done(make.handle, outcome);
}

// ---- records ----

void KafkaWriter::carry_out(const writing::Produce& produce) {
  if (const RdkOutcome begun = producer_->begin(); !begun.ok()) {
    outcomes_.push_back(writing::ProduceFailed{.handle = produce.handle, .failure = failure_of(begun), .refused = {}});
    return;
  }
  under_way_.emplace(produce, tokens_);
  tokens_ += under_way_->count();
  under_way_->hand_over(*producer_, names_);
  if (under_way_->is_done()) done();
}

void KafkaWriter::look(Duration patience) {
  under_way_->look(*producer_, patience);
  if (under_way_->is_done()) done();
}

void KafkaWriter::done() {
  const RecordsUnderWay ended = *std::exchange(under_way_, std::nullopt);
  if (!ended.has_failed()) {
    const std::lock_guard lock(mutex_);
    counts_.records += ended.count();
  }
  outcomes_.push_back(ended.outcome());
}

// ---- calls ----

void KafkaWriter::carry_out(const writing::GiveUp& /*give_up*/) { under_way_.reset(); }

void KafkaWriter::carry_out(const writing::SendCounters& send) {
  std::vector<RdkOffset> offsets;
  for (const writing::SendCounters::Counter& counter : send.counters) {
    offsets.push_back({.partition = {names_.on_kafka(counter.partition.topic), counter.partition.partition},
                       .offset = counter.offset,
                       .metadata = send.tenure->note});
  }
  call_done(send.handle, producer_->send_offsets(offsets, RdkGroupMetadata(send.tenure->metadata)));
}

void KafkaWriter::carry_out(const writing::Commit& commit) {
  const RdkOutcome outcome = producer_->commit(kCallTime);
  if (outcome.ok()) {
    const std::lock_guard lock(mutex_);
    ++counts_.committed;
  }
  call_done(commit.handle, outcome);
}

void KafkaWriter::carry_out(const writing::Abort& abort) {
  under_way_.reset();
  const RdkOutcome outcome = producer_->abort(kCallTime);
  static_cast<void>(producer_->poll(Duration{0}));  // what was dropped
  if (outcome.ok()) {
    const std::lock_guard lock(mutex_);
    ++counts_.aborted;
  }
  call_done(abort.handle, outcome);
}

// ---- what is told ----

void KafkaWriter::carry_out(const writing::Committed& committed) { told_.committed(committed); }

void KafkaWriter::carry_out(writing::Answer& answer) {
  Completion completion;
  {
    const std::lock_guard lock(mutex_);
    const auto found = completions_.find(answer.ticket.value());
    if (found == completions_.end() && has_ended_) return;  // close() has answered
    check(found != completions_.end(), "an append is answered once");
    completion = std::move(found->second);
    completions_.erase(found);
  }
  completion(std::move(answer.outcome));
}

void KafkaWriter::carry_out(const writing::Foreign& foreign) {
  const std::string voided =
      foreign.as_of ? "; they void conditions as of up to " + std::to_string(foreign.as_of->value()) : std::string{};
  log_text("kafka", Severity::error,
           to_string(foreign.partition) + " has records of somebody else at offsets " +
               std::to_string(foreign.records.begin.value()) + " to " + std::to_string(foreign.records.end.value() - 1) +
               ", which only its owner may append to" + voided);
  const std::lock_guard lock(mutex_);
  counts_.foreign += static_cast<std::uint64_t>(foreign.records.end - foreign.records.begin);
}

void KafkaWriter::carry_out(const writing::Missing& missing) {
  log_text("kafka", Severity::error,
           "the records of " + to_string(missing.partition) + " at offsets " + std::to_string(missing.records.begin.value()) +
               " to " + std::to_string(missing.records.end.value() - 1) +
               " are not there, though the brokers have confirmed their commit; what was decided on them stands without them");
  const std::lock_guard lock(mutex_);
  counts_.missing += static_cast<std::uint64_t>(missing.records.end - missing.records.begin);
}

void KafkaWriter::carry_out(const ownership::Claimed& claimed) { told_.claimed(claimed); }
void KafkaWriter::carry_out(const ownership::LetGone& gone) { told_.let_gone(gone); }

void KafkaWriter::carry_out(const writing::Ended& /*ended*/) {
  {
    const std::lock_guard lock(mutex_);
    has_ended_ = true;
  }
  ports_.executor.notify();
}

}  // namespace lungo
