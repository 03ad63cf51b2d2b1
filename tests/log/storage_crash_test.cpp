// Goal: whatever a partition is doing when its process is killed or the power fails, at whatever byte, and again while it
// recovers: every record that was acknowledged as synced is there, in order and once, unless it was deleted; of the rest a
// prefix; indexes, streams and epochs are those of the records; recovering again changes nothing; and what is appended next
// survives the next power cut.
// Method: a script of all that a partition does (appends, syncs, rolls, recovery points, truncations, deletions of the oldest
// records and then of their files, steps of the stream index, clean stops, kills and power cuts of its own) on the simulated
// disk, with records by the seed; CrashStates shows the states around each of its steps.
#include <gtest/gtest.h>

#include <cstdio>

#include "tests/log/recovered_partition.hpp"
#include "tests/support/crash_states.hpp"
#include "tests/support/quiet_log.hpp"

namespace lungo::test {
namespace {

constexpr std::string_view kScript =
    "aaamaaamaammmaskeeaammmsadgmatmgasmeaamcmmaaasemmmaxammdskegmaaaspmmmaatmdaasmmmemxmacaeodgsmkaatmmaadcmmespagasmod"
    "gagamdpos";

/// What is known of the partition.
struct Truth {
  std::vector<TestRecord> records;  // those that may be there
  std::vector<LeaderEpoch> epochs;  // of each
  std::int64_t promised = 0;        // of them, those that have to be there
  std::int64_t recovery_point = 0;  // as the partition's owner keeps it
  std::int64_t start = 0;           // likewise
  std::optional<CleanEnd> clean;

  void cut(std::int64_t end) {
    records.resize(static_cast<std::size_t>(end));
    epochs.resize(static_cast<std::size_t>(end));
    promised = std::min(promised, end);
  }
};

class Script {
 public:
  Script(std::uint64_t seed, CrashStates& states)
      : random_(seed), keeps_recovery_point_(seed % 3 != 0), states_(states), fixture_(seed) {
    fixture_.options.segment_bytes = 700;
    fixture_.options.made_ahead_bytes_min = 0;
    fixture_.options.index_interval_bytes = 120;
    fixture_.options.streams = seed % 2 == 0;
    fixture_.options.stream_table_records = 3;
  }

  void run() {
    states_.watch(
        fixture_.simulation->disk, [this] { return version_; },
        [this](std::unique_ptr<SimDisk> found, const auto& situation) { check(std::move(found), situation); });
    open();
    for (const char step : kScript) {
      if (testing::Test::HasFailure()) break;
      operate(step);
    }
    CrashStates::unwatch(fixture_.simulation->disk);
  }

 private:
  void operate(char step) {
    switch (step) {
      case 'a':
        return append_some();
      case 's':
        ASSERT_TRUE(log_->sync());
        truth_.promised = end();
        break;
      case 'k':
        if (keeps_recovery_point_) truth_.recovery_point = truth_.promised;
        break;
      case 't':
        return truncate();
      case 'd':
        return delete_some();
      case 'g':
        ASSERT_TRUE(log_->remove_trimmed());
        break;
      case 'm':
        ASSERT_TRUE(log_->do_chores());
        break;
      case 'e':
        for (int steps = 0; steps < 3; ++steps) ASSERT_TRUE(log_->keep_digests());
        break;
      case 'o':
        ASSERT_TRUE(log_->roll());
        break;
      case 'c':
        truth_.clean = log_->close().value();
        truth_.promised = end();
        ++version_;
        return open();
      case 'x':
        log_.reset();
        return open();
      default:
        log_.reset();
        fixture_.simulation->disk.power_cut(random_.next());
        return open();
    }
    ++version_;
  }

  void open() {
    log_.reset();
    log_ = fixture_.opened(truth_.clean, Offset{truth_.recovery_point});
    ASSERT_NE(log_, nullptr);
    log_->when_chores_are_due([] {});
    truth_.clean.reset();
    ASSERT_GE(log_->written_end().value(), truth_.promised);
    truth_.cut(log_->written_end().value());
    truth_.promised = end();
    std::erase_if(borders_, [this](std::int64_t border) { return border > end(); });
    ++epoch_;
    ++version_;
  }

