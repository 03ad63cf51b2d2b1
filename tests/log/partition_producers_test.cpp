// Goal: a partition knows its producers' batches whatever happened to it: rolls, clean stops, crashes, cuts, deletions, lost or
// damaged snapshots, failed writes; and one without producers has nothing to know.
#include "partition_producers.hpp"

#include "producer_batches.hpp"
#include "producer_snapshot.hpp"
#include "segment_directory.hpp"
#include "tests/support/quiet_log.hpp"

namespace lungo::test {
namespace {

class PartitionProducersTest : public testing::Test {
 protected:
  PartitionProducersTest() { reopen(); }

  void reopen(std::optional<CleanEnd> clean = {}, Offset recovery_point = Offset{0}) {
    log.reset();
    log = fixture.opened(clean, recovery_point);
    ASSERT_NE(log, nullptr);
  }
  void stop_and_reopen() {
    const CleanEnd end = log->close().value();
    reopen(end, end.end);
  }
  Result<Appended> produce(std::int64_t producer, std::int32_t sequence, int count = 1, std::int16_t epoch = 0) {
    return append(*log, produced_by(producer, sequence, count, epoch));
  }
  /// `count` batches of two records each.
  void produce_batches(std::int64_t producer, int count, int from = 0) {
    for (int i = from; i < from + count; ++i) ASSERT_TRUE(produce(producer, i * 2, 2));
  }
  /// Batches `from` to `end` of produce_batches() come again: each is answered with its offsets, and none is written.
  void expect_known(std::int64_t producer, int from, int end, Offset first) {
    const Offset log_end = log->written_end();
    for (int i = from; i < end; ++i) {
      const Result<Appended> again = produce(producer, i * 2, 2);
      ASSERT_TRUE(again) << again.error();
      EXPECT_TRUE(again->repeated);
      EXPECT_EQ(again->first, first.plus((i - from) * 2));
      EXPECT_EQ(again->end, again->first.plus(2));
    }
    EXPECT_EQ(log->written_end(), log_end);
  }
  std::vector<std::string> snapshots() {
    std::vector<std::string> found;
    for (const std::string& name : fixture.names()) {
      if (name.ends_with(kSnapshotSuffix)) found.push_back(name);
    }
    return found;
  }
  static std::string snapshot_at(std::int64_t base) { return segment_file_name(Offset{base}, kSnapshotSuffix); }
  std::vector<Producer> snapshot(std::int64_t base) {
    const Bytes bytes = read_file(fixture.simulation->disk, fixture.path(snapshot_at(base)), 1 << 20).value();
    return parse_producer_snapshot(snapshot_at(base), Offset{base}, bytes).value();
  }

  /// Flips a bit in a record of the batch at `offset`, which lies in the first segment.
  void damage_batch_at(Offset offset) {
    const Bytes bytes = read_file(fixture.simulation->disk, fixture.path(kFirstLog), 1 << 20).value();
    std::uint64_t position = 0;
    for (;;) {
      const BatchHeader header = parse_batch_header(BytesView{bytes}.subspan(position)).value();
      if (header.base_offset == offset) break;
      position += header.size_bytes();
    }
    fixture.flip(kFirstLog, position + kBatchHeaderBytes + 8);
  }

