#include "client/rdk_tail.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <thread>

#include "client/rdk_producer.hpp"
#include "mock_cluster.hpp"

namespace lungo::test {
namespace {

using namespace std::chrono_literals;

const TopicPartition kFirst{"events", PartitionId{0}};
const TopicPartition kSecond{"events", PartitionId{1}};

/// A record as it went or came, with its bytes.
struct Copy {
  std::int64_t time = 0;
  std::optional<std::string> key;
  std::optional<std::string> value;
  std::vector<std::pair<std::string, std::optional<std::string>>> headers;
  friend bool operator==(const Copy&, const Copy&) = default;
};

std::optional<std::string> text_of(const std::optional<BytesView>& bytes) {
  return bytes ? std::optional{std::string(as_text(*bytes))} : std::nullopt;
}

Copy copy_of(const RdkRecord& record) {
  Copy out{.time = record.time.time_since_epoch().count(), .key = text_of(record.key), .value = text_of(record.value)};
  for (const HeaderView& header : record.headers) {
    out.headers.emplace_back(header.name, header.has_value ? std::optional{std::string(as_text(header.value))} : std::nullopt);
  }
  return out;
}

class RdkTailTest : public testing::Test {
 protected:
  RdkTailTest() {
    cluster.create_topic("events", 2);
    tail = RdkTail::open(cluster.options(), "shop.tail", cluster.causes()).value();
    producer = RdkProducer::open(cluster.options(), "", cluster.causes()).value();
  }

  void write(const TopicPartition& to, const Copy& copy) {
    std::vector<HeaderView> headers;
    for (const auto& [name, value] : copy.headers) {
      headers.push_back({.name = name, .value = value ? as_bytes(*value) : BytesView{}, .has_value = value.has_value()});
    }
    RecordFields fields{.timestamp = Timestamp{std::chrono::milliseconds{copy.time}}, .headers = headers};
    if (copy.key) fields.key = as_bytes(*copy.key);
    if (copy.value) fields.value = as_bytes(*copy.value);
    ASSERT_TRUE(producer->produce(to, fields, 0));
    ASSERT_TRUE(producer->wait_for_acks(10s));
  }
  void write_numbers(const TopicPartition& to, int begin, int end) {
    for (int i = begin; i < end; ++i) write(to, {.time = 1000 + i, .value = std::to_string(i)});
  }

