// What a compacted partition's operations, a random sequence of them, have to leave: of each key what a map has. Below the end
// of a round one record of a key at most is there; above it, and where a round has begun, any may be gone that another has
// replaced.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <optional>
#include <ranges>
#include <set>
#include <string>
#include <vector>

#include "tests/log/compacted_partition.hpp"
#include "tests/support/random.hpp"

namespace lungo::test {

/// One sequence: appends, tombstones, steps of rounds, reads on and back, look-ups by key and time, deletions of the oldest
/// records, truncations above what was compacted, and openings again after clean stops, after none, and after power cuts.
class CompactionModelRun {
 public:
  explicit CompactionModelRun(std::uint64_t seed) : random_(seed), fixture_(seed) {
    fixture_.options.streams = random_.one_in(2);
    fixture_.options.segment_bytes = 200 + random_.below(600);
    fixture_.memory_bytes = random_.one_in(3) ? 0 : 1 << 16;
    fixture_.step_bytes = 1 + random_.below(600);
    fixture_.tombstone_age = static_cast<std::int64_t>(random_.below(100));
    log_ = fixture_.opened();
  }

  void run(int operations) {
    for (int i = 0; i < operations && !::testing::Test::HasFailure(); ++i) {
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
    ASSERT_NO_FATAL_FAILURE(expect_left_of(found, expected));
    ASSERT_NO_FATAL_FAILURE(expect_gone_may_go(found, expected));
    ASSERT_NO_FATAL_FAILURE(read_back(found));
    ASSERT_NO_FATAL_FAILURE(find_time(found));
    ASSERT_NO_FATAL_FAILURE(look_up_keys(found));
  }

  /// A later one of the key was there when a round went up to it, or it says that there is none.
  void expect_gone_may_go(const KeyedRecords& found, const KeyedRecords& expected) {
    std::set<std::string> later;  // keys
    for (const auto& [offset, record] : std::views::reverse(expected)) {
      if (offset >= touched_.value()) {
        ASSERT_TRUE(found.contains(offset)) << "offset " << offset << " is above all rounds";
        continue;
      }
      const bool may_go = later.contains(record.key) || !record.value;
      ASSERT_TRUE(may_go || found.contains(offset)) << "offset " << offset << " is the last of " << record.key;
      later.insert(record.key);
    }
  }

  void read_back(const KeyedRecords& expected) {
    KeyedRecords found;
    for (Offset at = log_->written_end(); at > log_->start();) {
      const Result<Fetched> fetched = log_->read_back(at, log_->written_end(), random_.below(700), {}, {});
      ASSERT_TRUE(fetched) << fetched.error();
      if (fetched->empty()) break;
      RecordCursor cursor = fetched->records();
      while (const RecordView* record = cursor.next()) found.emplace(record->offset.value(), keyed(*record));
      ASSERT_FALSE(cursor.error()) << *cursor.error();
      ASSERT_LT(fetched->first(), at);
      at = fetched->first();
    }
    ASSERT_EQ(found, expected);
  }

  void find_time(const KeyedRecords& records) {
    const std::int64_t time = 1000 + static_cast<std::int64_t>(random_.below(static_cast<std::uint64_t>(time_ - 1000) + 5));
    std::optional<Offset> expected;
    for (const auto& [offset, record] : records) {
      if (!expected && record.time >= time) expected = Offset{offset};
    }
    const Result<std::optional<Offset>> found =
        log_->offset_at(Timestamp{std::chrono::milliseconds{time}}, log_->written_end());
    ASSERT_TRUE(found) << found.error();
    ASSERT_EQ(*found, expected) << "time " << time;
  }

  void look_up_keys(const KeyedRecords& found) {
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

/// Sequences of the seeds from `first` on.
inline void run_compaction_models(std::uint64_t first, std::uint64_t sequences, int operations) {
  for (std::uint64_t seed = first; seed < first + sequences && !::testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE("LUNGO_TEST_SEED=" + std::to_string(seed));
    CompactionModelRun{seed}.run(operations);
  }
}

}  // namespace lungo::test
