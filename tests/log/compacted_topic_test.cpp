// Goal: an open log compacts its topics by their settings, beside appends and readers, and remembers how far.
#include <gtest/gtest.h>

#include <lungo/log/appender.hpp>
#include <lungo/log/local_event_log.hpp>

#include "tests/support/quiet_log.hpp"
#include "tests/support/simulation.hpp"

namespace lungo::test {
namespace {

std::string padded(std::int64_t number) { return std::to_string(number) + std::string(30, '.'); }

class CompactedTopic : public testing::Test, QuietLog {
 protected:
  CompactedTopic() {
    spec.name = "state";
    spec.partitions = 1;
    spec.compact = true;
    spec.segment_bytes = 512;
    reopen();
  }
  ~CompactedTopic() override { log.reset(); }
  void reopen() {
    log.reset();
    log = open_local("/data", {.ports = &ports}).value();
  }
  Result<Appended> put(std::optional<std::string> key, std::optional<std::string> value) {
    AppendRequest request{.to = partition, .records = {}, .condition = {}, .since = {}};
    const auto view = [](const std::optional<std::string>& text) {
      return text ? std::optional{as_bytes(*text)} : std::nullopt;
    };
    request.records.add({.timestamp = machine.clock.now(), .key = view(key), .value = view(value), .headers = {}}).value();
    return append_wait(*log, std::move(request));
  }
  void put_many(int count) {
    for (int i = 0; i < count; ++i) ASSERT_TRUE(put("k" + std::to_string(i % 3), padded(i)));
  }
  std::size_t tombstones() {
    return records_in(*log, [](const RecordView& record) { return !record.has_value; });
  }
  std::size_t records_in(
      EventLog& of, const std::function<bool(const RecordView&)>& counts = [](const auto&) { return true; }) {
    std::size_t count = 0;
    Offset at = of.ends(partition)->start;
    const Offset end = of.ends(partition)->committed;
    while (at < end) {
      const Fetched fetched = of.read(partition, at, 1 << 20).value();
      RecordCursor cursor = fetched.records();
      while (const RecordView* record = cursor.next()) count += counts(*record) ? 1 : 0;
      at = fetched.next().offset;
    }
    return count;
  }
  std::string checkpoint() {
    const Result<Bytes> text = read_file(machine.disk, "/data/cleaner-offset-checkpoint", 1000);
    return text ? std::string(as_text(*text)) : "";
  }

