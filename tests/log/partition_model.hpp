// What a partition's operations, a random sequence of them, have to give: what a plain vector of records gives.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "retention.hpp"
#include "tests/log/partition_fixture.hpp"
#include "tests/log/producer_model.hpp"

namespace lungo::test {

/// One sequence: appends in groups with conditions and ids, producers' batches, syncs, rolls, reads on and back, look-ups by
/// key and time, truncations, deletions of the oldest records, asked for or by a limit of age or size, steps of the stream
/// index, and openings again after clean stops, after none, and after power cuts.
class PartitionModelRun {
 public:
  explicit PartitionModelRun(std::uint64_t seed) : random_(seed), fixture_(seed) {
    fixture_.options.segment_bytes = 1500;
    fixture_.options.made_ahead_bytes_min = 0;
    fixture_.options.index_interval_bytes = 200;
    fixture_.options.streams = true;
    fixture_.options.stream_table_records = 8;
    if (random_.one_in(4)) fixture_.options.compression = kCodecs[random_.below(kCodecs.size())];
    if (random_.one_in(4)) fixture_.options.timestamps = TimestampKind::log_append;
    log_ = fixture_.opened();
    log_->when_chores_are_due([] {});
  }

  void run(int operations) {
    for (int i = 0; i < operations && !::testing::Test::HasFailure(); ++i) {
      fixture_.simulation->clock.advance(std::chrono::milliseconds{random_.below(5)});
      switch (random_.below(20)) {
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
        case 10:
          read_back();
          break;
        case 11:
          find_time();
          break;
        case 12:
        case 13:
          append_produced();
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
  [[nodiscard]] bool log_tells_time() const { return fixture_.options.timestamps == TimestampKind::log_append; }
  std::int64_t wall() { return fixture_.simulation->clock.now().time_since_epoch().count(); }
  std::int64_t any_time() {
    if (log_tells_time()) return wall() - static_cast<std::int64_t>(random_.below(80));
    return 1000 + static_cast<std::int64_t>(random_.below(50));
  }
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

  TestRecord any_record() {
    return {.key = any_key(), .value = std::string(random_.below(40), 'v'), .time = log_tells_time() ? wall() : any_time()};
  }

  void append_produced() {
    Produced batch = producers_.next(random_);
    for (TestRecord& record : batch.records) record = any_record();
    if (random_.one_in(4)) expect_limited(encode(batch));
    const Offset log_end{end()};
    const Result<Appended> answer = append(*log_, batch, LeaderEpoch{0}, true);
    producers_.expect(batch, answer, log_end);
    if (answer && !answer->repeated) model_.insert(model_.end(), batch.records.begin(), batch.records.end());
    borders_.insert(end());
  }

  // A batch that is too large never comes to the partition.
  void expect_limited(BytesView batch) {
    const auto size = static_cast<std::uint32_t>(batch.size());
    ASSERT_TRUE(ProducerBatch::validate(batch, {.bytes_max = size}));
    const Result<ProducerBatch> refused = ProducerBatch::validate(batch, {.bytes_max = size - 1});
    ASSERT_FALSE(refused);
    ASSERT_EQ(refused.error(), Errc::too_large);
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
      for (TestRecord& record : plan.records) record = any_record();
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
    borders_.insert(end());
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
    const std::int64_t promised = log_->synced_end().value();
    const Offset recovery_point{random_.one_in(2) ? 0 : promised};
    const bool cut = random_.one_in(3);
    if (cut) fixture_.simulation->disk.power_cut(random_.next());
    log_.reset();
    fixture_.options.start = start_;
    log_ = fixture_.opened(clean, recovery_point);
    ASSERT_NE(log_, nullptr);
    log_->when_chores_are_due([] {});
    ASSERT_EQ(log_->start(), start_);
    if (cut) {
      const std::int64_t left = log_->written_end().value();
      ASSERT_GE(left, promised);
      ASSERT_TRUE(borders_.contains(left)) << left;
      keep_below(left);
    }
    producers_.made_anew(Offset{end()});
  }

  void keep_below(std::int64_t border) {
    model_.resize(static_cast<std::size_t>(border));
    borders_.erase(borders_.upper_bound(border), borders_.end());
  }

  void delete_some() {
    if (!random_.one_in(3)) {
      ASSERT_TRUE(log_->remove_trimmed());
      return;
    }
    if (random_.one_in(2)) return delete_past_limits();
    const std::int64_t most = log_->synced_end().value() - start_.value();
    delete_below(start_.plus(static_cast<std::int64_t>(random_.below(static_cast<std::uint64_t>(most) + 1))));
  }

  // Whole segments of which no record is too young, and so many bytes as have to stay do.
  void delete_past_limits() {
    TopicSpec spec;
    const bool by_age = random_.one_in(2);
    if (by_age) spec.retention_age = std::chrono::milliseconds{random_.below(50)};
    if (!by_age) spec.retention_bytes = random_.below(5000);
    const std::int64_t now = any_time() + static_cast<std::int64_t>(random_.below(50));
    const std::vector<SegmentFacts> segments = log_->segments();
    const Offset target = retention_target(segments, spec, log_->synced_end(), Timestamp{std::chrono::milliseconds{now}});
    if (target <= start_) return;
    ASSERT_TRUE(borders_.contains(target.value())) << target.value();
    ASSERT_LE(target, log_->synced_end());
    std::uint64_t bytes_left = 0;
    for (const SegmentFacts& segment : segments) bytes_left += segment.base >= target ? segment.bytes : 0;
    ASSERT_GE(bytes_left, spec.retention_bytes.value_or(0));
    for (Offset offset = start_; by_age && offset < target; offset = offset.next()) {
      ASSERT_GT(now - model_[index(offset)].time, spec.retention_age->count()) << "offset " << offset.value();
    }
    delete_below(target);
  }

  void delete_below(Offset start) {
    start_ = start;
    const Result<bool> there = log_->keep_producers(start_);
    ASSERT_TRUE(there) << there.error();
    if (*there) {
      ASSERT_TRUE(log_->sync());
    }
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
    ASSERT_TRUE(borders_.contains(border.value()));
    keep_below(border.value());
    producers_.made_anew(border);
  }

  void read() {
    const Offset from = any_offset();
    const Result<std::vector<TestRecord>> records = read_all(*log_, from, Offset{end()}, random_.below(3000));
    ASSERT_TRUE(records) << records.error();
    ASSERT_EQ(*records, this->from(from));
  }

  // All that ends at or below some offset, the last batches first.
  void read_back() {
    Offset behind = any_offset();
    std::int64_t left = *std::prev(borders_.upper_bound(behind.value()));
    while (left > start_.value()) {
      const Result<Fetched> fetched = log_->read_back(behind, Offset{end()}, random_.below(1000), {}, {});
      ASSERT_TRUE(fetched) << fetched.error();
      ASSERT_EQ(fetched->next().offset, Offset{left});
      std::vector<TestRecord> records;
      RecordCursor cursor = fetched->records();
      while (const RecordView* record = cursor.next()) records.push_back(decode(*record));
      ASSERT_FALSE(cursor.error()) << *cursor.error();
      behind = Offset{left - static_cast<std::int64_t>(records.size())};
      ASSERT_TRUE(behind == start_ || borders_.contains(behind.value())) << behind.value();
      ASSERT_EQ(records, std::vector<TestRecord>(model_.begin() + behind.value(), model_.begin() + left));
      left = behind.value();
    }
    const Result<Fetched> nothing = log_->read_back(behind, Offset{end()}, 1000, {}, {});
    ASSERT_TRUE(nothing) << nothing.error();
    ASSERT_TRUE(nothing->empty());
  }

  void find_time() {
    const Offset below{*borders_.lower_bound(any_offset().value())};
    const std::int64_t time = any_time();
    std::optional<Offset> expected;
    for (Offset offset = start_; offset < below && !expected; offset = offset.next()) {
      if (model_[index(offset)].time >= time) expected = offset;
    }
    const Result<std::optional<Offset>> found = log_->offset_at(Timestamp{std::chrono::milliseconds{time}}, below);
    ASSERT_TRUE(found) << found.error();
    ASSERT_EQ(*found, expected);
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

  static constexpr std::array kCodecs{Compression::gzip, Compression::snappy, Compression::lz4, Compression::zstd};

  Random random_;
  PartitionFixture fixture_;
  std::unique_ptr<PartitionLog> log_;
  std::vector<TestRecord> model_;      // from offset 0 on, those that were deleted too
  std::set<std::int64_t> borders_{0};  // of batches
  Offset start_;
  ProducerModel producers_;
};

/// Sequences of the seeds from `first` on.
inline void run_partition_models(std::uint64_t first, std::uint64_t sequences, int operations) {
  for (std::uint64_t seed = first; seed < first + sequences && !::testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE("LUNGO_TEST_SEED=" + std::to_string(seed));
    PartitionModelRun{seed}.run(operations);
  }
}

}  // namespace lungo::test
