#include <gtest/gtest.h>

#include <lungo/log/copy.hpp>
#include <lungo/log/local_event_log.hpp>
#include <lungo/log/membership.hpp>

#include <optional>
#include <string>
#include <vector>

#include "tests/support/memory_event_log.hpp"
#include "tests/support/quiet_log.hpp"
#include "tests/support/records.hpp"
#include "tests/support/simulation.hpp"

namespace lungo::test {
namespace {

using std::chrono::milliseconds;

const TopicPartition kFirst{"events", PartitionId{0}};
const TopicPartition kSecond{"events", PartitionId{1}};

/// Two directories on one disk.
class Copy : public testing::Test {
 protected:
  Copy() { reopen(); }

  void reopen() {
    to.reset();
    from.reset();
    from = open_local("from", {.ports = &ports}).value();
    to = open_local("to", {.ports = &ports}).value();
  }
  TopicInfo make(EventLog& log, TopicSpec spec = {.name = "events", .partitions = 2, .streams = true}) {
    spec.segment_bytes = 1 << 14;
    return log.create_topic(spec).value();
  }
  void append(EventLog& log, const TopicPartition& partition, std::string_view key, std::string_view value,
              std::string_view id = {}) {
    static_cast<void>(append_wait(log, append_of(partition, key, value, id)).value());
  }
  /// Enough for some appends of the copy in each partition.
  void fill(int count = 2'500) {
    make(*from);
    for (int i = 0; i < count; ++i) {
      const std::string key = "stream-" + std::to_string(i % 7);
      append(*from, i % 3 == 0 ? kSecond : kFirst, key, "value " + std::to_string(i), "id-" + std::to_string(i));
    }
  }
  [[nodiscard]] std::vector<std::string> both(EventLog& log) const {
    std::vector<std::string> all = values_of(log, kFirst, log.ends(kFirst)->start);
    for (std::string& value : values_of(log, kSecond, log.ends(kSecond)->start)) all.push_back(std::move(value));
    return all;
  }

