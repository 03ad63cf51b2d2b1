// What who appends is promised: EventLog::append(), append_wait() and appender().
#include "tests/contract/contract.hpp"

#include <lungo/log/appender.hpp>

namespace lungo::contract {
namespace {

using namespace std::chrono_literals;

RecordFields fields(std::string_view key, std::string_view value, std::span<const HeaderView> headers = {}) {
  return {.timestamp = {}, .key = as_bytes(key), .value = as_bytes(value), .headers = headers};
}

class Appends : public Contract {
 protected:
  Appends() { log->create_topic(topic_named("events")).value(); }
};

TEST_P(Appends, AreCommittedAndReadableWhenTheyAreAnswered) {
  const Appended first = append("a");
  EXPECT_EQ(first.first, Offset{0});
  EXPECT_EQ(first.end, Offset{1});
  EXPECT_FALSE(first.repeated);
  append("b");
  const Ends ends = log->ends(kEvents).value();
  EXPECT_EQ(ends.start, Offset{0});
  EXPECT_EQ(ends.committed, Offset{2});
  EXPECT_EQ(ends.synced, Offset{2});
  EXPECT_EQ(ends.written, Offset{2});
  EXPECT_EQ(values_of(*log, kEvents), (std::vector<std::string>{"a", "b"}));
}

TEST_P(Appends, CompleteOnceInOrderAfterTheirCommit) {
  constexpr int kCount = 1000;
  std::atomic<int> completed{0};
  std::vector<std::int64_t> order;
  for (int i = 0; i < kCount; ++i) {
    log->append(append_of(kEvents, "k", std::to_string(i)), [&](Result<Appended> result) {
      EXPECT_GE(log->ends(kEvents).value().committed, result.value().end);
      order.push_back(result.value().first.value());  // completions of one partition never overlap
      completed.fetch_add(1);
      log->ports().executor.notify();
    });
  }
  wait_for([&] { return completed == kCount; });
  for (int i = 0; i < kCount; ++i) EXPECT_EQ(order[static_cast<std::size_t>(i)], i);
  EXPECT_EQ(values_of(*log, kEvents).size(), static_cast<std::size_t>(kCount));
}

TEST_P(Appends, MayBeMadeByACompletion) {
  std::atomic<bool> done{false};
  log->append(append_of(kEvents, "k", "first"), [&](Result<Appended>) {
    AppendRequest second = append_of(kEvents, "k", "second");
    second.caller_waits = true;
    log->append(std::move(second), [&](Result<Appended> result) {
      EXPECT_EQ(result.value().first, Offset{1});
      done = true;
      log->ports().executor.notify();
    });
  });
  wait_for([&] { return done.load(); });
}

TEST_P(Appends, StayWholeWhenTheyAreLarge) {
  const std::string large(300 << 10, 'x');
  append(large);
  std::atomic<int> completed{0};
  for (int i = 0; i < 20; ++i) {
    log->append(append_of(kEvents, "k", large), [&](Result<Appended> result) {
      EXPECT_TRUE(result.has_value()) << result.error();
      completed.fetch_add(1);
      log->ports().executor.notify();
    });
  }
  wait_for([&] { return completed == 20; });
  EXPECT_EQ(values_of(*log, kEvents), std::vector<std::string>(21, large));
}

TEST_P(Appends, OfSeveralRecordsKeepThemTogether) {
  std::vector<Appended> appended;
  std::atomic<int> completed{0};
  for (int i = 0; i < 50; ++i) {
    AppendRequest request{.to = kEvents, .records = {}, .condition = {}, .since = {}};
    for (int record = 0; record <= i % 5; ++record) request.records.add(fields("k", std::to_string(i))).value();
    log->append(std::move(request), [&](Result<Appended> result) {
      appended.push_back(result.value());
      completed.fetch_add(1);
      log->ports().executor.notify();
    });
  }
  wait_for([&] { return completed == 50; });
  const std::vector<std::string> values = values_of(*log, kEvents);
  Offset end;
  for (int i = 0; i < 50; ++i) {
    const Appended& one = appended[static_cast<std::size_t>(i)];
    EXPECT_EQ(one.first, end);
    EXPECT_EQ(one.end - one.first, i % 5 + 1);
    for (Offset at = one.first; at < one.end; at = at.next()) {
      EXPECT_EQ(values.at(static_cast<std::size_t>(at.value())), std::to_string(i));
    }
    end = one.end;
  }
  EXPECT_EQ(log->ends(kEvents)->committed, end);
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

TEST_P(Appends, ToWhatIsNotThereAndOfNothingAreRefused) {
  EXPECT_EQ(append_wait(*log, append_of({"other", PartitionId{0}}, "k", "v")).error(), Errc::not_found);
  EXPECT_EQ(append_wait(*log, append_of({"events", PartitionId{1}}, "k", "v")).error(), Errc::not_found);
  EXPECT_EQ(append_wait(*log, append_of({"events", PartitionId{-1}}, "k", "v")).error(), Errc::not_found);
  AppendRequest empty;
  empty.to = kEvents;
  EXPECT_EQ(append_wait(*log, empty).error(), Errc::invalid_argument);
  EXPECT_EQ(log->ends(kEvents)->written, Offset{0});
}

TEST_P(Appends, OnBehalfOfPartitionsThatAreMineAreTaken) {
  AppendRequest request = append_of(kEvents, "k", "row");
  request.on_behalf_of = {kEvents};
  const Result<Appended> appended = append_wait(*log, std::move(request));
  ASSERT_TRUE(appended) << appended.error();
  EXPECT_EQ(values_of(*log, kEvents), std::vector<std::string>{"row"});
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
  EXPECT_EQ(values_of(*log, kEvents), std::vector<std::string>{"v"});
}

TEST_P(Appends, AreCommittedAtWrittenWhereTheTopicSaysSo) {
  TopicSpec spec = topic_named("fast");
  spec.ack_level = AckLevel::isr;
  log->create_topic(spec).value();
  const TopicPartition fast{"fast", PartitionId{0}};
  EXPECT_EQ(append_wait(*log, append_of(fast, "k", "v")).value().end, Offset{1});
  EXPECT_EQ(log->ends(fast).value().committed, Offset{1});
  wait_for([&] { return log->ends(fast).value().synced == Offset{1}; });
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
  std::vector<std::int64_t> completed;
  std::atomic<int> completions{0};
  EXPECT_EQ(appender->append_wait(fields("k", "0"))->first, Offset{0});
  for (const char* value : {"1", "2", "3"}) {
    appender->append(fields("k", value), [&](Result<Appended> appended) {
      ASSERT_TRUE(appended) << appended.error();
      EXPECT_EQ(appended->end, appended->first.plus(1));
      completed.push_back(appended->first.value());
      ++completions;
      log->ports().executor.notify();
    });
  }
  EncodedRecords records = test::record("k", "4");
  ASSERT_TRUE(records.add(fields("k", "5")));
  const Appended both = appender->append_wait(records).value();
  EXPECT_EQ(both.first, Offset{4});
  EXPECT_EQ(both.end, Offset{6});
  records.clear();
  ASSERT_TRUE(records.add(fields("k", "6")));
  EXPECT_EQ(appender->append_wait(records)->first, Offset{6}) << "the same records, used again";
  wait_for([&] { return completions == 3; });
  EXPECT_EQ(completed, (std::vector<std::int64_t>{1, 2, 3}));
  EXPECT_EQ(values_of(*log, kEvents), (std::vector<std::string>{"0", "1", "2", "3", "4", "5", "6"}));
}

TEST_P(Appenders, CheckConditionsAndIds) {
  const Condition none_yet{"k", Offset{0}};
  EXPECT_EQ(appender->append_wait(fields("k", "a"), {.condition = &none_yet})->first, Offset{0});
  EXPECT_EQ(appender->append_wait(fields("k", "b"), {.condition = &none_yet}).error(), Errc::conflict);

  const HeaderView id{.name = kIdHeader, .value = as_bytes("once")};
  const RecordFields with_id = fields("k", "c", {&id, 1});
  EXPECT_EQ(appender->append_wait(with_id)->first, Offset{1});
  const Appended again = appender->append_wait(with_id).value();
  EXPECT_TRUE(again.repeated);
  EXPECT_EQ(again.first, Offset{1});
  std::atomic<bool> repeated{false};
  appender->append(with_id, [&](Result<Appended> appended) {
    repeated = appended->repeated;
    log->ports().executor.notify();
  });
  wait_for([&] { return repeated.load(); });
  EXPECT_EQ(values_of(*log, kEvents), (std::vector<std::string>{"a", "c"}));
}

TEST_P(Appenders, NameAPartitionThatIsNotThere) {
  EXPECT_EQ(log->appender({"events", PartitionId{1}}).error(), Errc::not_found);
  EXPECT_EQ(log->appender({"other", PartitionId{0}}).error(), Errc::not_found);
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
  EXPECT_EQ(appender->append_wait(fields("k", "small"))->first, Offset{0});
}

INSTANTIATE_TEST_SUITE_P(Homes, Appenders, testing::ValuesIn(home_names()), name_of_home);

}  // namespace
}  // namespace lungo::contract
