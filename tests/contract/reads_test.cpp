// What readers are promised: EventLog::read(), read_back(), read_key(), offset_at(), read_range() and notify_above().
#include "tests/contract/contract.hpp"

#include <unistd.h>

namespace lungo::contract {
namespace {

using namespace std::chrono_literals;

/// A topic whose records say their offsets.
class Reading : public Contract {
 protected:
  Reading() {
    TopicSpec spec = topic_named("events");
    spec.segment_bytes = 64 << 10;
    log->create_topic(spec).value();
  }
  // One batch of `count` records, each of which says its offset.
  void append_batch(std::size_t count, std::size_t padding = 0) {
    AppendRequest request{.to = kEvents, .records = {}, .condition = {}, .since = {}};
    for (std::size_t i = 0; i < count; ++i) {
      const std::string value = std::to_string(appended++) + std::string(padding, ' ');
      request.records.add({.timestamp = {}, .key = {}, .value = as_bytes(value), .headers = {}}).value();
    }
    append_wait(*log, std::move(request)).value();
  }
  // Offsets of what one call gives; each record has to say the same.
  std::vector<std::int64_t> offsets_of(const Fetched& fetched) {
    std::vector<std::int64_t> offsets;
    RecordCursor records = fetched.records();
    while (const RecordView* record = records.next()) {
      EXPECT_EQ(std::stoll(std::string(as_text(record->value))), record->offset.value());
      offsets.push_back(record->offset.value());
    }
    EXPECT_FALSE(records.error());
    return offsets;
  }
  std::int64_t appended = 0;
};

class Reads : public Reading {};

TEST_P(Reads, EndAtTheCommittedEndAndNotBeyond) {
  append_batch(1);
  const Fetched at_end = log->read(kEvents, Offset{1}, 1000).value();
  EXPECT_TRUE(at_end.empty());
  EXPECT_EQ(at_end.next().offset, Offset{1});
  EXPECT_EQ(log->read(kEvents, Offset{2}, 1000).error(), Errc::offset_out_of_range);
  EXPECT_EQ(log->read({"events", PartitionId{1}}, Offset{0}, 1000).error(), Errc::not_found);
  EXPECT_EQ(log->read({"other", PartitionId{0}}, Offset{0}, 1000).error(), Errc::not_found);
}

TEST_P(Reads, GiveAtLeastABatchAndGoOnWhereTheLastOneEnded) {
  for (int i = 0; i < 60; ++i) append_batch(1 + static_cast<std::size_t>(i % 7), static_cast<std::size_t>(i * 37 % 900));
  for (const std::size_t bytes_max : {0u, 1000u, 1u << 20}) {
    Offset from;
    while (from < Offset{appended}) {
      const Fetched fetched = log->read(kEvents, from, bytes_max).value();
      const std::vector<std::int64_t> offsets = offsets_of(fetched);
      ASSERT_FALSE(offsets.empty()) << from.value();
      EXPECT_EQ(offsets.front(), from.value());
      EXPECT_EQ(offsets.back() - offsets.front() + 1, static_cast<std::int64_t>(offsets.size()));
      EXPECT_EQ(fetched.next().offset, Offset{offsets.back() + 1});
      EXPECT_EQ(fetched.committed_end(), Offset{appended});
      from = fetched.next().offset;
    }
    EXPECT_EQ(from, Offset{appended});
  }
}

TEST_P(Reads, MayBeginInTheMiddleOfABatch) {
  append_batch(5);
  const Fetched fetched = log->read(kEvents, Offset{3}, 1000).value();
  EXPECT_EQ(fetched.first(), Offset{3});
  EXPECT_EQ(offsets_of(fetched), (std::vector<std::int64_t>{3, 4}));
}

TEST_P(Reads, LeaveTheBytesToWhoHoldsThem) {
  append_batch(3);
  const Fetched fetched = log->read(kEvents, Offset{0}, 1000).value();
  append_batch(100, 1000);
  home->restart(log);
  EXPECT_EQ(offsets_of(fetched), (std::vector<std::int64_t>{0, 1, 2}));
}

INSTANTIATE_TEST_SUITE_P(Homes, Reads, testing::ValuesIn(home_names()), name_of_home);

class ReadingBack : public Reading {};

TEST_P(ReadingBack, GivesTheLastBatchesThatFit) {
  for (const std::size_t count : {3u, 2u, 1u, 4u}) append_batch(count);
  const Fetched last = log->read_back(kEvents, Offset{10}, 0).value();
  EXPECT_EQ(offsets_of(last), (std::vector<std::int64_t>{6, 7, 8, 9}));
  EXPECT_EQ(last.first(), Offset{6});
  EXPECT_EQ(last.next().offset, Offset{10});
  EXPECT_EQ(last.committed_end(), Offset{10});
  EXPECT_EQ(offsets_of(log->read_back(kEvents, last.first(), 0).value()), (std::vector<std::int64_t>{5}));
  EXPECT_EQ(log->read_back(kEvents, Offset{10}, 1 << 20)->first(), Offset{0}) << "all fit";
  const Fetched two = log->read_back(kEvents, Offset{10}, 200).value();
  EXPECT_EQ(offsets_of(two), (std::vector<std::int64_t>{5, 6, 7, 8, 9}));
}

TEST_P(ReadingBack, LeavesOutABatchThatReachesAboveTheEnd) {
  for (const std::size_t count : {3u, 2u}) append_batch(count);
  EXPECT_EQ(offsets_of(log->read_back(kEvents, Offset{4}, 1 << 20).value()), (std::vector<std::int64_t>{0, 1, 2}));
  EXPECT_TRUE(log->read_back(kEvents, Offset{2}, 1 << 20)->empty());
  EXPECT_TRUE(log->read_back(kEvents, Offset{0}, 1 << 20)->empty());
}

TEST_P(ReadingBack, RefusesWhatReadRefuses) {
  append_batch(1);
  EXPECT_EQ(log->read_back(kEvents, Offset{2}, 100).error(), Errc::offset_out_of_range);
  EXPECT_EQ(log->read_back({"other", PartitionId{0}}, Offset{0}, 100).error(), Errc::not_found);
}

// Many segments and index entries, batches of all sizes.
TEST_P(ReadingBack, GoesOnToTheStartAndMissesNothing) {
  for (int i = 0; i < 400; ++i) append_batch(1 + static_cast<std::size_t>(i % 7), static_cast<std::size_t>(i * 37 % 900));
  for (const std::size_t bytes_max : {0u, 1000u, 10'000u, 1u << 20}) {
    Offset end{appended};
    while (true) {
      const Result<Fetched> fetched = log->read_back(kEvents, end, bytes_max);
      ASSERT_TRUE(fetched) << fetched.error();
      if (fetched->empty()) break;
      const std::vector<std::int64_t> offsets = offsets_of(*fetched);
      ASSERT_FALSE(offsets.empty());
      EXPECT_EQ(fetched->first(), Offset{offsets.front()});
      EXPECT_EQ(offsets.back() + 1, end.value());
      EXPECT_EQ(offsets.back() - offsets.front() + 1, static_cast<std::int64_t>(offsets.size()));
      end = fetched->first();
    }
    EXPECT_EQ(end, Offset{0});
  }
}

INSTANTIATE_TEST_SUITE_P(Homes, ReadingBack, testing::ValuesIn(home_names()), name_of_home);

class FileRanges : public Reading {};

TEST_P(FileRanges, HoldWhatReadReturns) {
  for (const std::size_t count : {3u, 2u}) append_batch(count);
  const Result<FileRange> range = log->read_range(kEvents, Offset{1}, 1 << 20);
  if (refused(range)) return;
  ASSERT_TRUE(range) << range.error();
  const Fetched fetched = log->read(kEvents, Offset{1}, 1 << 20).value();
  Bytes bytes(range->bytes);
  ASSERT_EQ(::pread(range->file.descriptor(), bytes.data(), bytes.size(), static_cast<off_t>(range->position)),
            static_cast<ssize_t>(bytes.size()));
  EXPECT_EQ(as_text(bytes), as_text(fetched.batches()));
  EXPECT_EQ(range->next.offset, fetched.next().offset);
  EXPECT_EQ(range->committed_end, Offset{5});
}

INSTANTIATE_TEST_SUITE_P(Homes, FileRanges, testing::ValuesIn(home_names()), name_of_home);

class LookingUp : public Contract {
 protected:
  LookingUp() { log->create_topic(topic_named("events", true)).value(); }
  void append_at(std::chrono::milliseconds time) {
    AppendRequest request{.to = kEvents, .records = {}, .condition = {}, .since = {}};
    request.records.add({.timestamp = Timestamp{time}, .key = as_bytes("k"), .value = {}, .headers = {}}).value();
    append_wait(*log, std::move(request)).value();
  }
};

TEST_P(LookingUp, ATimeFindsTheFirstRecordThatIsNotOlder) {
  EXPECT_EQ(log->offset_at(kEvents, Timestamp{}).value(), std::nullopt);
  for (const auto time : {10ms, 30ms, 20ms, 30ms}) append_at(time);
  for (const auto& [time, offset] : {std::pair{5ms, 0}, {10ms, 0}, {11ms, 1}, {25ms, 1}, {30ms, 1}}) {
    EXPECT_EQ(log->offset_at(kEvents, Timestamp{time}).value(), Offset{offset}) << time.count();
    EXPECT_EQ(log->offset_at_of_what_is_left(kEvents, Timestamp{time}).value(), Offset{offset}) << "nothing is lost";
  }
  EXPECT_EQ(log->offset_at(kEvents, Timestamp{31ms}).value(), std::nullopt);
  EXPECT_EQ(log->offset_at({"other", PartitionId{0}}, Timestamp{}).error(), Errc::not_found);
}

TEST_P(LookingUp, AKeyFindsItsRecordsInParts) {
  for (int i = 0; i < 20; ++i) append_wait(*log, append_of(kEvents, i % 2 == 0 ? "even" : "odd", std::to_string(i))).value();
  std::vector<std::string> values;
  Offset begin{3};
  for (int parts = 0; parts < 10; ++parts) {
    const KeyRecords found = log->read_key(kEvents, "odd", begin, Offset{16}, 3).value();
    EXPECT_LE(found.records.size(), 3u);
    for (const RecordView& record : found.records) values.emplace_back(as_text(record.value));
    begin = found.next;
    if (found.done) break;
  }
  EXPECT_EQ(values, (std::vector<std::string>{"3", "5", "7", "9", "11", "13", "15"}));
  const KeyRecords none = log->read_key(kEvents, "neither", Offset{0}, Offset{20}, 100).value();
  EXPECT_TRUE(none.records.empty());
  EXPECT_TRUE(none.done);
  EXPECT_EQ(log->read_key({"other", PartitionId{0}}, "odd", Offset{0}, Offset{1}, 1).error(), Errc::not_found);
}

TEST_P(LookingUp, AKeyNeedsAStreamTopic) {
  log->create_topic(topic_named("plain")).value();
  EXPECT_EQ(log->read_key({"plain", PartitionId{0}}, "k", Offset{0}, Offset{1}, 1).error(), Errc::unsupported);
}

TEST_P(LookingUp, AKeyWorksOverARestart) {
  for (int i = 0; i < 3; ++i) append_wait(*log, append_of(kEvents, "k", std::to_string(i))).value();
  home->restart(log);
  append_wait(*log, append_of(kEvents, "k", "3")).value();
  EXPECT_EQ(log->read_key(kEvents, "k", Offset{1}, Offset{4}, 100)->records.size(), 3u);
}

INSTANTIATE_TEST_SUITE_P(Homes, LookingUp, testing::ValuesIn(home_names()), name_of_home);

class Notifications : public Contract {
 protected:
  Notifications() { log->create_topic(topic_named("events")).value(); }
};

TEST_P(Notifications, ComeOnceWhenTheEndHasPassed) {
  std::atomic<int> calls{0};
  const auto token = log->notify_above(kEvents, Offset{1}, [&] { ++calls; });
  append("a");
  EXPECT_EQ(calls, 0);
  append("b");
  wait_for([&] { return calls == 1; });
  append("c");
  EXPECT_EQ(calls, 1);
}

TEST_P(Notifications, ComeAtOnceWhereTheEndHasPassed) {
  append("a");
  std::atomic<int> calls{0};
  const auto token = log->notify_above(kEvents, Offset{0}, [&] { ++calls; });
  EXPECT_EQ(calls, 1);
}

TEST_P(Notifications, ComeNoMoreWhenTheirTokenIsGone) {
  std::atomic<int> calls{0};
  auto canceled = log->notify_above(kEvents, Offset{0}, [&] { ++calls; });
  canceled.reset();
  append("a");
  EXPECT_EQ(calls, 0);
}

TEST_P(Notifications, ComeWhenTheLogCloses) {
  std::atomic<int> calls{0};
  const auto token = log->notify_above(kEvents, Offset{1000}, [&] { ++calls; });
  append("a");
  EXPECT_EQ(calls, 0);
  log.reset();
  EXPECT_EQ(calls, 1);
}

INSTANTIATE_TEST_SUITE_P(Homes, Notifications, testing::ValuesIn(home_names()), name_of_home);

}  // namespace
}  // namespace lungo::contract
