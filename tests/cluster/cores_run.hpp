// Three processes on the model of the brokers: appends of all kinds, and everything that fails, in an order that a seed draws.
//
// While faults last, processes are killed and started again, stopped (SIGSTOP) and continued, cut off, stopped cleanly;
// messages are lost, come late or twice; mirrors are made anew; others write into the partitions. Then all that ends, and
// everything has to get through: each append is answered, each partition is owned by one process, and takes an append.
#pragma once

#include <array>
#include <memory>

#include <lungo/log/check.hpp>

#include "tests/cluster/model_process.hpp"

namespace lungo::test {

class CoresRun {
 public:
  explicit CoresRun(std::uint64_t seed)
      : network_(seed),
        session_timeout_(any_of({300, 600, 1200})),
        transaction_timeout_(any_of({600, 1200, 5000})),
        broker_({.session_timeout = session_timeout_,
                 .rebalance_timeout = 6 * session_timeout_,
                 .transaction_timeout = transaction_timeout_},
                kStreams, {kPlain}) {
    for (std::size_t i = 0; i < kProcesses; ++i) processes_.push_back(started({}));
  }

  /// Faults for so many steps, then peace. What went wrong; empty where nothing did.
  std::vector<std::string> run(int steps) {
    try {
      run_steps(steps);
    } catch (const invariant_broken& broken) {
      history_.fail(broken.what());
    }
    return history_.faults;
  }
  [[nodiscard]] const CoresHistory& history() const { return history_; }

 private:
  void run_steps(int steps) {
    Random& random = network_.random;
    const std::uint64_t fault_every = 50 + random.below(300);
    for (int i = 0; i < steps; ++i) {
      if (random.one_in(fault_every)) make_fault();
      if (random.one_in(6)) append();
      if (random.one_in(60)) attempt_again();
      step(std::chrono::milliseconds{random.below(6)});
    }
    calm_down();
    history_.check(broker_, all());
  }

  static constexpr std::size_t kProcesses = 3;
  static inline const std::vector<TopicPartition> kStreams{
      {"events", PartitionId{0}}, {"events", PartitionId{1}}, {"events", PartitionId{2}}};
  static inline const TopicPartition kPlain{"rows", PartitionId{0}};

  /// No promise rests on how long anything takes.
  Duration any_of(std::initializer_list<int> milliseconds) {
    return std::chrono::milliseconds{*(milliseconds.begin() + network_.random.below(milliseconds.size()))};
  }
  static std::vector<TopicPartition> all() {
    std::vector<TopicPartition> partitions = kStreams;
    partitions.push_back(kPlain);
    return partitions;
  }

  std::unique_ptr<ModelProcess> started(MirrorModel mirror) {
    using std::chrono::milliseconds;
    const ModelProcess::Options options{.session_timeout = session_timeout_,
                                        .ownership = {.transactional_id = "writer-" + std::to_string(++started_),
                                                      .endpoint = {},
                                                      .closing_timeout = milliseconds{300},
                                                      .transaction_timeout = transaction_timeout_,
                                                      .abort_timeout = milliseconds{500},
                                                      .ask_again = milliseconds{20}},
                                        .writer = {.transaction_records_max = 6,
                                                   .again_min = milliseconds{20},
                                                   .again_max = milliseconds{500},
                                                   .abort_timeout = milliseconds{500}}};
    return std::make_unique<ModelProcess>(options, broker_, network_, history_, std::move(mirror), all());
  }

  // ---- what happens ----

  ModelProcess& any_process() { return *processes_[network_.random.below(kProcesses)]; }

  void step(Duration time) {
    network_.now += time;
    broker_.pass(time);
    network_.run_timers();
    // Whoever's turn it is; where he has nothing to do, the next one.
    constexpr std::uint64_t kTurns = 8;
    const std::uint64_t first = network_.random.below(kTurns);
    for (std::uint64_t i = 0; i < kTurns; ++i) {
      if (take_turn((first + i) % kTurns)) return;
    }
    skip();
  }

