// Goal: whatever of a mirror is damaged, lost or refused by the disk: what it shows is its source's, and filling it mends it.
#include <gtest/gtest.h>

#include "tests/log/mirror_fixture.hpp"
#include "tests/support/log_lines.hpp"

namespace lungo::test {
namespace {

// ---- damage ----

TEST_F(Mirror, DamageThatAReadHasMetIsCutOffAndFetchedAgain) {
  open_with_topic();
  grow_source(300);
  fill(*mirror_, kEvents, source_, 10);
  open();
  flip("00000000000000000000.log", 700);
  const LogLines lines;
  for (Offset from{0};;) {
    const Result<Fetched> fetched = reads().read(kEvents, from, 300);
    if (!fetched) {
      EXPECT_EQ(fetched.error(), Errc::corrupt);
      break;
    }
    ASSERT_LT(fetched->next().offset, Offset{source_.end}) << "the damage was not met";
    from = fetched->next().offset;
  }
  const std::vector<DamagedRange> damage = reads().damage(kEvents);
  ASSERT_EQ(damage.size(), 1u);
  EXPECT_EQ(mirror_->cut(kEvents, Offset{source_.end}).value(), damage.front().from);
  EXPECT_TRUE(reads().damage(kEvents).empty());
  EXPECT_EQ(shown_records(reads(), kEvents), source_.records_in(0, damage.front().from.value()));
  fill(*mirror_, kEvents, source_, 10);
  expect_equal();
  open();
  expect_equal();
}

// Anywhere in what a clean stop has left: what passes its checks stays.
TEST_F(Mirror, DamageThatAnOpeningMeetsIsCutOff) {
  grow_source(60);
  open_with_topic();
  fill(*mirror_, kEvents, source_, 10);
  mirror_.reset();
  const std::unique_ptr<SimDisk> stopped = machine_->disk.durable();
  std::size_t kept = 0;
  for (const std::string& name : names(kMirrorDirectory + "/events-0")) {
    if (!name.ends_with(".log")) continue;
    const std::string path = kMirrorDirectory + "/events-0/" + name;
    const std::uint64_t size = machine_->disk.open(path, OpenMode::read).value()->size().value();
    for (std::uint64_t position = 0; position < size; position += 61) {
      SCOPED_TRACE(name + " byte " + std::to_string(position));
      machine_ = std::make_unique<Simulation>(1, stopped->durable());
      ASSERT_TRUE(machine_->disk.remove(kMirrorDirectory + "/lungo.clean-stop"));  // so that all is read
      ASSERT_TRUE(machine_->disk.remove(kMirrorDirectory + "/recovery-point-offset-checkpoint"));
      flip(name, position);
      const LogLines lines;
      open();
      const Offset end = mirror_->end(kEvents).value();
      ASSERT_LE(end, Offset{source_.end});
      kept += end > Offset{0} ? 1 : 0;
      EXPECT_TRUE(reads().damage(kEvents).empty());
      ASSERT_EQ(shown_records(reads(), kEvents), source_.records_in(0, end.value()));
      fill(*mirror_, kEvents, source_, 10);
      expect_equal();
      mirror_.reset();
      if (HasFailure()) return;
    }
  }
  EXPECT_GT(kept, 20u);
}

TEST_F(Mirror, FilesThatAreLostAreMadeAnew) {
  open_with_topic();
  grow_source(300);
  fill(*mirror_, kEvents, source_, 10);
  source_.delete_below(50);
  ASSERT_TRUE(mirror_->start_at(kEvents, Offset{50}));
  mirror_.reset();
  const std::unique_ptr<SimDisk> stopped = machine_->disk.after_kill();
  const std::string directory = kMirrorDirectory + "/events-0";
  std::vector<std::string> lost{""};
  for (const std::string& name : names(directory)) lost.push_back(name);
  for (const std::string& name : lost) {
    SCOPED_TRACE("without " + name);
    machine_ = std::make_unique<Simulation>(1, stopped->after_kill());
    ASSERT_TRUE(name.empty() ? machine_->disk.remove_all(directory) : machine_->disk.remove(directory + "/" + name));
    const LogLines lines;
    open();
    fill(*mirror_, kEvents, source_, 10);
    expect_equal();
    open();
    expect_equal();
    mirror_.reset();
    if (HasFailure()) return;
  }
}

// ---- what the disk says ----

TEST_F(Mirror, AFullDiskFailsACopyThatIsTakenAgainLater) {
  open_with_topic();
  grow_source(300);
  fill(*mirror_, kEvents, source_, 10, 100);
  int failed = 0;
  for (std::uint64_t room = 0; mirror_->end(kEvents).value() < Offset{source_.end}; room = (room + 97) % 1000) {
    machine_->disk.set_capacity(machine_->disk.used_bytes() + room);
    const std::int64_t from = mirror_->end(kEvents).value().value();
    const std::int64_t to = std::min<std::int64_t>(from + 30, source_.end);
    const Result<void> copied = mirror_->append_copy(kEvents, source_.fetch(from, to, 300));
    if (copied) continue;
    ++failed;
    ASSERT_EQ(copied.error(), Errc::no_space);
    EXPECT_LT(mirror_->end(kEvents).value(), Offset{to});
  }
  EXPECT_GT(failed, 3);
  machine_->disk.set_capacity(std::nullopt);
  ASSERT_TRUE(mirror_->commit(kEvents, Offset{source_.end}));
  expect_equal();
  open();
  expect_equal();
}

TEST_F(Mirror, APartitionThatHasFailedIsTakenUpAgainByEmptyingIt) {
  open_with_topic();
  grow_source(100);
  fill(*mirror_, kEvents, source_, 10, 60);
  const LogLines lines;
  machine_->disk.fail_step(machine_->disk.steps() + 1, Errc::io);  // the write, and what would take it back
  machine_->disk.fail_step(machine_->disk.steps() + 2, Errc::io);
  EXPECT_EQ(mirror_->append_copy(kEvents, source_.fetch(60, 70)).error(), Errc::partition_failed);
  EXPECT_EQ(mirror_->append_copy(kEvents, source_.fetch(60, 70)).error(), Errc::partition_failed);
  EXPECT_EQ(shown_records(reads(), kEvents), source_.records_in(0, 60));
  EXPECT_EQ(mirror_->cut(kEvents, Offset{20}).error(), Errc::partition_failed);
  ASSERT_TRUE(mirror_->empty_from(kEvents, Offset{0}));
  fill(*mirror_, kEvents, source_, 10);
  expect_equal();
}

// Every call of emptying may fail: whatever is left, it is emptied by the next try, or by the next opening.
TEST_F(Mirror, EmptyingThatFailsIsTriedAgain) {
  grow_source(40);
  for (const bool reopens : {false, true}) {
    int failures = 0;
    for (std::uint64_t number = 1;; ++number) {
      SCOPED_TRACE("step " + std::to_string(number) + (reopens ? ", reopened" : ""));
      machine_ = std::make_unique<Simulation>(1);
      const LogLines lines;
      open_with_topic();
      fill(*mirror_, kEvents, source_, 10);
      machine_->disk.fail_step(machine_->disk.steps() + number, Errc::no_space);
      const Result<void> emptied = mirror_->empty_from(kEvents, Offset{1000});
      if (reopens) open();
      MirroredSource other{.records = {}, .start = 1000, .end = 1000};
      std::swap(source_, other);
      grow_source(20);
      fill(*mirror_, kEvents, source_, 10);
      expect_equal();
      std::swap(source_, other);
      mirror_.reset();
      ASSERT_FALSE(HasFailure());
      if (emptied) break;
      ++failures;
    }
    EXPECT_GT(failures, 5);
  }
}

}  // namespace
}  // namespace lungo::test
