// Goal: wherever its process is killed or the power fails, at whatever byte, and again while it recovers, a mirror opens; what
// it has then is what its source had, at the same offsets, from its start up to its end; and filling it goes on to equality.
// Method: as storage_crash_test.cpp: a script on the simulated disk (copies with holes, starts that move, cuts, sources that
// are made anew, topics forgotten, clean stops, power cuts of its own), and CrashStates around each of its steps.
#include <gtest/gtest.h>

#include <cstdio>
#include <set>

#include "tests/log/mirrored_source.hpp"
#include "tests/support/crash_states.hpp"
#include "tests/support/quiet_log.hpp"
#include "tests/support/simulation.hpp"

namespace lungo::test {
namespace {

constexpr std::string_view kScript = "aaafeaafhafdeafuafcafaaferaafeXafadfhheafecfufutafeahfmafraftafeXcaaf";
const std::string kDirectory = "/mirror";
const TopicPartition kPartition{"events", PartitionId{0}};

TopicInfo mirrored_topic() {
  TopicInfo info;
  info.spec.name = kPartition.topic;
  info.spec.partitions = 1;
  info.spec.streams = true;
  info.spec.segment_bytes = 600;
  info.id.bytes[0] = 7;
  return info;
}

std::unique_ptr<MirrorLog> opened_mirror(const Ports& ports) {
  Result<std::unique_ptr<MirrorLog>> mirror = open_mirror(kDirectory, "cluster", {.ports = &ports});
  EXPECT_TRUE(mirror) << mirror.error();
  if (!mirror) return nullptr;
  const Result<void> made = (*mirror)->make_topic(mirrored_topic());
  EXPECT_TRUE(made) << made.error();
  return std::move(*mirror);
}

class MirrorScript {
 public:
  MirrorScript(std::uint64_t seed, CrashStates& states)
      : random_(seed), states_(states), machine_(seed), ports_(machine_.ports()) {}

  void run() {
    states_.watch(
        machine_.disk, [this] { return version_; },
        [this](std::unique_ptr<SimDisk> found, const auto& situation) { check(std::move(found), situation); });
    mirror_ = opened_mirror(ports_);
    for (const char step : kScript) {
      if (testing::Test::HasFailure()) break;
      operate(step);
      ++version_;
    }
    mirror_.reset();
    CrashStates::unwatch(machine_.disk);
  }

 private:
  void operate(char step) {
    const Offset end = mirror_->end(kPartition).value();
    switch (step) {
      case 'a':  // the source goes on
        for (std::uint64_t left = 1 + random_.below(8); left > 0; --left) add_record();
        return;
      case 'h':  // ... without a record
        return source_.skip(1 + static_cast<std::int64_t>(random_.below(30)));
      case 'd':
        return source_.delete_below(source_.start + static_cast<std::int64_t>(random_.below(end.value() + 1)) / 2);
      case 't':  // ... further than the mirror has come
        return source_.delete_below(source_.end + static_cast<std::int64_t>(random_.below(20)));
      case 'r':
        source_ = {};
        ++incarnation_;
        for (std::uint64_t left = random_.below(30); left > 0; --left) add_record();
        return;
      case 'f':
        return fill(*mirror_, kPartition, source_, 1 + static_cast<std::int64_t>(random_.below(9)));
      case 'e':  // upkeep
        return machine_.executor.run_for(std::chrono::milliseconds{20});
      case 'u':
        ASSERT_TRUE(mirror_->cut(kPartition, Offset{static_cast<std::int64_t>(random_.below(end.value() + 1))}));
        return;
      case 'm':
        ASSERT_TRUE(mirror_->forget_topic(kPartition.topic));
        ASSERT_TRUE(mirror_->make_topic(mirrored_topic()));
        return;
      case 'c':
        mirror_.reset();
        ++version_;
        mirror_ = opened_mirror(ports_);
        return;
      default:
        machine_.disk.power_cut(random_.next());
        mirror_.reset();  // what it tries on its way out fails: its files are dead
        machine_.disk.power_cut(random_.next());
        mirror_ = opened_mirror(ports_);
        expect_part_of_a_source(*mirror_);
    }
  }

  void add_record() {
    if (random_.one_in(4)) source_.skip(1 + static_cast<std::int64_t>(random_.below(3)));
    const std::string value = std::to_string(incarnation_) + "/" + std::to_string(source_.end);
    all_[incarnation_][source_.end] = {
        .key = "key " + std::to_string(random_.below(5)), .value = value, .time = 1000 + source_.end};
    source_.add(all_[incarnation_][source_.end]);
  }

