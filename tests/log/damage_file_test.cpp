// Goal: the file of damaged ranges is what its grammar says, and nothing else passes for one.
#include <gtest/gtest.h>

#include "base/property_file.hpp"
#include "damage.hpp"
#include "tests/log/crashed_log.hpp"
#include "tests/support/quiet_log.hpp"

namespace lungo {
namespace {

using namespace test;

const std::string kDamageFile = DamageList::kFileName;

TEST(DamageFile, ItsBytesAreWhatTheGrammarSays) {
  PartitionFixture fixture;
  ASSERT_TRUE(fixture.simulation->disk.make_directories(fixture.directory));
  const DamageList list{
      {{Offset{30}, Offset{31}, "00000000000000000030.log", 0, 0}, {Offset{9}, Offset{12}, kFirstLog, 216, 72}}};
  ASSERT_TRUE(list.write(fixture.simulation->disk, fixture.directory));
  const Bytes bytes = read_file(fixture.simulation->disk, fixture.path(kDamageFile), 1 << 20).value();
  EXPECT_EQ(as_text(bytes),
            "lungo-damage 1\n"
            "range=9 12 00000000000000000000.log 216 72\n"
            "range=30 31 00000000000000000030.log 0 0\n"
            "crc32c=7cb26d38\n");
  EXPECT_EQ(DamageList::read(fixture.simulation->disk, fixture.directory).value(), list);
  ASSERT_TRUE(DamageList{}.write(fixture.simulation->disk, fixture.directory));
  EXPECT_FALSE(*fixture.simulation->disk.exists(fixture.path(kDamageFile)));
  EXPECT_TRUE(DamageList::read(fixture.simulation->disk, fixture.directory).value().empty());
}

TEST(DamageFile, WhatBreaksTheGrammarIsCorrupt) {
  for (const std::string_view lines :
       {"range=9 12 00000000000000000000.log 216", "range=9 12 00000000000000000000.log 216 72 1", "range=12 9 0.log 0 0",
        "range=-1 9 0.log 0 0", "range=9 12 ../0.log 0 0", "range=9 12 damage 0 0", "range=9 12 0.log -1 0",
        "range=9 12 0.log 0 0\nrange=11 13 0.log 0 0", "range="}) {
    PartitionFixture fixture;
    ASSERT_TRUE(fixture.simulation->disk.make_directories(fixture.directory));
    Properties properties;
    for (std::string_view rest = lines; !rest.empty();) {
      const std::string_view line = rest.substr(0, rest.find('\n'));
      rest.remove_prefix(std::min(rest.size(), line.size() + 1));
      properties.push_back({"range", std::string(line.substr(line.find('=') + 1))});
    }
    ASSERT_TRUE(write_file_atomically(fixture.simulation->disk, fixture.path(kDamageFile),
                                      as_bytes(format_property_file("damage", 1, properties))));
    EXPECT_EQ(DamageList::read(fixture.simulation->disk, fixture.directory).error(), Errc::corrupt) << lines;
  }
}

TEST(DamageFile, OfANewerVersionStopsTheOpening) {
  CrashedLog crashed{10};
  ASSERT_TRUE(write_file_atomically(crashed.simulation->disk, crashed.path(kDamageFile),
                                    as_bytes(format_property_file("damage", 2, {}))));
  EXPECT_EQ(crashed.open().error(), Errc::newer_format);
}

// Nobody can say what it knew: everything is looked at, whatever else vouches for it.
TEST(DamageFile, ThatIsDamagedItselfMakesTheLogBeReadInFull) {
  const SilentLog silent;
  CrashedLog crashed{10};
  crashed.flip(kFirstLog, crashed.borders[3] + 70);
  const CleanEnd clean = crashed.opened()->close().value();
  crashed.flip(kDamageFile, 20);
  const auto log = crashed.opened(clean, Offset{30});
  ASSERT_NE(log, nullptr);
  EXPECT_GT(log->recovery().bytes_scanned, 0u);
  EXPECT_EQ(log->damage(), std::vector{crashed.batches(3, 4)});
  EXPECT_TRUE(DamageList::read(crashed.simulation->disk, crashed.directory));
}

}  // namespace
}  // namespace lungo
