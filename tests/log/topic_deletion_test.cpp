// Goal: a partition whose disk hangs holds up the deletion of its topic, and nobody who wants other topics.
//
// Method: the simulated disk calls the test in the middle of a sync or read, which does then what others would meanwhile: who
// waits there steps all activities but the one that hangs, and time goes on.
#include <gtest/gtest.h>

#include <algorithm>

#include <lungo/log/appender.hpp>
#include <lungo/log/local_event_log.hpp>

#include "open_topics.hpp"
#include "producer_batches.hpp"
#include "tests/support/forwarding_storage.hpp"
#include "tests/support/quiet_log.hpp"
#include "tests/support/records.hpp"
#include "tests/support/simulation.hpp"

namespace lungo {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using test::append_of;

const TopicPartition kGoingEvents{"events", PartitionId{0}};

/// Calls `meanwhile` once, inside the next sync or read of a file in the directory.
class HangingStorage : public test::ForwardingStorage {
 public:
  enum class Call { sync, read };
  using ForwardingStorage::ForwardingStorage;

  Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override {
    Result<std::unique_ptr<File>> file = ForwardingStorage::open(path, mode);
    if (!file) return file;
    return std::unique_ptr<File>(std::make_unique<HangingFile>(*this, path, *std::move(file)));
  }
  void hang_once(Call call, std::string directory, std::function<void()> meanwhile) {
    call_ = call;
    directory_ = std::move(directory);
    meanwhile_ = std::move(meanwhile);
  }
  [[nodiscard]] bool has_hung() const { return !meanwhile_; }

 private:
  class HangingFile : public test::ForwardingFile {
   public:
    HangingFile(HangingStorage& storage, std::string path, std::unique_ptr<File> beneath)
        : ForwardingFile(std::move(beneath)), storage_(storage), path_(std::move(path)) {}
    Result<std::size_t> read_at(std::uint64_t position, std::span<std::byte> out) override {
      storage_.come(Call::read, path_);
      return ForwardingFile::read_at(position, out);
    }
    Result<void> sync() override {
      storage_.come(Call::sync, path_);
      return ForwardingFile::sync();
    }

   private:
    HangingStorage& storage_;
    const std::string path_;
  };

  void come(Call call, const std::string& path) {
    if (!meanwhile_ || call != call_ || parent_directory(path) != directory_) return;
    std::exchange(meanwhile_, nullptr)();
  }

  Call call_ = Call::sync;
  std::string directory_;
  std::function<void()> meanwhile_;
};

class HangingDisk : public testing::Test {
 protected:
  using Call = HangingStorage::Call;

  HangingDisk() {
    open();
    for (const char* name : {"events", "others"}) create(name).value();
    append_wait(*log, append_of(kGoingEvents, "k", "v")).value();
  }
  void open() {
    log.reset();
    log = open_local("/data", {.ports = &ports}).value();
  }
  Result<TopicInfo> create(const std::string& name) { return log->create_topic({.name = name, .partitions = 1}); }
  void run_for(Duration span) { machine.executor.run_for(span); }
  std::ptrdiff_t directories_like(std::string_view part) {
    const std::vector<DirEntry> entries = machine.disk.list("/data").value();
    return std::ranges::count_if(entries, [&](const DirEntry& entry) { return entry.name.find(part) != std::string::npos; });
  }
  void expect_that_the_deletion_gives_up_waiting() {
    const Instant before = machine.clock.monotonic();
    const Result<void> deleted = log->delete_topic("events");
    ASSERT_FALSE(deleted);
    EXPECT_EQ(deleted.error(), Errc::timed_out);
    EXPECT_NE(deleted.error().text().find("topic events is deleted, but events-0 is still"), std::string_view::npos)
        << deleted.error();
    EXPECT_GE(machine.clock.monotonic() - before, seconds{30});
    EXPECT_EQ(log->topic("events").error(), Errc::not_found);
    EXPECT_EQ(log->delete_topic("events").error(), Errc::not_found) << "it is gone";
    EXPECT_EQ(to_string(create("events").error()),
              "busy: topic events is being deleted; its name is free when events-0 is not written to any more");
  }
  void expect_that_others_come_and_go() {
    create("new").value();
    append_wait(*log, append_of({"new", PartitionId{0}}, "k", "v")).value();
    log->alter_topic("new", {.flush_interval = milliseconds{7}}).value();
    log->add_partitions("new", 3).value();
    append_wait(*log, append_of({"others", PartitionId{0}}, "k", "v")).value();
    log->delete_records({"others", PartitionId{0}}, Offset{1}).value();
    log->delete_topic("others").value();
    create("others").value();
  }
  void expect_that_its_name_is_free() {
    create("events").value();
    append_wait(*log, append_of(kGoingEvents, "k", "v")).value();
    EXPECT_EQ(log->ends(kGoingEvents)->committed, Offset{1}) << "nothing of the one before";
    run_for(seconds{1});
    EXPECT_EQ(directories_like("-delete"), 0);
  }

