// Goal: as storage_crash_test.cpp, for a whole data directory: topics, recovery points, the clean-stop marker, and what readers
// of other processes see. Method: a script of all that the embedded log does; CrashStates shows the states around each of its
// steps. In each of them,
//   * the log opens, every partition holds a prefix of what was submitted, in order and once, and what was acknowledged as
//   synced;
//   * its indexes are those that its records make; the next append has an epoch that nobody used before;
//   * opening again changes nothing, and what is appended next survives the next power cut;
//   * after a kill a reader that opens before any recovery sees all that was acknowledged.
#include <gtest/gtest.h>

#include <cstdio>

#include <lungo/log/local_event_log.hpp>

#include "tests/log/recovered_partition.hpp"
#include "tests/support/crash_states.hpp"
#include "tests/support/quiet_log.hpp"
#include "tests/support/records.hpp"

namespace lungo::test {
namespace {

// Topics, appends that wait and that do not, steps of the flushers, recovery points, clean stops, kills, power cuts.
constexpr std::string_view kScript = "TwnnfwTnfwwrnnfnwfswnfwxnnffwrwnfpwnTnfwnfrwswnfnxwwfnrwfp";
constexpr std::uint64_t kSegmentBytes = 5500;  // room for an index entry, which comes behind 4096 bytes
constexpr std::array kSpecs{AckLevel::isr_sync, AckLevel::isr, AckLevel::isr_sync};

const std::string kDirectory = "/data";

/// What is known of one partition.
struct Known {
  std::vector<std::string> submitted;  // in order; every value is another one
  std::size_t acknowledged = 0;        // of them
  std::size_t synced = 0;              // of them
  bool is_synced = false;              // acknowledged means synced
};

struct Truth {
  std::map<TopicPartition, Known> partitions;  // of topics whose creation was acknowledged
  std::int32_t epoch = 0;                      // the highest that was answered
};

/// Of the values in a log, that they are what was submitted, and enough of it.
void expect_prefix(const std::vector<std::string>& values, const Known& known, std::size_t least) {
  ASSERT_GE(values.size(), least);
  ASSERT_LE(values.size(), known.submitted.size());
  ASSERT_TRUE(std::equal(values.begin(), values.end(), known.submitted.begin())) << "not a prefix of what was submitted";
}

/// A process on a disk.
struct Machine {
  Machine(std::uint64_t seed, std::unique_ptr<SimDisk> disk_given) : simulation(seed, std::move(disk_given)) {}

  Result<std::shared_ptr<EventLog>> open(bool read_only = false) {
    LocalOptions options;
    options.ports = &ports;
    options.read_only = read_only;
    return open_local(kDirectory, options);
  }

  Simulation simulation;
  SimDisk& disk = simulation.disk;
  const Ports ports = simulation.ports();
};

class Script {
 public:
  Script(std::uint64_t seed, CrashStates& states) : random_(seed), seed_(seed), states_(states) {}
  ~Script() { CrashStates::unwatch(machine_->disk); }  // the last stop is not looked at

  void run() {
    watch();
    open();
    for (const char step : kScript) {
      if (testing::Test::HasFailure()) break;
      operate(step);
      ++version_;
    }
  }

 private:
  void watch() {
    states_.watch(
        machine_->disk, [this] { return version_; },
        [this](std::unique_ptr<SimDisk> found, const auto& situation) { check(std::move(found), situation); });
  }

  void operate(char step) {
    switch (step) {
      case 'T':
        return create_topic();
      case 'w':
        return submit(true);
      case 'n':
        return submit(false);
      case 'f':
        while (machine_->simulation.executor.step_one()) continue;
        return;
      case 'r':  // the flushers are late: the tail is synced, and the recovery points are written
        machine_->simulation.executor.run_for(std::chrono::seconds{11});
        return note_synced();
      case 's':
        return open();
      case 'x':
        return go_on_with(machine_->disk.after_kill());
      default:
        return go_on_with(machine_->disk.after_power_cut(random_.next()));
    }
  }

  /// The process is gone, and this is what it left.
  void go_on_with(std::unique_ptr<SimDisk> disk) {
    CrashStates::unwatch(machine_->disk);  // what the log does on its way out is done to a disk that is gone
    log_.reset();
    machine_ = std::make_unique<Machine>(random_.next(), std::move(disk));
    watch();
    open();
  }

  void open() {
    log_.reset();
    ++life_;
    Result<std::shared_ptr<EventLog>> log = machine_->open();
    ASSERT_TRUE(log) << log.error();
    log_ = *log;
    for (auto& [partition, known] : truth_.partitions) {
      const std::size_t count = values_of(*log_, partition).size();
      ASSERT_GE(count, known.synced);
      known.submitted.resize(count);
      known.acknowledged = known.synced = count;
    }
    ++version_;
  }

