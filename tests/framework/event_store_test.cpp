#include <lungo/framework/event_store.hpp>

#include <gtest/gtest.h>

#include <lungo/framework/event_decoder.hpp>
#include <lungo/framework/partition_reader.hpp>
#include "tests/support/memory_event_log.hpp"
#include "tests/support/simulation.hpp"

namespace store_tests {

struct PageViewed {
  std::string url;
  std::int32_t status = 0;
};
struct VisitEnded {
  std::int64_t pages = 0;
};

namespace other {
struct PageViewed {
  std::string address;
};
}  // namespace other

using namespace lungo;

class EventStoreTest : public testing::Test {
 protected:
  EventStoreTest() : log(std::make_shared<test::MemoryEventLog>(simulation.ports())), store(log) {
    EXPECT_TRUE(store.stream_topic("events", 4));
  }

  std::vector<std::string> urls_of(const StreamId& stream) {
    EventDecoder decoder{store.shapes()};
    decoder.add<PageViewed>();
    StreamEvents events = store.read_stream("events", stream).value();
    std::vector<std::string> urls;
    while (const StreamEvent* event = events.next().value()) {
      EXPECT_EQ(event->number, static_cast<std::int64_t>(urls.size()) + 1);
      const Decoded decoded = decoder.decode(event->envelope).value();
      EXPECT_EQ(decoded.type, 0);
      urls.push_back(static_cast<const PageViewed*>(decoded.event)->url);
    }
    return urls;
  }

