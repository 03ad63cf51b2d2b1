// Goal: what nobody uses costs nothing. After a clean stop a partition is opened when somebody first uses it; until then
// nothing of it is read or written, and the next clean stop says of it what the one before said. After a crash all are
// recovered.
#include <gtest/gtest.h>

#include "tests/log/many_partitions.hpp"
#include "tests/support/log_lines.hpp"
#include "tests/support/quiet_log.hpp"

namespace lungo::test {
namespace {

using Directory = ManyPartitions;

TEST(ManyPartitions, OnlyWhatIsUsedIsOpened) {
  constexpr std::int32_t kPartitions = 10'000;
  const QuietLog quiet;
  Directory directory;
  {
    const auto log = directory.opened();
    TopicSpec spec;
    spec.name = "many";
    spec.partitions = kPartitions;
    ASSERT_TRUE(log->create_topic(spec));
    ASSERT_TRUE(Directory::append(*log, 7));
    ASSERT_TRUE(Directory::append(*log, 9'999));
    EXPECT_EQ(directory.touched, (std::set<std::string>{"many-7", "many-9999"}));
  }
  directory.touched.clear();
  const auto log = directory.opened();
  directory.machine.executor.run_for(std::chrono::minutes{1});
  EXPECT_EQ(log->topics()->size(), 1u);
  EXPECT_TRUE(directory.touched.empty()) << *directory.touched.begin();
  EXPECT_EQ(values_of(*log, many(7)), std::vector<std::string>{"first"});
  EXPECT_EQ(log->ends(many(3)).value().written, Offset{0});
  static_cast<void>(log->read_range(many(9'999), Offset{0}, 1000).has_value());  // whatever this disk has for it
  EXPECT_EQ(log->read(many(4), Offset{0}, 1000)->next().offset, Offset{0});
  EXPECT_EQ(directory.touched, (std::set<std::string>{"many-7", "many-9999"})) << "there is nothing to read in the others";
  EXPECT_EQ(log->read(many(5), Offset{1}, 1000).error(), Errc::offset_out_of_range);
}

TEST(ManyPartitions, OfAnEmptyOneThereIsAnAnswerOnAFullDisk) {
  const QuietLog quiet;
  Directory directory;
  const auto log = directory.opened();
  TopicSpec spec;
  spec.name = "many";
  spec.partitions = 2;
  ASSERT_TRUE(log->create_topic(spec));
  ASSERT_TRUE(Directory::append(*log, 1));
  directory.machine.disk.set_capacity(0);
  ASSERT_EQ(Directory::append(*log, 0).error(), Errc::no_space);
  EXPECT_EQ(log->ends(many(0)).value().committed, Offset{0});
  EXPECT_TRUE(log->read(many(0), Offset{0}, 1000)->empty());
  EXPECT_EQ(values_of(*log, many(1)), std::vector<std::string>{"first"});
}

TEST(ManyPartitions, TheNextCleanStopRepeatsWhatTheLastOneSaid) {
  const QuietLog quiet;
  Directory directory;
  directory.make(20);
  const std::set<std::string> before = partition_lines(directory.marker());
  EXPECT_EQ(before.size(), 20u);
  for (int opening = 0; opening < 3; ++opening) {
    const auto log = directory.opened();
    if (opening == 1) {
      EXPECT_EQ(values_of(*log, many(4)), std::vector<std::string>{"first"});
    }
  }
  EXPECT_EQ(partition_lines(directory.marker()), before);
  const LogLines lines;
  const auto log = directory.opened();
  for (std::int32_t i = 0; i < 20; ++i) EXPECT_EQ(values_of(*log, many(i)), std::vector<std::string>{"first"});
  EXPECT_EQ(lines.count("warning", ""), 0);
}

// Whatever is lost of what was not synced: of partitions that were used since the clean stop and of those that were not.
TEST(ManyPartitions, ACrashBeforeOrAfterSomeWereUsedLosesNothing) {
  constexpr std::int32_t kPartitions = 12;
  const QuietLog quiet;
  Directory directory;
  directory.make(kPartitions);
  const auto log = directory.opened();
  for (std::int32_t used = 0; used <= kPartitions; used += 4) {
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
      SCOPED_TRACE(std::to_string(used) + " were used, seed " + std::to_string(seed));
      Directory crashed(seed == 0 ? directory.machine.disk.after_kill() : directory.machine.disk.after_power_cut(seed));
      const auto again = crashed.opened();
      ASSERT_NE(again, nullptr);
      for (std::int32_t i = 0; i < kPartitions; ++i) {
        std::vector<std::string> expected{"first"};
        if (i < used) expected.emplace_back("second");
        ASSERT_EQ(values_of(*again, many(i)), expected);
        ASSERT_GT(Directory::append(*again, i, "third").value().epoch, LeaderEpoch{2});
      }
    }
    for (std::int32_t i = used; i < std::min(used + 4, kPartitions); ++i) ASSERT_TRUE(Directory::append(*log, i, "second"));
  }
}

// Before every step of the opening, of the first uses and of the next clean stop.
TEST(ManyPartitions, ACrashAtAnyStepOfAFirstUseLosesNothing) {
  constexpr std::int32_t kPartitions = 3;
  const SilentLog silent;
  Directory directory;
  directory.make(kPartitions);
  std::vector<std::size_t> acknowledged(kPartitions, 1);
  int states = 0;
  directory.machine.disk.on_step([&](const DiskStep& step) {
    if (testing::Test::HasFatalFailure()) return;
    SCOPED_TRACE("before step " + std::to_string(step.number) + " " + std::string(step.operation) + " " +
                 std::string(step.path));
    for (std::uint64_t seed = 0; seed < 4; ++seed) {
      Directory crashed(seed == 0 ? directory.machine.disk.after_kill()
                                  : directory.machine.disk.after_power_cut(step.number * 4 + seed));
      const auto log = crashed.opened();
      ASSERT_NE(log, nullptr);
      for (std::int32_t i = 0; i < kPartitions; ++i) {
        const std::vector<std::string> values = values_of(*log, many(i));
        ASSERT_GE(values.size(), acknowledged[static_cast<std::size_t>(i)]);
        ASSERT_LE(values.size(), acknowledged[static_cast<std::size_t>(i)] + 1);
        ASSERT_TRUE(Directory::append(*log, i, "after"));
      }
      ++states;
    }
  });
  for (int opening = 0; opening < 2; ++opening) {
    const auto log = directory.opened();
    for (std::int32_t i = opening; i < opening + 2; ++i) {
      ASSERT_TRUE(Directory::append(*log, i, "second"));
      ++acknowledged[static_cast<std::size_t>(i)];
    }
  }
  directory.machine.disk.on_step(nullptr);
  EXPECT_GT(states, 200);
}

TEST(ManyPartitions, ADamagedOneAnswersAloneWhenItIsUsed) {
  const SilentLog silent;
  Directory directory;
  directory.make(4);
  SimDisk& disk = directory.machine.disk;
  const Bytes batch = *read_file(disk, first_log(1), 1 << 20);
  {  // one where the marker is wrong, and one whose segments overlap
    const auto flipped = disk.open(first_log(1), OpenMode::read_write).value();
    const Bytes last{batch.back() ^ std::byte{1}};
    ASSERT_TRUE(flipped->write_at(batch.size() - 1, last));
    const auto same = disk.open("/data/many-2/00000000000000000000.log", OpenMode::read_write).value();
    ASSERT_TRUE(same->write_at(batch.size(), batch));
  }
  ASSERT_TRUE(disk.rename(first_log(3), "/data/many-3/00000000000000000009.log"));
  for (int opening = 0; opening < 2; ++opening) {
    const auto log = directory.opened();
    ASSERT_NE(log, nullptr);
    EXPECT_EQ(values_of(*log, many(0)).front(), "first");
    EXPECT_TRUE(Directory::append(*log, 0));
    EXPECT_EQ(values_of(*log, many(2)), std::vector<std::string>{"first"}) << "what is behind the end was never promised";
  }
  const auto log = directory.opened();
  EXPECT_EQ(log->read(many(1), Offset{0}, 1000).error(), Errc::corrupt);
  EXPECT_FALSE(log->read(many(3), Offset{0}, 1000));
  EXPECT_EQ(values_of(*log, many(0)).size(), 3u);
}

/// A disk that takes no segments; counts those that somebody wanted to open.
class FullForSegments : public ForwardingStorage {
 public:
  using ForwardingStorage::ForwardingStorage;
  Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override {
    if (!path.ends_with(".log")) return ForwardingStorage::open(path, mode);
    ++wanted;
    return Error{Errc::no_space, path + " has no room"};
  }
  int wanted = 0;
};

TEST(ManyPartitions, AnOpeningThatHasFailedOpensNoMore) {
  const SilentLog silent;
  Directory directory;
  directory.make(40);
  const auto log = directory.opened();
  Directory crashed{directory.machine.disk.durable()};
  FullForSegments full{crashed.machine.disk};
  const Ports ports{full, crashed.ports.clock, crashed.ports.executor, crashed.ports.random};
  LocalOptions options;
  options.ports = &ports;
  EXPECT_EQ(open_local("/data", options).error(), Errc::no_space);
  EXPECT_EQ(full.wanted, 1);
}

TEST(ManyPartitions, OneThatCanNotBeReadNowIsTriedAgain) {
  const SilentLog silent;
  Directory directory;
  directory.make(2);
  const auto log = directory.opened();
  directory.machine.disk.fail_call(directory.machine.disk.calls() + 1, Errc::io);
  EXPECT_EQ(log->read(many(1), Offset{0}, 1000).error(), Errc::io);
  EXPECT_EQ(Directory::append(*log, 1).error(), Errc::io) << "not with each call";
  EXPECT_EQ(values_of(*log, many(0)), std::vector<std::string>{"first"});
  directory.machine.executor.run_for(std::chrono::seconds{2});
  EXPECT_EQ(values_of(*log, many(1)), std::vector<std::string>{"first"});
  EXPECT_TRUE(Directory::append(*log, 1));
}

// After a crash as well: what can't be read is as it was when it can.
TEST(ManyPartitions, OneThatCanNotBeRecoveredNowIsRecoveredLater) {
  const SilentLog silent;
  Directory whole;
  whole.make(3);
  const auto running = whole.opened();
  for (std::int32_t i = 0; i < 3; ++i) ASSERT_TRUE(Directory::append(*running, i, "second"));
  int failed = 0;
  for (std::uint64_t call = 1;; ++call) {
    SCOPED_TRACE(call);
    Directory directory(whole.machine.disk.after_kill());
    SimDisk& disk = directory.machine.disk;
    disk.fail_call(call, Errc::io);
    LocalOptions options;
    options.ports = &directory.ports;
    Result<std::shared_ptr<EventLog>> log = open_local("/data", options);
    if (disk.calls() < call) break;
    if (!log) continue;
    const std::vector<std::string> expected{"first", "second"};
    for (std::int32_t i = 0; i < 3; ++i) {
      if ((*log)->read(many(i), Offset{0}, 1000)) {
        EXPECT_EQ(values_of(**log, many(i)), expected);
      } else {
        ++failed;
      }
    }
    if (call % 2 == 0) {
      directory.machine.executor.run_for(std::chrono::seconds{2});
    } else {
      log->reset();
      log = directory.opened();
    }
    for (std::int32_t i = 0; i < 3; ++i) {
      ASSERT_EQ(values_of(**log, many(i)), expected);
      ASSERT_TRUE(Directory::append(**log, i, "third"));
    }
  }
  EXPECT_GT(failed, 10);
}

// Leader epochs are not under the CRC. The writer's own is later than those of all batches, but it did not look at these.
TEST(ManyPartitions, OneOfALaterEpochThanTheWritersIsReadUntilTheNextStart) {
  const SilentLog silent;
  Directory directory;
  directory.make(2);
  constexpr std::uint64_t kEpochAt = 12;
  const Bytes later{std::byte{0}, std::byte{0}, std::byte{0}, std::byte{9}};
  ASSERT_TRUE(directory.machine.disk.open(first_log(1), OpenMode::read_write).value()->write_at(kEpochAt, later));
  {
    const auto log = directory.opened();
    EXPECT_EQ(values_of(*log, many(1)), std::vector<std::string>{"first"});
    EXPECT_EQ(Directory::append(*log, 1).error(), Errc::corrupt);
    EXPECT_EQ(Directory::append(*log, 0)->epoch, LeaderEpoch{2});
  }
  const auto log = directory.opened();
  EXPECT_EQ(values_of(*log, many(1)), std::vector<std::string>{"first"});
  EXPECT_EQ(Directory::append(*log, 1)->epoch, LeaderEpoch{10});
}

TEST(ManyPartitions, RetentionOpensAFewEachRound) {
  const QuietLog quiet;
  Directory directory;
  TopicSpec spec;
  spec.retention_age = std::chrono::hours{1};
  directory.make(100, spec);
  directory.machine.clock.advance(std::chrono::hours{2});
  const auto log = directory.opened();
  directory.touched.clear();
  directory.machine.executor.run_for(std::chrono::seconds{5});
  EXPECT_GT(directory.touched.size(), 0u);
  EXPECT_LT(directory.touched.size(), 20u);
  directory.machine.executor.run_for(std::chrono::minutes{3});
  for (std::int32_t i = 0; i < 100; ++i) EXPECT_EQ(log->ends(many(i)).value().start, Offset{1});
}

TEST(ManyPartitions, SettingsThatChangeHoldForWhatIsOpenedLater) {
  const QuietLog quiet;
  Directory directory;
  directory.make(2);
  const auto log = directory.opened();
  ASSERT_TRUE(log->alter_topic("many", {.segment_bytes = 512}));
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(Directory::append(*log, 1, std::string(400, 'v')));
  EXPECT_TRUE(*directory.machine.disk.exists("/data/many-1/00000000000000000002.log"));
}

TEST(ManyPartitions, ADeletedTopicsPartitionsAreGoneWhetherUsedOrNot) {
  const QuietLog quiet;
  Directory directory;
  directory.make(3);
  const auto log = directory.opened();
  int told = 0;
  const auto token = log->notify_above(many(2), Offset{1}, [&] { ++told; });
  EXPECT_EQ(told, 0);
  ASSERT_TRUE(log->delete_topic("many"));
  EXPECT_EQ(told, 1);
  EXPECT_EQ(log->read(many(2), Offset{0}, 1000).error(), Errc::not_found);
  EXPECT_EQ(Directory::append(*log, 2).error(), Errc::not_found);
  TopicSpec spec;
  spec.name = "many";
  spec.partitions = 3;
  ASSERT_TRUE(log->create_topic(spec));
  EXPECT_TRUE(values_of(*log, many(2)).empty());
  EXPECT_EQ(Directory::append(*log, 2).value().first, Offset{0});
}

TEST(ManyPartitions, WhoWaitsForOneAtRestIsToldOfTheStop) {
  const QuietLog quiet;
  Directory directory;
  directory.make(2);
  auto log = directory.opened();
  int told = 0;
  const auto early = log->notify_above(many(0), Offset{0}, [&] { ++told; });
  EXPECT_EQ(told, 1) << "its end is known";
  const auto late = log->notify_above(many(0), Offset{1}, [&] { ++told; });
  EXPECT_EQ(told, 1);
  log.reset();
  EXPECT_EQ(told, 2);
}

TEST(ManyPartitions, AReaderOpensWhatItUses) {
  const QuietLog quiet;
  Directory directory;
  directory.make(30);
  const auto log = directory.opened();
  std::set<std::string> touched;
  const std::set<std::string> unreadable;
  WatchedDisk disk{directory.machine.disk, touched, unreadable};
  const Ports ports{disk, directory.ports.clock, directory.ports.executor, directory.ports.random};
  LocalOptions options;
  options.ports = &ports;
  options.read_only = true;
  const auto reader = open_local("/data", options).value();
  directory.machine.executor.run_for(std::chrono::milliseconds{100});
  EXPECT_TRUE(touched.empty());
  EXPECT_EQ(values_of(*reader, many(7)), std::vector<std::string>{"first"});
  EXPECT_EQ(touched, std::set<std::string>{to_string(many(7))});
  int told = 0;
  const auto waiting = reader->notify_above(many(9), Offset{1}, [&] { ++told; });
  ASSERT_TRUE(Directory::append(*log, 9, "second"));
  directory.machine.executor.run_for(std::chrono::milliseconds{100});
  EXPECT_EQ(told, 1) << "who waits is told, whether or not he has read before";
  EXPECT_EQ(touched.size(), 2u);
}

TEST(ManyPartitions, ReadersInOtherProcessesSeeWhatTheWriterHasNotOpened) {
  const QuietLog quiet;
  Directory directory;
  directory.make(3);
  const auto log = directory.opened();
  LocalOptions options;
  options.ports = &directory.ports;
  options.read_only = true;
  const auto reader = open_local("/data", options).value();
  for (std::int32_t i = 0; i < 3; ++i) EXPECT_EQ(values_of(*reader, many(i)), std::vector<std::string>{"first"});
  ASSERT_TRUE(Directory::append(*log, 1, "second"));
  directory.machine.executor.run_for(std::chrono::milliseconds{100});
  EXPECT_EQ(values_of(*reader, many(1)), (std::vector<std::string>{"first", "second"}));
}

}  // namespace
}  // namespace lungo::test