  bool take_turn(std::uint64_t turn) {
    switch (turn) {
      case 0:
      case 3:
      case 5:
        return network_.step();
      case 1:
      case 4:
        return any_process().step();
      case 2:
        return broker_.step(network_.random);
      default:
        return read();
    }
  }

  bool read() {
    Random& random = network_.random;
    const std::size_t index = random.below(kProcesses);
    if (!random.one_in(lags_[index])) return false;
    const TopicPartition& partition = random.one_in(4) ? kPlain : kStreams[random.below(kStreams.size())];
    return processes_[index]->read(partition, 1 + static_cast<std::int64_t>(random.below(12)));
  }

  /// To when something is to be done again.
  void skip() {
    Instant next = network_.next_timer();
    for (const auto& process : processes_) next = std::min(next, process->next_step_at());
    if (next <= network_.now || next == Instant::max()) return;
    broker_.pass(next - network_.now);
    network_.now = next;
  }

  void append() {
    Random& random = network_.random;
    ModelProcess& process = any_process();
    if (!process.runs() || history_.appends.size() > 250) return;
    const std::vector<TopicPartition> mine = process.mine();
    const std::vector<TopicPartition>& choice = random.one_in(20) ? kStreams : mine;
    if (choice.empty()) return;
    CoresHistory::Append append{.to = choice[random.below(choice.size())],
                                .key = "key-" + std::to_string(random.below(4)),
                                .id = {},
                                .records = 1 + static_cast<int>(random.below(3)),
                                .condition = {},
                                .since = {}};
    const bool is_plain = random.one_in(4);
    if (is_plain && !random.one_in(3)) append.on_behalf_of = append.to;
    if (is_plain) append.to = kPlain;
    if (random.one_in(2)) append.id = "id-" + std::to_string(history_.appends.size());
    const Offset end = process.known_end(append.to);
    const std::int64_t behind = random.one_in(4) ? static_cast<std::int64_t>(random.below(6)) : 0;
    const Offset as_of{std::max<std::int64_t>(0, end.value() - behind)};
    if (!is_plain && random.one_in(2)) {
      append.condition = Condition{random.one_in(4) ? "key-0" : append.key, as_of};
    } else if (!is_plain && !append.id.empty()) {
      append.since = as_of;
    }
    history_.appends.push_back(append);
    attempt(history_.appends.size() - 1, process);
  }

  void attempt(std::size_t index, ModelProcess& process) {
    const std::uint64_t timeout = network_.random.one_in(3) ? 300 : 4000;
    process.append(index, std::chrono::milliseconds{timeout});
  }

  /// As who was not told does, with the owner of now. On a topic that is anybody's two processes may do so at once.
  void attempt_again() {
    if (history_.appends.empty()) return;
    const std::size_t index =
        history_.appends.size() - 1 - network_.random.below(std::min<std::size_t>(40, history_.appends.size()));
    const CoresHistory::Append& append = history_.appends[index];
    if (append.id.empty() || append.to == kPlain) return;
    for (const auto& process : processes_) {
      const std::vector<TopicPartition> mine = process->mine();
      if (process->runs() && std::ranges::find(mine, append.to) != mine.end()) attempt(index, *process);
    }
  }

  void make_fault() {
    Random& random = network_.random;
    const std::uint64_t index = random.below(kProcesses);
    ModelProcess& process = *processes_[index];
    const std::chrono::milliseconds time{random.below(2000)};
    switch (random.below(11)) {
      case 0:
        kill(index);
        break;
      case 1:
        process.stop();
        break;
      case 2:
      case 3:
        process.pause(network_.now + time);
        break;
      case 4:
      case 5:
        process.cut(network_.now + time);
        break;
      case 6:
        process.cut_from_group(network_.now + time);
        break;
      case 7:
        process.empty_mirror(kStreams[random.below(kStreams.size())]);
        break;
      case 8:
        broker_.produce(kStreams[random.below(kStreams.size())],
                        {.key = "key-0", .id = {}, .value = std::string(CoresHistory::kForeign)});
        break;
      default:
        lags_[index] = random.one_in(2) ? 1 : 1 + random.below(200);
    }
    for (std::size_t i = 0; i < kProcesses; ++i) {
      if (processes_[i]->has_stopped() && random.one_in(2)) kill(i);
    }
  }

