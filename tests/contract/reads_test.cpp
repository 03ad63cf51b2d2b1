// What readers are promised: EventLog::read(), read_back(), read_key(), offset_at(), read_range() and notify_above().
#include "tests/contract/contract.hpp"

#include <unistd.h>

namespace lungo::contract {
namespace {

using namespace std::chrono_literals;

/// A topic whose records are numbered, from 0 on.
class Reading : public Contract {
 protected:
  Reading() {
    TopicSpec spec = topic_named("events");
    spec.segment_bytes = 1 << 20;  // Apache Kafka takes no less
    log->create_topic(spec).value();
  }
  using Numbers = std::vector<std::int64_t>;

  /// One append of `count` records.
  AppendRequest next_batch(std::size_t count, std::size_t padding = 0) {
    AppendRequest request{.to = kEvents, .records = {}, .condition = {}, .since = {}};
    for (std::size_t i = 0; i < count; ++i) {
      const std::string value = std::to_string(numbered++) + std::string(padding, ' ');
      request.records.add({.timestamp = Timestamp{1s}, .key = {}, .value = as_bytes(value), .headers = {}}).value();
    }
    return request;
  }
  Appended append_batch(std::size_t count, std::size_t padding = 0) {
    written.push_back(append_wait(*log, next_batch(count, padding)).value());
    return written.back();
  }
  /// As many appends, under way together: 1 to 7 records of up to `padding_max` bytes each.
  void append_batches(int count, int padding_max) {
    for (int i = 0; i < count; ++i) {
      submit(next_batch(1 + static_cast<std::size_t>(i % 7), static_cast<std::size_t>(i * 397 % padding_max)));
    }
    wait_for([&] { return answered == count; });
    EXPECT_EQ(outcomes, std::vector<std::string>(static_cast<std::size_t>(count), "ok"));
  }
  /// Where the record of this number lies, as its append has said.
  [[nodiscard]] Offset at(std::int64_t number) const {
    for (const Appended& one : written) {
      if (number < one.end - one.first) return one.first.plus(number);
      number -= one.end - one.first;
    }
    throw std::out_of_range("no record has this number");
  }
  /// Of what one call gives; each lies where its append has said.
  Numbers numbers_of(const Fetched& fetched) {
    Numbers numbers;
    RecordCursor records = fetched.records();
    while (const RecordView* record = records.next()) {
      numbers.push_back(std::stoll(std::string(as_text(record->value))));
      EXPECT_EQ(record->offset, at(numbers.back()));
    }
    EXPECT_FALSE(records.error());
    return numbers;
  }
  static Numbers from_to(std::int64_t begin, std::int64_t end) {
    Numbers numbers;
    while (begin < end) numbers.push_back(begin++);
    return numbers;
  }

