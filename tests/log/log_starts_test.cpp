#include "log_starts.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/property_file.hpp"
#include "log_dir.hpp"
#include "tests/support/quiet_log.hpp"
#include "tests/support/simulation.hpp"

namespace lungo {
namespace {

using test::Simulation;

const std::string kPath = "/data";
const std::string kKafkasFile = "log-start-offset-checkpoint";
const TopicPartition kTrimmed{"t", PartitionId{1}};

Result<std::unique_ptr<LogDir>> open(Simulation& machine) { return LogDir::open_writer(machine.disk, machine.random, kPath); }

std::unique_ptr<LogDir> begun(Simulation& machine) {
  auto dir = open(machine).value();
  dir->begin_writing().value();
  return dir;
}

/// A directory with a topic of two partitions, of which one begins at offset 105.
void make_trimmed(Simulation& machine) {
  const auto dir = begun(machine);
  TopicSpec spec;
  spec.name = kTrimmed.topic;
  spec.partitions = 2;
  dir->create_topic(spec).value();
  dir->marks().write_log_starts({{kTrimmed, Offset{105}}}).value();
}

Bytes contents(Simulation& machine, const std::string& name) {
  return read_file(machine.disk, kPath + "/" + name, 1 << 20).value();
}

void write(Simulation& machine, const std::string& name, BytesView bytes) {
  write_file_atomically(machine.disk, kPath + "/" + name, bytes).value();
}

TEST(LogStarts, AreReadBack) {
  const OffsetsByPartition starts{{{"a-b", PartitionId{0}}, Offset{7}}, {{"a", PartitionId{12}}, Offset{1'000'000'000'000}}};
  EXPECT_EQ(parse_log_starts("starts", as_bytes(format_log_starts(starts))).value(), starts);
  EXPECT_TRUE(parse_log_starts("starts", as_bytes(format_log_starts({}))).value().empty());
}

TEST(LogStarts, LinesThatCannotBeAreDamage) {
  for (const char* line : {"", "t-1", "t-1 ", "t-1 -5", "t-1 5x", "t 5", "t-1 9223372036854775808"}) {
    const std::string text = format_property_file("starts", 1, {{"partition", line}});
    EXPECT_EQ(parse_log_starts("starts", as_bytes(text)).error(), Errc::corrupt) << line;
  }
  const std::string twice = format_property_file("starts", 1, {{"partition", "t-1 5"}, {"partition", "t-1 6"}});
  EXPECT_EQ(parse_log_starts("starts", as_bytes(twice)).error(), Errc::corrupt);
  EXPECT_EQ(parse_log_starts("starts", as_bytes(format_property_file("starts", 2, {}))).error(), Errc::newer_format);
}

// Files go by what a start says: a digit that rots upwards must not take segments with it.
TEST(LogStarts, NoFlippedBitMovesAStart) {
  const test::SilentLog silent;
  Simulation machine(1);
  make_trimmed(machine);
  for (const std::string& name : {std::string(kLogStartsFile), kKafkasFile}) {
    const Bytes whole = contents(machine, name);
    for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
      Bytes flipped = whole;
      flipped[bit / 8] ^= static_cast<std::byte>(1u << (bit % 8));
      write(machine, name, flipped);
      const Result<std::unique_ptr<LogDir>> dir = open(machine);
      if (!dir) {  // ours alone may say that it is of a later version
        EXPECT_TRUE(name == kLogStartsFile && dir.error() == Errc::newer_format) << name << " bit " << bit;
        continue;
      }
      EXPECT_EQ((*dir)->marks().log_start(kTrimmed), Offset{105}) << name << " bit " << bit;
      EXPECT_EQ((*dir)->marks().log_start({"t", PartitionId{0}}), Offset{0}) << name << " bit " << bit;
    }
    write(machine, name, whole);
  }
}

TEST(LogStarts, KafkasCountWhereThereAreNoneOfOurs) {
  Simulation machine(1);
  make_trimmed(machine);
  const Bytes ours = contents(machine, std::string(kLogStartsFile));
  machine.disk.remove(kPath + "/" + std::string(kLogStartsFile)).value();
  EXPECT_EQ(LogDir::open_reader(machine.disk, kPath).value()->marks().log_start(kTrimmed), Offset{105});
  EXPECT_EQ(begun(machine)->marks().log_start(kTrimmed), Offset{105});
  EXPECT_EQ(contents(machine, std::string(kLogStartsFile)), ours) << "a writer makes them its own";
}

TEST(LogStarts, KafkasFileIsMadeToAgree) {
  const test::SilentLog silent;
  Simulation machine(1);
  make_trimmed(machine);
  const Bytes kafkas = contents(machine, kKafkasFile);
  for (const std::string_view text : {"0\n1\nt 1 905\n", "0\n0\n", "nonsense"}) {
    write(machine, kKafkasFile, as_bytes(text));
    EXPECT_EQ(begun(machine)->marks().log_start(kTrimmed), Offset{105});
    EXPECT_EQ(contents(machine, kKafkasFile), kafkas) << text;
  }
  machine.disk.remove(kPath + "/" + kKafkasFile).value();
  begun(machine);
  EXPECT_EQ(contents(machine, kKafkasFile), kafkas);
}

TEST(LogStarts, ATopicThatIsMadeAnewBeginsAtZero) {
  Simulation machine(1);
  make_trimmed(machine);
  {
    const auto dir = begun(machine);
    const TopicInfo topic = dir->topics().front().info;
    dir->delete_topic(topic.spec.name).value();
    dir->release_names(topic);
    dir->create_topic(topic.spec).value();
  }
  EXPECT_EQ(open(machine).value()->marks().log_start(kTrimmed), Offset{0});
}

// Method: cut the power before every step of two moves and of a begin that finds no file of ours; a start that was written
// stays.
TEST(LogStartsCrash, StayAfterACutAtEveryStep) {
  Simulation machine(1);
  make_trimmed(machine);
  machine.disk.remove(kPath + "/" + std::string(kLogStartsFile)).value();
  int states = 0;
  Offset least{105};
  Offset most{105};
  machine.disk.on_step([&](const test::DiskStep& step) {
    for (std::uint64_t seed = 0; seed < 12; ++seed) {
      SCOPED_TRACE("before step " + std::to_string(step.number) + ", seed " + std::to_string(seed));
      Simulation after(seed, machine.disk.after_power_cut(seed));
      const Offset start = open(after).value()->marks().log_start(kTrimmed);
      EXPECT_GE(start, least);
      EXPECT_LE(start, most);
      begun(after);
      EXPECT_EQ(open(after).value()->marks().log_start(kTrimmed), start);
      ++states;
    }
  });
  const auto dir = begun(machine);
  for (const Offset start : {Offset{205}, Offset{305}}) {
    most = start;
    dir->marks().write_log_starts({{kTrimmed, start}}).value();
    least = start;
  }
  machine.disk.on_step({});
  EXPECT_GT(states, 100);
}

}  // namespace
}  // namespace lungo
