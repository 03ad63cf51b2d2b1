// Goal: whichever system call fails while a log is looked after (compaction, retention, deletions, producers' snapshots,
// backups), nothing that was acknowledged is lost or there twice: of each key the last value, of each producer its batches,
// which are known when they come again, and in a backup that was said to be made all from before it. Method: as
// call_faults_test.cpp, with a topic of each kind. Producers try a batch again until it is acknowledged.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>

#include <lungo/log/appender.hpp>
#include <lungo/log/backup.hpp>
#include <lungo/log/local_event_log.hpp>

#include "storage_posix.hpp"
#include "tests/faults/failing_lives.hpp"
#include "tests/log/producer_batches.hpp"
#include "tests/support/quiet_log.hpp"
#include "tests/support/records.hpp"
#include "tests/support/simulation.hpp"

namespace lungo::test {
namespace {

const TopicPartition kLatest{"latest", PartitionId{0}};  // compacted
const TopicPartition kOrders{"orders", PartitionId{0}};  // of producers; its beginning is deleted
const TopicPartition kEvents{"events", PartitionId{0}};  // with retention by size
const std::string kGone = "gone";                        // deleted
constexpr std::array kBackups{BackupKind::copy, BackupKind::hard_links};
constexpr int kProducers = 2;
constexpr int kAppendsMax = 40;
constexpr std::uint64_t kRetentionBytes = 1000;

/// What a log was asked for and has answered.
struct Known {
  enum class Fate : std::uint8_t { not_tried, tried, acknowledged };

  std::array<Fate, kAppendsMax> latest{};  // by their numbers
  std::array<Fate, kAppendsMax> events{};
  std::array<std::array<std::int64_t, kAppendsMax>, kProducers> offsets{};  // of their batches
  std::array<int, kProducers> acknowledged{};                               // so many of them; the next one may have been tried
  std::int64_t orders_start = 0;                                            // asked for
  bool is_gone = false;
};

struct Report : LifeReport {
  Known known;
  std::array<Known, kBackups.size()> before_backup;
  std::array<bool, kBackups.size()> is_backed_up{};
};

/// Of the keys some have one value only: nothing that comes later hides that it is lost.
std::string key_of(int number) { return number % 4 == 0 ? "once" + std::to_string(number) : "k" + std::to_string(number % 3); }
bool is_tombstone(int number) { return number % 7 == 6; }
std::string value_of(int number) { return std::to_string(number) + "/" + std::string(150, 'v'); }

std::string backup_path(const std::string& directory, std::size_t number) {
  return directory + ".backup" + std::to_string(number);
}

std::vector<TopicSpec> specs() {
  TopicSpec latest{.name = kLatest.topic, .partitions = 1, .compact = true, .segment_bytes = 512};
  latest.dirty_ratio_min = 0;
  latest.tombstone_age = std::chrono::milliseconds{0};
  TopicSpec orders{.name = kOrders.topic, .partitions = 1, .segment_bytes = 512};
  TopicSpec events{.name = kEvents.topic, .partitions = 1, .segment_bytes = 512};
  events.retention_bytes = kRetentionBytes;
  return {latest, orders, events};
}

struct Machine {
  Result<std::shared_ptr<EventLog>> open(const std::string& directory) { return open_local(directory, {.ports = &ports}); }

  Simulation simulation{1};
  const std::unique_ptr<Storage> storage = make_posix_storage();
  const Ports ports{*storage, simulation.clock, simulation.executor, simulation.random};
};

std::string order_of(int producer, int sequence) {
  return std::to_string(producer) + "/" + std::to_string(sequence) + std::string(80, 'v');
}

/// The producer's batch with that sequence number.
Result<Appended> produce(EventLog& log, int producer, int sequence) {
  const Result<std::shared_ptr<Appender>> appender = log.appender(kOrders);
  if (!appender) return appender.error();
  const Produced produced{
      .producer = ProducerId{producer}, .sequence = sequence, .records = {{.key = "k", .value = order_of(producer, sequence)}}};
  return (*appender)->append_batch(encode(produced), {.durability = Durability::synced});
}

class Life {
 public:
  Life(std::string directory, Report& report) : directory_(std::move(directory)), report_(report) {}

  /// Of two processes, of which the first makes everything.
  void look_after(const CallFault& fault) {
    arm(fault);
    for (int opening = 0; opening < 2; ++opening) {
      const Result<std::shared_ptr<EventLog>> log = opened();
      if (!log) continue;
      use(**log);
      if (opening == 0) make_and_delete(**log);
      if (opening == 1) delete_records(**log);
      machine_.simulation.executor.run_for(std::chrono::seconds{11});  // compaction, retention, removals, digests
      use(**log);
    }
  }

