// Goal: at whatever step the power fails, and again during recovery, every synced record is there, in order and once, nothing
// that was never appended is, and the log goes on.
// Method: a seeded run of appends, syncs, rolls, reopenings and cuts on the simulated disk; before every step that changes the
// disk, what a power cut would leave there is opened and compared with the model.

#include <gtest/gtest.h>

#include <iostream>

#include "tests/log/partition_fixture.hpp"

namespace lungo {
namespace {

using namespace test;

class CrashRun {
 public:
  explicit CrashRun(std::uint64_t seed) : seed_(seed), random_(seed), fixture_(seed) {
    fixture_.options.segment_bytes = 900;
    fixture_.options.index_interval_bytes = 150;
    fixture_.options.streams = true;
    fixture_.options.stream_table_records = 4;
    fixture_.simulation->disk.on_step([this](const DiskStep& step) {
      if (checking_) return;
      checking_ = true;
      SCOPED_TRACE("before step " + std::to_string(step.number) + " " + std::string(step.operation) + " " +
                   std::string(step.path));
      check_after_cut(fixture_.after_power_cut(seed_ * 1000 + step.number), true);
      checking_ = false;
    });
  }

  void run(int operations) {
    std::optional<CleanEnd> clean;
    for (int session = 0; session < 3 && !::testing::Test::HasFailure(); ++session) {
      const auto log = fixture_.opened(clean, Offset{random_.one_in(2) ? promised_ : 0});
      ASSERT_NE(log, nullptr);
      for (int i = 0; i < operations && !::testing::Test::HasFailure(); ++i) step(*log, LeaderEpoch{session});
      clean.reset();
      if (random_.one_in(2)) {
        clean = *log->close();
        promised_ = static_cast<std::int64_t>(model_.size());
      }
    }
  }
  [[nodiscard]] int states() const { return states_; }

 private:
  void step(PartitionLog& log, LeaderEpoch epoch) {
    if (random_.one_in(3)) {
      ASSERT_TRUE(log.do_chores());
      return;
    }
    if (random_.one_in(3)) {
      const auto target = static_cast<std::int64_t>(model_.size());
      ASSERT_TRUE(log.sync());
      promised_ = target;
      return;
    }
    std::vector<TestRecord> records(1 + random_.below(4));
    for (TestRecord& record : records) {
      record.key = "s" + std::to_string(random_.below(6));
      record.value = std::string(random_.below(60), 'v') + std::to_string(model_.size() + random_.below(9));
    }
    model_.insert(model_.end(), records.begin(), records.end());  // before: a cut in the middle may keep it
    ASSERT_TRUE(append(log, records, epoch));
  }

  void check_after_cut(PartitionFixture found, bool cut_again) {
    ++states_;
    if (cut_again) {
      found.simulation->disk.on_step([&](const DiskStep& step) {
        if (step.number % 5 == seed_ % 5) check_after_cut(found.after_power_cut(seed_ + step.number), false);
      });
    }
    const Result<std::unique_ptr<PartitionLog>> opened = found.open();
    found.simulation->disk.on_step({});
    ASSERT_TRUE(opened) << opened.error();
    PartitionLog& log = **opened;
    const std::int64_t end = log.written_end().value();
    ASSERT_GE(end, promised_);
    ASSERT_LE(end, static_cast<std::int64_t>(model_.size()));
    const std::vector<TestRecord> expected(model_.begin(), model_.begin() + end);
    ASSERT_EQ(contents(log), expected);

    std::vector<TestRecord> of_stream;
    for (const TestRecord& record : expected) {
      if (record.key == "s1") of_stream.push_back(record);
    }
    const Result<KeyRecords> stream = log.read_key("s1", Offset{0}, Offset{end}, 10'000);
    ASSERT_TRUE(stream) << stream.error();
    ASSERT_EQ(stream->records.size(), of_stream.size());

    ASSERT_TRUE(append(log, {{.key = "after", .value = "crash"}}, LeaderEpoch{9}));
    ASSERT_TRUE(log.sync());
    ASSERT_EQ(contents(*found.opened()).size(), static_cast<std::size_t>(end) + 1);
  }

  const std::uint64_t seed_;
  Random random_;
  PartitionFixture fixture_;
  std::vector<TestRecord> model_;
  std::int64_t promised_ = 0;  // end of what a sync or close has answered for
  bool checking_ = false;
  int states_ = 0;
};

TEST(PartitionCrash, EveryStepOfManyRunsRecoversToAPrefixWithAllThatWasSynced) {
  const std::uint64_t first = test_seed(1);
  int states = 0;
  for (std::uint64_t seed = first; seed < first + 16 && !HasFailure(); ++seed) {
    SCOPED_TRACE("LUNGO_TEST_SEED=" + std::to_string(seed));
    CrashRun run{seed};
    run.run(25);
    states += run.states();
  }
  EXPECT_GE(states, 2'000) << "a run that cuts too rarely shows nothing";
  std::cout << "power cuts: " << states << "\n";
}

// Each step in turn fails with an error, once and for ever: the log answers with an error and loses nothing it promised.
TEST(PartitionCrash, EveryStepMayFail) {
  for (const Errc code : {Errc::io, Errc::no_space}) {
    for (const bool for_ever : {false, true}) {
      for (std::uint64_t failing = 1; failing < 400; ++failing) {
        SCOPED_TRACE("step " + std::to_string(failing) + " " + std::string(to_string(code)) + (for_ever ? " for ever" : ""));
        PartitionFixture fixture{failing};
        fixture.options.segment_bytes = 600;
        fixture.options.streams = true;
        fixture.options.stream_table_records = 4;
        fixture.simulation->disk.fail_step(failing, code, for_ever);
        std::vector<TestRecord> model;
        std::int64_t promised = 0;
        if (auto log = fixture.open()) {
          for (int i = 0; i < 12; ++i) {
            const std::vector<TestRecord> records{{.key = "k" + std::to_string(i % 3), .value = std::to_string(i)},
                                                  {.key = "x", .value = std::string(80, 'x')}};
            if (append(**log, records)) model.insert(model.end(), records.begin(), records.end());
            static_cast<void>((*log)->do_chores().has_value());
            if (i % 3 == 2 && (*log)->sync()) promised = static_cast<std::int64_t>(model.size());
          }
          ASSERT_EQ(contents(**log), model);
          const Result<KeyRecords> stream = (*log)->read_key("x", Offset{0}, (*log)->written_end(), 100);
          ASSERT_TRUE(stream || stream.error() == code) << stream.error();
          if (stream) {
            ASSERT_EQ(stream->records.size(), model.size() / 2);
          }
          if ((*log)->close()) promised = static_cast<std::int64_t>(model.size());
        }
        const bool all_done = fixture.simulation->disk.steps() < failing;
        PartitionFixture found = fixture.after_power_cut(failing);
        const auto log = found.opened();
        ASSERT_NE(log, nullptr);
        ASSERT_GE(log->written_end().value(), promised);
        const std::vector<TestRecord> kept = contents(*log);
        ASSERT_LE(kept.size(), model.size() + 2);  // an append that failed may have reached the disk before it was cut back
        for (std::size_t i = 0; i < std::min(kept.size(), model.size()); ++i) ASSERT_EQ(kept[i], model[i]);
        if (all_done) break;
      }
    }
  }
}

}  // namespace
}  // namespace lungo
