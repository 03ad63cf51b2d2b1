// Goal: whichever call to the disk fails, also one that only opens, lists or reads, what was promised is there afterwards, in
// order and once, and nothing that was refused and written over. Method: a small workload runs once for each of its calls,
// which fails, once or from then on; then the disk is well again.
#include <gtest/gtest.h>

#include <lungo/log/local_event_log.hpp>

#include "tests/log/recovered_partition.hpp"
#include "tests/support/quiet_log.hpp"
#include "tests/support/records.hpp"

namespace lungo::test {
namespace {

/// What one log has answered.
struct Answers {
  std::vector<std::string> accepted;  // values, in order
  std::vector<std::string> refused;   // behind them; the first failure may have left its record on the disk
  std::size_t promised = 0;           // of the accepted

  void note(const std::string& value, bool done) {
    if (done) {
      accepted.push_back(value);
      refused.clear();
    } else {
      refused.push_back(value);
    }
  }
  /// Takes a record that was refused and is there all the same for an accepted one.
  void adopt(const std::vector<std::string>& found) {
    if (found.size() == accepted.size() + 1 && std::ranges::count(refused, found.back()) == 1) note(found.back(), true);
  }
};

void expect_kept(const std::vector<std::string>& found, Answers answers) {
  answers.adopt(found);
  ASSERT_GE(found.size(), answers.promised);
  ASSERT_LE(found.size(), answers.accepted.size());
  ASSERT_TRUE(std::equal(found.begin(), found.end(), answers.accepted.begin()));
}

std::vector<std::string> values_in(PartitionLog& log) {
  std::vector<std::string> values;
  for (const TestRecord& record : contents(log)) values.push_back(record.value);
  return values;
}

PartitionFixture fixture_on(std::unique_ptr<SimDisk> disk) {
  PartitionFixture fixture;
  fixture.options.segment_bytes = 600;
  fixture.options.index_interval_bytes = 120;
  fixture.options.streams = true;
  fixture.simulation = std::make_unique<Simulation>(1, std::move(disk));
  return fixture;
}

/// Three lives of a partition: stopped cleanly, killed, cut.
void live(PartitionFixture& fixture, Answers& answers) {
  std::optional<CleanEnd> clean;
  std::int64_t recovery_point = 0;
  for (int life = 0; life < 3; ++life) {
    const Result<std::unique_ptr<PartitionLog>> log = fixture.open(clean, Offset{recovery_point});
    clean.reset();
    if (!log) continue;
    const Result<std::vector<TestRecord>> found = read_all(**log, Offset{0}, (*log)->written_end());
    if (!found) continue;
    std::vector<std::string> values;
    for (const TestRecord& record : *found) values.push_back(record.value);
    answers.adopt(values);
    ASSERT_EQ(values, answers.accepted) << "nothing that was accepted goes while the power is on";
    answers.promised = values.size();
    for (int i = 0; i < 7; ++i) {
      const std::string value = std::to_string(life) + "/" + std::to_string(i) + std::string(60, 'v');
      const Condition condition{.key = "k1", .as_of = (*log)->written_end()};
      answers.note(value, append(**log, {{.key = "k" + std::to_string(i % 3), .value = value}}, LeaderEpoch{life},
                                 i == 4 ? std::optional{condition} : std::nullopt)
                              .has_value());
      if (i % 3 == 2 && (*log)->sync()) answers.promised = answers.accepted.size();
    }
    recovery_point = static_cast<std::int64_t>(answers.promised);
    if (life != 0) continue;
    if (const Result<CleanEnd> end = (*log)->close()) {
      clean = *end;
      answers.promised = answers.accepted.size();
    }
  }
}

/// One run per call that may fail, with each error, once and for ever, until none is left to fail. `run` lets the call of this
/// number fail on the disk it makes and looks at what is left; false when there were fewer calls.
void let_every_call_fail(const std::function<bool(std::uint64_t failing, Errc code, bool for_ever)>& run) {
  const SilentLog silent;
  std::uint64_t runs = 0;
  for (const Errc code : {Errc::io, Errc::no_space}) {
    for (const bool for_ever : {false, true}) {
      bool fails = true;
      for (std::uint64_t failing = 1; fails && !testing::Test::HasFailure(); ++failing) {
        SCOPED_TRACE("call " + std::to_string(failing) + " " + std::string(to_string(code)) + (for_ever ? " for ever" : ""));
        fails = run(failing, code, for_ever);
        ++runs;
      }
    }
  }
  std::cout << "runs with one failing call: " << runs << "\n";
  EXPECT_GT(runs, 1000u);
}

TEST(StorageFaults, EveryCallOfAPartitionMayFail) {
  let_every_call_fail([](std::uint64_t failing, Errc code, bool for_ever) {
    PartitionFixture fixture = fixture_on(std::make_unique<SimDisk>(failing));
    SimDisk& disk = fixture.simulation->disk;
    disk.fail_call(failing, code, for_ever);
    Answers answers;
    live(fixture, answers);
    const bool failed = disk.calls() >= failing;
    for (const auto& left : {disk.after_kill(), disk.durable()}) {
      PartitionFixture found = fixture_on(left->after_kill());
      const auto log = found.opened();
      EXPECT_NE(log, nullptr);
      if (log) expect_kept(values_in(*log), answers);
    }
    return failed;
  });
}

const TopicPartition kPartition{"events", PartitionId{0}};

/// values_of() throws where a read fails.
Result<std::vector<std::string>> values_now(EventLog& log) {
  try {
    return values_of(log, kPartition);
  } catch (const Exception& failure) {
    return Error{Errc::io, failure.what()};
  }
}

/// Three lives of a data directory: stopped cleanly each time, or as cleanly as it can.
void live(const Ports& ports, Answers& answers, bool& has_topic) {
  for (int life = 0; life < 3; ++life) {
    Result<std::shared_ptr<EventLog>> log = open_local("/data", {.ports = &ports});
    if (!log) continue;
    if (has_topic) {
      const Result<std::vector<std::string>> found = values_now(**log);
      if (!found) continue;
      answers.adopt(*found);
      ASSERT_EQ(*found, answers.accepted);
      answers.promised = found->size();
    }
    TopicSpec spec;
    spec.name = kPartition.topic;
    spec.partitions = 1;
    spec.segment_bytes = 700;
    if ((*log)->create_topic(spec)) has_topic = true;
    for (int i = 0; has_topic && i < 6; ++i) {
      const std::string value = std::to_string(life) + "/" + std::to_string(i) + std::string(60, 'v');
      answers.note(value, append_wait(**log, append_of(kPartition, "k", value)).has_value());
      answers.promised = answers.accepted.size();
    }
  }
}

TEST(StorageFaults, EveryCallOfADataDirectoryMayFail) {
  let_every_call_fail([](std::uint64_t failing, Errc code, bool for_ever) {
    Simulation machine{failing};
    machine.disk.fail_call(failing, code, for_ever);
    Answers answers;
    bool has_topic = false;
    live(machine.ports(), answers, has_topic);
    const bool failed = machine.disk.calls() >= failing;
    for (const auto& left : {machine.disk.after_kill(), machine.disk.durable()}) {
      Simulation found{1, left->after_kill()};
      const Ports ports = found.ports();
      const Result<std::shared_ptr<EventLog>> log = open_local("/data", {.ports = &ports});
      EXPECT_TRUE(log) << log.error();
      if (log && has_topic) expect_kept(values_of(**log, kPartition), answers);
    }
    return failed;
  });
}

}  // namespace
}  // namespace lungo::test
