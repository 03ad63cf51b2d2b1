// Goal: the stream index finds every record of a key and nothing else, in a table, in a run and after damage.

#include <gtest/gtest.h>

#include <map>

#include "key_hash.hpp"
#include "recent_ids.hpp"
#include "stream_run.hpp"
#include "stream_table.hpp"
#include "tests/log/partition_fixture.hpp"
#include "tests/support/random.hpp"

namespace lungo {
namespace {

using namespace test;

constexpr Offset kBase{1000};

// Records of few hashes, some without a key, in a table and in a plain model of it.
struct Sample {
  explicit Sample(std::uint64_t seed, int records, std::uint64_t keys) {
    Random random{seed};
    for (int i = 0; i < records; ++i) {
      const std::uint64_t hash = random.one_in(10) ? kNoKeyHash : (random.below(keys) + 1) * 0x9e3779b97f4a7c15;
      table.add(hash);
      if (hash != kNoKeyHash) model[hash].push_back(kBase.plus(i));
    }
  }
  [[nodiscard]] std::vector<Offset> expected(std::uint64_t hash, Offset begin, Offset end) const {
    std::vector<Offset> offsets;
    if (const auto found = model.find(hash); found != model.end()) {
      for (const Offset offset : found->second) {
        if (offset >= begin && offset < end) offsets.push_back(offset);
      }
    }
    return offsets;
  }

  StreamTable table{kBase};
  std::map<std::uint64_t, std::vector<Offset>> model;
};

TEST(StreamTable, FindsWhatTheModelHas) {
  const Sample sample{3, 20'000, 500};
  EXPECT_EQ(sample.table.end(), kBase.plus(20'000));
  Random random{4};
  for (const auto& [hash, offsets] : sample.model) {
    const Offset begin = kBase.plus(static_cast<std::int64_t>(random.below(20'000)));
    const Offset end = begin.plus(static_cast<std::int64_t>(random.below(5'000)));
    std::vector<Offset> found;
    sample.table.find(hash, begin, end, found);
    ASSERT_EQ(found, sample.expected(hash, begin, end));
  }
  std::vector<Offset> none;
  sample.table.find(12345, kBase, sample.table.end(), none);
  EXPECT_TRUE(none.empty());
}

TEST(StreamRun, HoldsWhatTheTableHeldAndLoadsBack) {
  for (const int records : {0, 1, 340, 341, 20'000}) {
    for (const std::uint64_t keys : {1u, 300u, 100'000u}) {
      Simulation simulation{1};
      const Sample sample{7, records, keys};
      const StreamRun::Origin origin{.base = kBase, .end = kBase.plus(records), .batch_crc = 99};
      ASSERT_TRUE(StreamRun::write(simulation.disk, "run", origin, sample.table.sorted()));
      const auto run = StreamRun::open(simulation.disk, "run");
      ASSERT_TRUE(run) << run.error();
      EXPECT_EQ((*run)->origin(), origin);
      StreamTable loaded{kBase};
      loaded.load(*(*run)->entries(), origin.end);
      EXPECT_EQ(loaded.sorted(), sample.table.sorted());
      Random random{5};
      for (const auto& [hash, offsets] : sample.model) {
        const Offset begin = kBase.plus(static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(records))));
        std::vector<Offset> found;
        ASSERT_TRUE((*run)->find(hash, begin, origin.end, found));
        ASSERT_EQ(found, sample.expected(hash, begin, origin.end));
      }
    }
  }
}

// A flipped byte is seen where it is read, or lies in bytes that nothing is read from.
TEST(StreamRun, NoFlippedByteLeadsToAWrongAnswer) {
  Simulation simulation{1};
  const Sample sample{7, 700, 40};
  const StreamRun::Origin origin{.base = kBase, .end = kBase.plus(700), .batch_crc = 1};
  ASSERT_TRUE(StreamRun::write(simulation.disk, "run", origin, sample.table.sorted()));
  const Bytes good = *read_file(simulation.disk, "run", 1 << 20);
  const auto file = *simulation.disk.open("run", OpenMode::read_write);
  for (std::size_t at = 0; at < good.size(); ++at) {
    std::byte flipped = good[at] ^ std::byte{0x10};
    ASSERT_TRUE(file->write_at(at, {&flipped, 1}));
    if (const auto run = StreamRun::open(simulation.disk, "run")) {
      for (const auto& [hash, offsets] : sample.model) {
        std::vector<Offset> found;
        const bool readable = (*run)->find(hash, kBase, origin.end, found).has_value();
        ASSERT_TRUE(!readable || found == offsets) << "byte " << at;
      }
    }
    ASSERT_TRUE(file->write_at(at, {&good[at], 1}));
  }
  for (std::size_t size = 0; size < good.size(); size += 511) {
    ASSERT_TRUE(file->truncate(size));
    EXPECT_FALSE(StreamRun::open(simulation.disk, "run"));
    ASSERT_TRUE(file->write_at(0, good));
  }
}

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

std::unique_ptr<PartitionLog> open_streams(PartitionFixture& fixture, std::optional<CleanEnd> clean = {}) {
  fixture.options.streams = true;
  fixture.options.segment_bytes = 4000;
  return fixture.opened(clean);
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
  PartitionFixture fixture;
  {
    const auto log = open_streams(fixture);
    for (int i = 0; i < 200; ++i) ASSERT_TRUE(append(*log, {numbered(i)}));
    ASSERT_TRUE(log->close());
  }
  std::vector<std::string> runs;
  for (const std::string& name : fixture.names()) {
    if (name.ends_with(".streams")) runs.push_back(name);
  }
  ASSERT_GT(runs.size(), 3u);
  ASSERT_TRUE(fixture.simulation->disk.remove(fixture.path(runs[0])));
  fixture.flip(runs[1], 4100);
  fixture.truncate(runs[2], 0);
  fixture.write(runs[3], 0, *read_file(fixture.simulation->disk, fixture.path(runs[1]), 1 << 20));
  const auto log = open_streams(fixture);
  expect_streams(*log, 200);
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
