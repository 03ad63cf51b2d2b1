// What is promised of topics, and of positions in them: their making, change and end, and EventLog::validate().
#include "tests/contract/contract.hpp"

#include <set>

namespace lungo::contract {
namespace {

using namespace std::chrono_literals;

class Topics : public Contract {
 protected:
  /// Of those that are listed; a home may have others' besides.
  std::vector<std::string> names(const std::set<std::string>& of) {
    std::vector<std::string> found;
    for (const TopicInfo& topic : log->topics().value()) {
      if (of.contains(topic.spec.name)) found.push_back(topic.spec.name);
    }
    return found;
  }
};

TEST_P(Topics, AreMadeTwiceWithTheSameSettingsOnly) {
  const TopicInfo first = log->create_topic(topic_named("events")).value();
  EXPECT_EQ(log->create_topic(topic_named("events")).value().id, first.id);
  TopicSpec other = topic_named("events");
  other.partitions = 3;
  const Error error = log->create_topic(other).error();
  EXPECT_EQ(error.code(), Errc::already_exists);
  EXPECT_EQ(error.text(), "topic " + other.name + " exists with partitions=1, not 3");
  EXPECT_EQ(names({"events"}), std::vector<std::string>{"events"});
}

TEST_P(Topics, AreListedInTheOrderInWhichTheyWereMade) {
  for (const char* name : {"b", "a", "c"}) log->create_topic(topic_named(name)).value();
  EXPECT_EQ(names({"a", "b", "c"}), (std::vector<std::string>{"b", "a", "c"}));
  home->restart(log);
  EXPECT_EQ(names({"a", "b", "c"}), (std::vector<std::string>{"b", "a", "c"}));
}

TEST_P(Topics, HaveNamesThatKafkaTakes) {
  for (const char* name : {"", ".", "..", "a b", "a/b", "\xc3\xa4"}) {
    EXPECT_EQ(log->create_topic(topic_named(name)).error(), Errc::invalid_argument) << name;
  }
  EXPECT_EQ(log->create_topic(topic_named(std::string(250, 'x'))).error(), Errc::invalid_argument);
  for (const std::string& name : {std::string("Az09._-"), std::string(200, 'x')})
    EXPECT_TRUE(log->create_topic(topic_named(name)));
}

TEST_P(Topics, HaveAPartition) {
  TopicSpec less = topic_named("none");
  less.partitions = -1;
  EXPECT_EQ(log->create_topic(less).error(), Errc::invalid_argument);
  EXPECT_EQ(log->topic("none").error(), Errc::not_found);
}

TEST_P(Topics, AreToldHowManyPartitionsTheyHave) {
  TopicSpec without = topic_named("none");
  without.partitions = 0;
  const Result<TopicInfo> made = log->create_topic(without);
  if (not_promised(!made)) return;
  EXPECT_EQ(made.error(), Errc::invalid_argument);
  EXPECT_EQ(log->topic("none").error(), Errc::not_found);
}

TEST_P(Topics, AndTheirRecordsSurviveARestart) {
  TopicSpec spec = topic_named("events", true);
  spec.segment_bytes = 1 << 20;
  spec.ack_level = AckLevel::isr;
  const TopicId id = log->create_topic(spec)->id;
  const Appended first = append("a");
  home->restart(log);
  const TopicInfo topic = log->topic("events").value();
  EXPECT_EQ(topic.id, id);
  EXPECT_EQ(topic.spec, spec);
  EXPECT_TRUE(follows(first.end, log->ends(kEvents).value().committed));
  EXPECT_EQ(values_of(kEvents), std::vector<std::string>{"a"});
  const Appended second = append("b");
  EXPECT_TRUE(follows(first.end, second.first));
  EXPECT_GE(second.epoch, first.epoch);
  EXPECT_EQ(values_of(kEvents), (std::vector<std::string>{"a", "b"}));
}

TEST_P(Topics, HaveEndsOfTheirOwnInEachPartition) {
  TopicSpec spec = topic_named("events");
  spec.partitions = 3;
  log->create_topic(spec).value();
  std::vector<Offset> ends(3);
  for (std::int32_t partition = 0; partition < 3; ++partition) {
    Offset& end = ends[static_cast<std::size_t>(partition)];
    for (std::int32_t i = 0; i < partition; ++i) {
      const Appended one = append_wait(*log, append_of({"events", PartitionId{partition}}, "k", "v")).value();
      EXPECT_TRUE(follows(end, one.first));
      end = one.end;
    }
  }
  for (std::int32_t partition = 0; partition < 3; ++partition) {
    const TopicPartition one{"events", PartitionId{partition}};
    const auto count = static_cast<std::size_t>(partition);
    EXPECT_TRUE(follows(ends[count], log->ends(one)->committed));
    EXPECT_EQ(values_of(one), std::vector<std::string>(count, "v"));
  }
  EXPECT_EQ(log->ends(kEvents)->committed, Offset{0}) << "nothing was written there";
  EXPECT_EQ(log->ends({"events", PartitionId{3}}).error(), Errc::not_found);
  EXPECT_EQ(log->ends({"other", PartitionId{0}}).error(), Errc::not_found);
}

TEST_P(Topics, ThatAreCompactedTakeNoRecordsWithoutAKey) {
  TopicSpec spec = topic_named("events");
  spec.compact = true;
  log->create_topic(spec).value();
  AppendRequest request = append_of(kEvents, "k", "v");
  request.records.add({.timestamp = Timestamp{1s}, .key = {}, .value = as_bytes("v"), .headers = {}}).value();
  EXPECT_EQ(append_wait(*log, std::move(request)).error(), Errc::invalid_argument);
  append("with a key");
  EXPECT_EQ(values_of(kEvents), std::vector<std::string>{"with a key"});
}

TEST_P(Topics, MayTimeTheirRecordsThemselves) {
  TopicSpec spec = topic_named("events");
  spec.timestamps = TimestampKind::log_append;
  log->create_topic(spec).value();
  const Timestamp before = log->ports().clock.now();
  AppendRequest request{.to = kEvents, .records = {}, .condition = {}, .since = {}};
  request.records.add({.timestamp = Timestamp{5ms}, .key = {}, .value = as_bytes("v"), .headers = {}}).value();
  const Appended appended = append_wait(*log, std::move(request)).value();
  const Fetched fetched = log->read(kEvents, appended.first, 1000).value();
  RecordCursor records = fetched.records();
  const RecordView* record = records.next();
  ASSERT_NE(record, nullptr);
  EXPECT_GE(record->timestamp, before);
  EXPECT_LE(record->timestamp, log->ports().clock.now());
  EXPECT_EQ(log->offset_at(kEvents, before).value(), appended.first);
}

TEST_P(Topics, ChangeTheirSettings) {
  log->create_topic(topic_named("events")).value();
  const Result<TopicInfo> altered = log->alter_topic("events", {.flush_interval = 7ms});
  if (refused(altered)) return;
  ASSERT_TRUE(altered) << altered.error();
  EXPECT_EQ(altered->spec.flush_interval, 7ms);
  home->restart(log);
  EXPECT_EQ(log->topic("events")->spec, altered->spec);
  EXPECT_EQ(log->create_topic(topic_named("events")).error(), Errc::already_exists) << "it has other settings by now";
  EXPECT_EQ(log->alter_topic("other", {}).error(), Errc::not_found);
}

TEST_P(Topics, AreDeletedAndTheirNamesAreFree) {
  const TopicId old = log->create_topic(topic_named("events"))->id;
  append("old");
  std::atomic<int> told{0};
  const auto token = log->notify_above(kEvents, Offset{100}, [&] { ++told; });
  const Result<void> deleted = log->delete_topic("events");
  if (refused(deleted)) return;
  ASSERT_TRUE(deleted) << deleted.error();
  wait_for([&] { return told == 1; });
  EXPECT_EQ(log->topic("events").error(), Errc::not_found);
  EXPECT_EQ(names({"events"}), std::vector<std::string>{});
  EXPECT_EQ(log->read(kEvents, Offset{0}, 100).error(), Errc::not_found);
  EXPECT_EQ(append_wait(*log, append_of(kEvents, "k", "v")).error(), Errc::not_found);
  EXPECT_EQ(log->delete_topic("events").error(), Errc::not_found);
  EXPECT_NE(log->create_topic(topic_named("events"))->id, old);
  append("new");
  EXPECT_EQ(values_of(kEvents), std::vector<std::string>{"new"});
  home->restart(log);
  EXPECT_EQ(values_of(kEvents), std::vector<std::string>{"new"});
}

TEST_P(Topics, GrowUnlessTheyHoldStreams) {
  log->create_topic(topic_named("events")).value();
  log->create_topic(topic_named("streams", true)).value();
  const Result<TopicInfo> grown = log->add_partitions("events", 3);
  if (refused(grown)) return;
  ASSERT_TRUE(grown) << grown.error();
  EXPECT_EQ(grown->spec.partitions, 3);
  const TopicPartition last{"events", PartitionId{2}};
  EXPECT_TRUE(append_wait(*log, append_of(last, "k", "v")));
  EXPECT_EQ(values_of(last), std::vector<std::string>{"v"});
  EXPECT_EQ(log->add_partitions("events", 2).error(), Errc::invalid_argument);
  EXPECT_EQ(log->add_partitions("streams", 2).error(), Errc::unsupported);
  EXPECT_EQ(log->add_partitions("other", 2).error(), Errc::not_found);
}

TEST_P(Topics, LoseTheirOldestRecordsWhereAskedTo) {
  log->create_topic(topic_named("events")).value();
  for (const char* value : {"0", "1", "2", "3"}) written.push_back(append(value));
  const Offset begin = written[2].first;
  const Result<Offset> start = log->delete_records(kEvents, begin);
  if (refused(start)) return;
  EXPECT_EQ(start.value(), begin);
  EXPECT_EQ(log->delete_records(kEvents, written[1].first).value(), begin) << "never back";
  const auto beyond = ask_at_end([&](Offset end) { return log->delete_records(kEvents, end.next()); });
  EXPECT_EQ(beyond.error(), Errc::offset_out_of_range);
  EXPECT_EQ(log->delete_records({"other", PartitionId{0}}, Offset{0}).error(), Errc::not_found);
  EXPECT_EQ(values_of(kEvents, begin), (std::vector<std::string>{"2", "3"}));
  home->restart(log);
  EXPECT_EQ(log->ends(kEvents)->start, begin);
  EXPECT_EQ(log->read(kEvents, begin.plus(-1), 1000).error(), Errc::offset_out_of_range);
  EXPECT_EQ(values_of(kEvents, begin), (std::vector<std::string>{"2", "3"}));
  EXPECT_TRUE(follows(written[3].end, append("4").first));
}

INSTANTIATE_TEST_SUITE_P(Homes, Topics, testing::ValuesIn(home_names()), name_of_home);

class Positions : public Contract {
 protected:
  Positions() { log->create_topic(topic_named("events", true)).value(); }
  /// Of who has read the first record, which has this value.
  Position after(std::string_view value) {
    written.push_back(append(value));
    return log->read(kEvents, Offset{0}, 1 << 20)->next();
  }
};

TEST_P(Positions, AreGoodForAsLongAsTheirHistory) {
  const Position position = after("a");
  EXPECT_EQ(position.topic, log->topic("events")->id);
  EXPECT_EQ(position.partition, PartitionId{0});
  EXPECT_TRUE(follows(written[0].end, position.offset));
  EXPECT_TRUE(log->validate("events", position));
  home->restart(log);
  const Appended second = append("b");
  EXPECT_TRUE(log->validate("events", position));
  EXPECT_EQ(values_of(kEvents, position.offset), std::vector<std::string>{"b"});
  EXPECT_TRUE(follows(second.end, log->read(kEvents, second.first, 1000)->next().offset));
  Position untouched = position;
  untouched.offset = Offset{0};
  untouched.epoch = kNoEpoch;
  EXPECT_TRUE(log->validate("events", untouched)) << "nothing was consumed";
}

TEST_P(Positions, AboveWhatTheirEpochWroteHaveDiverged) {
  Position beyond = after("a");
  home->restart(log);
  const Appended second = append("b");
  const LeaderEpoch later = log->read(kEvents, second.first, 1000)->next().epoch;
  if (not_promised(later > beyond.epoch)) return;
  ASSERT_GT(later, beyond.epoch);
  beyond.offset = second.end;
  EXPECT_EQ(log->validate("events", beyond).error(), Errc::position_diverged);
}

TEST_P(Positions, AboveTheEndHaveDiverged) {
  Position beyond = after("a");
  const Result<void> validated = ask_at_end([&](Offset end) {
    beyond.offset = end.next();
    return log->validate("events", beyond);
  });
  EXPECT_EQ(validated.error(), Errc::position_diverged);
}

TEST_P(Positions, AreStoredSoThatTheyHoldOverARestart) {
  const Position read = after("a");
  const Position stored = log->to_store("events", read).value();
  EXPECT_EQ(stored.topic, read.topic);
  EXPECT_EQ(stored.partition, read.partition);
  EXPECT_EQ(stored.offset, read.offset);
  EXPECT_NE(stored.epoch, kNoEpoch);
  append("b");
  home->restart(log);
  EXPECT_TRUE(log->validate("events", stored));
  EXPECT_EQ(log->to_store("events", stored).value(), stored) << "again";
}

TEST_P(Positions, WhereNothingWasReadAreStoredToo) {
  append("a");
  const Position untouched{log->topic("events")->id, PartitionId{0}, Offset{0}, kNoEpoch};
  const Position stored = log->to_store("events", untouched).value();
  EXPECT_EQ(stored, untouched);
  EXPECT_TRUE(log->validate("events", stored));
}

TEST_P(Positions, OfAnotherTopicHaveDiverged) {
  Position foreign = after("a");
  foreign.topic.bytes[0] ^= 1;
  EXPECT_EQ(log->validate("events", foreign).error(), Errc::position_diverged);
  EXPECT_EQ(log->validate("other", foreign).error(), Errc::not_found);
}

TEST_P(Positions, OfATopicThatWasMadeAnewHaveDiverged) {
  const Position position = after("a");
  const Result<void> deleted = log->delete_topic("events");
  if (refused(deleted)) return;
  ASSERT_TRUE(deleted) << deleted.error();
  log->create_topic(topic_named("events", true)).value();
  append("a");
  EXPECT_EQ(log->validate("events", position).error(), Errc::position_diverged);
}

TEST_P(Positions, BelowTheStartAreHistoryTrimmed) {
  const Position position = after("a");
  const Appended second = append("b");
  const Appended third = append("c");
  const Result<Offset> start = log->delete_records(kEvents, third.first);
  if (refused(start)) return;
  ASSERT_TRUE(start) << start.error();
  EXPECT_EQ(log->validate("events", position).error(), Errc::history_trimmed);
  EXPECT_EQ(log->read_key(kEvents, "k", second.first, third.end, 100).error(), Errc::history_trimmed);
}

INSTANTIATE_TEST_SUITE_P(Homes, Positions, testing::ValuesIn(home_names()), name_of_home);

}  // namespace
}  // namespace lungo::contract