  void back_up(const CallFault& fault) {
    const std::shared_ptr<EventLog> log = opened().value();
    use(*log);
    delete_records(*log);
    machine_.simulation.executor.run_for(std::chrono::seconds{11});
    arm(fault);
    for (std::size_t number = 0; number < kBackups.size(); ++number) {
      use(*log);
      report_.before_backup[number] = known_;
      const Result<BackupReport> made =
          lungo::back_up(directory_, backup_path(directory_, number), {.kind = kBackups[number], .ports = &machine_.ports});
      report_.is_backed_up[number] = !report_.is_refused(made);
    }
  }

 private:
  Result<std::shared_ptr<EventLog>> opened() {
    Result<std::shared_ptr<EventLog>> log = machine_.open(directory_);
    if (report_.is_refused(log)) return log;
    for (const TopicSpec& spec : specs()) static_cast<void>(report_.is_refused((*log)->create_topic(spec)));
    return log;
  }

  void use(EventLog& log) {
    for (int i = 0; i < 4; ++i) append(log, kLatest, known_.latest);
    for (int i = 0; i < 3; ++i) append(log, kEvents, known_.events);
    for (int producer = 0; producer < kProducers; ++producer) {
      produce_next(log, producer);
      produce_again(log, producer);
    }
  }

  void append(EventLog& log, const TopicPartition& to, std::array<Known::Fate, kAppendsMax>& fates) {
    const int number = static_cast<int>(std::ranges::find(fates, Known::Fate::not_tried) - fates.begin());
    Known::Fate& fate = fates.at(static_cast<std::size_t>(number));
    fate = Known::Fate::tried;
    const std::string key = key_of(number);
    const std::string value = value_of(number);
    const bool has_value = to != kLatest || !is_tombstone(number);
    AppendRequest request;
    request.to = to;
    request.records
        .add({.timestamp = Timestamp{std::chrono::seconds{1'700'000'000}},
              .key = as_bytes(key),
              .value = has_value ? std::optional{as_bytes(value)} : std::nullopt,
              .headers = {}})
        .value();
    if (!report_.is_refused(append_wait(log, std::move(request)))) fate = Known::Fate::acknowledged;
  }

  /// As often as it takes, but no more than twice in a row.
  void produce_next(EventLog& log, int producer) {
    const auto index = static_cast<std::size_t>(producer);
    const int sequence = known_.acknowledged[index];
    for (int attempt = 0; attempt < 2; ++attempt) {
      const Result<Appended> done = produce(log, producer, sequence);
      if (!done && done.error() == Errc::out_of_sequence) report_.note_problem("a batch is forgotten", to_string(done.error()));
      if (report_.is_refused(done)) continue;
      known_.offsets[index][static_cast<std::size_t>(sequence)] = done->first.value();
      ++known_.acknowledged[index];
      return;
    }
  }

  void produce_again(EventLog& log, int producer) {
    const auto index = static_cast<std::size_t>(producer);
    const int sequence = known_.acknowledged[index] - 1;
    if (sequence < 0) return;
    const Result<Appended> again = produce(log, producer, sequence);
    if (report_.is_refused(again)) return;
    const bool is_same = again->first.value() == known_.offsets[index][static_cast<std::size_t>(sequence)];
    if (!again->repeated || !is_same) report_.note_problem("written twice", order_of(producer, sequence));
  }

  void make_and_delete(EventLog& log) {
    if (report_.is_refused(log.create_topic({.name = kGone, .partitions = 1}))) return;
    static_cast<void>(report_.is_refused(append_wait(log, append_of({kGone, PartitionId{0}}, "k", "v"))));
    known_.is_gone = !report_.is_refused(log.delete_topic(kGone));
  }

  void delete_records(EventLog& log) {
    const Result<Ends> ends = log.ends(kOrders);
    if (report_.is_refused(ends)) return;
    known_.orders_start = std::max<std::int64_t>(0, ends->committed.value() - 2);
    static_cast<void>(report_.is_refused(log.delete_records(kOrders, Offset{known_.orders_start})));
  }

  const std::string directory_;
  Report& report_;
  Known& known_ = report_.known;
  Machine machine_;
};

// ---- what is there ----

struct FoundRecord {
  std::string key;
  std::optional<std::string> value;
};

/// By offset.
std::map<std::int64_t, FoundRecord> records_of(EventLog& log, const TopicPartition& partition) {
  std::map<std::int64_t, FoundRecord> found;
  const Ends ends = log.ends(partition).value();
  for (Offset from = ends.start; from < ends.committed;) {
    const Fetched fetched = log.read(partition, from, 1 << 20).value();
    RecordCursor records = fetched.records();
    while (const RecordView* record = records.next()) {
      FoundRecord& place = found[record->offset.value()];
      place.key = as_text(record->key);
      if (record->has_value) place.value = as_text(record->value);
    }
    EXPECT_FALSE(records.error());
    if (fetched.next().offset <= from) break;
    from = fetched.next().offset;
  }
  return found;
}

/// Of each key the last value that was acknowledged, or one that was tried later.
void expect_last_values(EventLog& log, const Known& least, const Known& all) {
  std::map<std::string, FoundRecord> last;
  for (const auto& [offset, record] : records_of(log, kLatest)) last[record.key] = record;
  std::map<std::string, std::vector<int>> numbers;
  for (int number = 0; number < kAppendsMax; ++number) numbers[key_of(number)].push_back(number);
  for (const auto& [key, numbers_of_key] : numbers) {
    std::optional<int> acknowledged;
    std::vector<int> may_be_last;
    for (const int number : numbers_of_key) {
      const auto index = static_cast<std::size_t>(number);
      if (least.latest[index] == Known::Fate::acknowledged) {
        acknowledged = number;
        may_be_last.clear();
      }
      if (all.latest[index] != Known::Fate::not_tried) may_be_last.push_back(number);
    }
    if (!acknowledged) continue;
    const auto there = last.find(key);
    const bool is_one = std::ranges::any_of(may_be_last, [&](int number) {
      if (is_tombstone(number)) return there == last.end() || !there->second.value;
      return there != last.end() && there->second.value == value_of(number);
    });
    ASSERT_TRUE(is_one) << key << " should be as of number " << *acknowledged;
  }
}

/// The newest events, in order and once.
void expect_events(EventLog& log, const Known& least) {
  std::vector<int> numbers;
  std::uint64_t bytes = 0;
  for (const auto& [offset, record] : records_of(log, kEvents)) {
    numbers.push_back(std::stoi(record.value.value()));
    ASSERT_EQ(*record.value, value_of(numbers.back()));
    bytes += record.value->size() + 100;
  }
  ASSERT_TRUE(std::ranges::adjacent_find(numbers, std::greater_equal<>{}) == numbers.end());
  const bool is_trimmed = log.ends(kEvents)->start > Offset{0};
  ASSERT_TRUE(!is_trimmed || bytes >= kRetentionBytes) << "too much has gone";
  const int first = is_trimmed ? numbers.front() : 0;
  for (int number = first; number < kAppendsMax; ++number) {
    if (least.events[static_cast<std::size_t>(number)] != Known::Fate::acknowledged) continue;
    ASSERT_TRUE(std::ranges::binary_search(numbers, number)) << "event " << number << " is lost";
  }
}

/// Each batch once, and where it was said to be.
void expect_orders(EventLog& log, const Known& least, const Known& all) {
  const std::int64_t start = log.ends(kOrders)->start.value();
  ASSERT_LE(start, all.orders_start);
  const std::map<std::int64_t, FoundRecord> found = records_of(log, kOrders);
  std::map<std::string, int> times;
  for (const auto& [offset, record] : found) ASSERT_EQ(++times[*record.value], 1) << *record.value << " is there twice";
  for (int producer = 0; producer < kProducers; ++producer) {
    const auto index = static_cast<std::size_t>(producer);
    for (int sequence = 0; sequence < least.acknowledged[index]; ++sequence) {
      const std::int64_t offset = least.offsets[index][static_cast<std::size_t>(sequence)];
      if (offset < start) continue;
      const std::string value = order_of(producer, sequence);
      ASSERT_TRUE(found.contains(offset) && found.at(offset).value == value) << value << " is lost";
    }
  }
}

/// What was acknowledged, of it the newest batches of each producer known again, and appends that go on.
void expect_kept(EventLog& log, const Known& least, const Known& all) {
  ASSERT_NO_FATAL_FAILURE(expect_last_values(log, least, all));
  ASSERT_NO_FATAL_FAILURE(expect_events(log, least));
  ASSERT_NO_FATAL_FAILURE(expect_orders(log, least, all));
  for (const TopicPartition& partition : {kLatest, kOrders, kEvents}) ASSERT_TRUE(log.damage(partition).empty());
  for (int producer = 0; producer < kProducers; ++producer) {
    const auto index = static_cast<std::size_t>(producer);
    const int next = least.acknowledged[index];
    if (next > 0) {
      const Result<Appended> again = produce(log, producer, next - 1);
      ASSERT_TRUE(again) << again.error();
      ASSERT_TRUE(again->repeated) << "and was acknowledged";
      ASSERT_EQ(again->first.value(), least.offsets[index][static_cast<std::size_t>(next) - 1]);
    }
    const Result<Appended> done = produce(log, producer, next);
    ASSERT_TRUE(done) << done.error();
  }
  ASSERT_NO_FATAL_FAILURE(expect_orders(log, least, all)) << "also what came after it";
}

void expect_kept_in(const std::string& directory, const Known& least, const Known& all) {
  Machine machine;
  const Result<std::shared_ptr<EventLog>> log = machine.open(directory);
  ASSERT_TRUE(log) << log.error();
  ASSERT_FALSE(least.is_gone && (*log)->topic(kGone));
  for (const TopicSpec& spec : specs()) ASSERT_TRUE((*log)->create_topic(spec)) << spec.name;
  ASSERT_NO_FATAL_FAILURE(expect_kept(**log, least, all));
}

/// Whole, or not to be taken for one.
void expect_backups(const std::string& directory, const Report& report) {
  const Machine machine;
  for (std::size_t number = 0; number < kBackups.size(); ++number) {
    SCOPED_TRACE("backup " + std::to_string(number));
    const std::string restored = directory + ".restored" + std::to_string(number);
    const Result<BackupReport> done = restore(backup_path(directory, number), restored, {.ports = &machine.ports});
    if (!report.is_backed_up[number] && !done) continue;
    ASSERT_TRUE(done) << done.error();
    ASSERT_NO_FATAL_FAILURE(expect_kept_in(restored, report.before_backup[number], report.known));
  }
}

TEST(LifeOfUpkeep, WithoutFaultsHasAllOfIt) {
  const SilentLog silent;
  const MemoryDirectory place;
  const std::string directory = place / "data";
  Report report;
  Life(directory, report).look_after({});
  EXPECT_STREQ(report.refusal, "");
  EXPECT_TRUE(report.known.is_gone);
  Machine machine;
  const std::shared_ptr<EventLog> log = machine.open(directory).value();
  const auto is_tried = [](Known::Fate fate) { return fate != Known::Fate::not_tried; };
  const auto tried = static_cast<std::size_t>(std::ranges::count_if(report.known.latest, is_tried));
  EXPECT_LE(records_of(*log, kLatest).size() + 3, tried) << "compacted";
  EXPECT_GT(log->ends(kEvents)->start, Offset{0}) << "past the limit";
  EXPECT_GT(log->ends(kOrders)->start, Offset{0}) << "deleted";
  const auto files = machine.storage->list(directory + "/orders-0").value();
  EXPECT_TRUE(std::ranges::any_of(files, [](const DirEntry& file) { return file.name.ends_with(".snapshot"); }));
}

class EveryCallOfUpkeep : public testing::TestWithParam<FaultKind>, SilentLog {};

TEST_P(EveryCallOfUpkeep, MayFailOnceOrForEver) {
  const auto run = [](const std::string& directory, const CallFault& fault, Report& report) {
    Life(directory, report).look_after(fault);
  };
  const auto look = [](const std::string& directory, const Report& report) {
    expect_kept_in(directory, report.known, report.known);
  };
  let_every_call_fail<Report>(GetParam(), run, look);
}

class EveryCallOfABackup : public testing::TestWithParam<FaultKind>, SilentLog {};

TEST_P(EveryCallOfABackup, MayFailOnceOrForEver) {
  const auto run = [](const std::string& directory, const CallFault& fault, Report& report) {
    Life(directory, report).back_up(fault);
  };
  const auto look = [](const std::string& directory, const Report& report) {
    ASSERT_NO_FATAL_FAILURE(expect_kept_in(directory, report.known, report.known));
    ASSERT_NO_FATAL_FAILURE(expect_backups(directory, report));
  };
  let_every_call_fail<Report>(GetParam(), run, look);
}

const std::vector kUpkeep{CallKind::write,    CallKind::sync,     CallKind::open,   CallKind::rename,
                          CallKind::allocate, CallKind::truncate, CallKind::remove, CallKind::make_directory,
                          CallKind::read,     CallKind::list,     CallKind::look};
INSTANTIATE_TEST_SUITE_P(Kinds, EveryCallOfUpkeep, testing::ValuesIn(errors_in_turn(kUpkeep, false)), name_of);

const std::vector kBackup{CallKind::write,  CallKind::sync,           CallKind::open, CallKind::rename,
                          CallKind::remove, CallKind::make_directory, CallKind::read, CallKind::list,
                          CallKind::link,   CallKind::copy,           CallKind::look};
INSTANTIATE_TEST_SUITE_P(Kinds, EveryCallOfABackup, testing::ValuesIn(errors_in_turn(kBackup, true)), name_of);

}  // namespace
}  // namespace lungo::test