  Simulation machine{1};
  const Ports ports = machine.ports();
  const TopicPartition partition{"state", PartitionId{0}};
  TopicSpec spec;
  std::shared_ptr<EventLog> log;
};

TEST_F(CompactedTopic, IsCompactedAlsoWhereNobodySyncs) {
  spec.ack_level = AckLevel::isr;
  spec.flush_interval = kFlushNever;
  ASSERT_TRUE(log->create_topic(spec));
  put_many(60);
  machine.executor.run_for(std::chrono::seconds{25});
  EXPECT_LT(records_in(*log), 10u);
}

TEST_F(CompactedTopic, HowOftenIsASetting) {
  ASSERT_TRUE(log->create_topic(spec));
  for (const auto& [interval, is_compacted] : {std::pair{std::chrono::seconds{1}, true}, {std::chrono::seconds{100}, false}}) {
    log.reset();
    log = open_local("/data", {.ports = &ports, .compaction_interval = interval}).value();
    machine.executor.run_for(std::chrono::milliseconds{100});
    const std::size_t before = records_in(*log);
    put_many(60);
    machine.executor.run_for(std::chrono::seconds{5});
    EXPECT_EQ(records_in(*log) < before + 60, is_compacted) << interval.count();
  }
}

TEST_F(CompactedTopic, IsCompactedInTheBackgroundAndRemembersHowFar) {
  ASSERT_TRUE(log->create_topic(spec));
  put_many(60);
  EXPECT_EQ(records_in(*log), 60u);
  machine.executor.run_for(std::chrono::seconds{25});
  EXPECT_LT(records_in(*log), 10u);
  const std::string noted = checkpoint();
  EXPECT_TRUE(noted.starts_with("0\n1\nstate 0 5")) << noted;
  for (const DirEntry& file : machine.disk.list("/data/state-0").value()) {
    EXPECT_FALSE(file.name.ends_with(".deleted")) << file.name << " takes room for nothing";
  }
  reopen();
  const std::uint64_t steps = machine.disk.steps();
  machine.executor.run_for(std::chrono::seconds{5});
  EXPECT_EQ(checkpoint(), noted);
  EXPECT_LT(machine.disk.steps() - steps, 10u) << "it does not begin again";
}

// What is damaged takes part in no round. Mended, it has to: its tombstones must not go before what they hide.
TEST_F(CompactedTopic, BeginsAgainWhereSomethingWasDamaged) {
  const test::SilentLog silent;
  ASSERT_TRUE(log->create_topic(spec));
  put_many(60);
  std::vector<std::string> names;
  for (const DirEntry& file : machine.disk.list("/data/state-0").value()) {
    if (file.name.ends_with(".log")) names.push_back(file.name);
  }
  const auto flip = [&] {
    const auto file = machine.disk.open("/data/state-0/" + names.at(2), OpenMode::read_write).value();
    std::byte byte{};
    ASSERT_EQ(*file->read_at(70, {&byte, 1}), 1u);
    byte ^= std::byte{1};
    ASSERT_TRUE(file->write_at(70, {&byte, 1}));
  };
  const auto cleaned = [&] { return std::stoll(checkpoint().substr(checkpoint().rfind(' '))); };
  log.reset();
  flip();
  reopen();
  ASSERT_TRUE(log->ends(partition));  // opens it
  machine.executor.run_for(std::chrono::seconds{45});
  const std::vector<DamagedRange> damage = log->damage(partition);
  ASSERT_EQ(damage.size(), 1u);
  ASSERT_GT(cleaned(), damage[0].end.value());

  log.reset();
  flip();
  ASSERT_TRUE(machine.disk.remove("/data/state-0/damage"));  // as it is to be after a mend
  reopen();
  EXPECT_TRUE(log->damage(partition).empty());
  put_many(30);
  machine.executor.run_for(std::chrono::seconds{25});
  EXPECT_LT(records_in(*log), 10u) << "what was mended has given place to later ones";
}

TEST_F(CompactedTopic, WaitsUntilEnoughIsDirty) {
  spec.dirty_ratio_min = 1;
  ASSERT_TRUE(log->create_topic(spec));
  put_many(60);
  machine.executor.run_for(std::chrono::seconds{25});
  EXPECT_LT(records_in(*log), 10u) << "all of it was";
  put_many(60);
  const std::size_t before = records_in(*log);
  machine.executor.run_for(std::chrono::seconds{25});
  EXPECT_EQ(records_in(*log), before);
  TopicChange change;
  change.dirty_ratio_min = 0.3;
  ASSERT_TRUE(log->alter_topic("state", change));
  machine.executor.run_for(std::chrono::seconds{25});
  EXPECT_LT(records_in(*log), 10u);
}

TEST_F(CompactedTopic, LeavesYoungRecordsAlone) {
  spec.compaction_lag = std::chrono::minutes{5};
  ASSERT_TRUE(log->create_topic(spec));
  put_many(60);
  machine.executor.run_for(std::chrono::seconds{100});
  EXPECT_EQ(records_in(*log), 60u);
  machine.executor.run_for(std::chrono::seconds{250});
  EXPECT_LT(records_in(*log), 10u);
}

TEST_F(CompactedTopic, DropsTombstonesInTheEnd) {
  spec.tombstone_age = std::chrono::hours{1};
  spec.dirty_ratio_min = 0;
  ASSERT_TRUE(log->create_topic(spec));
  put_many(30);
  for (int key = 0; key < 3; ++key) ASSERT_TRUE(put("k" + std::to_string(key), std::nullopt));
  for (int i = 0; i < 30; ++i) ASSERT_TRUE(put("other", padded(i)));
  machine.executor.run_for(std::chrono::seconds{25});
  EXPECT_EQ(tombstones(), 3u);
  machine.clock.advance(std::chrono::hours{2});
  for (int i = 0; i < 30; ++i) ASSERT_TRUE(put("other", padded(i)));
  machine.executor.run_for(std::chrono::seconds{25});
  EXPECT_EQ(tombstones(), 0u);
}

TEST_F(CompactedTopic, RefusesRecordsWithoutAKey) {
  ASSERT_TRUE(log->create_topic(spec));
  EXPECT_EQ(put(std::nullopt, "v").error(), Errc::invalid_argument);
  const std::shared_ptr<Appender> appender = log->appender(partition).value();
  const RecordFields keyless{.timestamp = machine.clock.now(), .key = {}, .value = as_bytes("v"), .headers = {}};
  EXPECT_EQ(appender->append_wait(keyless).error(), Errc::invalid_argument);
  int refused = 0;
  const auto count = [&](const Result<Appended>& outcome) { refused += !outcome && outcome.error() == Errc::invalid_argument; };
  appender->append(keyless, count);
  AppendRequest request{.to = partition, .records = {}, .condition = {}, .since = {}};
  request.records.add({.timestamp = machine.clock.now(), .key = as_bytes("k"), .value = {}, .headers = {}}).value();
  request.records.add(keyless).value();
  log->append(std::move(request), count);
  EXPECT_EQ(refused, 2);
  EXPECT_EQ(log->ends(partition)->committed, Offset{0});
  EXPECT_TRUE(put("k", "v"));
}

TEST_F(CompactedTopic, GoesWhileItIsCompacted) {
  spec.segment_bytes = 64u << 10;
  ASSERT_TRUE(log->create_topic(spec));
  put_many(3000);
  machine.executor.run_for(std::chrono::milliseconds{10'001});
  ASSERT_TRUE(log->delete_topic("state"));
  ASSERT_TRUE(log->create_topic(spec));
  put_many(3);
  machine.executor.run_for(std::chrono::seconds{25});
  EXPECT_EQ(records_in(*log), 3u);
}

TEST_F(CompactedTopic, IsFollowedByAReader) {
  ASSERT_TRUE(log->create_topic(spec));
  put_many(20);
  const std::shared_ptr<EventLog> reader = open_local("/data", {.ports = &ports, .read_only = true}).value();
  put_many(40);
  machine.executor.run_for(std::chrono::seconds{25});
  put_many(10);
  machine.executor.run_for(std::chrono::seconds{1});
  EXPECT_EQ(reader->ends(partition)->committed, Offset{70});
  EXPECT_GE(records_in(*reader), records_in(*log));
  const std::shared_ptr<EventLog> later = open_local("/data", {.ports = &ports, .read_only = true}).value();
  EXPECT_EQ(records_in(*later), records_in(*log));
}

}  // namespace
}  // namespace lungo::test
