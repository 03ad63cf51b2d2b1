#include "client/kafka_mirror.hpp"

#include <gtest/gtest.h>

#include <string>

#include "client/kafka_proof.hpp"
#include "tests/support/quiet_log.hpp"
#include "tests/support/records.hpp"
#include "tests/support/simulation.hpp"

namespace lungo::test {
namespace {

const TopicPartition kEvents{"events", PartitionId{0}};

/// What a cluster has of a partition, and how it comes.
class Mirrored : public testing::Test {
 protected:
  Mirrored() { reopen(); }

  void reopen() {
    mirror.reset();
    mirror = std::make_unique<KafkaMirror>(open_mirror("mirror", "cluster-1", {.ports = &ports}).value());
    mirror->make_topic({.spec = {.name = "events", .partitions = 1, .streams = !compact, .compact = compact}, .id = id})
        .value();
  }
  /// A run with records at these offsets, each with a value that names it.
  RdkRun run(const std::vector<std::int64_t>& offsets, std::optional<std::int64_t> end = std::nullopt) {
    RdkRun run{.partition = {"on-kafka", PartitionId{0}}, .records = {}, .end = std::nullopt, .error = std::nullopt};
    for (const std::int64_t offset : offsets) {
      texts.push_back(std::make_unique<std::string>(word + std::to_string(offset)));
      run.records.push_back({.offset = Offset{offset},
                             .time = Timestamp{std::chrono::milliseconds{offset}},
                             .key = as_bytes(key),
                             .value = as_bytes(*texts.back())});
    }
    if (end) run.end = Offset{*end};
    return run;
  }
  KafkaMirror::Outcome take(const std::vector<std::int64_t>& offsets, std::optional<std::int64_t> end = std::nullopt) {
    return mirror->take(kEvents, run(offsets, end)).value();
  }
  std::vector<std::string> values() {
    std::vector<std::string> all;
    const Ends ends = mirror->reads().ends(kEvents).value();
    for (Offset at = ends.start; at < ends.committed;) {
      const Fetched fetched = mirror->reads().read(kEvents, at, 1 << 20).value();
      if (fetched.empty()) break;
      RecordCursor cursor = fetched.records();
      while (const RecordView* record = cursor.next()) all.emplace_back(as_text(record->value));
      at = fetched.next().offset;
    }
    return all;
  }

