// Goal: topics change, grow and go durably, in one step, and what one leaves is never taken for another's.
#include <gtest/gtest.h>

#include <algorithm>

#include "log_dir.hpp"
#include "partition_directories.hpp"
#include "tests/support/simulation.hpp"

namespace lungo {
namespace {

using std::chrono::milliseconds;
using test::Simulation;

const std::string kPath = "/data";

std::unique_ptr<LogDir> open(Simulation& machine) { return LogDir::open_writer(machine.disk, machine.random, kPath).value(); }

std::unique_ptr<LogDir> begun(Simulation& machine) {
  auto dir = open(machine);
  dir->begin_writing().value();
  return dir;
}

TopicSpec topic(const std::string& name, std::int32_t partitions = 2) {
  TopicSpec spec;
  spec.name = name;
  spec.partitions = partitions;
  return spec;
}

const TopicEntry* find(const LogDir& dir, const std::string& name) {
  const auto found = std::ranges::find(dir.topics(), name, [](const TopicEntry& entry) { return entry.info.spec.name; });
  return found == dir.topics().end() ? nullptr : &*found;
}

/// As the log does it.
Result<void> delete_topic(LogDir& dir, const std::string& name) {
  const TopicEntry* const there = find(dir, name);
  const TopicInfo info = there == nullptr ? TopicInfo{} : there->info;
  Result<void> deleted = dir.delete_topic(name);
  if (there != nullptr && find(dir, name) == nullptr) dir.release_names(info);
  return deleted;
}

/// As if records had been written to it.
void put_records(Simulation& machine, const std::string& partition) {
  const std::string path = kPath + "/" + partition + "/00000000000000000000.log";
  write_file_atomically(machine.disk, path, as_bytes("records")).value();
}

std::vector<std::string> names(Simulation& machine) {
  std::vector<std::string> found;
  for (const DirEntry& entry : machine.disk.list(kPath).value()) found.push_back(entry.name);
  return found;
}

TEST(LogDirTopics, AlteredSettingsStay) {
  Simulation machine(1);
  begun(machine)->create_topic(topic("t")).value();
  TopicChange change;
  change.ack_level = AckLevel::isr;
  change.flush_interval = milliseconds{9};
  change.segment_bytes = 4096;
  change.segment_age = milliseconds{1};
  change.retention_age = milliseconds{2};
  change.retention_bytes = 3;
  begun(machine)->alter_topic("t", change).value();
  const TopicSpec spec = find(*open(machine), "t")->info.spec;
  EXPECT_EQ(spec.ack_level, AckLevel::isr);
  EXPECT_EQ(spec.flush_interval, milliseconds{9});
  EXPECT_EQ(spec.segment_bytes, 4096u);
  EXPECT_EQ(spec.segment_age, milliseconds{1});
  EXPECT_EQ(spec.retention_age, milliseconds{2});
  EXPECT_EQ(spec.retention_bytes, 3u);

  begun(machine)->alter_topic("t", {.retention_age = kNoAgeLimit, .retention_bytes = kNoSizeLimit}).value();
  const TopicSpec later = find(*open(machine), "t")->info.spec;
  EXPECT_EQ(later.segment_age, milliseconds{1}) << "what is not named stays";
  EXPECT_EQ(later.retention_age, std::nullopt);
  EXPECT_EQ(later.retention_bytes, std::nullopt);
  EXPECT_EQ(begun(machine)->alter_topic("t", {.segment_bytes = 1}).error(), Errc::invalid_argument);
  EXPECT_EQ(begun(machine)->alter_topic("t", {.retention_age = milliseconds{-1}}).error(), Errc::invalid_argument);
  EXPECT_EQ(begun(machine)->alter_topic("t", {.segment_age = milliseconds{0}}).error(), Errc::invalid_argument);
  EXPECT_EQ(begun(machine)->alter_topic("other", {}).error(), Errc::not_found);
}

TEST(LogDirTopics, APartitionThatIsAddedGetsAPlaceOfItsOwn) {
  Simulation machine(1);
  const auto dir = begun(machine);
  dir->create_topic(topic("t")).value();
  dir->create_topic(topic("u", 1)).value();
  EXPECT_EQ(dir->add_partitions("t", 3)->spec.partitions, 3);
  EXPECT_EQ(dir->add_partitions("u", 2)->spec.partitions, 2);
  EXPECT_EQ(dir->add_partitions("u", 4)->spec.partitions, 4);
  EXPECT_EQ(tail_place_numbers(*find(*dir, "t")), (std::vector<std::size_t>{0, 1, 3}));
  EXPECT_EQ(find(*dir, "u")->tail_places, (std::vector<TailPlaces>{{2, 1}, {4, 3}}));
  const std::unique_ptr<LogDir> again = LogDir::open_reader(machine.disk, kPath).value();
  EXPECT_EQ(find(*again, "u")->tail_places, find(*dir, "u")->tail_places);
}

TEST(LogDirTopics, ADeletedTopicIsGoneWithItsDirectoriesAndItsNameIsFree) {
  Simulation machine(1);
  const auto dir = begun(machine);
  const TopicId id = dir->create_topic(topic("t")).value().id;
  put_records(machine, "t-0");
  dir->marks().write_recovery_points({{{"t", PartitionId{0}}, Offset{7}}, {{"u", PartitionId{0}}, Offset{8}}}).value();
  dir->marks().write_log_starts({{{"t", PartitionId{1}}, Offset{7}}}).value();
  dir->marks().write_cleaned_end({"t", PartitionId{1}}, {Offset{6}, Offset{6}}).value();
  dir->marks().write_cleaned_end({"u", PartitionId{0}}, {Offset{5}, Offset{5}}).value();
  delete_topic(*dir, "t").value();
  EXPECT_EQ(delete_topic(*dir, "t").error(), Errc::not_found);
  const std::vector<std::string> aside = dir->take_deleted_directories();
  ASSERT_EQ(aside.size(), 2u);
  EXPECT_EQ(aside[0], kPath + "/" + deleted_name("t-0", id));
  EXPECT_TRUE(dir->take_deleted_directories().empty()) << "taken";

  EXPECT_NE(dir->create_topic(topic("t")).value().id, id);
  EXPECT_EQ(tail_place_numbers(*find(*dir, "t")), (std::vector<std::size_t>{2, 3})) << "no place is given twice";
  const auto again = LogDir::open_reader(machine.disk, kPath).value();
  EXPECT_EQ(again->marks().recovery_point({"t", PartitionId{0}}), Offset{0}) << "that was the other topic's";
  EXPECT_EQ(again->marks().log_start({"t", PartitionId{1}}), Offset{0});
  EXPECT_EQ(dir->marks().cleaned_end({"t", PartitionId{1}}), Offset{0});
  EXPECT_EQ(dir->marks().cleaned_end({"u", PartitionId{0}}), Offset{5});
  EXPECT_EQ(again->marks().recovery_point({"u", PartitionId{0}}), Offset{8});
}

TEST(LogDirTopics, DirectoriesThatWaitToBeRemovedAreFoundByTheNextWriter) {
  Simulation machine(1);
  begun(machine)->create_topic(topic("t")).value();
  delete_topic(*begun(machine), "t").value();
  EXPECT_EQ(begun(machine)->take_deleted_directories().size(), 2u);
}

TEST(LogDirTopics, OnlyDirectoriesOfTopicsKnownToBeDeletedAreTaken) {
  Simulation machine(1);
  {
    const auto dir = begun(machine);
    dir->create_topic(topic("t")).value();
    dir->create_topic(topic("mine", 1)).value();
    put_records(machine, "mine-0");
  }
  // As if somebody had brought a partition here; and names that look nearly like those of deleted ones.
  machine.disk.make_directories(kPath + "/brought-0").value();
  write_file_atomically(machine.disk, kPath + "/brought-0/partition.metadata",
                        as_bytes("version: 0\ntopic_id: Rk9vQmFyQmF6UXV4MTIzNA"))
      .value();
  put_records(machine, "brought-0");
  for (const char* name :
       {"t-delete", "t-0.0123456789abcdef0123456789abcdeg-delete", "t.0123456789abcdef0123456789abcdef-delete"}) {
    machine.disk.make_directories(kPath + "/" + name).value();
  }
  delete_topic(*begun(machine), "t").value();
  const std::vector<std::string> aside = begun(machine)->take_deleted_directories();
  EXPECT_EQ(aside.size(), 2u);
  EXPECT_TRUE(std::ranges::all_of(aside, [](const std::string& path) { return path.starts_with("/data/t-"); }));
  EXPECT_TRUE(std::ranges::count(names(machine), "brought-0"));
  EXPECT_EQ(begun(machine)->create_topic(topic("brought", 1)).error(), Errc::already_exists);
}

TEST(LogDirTopics, TheNameOfADeletedDirectoryIsKafkasAndFits) {
  TopicId id;
  for (std::size_t i = 0; i < id.bytes.size(); ++i) id.bytes[i] = static_cast<std::uint8_t>(i * 17);
  EXPECT_EQ(deleted_name("a.b-c-12", id), "a.b-c-12.00112233445566778899aabbccddeeff-delete");
  EXPECT_TRUE(is_deleted_name(deleted_name("a.b-c-12", id)));
  const std::string longest = deleted_name(std::string(249, 't') + "-99999", id);
  EXPECT_EQ(longest.size(), 255u);
  EXPECT_TRUE(longest.ends_with("t-99999.00112233445566778899aabbccddeeff-delete"));
  EXPECT_TRUE(is_deleted_name(longest));
  for (const char* name : {"", "-delete", "t-0", "t-0.-delete", "x.00112233445566778899aabbccddeeff-delete"}) {
    EXPECT_FALSE(is_deleted_name(name)) << name;
  }
}

// When the list of topics can't be replaced, the topic is as it was, or it is gone: never both in turn.
TEST(LogDirTopics, ACopiedTopicKeepsItsIdAndItsPartitionsMayBeRenewed) {
  Simulation machine(1);
  TopicInfo info{topic("a"), {}};
  info.id.bytes[3] = 7;
  auto dir = begun(machine);
  EXPECT_EQ(dir->create_copied_topic(info).value().id, info.id);
  put_records(machine, "a-1");
  for (int times = 0; times < 2; ++times) {
    dir->renew_partition({"a", PartitionId{1}}, Offset{40}).value();
    EXPECT_FALSE(machine.disk.exists(kPath + "/a-1/00000000000000000000.log").value());
    EXPECT_EQ(dir->marks().log_start({"a", PartitionId{1}}), Offset{40});
  }
  EXPECT_EQ(dir->take_deleted_directories().size(), 2u);
  EXPECT_EQ(dir->renew_partition({"b", PartitionId{0}}, Offset{0}).error(), Errc::not_found);
  dir.reset();
  dir = open(machine);
  EXPECT_TRUE(find(*dir, "a")->gaps);
  EXPECT_EQ(find(*dir, "a")->info.id, info.id);
  EXPECT_EQ(dir->marks().log_start({"a", PartitionId{1}}), Offset{40});
}

TEST(LogDirTopics, DirectoriesThatAreLostAreMadeAnewForWhoCanFillThem) {
  Simulation machine(1);
  begun(machine)->create_topic(topic("a", 3)).value();
  put_records(machine, "a-1");
  machine.disk.remove_all(kPath + "/a-0").value();
  write_file_atomically(machine.disk, kPath + "/a-1/partition.metadata", as_bytes("torn")).value();
  EXPECT_EQ(LogDir::open_writer(machine.disk, machine.random, kPath).error(), Errc::corrupt);
  auto dir = LogDir::open_writer(machine.disk, machine.random, kPath, LostPartitions::are_made_anew).value();
  EXPECT_EQ(machine.disk.list(kPath + "/a-0").value().size(), 1u);
  EXPECT_EQ(machine.disk.list(kPath + "/a-1").value().size(), 1u);
  EXPECT_EQ(dir->take_deleted_directories().size(), 1u) << "what a-1 had";
  dir.reset();
  EXPECT_TRUE(open(machine));
}

TEST(LogDirTopics, AFailureLeavesTheTopicThereOrGone) {
  for (std::uint64_t step = 1; step <= 30; ++step) {
    SCOPED_TRACE(step);
    Simulation machine(1);
    const auto dir = begun(machine);
    dir->create_topic(topic("t")).value();
    put_records(machine, "t-0");
    machine.disk.fail_step(machine.disk.steps() + step, Errc::io);
    const Result<void> deleted = delete_topic(*dir, "t");
    machine.disk.clear_faults();
    const bool is_there = find(*dir, "t") != nullptr;
    EXPECT_TRUE(!deleted || !is_there);
    if (!is_there) dir->create_topic(topic("t")).value();
    if (is_there) delete_topic(*dir, "t").value();
    EXPECT_EQ(find(*LogDir::open_reader(machine.disk, kPath).value(), "t") != nullptr, !is_there);
  }
}

/// Everything that happens to topics, with what has to be there afterwards.
struct Expected {
  std::string name;
  std::int32_t partitions_least;
  std::int32_t partitions_most;
  bool may_be_gone;
};

// Method: as LogDirCrash: cut the power before every step, and open what is left.
TEST(LogDirTopicsCrash, OpensAfterACutAtEveryStep) {
  Simulation machine(1);
  int states = 0;
  std::vector<Expected> expected;
  std::string gone;
  const auto open_after_cut = [&](const test::DiskStep& step, std::uint64_t seed) {
    SCOPED_TRACE("before step " + std::to_string(step.number) + " " + std::string(step.operation) + " " +
                 std::string(step.path) + ", seed " + std::to_string(seed));
    Simulation after(seed, machine.disk.after_power_cut(seed));
    auto dir = open(after);
    for (const Expected& one : expected) {
      const TopicEntry* const found = find(*dir, one.name);
      ASSERT_TRUE(found != nullptr || one.may_be_gone) << one.name;
      if (found == nullptr) continue;
      EXPECT_GE(found->info.spec.partitions, one.partitions_least);
      EXPECT_LE(found->info.spec.partitions, one.partitions_most);
    }
    EXPECT_TRUE(gone.empty() || find(*dir, gone) == nullptr);
    dir->begin_writing().value();
    for (const std::string name : {"t", "u"}) {
      if (find(*dir, name) != nullptr) continue;
      const Result<TopicInfo> made = dir->create_topic(topic(name, 4));
      ASSERT_TRUE(made) << made.error();
      EXPECT_EQ(dir->marks().recovery_point({name, PartitionId{0}}), Offset{0});
    }
    for (const std::string& path : dir->take_deleted_directories()) after.disk.remove_all(path).value();
    dir.reset();
    const auto again = LogDir::open_reader(after.disk, kPath);
    ASSERT_TRUE(again) << again.error();
    for (const std::string& name : names(after)) EXPECT_FALSE(is_deleted_name(name)) << name;
    std::vector<std::size_t> places;
    for (const TopicEntry& entry : (*again)->topics()) {
      for (const std::size_t place : tail_place_numbers(entry)) places.push_back(place);
    }
    std::ranges::sort(places);
    EXPECT_EQ(std::ranges::adjacent_find(places), places.end());
    ++states;
  };
  auto dir = begun(machine);
  dir->create_topic(topic("t")).value();
  dir->create_topic(topic("u")).value();
  put_records(machine, "t-0");
  put_records(machine, "u-1");
  dir->marks().write_recovery_points({{{"t", PartitionId{0}}, Offset{5}}, {{"u", PartitionId{0}}, Offset{5}}}).value();
  dir->marks().write_log_starts({{{"t", PartitionId{0}}, Offset{5}}}).value();
  machine.disk.on_step([&](const test::DiskStep& step) {
    for (std::uint64_t seed = 0; seed < 12; ++seed) open_after_cut(step, seed);
  });
  expected = {{"t", 2, 2, true}, {"u", 2, 2, false}};
  delete_topic(*dir, "t").value();
  expected = {{"u", 2, 4, false}};
  gone = "t";
  dir->add_partitions("u", 4).value();
  expected = {{"u", 4, 4, false}};
  dir->alter_topic("u", {.retention_bytes = 5}).value();
  gone.clear();
  dir->create_topic(topic("t", 3)).value();
  expected = {{"u", 4, 4, true}, {"t", 3, 3, false}};
  delete_topic(*dir, "u").value();
  expected = {{"t", 3, 3, false}};
  gone = "u";
  dir.reset();
  dir = begun(machine);
  machine.disk.on_step({});
  EXPECT_GT(states, 500);
}

}  // namespace
}  // namespace lungo
