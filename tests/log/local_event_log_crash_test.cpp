// Power cuts in the middle of everything the embedded log does, on the simulated disk.
//
// Method: a random session (appends that wait and that do not, small segments that roll, new topics, reads, clean stops, power
// cuts of its own) runs once per seed. Before every changing call of it the disk is copied as several power cuts would leave
// it, and a new machine opens each copy. There,
//   * every partition holds a prefix of what was submitted, in order, nothing twice;
//   * with ack level isr+sync the prefix has everything that was acknowledged and everything that a reader ever saw;
//   * a stored position is valid exactly if its records survived;
//   * the next append has an epoch that nobody used before;
//   * a cut in the middle of recovery loses nothing that recovery showed.
#include <gtest/gtest.h>

#include <algorithm>
#include <iostream>
#include <map>

#include <lungo/log/local_event_log.hpp>
#include "tests/support/quiet_log.hpp"
#include "tests/support/records.hpp"
#include "tests/support/simulation.hpp"

namespace lungo::test {
namespace {

constexpr std::uint64_t kSessions = 12;
constexpr int kOperations = 150;
constexpr std::uint64_t kCutsPerStep = 3;

const std::string kDirectory = "/var/data";

std::shared_ptr<EventLog> open_on(const Ports& ports) {
  LocalOptions options;
  options.ports = &ports;
  return open_local(kDirectory, options).value();
}

/// What the session knows of one partition.
struct Known {
  bool survives_power_cut = true;      // ack level isr+sync
  std::vector<std::string> submitted;  // in order; every value is unique
  std::size_t acknowledged = 0;        // this many of them
  std::optional<Position> read_up_to;  // where a reader stands
};

struct Model {
  std::map<TopicPartition, Known> partitions;  // of topics whose creation was acknowledged
  std::int32_t epoch_used = 0;
};

/// Checks a log that was opened after a cut against what was known then.
void expect_nothing_lost(EventLog& log, const Model& model) {
  for (const auto& [partition, known] : model.partitions) {
    SCOPED_TRACE(to_string(partition));
    const std::vector<std::string> values = values_of(log, partition);
    ASSERT_LE(values.size(), known.submitted.size());
    ASSERT_TRUE(std::equal(values.begin(), values.end(), known.submitted.begin())) << "not a prefix of what was submitted";
    const std::size_t read = known.read_up_to ? static_cast<std::size_t>(known.read_up_to->offset.value()) : 0;
    if (known.survives_power_cut) {
      ASSERT_GE(values.size(), known.acknowledged);
      ASSERT_GE(values.size(), read);
    }
    const Appended next = append_wait(log, append_of(partition, "k", "after the cut")).value();
    ASSERT_GT(next.epoch.value(), model.epoch_used);
    if (!known.read_up_to) continue;
    while (append_wait(log, append_of(partition, "k", "after the cut")).value().end < known.read_up_to->offset) continue;
    const Result<void> valid = log.validate(partition.topic, *known.read_up_to);
    if (values.size() >= read) {
      ASSERT_TRUE(valid.has_value()) << valid.error();
    } else {
      ASSERT_EQ(valid.error(), Errc::position_diverged);
    }
  }
}

/// Cuts the power inside the recovery that `disk` needs, and again recovers; returns the states looked at.
int expect_recovery_is_repeatable(const SimDisk& disk, const Model& model, std::uint64_t seed) {
  int states = 0;
  std::map<TopicPartition, std::size_t> shown;
  Simulation machine(seed, disk.after_power_cut(seed));
  const Ports ports = machine.ports();
  machine.disk.on_step([&](const DiskStep& step) {
    SCOPED_TRACE("inside recovery, before step " + std::to_string(step.number) + " " + std::string(step.operation) + " " +
                 std::string(step.path));
    Simulation again(seed + step.number, machine.disk.after_power_cut(seed + step.number));
    const Ports again_ports = again.ports();
    expect_nothing_lost(*open_on(again_ports), model);
    ++states;
  });
  std::shared_ptr<EventLog> log = open_on(ports);
  machine.disk.on_step(nullptr);
  for (const auto& [partition, known] : model.partitions) shown[partition] = values_of(*log, partition).size();

  Simulation last(seed, machine.disk.after_power_cut(seed + 1));
  const Ports last_ports = last.ports();
  const std::shared_ptr<EventLog> reopened = open_on(last_ports);
  for (const auto& [partition, count] : shown) EXPECT_EQ(values_of(*reopened, partition).size(), count);
  return states + 1;
}

class Session {
 public:
  explicit Session(std::uint64_t seed) : random_(seed), machine_(seed), ports_(machine_.ports()) {
    machine_.disk.on_step([this](const DiskStep& step) { look_at_cuts(step); });
  }
  ~Session() { machine_.disk.on_step(nullptr); }

  void run() {
    log_ = open_on(ports_);
    create_topic();
    for (int i = 0; i < kOperations && !testing::Test::HasFatalFailure(); ++i) operate();
    log_.reset();
  }
  [[nodiscard]] int states() const { return states_; }

