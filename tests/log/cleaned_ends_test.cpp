#include "cleaned_ends.hpp"

#include <gtest/gtest.h>

#include "base/property_file.hpp"
#include "log_dir.hpp"
#include "tests/support/quiet_log.hpp"
#include "tests/support/simulation.hpp"

namespace lungo {
namespace {

using test::Simulation;

const std::string kPath = "/data";
const TopicPartition kCompacted{"t", PartitionId{1}};

Result<std::unique_ptr<LogDir>> open(Simulation& machine) { return LogDir::open_writer(machine.disk, machine.random, kPath); }

void make(Simulation& machine, const CleanedEnd& cleaned) {
  const auto dir = open(machine).value();
  dir->begin_writing().value();
  TopicSpec spec;
  spec.name = kCompacted.topic;
  spec.partitions = 2;
  spec.compact = true;
  dir->create_topic(spec).value();
  dir->marks().write_cleaned_end(kCompacted, cleaned).value();
}

TEST(CleanedEnds, AreReadBack) {
  const CleanedEnds ends{{{"a-b", PartitionId{0}}, {Offset{7}, Offset{0}}}, {{"a", PartitionId{12}}, {Offset{9}, Offset{9}}}};
  EXPECT_EQ(parse_cleaned_ends("cleaned", as_bytes(format_cleaned_ends(ends))).value(), ends);
}

TEST(CleanedEnds, LinesThatCannotBeAreDamage) {
  for (const char* line : {"", "t-1", "t-1 5", "t-1 5 ", "t-1 5 6", "t-1 5 -1", "t-1 x 0", "t 5 5"}) {
    const std::string text = format_property_file("cleaned", 1, {{"partition", line}});
    EXPECT_EQ(parse_cleaned_ends("cleaned", as_bytes(text)).error(), Errc::corrupt) << line;
  }
  const std::string twice = format_property_file("cleaned", 1, {{"partition", "t-1 5 5"}, {"partition", "t-1 6 6"}});
  EXPECT_EQ(parse_cleaned_ends("cleaned", as_bytes(twice)).error(), Errc::corrupt);
  EXPECT_EQ(parse_cleaned_ends("cleaned", as_bytes(format_property_file("cleaned", 2, {}))).error(), Errc::newer_format);
}

TEST(CleanedEnds, TheFirstRoundBehindAnOpeningBeginsWhereDamageWasPassed) {
  Simulation machine(1);
  make(machine, {.end = Offset{105}, .again = Offset{40}});
  EXPECT_EQ(open(machine).value()->marks().cleaned_end(kCompacted), Offset{40});
}

// Tombstones go by what they say: an end that rots upwards must not be believed.
TEST(CleanedEnds, NoFlippedBitMovesOneUp) {
  const test::SilentLog silent;
  Simulation machine(1);
  make(machine, {.end = Offset{105}, .again = Offset{105}});
  for (const std::string_view file : {kCleanedEndsFile, kKafkaCleanedEndsFile}) {
    const std::string path = kPath + "/" + std::string(file);
    const Bytes whole = read_file(machine.disk, path, 1 << 20).value();
    for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
      Bytes flipped = whole;
      flipped[bit / 8] ^= static_cast<std::byte>(1u << (bit % 8));
      write_file_atomically(machine.disk, path, flipped).value();
      const Result<std::unique_ptr<LogDir>> dir = open(machine);
      if (!dir) {
        EXPECT_EQ(dir.error(), Errc::newer_format) << file << " bit " << bit;
        continue;
      }
      const Offset end = (*dir)->marks().cleaned_end(kCompacted);
      EXPECT_EQ(end, file == kCleanedEndsFile ? Offset{0} : Offset{105}) << file << " bit " << bit;
    }
    write_file_atomically(machine.disk, path, whole).value();
  }
}

TEST(CleanedEnds, AreNotThoseOfATopicThatIsMadeAnew) {
  Simulation machine(1);
  make(machine, {.end = Offset{105}, .again = Offset{105}});
  {
    const auto dir = open(machine).value();
    dir->begin_writing().value();
    const TopicInfo topic = dir->topics().front().info;
    dir->delete_topic(topic.spec.name).value();
    dir->release_names(topic);
    dir->create_topic(topic.spec).value();
    EXPECT_EQ(dir->marks().cleaned_end(kCompacted), Offset{0});
  }
  EXPECT_EQ(open(machine).value()->marks().cleaned_end(kCompacted), Offset{0});
}

}  // namespace
}  // namespace lungo
