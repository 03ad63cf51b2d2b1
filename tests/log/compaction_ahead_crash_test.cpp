// Goal: a crash while the next segment is made ahead and a round of compaction is under way, each in whatever state, costs
// nothing of what either promises alone: what was synced is there, of each key the last value, no record is at another offset
// than it was, and of what was half done nothing is left.
// Method: a script of appends, chores, rolls, single steps of compaction, deletions, truncations, stops, kills and power cuts
// on the simulated disk, with records by the seed; CrashStates shows the states around each of its steps.
#include <gtest/gtest.h>

#include <algorithm>
#include <iostream>
#include <set>

#include "tests/log/compacted_partition.hpp"
#include "tests/log/recovered_partition.hpp"
#include "tests/support/crash_states.hpp"
#include "tests/support/quiet_log.hpp"

namespace lungo::test {
namespace {

constexpr std::string_view kBefore = "aaaaaaaas";
constexpr std::string_view kScript = "amccaCgaaasmcccamCgdaaasmCzaaasmccccxaaasmCaapaaasmccaccoCgaamsCtaamCg";

class Script {
 public:
  Script(std::uint64_t seed, CrashStates& states) : seed_(seed), random_(seed), states_(states), fixture_(seed) {
    fixture_.options.made_ahead_bytes_min = 0;
    fixture_.options.streams = seed % 2 == 0;
    fixture_.tombstone_age = 10;
    fixture_.step_bytes = 600;
  }
  ~Script() { CrashStates::unwatch(fixture_.simulation->disk); }

  void run() {
    open();
    for (const char step : kBefore) operate(step);
    states_.watch(
        fixture_.simulation->disk, [this] { return version_; },
        [this](std::unique_ptr<SimDisk> found, const auto& situation) { check(std::move(found), situation); });
    for (const char step : kScript) {
      if (testing::Test::HasFailure()) return;
      operate(step);
      ++version_;
    }
  }

  /// Rounds that came to their end.
  [[nodiscard]] int rounds() const { return rounds_; }
  /// States in which a segment made ahead lay beside one that is cleaned, or takes the place of others.
  [[nodiscard]] std::size_t beside_cleaned() const { return beside_cleaned_; }
  [[nodiscard]] std::size_t beside_swap() const { return beside_swap_; }

 private:
  void operate(char step) {
    switch (step) {
      case 'a':
        return append_some();
      case 's':
        ASSERT_TRUE(log_->sync());
        promised_ = log_->written_end();
        return;
      case 'm':
        ASSERT_TRUE(log_->do_chores());
        return;
      case 'o':
        ASSERT_TRUE(log_->roll());
        return;
      case 'c':
        return compact_some();
      case 'C':
        do compact_some();
        while (round_ && !testing::Test::HasFailure());
        return;
      case 'g':
        ASSERT_TRUE(log_->remove_trimmed());
        return;
      case 'd':
        return delete_some();
      case 't':
        return truncate();
      case 'z':
        clean_ = log_->close().value();
        promised_ = clean_->end;
        ++version_;
        return open();
      case 'x':
        return open();
      default:
        log_.reset();
        fixture_.simulation->disk.power_cut(random_.next());
        return open();
    }
  }

  void open() {
    round_.reset();
    log_.reset();
    log_ = fixture_.opened(clean_, recovery_point());
    ASSERT_NE(log_, nullptr);
    log_->when_chores_are_due([] {});
    clean_.reset();
    ASSERT_GE(log_->written_end(), promised_);
    forget_from(log_->written_end());
    promised_ = log_->written_end();
    ++epoch_;
    ++version_;
  }

  [[nodiscard]] Offset recovery_point() const { return seed_ % 3 == 0 ? Offset{0} : std::min(cleaned_, promised_); }

  void append_some() {
    borders_.push_back(log_->written_end());
    ++version_;
    append_random(*log_, random_, time_, all_, LeaderEpoch{epoch_});
  }

  /// A step of the round, or of a new one.
  void compact_some() {
    if (!round_) {
      round_ = fixture_.round(*log_, std::max(cleaned_, log_->start()));
      round_->end = std::min(round_->end, log_->segments().back().base);
      if (round_->end > promised_ || round_->end <= round_->begin) return round_.reset();
      fixture_.now += 20;
      touched_ = std::max(touched_, round_->end);
    }
    const Result<std::optional<Offset>> reached = log_->compact(*round_);
    ASSERT_TRUE(reached) << reached.error();
    if (!*reached) return;
    cleaned_ = **reached;
    round_.reset();
    ++rounds_;
  }

  void delete_some() {
    fixture_.options.start = log_->start().plus(1 + static_cast<std::int64_t>(random_.below(6)));
    ++version_;
    ASSERT_TRUE(log_->set_start(fixture_.options.start));
  }

  /// Of what no round has touched: what has given place is not to come back.
  void truncate() {
    std::erase_if(borders_, [this](Offset border) { return border < touched_ || border > log_->written_end(); });
    if (borders_.empty()) return;
    const Offset end = borders_[random_.below(borders_.size())];
    promised_ = std::min(promised_, end);
    ++version_;
    ASSERT_TRUE(log_->truncate_to(end));
    round_.reset();
    forget_from(end);
  }

  void forget_from(Offset end) {
    all_.erase(all_.lower_bound(end.value()), all_.end());
    std::erase_if(borders_, [end](Offset border) { return border > end; });
  }