  const test::SilentLog silent;
  test::Simulation machine{1};
  HangingStorage storage{machine.disk};
  const Ports ports{storage, machine.clock, machine.executor, machine.random};
  std::shared_ptr<EventLog> log;
};

TEST_F(HangingDisk, ASyncThatHangsHoldsUpItsOwnTopicAlone) {
  const std::shared_ptr<Appender> appender = log->appender(kGoingEvents).value();
  int completed = 0;
  storage.hang_once(Call::sync, "/data/events-0", [&] {
    expect_that_the_deletion_gives_up_waiting();
    expect_that_others_come_and_go();
    EXPECT_EQ(appender->append_wait({.timestamp = {}, .headers = {}}).error(), Errc::not_found) << "at once";
    EXPECT_EQ(completed, 0);
    EXPECT_EQ(directories_like("events-0"), 1) << "under its name";
  });
  log->append(append_of(kGoingEvents, "k", "v"), [&](const Result<Appended>&) { ++completed; });
  run_for(seconds{1});
  ASSERT_TRUE(storage.has_hung());
  EXPECT_EQ(completed, 1);
  run_for(seconds{1});  // the one before ended in the middle of it
  expect_that_its_name_is_free();
}

TEST_F(HangingDisk, ACallerWhoSyncsForHimselfIsToldWhatBecameOfHisRecord) {
  storage.hang_once(Call::sync, "/data/events-0", [&] {
    expect_that_the_deletion_gives_up_waiting();
    expect_that_others_come_and_go();
  });
  EXPECT_EQ(append_wait(*log, append_of(kGoingEvents, "k", "v")).value().first, Offset{1}) << "it was on disk in the end";
  ASSERT_TRUE(storage.has_hung());
  run_for(seconds{1});
  expect_that_its_name_is_free();
}

TEST_F(HangingDisk, AnOpeningThatHangsHoldsUpItsOwnTopicAlone) {
  open();  // where nobody has used the partition yet
  storage.hang_once(Call::read, "/data/events-0", [&] {
    expect_that_the_deletion_gives_up_waiting();
    expect_that_others_come_and_go();
  });
  EXPECT_EQ(append_wait(*log, append_of(kGoingEvents, "k", "v")).error(), Errc::not_found);
  ASSERT_TRUE(storage.has_hung());
  run_for(seconds{1});
  expect_that_its_name_is_free();
}

/// Looks at the partition while it is being opened, which fails.
class LookingOpener : public PartitionOpener {
 public:
  Result<std::shared_ptr<PartitionLog>> open_partition(const std::shared_ptr<OpenPartition>& partition,
                                                       PartitionAtRest& /*rest*/) override {
    EXPECT_EQ(partition->synced_end(), std::nullopt);
    EXPECT_FALSE(partition->keep_at_rest(Error{Errc::not_found, "deleted"}));
    return Error{Errc::io, "no"};
  }
  std::optional<PartitionAtRest> close_partition(const OpenPartition& /*partition*/,
                                                 const std::shared_ptr<PartitionLog>& /*log*/) override {
    return std::nullopt;
  }
};

// Recovery points are noted under the lock of the topics.
TEST(APartitionThatIsBeingOpened, IsNotWaitedForByWhoNotesItsEndOrDeletesIt) {
  LookingOpener opener;
  const auto partition = std::make_shared<OpenPartition>(
      kGoingEvents, TopicId{}, PartitionAtRest{.start = Offset{1}, .synced = Offset{2}, .clean = {}, .failure = {}}, opener);
  EXPECT_EQ(partition->touch().error(), Errc::io);
  EXPECT_EQ(partition->synced_end(), Offset{2});
  EXPECT_TRUE(partition->keep_at_rest(Error{Errc::not_found, "deleted"}));
  EXPECT_EQ(partition->touch().error(), Errc::not_found);
}

TEST_F(HangingDisk, WhatHungUpToTheEndIsGoneAtTheNextStart) {
  storage.hang_once(Call::sync, "/data/events-0", [&] { expect_that_the_deletion_gives_up_waiting(); });
  append_wait(*log, append_of(kGoingEvents, "k", "v")).value();
  open();
  EXPECT_EQ(log->topic("events").error(), Errc::not_found);
  run_for(seconds{1});
  EXPECT_EQ(directories_like("events"), 0);
  expect_that_its_name_is_free();
}

// Deleting records makes durable what is known of the producers of those that go.
TEST_F(HangingDisk, RecordsThatGoOnADiskThatHangsHoldUpNoTopic) {
  const std::shared_ptr<Appender> appender = log->appender(kGoingEvents).value();
  const Bytes batch = test::encode(test::produced_by(7, 0));
  appender->append_batch(batch, {}).value();
  storage.hang_once(Call::sync, "/data/events-0", [&] { expect_that_others_come_and_go(); });
  EXPECT_EQ(log->delete_records(kGoingEvents, Offset{2}).value(), Offset{2});
  ASSERT_TRUE(storage.has_hung());
}

TEST_F(HangingDisk, RecordsAndThenTheirTopicGoWhileTheDiskHangs) {
  log->appender(kGoingEvents).value()->append_batch(test::encode(test::produced_by(7, 0)), {}).value();
  storage.hang_once(Call::sync, "/data/events-0", [&] { expect_that_the_deletion_gives_up_waiting(); });
  static_cast<void>(log->delete_records(kGoingEvents, Offset{2}).has_value());
  ASSERT_TRUE(storage.has_hung());
  run_for(seconds{1});
  expect_that_its_name_is_free();
}

}  // namespace
}  // namespace lungo