  /// As reading one at a time shows them: a batch may have less than an append, or more, or holes only.
  struct Batch {
    Offset begin;
    Offset end;
    std::size_t bytes;
    Numbers numbers;
  };
  std::vector<Batch> batches() {
    std::vector<Batch> found;
    Offset from;
    while (true) {
      const Fetched fetched = log->read(kEvents, from, 0).value();
      if (fetched.empty()) return found;
      found.push_back({fetched.first(), fetched.next().offset, fetched.batches().size(), numbers_of(fetched)});
      from = fetched.next().offset;
    }
  }
  /// All in batches that end at or below `end`.
  static Numbers numbers_in(const std::vector<Batch>& batches, Offset end) {
    Numbers numbers;
    for (const Batch& batch : batches) {
      if (batch.end <= end) numbers.insert(numbers.end(), batch.numbers.begin(), batch.numbers.end());
    }
    return numbers;
  }
  std::int64_t numbered = 0;
};

class Reads : public Reading {};

TEST_P(Reads, EndAtTheCommittedEndAndNotBeyond) {
  append_batch(1);
  const Fetched at_end = ask_at_end([&](Offset end) { return log->read(kEvents, end, 1000).value(); });
  EXPECT_TRUE(at_end.empty());
  EXPECT_EQ(at_end.next().offset, at_end.committed_end());
  EXPECT_TRUE(follows(written[0].end, at_end.committed_end()));
  const auto beyond = ask_at_end([&](Offset end) { return log->read(kEvents, end.next(), 1000); });
  EXPECT_EQ(beyond.error(), Errc::offset_out_of_range);
  EXPECT_EQ(log->read({"events", PartitionId{1}}, Offset{0}, 1000).error(), Errc::not_found);
  EXPECT_EQ(log->read({"other", PartitionId{0}}, Offset{0}, 1000).error(), Errc::not_found);
}

TEST_P(Reads, GiveAtLeastABatchAndGoOnWhereTheLastOneEnded) {
  append_batches(60, 12'000);
  for (const std::size_t bytes_max : {0u, 1000u, 1u << 20}) {
    Numbers all;
    Offset from;
    for (Offset end = log->ends(kEvents)->committed; from < end;) {
      const Fetched fetched = log->read(kEvents, from, bytes_max).value();
      ASSERT_FALSE(fetched.empty()) << from.value();
      EXPECT_EQ(fetched.first(), from);
      const Numbers numbers = numbers_of(fetched);
      all.insert(all.end(), numbers.begin(), numbers.end());
      ASSERT_GT(fetched.next().offset, from);
      if (!numbers.empty()) {
        EXPECT_TRUE(follows(at(numbers.back()).next(), fetched.next().offset));
      }
      EXPECT_TRUE(follows(at(numbered - 1).next(), fetched.committed_end()));
      from = fetched.next().offset;
    }
    EXPECT_EQ(all, from_to(0, numbered));
  }
}

TEST_P(Reads, MayBeginInTheMiddleOfABatch) {
  append_batch(5);
  const Fetched fetched = log->read(kEvents, at(3), 1000).value();
  EXPECT_EQ(fetched.first(), at(3));
  EXPECT_EQ(numbers_of(fetched), (Numbers{3, 4}));
}

TEST_P(Reads, LeaveTheBytesToWhoHoldsThem) {
  append_batch(3);
  const Fetched fetched = log->read(kEvents, Offset{0}, 1000).value();
  append_batch(100, 1000);
  home->restart(log);
  EXPECT_EQ(numbers_of(fetched), (Numbers{0, 1, 2}));
}

INSTANTIATE_TEST_SUITE_P(Homes, Reads, testing::ValuesIn(home_names()), name_of_home);

class ReadingBack : public Reading {};

TEST_P(ReadingBack, GivesTheLastBatchesThatFit) {
  for (const std::size_t count : {3u, 2u, 1u, 4u}) append_batch(count);
  const std::vector<Batch> all = batches();
  if (!leaves_holes()) {
    ASSERT_EQ(all.size(), written.size()) << "each was alone";
    for (std::size_t i = 0; i < all.size(); ++i)
      EXPECT_EQ(std::pair(all[i].begin, all[i].end), std::pair(written[i].first, written[i].end));
  }
  for (std::size_t i = 0; i < all.size(); ++i) {
    const Batch& last = all[i];
    const Fetched one = log->read_back(kEvents, last.end, 0).value();
    EXPECT_EQ(numbers_of(one), last.numbers);
    EXPECT_EQ(one.first(), last.begin);
    EXPECT_EQ(one.next().offset, last.end);
    EXPECT_TRUE(follows(written.back().end, one.committed_end()));
    if (i == 0) continue;
    const Fetched two = log->read_back(kEvents, last.end, all[i - 1].bytes + last.bytes).value();
    EXPECT_EQ(two.first(), all[i - 1].begin);
    EXPECT_EQ(two.next().offset, last.end);
    EXPECT_EQ(log->read_back(kEvents, last.end, all[i - 1].bytes + last.bytes - 1)->first(), last.begin) << "it does not fit";
  }
  EXPECT_EQ(numbers_of(log->read_back(kEvents, all.back().end, 1 << 20).value()), from_to(0, 10)) << "all fit";
}

TEST_P(ReadingBack, LeavesOutABatchThatReachesAboveTheEnd) {
  for (const std::size_t count : {3u, 2u}) append_batch(count);
  const std::vector<Batch> all = batches();
  for (Offset end; end <= all.back().end; end = end.next()) {
    const Fetched fetched = log->read_back(kEvents, end, 1 << 20).value();
    EXPECT_EQ(numbers_of(fetched), numbers_in(all, end)) << end.value();
    EXPECT_EQ(fetched.empty(), end < all.front().end) << end.value();
  }
}

TEST_P(ReadingBack, RefusesWhatReadRefuses) {
  append_batch(1);
  const auto beyond = ask_at_end([&](Offset end) { return log->read_back(kEvents, end.next(), 100); });
  EXPECT_EQ(beyond.error(), Errc::offset_out_of_range);
  EXPECT_EQ(log->read_back({"other", PartitionId{0}}, Offset{0}, 100).error(), Errc::not_found);
}

// Many segments and index entries, batches of all sizes.
TEST_P(ReadingBack, GoesOnToTheStartAndMissesNothing) {
  append_batches(400, 12'000);
  for (const std::size_t bytes_max : {0u, 1000u, 10'000u, 1u << 20}) {
    std::int64_t next = numbered;
    Offset end = log->ends(kEvents)->committed;
    while (true) {
      const Result<Fetched> fetched = log->read_back(kEvents, end, bytes_max);
      ASSERT_TRUE(fetched) << fetched.error();
      if (fetched->empty()) break;
      const Numbers numbers = numbers_of(*fetched);
      EXPECT_EQ(numbers, from_to(next - static_cast<std::int64_t>(numbers.size()), next));
      EXPECT_EQ(fetched->next().offset, end);
      ASSERT_LT(fetched->first(), end);
      end = fetched->first();
      next -= static_cast<std::int64_t>(numbers.size());
    }
    EXPECT_EQ(end, Offset{0});
    EXPECT_EQ(next, 0);
  }
}

INSTANTIATE_TEST_SUITE_P(Homes, ReadingBack, testing::ValuesIn(home_names()), name_of_home);

class FileRanges : public Reading {};

TEST_P(FileRanges, HoldWhatReadReturns) {
  for (const std::size_t count : {3u, 2u}) append_batch(count);
  const Offset from = at(1);
  const Result<FileRange> range = ask_at_end([&](Offset) { return log->read_range(kEvents, from, 1 << 20); });
  if (refused(range)) return;
  ASSERT_TRUE(range) << range.error();
  const Fetched fetched = log->read(kEvents, from, 1 << 20).value();
  Bytes bytes(range->bytes);
  ASSERT_EQ(::pread(range->file.descriptor(), bytes.data(), bytes.size(), static_cast<off_t>(range->position)),
            static_cast<ssize_t>(bytes.size()));
  EXPECT_EQ(as_text(bytes), as_text(fetched.batches()));
  EXPECT_EQ(range->next.offset, fetched.next().offset);
  EXPECT_TRUE(follows(written.back().end, range->committed_end));
}

INSTANTIATE_TEST_SUITE_P(Homes, FileRanges, testing::ValuesIn(home_names()), name_of_home);

class LookingUp : public Contract {
 protected:
  LookingUp() { log->create_topic(topic_named("events", true)).value(); }
  Offset append_at(std::chrono::milliseconds time) {
    AppendRequest request{.to = kEvents, .records = {}, .condition = {}, .since = {}};
    request.records.add({.timestamp = Timestamp{time}, .key = as_bytes("k"), .value = {}, .headers = {}}).value();
    return append_wait(*log, std::move(request))->first;
  }
};

TEST_P(LookingUp, ATimeFindsTheFirstRecordThatIsNotOlder) {
  EXPECT_EQ(log->offset_at(kEvents, Timestamp{}).value(), std::nullopt);
  std::vector<Offset> offsets;
  for (const auto time : {10ms, 30ms, 20ms, 30ms}) offsets.push_back(append_at(time));
  for (const auto& [time, number] : {std::pair{5ms, 0u}, {10ms, 0u}, {11ms, 1u}, {25ms, 1u}, {30ms, 1u}}) {
    EXPECT_EQ(log->offset_at(kEvents, Timestamp{time}).value(), offsets[number]) << time.count();
    EXPECT_EQ(log->offset_at_of_what_is_left(kEvents, Timestamp{time}).value(), offsets[number]) << "nothing is lost";
  }
  EXPECT_EQ(log->offset_at(kEvents, Timestamp{31ms}).value(), std::nullopt);
  EXPECT_EQ(log->offset_at({"other", PartitionId{0}}, Timestamp{}).error(), Errc::not_found);
}

TEST_P(LookingUp, AKeyFindsItsRecordsInParts) {
  for (int i = 0; i < 20; ++i) submit(append_of(kEvents, i % 2 == 0 ? "even" : "odd", std::to_string(i)));
  wait_for([&] { return answered == 20; });
  ASSERT_EQ(written.size(), 20u);
  std::vector<std::string> values;
  Offset begin = written[3].first;
  for (int parts = 0; parts < 10; ++parts) {
    const KeyRecords found = log->read_key(kEvents, "odd", begin, written[16].first, 3).value();
    EXPECT_LE(found.records.size(), 3u);
    for (const RecordView& record : found.records) values.emplace_back(as_text(record.value));
    begin = found.next;
    if (found.done) break;
  }
  EXPECT_EQ(values, (std::vector<std::string>{"3", "5", "7", "9", "11", "13", "15"}));
  const KeyRecords none = log->read_key(kEvents, "neither", Offset{0}, written.back().end, 100).value();
  EXPECT_TRUE(none.records.empty());
  EXPECT_TRUE(none.done);
  EXPECT_EQ(log->read_key({"other", PartitionId{0}}, "odd", Offset{0}, Offset{1}, 1).error(), Errc::not_found);
}

TEST_P(LookingUp, AKeyNeedsAStreamTopic) {
  log->create_topic(topic_named("plain")).value();
  EXPECT_EQ(log->read_key({"plain", PartitionId{0}}, "k", Offset{0}, Offset{1}, 1).error(), Errc::unsupported);
}

TEST_P(LookingUp, AKeyWorksOverARestart) {
  for (int i = 0; i < 3; ++i) written.push_back(append_wait(*log, append_of(kEvents, "k", std::to_string(i))).value());
  home->restart(log);
  written.push_back(append_wait(*log, append_of(kEvents, "k", "3")).value());
  const KeyRecords found = log->read_key(kEvents, "k", written[0].end, written[3].end, 100).value();
  std::vector<std::string> values;
  for (const RecordView& record : found.records) values.emplace_back(as_text(record.value));
  EXPECT_EQ(values, (std::vector<std::string>{"1", "2", "3"}));
}

INSTANTIATE_TEST_SUITE_P(Homes, LookingUp, testing::ValuesIn(home_names()), name_of_home);

class Notifications : public Contract {
 protected:
  Notifications() { log->create_topic(topic_named("events")).value(); }
};

TEST_P(Notifications, ComeOnceWhenTheEndHasPassed) {
  const Offset end = append("a").end.plus(3);
  std::atomic<int> calls{0};
  const auto token = log->notify_above(kEvents, end, [&] { ++calls; });
  for (Offset reached; reached <= end;) {
    const int called = calls;
    const Offset committed = log->ends(kEvents)->committed;
    EXPECT_LE(called, committed > end ? 1 : 0);
    reached = append("b").end;
  }
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
