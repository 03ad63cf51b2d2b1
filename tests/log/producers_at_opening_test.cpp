// Goal: what a recovery finds of producers that have no snapshot is known when it is over: no append waits for it, or fails for
// it.
#include <gtest/gtest.h>

#include "tests/log/producer_batches.hpp"
#include "tests/support/quiet_log.hpp"

namespace lungo::test {
namespace {

class ProducersAtOpening : public testing::Test {
 protected:
  ProducersAtOpening() : log(fixture.opened()) {}

  void produce(std::int64_t producer, std::int32_t sequence) {
    ASSERT_TRUE(append(*log, produced_by(producer, sequence)));
    ASSERT_TRUE(log->sync());
  }
  void remove_snapshots() {
    for (const std::string& name : fixture.names()) {
      if (!name.ends_with(".snapshot")) continue;
      ASSERT_TRUE(fixture.simulation->disk.remove(fixture.path(name)));
    }
  }
  void reopen(Offset recovery_point) {
    log.reset();
    log = fixture.opened({}, recovery_point);
  }
  /// What a call reads of the disk.
  template <class Call>
  std::uint64_t reads_of(Call call) {
    const std::uint64_t before = fixture.simulation->disk.reads();
    call();
    return fixture.simulation->disk.reads() - before;
  }

  PartitionFixture fixture;
  std::unique_ptr<PartitionLog> log;
};

TEST_F(ProducersAtOpening, TheFirstRollReadsNothing) {
  const SilentLog silent;
  for (int i = 0; i < 3; ++i) produce(1, i);
  reopen(Offset{0});
  EXPECT_EQ(reads_of([&] { ASSERT_TRUE(log->roll()); }), 0u);
  EXPECT_TRUE(append(*log, produced_by(1, 2))->repeated);
}

// As an adopted directory may be, or one that has lost them.
TEST_F(ProducersAtOpening, ALogOfManySegmentsIsReadOnce) {
  const SilentLog silent;
  for (int i = 0; i < 10; ++i) {
    produce(1 + i % 2, i / 2);
    ASSERT_TRUE(log->roll());
  }
  produce(3, 0);
  remove_snapshots();
  const std::uint64_t first = reads_of([&] { reopen(Offset{11}); });
  EXPECT_EQ(reads_of([&] { ASSERT_TRUE(log->roll()); }), 0u);
  reopen(Offset{11});
  EXPECT_LT(reads_of([&] { reopen(Offset{11}); }), first) << "a snapshot is there";
  for (const int producer : {1, 2}) EXPECT_TRUE(append(*log, produced_by(producer, 4))->repeated);
  EXPECT_TRUE(append(*log, produced_by(3, 0))->repeated);
}

TEST_F(ProducersAtOpening, WhatCanNotBeReadThenIsReadLater) {
  const SilentLog silent;
  produce(1, 0);
  ASSERT_TRUE(log->roll());
  produce(2, 0);
  remove_snapshots();
  const std::uint64_t reads = reads_of([&] { reopen(Offset{2}); });
  int opened = 0;
  for (std::uint64_t read = 1; read <= reads; ++read) {
    SCOPED_TRACE(read);
    remove_snapshots();
    log.reset();
    fixture.simulation->disk.fail_read(fixture.simulation->disk.reads() + read, ReadFault::error);
    Result<std::unique_ptr<PartitionLog>> found = fixture.open({}, Offset{2});
    fixture.simulation->disk.clear_faults();
    if (!found) continue;  // another read, which it can't do without
    ++opened;
    EXPECT_TRUE(append(**found, produced_by(1, 0))->repeated);
    EXPECT_TRUE(append(**found, produced_by(2, 0))->repeated);
  }
  EXPECT_GT(opened, 0);
}

}  // namespace
}  // namespace lungo::test