  void create_topic() {
    TopicSpec spec;
    spec.name = "topic" + std::to_string(topics_);
    spec.ack_level = kSpecs[static_cast<std::size_t>(topics_)];
    spec.streams = topics_ == 0;
    spec.partitions = 1;
    spec.segment_bytes = kSegmentBytes;
    const Result<TopicInfo> made = log_->create_topic(spec);
    ASSERT_TRUE(made) << made.error();
    truth_.partitions[{spec.name, PartitionId{0}}].is_synced = spec.ack_level == AckLevel::isr_sync;
    ++topics_;
  }

  void submit(bool waits) {
    auto at = truth_.partitions.begin();
    std::advance(at, random_.below(truth_.partitions.size()));
    const TopicPartition partition = at->first;
    Known& known = at->second;
    const std::size_t index = known.submitted.size();
    const std::string filling(random_.below(random_.one_in(3) ? 2500 : 60), 'v');
    known.submitted.push_back(std::to_string(seed_) + "/" + std::to_string(++values_) + filling);
    ++version_;
    AppendRequest request = append_of(partition, "k" + std::to_string(random_.below(4)), known.submitted.back());
    request.caller_waits = waits;
    log_->append(std::move(request), [this, &known, index, life = life_](Result<Appended> result) {
      if (life != life_ || !result) return;  // closed before it was written
      known.acknowledged = index + 1;
      if (known.is_synced) known.synced = index + 1;
      truth_.epoch = std::max(truth_.epoch, result->epoch.value());
      ++version_;
    });
  }

  /// Everything has been flushed.
  void note_synced() {
    for (auto& [partition, known] : truth_.partitions) known.synced = known.acknowledged;
  }

  void check(std::unique_ptr<SimDisk> disk, const CrashStates::Situation& situation) {
    if (situation.nothing_lost && log_ != nullptr) expect_readable(*disk);
    Machine found{1, std::move(disk)};
    if (situation.deep) {
      states_.watch_recovery(found.disk, version_,
                             [this](std::unique_ptr<SimDisk> again, const auto& inside) { check(std::move(again), inside); });
    }
    Result<std::shared_ptr<EventLog>> log = found.open();
    CrashStates::unwatch(found.disk);
    ASSERT_TRUE(log) << log.error();

    std::map<TopicPartition, std::vector<std::string>> values;
    for (const auto& [partition, known] : truth_.partitions) {
      SCOPED_TRACE(to_string(partition));
      values[partition] = values_of(**log, partition);
      expect_prefix(values[partition], known, known.synced);
      PartitionOptions options;
      options.segment_bytes = kSegmentBytes;
      expect_indexes_as_rebuilt(found.disk, kDirectory + "/" + to_string(partition), options);
      if (testing::Test::HasFatalFailure()) return;
      const Result<Appended> next = append_wait(**log, append_of(partition, "k1", "after the crash"));
      ASSERT_TRUE(next) << next.error();
      ASSERT_GT(next->epoch.value(), truth_.epoch);
      values[partition].push_back("after the crash");
    }
    found.simulation.executor.run_for(std::chrono::seconds{2});

    Machine last{1, found.disk.durable()};
    Result<std::shared_ptr<EventLog>> reopened = last.open();
    ASSERT_TRUE(reopened) << reopened.error();
    for (const auto& [partition, expected] : values) ASSERT_EQ(values_of(**reopened, partition), expected);
  }

  /// By another process, before any recovery. After a power cut it may have to wait for one, as the tail page may be ahead; and
  /// a writer that is killed while it opens may have emptied the page. What was committed without a sync is published later.
  void expect_readable(const SimDisk& disk) {
    Machine found{1, disk.after_kill()};
    const Result<std::shared_ptr<EventLog>> reader = found.open(true);
    if (!reader && truth_.partitions.empty()) return;  // the directory may not be there yet
    ASSERT_TRUE(reader) << reader.error();
    for (const auto& [partition, known] : truth_.partitions) {
      SCOPED_TRACE("reader of " + to_string(partition));
      expect_prefix(values_of(**reader, partition), known, known.is_synced ? known.acknowledged : known.synced);
    }
  }

  Random random_;
  const std::uint64_t seed_;
  CrashStates& states_;
  std::unique_ptr<Machine> machine_ = std::make_unique<Machine>(seed_, std::make_unique<SimDisk>());
  std::shared_ptr<EventLog> log_;
  Truth truth_;
  std::uint64_t version_ = 0;  // of the truth
  int topics_ = 0;
  int life_ = 0;  // between two opens
  int values_ = 0;
};

class StorageLogCrash : public testing::TestWithParam<std::uint64_t> {};

TEST_P(StorageLogCrash, NothingPromisedIsLostAtAnyByte) {
  see_crash_states(GetParam(), {.survivors_per_step = 6, .deep_one_in = 300}, [](std::uint64_t seed, CrashStates& states) {
    Script{seed, states}.run();
  });
}

INSTANTIATE_TEST_SUITE_P(Shards, StorageLogCrash, testing::Range<std::uint64_t>(1, kCrashShards + 1));

}  // namespace
}  // namespace lungo::test
