// Goal: the stream index of a partition finds every record of a key and nothing else, in tables, in runs and after damage;
// conditions and repeated ids rest on it.

#include <gtest/gtest.h>

#include "recent_ids.hpp"
#include "tests/log/partition_fixture.hpp"

namespace lungo {
namespace {

using namespace test;

TEST(RecentIds, RemembersTheLastTenThousand) {
  RecentIds ids;
  const auto yes = [](Offset) { return true; };
  for (int i = 0; i < 25'000; ++i) ids.add("key", "id-" + std::to_string(i), Offset{i});
  EXPECT_FALSE(ids.find("key", "id-14999", Offset{0}, yes));
  for (int i = 15'000; i < 25'000; ++i) ASSERT_EQ(ids.find("key", "id-" + std::to_string(i), Offset{0}, yes), Offset{i});
  EXPECT_FALSE(ids.find("key", "id-20000", Offset{20'001}, yes));
  EXPECT_FALSE(ids.find("key", "id-20000", Offset{0}, [](Offset) { return false; }));
  EXPECT_FALSE(ids.find("other", "id-20000", Offset{0}, yes));
  EXPECT_FALSE(ids.find(std::nullopt, "id-20000", Offset{0}, yes));
}

std::unique_ptr<PartitionLog> open_streams(PartitionFixture& fixture, std::optional<CleanEnd> clean = {},
                                           std::uint64_t segment_bytes = 4000) {
  fixture.options.streams = true;
  fixture.options.segment_bytes = segment_bytes;
  fixture.options.stream_table_records = 20;
  return fixture.opened(clean);
}

void do_chores(PartitionLog& log) {
  for (bool more = true; more;) {
    const Result<bool> stepped = log.do_chores();
    ASSERT_TRUE(stepped) << stepped.error();
    more = *stepped;
  }
}

std::vector<std::string> runs_in(PartitionFixture& fixture) {
  std::vector<std::string> runs = fixture.names();
  std::erase_if(runs, [](const std::string& name) { return !name.ends_with(".streams"); });
  return runs;
}

TestRecord numbered(int i) {
  return {
      .key = "s" + std::to_string(i % 13), .value = "value " + std::to_string(i), .time = i, .id = "id" + std::to_string(i)};
}

// Every stream, paged, from every twentieth offset.
void expect_streams(PartitionLog& log, int records) {
  for (int stream = 0; stream < 14; ++stream) {
    for (int begin = 0; begin < records; begin += 20) {
      std::vector<TestRecord> expected;
      for (int i = begin; i < records; ++i) {
        if (i % 13 == stream) expected.push_back(numbered(i));
      }
      std::vector<TestRecord> found;
      Offset next{begin};
      for (bool done = false; !done;) {
        const Result<KeyRecords> page = log.read_key("s" + std::to_string(stream), next, Offset{records}, 3);
        ASSERT_TRUE(page) << page.error();
        ASSERT_LE(page->records.size(), 3u);
        for (const RecordView& record : page->records) found.push_back(decode(record));
        next = page->next;
        done = page->done;
      }
      ASSERT_EQ(found, expected) << "stream " << stream << " from " << begin;
    }
  }
}

TEST(StreamIndex, AStreamIsReadAcrossSegmentsAndRestarts) {
  PartitionFixture fixture;
  int records = 0;
  const auto grow = [&records](PartitionLog& log, int by) {
    for (const int end = records + by; records < end; records += 2) {
      ASSERT_TRUE(append(log, {numbered(records), numbered(records + 1)}));
    }
  };
  CleanEnd clean{};
  {
    const auto log = open_streams(fixture);
    grow(*log, 150);
    expect_streams(*log, records);
    ASSERT_TRUE(log->sync());
    expect_streams(*log, records);
    clean = *log->close();
  }
  {
    const auto log = open_streams(fixture, clean);
    expect_streams(*log, records);
    grow(*log, 20);
    expect_streams(*log, records);
    clean = *log->close();
  }
  {
    const auto log = open_streams(fixture, clean);
    grow(*log, 100);  // before the index is looked at for the first time
    expect_streams(*log, records);
    ASSERT_TRUE(log->sync());
  }
  const auto log = open_streams(fixture);  // as after a crash
  expect_streams(*log, records);
  grow(*log, 20);
  expect_streams(*log, records);
}

TEST(StreamIndex, MissingForeignAndDamagedRunsAreMadeAnew) {
  for (const bool kept : {false, true}) {
    PartitionFixture fixture;
    {
      const auto log = open_streams(fixture);
      for (int i = 0; i < 200; ++i) {
        ASSERT_TRUE(append(*log, {numbered(i)}));
        if (i == 79) do_chores(*log);
        if (i > 79 && i % 20 == 19) {
          ASSERT_TRUE(log->do_chores());
        }
      }
      ASSERT_TRUE(log->sync());
    }
    const std::vector<std::string> runs = runs_in(fixture);
    ASSERT_GT(runs.size(), 3u);
    ASSERT_EQ(runs[0], "00000000000000000000-00000000000000000080.streams");
    ASSERT_TRUE(fixture.simulation->disk.remove(fixture.path(runs[1])));
    fixture.flip(runs[0], 100);
    fixture.truncate(runs[2], 0);
    fixture.write(runs[3], 0, *read_file(fixture.simulation->disk, fixture.path(runs[0]), 1 << 20));
    const auto log = open_streams(fixture);
    if (kept) do_chores(*log);
    expect_streams(*log, 200);
    do_chores(*log);
    expect_streams(*log, 200);
    ASSERT_TRUE(log->close());
    expect_streams(*open_streams(fixture), 200);
  }
}

// Whole and undamaged, of the same offsets, and of other records: left over from before a crash, say.
TEST(StreamIndex, ARunOfAnotherHistoryIsNotUsed) {
  for (const bool gaps : {false, true}) {
    const auto fixture_with = [gaps](const std::string& prefix, LeaderEpoch epoch) {
      auto fixture = std::make_unique<PartitionFixture>();
      fixture->options.gaps = gaps;
      const auto log = open_streams(*fixture);
      for (int i = 0; i < 40; ++i) EXPECT_TRUE(append(*log, {{.key = prefix + std::to_string(i), .value = "v"}}, epoch));
      do_chores(*log);
      EXPECT_TRUE(log->sync());
      return fixture;
    };
    const auto ours = fixture_with("s", LeaderEpoch{gaps ? 1 : 0});
    const auto other = fixture_with("t", LeaderEpoch{0});
    const std::vector<std::string> runs = runs_in(*ours);
    ASSERT_EQ(runs, runs_in(*other));
    ASSERT_EQ(runs.size(), 2u);
    for (const std::string& run : runs) {
      ours->truncate(run, 0);
      ours->write(run, 0, *read_file(other->simulation->disk, other->path(run), 1 << 20));
    }
    const auto log = open_streams(*ours);
    for (int i = 0; i < 40; ++i) {
      EXPECT_EQ(log->read_key("s" + std::to_string(i), Offset{0}, Offset{40}, 10)->records.size(), 1u);
      EXPECT_EQ(log->read_key("t" + std::to_string(i), Offset{0}, Offset{40}, 10)->records.size(), 0u);
    }
  }
}

// They are a cache: deleted, not converted.
TEST(StreamIndex, RunsOfVersion1Go) {
  PartitionFixture fixture;
  {
    const auto log = open_streams(fixture);
    for (int i = 0; i < 30; ++i) ASSERT_TRUE(append(*log, {numbered(i)}));
  }
  ASSERT_TRUE(fixture.simulation->disk.open(fixture.path("00000000000000000000.streams"), OpenMode::create_new));
  const auto log = open_streams(fixture);
  EXPECT_TRUE(runs_in(fixture).empty());
  expect_streams(*log, 30);
}

// A run of other records must not come back over a power cut, and a look-up never rests on one.
TEST(StreamIndex, WhatWasTruncatedIsNotFound) {
  for (const bool kept : {false, true}) {
    PartitionFixture fixture;
    auto log = open_streams(fixture);
    for (int i = 0; i < 100; ++i) ASSERT_TRUE(append(*log, {numbered(i)}));
    if (kept) do_chores(*log);
    ASSERT_TRUE(log->truncate_to(Offset{47}));
    for (const std::string& run : runs_in(fixture)) EXPECT_LE(run.substr(21, 20), "00000000000000000047") << run;
    expect_streams(*log, 47);
    for (int i = 47; i < 100; ++i) {
      ASSERT_TRUE(append(*log, {{.key = "s" + std::to_string(i % 13) + (i % 2 == 0 ? "" : "x"), .value = "new"}}));
    }
    EXPECT_EQ(log->read_key("s1", Offset{0}, Offset{100}, 100)->records.size(), 4u + 2u);  // 53, 66, 79, 92: the even ones
    do_chores(*log);
    EXPECT_EQ(log->read_key("s1", Offset{0}, Offset{100}, 100)->records.size(), 4u + 2u);
  }
}

TEST(StreamIndex, RunsBelowTheStartGo) {
  PartitionFixture fixture;
  const auto log = open_streams(fixture);
  for (int i = 0; i < 150; ++i) {
    ASSERT_TRUE(append(*log, {numbered(i)}));
    ASSERT_TRUE(log->do_chores());
  }
  ASSERT_TRUE(log->sync());
  const std::size_t before = runs_in(fixture).size();
  ASSERT_TRUE(log->set_start(Offset{145}));
  do_chores(*log);
  EXPECT_LT(runs_in(fixture).size(), before);
  for (int stream = 0; stream < 13; ++stream) {
    std::size_t expected = 0;
    for (int i = 145; i < 150; ++i) expected += i % 13 == stream ? 1 : 0;
    EXPECT_EQ(log->read_key("s" + std::to_string(stream), Offset{145}, Offset{150}, 100)->records.size(), expected);
  }
}

// Whatever its appends do, a partition whose index nobody writes holds a few tables.
TEST(StreamIndex, TablesThatNobodyWritesAreLetGo) {
  PartitionFixture fixture;
  const auto log = open_streams(fixture);
  for (int i = 0; i < 500; ++i) ASSERT_TRUE(append(*log, {numbered(i)}));
  EXPECT_TRUE(runs_in(fixture).empty());
  expect_streams(*log, 500);
  EXPECT_FALSE(runs_in(fixture).empty()) << "what was read from the log again is written";
}

TEST(StreamIndex, WhoKeepsItIsCalledWhenThereIsWork) {
  PartitionFixture fixture;
  constexpr std::uint64_t kOneSegment = 64 << 10;  // a full one is work, too
  auto log = open_streams(fixture, {}, kOneSegment);
  int calls = 0;
  log->when_chores_are_due([&calls] { ++calls; });
  for (int i = 0; i < 19; ++i) ASSERT_TRUE(append(*log, {numbered(i)}));
  EXPECT_EQ(calls, 0);
  ASSERT_TRUE(append(*log, {numbered(19)}));
  EXPECT_EQ(calls, 1);
  for (int i = 20; i < 40; ++i) ASSERT_TRUE(append(*log, {numbered(i)}));
  EXPECT_EQ(calls, 1) << "once until it has come";
  do_chores(*log);
  for (int i = 40; i < 60; ++i) ASSERT_TRUE(append(*log, {numbered(i)}));
  EXPECT_EQ(calls, 2);
  ASSERT_TRUE(log->sync());
  log.reset();
  log = open_streams(fixture, {}, kOneSegment);
  log->when_chores_are_due([&calls] { ++calls; });
  EXPECT_EQ(calls, 3) << "after a crash some of it is to be read again";
  ASSERT_TRUE(log->close());
}

TEST(StreamIndex, AReaderBesideTheWriterFindsStreams) {
  PartitionFixture fixture;
  const auto writer = open_streams(fixture);
  PartitionOptions read_only = fixture.options;
  read_only.read_only = true;
  auto reader = *PartitionLog::open(fixture.simulation->ports(), fixture.directory, read_only, {}, Offset{0});
  for (int i = 0; i < 150; ++i) {
    ASSERT_TRUE(append(*writer, {numbered(i)}));
    if (i % 40 == 7) {
      ASSERT_TRUE(reader->refresh(Offset{i + 1}));
      expect_streams(*reader, i + 1);
    }
    if (i % 50 == 0) {
      ASSERT_TRUE(writer->sync());
    }
  }
}

TEST(StreamIndex, LogsWithoutStreamsSaySo) {
  PartitionFixture fixture;
  const auto log = fixture.opened();
  ASSERT_TRUE(append(*log, {numbered(0)}));
  EXPECT_EQ(log->read_key("s0", Offset{0}, Offset{1}, 10).error(), Errc::unsupported);
  EXPECT_EQ(append(*log, {numbered(1)}, LeaderEpoch{0}, Condition{.key = "s1", .as_of = Offset{0}}).error(), Errc::unsupported);
}

TEST(Conditions, ARecordInTheWayIsNamed) {
  PartitionFixture fixture;
  const auto log = open_streams(fixture);
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(append(*log, {numbered(i)}));
  for (int as_of = 0; as_of <= 100; ++as_of) {
    for (int stream = 0; stream < 14; ++stream) {
      int latest = -1;
      for (int i = as_of; i < 100; ++i) {
        if (i % 13 == stream) latest = i;
      }
      EncodedRecords records = encode({{.key = "other", .value = ""}});
      const Condition condition{.key = "s" + std::to_string(stream), .as_of = Offset{as_of}};
      if (latest < 0) continue;
      GroupItem item{.records = &records, .condition = &condition, .since = {}, .outcome = {}};
      log->append({&item, 1}, LeaderEpoch{0});
      ASSERT_EQ(item.outcome->error(), Errc::conflict);
      ASSERT_EQ(item.outcome->error().offset(), Offset{latest});
    }
  }
  EXPECT_EQ(log->written_end(), Offset{100}) << "nothing was written";
  EXPECT_TRUE(append(*log, {numbered(0)}, LeaderEpoch{0}, Condition{.key = "s0", .as_of = Offset{92}}));
  EXPECT_EQ(append(*log, {numbered(0)}, LeaderEpoch{0}, Condition{.key = "s0", .as_of = Offset{200}}).error(),
            Errc::invalid_argument);
}

TEST(Conditions, EarlierItemsOfTheGroupCount) {
  PartitionFixture fixture;
  const auto log = open_streams(fixture);
  EncodedRecords first = encode({{.key = "a", .value = "1"}});
  EncodedRecords second = encode({{.key = "a", .value = "2"}});
  EncodedRecords third = encode({{.key = "b", .value = "3"}});
  const Condition no_a{.key = "a", .as_of = Offset{0}};
  const Condition no_b{.key = "b", .as_of = Offset{0}};
  GroupItem group[] = {{.records = &first, .condition = &no_a, .since = {}, .outcome = {}},
                       {.records = &second, .condition = &no_a, .since = {}, .outcome = {}},
                       {.records = &third, .condition = &no_b, .since = {}, .outcome = {}}};
  log->append(group, LeaderEpoch{0});
  EXPECT_TRUE(*group[0].outcome);
  EXPECT_EQ(group[1].outcome->error(), Errc::conflict);
  EXPECT_EQ(group[1].outcome->error().offset(), Offset{0});
  EXPECT_EQ((*group[2].outcome)->first, Offset{1});
  EXPECT_EQ(log->written_end(), Offset{2});
}

TEST(Conditions, AConflictWithAnItemThatWasNotWrittenIsNoConflict) {
  PartitionFixture fixture;
  const auto log = open_streams(fixture);
  EncodedRecords records = encode({{.key = "a", .value = "1"}});
  const Condition no_a{.key = "a", .as_of = Offset{0}};
  GroupItem group[] = {{.records = &records, .condition = &no_a, .since = {}, .outcome = {}},
                       {.records = &records, .condition = &no_a, .since = {}, .outcome = {}}};
  fixture.simulation->disk.set_capacity(fixture.simulation->disk.used_bytes());
  log->append(group, LeaderEpoch{0});
  EXPECT_EQ(group[0].outcome->error(), Errc::no_space);
  EXPECT_EQ(group[1].outcome->error(), Errc::no_space);
  fixture.simulation->disk.set_capacity({});
  EXPECT_TRUE(append(*log, {{.key = "a", .value = "1"}}, LeaderEpoch{0}, no_a));
}

TEST(Idempotence, ARetryGetsTheOffsetsOfTheFirstTry) {
  PartitionFixture fixture;
  auto log = open_streams(fixture);
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(append(*log, {numbered(i)}, LeaderEpoch{2}));
  const std::vector<TestRecord> retried{{.key = "s1", .value = "a", .time = 1, .id = "retry"}, {.key = "x", .value = "b"}};
  const Result<Appended> first = append(*log, retried, LeaderEpoch{2}, Condition{.key = "s1", .as_of = Offset{41}});
  ASSERT_TRUE(first) << first.error();
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(append(*log, {numbered(i)}, LeaderEpoch{3}));

  const auto expect_repeat = [&] {
    const Offset end = log->written_end();
    for (const Result<Appended>& again :
         {append(*log, retried, LeaderEpoch{4}, Condition{.key = "s1", .as_of = Offset{41}}),
          append(*log, retried, LeaderEpoch{4}, {}, Offset{10}), append(*log, retried, LeaderEpoch{4})}) {
      ASSERT_TRUE(again) << again.error();
      EXPECT_TRUE(again->repeated);
      EXPECT_EQ(again->first, first->first);
      EXPECT_EQ(again->end, first->end);
      EXPECT_EQ(again->epoch, LeaderEpoch{2});
    }
    EXPECT_EQ(log->written_end(), end) << "nothing was written";
  };
  expect_repeat();
  ASSERT_TRUE(log->sync());
  log = open_streams(fixture);
  expect_repeat();

  // Behind the offset from which it is looked for, the id is not known.
  const Result<Appended> later = append(*log, retried, LeaderEpoch{4}, {}, first->end);
  ASSERT_TRUE(later);
  EXPECT_FALSE(later->repeated);
}

TEST(Idempotence, ARetryInTheSameGroupIsWrittenOnce) {
  PartitionFixture fixture;
  const auto log = open_streams(fixture);
  EncodedRecords records = encode({{.key = "a", .value = "1", .time = 1, .id = "one"}});
  GroupItem group[] = {{.records = &records}, {.records = &records}};
  log->append(group, LeaderEpoch{5});
  EXPECT_FALSE((*group[0].outcome)->repeated);
  EXPECT_TRUE((*group[1].outcome)->repeated);
  EXPECT_EQ((*group[1].outcome)->first, Offset{0});
  EXPECT_EQ((*group[1].outcome)->epoch, LeaderEpoch{5});
  EXPECT_EQ(log->written_end(), Offset{1});
}

// Several commands of a stream may share an append: a retry of each alone is its own.
TEST(Idempotence, ARetryOfAPartIsKnownInTheSameGroupAndLater) {
  PartitionFixture fixture;
  const auto log = open_streams(fixture);
  const TestRecord one{.key = "a", .value = "1", .time = 1, .id = "one"};
  const TestRecord two{.key = "a", .value = "2", .time = 1, .id = "two"};
  const TestRecord more_of_two{.key = "a", .value = "3", .time = 1};
  EncodedRecords both = encode({one, two, more_of_two});
  EncodedRecords part = encode({two, more_of_two});
  EncodedRecords larger = encode({two, more_of_two, more_of_two});
  GroupItem group[] = {{.records = &both}, {.records = &part}, {.records = &larger}};
  log->append(group, LeaderEpoch{5});
  EXPECT_FALSE((*group[0].outcome)->repeated);
  EXPECT_TRUE((*group[1].outcome)->repeated);
  EXPECT_EQ((*group[1].outcome)->first, Offset{1});
  EXPECT_EQ((*group[1].outcome)->end, Offset{3});
  EXPECT_EQ(group[2].outcome->error(), Errc::invalid_argument);
  EXPECT_EQ(group[2].outcome->error().offset(), Offset{1});

  const Condition unchanged{.key = "a", .as_of = Offset{0}};
  for (const Result<Appended>& again :
       {append(*log, {two, more_of_two}, LeaderEpoch{5}, unchanged),
        append(*log, {two, more_of_two}, LeaderEpoch{5}, {}, Offset{0}), append(*log, {two, more_of_two}, LeaderEpoch{5})}) {
    ASSERT_TRUE(again) << again.error();
    EXPECT_TRUE(again->repeated);
    EXPECT_EQ(again->first, Offset{1});
    EXPECT_EQ(again->end, Offset{3});
  }
  EXPECT_EQ(log->written_end(), Offset{3});
}

// Two streams may use one id, e.g. when each counts its own commands.
TEST(Idempotence, OneIdUnderTwoKeysNamesTwoAppends) {
  PartitionFixture fixture;
  auto log = open_streams(fixture);
  EncodedRecords a = encode({{.key = "a", .value = "1", .time = 1, .id = "1"}});
  EncodedRecords b = encode({{.key = "b", .value = "1", .time = 1, .id = "1"}});
  GroupItem group[] = {{.records = &a}, {.records = &b}, {.records = &b}};
  log->append(group, LeaderEpoch{5});
  EXPECT_FALSE((*group[1].outcome)->repeated);
  EXPECT_EQ((*group[1].outcome)->first, Offset{1});
  EXPECT_TRUE((*group[2].outcome)->repeated) << "b's own id is still known in the group";
  EXPECT_EQ((*group[2].outcome)->first, Offset{1});

  for (const std::optional<Offset> since : {std::optional<Offset>{}, std::optional{Offset{0}}}) {
    const std::string key = since ? "c" : "d";
    const TestRecord record{.key = key, .value = "1", .time = 1, .id = "1"};
    const Result<Appended> first = append(*log, {record}, LeaderEpoch{5}, {}, since);
    ASSERT_TRUE(first);
    EXPECT_FALSE(first->repeated) << key;
    const Result<Appended> again = append(*log, {record}, LeaderEpoch{5}, {}, since);
    EXPECT_TRUE(again->repeated) << key;
    EXPECT_EQ(again->first, first->first);
  }
  ASSERT_TRUE(log->sync());
  log = open_streams(fixture);  // the recent ids are read from the log again
  EXPECT_FALSE(append(*log, {{.key = "e", .value = "1", .time = 1, .id = "1"}})->repeated);
  EXPECT_EQ(append(*log, {{.key = "b", .value = "1", .time = 1, .id = "1"}})->first, Offset{1});
}

// Success would end above the log: its caller would wait for that commit for ever, and its further records would be lost.
TEST(Idempotence, AnIdOfASmallerAppendIsRefused) {
  PartitionFixture fixture;
  const auto log = open_streams(fixture);
  EncodedRecords one = encode({{.key = "a", .value = "1", .time = 1, .id = "used"}});
  EncodedRecords two = encode({{.key = "a", .value = "1", .time = 1, .id = "used"}, {.key = "b", .value = "2"}});
  GroupItem group[] = {{.records = &one}, {.records = &two}};
  log->append(group, LeaderEpoch{5});
  ASSERT_TRUE(*group[0].outcome);
  EXPECT_EQ(group[1].outcome->error().code(), Errc::invalid_argument);

  for (const std::optional<Offset> since : {std::optional<Offset>{}, std::optional{Offset{0}}}) {
    GroupItem later[] = {{.records = &two, .since = since}};
    log->append(later, LeaderEpoch{5});
    ASSERT_FALSE(*later[0].outcome);
    EXPECT_EQ(later[0].outcome->error().code(), Errc::invalid_argument);
    EXPECT_EQ(later[0].outcome->error().offset(), Offset{0});
  }
  EXPECT_EQ(log->written_end(), Offset{1});
}

// Appends share a batch: what lies behind a smaller append under the id is another one's, and must not pass for written.
TEST(Idempotence, AnIdOfASmallerAppendIsRefusedInsideAFullBatchToo) {
  PartitionFixture fixture;
  const auto log = open_streams(fixture);
  const TestRecord used{.key = "a", .value = "1", .time = 1, .id = "used"};
  EncodedRecords one = encode({used});
  EncodedRecords other_key = encode({{.key = "b", .value = "2", .time = 1}});
  EncodedRecords other_id = encode({{.key = "a", .value = "3", .time = 1, .id = "other"}});
  EncodedRecords two = encode({used, {.key = "a", .value = "lost?", .time = 1}});
  GroupItem in_group[] = {{.records = &one}, {.records = &two}};
  log->append(in_group, LeaderEpoch{5});
  EXPECT_EQ(in_group[1].outcome->error().code(), Errc::invalid_argument);

  for (EncodedRecords* neighbour : {&other_key, &other_id}) {
    const Offset first = log->written_end();
    const std::string id = "used-" + std::to_string(first.value());
    const TestRecord named{.key = "a", .value = "1", .time = 1, .id = id};
    EncodedRecords small = encode({named});
    GroupItem group[] = {{.records = &small}, {.records = neighbour}};
    log->append(group, LeaderEpoch{5});
    ASSERT_EQ((*group[1].outcome)->end, first.plus(2)) << "one batch";
    for (const std::optional<Offset> since : {std::optional<Offset>{}, std::optional{Offset{0}}}) {
      const Result<Appended> more = append(*log, {named, {.key = "a", .value = "lost?", .time = 1}}, LeaderEpoch{5}, {}, since);
      ASSERT_FALSE(more);
      EXPECT_EQ(more.error().code(), Errc::invalid_argument);
      EXPECT_EQ(more.error().offset(), first);
    }
    EXPECT_TRUE(append(*log, {named})->repeated);
  }
}

}  // namespace
}  // namespace lungo
