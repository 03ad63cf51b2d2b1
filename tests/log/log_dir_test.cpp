#include "log_dir.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/support/simulation.hpp"

namespace lungo {
namespace {

using test::Simulation;

const std::string kPath = "/data";

std::unique_ptr<LogDir> open(Simulation& machine) { return LogDir::open_writer(machine.disk, machine.random, kPath).value(); }

TopicSpec two_partitions(const std::string& name) {
  TopicSpec spec;
  spec.name = name;
  spec.partitions = 2;
  return spec;
}

void write(Simulation& machine, const std::string& name, std::string_view text) {
  write_file_atomically(machine.disk, kPath + "/" + name, as_bytes(text)).value();
}

std::string contents(Simulation& machine, const std::string& name) {
  return std::string(as_text(read_file(machine.disk, kPath + "/" + name, 1 << 20).value()));
}

TEST(LogDir, EveryWritingOpenHasAHigherEpoch) {
  Simulation machine(1);
  for (int i = 1; i <= 3; ++i) {
    const auto dir = open(machine);
    dir->begin_writing().value();
    EXPECT_EQ(dir->epoch(), LeaderEpoch{i});
  }
}

TEST(LogDir, TopicsKeepEverySettingAndTheirOrder) {
  Simulation machine(1);
  TopicSpec odd = two_partitions("z.odd_Name-1");
  odd.streams = true;
  odd.ack_level = AckLevel::isr;
  odd.flush_interval = std::chrono::milliseconds{17};
  odd.segment_bytes = 4096;
  TopicSpec compacted = two_partitions("compacted");
  compacted.compact = true;
  std::vector<TopicId> ids;
  {
    const auto dir = open(machine);
    dir->begin_writing().value();
    ids.push_back(dir->create_topic(odd).value().id);
    ids.push_back(dir->create_topic(compacted).value().id);
  }
  const auto dir = open(machine);
  ASSERT_EQ(dir->topics().size(), 2u);
  EXPECT_EQ(dir->topics()[0].info.spec, odd);
  EXPECT_EQ(dir->topics()[1].info.spec, compacted);
  EXPECT_EQ(dir->topics()[0].info.id, ids[0]);
  EXPECT_EQ(dir->topics()[1].info.id, ids[1]);
  EXPECT_EQ(contents(machine, "compacted-1/partition.metadata"), "version: 0\ntopic_id: " + to_string(ids[1]))
      << "Kafka's bytes";
}

TEST(LogDir, PartitionMetadataMayEndWithALineBreak) {
  Simulation machine(1);
  std::string metadata;
  {
    const auto dir = open(machine);
    dir->begin_writing().value();
    dir->create_topic(two_partitions("a")).value();
    metadata = contents(machine, "a-0/partition.metadata");
  }
  write(machine, "a-0/partition.metadata", metadata + "\n");  // as Lungo wrote it once
  EXPECT_EQ(open(machine)->topics().size(), 1u);
  for (const std::string& other : {metadata + "\n\n", metadata + " ", metadata.substr(0, metadata.size() - 1), std::string{}}) {
    write(machine, "a-0/partition.metadata", other);
    EXPECT_EQ(LogDir::open_writer(machine.disk, machine.random, kPath).error(), Errc::corrupt) << other;
  }
}

// Kafka believes it, and would not look at what was appended since.
TEST(LogDir, CleanStopOfAKafkaBrokerGoesBeforeAnythingIsWritten) {
  Simulation machine(1);
  const auto dir = open(machine);
  write(machine, ".kafka_cleanshutdown", R"({"version":0,"brokerEpoch":7})");
  dir->begin_writing().value();
  EXPECT_FALSE(machine.disk.exists(kPath + "/.kafka_cleanshutdown").value());
}

TEST(LogDir, NamesAndSettingsThatCannotBeAreRefused) {
  Simulation machine(1);
  const auto dir = open(machine);
  for (const std::string name : {"", ".", "..", "a/b", "a b", "\xc3\xa9", "a\n"}) {
    EXPECT_EQ(dir->create_topic(two_partitions(name)).error(), Errc::invalid_argument) << name;
  }
  EXPECT_EQ(dir->create_topic(two_partitions(std::string(250, 'a'))).error(), Errc::invalid_argument);
  EXPECT_TRUE(dir->create_topic(two_partitions(std::string(249, 'a'))).has_value());
  TopicSpec spec = two_partitions("none");
  spec.partitions = 0;
  EXPECT_EQ(dir->create_topic(spec).error(), Errc::invalid_argument);
}

TEST(LogDir, SecondWriterIsRefusedAndTheHolderNamed) {
  Simulation machine(1);
  const auto dir = open(machine);
  const Result<std::unique_ptr<LogDir>> second = LogDir::open_writer(machine.disk, machine.random, kPath);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code(), Errc::locked);
  EXPECT_NE(second.error().text().find("pid "), std::string_view::npos);
}

TEST(LogDir, CleanStopIsBelievedOnceAndOnlyByTheNextEpoch) {
  Simulation machine(1);
  const TopicPartition partition{"a-b", PartitionId{1}};
  {
    const auto dir = open(machine);
    dir->begin_writing().value();
    dir->create_topic(two_partitions("a-b")).value();
    dir->write_clean_stop({{partition, {Offset{105}, 0xabcdef01u}}}).value();
  }
  const std::string marker = contents(machine, "lungo.clean-stop");
  {
    const auto dir = open(machine);
    ASSERT_TRUE(dir->marks().was_stopped_cleanly());
    EXPECT_EQ(dir->marks().clean_end(partition)->end, Offset{105});
    EXPECT_EQ(dir->marks().clean_end(partition)->last_batch_crc, 0xabcdef01u);
    EXPECT_FALSE(dir->marks().clean_end({"a-b", PartitionId{0}}).has_value());
    dir->begin_writing().value();
  }
  EXPECT_FALSE(open(machine)->marks().was_stopped_cleanly());
  write(machine, "lungo.clean-stop", marker);
  EXPECT_FALSE(open(machine)->marks().was_stopped_cleanly()) << "a marker of an older epoch came back";
}

TEST(LogDir, RecoveryPointsAreKeptInKafkasFormat) {
  Simulation machine(1);
  open(machine)
      ->marks()
      .write_recovery_points({{{"t", PartitionId{0}}, Offset{7}}, {{"t", PartitionId{1}}, Offset{9}}})
      .value();
  EXPECT_EQ(contents(machine, "recovery-point-offset-checkpoint"), "0\n2\nt 0 7\nt 1 9\n");
  EXPECT_EQ(open(machine)->marks().recovery_point({"t", PartitionId{1}}), Offset{9});
  EXPECT_EQ(open(machine)->marks().recovery_point({"t", PartitionId{2}}), Offset{0});
  write(machine, "recovery-point-offset-checkpoint", "0\n3\nt 0 7\n");
  EXPECT_EQ(open(machine)->marks().recovery_point({"t", PartitionId{0}}), Offset{0}) << "damaged: walk everything";
}

TEST(LogDir, NewerMajorVersionIsRefusedByName) {
  for (const std::string name : {"lungo.meta", "lungo.topics", "lungo.clean-stop"}) {
    Simulation machine(1);
    open(machine)->begin_writing().value();
    write(machine, name, "lungo-" + name.substr(6) + " 2\nanything\n");
    const Result<std::unique_ptr<LogDir>> dir = LogDir::open_writer(machine.disk, machine.random, kPath);
    ASSERT_FALSE(dir);
    EXPECT_EQ(dir.error().code(), Errc::newer_format);
    EXPECT_NE(dir.error().text().find("version 2"), std::string_view::npos) << dir.error();
  }
}

TEST(LogDir, UnknownSettingsOfANewerMinorVersionAreKept) {
  Simulation machine(1);
  {
    const auto dir = open(machine);
    dir->begin_writing().value();
    dir->create_topic(two_partitions("t")).value();
  }
  Properties topics = parse_property_file("topics", 1, "", as_bytes(contents(machine, "lungo.topics"))).value();
  topics.push_back({"some.newer.setting", "99"});
  write(machine, "lungo.topics", format_property_file("topics", 1, topics));
  open(machine)->create_topic(two_partitions("u")).value();
  EXPECT_NE(contents(machine, "lungo.topics").find("some.newer.setting=99\ntopic=u\n"), std::string::npos);
}

TEST(LogDir, PlacesOfTheTailPageStayWithTheirTopicsAndAreNotGivenTwice) {
  Simulation machine(1);
  {
    const auto dir = open(machine);
    dir->begin_writing().value();
    dir->create_topic(two_partitions("t")).value();
    dir->create_topic(two_partitions("u")).value();
  }
  // As if the first had been deleted, and a third one after it.
  Properties topics = parse_property_file("topics", 1, "", as_bytes(contents(machine, "lungo.topics"))).value();
  topics.erase(topics.begin(), std::next(std::ranges::find(topics, Property{"tail.places", "0+2"})));
  write(machine, "lungo.topics", format_property_file("topics", 1, topics));
  Properties meta = parse_property_file("meta", 1, "", as_bytes(contents(machine, "lungo.meta"))).value();
  meta.push_back({"tail.places", "7"});
  write(machine, "lungo.meta", format_property_file("meta", 1, meta));
  {
    const auto dir = open(machine);
    dir->begin_writing().value();
    dir->create_topic(two_partitions("v")).value();
  }
  const auto dir = open(machine);
  ASSERT_EQ(dir->topics().size(), 2u);
  EXPECT_EQ(tail_place_numbers(dir->topics()[0]), (std::vector<std::size_t>{2, 3}));
  EXPECT_EQ(tail_place_numbers(dir->topics()[1]), (std::vector<std::size_t>{7, 8}));
  EXPECT_NE(contents(machine, "lungo.meta").find("tail.places=7\n"), std::string::npos);
  for (const char* places : {"-1", "4194305", "x"}) {
    meta.back().value = places;
    write(machine, "lungo.meta", format_property_file("meta", 1, meta));
    EXPECT_EQ(LogDir::open_reader(machine.disk, kPath).error(), Errc::corrupt) << places;
  }
}

TEST(LogDir, AMetaFileWithoutIdOrEpochOrWithOneThatCannotBeIsDamage) {
  Simulation machine(1);
  open(machine)->begin_writing().value();
  for (const Properties& properties :
       {Properties{{"directory.id", "abc"}}, Properties{{"epoch", "1"}}, Properties{{"directory.id", "abc"}, {"epoch", "-1"}},
        Properties{{"directory.id", "abc"}, {"epoch", "2147483647"}}, Properties{{"directory.id", ""}, {"epoch", "1"}},
        Properties{{"directory.id", "abc"}, {"epoch", "4294967297"}}}) {
    write(machine, "lungo.meta", format_property_file("meta", 1, properties));
    EXPECT_EQ(LogDir::open_writer(machine.disk, machine.random, kPath).error(), Errc::corrupt);
    EXPECT_EQ(LogDir::open_reader(machine.disk, kPath).error(), Errc::corrupt);
  }
}

TEST(LogDir, EveryFlippedByteOfItsFilesIsNoticedOrHarmless) {
  Simulation machine(1);
  {
    const auto dir = open(machine);
    dir->begin_writing().value();
    dir->create_topic(two_partitions("t")).value();
  }
  for (const std::string name : {"lungo.meta", "lungo.topics"}) {
    const std::string whole = contents(machine, name);
    for (std::size_t at = 0; at < whole.size(); ++at) {
      std::string flipped = whole;
      flipped[at] = static_cast<char>(flipped[at] ^ 1);
      write(machine, name, flipped);
      const Result<std::unique_ptr<LogDir>> dir = LogDir::open_writer(machine.disk, machine.random, kPath);
      ASSERT_FALSE(dir) << name << " byte " << at;
      EXPECT_TRUE(dir.error() == Errc::corrupt || dir.error() == Errc::newer_format) << dir.error();
    }
    write(machine, name, whole);
  }
}

TEST(LogDir, MissingPartitionDirectoryIsDamageNotAnEmptyPartition) {
  Simulation machine(1);
  {
    const auto dir = open(machine);
    dir->begin_writing().value();
    dir->create_topic(two_partitions("t")).value();
  }
  machine.disk.remove_all(kPath + "/t-1").value();
  const Result<std::unique_ptr<LogDir>> dir = LogDir::open_writer(machine.disk, machine.random, kPath);
  ASSERT_FALSE(dir);
  EXPECT_EQ(dir.error().code(), Errc::corrupt);
}

// Otherwise a log whose list of topics was lost would look like a new one, and be written over.
TEST(LogDir, ReadersNoticeMissingFilesAsWritersDo) {
  const auto error_without = [](const std::string& name) {
    Simulation machine(1);
    {
      const auto dir = open(machine);
      dir->begin_writing().value();
      dir->create_topic(two_partitions("t")).value();
    }
    EXPECT_TRUE(machine.disk.remove(std::string(kPath) + "/" + name));
    return LogDir::open_reader(machine.disk, kPath).error();
  };
  for (const std::string name : {"t-1/partition.metadata", "lungo.meta"}) {
    EXPECT_EQ(error_without(name), Errc::corrupt) << name;
    EXPECT_NE(error_without(name).text().find(name), std::string_view::npos) << error_without(name);
  }
  Simulation empty(1);
  EXPECT_EQ(LogDir::open_reader(empty.disk, kPath).error(), Errc::not_found);
}

TEST(LogDir, RecordsWithoutTheListOfTopicsAreDamageNotAnEmptyLog) {
  Simulation machine(1);
  {
    const auto dir = open(machine);
    dir->begin_writing().value();
    dir->create_topic(two_partitions("t")).value();
  }
  write(machine, "t-1/00000000000000000000.log", "");
  machine.disk.remove(kPath + "/lungo.topics").value();
  const Result<std::unique_ptr<LogDir>> writer = LogDir::open_writer(machine.disk, machine.random, kPath);
  const Result<std::unique_ptr<LogDir>> reader = LogDir::open_reader(machine.disk, kPath);
  for (const auto* dir : {&writer, &reader}) {
    ASSERT_FALSE(*dir);
    EXPECT_EQ(dir->error(), Errc::corrupt);
    for (const char* part : {"/data/lungo.topics", "t-1"})
      EXPECT_NE(dir->error().text().find(part), std::string_view::npos) << dir->error();
  }
}

TEST(LogDir, WhatACrashLeftOfTheFirstTopicIsAnEmptyLog) {
  Simulation machine(1);
  {
    const auto dir = open(machine);
    dir->begin_writing().value();
    dir->create_topic(two_partitions("t")).value();
  }
  machine.disk.remove(kPath + "/lungo.topics").value();  // as before its rename: the partitions hold no records yet
  EXPECT_TRUE(LogDir::open_reader(machine.disk, kPath).has_value());
  const auto dir = open(machine);
  EXPECT_TRUE(dir->topics().empty());
  dir->begin_writing().value();
  EXPECT_TRUE(dir->create_topic(two_partitions("t")).has_value());
}

bool has_topic(const LogDir& dir, const std::string& name) {
  return std::ranges::any_of(dir.topics(), [&](const TopicEntry& topic) { return topic.info.spec.name == name; });
}

// Method: run open, begin, create, stop; cut the power before every step in several ways; the directory must open again, with
// an epoch that no later begin repeats, and each topic wholly there or not at all and creatable.
TEST(LogDirCrash, OpensAfterACutAtEveryStep) {
  Simulation machine(1);
  int states = 0;
  std::int32_t epoch_begun = 0;      // begin_writing() returned with it
  std::vector<std::string> created;  // create_topic() returned
  const auto open_after_cut = [&](const test::DiskStep& step, std::uint64_t seed) {
    SCOPED_TRACE("before step " + std::to_string(step.number) + " " + std::string(step.operation) + " " +
                 std::string(step.path) + ", seed " + std::to_string(seed));
    Simulation after(seed, machine.disk.after_power_cut(seed));
    const auto dir = open(after);
    EXPECT_GE(dir->epoch().value(), epoch_begun);
    for (const std::string& name : created) EXPECT_TRUE(has_topic(*dir, name));
    dir->begin_writing().value();
    EXPECT_GT(dir->epoch().value(), epoch_begun);
    for (const std::string name : {"t", "u"}) {
      EXPECT_TRUE(has_topic(*dir, name) || dir->create_topic(two_partitions(name)).has_value());
    }
    ++states;
  };
  machine.disk.on_step([&](const test::DiskStep& step) {
    for (std::uint64_t seed = 0; seed < 24; ++seed) open_after_cut(step, seed);
  });
  for (const std::string name : {"t", "u"}) {
    const auto dir = open(machine);
    dir->begin_writing().value();
    epoch_begun = dir->epoch().value();
    dir->create_topic(two_partitions(name)).value();
    created.push_back(name);
    dir->marks().write_recovery_points({{{"t", PartitionId{0}}, Offset{1}}}).value();
    dir->write_clean_stop({{{"t", PartitionId{0}}, {Offset{1}, 2}}}).value();
  }
  EXPECT_GT(states, 1000);
}

}  // namespace
}  // namespace lungo
