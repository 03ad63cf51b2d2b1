// What a partition's operations, a random sequence of them, have to give: what a plain vector of records gives.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "tests/log/partition_fixture.hpp"

namespace lungo::test {

/// One sequence: appends in groups with conditions and ids, syncs, rolls, reads, look-ups by key, truncations, deletions of the
/// oldest records, steps of the stream index, and openings again after clean stops and without.
class PartitionModelRun {
 public:
  explicit PartitionModelRun(std::uint64_t seed) : random_(seed), fixture_(seed) {
    fixture_.options.segment_bytes = 1500;
    fixture_.options.made_ahead_bytes_min = 0;
    fixture_.options.index_interval_bytes = 200;
    fixture_.options.streams = true;
    fixture_.options.stream_table_records = 8;
    log_ = fixture_.opened();
    log_->when_chores_are_due([] {});
  }

  void run(int operations) {
    for (int i = 0; i < operations && !::testing::Test::HasFailure(); ++i) {
      switch (random_.below(15)) {
        case 0:
          ASSERT_TRUE(log_->sync());
          break;
        case 1:
          reopen();
          break;
        case 2:
          truncate();
          break;
        case 3:
          read();
          break;
        case 4:
          read_key();
          break;
        case 5:
          ASSERT_TRUE(log_->roll());
          break;
        case 6:
        case 7:
        case 8:  // sometimes all that is to be done
          for (int steps = random_.one_in(3) ? 1000 : 1; steps-- > 0 && *log_->do_chores();) continue;
          break;
        case 9:
          delete_some();
          break;
        default:
          append_group();
      }
      ASSERT_EQ(log_->written_end().value(), static_cast<std::int64_t>(model_.size()));
    }
    EXPECT_EQ(contents(*log_), from(start_));
  }

 private:
  std::int64_t end() const { return static_cast<std::int64_t>(model_.size()); }
  /// From the start on.
  Offset any_offset() { return start_.plus(static_cast<std::int64_t>(random_.below(model_.size() - index(start_) + 1))); }
  static std::size_t index(Offset offset) { return static_cast<std::size_t>(offset.value()); }
  std::vector<TestRecord> from(Offset offset) const { return {model_.begin() + offset.value(), model_.end()}; }
  std::string any_key() { return "s" + std::to_string(random_.below(5)); }

  // Latest record in [begin, end) with this key, and with this id where one is asked for.
  std::optional<Offset> latest(const std::string& key, Offset begin, const std::string& id = {}) const {
    for (std::int64_t i = end(); i-- > begin.value();) {
      const TestRecord& record = model_[static_cast<std::size_t>(i)];
      if (record.key == key && (id.empty() || record.id == id)) return Offset{i};
    }
    return std::nullopt;
  }

  void append_group() {
    struct Planned {
      std::vector<TestRecord> records;
      EncodedRecords encoded;
      std::optional<Condition> condition;
      std::optional<Offset> since;
    };
    std::vector<Planned> planned(1 + random_.below(4));
    std::vector<GroupItem> group;
    const Offset log_end{end()};
    for (Planned& plan : planned) {
      plan.records.resize(1 + random_.below(3));
      for (TestRecord& record : plan.records) record = {.key = any_key(), .value = std::string(random_.below(40), 'v')};
      if (random_.one_in(2)) plan.records[0].id = "id" + std::to_string(random_.below(40));
      const Offset from{std::max<std::int64_t>(start_.value(), log_end.value() - static_cast<std::int64_t>(random_.below(8)))};
      if (random_.one_in(3)) {
        plan.condition = Condition{.key = any_key(), .as_of = from};
      } else if (random_.one_in(2)) {
        plan.since = from;
      }
      plan.encoded = encode(plan.records);
    }
    for (Planned& plan : planned) {
      group.push_back({.records = &plan.encoded,
                       .condition = plan.condition ? &*plan.condition : nullptr,
                       .since = plan.since,
                       .outcome = {}});
    }
    log_->append(group, LeaderEpoch{0});
    for (std::size_t i = 0; i < group.size(); ++i)
      expect_outcome(planned[i].records, planned[i].condition, planned[i].since, *group[i].outcome);
  }

