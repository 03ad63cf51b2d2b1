// Goal: a mirror has what its source has, at the source's offsets, also when it is opened again; readers see it as any log of
// ours, and its topics are those of its source.
#include <gtest/gtest.h>

#include <lungo/log/local_event_log.hpp>

#include "tests/log/mirror_fixture.hpp"
#include "tests/support/log_lines.hpp"

namespace lungo::test {
namespace {

// ---- reading ----

TEST_F(Mirror, ReadersSeeTheSourcesRecordsAtItsOffsets) {
  open_with_topic();
  grow_source(200);
  fill(*mirror_, kEvents, source_, 13);
  source_.skip(30);  // a stretch of aborted ones
  fill(*mirror_, kEvents, source_, 13);
  expect_equal();
  for (std::int64_t from = 0; from <= source_.end; from += 3) {
    EXPECT_EQ(shown_records(reads(), kEvents, Offset{from}, 1), source_.records_in(from, source_.end)) << from;
  }
  for (std::int64_t time = 1000; time < 1000 + source_.end; time += 11) {
    const auto first = source_.records.lower_bound(time - 1000);
    const std::optional<Offset> expected = first == source_.records.end() ? std::nullopt : std::optional{Offset{first->first}};
    EXPECT_EQ(reads().offset_at(kEvents, Timestamp{std::chrono::milliseconds{time}}).value(), expected);
  }
  const Fetched fetched = reads().read(kEvents, Offset{0}, 1).value();
  EXPECT_EQ(fetched.next().topic, source_topic().id) << "positions are the source's";
  EXPECT_EQ(fetched.next().epoch, kMirrorEpoch);
  EXPECT_TRUE(reads().validate("events", fetched.next()));
}

TEST_F(Mirror, BackwardsOneMeetsEachRecordOnce) {
  open_with_topic();
  grow_source(100);
  fill(*mirror_, kEvents, source_, 13);
  source_.skip(20);
  fill(*mirror_, kEvents, source_, 4);
  std::map<std::int64_t, TestRecord> found;
  for (Offset end{source_.end}; end > Offset{0};) {
    const Fetched fetched = reads().read_back(kEvents, end, 100).value();
    if (fetched.empty()) break;
    RecordCursor cursor = fetched.records();
    while (const RecordView* record = cursor.next()) EXPECT_TRUE(found.emplace(record->offset.value(), decode(*record)).second);
    ASSERT_LT(fetched.first(), end);
    end = fetched.first();
  }
  EXPECT_EQ(found, source_.records);
}

TEST_F(Mirror, CommittedIsWhatItsWriterSays) {
  open_with_topic();
  grow_source(40);
  ASSERT_TRUE(mirror_->append_copy(kEvents, source_.fetch(0, 20)));
  ASSERT_TRUE(mirror_->append_copy(kEvents, source_.fetch(20, 40)));
  EXPECT_EQ(mirror_->end(kEvents).value(), Offset{40});
  EXPECT_EQ(reads().ends(kEvents).value().committed, Offset{0});
  int told = 0;
  const auto token = reads().notify_above(kEvents, Offset{25}, [&told] { ++told; });

  ASSERT_TRUE(mirror_->commit(kEvents, Offset{30}));  // inside of a batch, which readers get as a whole
  EXPECT_EQ(reads().ends(kEvents).value().committed, Offset{20});
  EXPECT_EQ(shown_records(reads(), kEvents), source_.records_in(0, 20));
  EXPECT_EQ(reads().read(kEvents, Offset{21}, 100).error(), Errc::offset_out_of_range);
  EXPECT_EQ(told, 0);
  ASSERT_TRUE(mirror_->commit(kEvents, Offset{5}));
  EXPECT_EQ(reads().ends(kEvents).value().committed, Offset{20}) << "what was shown stays so";
  ASSERT_TRUE(mirror_->commit(kEvents, Offset{1000}));
  EXPECT_EQ(reads().ends(kEvents).value().committed, Offset{40}) << "no more than there is";
  EXPECT_EQ(told, 1);
}

TEST_F(Mirror, CopiesSideBySideOnly) {
  open_with_topic();
  grow_source(40);
  ASSERT_TRUE(mirror_->append_copy(kEvents, source_.fetch(0, 20)));
  for (const std::int64_t from : {0, 19, 21}) {
    const Result<void> refused = mirror_->append_copy(kEvents, source_.fetch(from, 30));
    EXPECT_EQ(refused.error(), Errc::invalid_argument) << from;
    EXPECT_EQ(refused.error().offset(), Offset{20});
  }
  ASSERT_TRUE(mirror_->append_copy(kEvents, source_.fetch(20, 20)));  // a fetch of nothing
  ASSERT_TRUE(mirror_->append_copy(kEvents, source_.fetch(20, source_.end, 200)));
  ASSERT_TRUE(mirror_->commit(kEvents, Offset{source_.end}));
  expect_equal();
  EXPECT_EQ(mirror_->append_copy({"events", PartitionId{2}}, source_.fetch(0, 1)).error(), Errc::not_found);
  EXPECT_EQ(mirror_->end({"other", PartitionId{0}}).error(), Errc::not_found);
}

TEST_F(Mirror, TakesNothingButCopies) {
  open_with_topic();
  EXPECT_TRUE(reads().read_only());
  EXPECT_EQ(reads().create_topic(source_topic("other").spec).error(), Errc::unsupported);
  AppendRequest request{
      .to = kEvents, .records = encode(std::vector<TestRecord>{{.key = "k", .value = "v"}}), .condition = {}, .since = {}};
  std::optional<Result<Appended>> outcome;
  reads().append(std::move(request), [&](Result<Appended> result) { outcome = std::move(result); });
  ASSERT_TRUE(outcome.has_value());
  EXPECT_EQ(outcome->error(), Errc::unsupported);
  EXPECT_EQ(reads().delete_topic("events").error(), Errc::unsupported);
  EXPECT_EQ(reads().delete_records(kEvents, Offset{0}).error(), Errc::unsupported);
}

TEST_F(Mirror, NothingIsSyncedOnTheRoad) {
  open_with_topic();
  ASSERT_TRUE(mirror_->end(kEvents));
  grow_source(400);  // many segments
  int syncs = 0;
  machine_->disk.on_step([&](const DiskStep& step) { syncs += step.operation.starts_with("sync") ? 1 : 0; });
  fill(*mirror_, kEvents, source_);
  EXPECT_EQ(syncs, 0);
  machine_->executor.run_for(std::chrono::seconds{60});
  machine_->disk.on_step(nullptr);
  EXPECT_EQ(reads().ends(kEvents).value().synced, Offset{0});
  expect_equal();
}

// ---- closed, killed, cut ----

TEST_F(Mirror, IsThereAfterACleanClose) {
  open_with_topic();
  grow_source(300);
  fill(*mirror_, kEvents, source_);
  machine_->executor.run_for(std::chrono::seconds{1});
  const auto runs = [this] {
    std::vector<std::string> found = names(kMirrorDirectory + "/events-0");
    std::erase_if(found, [](const std::string& name) { return !name.ends_with(".streams"); });
    return found;
  };
  open();
  const std::vector<std::string> runs_left = runs();
  {
    const LogLines lines;
    expect_equal();
    machine_->executor.run_for(std::chrono::seconds{1});
    EXPECT_EQ(lines.count("warning", ""), 0);
  }
  EXPECT_FALSE(runs_left.empty());
  EXPECT_EQ(runs(), runs_left) << "the index was not made anew";
  ASSERT_TRUE(agrees(*mirror_, kEvents, source_));
  const std::int64_t closed_at = source_.end;
  grow_source(50);
  fill(*mirror_, kEvents, source_);
  expect_equal();
  cut_power(7);  // which leaves at least what the close has synced
  open();
  EXPECT_GE(mirror_->end(kEvents).value(), Offset{closed_at});
  fill(*mirror_, kEvents, source_);
  expect_equal();
}

TEST_F(Mirror, AfterAPowerCutItGoesOnBehindWhatHolds) {
  grow_source(300);
  const std::uint64_t first = test_seed(1);
  for (std::uint64_t seed = first; seed < first + 40; ++seed) {
    SCOPED_TRACE("LUNGO_TEST_SEED=" + std::to_string(seed));
    machine_ = std::make_unique<Simulation>(seed);
    open_with_topic();
    fill(*mirror_, kEvents, source_, 5 + static_cast<std::int64_t>(seed % 9));
    machine_->executor.run_for(std::chrono::milliseconds{seed % 3});
    cut_power(seed);
    open();
    const std::int64_t end = mirror_->end(kEvents).value().value();
    ASSERT_LE(end, source_.end);
    ASSERT_EQ(shown_records(reads(), kEvents), source_.records_in(0, end));
    ASSERT_TRUE(agrees(*mirror_, kEvents, source_));
    fill(*mirror_, kEvents, source_);
    expect_equal();
    if (HasFailure()) break;
    mirror_.reset();
  }
}

// ---- its source, its topics ----

TEST_F(Mirror, AnotherSourceIsRefused) {
  open_with_topic();
  grow_source(10);
  fill(*mirror_, kEvents, source_);
  EXPECT_EQ(open_mirror(kMirrorDirectory, "cluster-1", {.ports = &*ports_}).error(), Errc::locked);
  mirror_.reset();
  const Result<std::unique_ptr<MirrorLog>> other = open_mirror(kMirrorDirectory, "cluster-2", {.ports = &*ports_});
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error(), Errc::position_diverged);
  EXPECT_NE(other.error().text().find("cluster-1"), std::string_view::npos) << other.error();
  open("cluster-1");
  expect_equal();
}

TEST_F(Mirror, ItsSourceHasAName) {
  const Ports ports = machine_->ports();
  const auto refusal = [&](const std::string& source) { return open_mirror("/m", source, {.ports = &ports}).error().code(); };
  EXPECT_EQ(refusal(""), Errc::invalid_argument);
  EXPECT_EQ(refusal("a\nb"), Errc::invalid_argument);
  EXPECT_EQ(refusal("\xc3\xa4"), Errc::invalid_argument);
  EXPECT_EQ(refusal(std::string(250, 'x')), Errc::invalid_argument);
  EXPECT_EQ(open_mirror("", "x", {.ports = &ports}).error(), Errc::invalid_argument);
  EXPECT_TRUE(open_mirror("/m", std::string(249, 'x'), {.ports = &ports}));
}

TEST_F(Mirror, ALogOfOurOwnIsNone) {
  const Ports ports = machine_->ports();
  {
    const auto log = open_local("/data", {.ports = &ports}).value();
    ASSERT_TRUE(log->create_topic(source_topic().spec));
  }
  EXPECT_EQ(open_mirror("/data", "cluster-1", {.ports = &ports}).error(), Errc::invalid_argument);
  EXPECT_TRUE(open_local("/data", {.ports = &ports}).value()->topic("events"));
}

TEST_F(Mirror, AHeadThatIsDamagedOrNewerIsNotGuessedAt) {
  open();
  mirror_.reset();
  const std::string path = kMirrorDirectory + "/lungo.mirror";
  ASSERT_TRUE(
      write_file_atomically(machine_->disk, path, as_bytes(std::string_view{"lungo-mirror 2\nsource=x\ncrc32c=8a6c3c8a\n"})));
  EXPECT_EQ(open_mirror(kMirrorDirectory, "x", {.ports = &*ports_}).error(), Errc::newer_format);
  ASSERT_TRUE(
      write_file_atomically(machine_->disk, path, as_bytes(std::string_view{"lungo-mirror 1\nsource=x\ncrc32c=00000000\n"})));
  EXPECT_EQ(open_mirror(kMirrorDirectory, "x", {.ports = &*ports_}).error(), Errc::corrupt);
}

TEST_F(Mirror, AHeadThatHasRottenAnywhereIsRefused) {
  open();
  mirror_.reset();
  const std::string path = kMirrorDirectory + "/lungo.mirror";
  const Bytes whole = read_file(machine_->disk, path, 1000).value();
  ASSERT_FALSE(whole.empty());
  for (std::size_t bit = 0; bit < 8 * whole.size(); ++bit) {
    Bytes rotten = whole;
    rotten[bit / 8] ^= std::byte{1} << (bit % 8);
    ASSERT_TRUE(write_file_atomically(machine_->disk, path, rotten));
    EXPECT_FALSE(open_mirror(kMirrorDirectory, "cluster-1", {.ports = &*ports_})) << "bit " << bit;
  }
}

TEST_F(Mirror, TopicsComeAndGo) {
  open_with_topic();
  grow_source(50);
  fill(*mirror_, kEvents, source_);
  const TopicPartition third{"events", PartitionId{2}};

  TopicInfo topic = source_topic();
  ASSERT_TRUE(mirror_->make_topic(topic));  // as it is
  expect_equal();
  topic.spec.partitions = 3;
  topic.spec.retention_bytes = 1000;  // the source's affair
  ASSERT_TRUE(mirror_->make_topic(topic));
  expect_equal();
  EXPECT_EQ(mirror_->end(third).value(), Offset{0});
  ASSERT_TRUE(mirror_->append_copy(third, source_.fetch(0, source_.end)));
  EXPECT_EQ(reads().topic("events").value().spec.partitions, 3);
  EXPECT_EQ(reads().topic("events").value().id, topic.id);
  open();
  expect_equal();
  EXPECT_EQ(mirror_->end(third).value(), Offset{source_.end});

  int told = 0;
  const auto token = reads().notify_above(kEvents, Offset{source_.end}, [&told] { ++told; });
  topic.id.bytes[0] = 9;  // made anew there
  ASSERT_TRUE(mirror_->make_topic(topic));
  EXPECT_EQ(told, 1);
  EXPECT_EQ(mirror_->end(kEvents).value(), Offset{0});
  EXPECT_EQ(reads().topic("events").value().id, topic.id);
  fill(*mirror_, kEvents, source_);
  expect_equal();

  // With one id again and again, also before anything of it was removed.
  for (int times = 0; times < 3; ++times) {
    ASSERT_TRUE(mirror_->forget_topic("events"));
    EXPECT_EQ(mirror_->end(kEvents).error(), Errc::not_found);
    EXPECT_EQ(reads().read(kEvents, Offset{0}, 1).error(), Errc::not_found);
    ASSERT_TRUE(mirror_->make_topic(topic));
    fill(*mirror_, kEvents, source_);
    expect_equal();
  }
  ASSERT_TRUE(mirror_->forget_topic("events"));
  ASSERT_TRUE(mirror_->forget_topic("events"));
  topic.spec.streams = false;
  ASSERT_TRUE(mirror_->make_topic(topic));
  EXPECT_EQ(reads().read_key(kEvents, "key 1", Offset{0}, Offset{1}, 1).error(), Errc::unsupported);
  open();
  EXPECT_FALSE(reads().topic("events").value().spec.streams);
  EXPECT_EQ(mirror_->end(kEvents).value(), Offset{0});
  machine_->executor.run_for(std::chrono::seconds{1});
  for (const std::string& name : names(kMirrorDirectory)) EXPECT_EQ(name.find("-delete"), std::string::npos) << name;
  topic.spec.name = "no/name";
  EXPECT_EQ(mirror_->make_topic(topic).error(), Errc::invalid_argument);
}

TEST_F(Mirror, NothingGoesByTheSourcesLimits) {
  TopicInfo topic = source_topic();
  topic.spec.retention_age = std::chrono::milliseconds{1};
  topic.spec.retention_bytes = 1;
  topic.spec.segment_age = std::chrono::milliseconds{1};
  open_with_topic(topic);
  grow_source(300);
  fill(*mirror_, kEvents, source_);
  machine_->executor.run_for(std::chrono::hours{2});
  expect_equal();
}

TEST_F(Mirror, ACompactedTopicIsCompactedHereToo) {
  TopicInfo topic = source_topic();
  topic.spec.streams = false;
  topic.spec.compact = true;
  topic.spec.dirty_ratio_min = 0.1;
  open_with_topic(topic);
  grow_source(600);
  fill(*mirror_, kEvents, source_, 10);
  machine_->executor.run_for(std::chrono::minutes{2});
  const auto expect_compacted = [&](std::size_t most) {
    const std::map<std::int64_t, TestRecord> shown = shown_records(reads(), kEvents);
    EXPECT_LT(shown.size(), most);
    std::map<std::string, std::int64_t> last;
    for (const auto& [offset, record] : source_.records) last[record.key] = offset;
    for (const auto& [key, offset] : last) EXPECT_TRUE(shown.contains(offset)) << key;
    for (const auto& [offset, record] : shown) EXPECT_EQ(record, source_.records.at(offset));
  };
  expect_compacted(150);
  EXPECT_TRUE(agrees(*mirror_, kEvents, source_));
  grow_source(100);
  fill(*mirror_, kEvents, source_, 10);
  open();
  EXPECT_EQ(mirror_->end(kEvents).value(), Offset{source_.end});
  expect_compacted(250);
  // Back into what was compacted, and filled again: by what the source has there now.
  const Offset end = mirror_->cut(kEvents, Offset{400}).value();
  EXPECT_LE(end, Offset{400});
  fill(*mirror_, kEvents, source_, 10);
  machine_->executor.run_for(std::chrono::minutes{2});
  expect_compacted(300);
  open();
  EXPECT_EQ(mirror_->end(kEvents).value(), Offset{source_.end});
  expect_compacted(300);
}

}  // namespace
}  // namespace lungo::test