  test::Simulation simulation{1};
  std::shared_ptr<test::MemoryEventLog> log;
  EventStore store;
  const StreamId visit{"Visit", "42"};
};

/// Topics are plain until somebody asks again for streams in them, as those are whose maker has not come to its end.
class HalfMadeTopics final : public test::MemoryEventLog {
 public:
  using MemoryEventLog::MemoryEventLog;
  Result<TopicInfo> topic(std::string_view name) override {
    Result<TopicInfo> info = MemoryEventLog::topic(name);
    if (info && !is_asked_for) info->spec.streams = false;
    return info;
  }
  Result<TopicInfo> create_topic(const TopicSpec& spec) override {
    is_asked_for = true;
    return MemoryEventLog::create_topic(spec);
  }
  bool is_asked_for = false;
};

TEST(EventStoreTopics, OneThatWasHalfMadeIsTakenOver) {
  test::Simulation simulation{1};
  const auto log = std::make_shared<HalfMadeTopics>(simulation.ports());
  log->create_topic({.name = "events", .partitions = 4, .streams = true}).value();
  log->is_asked_for = false;
  EventStore store{log};
  EXPECT_TRUE(store.stream_topic("events", 4));
  EXPECT_TRUE(store.topic("events")->spec.streams) << "what was known of it before is forgotten";
  log->create_topic({.name = "plain", .partitions = 4}).value();
  const Result<TopicInfo> plain = store.stream_topic("plain", 4);
  ASSERT_FALSE(plain);
  EXPECT_EQ(to_string(plain.error()), "already_exists: topic plain exists and holds no streams");
}

TEST_F(EventStoreTest, WhatWasAppendedIsReadBackInOrderWithNumbers) {
  for (const char* url : {"/a", "/b", "/c"}) ASSERT_TRUE(store.append("events", visit, PageViewed{url}));
  ASSERT_TRUE(store.append("events", StreamId("Visit", "43"), PageViewed{"/other"}));
  EXPECT_EQ(urls_of(visit), (std::vector<std::string>{"/a", "/b", "/c"}));
}

TEST_F(EventStoreTest, TopicThatIsNotThereIsNamedWithTheCallThatMakesItAndThoseThereAre) {
  EXPECT_EQ(store.append("evnts", visit, PageViewed{"/a"}).error().text(),
            "no topic evnts; EventStore::stream_topic(\"evnts\") makes it; there are events");
  ASSERT_TRUE(store.stream_topic("orders", 1));
  EXPECT_EQ(store.read_stream("evnts", visit).error().text(),
            "no topic evnts; EventStore::stream_topic(\"evnts\") makes it; there are events, orders");
  for (int number = 0; number < 10; ++number) ASSERT_TRUE(store.stream_topic("t" + std::to_string(number), 1));
  EXPECT_EQ(store.topic("evnts").error().text(),
            "no topic evnts; EventStore::stream_topic(\"evnts\") makes it; there are 12 others");
  EXPECT_EQ(store.topic("evnts").error(), Errc::not_found);

  EventStore empty{std::make_shared<test::MemoryEventLog>(simulation.ports())};
  EXPECT_EQ(empty.topic("events").error().text(),
            "no topic events; EventStore::stream_topic(\"events\") makes it; there are no others");
}

TEST_F(EventStoreTest, TheShapeIsCommittedBeforeTheEvent) {
  log->hold_commits();
  EXPECT_FALSE(store.append("events", visit, PageViewed{"/a"},
                            {.meta = {}, .as_of = {}, .since = {}, .timeout = std::chrono::seconds{1}}));
  const Ends ends = log->ends({"events", partition_of_stream(visit.text(), 4)}).value();
  EXPECT_EQ(ends.written, Offset{0}) << "the event was written while its shape was not committed";
}

TEST_F(EventStoreTest, EnvelopeCarriesWhatTheCallerSaid) {
  const HeaderView own[] = {{"trace", as_bytes("abc")}};
  AppendOptions options;
  options.meta = {Timestamp{std::chrono::milliseconds{5000}}, "id-1", "corr", "cause", "import-1", own};
  const Commit commit = store.append("events", visit, PageViewed{"/a", 200}, options).value();
  PartitionReader reader{*log, store.topic("events").value(), {{}, commit.partition.partition, commit.first, kNoEpoch}};
  const Envelope& envelope = **reader.next();
  EXPECT_EQ(envelope.stream, "Visit-42");
  EXPECT_EQ(envelope.type, "PageViewed");
  EXPECT_EQ(envelope.time, *options.meta.time);
  EXPECT_EQ(envelope.recorded, simulation.clock.now());
  EXPECT_EQ(envelope.id, "id-1");
  EXPECT_EQ(envelope.correlation, "corr");
  EXPECT_EQ(envelope.causation, "cause");
  EXPECT_EQ(envelope.lane, "import-1");
  HeaderCursor headers = envelope.headers();
  bool found = false;
  while (const HeaderView* header = headers.next()) found |= header->name == "trace" && as_text(header->value) == "abc";
  EXPECT_TRUE(found);
}

TEST_F(EventStoreTest, AHeaderUnderTheReservedPrefixIsRefused) {
  const HeaderView own[] = {{"l.mine", as_bytes("x")}};
  AppendOptions options;
  options.meta.headers = own;
  const Result<Commit> commit = store.append("events", visit, PageViewed{"/a"}, options);
  ASSERT_FALSE(commit);
  EXPECT_EQ(commit.error(), Errc::invalid_argument);
}

TEST_F(EventStoreTest, AConditionNamesTheRecordInTheWay) {
  const Commit first = store.append("events", visit, PageViewed{"/a"}, {.meta = {}, .as_of = Offset{0}, .since = {}}).value();
  const Result<Commit> second = store.append("events", visit, PageViewed{"/b"}, {.meta = {}, .as_of = Offset{0}, .since = {}});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error(), Errc::conflict);
  EXPECT_EQ(second.error().offset(), first.first);
  EXPECT_TRUE(store.append("events", visit, PageViewed{"/b"}, {.meta = {}, .as_of = first.end, .since = {}}));
}

TEST_F(EventStoreTest, ARepeatedIdIsWrittenOnce) {
  AppendOptions options;
  options.meta.id = "once";
  const Commit first = store.append("events", visit, PageViewed{"/a"}, options).value();
  const Commit again = store.append("events", visit, PageViewed{"/a"}, options).value();
  EXPECT_FALSE(first.repeated);
  EXPECT_TRUE(again.repeated);
  EXPECT_EQ(again.first, first.first);
  EXPECT_EQ(urls_of(visit).size(), 1u);
}

TEST_F(EventStoreTest, ABatchBecomesOneAppendPerPartition) {
  ASSERT_TRUE(store.declare<PageViewed>());
  const std::size_t before = log->append_calls();
  EventBatch batch = store.batch("events").value();
  for (int visitor = 0; visitor < 100; ++visitor) {
    ASSERT_TRUE(batch.add(StreamId("Visit", std::to_string(visitor)), PageViewed{"/" + std::to_string(visitor)}));
  }
  EXPECT_EQ(batch.count(), 100u);
  const std::vector<Commit> commits = store.append_wait(std::move(batch)).value();
  EXPECT_EQ(commits.size(), 4u);
  EXPECT_EQ(log->append_calls() - before, 4u);
  std::int64_t records = 0;
  for (const Commit& commit : commits) records += commit.end - commit.first;
  EXPECT_EQ(records, 100);
  EXPECT_EQ(urls_of(StreamId("Visit", "7")), (std::vector<std::string>{"/7"}));
}

