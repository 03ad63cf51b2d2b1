// Goal: Kafka's rules of idempotent producers (KIP-98; the cases are those of its ProducerStateManagerTest that are about
// data).
#include "producer_state.hpp"

#include <gtest/gtest.h>

#include <limits>

namespace lungo {
namespace {

constexpr std::int32_t kMax = std::numeric_limits<std::int32_t>::max();
constexpr std::chrono::milliseconds kDay = std::chrono::hours{24};
constexpr Timestamp kNow{std::chrono::milliseconds{1'700'000'000'000}};

/// A log of batches of any producers, as long as offsets go.
class Producers : public testing::Test {
 protected:
  static BatchHeader batch(std::int64_t id, std::int16_t epoch, std::int32_t sequence, std::int32_t count = 1) {
    BatchHeader header;
    header.producer = ProducerId{id};
    header.producer_epoch = epoch;
    header.base_sequence = sequence;
    header.last_offset_delta = count - 1;
    header.records_count = count;
    return header;
  }
  /// The first offset, new or known.
  Result<std::int64_t> append(BatchHeader header) {
    const Result<std::optional<ProducedBatch>> known = state.check(header, now);
    if (!known) return known.error();
    if (*known) return (*known)->first().value();
    header.base_offset = end;
    state.note(header, now);
    end = header.end_offset();
    return header.base_offset.value();
  }
  void expect(Errc code, const BatchHeader& header) {
    const Result<std::int64_t> appended = append(header);
    ASSERT_FALSE(appended) << *appended;
    EXPECT_EQ(appended.error(), code);
  }

