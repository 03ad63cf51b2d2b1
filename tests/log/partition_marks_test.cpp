// Goal: what a directory notes of its partitions is read again as it was written, each kind from its own file, and is forgotten
// when others get the names. LogDir's tests have what damage and crashes do to the files.
#include "partition_marks.hpp"

#include <gtest/gtest.h>

#include "tests/support/simulation.hpp"

namespace lungo {
namespace {

class Marks : public testing::Test {
 protected:
  Marks() {
    machine.disk.make_directories("/data").value();
    const OffsetsByPartition points{{kFirst, Offset{1}}, {kSecond, Offset{2}}, {kOther, Offset{3}}};
    marks.write_recovery_points(points).value();
    for (const TopicPartition& partition : {kFirst, kSecond, kOther}) {
      marks.write_log_starts({{partition, Offset{10}}}).value();
      marks.write_cleaned_end(partition, {Offset{20}, Offset{15}}).value();
    }
    marks.write_clean_stop({{kFirst, {Offset{30}, 1}}, {kSecond, {Offset{31}, 2}}, {kOther, {Offset{32}, 3}}}, LeaderEpoch{4})
        .value();
  }
  PartitionMarks read(LeaderEpoch epoch) {
    PartitionMarks again{machine.disk, "/data"};
    again.read(epoch).value();
    again.read_cleaned_ends().value();
    return again;
  }

  const TopicPartition kFirst{"t", PartitionId{0}};
  const TopicPartition kSecond{"t", PartitionId{1}};
  const TopicPartition kOther{"t-0", PartitionId{1}};
  test::Simulation machine{1};
  PartitionMarks marks{machine.disk, "/data"};
};

TEST_F(Marks, AreReadAsTheyWereWritten) {
  const PartitionMarks again = read(LeaderEpoch{4});
  EXPECT_EQ(again.recovery_point(kSecond), Offset{2});
  EXPECT_EQ(again.log_start(kSecond), Offset{10});
  EXPECT_EQ(marks.cleaned_end(kSecond), Offset{20});
  EXPECT_EQ(again.cleaned_end(kSecond), Offset{15}) << "where the first round behind an opening begins";
  ASSERT_TRUE(again.clean_end(kSecond));
  EXPECT_EQ(again.clean_end(kSecond)->end, Offset{31});
  EXPECT_EQ(again.clean_end(kSecond)->last_batch_crc, 2u);
  const TopicPartition unknown{"u", PartitionId{0}};
  EXPECT_EQ(again.recovery_point(unknown), Offset{0});
  EXPECT_EQ(again.log_start(unknown), Offset{0});
  EXPECT_EQ(again.cleaned_end(unknown), Offset{0});
  EXPECT_FALSE(again.clean_end(unknown));
}

TEST_F(Marks, ACleanStopOfAnotherEpochIsNone) {
  EXPECT_TRUE(read(LeaderEpoch{4}).was_stopped_cleanly());
  EXPECT_FALSE(read(LeaderEpoch{5}).was_stopped_cleanly());
  marks.remove_clean_stop().value();
  EXPECT_FALSE(read(LeaderEpoch{4}).was_stopped_cleanly());
  EXPECT_TRUE(marks.remove_clean_stop()) << "there is none";
}

TEST_F(Marks, AreForgottenFromOnePartitionOn) {
  PartitionMarks writer = read(LeaderEpoch{4});
  writer.forget("t", 1).value();
  const PartitionMarks again = read(LeaderEpoch{4});
  for (const PartitionMarks* const one : std::initializer_list<const PartitionMarks*>{&writer, &again}) {
    EXPECT_EQ(one->recovery_point(kSecond), Offset{0});
    EXPECT_EQ(one->log_start(kSecond), Offset{0});
    EXPECT_EQ(one->cleaned_end(kSecond), Offset{0});
    for (const TopicPartition& kept : {kFirst, kOther}) {
      EXPECT_NE(one->recovery_point(kept), Offset{0});
      EXPECT_EQ(one->log_start(kept), Offset{10});
      EXPECT_EQ(one->cleaned_end(kept), Offset{15});
      EXPECT_TRUE(one->clean_end(kept));
    }
  }
  EXPECT_FALSE(writer.clean_end(kSecond));
  EXPECT_EQ(marks.recovery_point(kSecond), Offset{2}) << "who has read before goes by that";
}

TEST_F(Marks, OfAPartitionThatIsCutReachNoFurther) {
  marks.cut(kSecond, Offset{17}).value();
  EXPECT_FALSE(marks.clean_end(kSecond));
  EXPECT_EQ(marks.cleaned_end(kSecond), Offset{17});
  marks.cut(kSecond, Offset{1}).value();
  const PartitionMarks again = read(LeaderEpoch{4});
  EXPECT_EQ(again.recovery_point(kSecond), Offset{1});
  EXPECT_EQ(again.cleaned_end(kSecond), Offset{1});
  EXPECT_EQ(again.log_start(kSecond), Offset{10});
  EXPECT_EQ(again.recovery_point(kOther), Offset{3});
  EXPECT_EQ(again.cleaned_end(kFirst), Offset{15});
}

TEST_F(Marks, OfAPartitionThatBeginsAnewAreItsStartAlone) {
  marks.begin_anew(kFirst, Offset{4}).value();
  marks.begin_anew(kOther, Offset{0}).value();
  const PartitionMarks again = read(LeaderEpoch{4});
  EXPECT_FALSE(marks.clean_end(kFirst));
  EXPECT_EQ(again.log_start(kFirst), Offset{4});
  EXPECT_EQ(again.log_start(kOther), Offset{0});
  for (const TopicPartition& partition : {kFirst, kOther}) {
    EXPECT_EQ(again.recovery_point(partition), Offset{0});
    EXPECT_EQ(again.cleaned_end(partition), Offset{0});
  }
  EXPECT_EQ(again.recovery_point(kSecond), Offset{2});
  EXPECT_EQ(again.log_start(kSecond), Offset{10});
}

TEST_F(Marks, StartsAreWrittenAgainOnlyWhereTheTwoFilesDiffer) {
  PartitionMarks same = read(LeaderEpoch{4});
  const std::uint64_t before = machine.disk.steps();
  same.agree_on_starts().value();
  EXPECT_EQ(machine.disk.steps(), before);
  machine.disk.remove("/data/log-start-offset-checkpoint").value();
  PartitionMarks differ = read(LeaderEpoch{4});
  differ.agree_on_starts().value();
  EXPECT_TRUE(machine.disk.exists("/data/log-start-offset-checkpoint").value());
}

}  // namespace
}  // namespace lungo
