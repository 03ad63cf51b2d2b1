// Goal: what rots in `leader-epoch-checkpoint`, which has no checksum, costs no good batch; what rots in a batch's epoch does.
#include <gtest/gtest.h>

#include "base/byte_order.hpp"
#include "batch_layout.hpp"
#include "epoch_history.hpp"
#include "segment.hpp"
#include "tests/log/partition_fixture.hpp"
#include "tests/support/quiet_log.hpp"

namespace lungo::test {
namespace {

/// Thirty batches of a record, ten of each epoch: 1, 4 and 7; the last five are of another key. Stopped cleanly.
struct ThreeEpochs : PartitionFixture {
  explicit ThreeEpochs(std::uint64_t segment_bytes = 600, std::uint32_t index_interval_bytes = 4096) {
    options.segment_bytes = segment_bytes;
    options.index_interval_bytes = index_interval_bytes;
    const auto log = opened();
    for (int i = 0; i < 30; ++i) {
      records.push_back({.key = i < 25 ? "k" : "l", .value = std::to_string(i)});
      EXPECT_TRUE(append(*log, {records.back()}, LeaderEpoch{1 + i / 10 * 3}));
    }
    clean = log->close().value();
    EXPECT_EQ(history(), kHistory);
  }
  std::string history() { return std::string(as_text(*read_file(simulation->disk, path(EpochHistory::kFileName), 1000))); }
  void set_history(std::string_view text) {
    EXPECT_TRUE(write_file_atomically(simulation->disk, path(EpochHistory::kFileName), as_bytes(text)));
  }
  void set_epoch(Offset offset, LeaderEpoch epoch) {
    const std::vector<SegmentFacts> segments = opened(clean)->segments();
    const auto its = std::ranges::find_if(segments, [&](const SegmentFacts& facts) { return facts.end > offset; });
    const std::string name = segment_file_name(its->base, kLogSuffix);
    const Bytes bytes = *read_file(simulation->disk, path(name), 1 << 20);
    std::uint64_t position = 0;
    for (Offset at = its->base; at < offset; at = at.next())
      position += parse_batch_header(BytesView{bytes}.subspan(position))->size_bytes();
    std::array<std::byte, 4> field{};
    store_big_endian(field.data(), epoch.value());
    write(name, position + batch_layout::kEpochAt, field);
  }

