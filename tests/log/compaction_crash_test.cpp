// Goal: wherever a crash or a failing call meets compaction, of each key the last value is there, no record is at another
// offset than it was, and the log goes on.
// Method: rounds over a partition on the simulated disk; the states around each step, and each call failing in turn; and a
// model of random appends, tombstones, rounds, deletions, cuts and reopenings.
#include <gtest/gtest.h>

#include <algorithm>
#include <iostream>

#include "tests/log/compacted_partition.hpp"
#include "tests/log/recovered_partition.hpp"
#include "tests/support/crash_states.hpp"
#include "tests/support/quiet_log.hpp"

namespace lungo::test {
namespace {

/// Of the records that were appended some may be gone, and none may be another.
void expect_left_of(const KeyedRecords& found, const KeyedRecords& all) {
  for (const auto& [offset, record] : found) {
    const auto it = all.find(offset);
    ASSERT_TRUE(it != all.end()) << "offset " << offset;
    ASSERT_EQ(record, it->second) << "offset " << offset;
  }
}

bool has_leftovers(CompactedPartition& partition) {
  return partition.count_of(".cleaned") + partition.count_of(".swap") + partition.count_of(".deleted") > 0;
}

std::vector<KeyedRecord> random_records(Random& random, std::int64_t& time) {
  std::vector<KeyedRecord> records(1 + random.below(3));
  for (KeyedRecord& record : records) {
    record.key = "k" + std::to_string(random.below(5));
    time += 1 + static_cast<std::int64_t>(random.below(5));
    record.time = time;
    if (!random.one_in(4)) record.value = std::to_string(time) + std::string(random.below(40), 'v');
  }
  return records;
}

/// Appends, and notes them before: a crash in the middle may keep them.
void append_random(PartitionLog& log, Random& random, std::int64_t& time, KeyedRecords& all, LeaderEpoch epoch) {
  const std::vector<KeyedRecord> records = random_records(random, time);
  std::int64_t offset = log.written_end().value();
  for (const KeyedRecord& record : records) all[offset++] = record;
  ASSERT_TRUE(append_keyed(log, records, epoch));
}

TEST(CompactionCrash, APowerCutAtEachStepLeavesTheLastValues) {
  const QuietLog quiet;
  const std::uint64_t first = test_seed(1);
  std::size_t looked = 0;
  for (std::uint64_t seed = first; seed < first + 2 && !HasFailure(); ++seed) {
    SCOPED_TRACE("LUNGO_TEST_SEED=" + std::to_string(seed));
    CompactedPartition fixture{seed};
    fixture.options.streams = seed % 2 == 0;
    fixture.tombstone_age = 10;
    Random random{seed};
    std::int64_t time = 1000;
    KeyedRecords all;
    const auto log = fixture.opened();
    Offset cleaned;
    for (int round = 0; round < 2 && !HasFailure(); ++round) {
      for (int i = 0; i < 12; ++i) append_random(*log, random, time, all, LeaderEpoch{round});
      ASSERT_TRUE(log->sync());
      const KeyValues expected = values_of(all);
      const KeyedRecords before = keyed_records(*log);
      const Offset recovery_point = (seed + static_cast<std::uint64_t>(round)) % 2 == 0 ? cleaned : Offset{0};
      CrashStates states{seed, SIZE_MAX, {.survivors_per_step = 6, .deep_one_in = 60}};
      CrashStates::Look check = [&](std::unique_ptr<SimDisk> disk, const CrashStates::Situation& situation) {
        CompactedPartition found;
        found.options = fixture.options;
        found.simulation = std::make_unique<Simulation>(1, std::move(disk));
        if (situation.deep) {
          states.watch_recovery(found.simulation->disk, 0,
                                [&](std::unique_ptr<SimDisk> again, const auto& inside) { check(std::move(again), inside); });
        }
        const auto again = found.opened({}, recovery_point);
        CrashStates::unwatch(found.simulation->disk);
        ASSERT_NE(again, nullptr);
        ASSERT_EQ(again->written_end(), log->written_end());
        const KeyedRecords left = keyed_records(*again);
        ASSERT_EQ(values_of(left), expected);
        expect_left_of(left, before);
        ASSERT_FALSE(has_leftovers(found));
        expect_indexes_as_rebuilt(found.simulation->disk, found.directory, found.options);
        ASSERT_TRUE(append_keyed(*again, {KeyedRecord{"after", "the crash"}}, LeaderEpoch{9}));
        ASSERT_TRUE(again->sync());
        if (!situation.deep) return;
        ASSERT_TRUE(found.compact(*again));
        KeyValues more = expected;
        more["after"] = "the crash";
        ASSERT_EQ(values_of(keyed_records(*again)), more);
      };
      states.watch(
          fixture.simulation->disk, [] { return 0; }, check);
      fixture.now = 2000 + 20 * round;
      const Result<Offset> reached = fixture.compact(*log, cleaned);
      while (reached && *log->remove_trimmed()) {
      }
      CrashStates::unwatch(fixture.simulation->disk);
      ASSERT_TRUE(reached) << reached.error();
      cleaned = *reached;
      looked += states.distinct();
    }
  }
  EXPECT_GT(looked, 1'000u);
  std::cout << "distinct states: " << looked << "\n";
}

// What a crash leaves of an exchange is finished by it: up to there the old files go.
TEST(CompactionCrash, TheLastBatchOfASegmentStaysAndSaysHowFarItReaches) {
  CompactedPartition fixture;
  const auto log = fixture.opened();
  for (const char* key : {"b", "a", "a"}) {
    ASSERT_TRUE(append_keyed(*log, {KeyedRecord{key, std::string(300, 'v')}}));  // two fill a segment
  }
  ASSERT_TRUE(log->roll());
  ASSERT_TRUE(log->sync());
  fixture.options.segment_bytes = 400;
  ASSERT_TRUE(fixture.compact(*log));
  for (const SegmentFacts& segment : log->segments()) {
    if (segment.bytes == 0) continue;
    const Fetched last = log->read(segment.end.plus(-1), Offset{3}, 1, {}, {}).value();
    EXPECT_EQ(last.next().offset, segment.end);
    EXPECT_FALSE(last.empty());
  }
}

// Once and for ever, errors and full disks: what is there stays readable, and opening finds the values again.
TEST(CompactionCrash, EveryCallMayFail) {
  const SilentLog silent;
  int failed_rounds = 0;
  int went_on = 0;
  for (const Errc code : {Errc::io, Errc::no_space}) {
    for (const bool for_ever : {false, true}) {
      for (std::uint64_t failing = 1; failing < 2000 && !HasFailure(); ++failing) {
        SCOPED_TRACE("call " + std::to_string(failing) + " " + std::string(to_string(code)) + (for_ever ? " for ever" : ""));
        CompactedPartition fixture{failing};
        Random random{7};
        std::int64_t time = 1000;
        KeyedRecords all;
        auto log = fixture.opened();
        for (int i = 0; i < 25; ++i) append_random(*log, random, time, all, LeaderEpoch{0});
        ASSERT_TRUE(log->sync());
        const KeyValues expected = values_of(all);
        SimDisk& disk = fixture.simulation->disk;
        const std::uint64_t before = disk.calls();
        disk.fail_call(before + failing, code, for_ever);
        const Result<Offset> reached = fixture.compact(*log);
        const bool all_done = disk.calls() < before + failing;
        disk.clear_faults();
        ASSERT_EQ(values_of(keyed_records(*log)), expected);
        expect_left_of(keyed_records(*log), all);
        if (!reached) {
          ++failed_rounds;
          if (append_keyed(*log, {KeyedRecord{"k0", "more"}})) {  // the partition has not failed: it can be tried again
            ++went_on;
            ASSERT_TRUE(log->sync());
            const Result<Offset> again = fixture.compact(*log);
            ASSERT_TRUE(again) << again.error();
            all[log->written_end().value() - 1] = {"k0", "more"};
            ASSERT_EQ(values_of(keyed_records(*log)), values_of(all));
          }
        }
        CompactedPartition found{failing};
        found.simulation = std::make_unique<Simulation>(1, disk.after_power_cut(failing));
        const auto opened = found.opened();
        ASSERT_NE(opened, nullptr);
        ASSERT_EQ(values_of(keyed_records(*opened)), values_of(all));
        ASSERT_FALSE(has_leftovers(found));
        if (all_done) break;
      }
    }
  }
  EXPECT_GT(failed_rounds, 200);
  EXPECT_GT(went_on, 100);
}

// ---- a model ----

class ModelRun {
 public:
  explicit ModelRun(std::uint64_t seed) : random_(seed), fixture_(seed) {
    fixture_.options.streams = random_.one_in(2);
    fixture_.options.segment_bytes = 200 + random_.below(600);
    fixture_.memory_bytes = random_.one_in(3) ? 0 : 1 << 16;
    fixture_.step_bytes = 1 + random_.below(600);
    fixture_.tombstone_age = static_cast<std::int64_t>(random_.below(100));
    log_ = fixture_.opened();
  }

  void run(int operations) {
    for (int i = 0; i < operations && !testing::Test::HasFailure(); ++i) {
      operate();
      fixture_.now = time_ + static_cast<std::int64_t>(random_.below(200));
    }
    check();
  }

 private:
  void operate() {
    switch (random_.below(14)) {
      case 0:
      case 1:
        ASSERT_TRUE(log_->sync());
        promised_ = log_->written_end();
        return begin_round();
      case 2:
        return reopen();
      case 3:
        ASSERT_TRUE(log_->roll());
        return;
      case 4:
        return delete_some();
      case 5:
        return truncate();
      case 6:
        ASSERT_TRUE(log_->remove_trimmed());
        return;
      case 7:
        return check();
      case 8:
      case 9:
      case 10:
        return go_on();
      default:
        borders_.push_back(log_->written_end());
        append_random(*log_, random_, time_, all_, LeaderEpoch{epoch_});
    }
  }

  void begin_round() {
    if (round_) return;
    round_ = fixture_.round(*log_, std::max(cleaned_, log_->start()));
    round_->end = std::min(round_->end, log_->segments().back().base);
    if (round_->end <= round_->begin) return round_.reset();
    touched_ = std::max(touched_, round_->end);
  }

  void go_on() {
    for (int steps = 0; round_ && steps < 8; ++steps) {
      const Result<std::optional<Offset>> reached = log_->compact(*round_);
      ASSERT_TRUE(reached) << reached.error();
      if (!*reached) continue;
      cleaned_ = **reached;
      round_.reset();
    }
  }

  void reopen() {
    round_.reset();
    std::optional<CleanEnd> clean;
    const bool has_lost_power = random_.one_in(3);
    if (random_.one_in(2)) {
      clean = log_->close().value();
      promised_ = clean->end;
    }
    log_.reset();
    if (has_lost_power) fixture_.simulation->disk.power_cut(random_.next());
    fixture_.options.start = start_;
    log_ = fixture_.opened(clean, random_.one_in(2) ? Offset{0} : std::min(cleaned_, promised_));
    ASSERT_NE(log_, nullptr);
    ASSERT_GE(log_->written_end(), promised_);
    forget_from(log_->written_end());
    promised_ = log_->written_end();
    ++epoch_;
    ASSERT_FALSE(has_leftovers(fixture_));
  }

  void delete_some() {
    if (!random_.one_in(4)) return;
    const auto most = static_cast<std::uint64_t>(log_->synced_end() - start_);
    start_ = start_.plus(static_cast<std::int64_t>(random_.below(most / 3 + 1)));
    ASSERT_TRUE(log_->set_start(start_));
  }

  void truncate() {
    const Offset lowest = std::max(touched_, start_);  // what has given place below it is not to come back
    std::erase_if(borders_, [&](Offset border) { return border < lowest || border > log_->written_end(); });
    if (borders_.empty()) return;
    const Offset end = borders_[random_.below(borders_.size())];
    const Result<void> cut = log_->truncate_to(end);
    ASSERT_TRUE(cut) << cut.error();
    round_.reset();
    forget_from(end);
    promised_ = std::min(promised_, end);
  }

  void forget_from(Offset end) {
    all_.erase(all_.lower_bound(end.value()), all_.end());
    std::erase_if(borders_, [end](Offset border) { return border > end; });
  }

  void check() {
    const KeyedRecords found = keyed_records(*log_, {}, random_.one_in(2) ? 1 : 700);
    const KeyedRecords expected{all_.lower_bound(log_->start().value()), all_.end()};
    ASSERT_EQ(values_of(found), values_of(expected));
    expect_left_of(found, expected);
    std::map<std::string, std::vector<std::int64_t>> offsets;
    for (const auto& [offset, record] : found) offsets[record.key].push_back(offset);
    for (const auto& [key, of_key] : offsets) {
      const auto below = [this](std::int64_t offset) { return offset < cleaned_.value(); };
      ASSERT_LE(std::ranges::count_if(of_key, below), 1) << key << " below " << cleaned_.value();
      if (!fixture_.options.streams) continue;
      const Result<KeyRecords> by_key = log_->read_key(key, log_->start(), log_->written_end(), 1000);
      ASSERT_TRUE(by_key) << by_key.error();
      ASSERT_EQ(by_key->records.size(), of_key.size()) << key;
    }
  }

  Random random_;
  CompactedPartition fixture_;
  std::unique_ptr<PartitionLog> log_;
  KeyedRecords all_;
  std::vector<Offset> borders_;
  std::optional<CompactionRound> round_;
  Offset cleaned_;
  Offset touched_;  // rounds that may not have ended went up to here
  Offset start_;
  Offset promised_;
  std::int64_t time_ = 1000;
  std::int32_t epoch_ = 0;
};

TEST(CompactionModel, RandomRunsKeepTheLastValues) {
  const SilentLog silent;
  const std::uint64_t first = test_seed(1);
  for (std::uint64_t seed = first; seed < first + 300 && !HasFailure(); ++seed) {
    SCOPED_TRACE("LUNGO_TEST_SEED=" + std::to_string(seed));
    ModelRun{seed}.run(150);
  }
}

}  // namespace
}  // namespace lungo::test