  QuietLog quiet;
  Simulation simulation{1};
  const Ports ports = simulation.ports();
  TopicId id;
  bool compact = false;
  std::string word = "v";
  const std::string key = "k";
  std::vector<std::unique_ptr<std::string>> texts;
  std::unique_ptr<KafkaMirror> mirror;
};

TEST_F(Mirrored, BeginsWhereTheClusterDoes) {
  EXPECT_EQ(mirror->start(kEvents, Offset{7})->from, Offset{7});
  const KafkaMirror::Outcome outcome = take({7, 8}, 9);
  ASSERT_TRUE(outcome.taken);
  EXPECT_EQ(outcome.taken->from, Offset{7});
  EXPECT_EQ(outcome.taken->end, Offset{9});
  EXPECT_EQ(outcome.taken->records, (std::vector<Offset>{Offset{7}, Offset{8}}));
  EXPECT_EQ(values(), (std::vector<std::string>{"v7", "v8"}));
  EXPECT_EQ(mirror->reads().ends(kEvents)->start, Offset{7});
}

TEST_F(Mirrored, HolesAreCovered) {
  mirror->start(kEvents, Offset{0}).value();
  static_cast<void>(take({0, 1}, std::nullopt));
  static_cast<void>(take({6, 7}, 12));
  EXPECT_EQ(mirror->reads().ends(kEvents)->committed, Offset{12});
  EXPECT_EQ(values(), (std::vector<std::string>{"v0", "v1", "v6", "v7"}));
  const KafkaMirror::Outcome aborted = take({}, 20);
  ASSERT_TRUE(aborted.taken);
  EXPECT_TRUE(aborted.taken->records.empty());
  EXPECT_EQ(mirror->reads().ends(kEvents)->committed, Offset{20});
  EXPECT_FALSE(take({}, 20).taken) << "nothing is new";
}

TEST_F(Mirrored, GoesOnBehindItsLastRecord) {
  mirror->start(kEvents, Offset{0}).value();
  static_cast<void>(take({0, 1, 4}, 6));
  reopen();
  EXPECT_EQ(mirror->start(kEvents, Offset{0})->from, Offset{4}) << "the last one has to come first";
  const KafkaMirror::Outcome outcome = take({4, 6}, 7);
  ASSERT_TRUE(outcome.taken);
  EXPECT_EQ(outcome.taken->from, Offset{6});
  EXPECT_EQ(values(), (std::vector<std::string>{"v0", "v1", "v4", "v6"}));
}

TEST_F(Mirrored, OneWithAnotherLastRecordIsMadeAnew) {
  mirror->start(kEvents, Offset{0}).value();
  static_cast<void>(take({0, 1}, 2));
  reopen();
  mirror->start(kEvents, Offset{0}).value();
  word = "other";
  const KafkaMirror::Outcome outcome = take({1, 2}, 3);
  EXPECT_EQ(outcome.anew, Offset{0});
  EXPECT_FALSE(outcome.taken);
  EXPECT_EQ(values(), std::vector<std::string>{});
  static_cast<void>(take({0, 1, 2}, 3));
  EXPECT_EQ(values(), (std::vector<std::string>{"other0", "other1", "other2"}));
}

TEST_F(Mirrored, OneThatLacksARecordIsMadeAnew) {
  mirror->start(kEvents, Offset{0}).value();
  static_cast<void>(take({0, 1}, 9));
  reopen();
  mirror->start(kEvents, Offset{0}).value();
  EXPECT_EQ(take({1, 5}, 9).anew, Offset{0}) << "the mirror says that nothing lies between 1 and 9";
}

TEST_F(Mirrored, OneThatIsLongerThanTheClusterIsMadeAnew) {
  mirror->start(kEvents, Offset{0}).value();
  static_cast<void>(take({0, 1, 2}, 3));
  EXPECT_EQ(take({}, 2).anew, Offset{0}) << "while it is being read, too";
  static_cast<void>(take({0, 1}, 2));
  reopen();
  mirror->start(kEvents, Offset{0}).value();
  EXPECT_EQ(take({}, 2).anew, Offset{0}) << "its last record does not come";
}

TEST_F(Mirrored, ARecordThatLiesBelowTheEndIsNotTakenTwice) {
  mirror->start(kEvents, Offset{0}).value();
  static_cast<void>(take({0, 1, 2}, 3));
  EXPECT_EQ(take({1, 2, 3}, 4).anew, Offset{0}) << "nobody has asked for it: another log";
}

TEST_F(Mirrored, FollowsTheStartOfTheCluster) {
  mirror->start(kEvents, Offset{0}).value();
  static_cast<void>(take({0, 1, 2, 3}, 4));
  ASSERT_TRUE(mirror->trim(kEvents, Offset{2}));
  EXPECT_EQ(mirror->reads().ends(kEvents)->start, Offset{2});
  ASSERT_TRUE(mirror->trim(kEvents, Offset{1})) << "a start does not go back";
  EXPECT_EQ(values(), (std::vector<std::string>{"v2", "v3"}));
  reopen();
  EXPECT_EQ(mirror->start(kEvents, Offset{9})->from, Offset{9}) << "all of it was trimmed meanwhile";
  static_cast<void>(take({9}, 10));
  EXPECT_EQ(values(), std::vector<std::string>{"v9"});
}

TEST_F(Mirrored, OfACompactedTopicTheLastRecordMayBeGone) {
  compact = true;
  id.bytes[0] = 1;
  reopen();
  mirror->start(kEvents, Offset{0}).value();
  static_cast<void>(take({0, 1, 2}, 3));
  reopen();
  mirror->start(kEvents, Offset{0}).value();
  ASSERT_TRUE(take({5}, 6).taken);
  EXPECT_EQ(values().back(), "v5");
}

TEST_F(Mirrored, APartitionThatWasNotStartedIsToldSo) {
  EXPECT_EQ(mirror->take(kEvents, run({0}, 1)).error(), Errc::not_found);
  EXPECT_EQ(mirror->start({"events", PartitionId{7}}, Offset{0}).error(), Errc::not_found);
  EXPECT_EQ(mirror->trim(kEvents, Offset{1}).error(), Errc::not_found);
}

TEST_F(Mirrored, TheRecordBelowAnOffsetIsFoundOverHoles) {
  mirror->start(kEvents, Offset{0}).value();
  static_cast<void>(take({2, 3}, 8));
  static_cast<void>(take({}, 12));
  static_cast<void>(take({12, 15}, 20));
  const auto below = [&](std::int64_t offset) -> std::int64_t {
    const std::optional<RecordProof> last = last_record_below(mirror->reads(), kEvents, Offset{offset}).value();
    return last ? last->offset.value() : -1;
  };
  for (const auto& [offset, expected] : std::vector<std::pair<std::int64_t, std::int64_t>>{
           {0, -1}, {1, -1}, {2, -1}, {3, 2}, {4, 3}, {8, 3}, {9, 3}, {12, 3}, {13, 12}, {15, 12}, {16, 15}, {20, 15}}) {
    EXPECT_EQ(below(offset), expected) << offset;
  }
}

TEST(KafkaProof, TellsOneRecordFromAnother) {
  const RecordProof one{.offset = Offset{3}, .time = Timestamp{std::chrono::milliseconds{5}}, .crc = 7};
  const LeaderEpoch word = proof_word("cluster", one);
  EXPECT_GT(word.value(), 0);
  EXPECT_EQ(proof_word("cluster", one), word);
  RecordProof other = one;
  other.crc = 8;
  EXPECT_NE(proof_word("cluster", other), word);
  other = one;
  other.offset = Offset{4};
  EXPECT_NE(proof_word("cluster", other), word);
  other = one;
  other.time += std::chrono::milliseconds{1};
  EXPECT_NE(proof_word("cluster", other), word);
  EXPECT_NE(proof_word("cluster-2", one), word);
}

// As of a cluster that came back from a copy of before: what the mirror has lies above its end.
TEST_F(Mirrored, IsMadeAnewWhereTheClusterHasNotItsLastRecord) {
  mirror->start(kEvents, Offset{0}).value();
  take({0, 1, 2}, 3);
  RdkRun gone = run({});
  gone.error = Error{Errc::offset_out_of_range, "offset 2 is out of range", Offset{2}};
  EXPECT_FALSE(mirror->take(kEvents, gone)->anew) << "it went on: what is there is looked at first";
  EXPECT_EQ(mirror->start(kEvents, Offset{0})->from, Offset{2});
  EXPECT_EQ(mirror->take(kEvents, gone)->anew, Offset{0});
  EXPECT_EQ(values(), std::vector<std::string>{});
  word = "w";
  take({0}, 1);
  EXPECT_EQ(values(), std::vector<std::string>{"w0"});
}

}  // namespace
}  // namespace lungo::test