  PartitionFixture fixture;
  std::unique_ptr<PartitionLog> log;
};

TEST_F(PartitionProducersTest, ABatchIsWrittenOnceAndAnsweredEachTime) {
  const Appended first = produce(1, 0, 3).value();
  EXPECT_EQ(first.first, Offset{0});
  EXPECT_EQ(first.end, Offset{3});
  EXPECT_FALSE(first.repeated);
  ASSERT_TRUE(append(*log, std::vector<TestRecord>{{.key = "plain", .value = "record"}}, LeaderEpoch{5}));
  const Appended again = produce(1, 0, 3).value();
  EXPECT_EQ(again.first, Offset{0});
  EXPECT_EQ(again.end, Offset{3});
  EXPECT_EQ(again.epoch, LeaderEpoch{0}) << "the epoch of then";
  EXPECT_TRUE(again.repeated);
  EXPECT_EQ(produce(1, 4).error(), Errc::out_of_sequence);
  EXPECT_EQ(produce(1, 3, 1, 1).error(), Errc::out_of_sequence);
  EXPECT_EQ(append(*log, produced_by(1, 0, 1, 1), LeaderEpoch{5})->first, Offset{4});
  EXPECT_EQ(produce(1, 3).error(), Errc::producer_fenced);
  EXPECT_EQ(contents(*log).size(), 5u);
}

TEST_F(PartitionProducersTest, ABatchWithoutAProducerIsWrittenEachTime) {
  for (int i = 0; i < 3; ++i) EXPECT_EQ(append(*log, Produced{})->first, Offset{i});
  ASSERT_TRUE(log->roll());
  ASSERT_TRUE(log->close());
  EXPECT_TRUE(snapshots().empty());
}

TEST_F(PartitionProducersTest, FiveBatchesAreKnownAfterACleanStop) {
  produce_batches(1, 7);
  stop_and_reopen();
  EXPECT_EQ(log->recovery().bytes_scanned, 0u);
  EXPECT_EQ(snapshots(), (std::vector{snapshot_at(14)}));
  expect_known(1, 2, 7, Offset{4});
  EXPECT_EQ(produce(1, 2, 2).error(), Errc::out_of_sequence);
  EXPECT_EQ(produce(1, 14, 2)->first, Offset{14});
}

TEST_F(PartitionProducersTest, FiveBatchesAreKnownAfterACrash) {
  produce_batches(1, 7);
  ASSERT_TRUE(log->sync());
  reopen();
  EXPECT_TRUE(snapshots().empty());
  expect_known(1, 2, 7, Offset{4});
  EXPECT_EQ(produce(1, 14, 2)->first, Offset{14});
}

TEST_F(PartitionProducersTest, TheyAreKnownBehindARunThatMetNone) {
  produce_batches(1, 3);
  ASSERT_TRUE(log->sync());
  reopen();
  stop_and_reopen();
  EXPECT_EQ(log->recovery().bytes_scanned, 0u);
  expect_known(1, 0, 3, Offset{0});
}

TEST_F(PartitionProducersTest, OfASegmentBeforeTheLastBatchIsKnown) {
  produce_batches(1, 7);
  ASSERT_TRUE(log->roll());
  EXPECT_EQ(snapshots(), (std::vector{snapshot_at(14)}));
  produce_batches(2, 2);
  expect_known(1, 2, 7, Offset{4});
  ASSERT_TRUE(log->sync());
  reopen({}, log->synced_end());
  expect_known(1, 6, 7, Offset{12});
  EXPECT_EQ(produce(1, 10, 2).error(), Errc::out_of_sequence);
  expect_known(2, 0, 2, Offset{14});
  EXPECT_EQ(produce(1, 14, 2)->first, Offset{18});
}

TEST_F(PartitionProducersTest, TheSnapshotOfARollIsThatOfItsBase) {
  produce_batches(3, 2);
  produce_batches(1, 1);
  ASSERT_TRUE(log->roll());
  produce_batches(1, 1, 1);
  const std::vector<Producer> saved = snapshot(6);
  ASSERT_EQ(saved.size(), 2u);
  EXPECT_EQ(saved[0].id, ProducerId{1});
  EXPECT_EQ(saved[0].known()[0], (ProducedBatch{.last_sequence = 1, .last = Offset{5}, .offset_delta = 1}));
  EXPECT_EQ(saved[1].known()[0], (ProducedBatch{.last_sequence = 3, .last = Offset{3}, .offset_delta = 1}));
  EXPECT_EQ(saved[0].seen, fixture.simulation->clock.now());
}

TEST_F(PartitionProducersTest, TheNextStopsSnapshotTakesThePlaceOfTheLast) {
  produce_batches(1, 1);
  ASSERT_TRUE(log->roll());
  produce_batches(1, 1, 1);
  stop_and_reopen();
  EXPECT_EQ(snapshots(), (std::vector{snapshot_at(2), snapshot_at(4)}));
  produce_batches(1, 1, 2);
  stop_and_reopen();
  EXPECT_EQ(snapshots(), (std::vector{snapshot_at(2), snapshot_at(6)}));
  ASSERT_TRUE(append(*log, std::vector<TestRecord>{{.key = "plain", .value = "record"}}));
  stop_and_reopen();
  EXPECT_EQ(snapshots(), (std::vector{snapshot_at(2), snapshot_at(6)})) << "nobody asked for the producers";
  expect_known(1, 0, 3, Offset{0});
}

TEST_F(PartitionProducersTest, ADamagedSnapshotIsRemovedAndTheLogTaken) {
  const QuietLog quiet;
  for (int segment = 0; segment < 3; ++segment) {
    produce_batches(1, 1, segment);
    produce_batches(10 + segment, 1);
    ASSERT_TRUE(log->roll());
  }
  const CleanEnd end = log->close().value();
  for (const std::int64_t base : {8, 12}) {
    for (const std::uint64_t byte : {0u, 5u, 20u}) {
      PartitionFixture copy = fixture.after_power_cut(1);
      copy.flip(snapshot_at(base), byte);
      if (base == 8) copy.flip(snapshot_at(12), byte);
      log = copy.opened(end, end.end);
      for (int segment = 0; segment < 3; ++segment) {
        EXPECT_TRUE(produce(10 + segment, 0, 2)->repeated) << base << " " << byte;
      }
      EXPECT_TRUE(produce(1, 4, 2)->repeated);
      EXPECT_EQ(produce(1, 8, 2).error(), Errc::out_of_sequence);
      for (const std::string& name : copy.names()) EXPECT_NE(name, snapshot_at(12));
    }
  }
}

TEST_F(PartitionProducersTest, LostSnapshotsAreMadeAnewOfTheWholeLog) {
  produce_batches(1, 2);
  ASSERT_TRUE(log->roll());
  produce_batches(2, 2);
  ASSERT_TRUE(log->sync());
  ASSERT_TRUE(fixture.simulation->disk.remove(fixture.path(snapshot_at(4))));
  reopen({}, Offset{8});
  expect_known(1, 0, 2, Offset{0});
  expect_known(2, 0, 2, Offset{4});
  ASSERT_TRUE(log->roll());
  EXPECT_EQ(snapshot(8).size(), 2u);
}

TEST_F(PartitionProducersTest, WhatIsCutIsForgotten) {
  produce_batches(1, 3);
  ASSERT_TRUE(log->roll());
  produce_batches(1, 3, 3);
  produce_batches(2, 1);
  stop_and_reopen();
  EXPECT_EQ(snapshots(), (std::vector{snapshot_at(6), snapshot_at(14)}));
  ASSERT_TRUE(log->truncate_to(Offset{8}));
  EXPECT_EQ(snapshots(), (std::vector{snapshot_at(6)}));
  EXPECT_EQ(produce(1, 10, 2).error(), Errc::out_of_sequence);
  EXPECT_TRUE(produce(1, 6, 2)->repeated);
  EXPECT_EQ(produce(1, 8, 2)->first, Offset{8});
  ASSERT_TRUE(log->truncate_to(Offset{4}));
  EXPECT_TRUE(snapshots().empty());
  EXPECT_EQ(produce(1, 4, 2)->first, Offset{4});
  EXPECT_EQ(produce(2, 77)->first, Offset{6}) << "it is as if it had never been there";
}

// A snapshot that outlives the records it speaks of must not speak of those that come in their place.
TEST_F(PartitionProducersTest, ASnapshotAboveTheEndGoesBeforeOtherRecordsCome) {
  const QuietLog quiet;
  produce_batches(1, 1);
  ASSERT_TRUE(log->sync());
  const std::uint64_t size = fixture.file_size(kFirstLog);
  produce_batches(1, 2, 1);
  ASSERT_TRUE(log->close());
  log.reset();
  EXPECT_EQ(snapshots(), (std::vector{snapshot_at(6)}));
  ASSERT_TRUE(fixture.simulation->disk.remove(fixture.path("synced-end")));
  fixture.truncate(kFirstLog, size);  // as if the rest had never reached the disk
  reopen();
  EXPECT_TRUE(snapshots().empty());
  PartitionFixture later = fixture.after_power_cut(3);
  for (const std::string& name : later.names()) EXPECT_FALSE(name.ends_with(kSnapshotSuffix)) << "its removal is durable";
  EXPECT_EQ(produce(1, 2, 2)->first, Offset{2});
  EXPECT_TRUE(produce(1, 0, 2)->repeated);
}

TEST_F(PartitionProducersTest, WhoseRecordsAreDeletedIsStillKnown) {
  produce_batches(1, 2);
  ASSERT_TRUE(log->roll());
  produce_batches(2, 2);
  ASSERT_TRUE(log->roll());
  produce_batches(3, 2);
  ASSERT_TRUE(log->sync());
  ASSERT_TRUE(log->set_start(Offset{8}));
  while (log->remove_trimmed().value()) continue;
  EXPECT_EQ(snapshots(), (std::vector{snapshot_at(8)}));
  fixture.options.start = Offset{8};
  reopen();
  expect_known(1, 1, 2, Offset{2});
  expect_known(2, 1, 2, Offset{6});
  expect_known(3, 0, 2, Offset{8});
}

// A power cut leaves of a snapshot that was not synced what it likes, beside records that are whole.
TEST_F(PartitionProducersTest, ALostSnapshotIsThereAgainBeforeAnotherRecovery) {
  const SilentLog silent;
  produce_batches(1, 2);
  ASSERT_TRUE(log->roll());
  ASSERT_TRUE(append(*log, std::vector<TestRecord>{{.key = "plain", .value = "record"}}));
  ASSERT_TRUE(log->sync());
  fixture.truncate(snapshot_at(4), 1);
  reopen({}, Offset{4});
  EXPECT_EQ(snapshot(4).size(), 1u);
  fixture.simulation->disk.power_cut(1);
  reopen({}, Offset{5});
  expect_known(1, 1, 2, Offset{2});
}

TEST_F(PartitionProducersTest, WhoseRecordsGoIsStillKnownWhereTheSnapshotHasRotted) {
  const SilentLog silent;
  produce_batches(1, 2);
  ASSERT_TRUE(log->roll());
  produce_batches(2, 2);
  ASSERT_TRUE(log->roll());
  produce_batches(3, 2);
  const CleanEnd end = log->close().value();
  fixture.truncate(snapshot_at(8), 1);
  reopen(end, end.end);
  ASSERT_TRUE(log->keep_producers(Offset{9}).value());
  ASSERT_TRUE(log->sync());
  EXPECT_EQ(snapshot(8).size(), 2u);
  ASSERT_TRUE(log->set_start(Offset{9}));
  while (log->remove_trimmed().value()) continue;
  fixture.options.start = Offset{9};
  fixture.simulation->disk.power_cut(1);
  reopen();
  expect_known(1, 1, 2, Offset{2});
  expect_known(2, 1, 2, Offset{6});
  expect_known(3, 0, 2, Offset{8});
}

TEST_F(PartitionProducersTest, ASnapshotBelowTheLogsBeginningGoesAtTheNextOpening) {
  produce_batches(1, 1);
  stop_and_reopen();
  EXPECT_EQ(snapshots(), (std::vector{snapshot_at(2)}));
  produce_batches(1, 1, 1);
  ASSERT_TRUE(log->roll());
  ASSERT_TRUE(log->sync());
  ASSERT_TRUE(log->set_start(Offset{4}));
  while (log->remove_trimmed().value()) continue;
  fixture.options.start = Offset{4};
  reopen();
  EXPECT_EQ(snapshots(), (std::vector{snapshot_at(4)}));
  expect_known(1, 1, 2, Offset{2});
}

// ---- damage ----

TEST_F(PartitionProducersTest, WhatMayBeDamagedIsNotWrittenAgain) {
  const SilentLog silent;
  produce_batches(4, 1);
  produce_batches(1, 3);
  produce_batches(2, 1);
  ASSERT_TRUE(log->sync());
  damage_batch_at(Offset{6});
  reopen();
  ASSERT_EQ(log->damage().size(), 1u);
  EXPECT_EQ(produce(1, 4, 2).error(), Errc::out_of_sequence) << "it is there, and damaged";
  EXPECT_EQ(produce(1, 6, 2).error(), Errc::out_of_sequence);
  expect_known(1, 0, 2, Offset{2});
  expect_known(2, 0, 1, Offset{8});
  EXPECT_EQ(produce(2, 2, 2)->first, Offset{10}) << "nothing of it is missing that came later";
  EXPECT_EQ(produce(3, 5).error(), Errc::out_of_sequence);
  EXPECT_EQ(produce(3, 0)->first, Offset{12});
  EXPECT_EQ(produce(3, 1)->first, Offset{13});
  EXPECT_EQ(produce(1, 0, 1, 1)->first, Offset{14}) << "a new epoch is the way out";
  EXPECT_EQ(produce(1, 1, 1, 1)->first, Offset{15});
  stop_and_reopen();
  EXPECT_EQ(produce(4, 2, 2).error(), Errc::out_of_sequence) << "the stop's snapshot was made behind the damage";
  EXPECT_EQ(produce(1, 2, 1, 1)->first, Offset{16});
}

TEST_F(PartitionProducersTest, WhatACleanStopKnewOfADamagedBatchIsKnown) {
  const SilentLog silent;
  produce_batches(1, 3);
  produce_batches(2, 1);
  ASSERT_TRUE(log->close());
  damage_batch_at(Offset{4});
  reopen();
  ASSERT_EQ(log->damage().size(), 1u);
  expect_known(1, 2, 3, Offset{4});
  EXPECT_EQ(produce(1, 6, 2)->first, Offset{8});
}

// The stop knew batches in the front of the hole, not those of the run that was killed.
TEST_F(PartitionProducersTest, WhatAStopKnewOfAHoleIsNotAllThatWasInIt) {
  const SilentLog silent;
  produce_batches(1, 4);
  stop_and_reopen();
  produce_batches(1, 2, 4);
  produce_batches(2, 1);
  ASSERT_TRUE(log->sync());
  for (const std::int64_t offset : {6, 8, 10}) damage_batch_at(Offset{offset});
  reopen();
  ASSERT_EQ(log->damage().size(), 1u);
  ASSERT_EQ(log->damage()[0].end, Offset{12});
  EXPECT_EQ(produce(1, 8, 2).error(), Errc::out_of_sequence) << "it is there, and damaged";
  EXPECT_EQ(produce(1, 0, 1, 1)->first, Offset{14});
}

TEST_F(PartitionProducersTest, DamageThatIsFoundLaterTakesNothingFromWhatIsKnown) {
  const SilentLog silent;
  produce_batches(1, 3);
  produce_batches(2, 1);
  stop_and_reopen();
  produce_batches(2, 1, 1);
  damage_batch_at(Offset{6});
  EXPECT_EQ(log->read(Offset{6}, log->written_end(), 1, {}, {}).error(), Errc::corrupt);
  ASSERT_EQ(log->damage().size(), 1u);
  EXPECT_EQ(produce(1, 6, 2)->first, Offset{10});
  expect_known(2, 0, 2, Offset{6});
}

TEST_F(PartitionProducersTest, ProducersExpireAcrossARestart) {
  fixture.options.producer_expiry = std::chrono::hours{1};
  reopen();
  produce_batches(1, 1);
  ASSERT_TRUE(log->roll());
  fixture.simulation->clock.advance(std::chrono::minutes{50});
  produce_batches(2, 1);
  stop_and_reopen();
  EXPECT_EQ(produce(1, 77).error(), Errc::out_of_sequence);
  fixture.simulation->clock.advance(std::chrono::minutes{10});
  stop_and_reopen();
  EXPECT_EQ(produce(1, 77)->first, Offset{4});
  EXPECT_EQ(produce(2, 77).error(), Errc::out_of_sequence);
}

TEST_F(PartitionProducersTest, AWriteThatFailsLeavesNothingBehind) {
  for (const Errc code : {Errc::no_space, Errc::io}) {
    fixture.simulation = std::make_unique<Simulation>(1);
    reopen();
    produce_batches(1, 1);
    fixture.simulation->disk.fail_step(fixture.simulation->disk.steps() + 1, code);
    EXPECT_EQ(produce(1, 2, 2).error(), code);
    EXPECT_EQ(produce(1, 4, 2).error(), Errc::out_of_sequence) << "the one behind it finds a gap";
    EXPECT_EQ(produce(1, 2, 2)->first, Offset{2});
    EXPECT_FALSE(produce(1, 4, 2)->repeated);
  }
}

// A roll whose snapshot can't be written is no roll: who is told of it tries again.
TEST_F(PartitionProducersTest, ARollThatFailsChangesNothing) {
  for (std::uint64_t failing = 1;; ++failing) {
    fixture.simulation = std::make_unique<Simulation>(failing);
    reopen();
    produce_batches(1, 2);
    ASSERT_TRUE(log->sync());
    SimDisk& disk = fixture.simulation->disk;
    const std::uint64_t before = disk.steps();
    disk.fail_step(before + failing, Errc::no_space);
    static_cast<void>(log->roll().has_value());
    const bool was_hit = disk.steps() >= before + failing;
    produce_batches(1, 1, 2);
    ASSERT_TRUE(log->roll());
    produce_batches(1, 1, 3);
    ASSERT_TRUE(log->sync());
    reopen({}, log->synced_end());
    expect_known(1, 2, 4, Offset{4});
    if (!was_hit) break;
    ASSERT_LT(failing, 40u);
  }
}

TEST_F(PartitionProducersTest, ItsBatchesShareAStreamTopicsIndexAndIds) {
  fixture.options.streams = true;
  fixture.simulation = std::make_unique<Simulation>(1);
  reopen();
  const std::vector<TestRecord> with_id{{.key = "p1", .value = "first", .id = "one"}};
  ASSERT_TRUE(append(*log, with_id));
  EXPECT_TRUE(append(*log, with_id)->repeated) << "the ids are in use now";
  Produced produced = produced_by(1, 0, 2);
  produced.records.push_back({.key = "p2", .value = "third", .id = "two"});
  ASSERT_TRUE(append(*log, produced, LeaderEpoch{0}, true));
  EXPECT_EQ(append(*log, {{.key = "p2", .value = "third", .id = "two"}})->first, Offset{3});
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(log->read_key("p1", Offset{0}, log->written_end(), 100)->records.size(), 3u);
    EXPECT_EQ(log->read_key("p2", Offset{0}, log->written_end(), 100)->records.size(), 1u);
    EXPECT_EQ(append(*log, {{.key = "p1", .value = "x"}}, LeaderEpoch{0}, Condition{.key = "p1", .as_of = Offset{2}}).error(),
              Errc::conflict);
    if (round == 0) stop_and_reopen();
  }
}

TEST_F(PartitionProducersTest, TheTopicsCodecLeavesItsBatchesAlone) {
  fixture.options.compression = Compression::zstd;
  reopen();
  Produced produced = produced_by(1, 0);
  produced.records[0].value = std::string(1000, 'v');
  const Bytes sent = encode(produced);
  ASSERT_TRUE(append(*log, produced));
  EXPECT_EQ(fixture.file_size(kFirstLog), sent.size());
  ASSERT_TRUE(append(*log, produced.records));
  EXPECT_LT(fixture.file_size(kFirstLog), 2 * sent.size() - 800);
}

TEST_F(PartitionProducersTest, WhereTheLogSaysTheTimeItIsEveryRecords) {
  fixture.options.timestamps = TimestampKind::log_append;
  fixture.options.compression = Compression::gzip;
  reopen();
  ManualClock& clock = fixture.simulation->clock;
  std::vector<std::int64_t> expected;
  const auto note = [&](std::size_t count) {
    expected.insert(expected.end(), count, clock.now().time_since_epoch().count());
    clock.advance(std::chrono::seconds{1});
  };
  ASSERT_TRUE(append(*log, produced_by(1, 0, 2)));
  note(2);
  const std::vector<TestRecord> records{{.key = "k", .value = std::string(500, 'v'), .time = 5},
                                        {.key = "k", .value = "w", .time = 9}};
  ASSERT_TRUE(append(*log, records));
  note(2);
  EncodedRecords one = encode(std::vector{records[0]});
  EncodedRecords other = encode(std::vector{records[1]});
  std::vector<GroupItem> group(2);
  group[0].records = &one;
  group[1].records = &other;
  log->append(group, LeaderEpoch{0});
  note(2);
  for (int round = 0; round < 2; ++round) {
    std::vector<std::int64_t> times;
    for (const TestRecord& record : contents(*log)) times.push_back(record.time);
    EXPECT_EQ(times, expected);
    EXPECT_EQ(log->offset_at(Timestamp{std::chrono::milliseconds{expected[2]}}, log->written_end()).value(), Offset{2});
    reopen();
  }
  EXPECT_EQ(verify_batch(one.stamp(Offset{0}, LeaderEpoch{0}))->max_timestamp.time_since_epoch().count(), 5)
      << "used for another topic, the records have their own times";
}

}  // namespace
}  // namespace lungo::test