  void append_some() {
    std::vector<TestRecord> records(1 + random_.below(3));
    for (TestRecord& record : records) {
      record.key = "k" + std::to_string(random_.below(5));
      record.value = std::to_string(++values_) + std::string(random_.below(50), 'v');
      record.time = values_ * 10 - static_cast<std::int64_t>(random_.below(40));
      if (random_.one_in(3)) record.id = "id" + std::to_string(values_);
    }
    borders_.push_back(end());
    truth_.records.insert(truth_.records.end(), records.begin(), records.end());  // before: a crash in the middle may keep it
    truth_.epochs.insert(truth_.epochs.end(), records.size(), LeaderEpoch{epoch_});
    ++version_;
    ASSERT_TRUE(append(*log_, records, LeaderEpoch{epoch_}));
  }

  void delete_some() {
    const std::int64_t synced = log_->synced_end().value();
    const auto most = static_cast<std::uint64_t>(synced - truth_.start);
    truth_.start += static_cast<std::int64_t>(random_.one_in(4) ? most : random_.below(most + 1));
    fixture_.options.start = Offset{truth_.start};
    std::erase_if(borders_, [this](std::int64_t border) { return border < truth_.start; });
    ++version_;
    ASSERT_TRUE(log_->set_start(Offset{truth_.start}));
    ASSERT_EQ(log_->start().value(), truth_.start);
    ++version_;
  }

  void truncate() {
    if (borders_.empty()) return;
    const std::int64_t border = borders_[borders_.size() - 1 - random_.below(std::min<std::size_t>(borders_.size(), 7))];
    truth_.promised = std::min(truth_.promised, border);
    truth_.recovery_point = std::min(truth_.recovery_point, border);
    ++version_;
    const Result<void> cut = log_->truncate_to(Offset{border});
    ASSERT_TRUE(cut) << cut.error();
    truth_.cut(border);
    std::erase_if(borders_, [border](std::int64_t other) { return other > border; });
    ++version_;
  }

  void check(std::unique_ptr<SimDisk> disk, const CrashStates::Situation& situation) {
    PartitionFixture found;
    found.options = fixture_.options;
    found.simulation = std::make_unique<Simulation>(1, std::move(disk));
    SimDisk& found_disk = found.simulation->disk;
    if (situation.deep) {
      states_.watch_recovery(found_disk, version_,
                             [this](std::unique_ptr<SimDisk> again, const auto& inside) { check(std::move(again), inside); });
    }
    const Offset recovery_point{truth_.recovery_point};
    const Result<std::unique_ptr<PartitionLog>> opened = found.open(truth_.clean, recovery_point);
    CrashStates::unwatch(found_disk);
    ASSERT_TRUE(opened) << opened.error();
    PartitionLog& log = **opened;

    const std::int64_t end = log.written_end().value();
    ASSERT_GE(end, truth_.promised);
    ASSERT_LE(end, this->end());
    ASSERT_EQ(log.start().value(), truth_.start);
    std::vector<TestRecord> expected(truth_.records.begin() + truth_.start, truth_.records.begin() + end);
    ASSERT_EQ(contents(log), expected);
    expect_indexes_as_rebuilt(found_disk, found.directory, found.options);
    expect_epochs_of(log, {truth_.epochs.begin(), truth_.epochs.begin() + end});
    if (found.options.streams) expect_streams_of(log, expected);
    ASSERT_EQ(contents(*found.opened({}, recovery_point)), expected) << "recovered twice";

    expected.push_back({.key = "k1", .value = "after the crash"});
    ASSERT_TRUE(append(log, {expected.back()}, LeaderEpoch{epoch_ + 1}));
    ASSERT_TRUE(log.sync());
    PartitionFixture last;
    last.options = found.options;
    last.simulation = std::make_unique<Simulation>(1, found_disk.durable());
    ASSERT_EQ(contents(*last.opened({}, recovery_point)), expected) << "after a power cut behind the first sync";
  }

  [[nodiscard]] std::int64_t end() const { return static_cast<std::int64_t>(truth_.records.size()); }

  Random random_;
  const bool keeps_recovery_point_;
  CrashStates& states_;
  PartitionFixture fixture_;
  std::unique_ptr<PartitionLog> log_;
  Truth truth_;
  std::uint64_t version_ = 0;          // of the truth
  std::vector<std::int64_t> borders_;  // offsets at which batches begin
  std::int32_t epoch_ = -1;
  std::int64_t values_ = 0;
};

class StorageCrash : public testing::TestWithParam<std::uint64_t> {};

TEST_P(StorageCrash, NothingPromisedIsLostAtAnyByte) {
  see_crash_states(GetParam(), {}, [](std::uint64_t seed, CrashStates& states) { Script{seed, states}.run(); });
}

INSTANTIATE_TEST_SUITE_P(Shards, StorageCrash, testing::Range<std::uint64_t>(1, kCrashShards + 1));

}  // namespace
}  // namespace lungo::test