  ProducerState state{kDay};
  Timestamp now = kNow;
  Offset end{100};
};

TEST_F(Producers, AnUnknownOneBeginsWithAnySequence) {
  EXPECT_EQ(append(batch(1, 0, 0)).value(), 100);
  EXPECT_EQ(append(batch(2, 5, 4711)).value(), 101);
  EXPECT_EQ(append(batch(2, 5, 4712)).value(), 102);
}

// Records from 102 on are damaged.
TEST_F(Producers, WithNothingKnownBehindDamageOneIsInDoubt) {
  ASSERT_EQ(append(batch(1, 0, 0)).value(), 100);
  ASSERT_EQ(append(batch(1, 0, 1)).value(), 101);
  end = Offset{105};
  ASSERT_EQ(append(batch(2, 0, 0)).value(), 105);
  const auto check = [this](const BatchHeader& header) { return state.check(header, now, Offset{102}); };
  EXPECT_EQ(check(batch(1, 0, 2)).error(), Errc::out_of_sequence);
  EXPECT_EQ(check(batch(1, 0, 3)).error(), Errc::out_of_sequence);
  EXPECT_EQ(check(batch(1, 0, 1)).value()->last, Offset{101}) << "a batch that is known";
  EXPECT_EQ(check(batch(1, 1, 0)).value(), std::nullopt) << "a new epoch";
  EXPECT_EQ(check(batch(1, 1, 1)).error(), Errc::out_of_sequence);
  EXPECT_EQ(check(batch(2, 0, 1)).value(), std::nullopt);
  EXPECT_EQ(check(batch(3, 0, 0)).value(), std::nullopt) << "a new producer";
  EXPECT_EQ(check(batch(3, 0, 1)).error(), Errc::out_of_sequence);
  now += kDay;
  EXPECT_EQ(check(batch(2, 0, 1)).error(), Errc::out_of_sequence) << "one that has expired is not known";
}

TEST_F(Producers, SequencesFollowEachOther) {
  EXPECT_EQ(append(batch(1, 0, 0, 3)).value(), 100);
  expect(Errc::out_of_sequence, batch(1, 0, 4));
  expect(Errc::out_of_sequence, batch(1, 0, 2));
  EXPECT_EQ(append(batch(1, 0, 3)).value(), 103);
  EXPECT_EQ(end, Offset{104}) << "what was refused has left nothing";
}

TEST_F(Producers, TheLastFiveBatchesAreAnsweredWithTheirOffsets) {
  for (int i = 0; i < 6; ++i) EXPECT_EQ(append(batch(1, 0, i * 2, 2)).value(), 100 + i * 2);
  for (int i = 1; i < 6; ++i) EXPECT_EQ(append(batch(1, 0, i * 2, 2)).value(), 100 + i * 2);
  EXPECT_EQ(end, Offset{112});
  expect(Errc::out_of_sequence, batch(1, 0, 0, 2));
  EXPECT_EQ(append(batch(1, 0, 12)).value(), 112) << "it goes on where it was";
}

TEST_F(Producers, ADuplicateHasTheSameFirstAndLastSequence) {
  EXPECT_EQ(append(batch(1, 0, 0, 4)).value(), 100);
  expect(Errc::out_of_sequence, batch(1, 0, 0, 3));
  expect(Errc::out_of_sequence, batch(1, 0, 1, 3));
  expect(Errc::out_of_sequence, batch(1, 0, 0, 5));
}

TEST_F(Producers, AnOlderEpochIsFencedEvenWithABatchThatIsThere) {
  EXPECT_EQ(append(batch(1, 3, 0)).value(), 100);
  EXPECT_EQ(append(batch(1, 4, 0)).value(), 101);
  expect(Errc::producer_fenced, batch(1, 3, 0));
  expect(Errc::producer_fenced, batch(1, 3, 1));
}

TEST_F(Producers, ANewEpochBeginsWithSequenceZeroAndForgetsTheBatchesBefore) {
  EXPECT_EQ(append(batch(1, 0, 0, 2)).value(), 100);
  expect(Errc::out_of_sequence, batch(1, 1, 2));
  EXPECT_EQ(append(batch(1, 1, 0, 2)).value(), 102) << "no duplicate of the other epoch's";
  EXPECT_EQ(append(batch(1, 1, 2)).value(), 104);
}

TEST_F(Producers, SequencesWrap) {
  EXPECT_EQ(sequence_after(kMax, 0), kMax);
  EXPECT_EQ(sequence_after(kMax, 1), 0);
  EXPECT_EQ(sequence_after(kMax - 1, 3), 1);
  EXPECT_EQ(sequence_after(kMax, kMax), kMax - 1);
  EXPECT_EQ(append(batch(1, 0, kMax - 1, 2)).value(), 100);
  expect(Errc::out_of_sequence, batch(1, 0, 1));
  EXPECT_EQ(append(batch(1, 0, 0)).value(), 102);
  EXPECT_EQ(append(batch(2, 0, kMax - 1, 4)).value(), 103);
  EXPECT_EQ(append(batch(2, 0, kMax - 1, 4)).value(), 103) << "a duplicate across the end";
  EXPECT_EQ(append(batch(2, 0, 2)).value(), 107);
}

TEST_F(Producers, OneThatIsQuietForTooLongIsForgotten) {
  EXPECT_EQ(append(batch(1, 0, 0)).value(), 100);
  EXPECT_EQ(append(batch(2, 0, 0)).value(), 101);
  now += kDay - std::chrono::milliseconds{1};
  EXPECT_EQ(append(batch(2, 0, 1)).value(), 102);
  expect(Errc::out_of_sequence, batch(1, 0, 7));
  now += std::chrono::milliseconds{1};
  EXPECT_EQ(append(batch(1, 0, 7)).value(), 103) << "as one that was never there";
  expect(Errc::out_of_sequence, batch(2, 0, 7));
  now += kDay;
  EXPECT_EQ(append(batch(3, 0, 0)).value(), 104);
  EXPECT_EQ(state.size(), 1u);
}

TEST_F(Producers, AClockThatGoesBackForgetsNobody) {
  EXPECT_EQ(append(batch(1, 0, 0)).value(), 100);
  now -= 3 * kDay;
  expect(Errc::out_of_sequence, batch(1, 0, 7));
  EXPECT_EQ(append(batch(1, 0, 0)).value(), 100);
}

TEST_F(Producers, OfTooManyTheQuietestGo) {
  ProducerState small{kDay, 16};
  for (int i = 0; i < 100; ++i) {
    small.note(batch(i, 0, 0), now + std::chrono::milliseconds{i});
    small.note(batch(0, 0, i), now + std::chrono::milliseconds{i});
    ASSERT_LE(small.size(), 16u);
  }
  EXPECT_GE(small.size(), 13u);
  const std::vector<Producer> left = small.producers();
  EXPECT_EQ(left.front().id, ProducerId{0}) << "it never was quiet";
  EXPECT_EQ(left.back().id, ProducerId{99});
  EXPECT_GE(left[1].id.value(), 85);
}

TEST_F(Producers, ASnapshotKnowsTheLastBatch) {
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(append(batch(1, 0, i * 2, 2)));
  ProducerState loaded{kDay};
  Producer saved = state.producers().at(0);
  saved.batches[0] = saved.known().back();
  saved.batch_count = 1;
  loaded.add(saved, now);
  EXPECT_EQ(loaded.check(batch(1, 0, 4, 2), now).value()->first(), Offset{104});
  EXPECT_EQ(loaded.check(batch(1, 0, 2, 2), now).error(), Errc::out_of_sequence);
  EXPECT_FALSE(loaded.check(batch(1, 0, 6), now).value());
  Producer older = saved;
  older.epoch = 9;
  loaded.add(older, now);
  EXPECT_EQ(loaded.producers().at(0).epoch, 0) << "what is known already is not replaced";
}

TEST_F(Producers, OfASnapshotNobodyComesBackWhoHasExpired) {
  Producer old{.id = ProducerId{1}, .epoch = 0, .seen = now - kDay};
  state.add(old, now);
  EXPECT_EQ(state.size(), 0u);
  old.seen = Timestamp::min();
  state.add(old, now);
  EXPECT_EQ(state.size(), 0u);
  old.transaction = Offset{5};
  state.add(old, now);
  EXPECT_EQ(state.size(), 1u) << "but a transaction is open";
  Producer ahead{.id = ProducerId{2}, .epoch = 0, .seen = Timestamp::max()};
  state.add(ahead, now);
  EXPECT_EQ(state.producers().at(1).seen, now) << "a clock was ahead";
}

TEST_F(Producers, ATransactionOfKafkasEndsWithItsMarker) {
  BatchHeader data = batch(1, 3, 0, 2);
  data.attributes = 0x10;
  ASSERT_TRUE(append(data));
  data.base_sequence = 2;
  ASSERT_TRUE(append(data));
  EXPECT_EQ(state.producers().at(0).transaction, Offset{100});
  BatchHeader marker = batch(1, 4, -1);
  marker.attributes = 0x30;
  state.note(marker, now);
  EXPECT_FALSE(state.producers().at(0).transaction);
  EXPECT_EQ(state.producers().at(0).epoch, 4);
  EXPECT_EQ(state.producers().at(0).batch_count, 0);
  EXPECT_EQ(append(batch(1, 4, 0)).value(), 104) << "behind a marker with a new epoch it begins anew";
}

}  // namespace
}  // namespace lungo
