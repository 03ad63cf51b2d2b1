// Goal: as storage_crash_test.cpp, for a whole data directory: topics, recovery points, the clean-stop marker, and what readers
// of other processes see. Method: a script of all that the embedded log does; CrashStates shows the states around each of its
// steps. In each of them,
//   * the log opens, every partition holds a prefix of what was submitted, in order and once, and what was acknowledged as
//   synced, from a start on that was asked for; a deleted topic is there as it was or not at all, and its name is free;
//   * of a compacted partition records of that prefix may be gone, but never the last one of a key, and where that one is a
//   tombstone which is gone, nothing of its key is left;
//   * its indexes are those that its records make, and look-ups by key find them; the next append has an epoch that nobody used
//   before;
//   * opening again changes nothing, and what is appended next survives the next power cut;
//   * after a kill a reader that opens before any recovery sees all that was acknowledged.
#include <gtest/gtest.h>

#include <cstdio>
#include <set>

#include <lungo/log/local_event_log.hpp>

#include "tests/log/recovered_partition.hpp"
#include "tests/support/crash_states.hpp"
#include "tests/support/quiet_log.hpp"
#include "tests/support/records.hpp"

namespace lungo::test {
namespace {

// Topics that come, change, grow and go, deletions of the oldest records, appends that wait and that do not, steps of the
// flushers and of the housekeeper, recovery points, retention and compaction, clean stops, kills, power cuts.
constexpr std::string_view kScript =
    "TwnnfwTnfwwrnnfnwdfswnfwxnnffwdrwnfpwnTnAfwPnfrwTkrsDwnfnkrxwTkrwfnrdwDfTwnfpwwPndfsDTwdf";
constexpr std::uint64_t kSegmentBytes = 5500;  // room for an index entry, which comes behind 4096 bytes
constexpr std::array kSpecs{AckLevel::isr_sync, AckLevel::isr, AckLevel::isr_sync, AckLevel::isr_sync};
const std::string kCompacted = "topic3";
constexpr std::string_view kTombstone;  // as a value

std::uint64_t segment_bytes_of(const std::string& topic) { return topic == kCompacted ? 1200 : kSegmentBytes; }

const std::string kDirectory = "/data";

/// What is known of one partition.
struct Known {
  bool may_go = false;  // its topic is being deleted
  bool has_retention = false;
  std::size_t start = 0;               // what it begins with at least,
  std::size_t start_asked = 0;         // and at most, unless it has retention
  std::vector<std::string> submitted;  // in order; every value is another one, but for tombstones
  std::vector<std::string> keys;       // of them
  std::size_t acknowledged = 0;        // of them
  std::size_t synced = 0;              // of them
  bool is_synced = false;              // acknowledged means synced
};

struct Truth {
  std::map<TopicPartition, Known> partitions;  // of topics whose creation was acknowledged
  std::set<std::string> gone;                  // deleted, and not being made again
  std::int32_t epoch = 0;                      // the highest that was answered
};

/// What a log has of a partition.
struct Found {
  std::size_t start = 0;
  std::size_t end = 0;
  std::map<std::size_t, std::string> values;  // by offset
};

std::size_t number_of(Offset offset) { return static_cast<std::size_t>(offset.value()); }

Found found_in(EventLog& log, const TopicPartition& partition) {
  const Ends ends = log.ends(partition).value();
  Found found{.start = number_of(ends.start), .end = number_of(ends.committed), .values = {}};
  for (Offset from = ends.start; from < ends.committed;) {
    const Fetched fetched = log.read(partition, from, 1 << 20).value();
    RecordCursor records = fetched.records();
    while (const RecordView* record = records.next()) {
      const bool is_new = found.values.emplace(number_of(record->offset), as_text(record->value)).second;
      EXPECT_TRUE(is_new && record->offset >= from && record->offset < ends.committed) << record->offset.value();
    }
    EXPECT_FALSE(records.error());
    if (fetched.next().offset <= from) break;
    from = fetched.next().offset;
  }
  return found;
}

/// Of each key the last record is there, or it was a tombstone and nothing of its key is.
void expect_last_values(const Found& found, const Known& known) {
  std::map<std::string, std::size_t> last;
  for (std::size_t at = found.start; at < found.end; ++at) last[known.keys[at]] = at;
  std::set<std::string> keys_left;
  for (const auto& [at, value] : found.values) keys_left.insert(known.keys[at]);
  for (const auto& [key, at] : last) {
    if (found.values.contains(at)) continue;
    ASSERT_EQ(known.submitted[at], kTombstone) << "the last value of " << key << " is gone, offset " << at;
    ASSERT_FALSE(keys_left.contains(key)) << key << " was deleted by offset " << at << " and is back";
  }
}

/// Of the values in a log, that they are what was submitted, and enough of it.
void expect_prefix(const std::string& topic, const Found& found, const Known& known, std::size_t least) {
  ASSERT_GE(found.start, known.start);
  ASSERT_TRUE(known.has_retention || found.start <= known.start_asked) << found.start << " " << known.start_asked;
  ASSERT_GE(found.end, least);
  ASSERT_LE(found.end, known.submitted.size());
  for (const auto& [at, value] : found.values) {
    ASSERT_EQ(value, known.submitted[at]) << "not a prefix of what was submitted, offset " << at;
  }
  if (topic == kCompacted) return expect_last_values(found, known);
  ASSERT_EQ(found.values.size(), found.end - found.start);
}

/// Looked up by key, a partition with streams has what it has when it is read.
void expect_streams(EventLog& log, const TopicPartition& partition, const Found& found, const Known& known) {
  std::map<std::string, std::vector<std::size_t>> expected{{"never written", {}}};
  for (std::size_t at = found.start; at < found.end; ++at) expected[known.keys[at]].push_back(at);
  for (const auto& [key, offsets] : expected) {
    const Offset start{static_cast<std::int64_t>(found.start)};
    const Offset end{static_cast<std::int64_t>(found.end)};
    const Result<KeyRecords> records = log.read_key(partition, key, start, end, 1 << 20);
    ASSERT_TRUE(records) << records.error();
    std::vector<std::size_t> there;
    for (const RecordView& record : records->records) there.push_back(static_cast<std::size_t>(record.offset.value()));
    ASSERT_EQ(there, offsets) << key;
  }
}

/// True when the topic of the partition is allowed to be gone, and is.
bool is_gone(EventLog& log, const TopicPartition& partition, const Known& known) {
  return known.may_go && !log.topic(partition.topic);
}

/// Names that wait to be removed.
void expect_nothing_set_aside(SimDisk& disk) {
  for (const DirEntry& entry : disk.list(kDirectory).value()) {
    ASSERT_FALSE(entry.name.ends_with("-delete")) << entry.name;
    if (!entry.is_directory) continue;
    for (const DirEntry& file : disk.list(kDirectory + "/" + entry.name).value()) {
      ASSERT_FALSE(file.name.ends_with(".deleted")) << entry.name << "/" << file.name;
    }
  }
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
      for (auto& [partition, known] : truth_.partitions) note_start(partition, known);
      ++version_;
    }
  }
  /// How often records had given place to later ones of their key.
  [[nodiscard]] int compacted() const { return compacted_; }

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
      case 'D':
        return delete_topic();
      case 'P':
        return add_partition();
      case 'A':
        ASSERT_TRUE(log_->alter_topic("topic1", {.flush_interval = std::chrono::milliseconds{7}}));
        return;
      case 'd':
        return delete_records();
      case 'w':
        return submit(true);
      case 'n':
        return submit(false);
      case 'k':
        return submit_keys();
      case 'f':
        while (machine_->simulation.executor.step_one()) continue;
        return;
      case 'r':  // the flushers are late: the tail is synced, and the recovery points are written; then a round of compaction
        machine_->simulation.executor.run_for(std::chrono::seconds{11});
        count_compacted();
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
      const std::size_t count = found_in(*log_, partition).end;
      ASSERT_GE(count, known.synced);
      note_start(partition, known);
      known.submitted.resize(count);
      known.keys.resize(count);
      known.acknowledged = known.synced = count;
    }
    ++version_;
  }

  void create_topic() {
    std::size_t number = 0;
    while (number < kSpecs.size() && log_->topic("topic" + std::to_string(number))) ++number;
    if (number == kSpecs.size()) return;
    TopicSpec spec;
    spec.name = "topic" + std::to_string(number);
    spec.ack_level = kSpecs[number];
    spec.streams = number == 0;
    spec.partitions = 1;
    spec.segment_bytes = segment_bytes_of(spec.name);
    if (spec.name == kCompacted) {
      spec.compact = true;
      spec.dirty_ratio_min = 0;
      spec.tombstone_age = std::chrono::seconds{random_.below(20)};
    }
    if (number == 1) spec.retention_bytes = 2 * kSegmentBytes;
    truth_.gone.erase(spec.name);
    ++version_;
    const Result<TopicInfo> made = log_->create_topic(spec);
    ASSERT_TRUE(made) << made.error();
    Known& known = truth_.partitions[{spec.name, PartitionId{0}}];
    known.has_retention = number == 1;
    known.is_synced = spec.ack_level == AckLevel::isr_sync;
  }

  void delete_topic() {
    const std::string name = some_partition()->first.topic;
    for (auto& [partition, known] : truth_.partitions) known.may_go = partition.topic == name;
    ++version_;
    const Result<void> deleted = log_->delete_topic(name);
    ASSERT_TRUE(deleted) << deleted.error();
    std::erase_if(truth_.partitions, [&](const auto& entry) { return entry.first.topic == name; });
    truth_.gone.insert(name);
  }

  void add_partition() {
    for (const std::string name : {"topic1", "topic2"}) {
      const Result<TopicInfo> topic = log_->topic(name);
      if (!topic) continue;
      const std::int32_t before = topic->spec.partitions;
      const Result<TopicInfo> grown = log_->add_partitions(name, before + 1);
      ASSERT_TRUE(grown) << grown.error();
      Known& known = truth_.partitions[{name, PartitionId{before}}];
      known.has_retention = name == "topic1";
      known.is_synced = topic->spec.ack_level == AckLevel::isr_sync;
      return;
    }
  }

  void delete_records() {
    if (truth_.partitions.empty()) return;
    auto& [partition, known] = *some_partition();
    const auto committed = static_cast<std::size_t>(log_->ends(partition)->committed.value());
    known.start_asked = known.start + random_.below(committed - known.start + 1);
    ++version_;
    const Result<Offset> start = log_->delete_records(partition, Offset{static_cast<std::int64_t>(known.start_asked)});
    ASSERT_TRUE(start) << start.error();
    ASSERT_GE(static_cast<std::size_t>(start->value()), known.start_asked);
  }

  std::map<TopicPartition, Known>::iterator some_partition() {
    auto at = truth_.partitions.begin();
    std::advance(at, random_.below(truth_.partitions.size()));
    return at;
  }

  void note_start(const TopicPartition& partition, Known& known) {
    known.start = known.start_asked = static_cast<std::size_t>(log_->ends(partition)->start.value());
  }

  void submit(bool waits) {
    if (truth_.partitions.empty()) return;
    const auto at = some_partition();
    const std::string filling(random_.below(random_.one_in(3) ? 2500 : 60), 'v');
    submit(at->first, at->second, std::to_string(seed_) + "/" + std::to_string(++values_) + filling, waits);
  }

  /// Fills segments of the compacted topic.
  void submit_keys() {
    const auto at = truth_.partitions.find({kCompacted, PartitionId{0}});
    if (at == truth_.partitions.end()) return;
    for (int i = 0; i < 6; ++i) {
      const std::string filling(random_.below(250), 'v');
      const std::string value = std::to_string(seed_) + "/" + std::to_string(++values_) + filling;
      submit(at->first, at->second, random_.one_in(4) ? std::string(kTombstone) : value, i % 3 == 2);
    }
  }

  void submit(const TopicPartition& partition, Known& known, const std::string& value, bool waits) {
    const std::size_t index = known.submitted.size();
    known.submitted.push_back(value);
    known.keys.push_back("k" + std::to_string(random_.below(4)));
    ++version_;
    AppendRequest request;
    request.to = partition;
    const auto now = std::chrono::floor<std::chrono::milliseconds>(machine_->ports.clock.now());
    ASSERT_TRUE(request.records.add({.timestamp = now,
                                     .key = as_bytes(known.keys.back()),
                                     .value = value == kTombstone ? std::nullopt : std::optional{as_bytes(value)},
                                     .headers = {}}));
    request.caller_waits = waits;
    log_->append(std::move(request), [this, &known, index, life = life_](Result<Appended> result) {
      if (life != life_ || !result) return;  // closed before it was written
      known.acknowledged = index + 1;
      if (known.is_synced) known.synced = index + 1;
      truth_.epoch = std::max(truth_.epoch, result->epoch.value());
      ++version_;
    });
  }

  void count_compacted() {
    if (!log_->topic(kCompacted)) return;
    const Found found = found_in(*log_, {kCompacted, PartitionId{0}});
    compacted_ += found.values.size() < found.end - found.start ? 1 : 0;
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

    std::map<TopicPartition, Known> there;  // from now on
    for (const std::string& name : truth_.gone) ASSERT_FALSE((*log)->topic(name)) << name;
    for (const auto& [partition, known] : truth_.partitions) {
      SCOPED_TRACE(to_string(partition));
      if (is_gone(**log, partition, known)) continue;
      const Found partition_found = found_in(**log, partition);
      expect_prefix(partition.topic, partition_found, known, known.synced);
      if (testing::Test::HasFatalFailure()) return;
      if (partition.topic == "topic0") expect_streams(**log, partition, partition_found, known);
      PartitionOptions options;
      options.segment_bytes = segment_bytes_of(partition.topic);
      options.gaps = partition.topic == kCompacted;
      expect_indexes_as_rebuilt(found.disk, kDirectory + "/" + to_string(partition), options);
      if (testing::Test::HasFatalFailure()) return;
      const Result<Appended> next = append_wait(**log, append_of(partition, "k1", "after the crash"));
      ASSERT_TRUE(next) << next.error();
      ASSERT_GT(next->epoch.value(), truth_.epoch);
      Known& after = there[partition] = known;
      after.start = after.start_asked = partition_found.start;
      after.submitted.resize(partition_found.end);
      after.keys.resize(partition_found.end);
      after.submitted.emplace_back("after the crash");
      after.keys.emplace_back("k1");
    }
    found.simulation.executor.run_for(std::chrono::seconds{2});
    expect_nothing_set_aside(found.disk);

    Machine last{1, found.disk.durable()};
    Result<std::shared_ptr<EventLog>> reopened = last.open();
    ASSERT_TRUE(reopened) << reopened.error();
    for (const auto& [partition, expected] : there) {
      SCOPED_TRACE("again " + to_string(partition));
      expect_prefix(partition.topic, found_in(**reopened, partition), expected, expected.submitted.size());
      if (testing::Test::HasFatalFailure()) return;
    }
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
      if (is_gone(**reader, partition, known)) continue;
      expect_prefix(partition.topic, found_in(**reader, partition), known, known.is_synced ? known.acknowledged : known.synced);
    }
  }

  Random random_;
  const std::uint64_t seed_;
  CrashStates& states_;
  std::unique_ptr<Machine> machine_ = std::make_unique<Machine>(seed_, std::make_unique<SimDisk>());
  std::shared_ptr<EventLog> log_;
  Truth truth_;
  std::uint64_t version_ = 0;  // of the truth
  int life_ = 0;               // between two opens
  int values_ = 0;
  int compacted_ = 0;
};

class StorageLogCrash : public testing::TestWithParam<std::uint64_t> {};

TEST_P(StorageLogCrash, NothingPromisedIsLostAtAnyByte) {
  int compacted = 0;
  see_crash_states(GetParam(), {.survivors_per_step = 4, .deep_one_in = 400}, [&](std::uint64_t seed, CrashStates& states) {
    Script script{seed, states};
    script.run();
    compacted += script.compacted();
  });
  EXPECT_GT(compacted, 0) << "no round of compaction met these states";  // one script alone may have none
}

INSTANTIATE_TEST_SUITE_P(Shards, StorageLogCrash, testing::Range<std::uint64_t>(1, kCrashShards + 1));

}  // namespace
}  // namespace lungo::test