  void expect_outcome(const std::vector<TestRecord>& records, const std::optional<Condition>& condition,
                      const std::optional<Offset>& since, const Result<Appended>& outcome) {
    const std::optional<Offset> from = condition ? std::optional{condition->as_of} : since;
    if (const std::string& id = records[0].id; !id.empty()) {
      // Under the record's key, from `from` on where there is one; in the group first records only.
      std::vector<Offset> known;
      for (std::int64_t i = from.value_or(Offset{0}).value(); i < end(); ++i) {
        const TestRecord& record = model_[static_cast<std::size_t>(i)];
        if (record.id == id && record.key == records[0].key) known.push_back(Offset{i});
      }
      if (!known.empty() && !outcome) {  // the id of an append with fewer records
        ASSERT_GT(records.size(), 1U) << outcome.error();
        ASSERT_EQ(outcome.error(), Errc::invalid_argument);
        ASSERT_NE(std::find(known.begin(), known.end(), outcome.error().offset()), known.end());
        return;
      }
      // An id may be forgotten with the record that was deleted.
      if (!known.empty() && (known.back() >= start_ || (outcome && outcome->repeated))) {
        ASSERT_TRUE(outcome->repeated);
        ASSERT_NE(std::find(known.begin(), known.end(), outcome->first), known.end());
        return;
      }
    }
    const std::optional<Offset> in_the_way = condition ? latest(condition->key, condition->as_of) : std::nullopt;
    if (in_the_way) {
      ASSERT_FALSE(outcome);
      ASSERT_EQ(outcome.error(), Errc::conflict);
      ASSERT_EQ(outcome.error().offset(), in_the_way);
      return;
    }
    ASSERT_TRUE(outcome) << outcome.error();
    ASSERT_FALSE(outcome->repeated);
    ASSERT_EQ(outcome->first, Offset{end()});
    model_.insert(model_.end(), records.begin(), records.end());
    ASSERT_EQ(outcome->end, Offset{end()});
  }

  void reopen() {
    std::optional<CleanEnd> clean;
    if (random_.one_in(2)) {
      clean = *log_->close();
    }
    log_.reset();
    fixture_.options.start = start_;
    log_ = fixture_.opened(clean);
    log_->when_chores_are_due([] {});
    ASSERT_EQ(log_->start(), start_);
  }

  void delete_some() {
    if (!random_.one_in(3)) {
      ASSERT_TRUE(log_->remove_trimmed());
      return;
    }
    const std::int64_t most = log_->synced_end().value() - start_.value();
    start_ = start_.plus(static_cast<std::int64_t>(random_.below(static_cast<std::uint64_t>(most) + 1)));
    ASSERT_TRUE(log_->set_start(start_));
    ASSERT_EQ(log_->start(), start_);
  }

  void truncate() {
    const Offset border = random_.one_in(5) ? any_offset() : Offset{std::max(start_.value(), end() - 3)};
    const Result<void> cut = log_->truncate_to(border);
    if (!cut) {
      ASSERT_EQ(cut.error(), Errc::invalid_argument);
      return;
    }
    model_.resize(static_cast<std::size_t>(border.value()));
  }

  void read() {
    const Offset from = any_offset();
    const Result<std::vector<TestRecord>> records = read_all(*log_, from, Offset{end()}, random_.below(3000));
    ASSERT_TRUE(records) << records.error();
    ASSERT_EQ(*records, this->from(from));
  }

  void read_key() {
    const Offset from = any_offset();
    const std::string key = any_key();
    std::vector<TestRecord> expected;
    for (std::int64_t i = from.value(); i < end(); ++i) {
      if (model_[static_cast<std::size_t>(i)].key == key) expected.push_back(model_[static_cast<std::size_t>(i)]);
    }
    const Result<KeyRecords> found = log_->read_key(key, from, Offset{end()}, 100'000);
    ASSERT_TRUE(found) << found.error();
    std::vector<TestRecord> records;
    for (const RecordView& record : found->records) records.push_back(decode(record));
    ASSERT_EQ(records, expected);
  }

  Random random_;
  PartitionFixture fixture_;
  std::unique_ptr<PartitionLog> log_;
  std::vector<TestRecord> model_;  // from offset 0 on, those that were deleted too
  Offset start_;
};

/// Sequences of the seeds from `first` on.
inline void run_partition_models(std::uint64_t first, std::uint64_t sequences, int operations) {
  for (std::uint64_t seed = first; seed < first + sequences && !::testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE("LUNGO_TEST_SEED=" + std::to_string(seed));
    PartitionModelRun{seed}.run(operations);
  }
}

}  // namespace lungo::test