  // ---- what is looked at ----

  void check(std::unique_ptr<SimDisk> disk, const CrashStates::Situation& situation) {
    CompactedPartition found;
    found.options = fixture_.options;
    found.simulation = std::make_unique<Simulation>(1, std::move(disk));
    count(found);
    SimDisk& found_disk = found.simulation->disk;
    if (situation.deep) {
      states_.watch_recovery(found_disk, version_,
                             [this](std::unique_ptr<SimDisk> again, const auto& inside) { check(std::move(again), inside); });
    }
    const auto log = found.opened(clean_, recovery_point());
    CrashStates::unwatch(found_disk);
    ASSERT_NE(log, nullptr);
    ASSERT_GE(log->written_end(), promised_);
    ASSERT_EQ(log->start(), fixture_.options.start);
    const KeyedRecords left = keyed_records(*log);
    ASSERT_NO_FATAL_FAILURE(expect_last_values(left, log->start(), log->written_end()));
    ASSERT_FALSE(has_leftovers(found) || found.count_of(".tmp") > 0);
    expect_indexes_as_rebuilt(found_disk, found.directory, found.options);
    ASSERT_EQ(keyed_records(*found.opened({}, recovery_point())), left) << "recovered twice";

    log->when_chores_are_due([] {});
    KeyedRecords more = left;
    more[log->written_end().value()] = {"after", "the crash"};
    ASSERT_TRUE(append_keyed(*log, {KeyedRecord{"after", "the crash"}}, LeaderEpoch{epoch_ + 1}));
    ASSERT_TRUE(log->do_chores());
    ASSERT_TRUE(log->roll());
    ASSERT_TRUE(log->sync());
    CompactedPartition last;
    last.options = found.options;
    last.simulation = std::make_unique<Simulation>(1, found_disk.durable());
    const auto reopened = last.opened({}, recovery_point());
    ASSERT_EQ(keyed_records(*reopened), more) << "after a power cut behind the first sync";
    if (!situation.deep) return;
    ASSERT_TRUE(last.compact(*reopened));
    ASSERT_EQ(values_of(keyed_records(*reopened)), values_of(more));
  }

  void count(CompactedPartition& found) {
    if (found.count_of("next.log.tmp") == 0) return;
    if (found.count_of(".cleaned") > 0) ++beside_cleaned_;
    if (found.count_of(".swap") > 0) ++beside_swap_;
  }

  /// Of a prefix of what was appended the last one of each key, or it is a tombstone and nothing of its key is left.
  void expect_last_values(const KeyedRecords& left, Offset start, Offset end) {
    ASSERT_TRUE(all_.empty() || end.value() <= all_.rbegin()->first + 1);
    const KeyedRecords prefix{all_.lower_bound(start.value()), all_.lower_bound(end.value())};
    ASSERT_NO_FATAL_FAILURE(expect_left_of(left, prefix));
    std::map<std::string, std::int64_t> last;
    for (const auto& [offset, record] : prefix) last[record.key] = offset;
    std::set<std::string> keys_left;
    for (const auto& [offset, record] : left) keys_left.insert(record.key);
    for (const auto& [key, offset] : last) {
      if (left.contains(offset)) continue;
      ASSERT_FALSE(prefix.at(offset).value) << "the last value of " << key << " is gone, offset " << offset;
      ASSERT_FALSE(keys_left.contains(key)) << key << " was deleted by offset " << offset << " and is back";
    }
  }

  const std::uint64_t seed_;
  Random random_;
  CrashStates& states_;
  CompactedPartition fixture_;
  std::unique_ptr<PartitionLog> log_;
  KeyedRecords all_;  // those that may be there
  std::vector<Offset> borders_;
  std::optional<CleanEnd> clean_;
  std::optional<CompactionRound> round_;
  Offset promised_;
  Offset cleaned_;
  Offset touched_;             // rounds that may not have ended went up to here
  std::uint64_t version_ = 0;  // of what is known
  std::int64_t time_ = 1000;
  std::int32_t epoch_ = -1;
  int rounds_ = 0;
  std::size_t beside_cleaned_ = 0;
  std::size_t beside_swap_ = 0;
};

TEST(CompactionAheadCrash, NothingPromisedIsLostAtAnyStepOfBoth) {
  const SilentLog silent;
  const std::uint64_t first = test_seed(1);
  std::size_t distinct = 0;
  std::size_t beside_cleaned = 0;
  std::size_t beside_swap = 0;
  int rounds = 0;
  for (std::uint64_t seed = first; seed < first + 3 && !HasFailure(); ++seed) {
    SCOPED_TRACE("LUNGO_TEST_SEED=" + std::to_string(seed));
    CrashStates states{seed, SIZE_MAX, {.survivors_per_step = 3, .deep_one_in = 200, .every_byte = false}};
    Script script{seed, states};
    script.run();
    distinct += states.distinct();
    beside_cleaned += script.beside_cleaned();
    beside_swap += script.beside_swap();
    rounds += script.rounds();
  }
  std::cout << "distinct states: " << distinct << ", with a segment made ahead beside .cleaned: " << beside_cleaned
            << ", beside .swap: " << beside_swap << "; rounds: " << rounds << "\n";
  EXPECT_GT(beside_cleaned, 500u);
  EXPECT_GT(beside_swap, 100u);
  EXPECT_GT(rounds, 3);
}

}  // namespace
}  // namespace lungo::test