  /// Another one takes its place, with the mirror, or a part of it.
  void kill(std::size_t index) {
    MirrorModel mirror = std::move(processes_[index]->mirror);
    if (network_.random.one_in(3)) mirror = {};
    processes_[index]->kill();
    gone_.push_back(std::exchange(processes_[index], started(std::move(mirror))));
  }

  // ---- and how it ends ----

  void calm_down() {
    network_.loses = false;
    lags_.fill(1);
    for (std::size_t i = 0; i < kProcesses; ++i) {
      processes_[i]->cut(network_.now);
      processes_[i]->pause(network_.now);
      if (processes_[i]->is_stopping()) kill(i);
    }
    // Members that are gone are thrown out of the group until then.
    Instant calm_since = network_.now;
    const auto stays_calm = [&] {
      if (!is_calm()) calm_since = network_.now;
      return network_.now - calm_since > 2 * session_timeout_;
    };
    if (!settles(stays_calm)) return history_.fail("it does not come to rest:" + state());
    for (const auto& process : processes_) {
      if (!takes_appends(*process)) return history_.fail("appends do not get through:" + state());
    }
    if (!settles([this] { return broker_.is_stable(); })) history_.fail("a transaction stays open");
  }

  /// One to each partition of its own, and to the one that is everybody's.
  bool takes_appends(ModelProcess& process) {
    std::vector<TopicPartition> partitions = process.mine();
    partitions.push_back(kPlain);
    const std::size_t first = history_.appends.size();
    for (const TopicPartition& partition : partitions) {
      history_.appends.push_back({.to = partition, .key = "last", .id = {}, .records = 1, .condition = {}, .since = {}});
      process.append(history_.appends.size() - 1, std::chrono::seconds{60});
    }
    return settles([&] {
      return std::all_of(history_.appends.begin() + static_cast<std::ptrdiff_t>(first), history_.appends.end(),
                         [](const CoresHistory::Append& append) { return !append.answers.empty() && append.answers[0]; });
    });
  }

  bool settles(const std::function<bool()>& is_done) {
    const Instant deadline = network_.now + std::chrono::seconds{60};
    for (int i = 0; network_.now < deadline; ++i) {
      if (i % 64 == 0 && is_done()) return true;
      step(std::chrono::microseconds{200});
    }
    return false;
  }

  bool is_calm() const {
    std::vector<TopicPartition> owned;
    for (const auto& process : processes_) {
      if (process->unanswered() > 0 || !process->is_member()) return false;
      for (const TopicPartition& partition : process->mine()) owned.push_back(partition);
    }
    std::ranges::sort(owned);
    return owned == kStreams;
  }

  std::string state() const {
    std::string text;
    for (const auto& process : processes_) {
      text += " [" + std::to_string(process->unanswered()) + " unanswered, owns";
      for (const TopicPartition& partition : process->mine()) text += " " + to_string(partition);
      text += "]";
    }
    return text;
  }

  ModelNetwork network_;
  const Duration session_timeout_;
  const Duration transaction_timeout_;
  BrokerModel broker_;
  CoresHistory history_;
  int started_ = 0;
  std::array<std::uint64_t, kProcesses> lags_{1, 1, 1};  // a tail moves once in so many turns
  std::vector<std::unique_ptr<ModelProcess>> processes_;
  std::vector<std::unique_ptr<ModelProcess>> gone_;  // what they have sent may still arrive
};

}  // namespace lungo::test