TEST_F(EventStoreTest, ABatchReportsTheFirstErrorOfItsParts) {
  ASSERT_TRUE(store.declare<PageViewed>());
  EventBatch batch = store.batch("events").value();
  for (int visitor = 0; visitor < 100; ++visitor) {
    ASSERT_TRUE(batch.add(StreamId("Visit", std::to_string(visitor)), PageViewed{"/"}));
  }
  log->fail_appends(1, Error{Errc::no_space, "the disk is full"});
  const Result<std::vector<Commit>> commits = store.append_wait(std::move(batch));
  ASSERT_FALSE(commits);
  EXPECT_EQ(commits.error(), Errc::no_space);
}

TEST_F(EventStoreTest, TwoTypesOfOneNameAreRefused) {
  ASSERT_TRUE(store.append("events", visit, PageViewed{"/a"}));
  const Result<Commit> commit = store.append("events", visit, other::PageViewed{"/a"});
  ASSERT_FALSE(commit);
  EXPECT_EQ(commit.error(), Errc::already_exists);
}

TEST_F(EventStoreTest, StreamsOfOneScopeShareAPartition) {
  const Scope shop = in("shop-7");
  const Commit first = store.append("events", StreamId(shop, "Visit", "1"), PageViewed{"/a"}).value();
  const Commit second = store.append("events", StreamId(shop, "Cart", "2"), VisitEnded{1}).value();
  EXPECT_EQ(first.partition, second.partition);
}

TEST_F(EventStoreTest, AnotherStoreOnTheLogDecodesThroughPublishedShapes) {
  ASSERT_TRUE(store.append("events", visit, PageViewed{"/a", 200}));
  EventStore second{log};
  EventDecoder decoder{second.shapes()};
  EXPECT_EQ(decoder.add<VisitEnded>(), 0);
  EXPECT_EQ(decoder.add<PageViewed>(), 1);
  EXPECT_EQ(decoder.add<VisitEnded>(), 0);
  StreamEvents events = second.read_stream("events", visit).value();
  const Decoded decoded = decoder.decode((**events.next()).envelope).value();
  EXPECT_EQ(decoded.type, 1);
  EXPECT_EQ(static_cast<const PageViewed*>(decoded.event)->status, 200);
}

TEST_F(EventStoreTest, AnEventThatWasNotAddedIsSkippedWithoutItsShape) {
  ASSERT_TRUE(store.append("events", visit, PageViewed{"/a", 200}));
  ShapeRegistry empty{std::make_shared<test::MemoryEventLog>(simulation.ports())};
  EventDecoder decoder{empty};
  decoder.add<VisitEnded>();
  StreamEvents events = store.read_stream("events", visit).value();
  EXPECT_EQ(decoder.decode((**events.next()).envelope).value().type, -1);
}

TEST_F(EventStoreTest, AnUnknownShapeOfAKnownEventIsAnError) {
  ASSERT_TRUE(store.append("events", visit, PageViewed{"/a", 200}));
  ShapeRegistry empty{std::make_shared<test::MemoryEventLog>(simulation.ports())};
  EventDecoder decoder{empty};
  decoder.add<PageViewed>();
  StreamEvents events = store.read_stream("events", visit).value();
  const Result<Decoded> decoded = decoder.decode((**events.next()).envelope);
  ASSERT_FALSE(decoded);
  EXPECT_EQ(decoded.error(), Errc::unknown_shape);
}

TEST_F(EventStoreTest, AReaderWalksAPartitionAndGoesOnAsItGrows) {
  const TopicInfo topic = store.topic("events").value();
  const PartitionId partition = partition_of_stream(visit.text(), 4);
  PartitionReader reader{*log, topic, {topic.id, partition, Offset{0}, kNoEpoch}, 100};
  EXPECT_EQ(reader.next().value(), nullptr);
  for (int round = 0; round < 3; ++round) {
    for (int event = 0; event < 10; ++event) ASSERT_TRUE(store.append("events", visit, PageViewed{"/a"}));
    for (int event = 0; event < 10; ++event) {
      const Envelope* envelope = reader.next().value();
      ASSERT_NE(envelope, nullptr);
      EXPECT_EQ(envelope->offset, Offset{round * 10 + event});
    }
    EXPECT_EQ(reader.next().value(), nullptr);
    EXPECT_EQ(reader.position().offset, Offset{(round + 1) * 10});
  }
  EXPECT_TRUE(log->validate("events", reader.position()));
}

}  // namespace store_tests