 private:
  void operate() {
    const std::uint64_t choice = random_.below(100);
    if (choice < 45) return submit(false);
    if (choice < 70) return submit(true);
    if (choice < 88) return static_cast<void>(machine_.executor.step_one());
    if (choice < 94) return read();
    if (choice < 96) return create_topic();
    if (choice < 98) return stop_and_open();
    return cut_and_open();
  }

  void create_topic() {
    if (topics_ == 3) return;
    TopicSpec spec;
    spec.name = "topic" + std::to_string(topics_);
    spec.partitions = 2;
    spec.streams = topics_ == 1;
    spec.ack_level = topics_ == 2 ? AckLevel::isr : AckLevel::isr_sync;
    spec.segment_bytes = 3000;
    log_->create_topic(spec).value();
    ++topics_;
    for (std::int32_t i = 0; i < spec.partitions; ++i) {
      model_.partitions[{spec.name, PartitionId{i}}].survives_power_cut = spec.ack_level == AckLevel::isr_sync;
    }
  }

  void submit(bool waits) {
    auto at = model_.partitions.begin();
    std::advance(at, random_.below(model_.partitions.size()));
    const TopicPartition partition = at->first;
    Known& known = at->second;
    const std::size_t index = known.submitted.size();
    const std::string filling(random_.one_in(4) ? random_.below(3000) : random_.below(100), 'x');
    known.submitted.push_back(std::to_string(++values_) + filling);
    const auto completed = [this, &known, index, life = life_](Result<Appended> result) {
      if (life != life_ || !result) return;  // closed before it was written
      ASSERT_EQ(result->first.value(), static_cast<std::int64_t>(index));
      ASSERT_EQ(known.acknowledged, index) << "completions come in the order of the appends";
      known.acknowledged = index + 1;
      model_.epoch_used = std::max(model_.epoch_used, result->epoch.value());
    };
    AppendRequest request = append_of(partition, "k" + std::to_string(random_.below(5)), known.submitted.back());
    request.caller_waits = waits;
    log_->append(std::move(request), completed);
  }

  void read() {
    for (auto& [partition, known] : model_.partitions) {
      Offset from = known.read_up_to ? known.read_up_to->offset : Offset{0};
      const Fetched fetched = log_->read(partition, from, 5000).value();
      if (!fetched.empty()) known.read_up_to = fetched.next();
    }
  }

  void stop_and_open() {
    log_.reset();
    machine_.disk.on_step([this](const DiskStep& step) { look_at_cuts(step); });
    begin_next_life();
  }

  void cut_and_open() {
    machine_.disk.power_cut(random_.next());
    log_.reset();  // what it tries on its way out fails: its files are dead
    machine_.disk.power_cut(random_.next());
    begin_next_life();
  }

  /// Opens again; what was submitted and is not there is gone for good.
  void begin_next_life() {
    log_ = open_on(ports_);
    ++life_;
    for (auto& [partition, known] : model_.partitions) {
      const std::size_t count = values_of(*log_, partition).size();
      ASSERT_GE(count, known.survives_power_cut ? known.acknowledged : 0);
      known.submitted.resize(count);
      known.acknowledged = count;
      if (known.read_up_to && known.read_up_to->offset.value() > static_cast<std::int64_t>(count)) known.read_up_to.reset();
    }
  }

  void look_at_cuts(const DiskStep& step) {
    if (testing::Test::HasFatalFailure()) return;
    for (std::uint64_t i = 0; i < kCutsPerStep; ++i) {
      const std::uint64_t seed = random_.next();
      SCOPED_TRACE("cut before step " + std::to_string(step.number) + " " + std::string(step.operation) + " " +
                   std::string(step.path) + ", seed " + std::to_string(seed));
      Simulation after(seed, machine_.disk.after_power_cut(seed));
      const Ports ports = after.ports();
      expect_nothing_lost(*open_on(ports), model_);
      ++states_;
    }
    if (random_.one_in(40)) states_ += expect_recovery_is_repeatable(machine_.disk, model_, random_.next());
  }

  Random random_;
  Simulation machine_;
  const Ports ports_;
  std::shared_ptr<EventLog> log_;
  Model model_;
  int topics_ = 0;
  int life_ = 0;  // between two opens
  int values_ = 0;
  int states_ = 0;
};

class LocalEventLogCrash : public testing::TestWithParam<std::uint64_t> {};

TEST_P(LocalEventLogCrash, NothingPromisedIsLostWhereverThePowerFails) {
  const QuietLog quiet;
  const std::uint64_t seed = test_seed(GetParam());
  SCOPED_TRACE("LUNGO_TEST_SEED=" + std::to_string(seed));
  Session session(seed);
  session.run();
  std::cout << "cut states looked at: " << session.states() << "\n";
  EXPECT_GT(session.states(), 500);
}

INSTANTIATE_TEST_SUITE_P(Sessions, LocalEventLogCrash, testing::Range<std::uint64_t>(1, kSessions + 1));

}  // namespace
}  // namespace lungo::test
