// What who appends is promised: EventLog::append(), append_wait() and appender().
#include "tests/contract/contract.hpp"

#include <lungo/log/appender.hpp>

namespace lungo::contract {
namespace {

using namespace std::chrono_literals;

RecordFields fields(std::string_view key, std::string_view value, std::span<const HeaderView> headers = {}) {
  return {.timestamp = Timestamp{1s}, .key = as_bytes(key), .value = as_bytes(value), .headers = headers};
}

class Appends : public Contract {
 protected:
  Appends() { log->create_topic(topic_named("events")).value(); }
};

TEST_P(Appends, AreCommittedAndReadableWhenTheyAreAnswered) {
  const Appended first = append("a");
  EXPECT_EQ(first.end, first.first.next());
  EXPECT_FALSE(first.repeated);
  EXPECT_EQ(values_of(kEvents), std::vector<std::string>{"a"});
  const Appended second = append("b");
  EXPECT_GE(second.first, first.end);
  const Ends ends = log->ends(kEvents).value();
  EXPECT_EQ(ends.start, Offset{0});
  EXPECT_TRUE(follows(second.end, ends.committed));
  EXPECT_EQ(ends.synced, ends.committed);
  EXPECT_EQ(ends.written, ends.committed);
  EXPECT_EQ(values_of(kEvents), (std::vector<std::string>{"a", "b"}));
}

TEST_P(Appends, LieSideBySide) {
  const Appended first = append("a");
  const Appended second = append("b");
  if (not_promised(second.first == first.end)) return;
  EXPECT_EQ(first.first, Offset{0});
  EXPECT_EQ(second.first, first.end);
  EXPECT_EQ(log->ends(kEvents)->committed, second.end);
}

TEST_P(Appends, TakeRecordsUpToTheTopicsLimitBesideSmallOnes) {
  const std::string large(1'048'000, 'x');
  submit(append_of(kEvents, "k", "a"));
  submit(append_of(kEvents, "l", large));
  submit(append_of(kEvents, "m", "b"));
  wait_for([&] { return answered == 3; });
  EXPECT_EQ(outcomes, (std::vector<std::string>{"ok", "ok", "ok"}));
  EXPECT_EQ(values_of(kEvents), (std::vector<std::string>{"a", large, "b"}));
}

TEST_P(Appends, OfSmallRecordsFillNoBatchOfATopicThatTakesLittle) {
  TopicSpec narrow = topic_named("narrow");
  narrow.batch_bytes_max = 2'000;
  log->create_topic(narrow).value();
  constexpr int kCount = 200;
  const TopicPartition to{"narrow", PartitionId{0}};
  for (int i = 0; i < kCount; ++i) submit(append_of(to, "k", std::string(500, 'x')));
  wait_for([&] { return answered == kCount; });
  EXPECT_EQ(outcomes, std::vector<std::string>(kCount, "ok"));
  EXPECT_EQ(values_of(to).size(), std::size_t{kCount});
}

TEST_P(Appends, CompleteOnceInOrderAfterTheirCommit) {
  constexpr int kCount = 1000;
  std::atomic<int> completed{0};
  std::vector<Appended> order;
  for (int i = 0; i < kCount; ++i) {
    log->append(append_of(kEvents, "k", std::to_string(i)), [&](const Result<Appended>& result) {
      EXPECT_TRUE(result) << result.error();
      const Result<Ends> ends = log->ends(kEvents);
      EXPECT_TRUE(ends) << ends.error();
      if (result && ends) {
        EXPECT_GE(ends->committed, result->end);
        order.push_back(*result);  // completions of one partition never overlap
      }
      completed.fetch_add(1);
      log->ports().executor.notify();
    });
  }
  wait_for([&] { return completed == kCount; });
  ASSERT_EQ(order.size(), static_cast<std::size_t>(kCount));
  Offset end;
  for (const Appended& one : order) {
    EXPECT_TRUE(follows(end, one.first));
    end = one.end;
  }
  const std::vector<std::string> values = values_of(kEvents);
  ASSERT_EQ(values.size(), static_cast<std::size_t>(kCount));
  for (int i = 0; i < kCount; ++i) EXPECT_EQ(values[static_cast<std::size_t>(i)], std::to_string(i));
}

TEST_P(Appends, MayBeMadeByACompletion) {
  std::atomic<bool> done{false};
  log->append(append_of(kEvents, "k", "first"), [&](const Result<Appended>& first) {
    EXPECT_TRUE(first) << first.error();
    AppendRequest second = append_of(kEvents, "k", "second");
    second.caller_waits = true;
    log->append(std::move(second), [&](const Result<Appended>& result) {
      EXPECT_TRUE(result) << result.error();
      done = true;
      log->ports().executor.notify();
    });
  });
  wait_for([&] { return done.load(); });
  EXPECT_EQ(values_of(kEvents), (std::vector<std::string>{"first", "second"}));
}

TEST_P(Appends, StayWholeWhenTheyAreLarge) {
  const std::string large(300 << 10, 'x');
  append(large);
  for (int i = 0; i < 20; ++i) submit(append_of(kEvents, "k", large));
  wait_for([&] { return answered == 20; });
  EXPECT_EQ(outcomes, std::vector<std::string>(20, "ok"));
  EXPECT_EQ(values_of(kEvents), std::vector<std::string>(21, large));
}

TEST_P(Appends, OfSeveralRecordsKeepThemTogether) {
  std::vector<std::string> expected;
  for (int i = 0; i < 50; ++i) {
    AppendRequest request{.to = kEvents, .records = {}, .condition = {}, .since = {}};
    for (int record = 0; record <= i % 5; ++record) {
      expected.push_back(std::to_string(i));
      request.records.add(fields("k", expected.back())).value();
    }
    submit(std::move(request));
  }
  wait_for([&] { return answered == 50; });
  ASSERT_EQ(written.size(), 50u);
  EXPECT_EQ(values_of(kEvents), expected);
  Offset end;
  for (std::size_t i = 0; i < written.size(); ++i) {
    const Appended& one = written[i];
    EXPECT_TRUE(follows(end, one.first));
    EXPECT_EQ(one.end - one.first, static_cast<std::int64_t>(i % 5 + 1));
    const Fetched fetched = log->read(kEvents, one.first, 1 << 20).value();
    RecordCursor records = fetched.records();
    for (Offset at = one.first; at < one.end; at = at.next()) {
      const RecordView* record = records.next();
      ASSERT_NE(record, nullptr);
      EXPECT_EQ(record->offset, at);
      EXPECT_EQ(as_text(record->value), std::to_string(i));
    }
    end = one.end;
  }
  EXPECT_TRUE(follows(end, log->ends(kEvents)->committed));
}

TEST_P(Appends, KeepKeysValuesHeadersAndTimesAsTheyAre) {
  const std::string bytes{"\0\xff\n", 3};
  const HeaderView headers[] = {{"twice", as_bytes("1"), true}, {"twice", {}, true}, {"null", {}, false}};
  AppendRequest request{.to = kEvents, .records = {}, .condition = {}, .since = {}};
  const Timestamp time{1'767'225'600'123ms};
  request.records.add({.timestamp = time, .key = as_bytes("k"), .value = as_bytes(bytes), .headers = headers}).value();
  request.records.add({.timestamp = Timestamp{-5ms}, .key = {}, .value = as_bytes(""), .headers = {}}).value();
  request.records.add({.timestamp = Timestamp{1ms}, .key = as_bytes(""), .value = {}, .headers = {}}).value();
  append_wait(*log, std::move(request)).value();

  const Fetched fetched = log->read(kEvents, Offset{0}, 1 << 20).value();
  RecordCursor records = fetched.records();
  const RecordView* record = records.next();
  ASSERT_NE(record, nullptr);
  EXPECT_EQ(record->timestamp, time);
  EXPECT_EQ(as_text(record->key), "k");
  EXPECT_EQ(as_text(record->value), bytes);
  HeaderCursor cursor{*record};
  for (const HeaderView& expected : headers) {
    const HeaderView* header = cursor.next();
    ASSERT_NE(header, nullptr);
    EXPECT_EQ(header->name, expected.name);
    EXPECT_EQ(header->has_value, expected.has_value);
    EXPECT_EQ(as_text(header->value), as_text(expected.value));
  }
  EXPECT_EQ(cursor.next(), nullptr);
  record = records.next();
  ASSERT_NE(record, nullptr);
  EXPECT_EQ(record->timestamp, Timestamp{-5ms});
  EXPECT_FALSE(record->has_key);
  EXPECT_TRUE(record->has_value);
  record = records.next();
  ASSERT_NE(record, nullptr);
  EXPECT_EQ(record->timestamp, Timestamp{1ms});
  EXPECT_TRUE(record->has_key);
  EXPECT_FALSE(record->has_value);
  EXPECT_EQ(records.next(), nullptr);
}

TEST_P(Appends, KeepTheTime0) {
  AppendRequest request{.to = kEvents, .records = {}, .condition = {}, .since = {}};
  request.records.add({.timestamp = Timestamp{}, .key = as_bytes("k"), .value = as_bytes("v"), .headers = {}}).value();
  const Result<Appended> appended = append_wait(*log, std::move(request));
  if (refused(appended)) return;
  ASSERT_TRUE(appended) << appended.error();
  const Fetched fetched = log->read(kEvents, appended->first, 1 << 20).value();
  RecordCursor records = fetched.records();
  const RecordView* record = records.next();
  ASSERT_NE(record, nullptr);
  EXPECT_EQ(record->timestamp, Timestamp{});
}

TEST_P(Appends, ToWhatIsNotThereAndOfNothingAreRefused) {
  EXPECT_EQ(append_wait(*log, append_of({"other", PartitionId{0}}, "k", "v")).error(), Errc::not_found);
  EXPECT_EQ(append_wait(*log, append_of({"events", PartitionId{1}}, "k", "v")).error(), Errc::not_found);
  EXPECT_EQ(append_wait(*log, append_of({"events", PartitionId{-1}}, "k", "v")).error(), Errc::not_found);
  AppendRequest empty;
  empty.to = kEvents;
  EXPECT_EQ(append_wait(*log, empty).error(), Errc::invalid_argument);
  EXPECT_EQ(values_of(kEvents), std::vector<std::string>{});
  EXPECT_EQ(log->ends(kEvents)->written, Offset{0});
}

TEST_P(Appends, OnBehalfOfPartitionsThatAreMineAreTaken) {
  log->create_topic(topic_named("orders", true)).value();
  AppendRequest request = append_of(kEvents, "orders-0", "row");
  request.on_behalf_of = {kEvents, {"orders", PartitionId{0}}};
  const Result<Appended> appended = append_wait(*log, std::move(request));
  ASSERT_TRUE(appended) << appended.error();
  EXPECT_EQ(values_of(kEvents), std::vector<std::string>{"row"});
}

TEST_P(Appends, WithAConditionNeedAStreamTopic) {
  AppendRequest conditional = append_of(kEvents, "k", "v");
  conditional.condition = Condition{"k", Offset{0}};
  EXPECT_EQ(append_wait(*log, conditional).error(), Errc::unsupported) << "not a stream topic";
}

TEST_P(Appends, MayWaitUntilTheyAreOnDisk) {
  AppendRequest request = append_of(kEvents, "k", "v");
  request.durability = Durability::synced;
  const Result<Appended> appended = append_wait(*log, std::move(request));
  if (refused(appended)) return;
  ASSERT_TRUE(appended) << appended.error();
  EXPECT_GE(log->ends(kEvents)->synced, appended->end);
}

TEST_P(Appends, ThatWaitForLessAreCommittedAllTheSame) {
  AppendRequest request = append_of(kEvents, "k", "v");
  request.durability = Durability::written;
  const Appended appended = append_wait(*log, std::move(request)).value();
  EXPECT_GE(log->ends(kEvents)->written, appended.end);
  wait_for([&] { return log->ends(kEvents).value().committed >= appended.end; });
  EXPECT_EQ(values_of(kEvents), std::vector<std::string>{"v"});
}

TEST_P(Appends, AreCommittedWhenOnDiskUnlessTheTopicSaysOtherwise) {
  const TopicInfo topic = log->topic("events").value();
  if (not_promised(topic.spec.ack_level == AckLevel::isr_sync)) return;
  EXPECT_EQ(topic.spec.ack_level, AckLevel::isr_sync);
  const Appended appended = append("v");
  EXPECT_GE(log->ends(kEvents)->synced, appended.end);
}

TEST_P(Appends, AreCommittedAtWrittenWhereTheTopicSaysSo) {
  TopicSpec spec = topic_named("fast");
  spec.ack_level = AckLevel::isr;
  EXPECT_EQ(log->create_topic(spec)->spec.ack_level, AckLevel::isr);
  const TopicPartition fast{"fast", PartitionId{0}};
  const Appended appended = append_wait(*log, append_of(fast, "k", "v")).value();
  EXPECT_TRUE(follows(appended.end, log->ends(fast).value().committed));
  EXPECT_EQ(values_of(fast), std::vector<std::string>{"v"});
  wait_for([&] { return log->ends(fast).value().synced >= appended.end; });
}

INSTANTIATE_TEST_SUITE_P(Homes, Appends, testing::ValuesIn(home_names()), name_of_home);

class Appenders : public Contract {
 protected:
  Appenders() {
    log->create_topic(topic_named("events", true)).value();
    appender = log->appender(kEvents).value();
  }
  std::shared_ptr<Appender> appender;
};

TEST_P(Appenders, AppendInTheOrderOfTheirCalls) {
  std::vector<Appended> completed{appender->append_wait(fields("k", "0")).value()};
  std::atomic<int> completions{0};
  for (const char* value : {"1", "2", "3"}) {
    appender->append(fields("k", value), [&](const Result<Appended>& appended) {
      EXPECT_TRUE(appended) << appended.error();
      if (appended) completed.push_back(*appended);
      ++completions;
      log->ports().executor.notify();
    });
  }
  EncodedRecords records = test::record("k", "4");
  ASSERT_TRUE(records.add(fields("k", "5")));
  const Appended both = appender->append_wait(records).value();
  EXPECT_EQ(both.end - both.first, 2);
  records.clear();
  ASSERT_TRUE(records.add(fields("k", "6")));
  const Appended again = appender->append_wait(records).value();
  EXPECT_TRUE(follows(both.end, again.first)) << "the same records, used again";
  EXPECT_EQ(again.end, again.first.next());
  wait_for([&] { return completions == 3; });
  ASSERT_EQ(completed.size(), 4u);
  completed.push_back(both);
  for (std::size_t i = 0; i < completed.size(); ++i) {
    EXPECT_TRUE(follows(i == 0 ? Offset{0} : completed[i - 1].end, completed[i].first)) << i;
    EXPECT_EQ(completed[i].end - completed[i].first, i < 4 ? 1 : 2);
  }
  EXPECT_EQ(values_of(kEvents), (std::vector<std::string>{"0", "1", "2", "3", "4", "5", "6"}));
}

TEST_P(Appenders, CheckConditionsAndIds) {
  const Condition none_yet{"k", Offset{0}};
  EXPECT_TRUE(appender->append_wait(fields("k", "a"), {.condition = &none_yet}));
  EXPECT_EQ(appender->append_wait(fields("k", "b"), {.condition = &none_yet}).error(), Errc::conflict);

  const HeaderView id{.name = kIdHeader, .value = as_bytes("once")};
  const RecordFields with_id = fields("k", "c", {&id, 1});
  const Appended once = appender->append_wait(with_id).value();
  EXPECT_FALSE(once.repeated);
  const Appended again = appender->append_wait(with_id).value();
  EXPECT_TRUE(again.repeated);
  EXPECT_EQ(again.first, once.first);
  EXPECT_EQ(again.end, once.end);
  std::atomic<bool> answered_again{false};
  appender->append(with_id, [&](const Result<Appended>& appended) {
    EXPECT_TRUE(appended && appended->repeated);
    answered_again = true;
    log->ports().executor.notify();
  });
  wait_for([&] { return answered_again.load(); });
  EXPECT_EQ(values_of(kEvents), (std::vector<std::string>{"a", "c"}));
}

TEST_P(Appenders, NameAPartitionThatIsNotThere) {
  EXPECT_EQ(log->appender({"events", PartitionId{1}}).error(), Errc::not_found);
  EXPECT_EQ(log->appender({"other", PartitionId{0}}).error(), Errc::not_found);
}

TEST_P(Appenders, TakeABatchThatAProducerHasFinished) {
  append("v");
  const Fetched finished = log->read(kEvents, Offset{0}, 1 << 20).value();
  log->create_topic(topic_named("copy")).value();
  const TopicPartition copy{"copy", PartitionId{0}};
  const Result<Appended> appended = log->appender(copy).value()->append_batch(finished.batches());
  if (refused(appended)) return;
  ASSERT_TRUE(appended) << appended.error();
  EXPECT_EQ(values_of(copy), std::vector<std::string>{"v"});
}

TEST_P(Appenders, RefuseWhatIsTooLarge) {
  const std::string large(kRecordBytesMax, 'x');
  EXPECT_EQ(appender->append_wait(fields("k", large)).error(), Errc::too_large);
  std::optional<Error> refused;
  appender->append(fields("k", large), [&](const Result<Appended>& appended) { refused = appended.error(); });
  ASSERT_TRUE(refused);
  EXPECT_EQ(*refused, Errc::too_large);
  EncodedRecords none;
  EXPECT_EQ(appender->append_wait(none).error(), Errc::invalid_argument);
  EXPECT_TRUE(appender->append_wait(fields("k", "small")));
  EXPECT_EQ(values_of(kEvents), std::vector<std::string>{"small"});
}

INSTANTIATE_TEST_SUITE_P(Homes, Appenders, testing::ValuesIn(home_names()), name_of_home);

}  // namespace
}  // namespace lungo::contract