  QuietLog quiet;
  Simulation simulation{1};
  const Ports ports = simulation.ports();
  std::shared_ptr<EventLog> from;
  std::shared_ptr<EventLog> to;
};

TEST_F(Copy, HasTheRecordsOfEachPartitionInTheirOrder) {
  fill();
  const Result<CopyReport> copied = copy_log(*from, *to);
  ASSERT_TRUE(copied) << copied.error();
  EXPECT_EQ(copied->topics, 1);
  EXPECT_EQ(copied->records, 2'500);
  EXPECT_EQ(copied->found_there, 0);
  EXPECT_EQ(both(*to), both(*from));
  EXPECT_EQ(to->topic("events")->spec, from->topic("events")->spec);
  EXPECT_NE(to->topic("events")->id, from->topic("events")->id) << "it is another topic, with offsets of its own";
}

TEST_F(Copy, KeepsWhatARecordConsistsOf) {
  make(*from);
  const std::string text = "x";
  const std::vector<HeaderView> headers{
      {.name = "a", .value = as_bytes(text)}, {.name = "a", .value = {}}, {.name = "", .value = {}, .has_value = false}};
  AppendRequest request{.to = kFirst};
  request.records
      .add({.timestamp = Timestamp{milliseconds{-5}}, .key = as_bytes(text), .value = std::nullopt, .headers = headers})
      .value();
  request.records.add({.timestamp = Timestamp{milliseconds{0}}, .key = std::nullopt, .value = BytesView{}, .headers = {}})
      .value();
  request.records.add({.timestamp = Timestamp{milliseconds{7}}, .key = BytesView{}, .value = as_bytes(text), .headers = {}})
      .value();
  static_cast<void>(append_wait(*from, std::move(request)).value());
  const Result<CopyReport> copied = copy_log(*from, *to);
  ASSERT_TRUE(copied) << copied.error();

  const Fetched there = from->read(kFirst, Offset{0}, 1 << 20).value();
  const Fetched here = to->read(kFirst, Offset{0}, 1 << 20).value();
  RecordCursor expected = there.records();
  RecordCursor got = here.records();
  int count = 0;
  while (const RecordView* record = expected.next()) {
    const RecordView* const copy = got.next();
    ASSERT_NE(copy, nullptr);
    EXPECT_EQ(copy->timestamp, record->timestamp);
    EXPECT_EQ(copy->has_key, record->has_key);
    EXPECT_EQ(copy->has_value, record->has_value);
    EXPECT_EQ(as_text(copy->key), as_text(record->key));
    EXPECT_EQ(as_text(copy->value), as_text(record->value));
    EXPECT_EQ(copy->header_count, record->header_count);
    EXPECT_EQ(as_text(copy->headers), as_text(record->headers));
    ++count;
  }
  EXPECT_EQ(count, 3);
}

TEST_F(Copy, IsKnownByItsStreamsAndIds) {
  fill(100);
  ASSERT_TRUE(copy_log(*from, *to));
  EXPECT_EQ(to->read_key(kFirst, "stream-1", Offset{0}, Offset{1'000}, 1'000)->records.size(),
            from->read_key(kFirst, "stream-1", Offset{0}, Offset{1'000}, 1'000)->records.size());
  AppendRequest again = append_of(kFirst, "stream-1", "value 1", "id-1");
  const Result<Appended> retried = append_wait(*to, std::move(again));
  ASSERT_TRUE(retried) << retried.error();
  EXPECT_TRUE(retried->repeated) << "a retry of what went to the source before";
}

TEST_F(Copy, GoesOnWhereverItWasCutOff) {
  fill();
  std::int64_t found_at_last = 0;
  int calls = 0;
  for (int words = 1;; ++words) {
    int told = 0;
    const Result<CopyReport> copied = copy_log(*from, *to, {.progress = [&](const CopyProgress&) { return ++told < words; }});
    ++calls;
    reopen();
    if (copied) {
      found_at_last = copied->found_there;
      break;
    }
    ASSERT_EQ(copied.error(), Errc::canceled) << copied.error();
    ASSERT_LT(words, 100) << "it does not get on";
  }
  EXPECT_GT(calls, 3);
  EXPECT_GT(found_at_last, 1'000);
  EXPECT_EQ(both(*to), both(*from));
}

TEST_F(Copy, TakesWhatHasComeSince) {
  fill(10);
  const Result<CopyReport> first = copy_log(*from, *to);
  ASSERT_TRUE(first) << first.error();
  append(*from, kFirst, "later", "on");
  EXPECT_EQ(first->ends.at(kFirst), from->ends(kFirst)->committed.plus(-1));
  const Result<CopyReport> second = copy_log(*from, *to);
  ASSERT_TRUE(second) << second.error();
  EXPECT_EQ(second->found_there, 10);
  EXPECT_EQ(second->records, 11);
  EXPECT_EQ(both(*to), both(*from));
}

TEST_F(Copy, RefusesATargetWithOtherRecordsAndLeavesIt) {
  fill(10);
  make(*to);
  append(*to, kFirst, "stream-1", "somebody's");
  const Result<CopyReport> copied = copy_log(*from, *to);
  ASSERT_FALSE(copied);
  EXPECT_EQ(copied.error(), Errc::already_exists);
  EXPECT_NE(copied.error().text().find("events-0: the target's record at offset 0"), std::string_view::npos) << copied.error();
  EXPECT_EQ(both(*to), std::vector<std::string>{"somebody's"});
}

TEST_F(Copy, RefusesATargetThatHasMore) {
  fill(10);
  ASSERT_TRUE(copy_log(*from, *to));
  append(*to, kFirst, "stream-1", "somebody's");
  EXPECT_EQ(copy_log(*from, *to).error(), Errc::already_exists);
}

TEST_F(Copy, TellsOtherSettingsBeforeARecordIsWritten) {
  make(*from, {.name = "a", .partitions = 1});
  append(*from, {"a", PartitionId{0}}, "k", "v");
  fill(10);
  make(*to, {.name = "events", .partitions = 4, .streams = true});
  const Result<CopyReport> copied = copy_log(*from, *to);
  ASSERT_FALSE(copied);
  EXPECT_EQ(copied.error(), Errc::already_exists);
  EXPECT_NE(copied.error().text().find("partitions=4, not 2"), std::string_view::npos) << copied.error();
  EXPECT_NE(copied.error().text().find("streams would move to other partitions"), std::string_view::npos) << copied.error();
  EXPECT_EQ(to->ends({"a", PartitionId{0}})->committed, Offset{0});
}

TEST_F(Copy, TakesTheTopicsThatItIsToldTo) {
  fill(10);
  make(*from, {.name = "other", .partitions = 1});
  const Result<CopyReport> copied =
      copy_log(*from, *to, {.takes = [](const TopicInfo& topic) { return topic.spec.name == "events"; }});
  ASSERT_TRUE(copied) << copied.error();
  EXPECT_EQ(to->topics()->size(), 1U);
}

TEST_F(Copy, BeginsWithWhatOtherRecordsAreReadBy) {
  fill(10);
  make(*from, {.name = "__lungo_shapes", .partitions = 1, .compact = true});
  append(*from, {"__lungo_shapes", PartitionId{0}}, "k", "shape");
  const Result<CopyReport> cut_off = copy_log(
      *from, *to, {.progress = [](const CopyProgress& progress) { return progress.partition.topic == "__lungo_shapes"; }});
  ASSERT_EQ(cut_off.error(), Errc::canceled) << cut_off.error();
  EXPECT_EQ(to->ends({"__lungo_shapes", PartitionId{0}})->committed, Offset{1});
}

TEST_F(Copy, NamesAllRecordsThatTheTargetRefusesBeforeItMakesAnything) {
  fill(100);
  append(*from, kFirst, "k", "too much");
  append(*from, kSecond, "k", "too much");
  bool is_strict = true;
  CopyOptions options;
  options.refuses = [&](const TopicSpec& topic, const RecordView& record) {
    EXPECT_EQ(topic.name, "events");
    return is_strict && as_text(record.value) == "too much" ? std::optional<std::string>{"it is too much"} : std::nullopt;
  };
  const Result<CopyReport> refused = copy_log(*from, *to, options);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error(), Errc::invalid_argument);
  EXPECT_EQ(refused.error().text(), "the target does not take 2 records, so nothing was copied; events-0, offset " +
                                        std::to_string(from->ends(kFirst)->committed.value() - 1) +
                                        ": it is too much; events-1, offset " +
                                        std::to_string(from->ends(kSecond)->committed.value() - 1) + ": it is too much");
  EXPECT_TRUE(to->topics()->empty());
  is_strict = false;
  const Result<CopyReport> copied = copy_log(*from, *to, options);
  ASSERT_TRUE(copied) << copied.error();
  EXPECT_EQ(copied->records, 102);
}

TEST_F(Copy, MayBeMoreDurable) {
  make(*from, {.name = "events", .partitions = 2, .ack_level = AckLevel::isr});
  ASSERT_TRUE(copy_log(*from, *to, {.ack_level = AckLevel::isr_sync}));
  EXPECT_EQ(to->topic("events")->spec.ack_level, AckLevel::isr_sync);
}

TEST_F(Copy, IsFinishedByWhoMovesOffsets) {
  fill(10);
  CopyOptions options{.marks = {{kFirst, {Offset{2}}}}};
  options.finish = [&](const CopyReport& report) -> Result<void> {
    EXPECT_EQ(report.records, 10);
    EXPECT_EQ(report.marks.at(kFirst).at(Offset{2}), Offset{2});
    return Error{Errc::io, "it can't be moved"};
  };
  EXPECT_EQ(copy_log(*from, *to, options).error().text(), "it can't be moved");
}

/// Has the second partition of `events`; another process has the first one.
class HalfMembership : public Membership {
 public:
  Result<Token> join(const std::vector<std::string>& topics, MembershipListener& listener) override {
    EXPECT_EQ(topics, std::vector<std::string>{"events"});
    listener.opened({kSecond});
    return Token{std::make_shared<int>()};
  }
  Result<std::vector<TopicPartition>> mine() override { return std::vector<TopicPartition>{kSecond}; }
  Result<std::optional<Owner>> owner_of(const TopicPartition& partition) override {
    return std::optional{Owner{.endpoint = "shop-2:8080", .is_me = partition == kSecond}};
  }
};

class SharedLog : public MemoryEventLog {
 public:
  using MemoryEventLog::MemoryEventLog;
  std::shared_ptr<Membership> membership() override { return std::make_shared<HalfMembership>(); }
};

TEST_F(Copy, DoesNotWriteWhereAnApplicationRuns) {
  fill(10);
  make(*from, {.name = "plain", .partitions = 1});
  SharedLog running{ports};
  const Result<CopyReport> copied = copy_log(*from, running);
  ASSERT_FALSE(copied);
  EXPECT_EQ(copied.error(), Errc::locked);
  EXPECT_NE(copied.error().text().find("events-0 of the target belongs to the process at shop-2:8080"), std::string_view::npos)
      << copied.error();
  EXPECT_EQ(running.ends(kSecond)->committed, Offset{0});
}

TEST_F(Copy, MovesMarks) {
  make(*from, {.name = "events", .partitions = 2});
  for (int i = 0; i < 10; ++i) append(*from, kFirst, "k", std::to_string(i));
  static_cast<void>(from->delete_records(kFirst, Offset{4}).value());
  const CopyOptions options{.marks = {{kFirst, {Offset{0}, Offset{4}, Offset{7}, Offset{10}, Offset{12}}}}};
  for (int round = 0; round < 2; ++round) {  // copying, and over what is there
    const Result<CopyReport> copied = copy_log(*from, *to, options);
    ASSERT_TRUE(copied) << copied.error();
    const std::map<Offset, Offset> expected{{Offset{0}, Offset{0}},
                                            {Offset{4}, Offset{0}},
                                            {Offset{7}, Offset{3}},
                                            {Offset{10}, Offset{6}},
                                            {Offset{12}, Offset{6}}};
    EXPECT_EQ(copied->marks.at(kFirst), expected);
    EXPECT_EQ(copied->marks.count(kSecond), 0U);
  }
}

TEST_F(Copy, AnIdThatCameTwiceComesTwice) {
  make(*from);
  append(*from, kFirst, "k", "first", "one-id");
  AppendRequest again = append_of(kFirst, "k", "second", "one-id");
  again.since = Offset{1};
  static_cast<void>(append_wait(*from, std::move(again)).value());
  ASSERT_TRUE(copy_log(*from, *to));
  EXPECT_EQ(values_of(*to, kFirst), (std::vector<std::string>{"first", "second"}));
}

TEST_F(Copy, OfACompactedTopicHasTheLastRecordOfEachKey) {
  const TopicSpec spec{.name = "events", .partitions = 2, .compact = true};
  make(*from, spec);
  for (int i = 0; i < 600; ++i) append(*from, kFirst, "k" + std::to_string(i % 5), std::to_string(i));
  ASSERT_TRUE(copy_log(*from, *to));
  for (int i = 0; i < 7; ++i) append(*from, kFirst, "k" + std::to_string(i % 3), "later " + std::to_string(i));
  const Result<CopyReport> copied = copy_log(*from, *to);
  ASSERT_TRUE(copied) << copied.error();
  EXPECT_EQ(copied->found_there, 600);
  EXPECT_EQ(copied->records, 607);
}

TEST_F(Copy, OfACompactedTopicBeginsAnewWhereItsLastRecordIsGone) {
  const TopicSpec spec{.name = "events", .partitions = 2, .compact = true};
  make(*from, spec);
  append(*from, kFirst, "k", "new");
  make(*to, spec);
  append(*to, kFirst, "k", "old");  // as if the source had had it
  const Result<CopyReport> copied = copy_log(*from, *to);
  ASSERT_TRUE(copied) << copied.error();
  EXPECT_EQ(values_of(*to, kFirst).back(), "new");
}

TEST_F(Copy, OfACompactedTopicThatKeepsAKeyTooManyIsTold) {
  const TopicSpec spec{.name = "events", .partitions = 2, .compact = true};
  make(*from, spec);
  append(*from, kFirst, "k", "new");
  make(*to, spec);
  append(*to, kFirst, "gone", "old");
  const Result<CopyReport> copied = copy_log(*from, *to);
  ASSERT_FALSE(copied);
  EXPECT_EQ(copied.error(), Errc::corrupt);
  EXPECT_NE(copied.error().text().find("\"gone\""), std::string_view::npos) << copied.error();
}

TEST_F(Copy, OfASharedTopicMayMeetMoreKeys) {
  const TopicSpec spec{.name = "events", .partitions = 2, .compact = true};
  make(*from, spec);
  append(*from, kFirst, "k", "mine");
  make(*to, spec);
  append(*to, kFirst, "other", "another's");
  ASSERT_TRUE(copy_log(*from, *to, {.shared = {"events"}}));
  EXPECT_EQ(values_of(*to, kFirst), (std::vector<std::string>{"another's", "mine"}));
  append(*to, kFirst, "k", "changed since");
  CopyOptions options{.shared = {"events"}};
  const Result<CopyReport> again = copy_log(*from, *to, options);
  ASSERT_TRUE(again) << again.error();
  EXPECT_EQ(values_of(*to, kFirst).back(), "mine") << "begun anew, as its last record is none of the source";
}

}  // namespace
}  // namespace lungo::test