  static constexpr std::string_view kHistory = "0\n3\n1 0\n4 10\n7 20\n";
  std::vector<TestRecord> records;
  CleanEnd clean;
};

TEST(RottenEpochs, ADigitOfTheHistoryCostsNoBatch) {
  const SilentLog silent;
  for (const char* rotten :
       {"0\n3\n1 0\n4 18\n7 20\n", "0\n3\n1 0\n4 10\n7 25\n", "0\n3\n1 0\n4 10\n7 12\n", "0\n3\n0 0\n4 10\n7 20\n",
        "0\n3\n1 0\n5 10\n7 20\n", "0\n3\n1 6\n4 10\n7 20\n", "0\n3\n1 0\n4 2\n7 20\n"}) {
    SCOPED_TRACE(rotten);
    ThreeEpochs fixture;
    fixture.set_history(rotten);
    const auto log = fixture.opened(fixture.clean);
    ASSERT_NE(log, nullptr);
    EXPECT_EQ(contents(*log), fixture.records);
    EXPECT_EQ(log->read_back(Offset{20}, Offset{30}, 1, {}, {})->next().epoch, LeaderEpoch{4});
    EXPECT_TRUE(log->damage().empty());
    EXPECT_EQ(log->end_of_epoch(LeaderEpoch{1}), Offset{10});
    EXPECT_EQ(log->end_of_epoch(LeaderEpoch{4}), Offset{20});
    ASSERT_TRUE(append(*log, {{.key = "k", .value = "next"}}, LeaderEpoch{8}));
    ASSERT_TRUE(log->close());
    EXPECT_EQ(fixture.history(), "0\n4\n1 0\n4 10\n7 20\n8 30\n") << "it is made anew";
  }
}

TEST(RottenEpochs, WhatRecoveryLearnsIsKeptAlsoWhenNothingIsAppended) {
  const SilentLog silent;
  for (const bool is_clean : {true, false}) {
    ThreeEpochs fixture;
    fixture.set_history("0\n2\n1 0\n4 10\n");
    ASSERT_TRUE(fixture.opened(is_clean ? std::optional{fixture.clean} : std::nullopt)->close());
    EXPECT_EQ(fixture.history(), ThreeEpochs::kHistory);
  }
}

// Positions behind the record in front of the first one carry its epoch.
TEST(RottenEpochs, TheEpochInFrontOfTheFirstRecordIsKept) {
  const SilentLog silent;
  for (const bool is_found_by_a_read : {true, false}) {
    SCOPED_TRACE(is_found_by_a_read);
    ThreeEpochs fixture(720);
    {
      const auto log = fixture.opened(fixture.clean);
      ASSERT_EQ(log->segments().back().base, Offset{20});
      ASSERT_TRUE(log->set_start(Offset{20}));
      ASSERT_EQ(log->end_of_epoch(LeaderEpoch{4}), Offset{20});
      ASSERT_TRUE(log->close());
    }
    fixture.options.start = Offset{20};
    fixture.set_history(is_found_by_a_read ? "0\n2\n4 10\n7 24\n" : "0\n1\n4 10\n");
    const auto log = fixture.opened(fixture.clean);
    ASSERT_NE(log, nullptr);
    EXPECT_EQ(contents(*log).size(), 10u);
    EXPECT_TRUE(log->damage().empty());
    EXPECT_EQ(log->end_of_epoch(LeaderEpoch{4}), Offset{20});
    ASSERT_TRUE(append(*log, {{.key = "k", .value = "next"}}, LeaderEpoch{8}));
    ASSERT_TRUE(log->close());
    EXPECT_EQ(fixture.history(), "0\n3\n4 10\n7 20\n8 30\n");
  }
}

TEST(RottenEpochs, WhoLooksForAKeyFindsOutToo) {
  const SilentLog silent;
  for (const bool is_condition : {true, false}) {
    SCOPED_TRACE(is_condition);
    ThreeEpochs fixture;
    fixture.options.streams = true;
    fixture.set_history("0\n3\n1 0\n4 10\n7 25\n");
    const auto log = fixture.opened(fixture.clean);
    if (is_condition) {
      const Condition condition{.key = "k", .as_of = Offset{22}};
      EXPECT_EQ(append(*log, {{.key = "k", .value = "new"}}, LeaderEpoch{8}, condition).error(), Errc::conflict);
    } else {
      const Result<KeyRecords> found = log->read_key("k", Offset{0}, Offset{30}, 100);
      ASSERT_TRUE(found) << found.error();
      EXPECT_EQ(found->records.size(), 25u);
    }
    EXPECT_TRUE(log->damage().empty());
    EXPECT_EQ(log->end_of_epoch(LeaderEpoch{4}), Offset{20});
  }
}

// In the middle of its epoch, and at its front and its end, where it could be the history's.
TEST(RottenEpochs, ABatchWhoseEpochHasRottedIsDamaged) {
  const SilentLog silent;
  for (const std::int64_t offset : {0, 5, 9, 10, 15, 19, 20, 25}) {
    for (const int epoch : {0, 2, 3, 5, 6}) {
      SCOPED_TRACE(testing::Message() << "epoch " << epoch << " at " << offset);
      ThreeEpochs fixture;
      fixture.set_epoch(Offset{offset}, LeaderEpoch{epoch});
      const auto log = fixture.opened(fixture.clean);
      ASSERT_NE(log, nullptr);
      const Result<Fetched> fetched = log->read(Offset{offset}, Offset{30}, 1, {}, {});
      EXPECT_FALSE(fetched) << "served with an epoch that it never had";
      if (offset > 0) {
        EXPECT_TRUE(log->read(Offset{0}, Offset{offset}, 1, {}, {}));
      }
    }
  }
}

// Those behind it seem to have an older epoch, and are innocent.
TEST(RottenEpochs, OneThatHasGrownCostsItsBatchAloneWhoeverFindsIt) {
  const SilentLog silent;
  for (const bool is_scrub : {true, false}) {
    for (const std::int64_t offset : {0, 1, 2}) {
      SCOPED_TRACE(testing::Message() << (is_scrub ? "the scrub" : "who makes digests") << " at " << offset);
      ThreeEpochs fixture{720, 300};  // the opening looks behind the last index entry only
      fixture.set_epoch(Offset{offset}, LeaderEpoch{17});
      const auto log = fixture.opened(fixture.clean);
      ASSERT_GT(log->segments().front().end, Offset{6});
      for (int steps = 0; steps < 20; ++steps) {
        if (is_scrub) {
          ASSERT_TRUE(log->scrub(1 << 20));
        } else {
          ASSERT_TRUE(log->keep_digests());
        }
      }
      const std::vector<DamagedRange> damage = log->damage();
      ASSERT_EQ(damage.size(), 1u);
      EXPECT_EQ(damage.front().from, Offset{offset});
      EXPECT_EQ(damage.front().end, Offset{offset + 1});
      EXPECT_TRUE(log->read(Offset{offset + 1}, Offset{30}, 1, {}, {}));
    }
  }
}

/// Batches of four records, of one epoch, in three segments with an index entry for each batch.
struct FourEach : PartitionFixture {
  FourEach() {
    options.segment_bytes = 600;
    options.index_interval_bytes = 1;
    const auto log = opened();
    for (int i = 0; log->segments().size() < 3; ++i) {
      const TestRecord record{.key = "k", .value = std::to_string(i)};
      EXPECT_TRUE(append(*log, {record, record, record, record}, LeaderEpoch{2}));
    }
    clean = log->close().value();
  }
  CleanEnd clean;
};

// The one in front of it is the first that is looked at, and nothing in its segment lies behind it.
TEST(RottenEpochs, OneAtTheEndOfASegmentThatHasShrunkCostsItsBatchAloneWhoeverFindsIt) {
  const SilentLog silent;
  for (const std::string finder : {"a read", "the scrub", "who makes digests"}) {
    SCOPED_TRACE(finder);
    FourEach fixture;
    const Offset end = fixture.opened(fixture.clean)->segments().front().end;
    const Offset begin = end.plus(-4);
    ASSERT_GT(begin, Offset{4});
    const Bytes bytes = *read_file(fixture.simulation->disk, fixture.path(kFirstLog), 1 << 20);
    std::uint64_t position = 0;
    for (Offset at{0}; at < begin; at = at.plus(4))
      position += parse_batch_header(BytesView{bytes}.subspan(position))->size_bytes();
    fixture.write(kFirstLog, position + batch_layout::kEpochAt, Bytes(4));
    const auto log = fixture.opened(fixture.clean);
    for (int steps = 0; steps < 20 && finder != "a read"; ++steps) {
      ASSERT_TRUE(finder == "the scrub" ? log->scrub(1 << 20).has_value() : log->keep_digests().has_value());
    }
    for (Offset offset{0}; offset < log->written_end(); offset = offset.plus(4)) {
      ASSERT_EQ(log->read(offset, log->written_end(), 1, {}, {}).has_value(), offset != begin) << offset.value();
    }
    const std::vector<DamagedRange> damage = log->damage();
    ASSERT_EQ(damage.size(), 1u);
    EXPECT_EQ(damage.front().from, begin);
    EXPECT_EQ(damage.front().end, end);
  }
}

}  // namespace
}  // namespace lungo::test