  /// What has come of one partition.
  struct Seen {
    std::vector<std::int64_t> offsets;
    std::vector<Copy> records;
    std::optional<Offset> end;
    std::vector<Error> errors;
  };
  void take(const RdkFetched& fetched) {
    for (const RdkRun& run : fetched.runs) {
      Seen& of = seen[run.partition];
      for (const RdkRecord& record : run.records) {
        of.offsets.push_back(record.offset.value());
        of.records.push_back(copy_of(record));
      }
      if (run.end) of.end = run.end;
      if (run.error) of.errors.push_back(*run.error);
    }
  }
  bool poll_until(const std::function<bool()>& holds) {
    const auto end = std::chrono::steady_clock::now() + 20s;
    while (!holds()) {
      if (std::chrono::steady_clock::now() > end) return false;
      const Result<RdkFetched> fetched = tail->poll(50ms, 1'000);
      if (!fetched) return false;
      take(*fetched);
    }
    return true;
  }
  bool poll_to_end(const TopicPartition& partition, std::int64_t end) {
    return poll_until([&] { return seen[partition].end == Offset{end}; });
  }

  MockCluster cluster;
  std::unique_ptr<RdkTail> tail;
  std::unique_ptr<RdkProducer> producer;
  std::map<TopicPartition, Seen> seen;
};

TEST_F(RdkTailTest, EveryKindOfRecordComesAsItWent) {
  const std::vector<Copy> records{
      {.time = 1'000, .key = "k", .value = "v"},
      {.time = 1'001, .key = std::nullopt, .value = "v"},
      {.time = 1'002, .key = "k", .value = std::nullopt},
      {.time = 1'003, .key = "", .value = ""},
      {.time = 1'004,
       .value = "v",
       .headers = {{"a", "1"}, {"a", "2"}, {"empty", ""}, {"null", std::nullopt}, {"", "no name"}}},
      {.time = -5, .value = std::string("\0\xff", 2)},
      {.time = 1, .key = std::string(70'000, 'k'), .value = "v"},
  };
  for (const Copy& record : records) write(kFirst, record);
  ASSERT_TRUE(tail->assign({{kFirst, Offset{0}}}));
  ASSERT_TRUE(poll_to_end(kFirst, 7));
  EXPECT_EQ(seen[kFirst].records, records);
  EXPECT_EQ(seen[kFirst].offsets, (std::vector<std::int64_t>{0, 1, 2, 3, 4, 5, 6}));
}

TEST_F(RdkTailTest, BytesHoldAsLongAsWhatTheyCameIn) {
  write(kFirst, {.time = 1'000, .key = "key", .value = "value"});
  ASSERT_TRUE(tail->assign({{kFirst, Offset{0}}}));
  RdkFetched kept;
  while (kept.runs.empty() || kept.runs[0].records.empty()) kept = tail->poll(100ms, 10).value();
  ASSERT_TRUE(tail->assign({}));
  RdkFetched moved = std::move(kept);
  EXPECT_EQ(as_text(*moved.runs[0].records[0].key), "key");
  EXPECT_EQ(as_text(*moved.runs[0].records[0].value), "value");
}

TEST_F(RdkTailTest, BeginsWhereItIsToldAndTellsEachNewEnd) {
  write_numbers(kFirst, 0, 5);
  ASSERT_TRUE(tail->assign({{kFirst, Offset{3}}}));
  ASSERT_TRUE(poll_to_end(kFirst, 5));
  EXPECT_EQ(seen[kFirst].offsets, (std::vector<std::int64_t>{3, 4}));
  write_numbers(kFirst, 5, 6);
  ASSERT_TRUE(poll_to_end(kFirst, 6));
  EXPECT_EQ(seen[kFirst].offsets, (std::vector<std::int64_t>{3, 4, 5}));
}

TEST_F(RdkTailTest, AnEmptyPartitionEndsAtOnce) {
  ASSERT_TRUE(tail->assign({{kFirst, Offset{0}}, {kSecond, Offset{0}}}));
  EXPECT_TRUE(poll_to_end(kFirst, 0));
  EXPECT_TRUE(poll_to_end(kSecond, 0));
}

TEST_F(RdkTailTest, APollTakesNoMoreThanItIsTold) {
  write_numbers(kFirst, 0, 7);
  ASSERT_TRUE(tail->assign({{kFirst, Offset{0}}}));
  while (seen[kFirst].offsets.size() < 7) {
    const RdkFetched fetched = tail->poll(100ms, 3).value();
    std::size_t records = 0;
    for (const RdkRun& run : fetched.runs) records += run.records.size();
    EXPECT_LE(records, 3u);
    take(fetched);
  }
  EXPECT_EQ(seen[kFirst].offsets, (std::vector<std::int64_t>{0, 1, 2, 3, 4, 5, 6}));
}

// After a poll that took only some of what was fetched.
TEST_F(RdkTailTest, APauseLosesAndRepeatsNothing) {
  write_numbers(kFirst, 0, 10);
  ASSERT_TRUE(tail->assign({{kFirst, Offset{0}}, {kSecond, Offset{0}}}));
  while (seen[kFirst].offsets.size() < 4) take(tail->poll(100ms, 4).value());
  ASSERT_TRUE(tail->pause({kFirst}));
  const std::size_t before = seen[kFirst].offsets.size();
  write_numbers(kSecond, 0, 2);
  ASSERT_TRUE(poll_to_end(kSecond, 2));
  EXPECT_EQ(seen[kFirst].offsets.size(), before);
  ASSERT_TRUE(tail->resume({kFirst}));
  ASSERT_TRUE(poll_to_end(kFirst, 10));
  EXPECT_EQ(seen[kFirst].offsets, (std::vector<std::int64_t>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}));
}

TEST_F(RdkTailTest, ASeekGoesOnThereAndNowhereElse) {
  write_numbers(kFirst, 0, 10);
  ASSERT_TRUE(tail->assign({{kFirst, Offset{0}}}));
  while (seen[kFirst].offsets.empty()) take(tail->poll(100ms, 1).value());
  ASSERT_TRUE(tail->seek({kFirst, Offset{8}}));
  ASSERT_TRUE(poll_to_end(kFirst, 10));
  EXPECT_EQ(seen[kFirst].offsets, (std::vector<std::int64_t>{0, 8, 9}));
  ASSERT_TRUE(tail->seek({kFirst, Offset{7}}));
  seen.clear();
  ASSERT_TRUE(poll_to_end(kFirst, 10));
  EXPECT_EQ(seen[kFirst].offsets, (std::vector<std::int64_t>{7, 8, 9}));
  EXPECT_EQ(tail->seek({kSecond, Offset{0}}).error(), Errc::invalid_argument) << "it is not read";
}

TEST_F(RdkTailTest, PartitionsComeAndGoWithoutTheOthers) {
  write_numbers(kFirst, 0, 3);
  write_numbers(kSecond, 0, 3);
  ASSERT_TRUE(tail->assign({{kFirst, Offset{0}}}));
  ASSERT_TRUE(poll_to_end(kFirst, 3));
  ASSERT_TRUE(tail->add({{kSecond, Offset{1}}}));
  ASSERT_TRUE(poll_to_end(kSecond, 3));
  EXPECT_EQ(seen[kFirst].offsets, (std::vector<std::int64_t>{0, 1, 2}));
  EXPECT_EQ(seen[kSecond].offsets, (std::vector<std::int64_t>{1, 2}));
  ASSERT_TRUE(tail->remove({kFirst}));
  write_numbers(kFirst, 3, 4);
  write_numbers(kSecond, 3, 4);
  ASSERT_TRUE(poll_to_end(kSecond, 4));
  EXPECT_EQ(seen[kFirst].offsets.size(), 3u);
  ASSERT_TRUE(tail->assign({{kFirst, Offset{2}}}));
  ASSERT_TRUE(poll_to_end(kFirst, 4));
  EXPECT_EQ(seen[kFirst].offsets, (std::vector<std::int64_t>{0, 1, 2, 2, 3}));
}

TEST_F(RdkTailTest, AnOffsetBeyondTheEndIsSaidAndASeekMendsIt) {
  write_numbers(kFirst, 0, 3);
  ASSERT_TRUE(tail->assign({{kFirst, Offset{100}}}));
  ASSERT_TRUE(poll_until([&] { return !seen[kFirst].errors.empty(); }));
  const Error error = seen[kFirst].errors[0];
  EXPECT_EQ(error, Errc::offset_out_of_range) << error;
  EXPECT_EQ(error.offset(), Offset{100});
  EXPECT_TRUE(seen[kFirst].offsets.empty());
  const Result<void> sought = tail->seek({kFirst, Offset{0}});
  ASSERT_TRUE(sought) << sought.error();
  ASSERT_TRUE(poll_to_end(kFirst, 3));
  EXPECT_EQ(seen[kFirst].errors.size(), 1u);
}

TEST_F(RdkTailTest, TheStableEndIsAskedFor) {
  write_numbers(kFirst, 0, 3);
  EXPECT_EQ(tail->stable_end(kFirst, 10s).value(), Offset{3});
}

// Method: the poll would wait for a minute.
TEST_F(RdkTailTest, AWakeEndsAPoll) {
  ASSERT_TRUE(tail->assign({{kFirst, Offset{0}}}));
  ASSERT_TRUE(poll_to_end(kFirst, 0));
  std::thread waker([&] { tail->wake(); });
  const auto begin = std::chrono::steady_clock::now();
  while (tail->poll(60s, 10).value().runs.size() > 0) {
  }
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 30s);
  waker.join();
}

}  // namespace
}  // namespace lungo::test