  /// Of one that is or was.
  void expect_part_of_a_source(MirrorLog& mirror) {
    const Ends ends = mirror.reads().ends(kPartition).value();
    const Offset end = mirror.end(kPartition).value();
    ASSERT_EQ(ends.committed, end);
    const std::map<std::int64_t, TestRecord> shown = shown_records(mirror.reads(), kPartition);
    std::set<int> fitting;
    for (const auto& [incarnation, records] : all_) {
      const std::map<std::int64_t, TestRecord> expected{records.lower_bound(ends.start.value()),
                                                        records.lower_bound(end.value())};
      if (shown == expected) fitting.insert(incarnation);
    }
    ASSERT_TRUE(shown.empty() || !fitting.empty())
        << shown.size() << " records in [" << ends.start.value() << ", " << end.value() << ") are of no source";
    kept += shown.empty() ? 0 : 1;
  }

  void expect_equal(MirrorLog& mirror) {
    const Ends ends = mirror.reads().ends(kPartition).value();
    ASSERT_EQ(ends.start, Offset{source_.start});
    ASSERT_EQ(ends.committed, Offset{source_.end});
    ASSERT_EQ(shown_records(mirror.reads(), kPartition), source_.records);
    for (int key = 0; key < 5; ++key) {
      const std::string name = "key " + std::to_string(key);
      std::map<std::int64_t, TestRecord> expected = source_.records;
      std::erase_if(expected, [&](const auto& entry) { return entry.second.key != name; });
      ASSERT_EQ(records_of_key(mirror.reads(), kPartition, name), expected) << name;
    }
  }

  void check(std::unique_ptr<SimDisk> disk, const CrashStates::Situation& situation) {
    Simulation found{1, std::move(disk)};
    const Ports ports = found.ports();
    if (situation.deep) {
      states_.watch_recovery(found.disk, version_,
                             [this](std::unique_ptr<SimDisk> again, const auto& inside) { check(std::move(again), inside); });
    }
    std::unique_ptr<MirrorLog> mirror = opened_mirror(ports);
    ASSERT_NE(mirror, nullptr);
    const Result<Offset> end = mirror->end(kPartition);
    CrashStates::unwatch(found.disk);
    ASSERT_TRUE(end) << end.error();
    expect_part_of_a_source(*mirror);
    fill(*mirror, kPartition, source_, 10);
    expect_equal(*mirror);
    if (!situation.deep || testing::Test::HasFailure()) return;
    found.executor.run_for(std::chrono::milliseconds{20});
    mirror.reset();
    Simulation last{1, found.disk.durable()};
    const Ports last_ports = last.ports();
    const std::unique_ptr<MirrorLog> again = opened_mirror(last_ports);
    ASSERT_NE(again, nullptr);
    ASSERT_TRUE(agrees(*again, kPartition, source_)) << "a clean stop keeps everything";
    ASSERT_EQ(again->end(kPartition).value(), Offset{source_.end});
    expect_equal(*again);
  }

 public:
  std::size_t kept = 0;  // states that had records

 private:
  Random random_;
  CrashStates& states_;
  Simulation machine_;
  const Ports ports_;
  std::unique_ptr<MirrorLog> mirror_;
  MirroredSource source_;
  int incarnation_ = 0;
  std::map<int, std::map<std::int64_t, TestRecord>> all_;  // of each incarnation, also what it has deleted
  std::uint64_t version_ = 0;                              // of the source
};

TEST(MirrorCrash, OpensAsAPartOfItsSourceAndIsFilledAtAnyByte) {
  const SilentLog quiet;
  const std::uint64_t first = test_seed(1);
  CrashStates states{first, 12'000, {.survivors_per_step = 6, .deep_one_in = 100, .every_byte = false}};
  std::size_t kept = 0;
  for (std::uint64_t seed = first; !states.enough(); ++seed) {
    SCOPED_TRACE("LUNGO_TEST_SEED=" + std::to_string(seed));
    MirrorScript script{seed, states};
    script.run();
    kept += script.kept;
  }
  EXPECT_GT(kept, states.looked_at() / 3);
  std::printf("states: %zu distinct, %zu looked at; with records: %zu\n", states.distinct(), states.looked_at(), kept);
}

}  // namespace
}  // namespace lungo::test
