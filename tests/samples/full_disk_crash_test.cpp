// A full disk under the real program: it says so, keeps what was committed, and goes on when there is room.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <string>

#include "tests/samples/small_disk.hpp"
#include "tests/samples/tracker_directory.hpp"
#include "tests/support/access_log_generator.hpp"

namespace lungo::test {
namespace {

class FullDisk : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!disk_.is_mounted()) GTEST_SKIP() << "needs the right to mount a small file system";
    std::ofstream{log(), std::ios::binary} << generate_access_log({.lines = 200'000, .seed = 5});
  }
  [[nodiscard]] std::string log() const { return directory_ / "access.log"; }
  [[nodiscard]] std::string undisturbed() const { return directory_ / "undisturbed"; }

  // Whatever the disk did to the rows, they are those that the log gives.
  void expect_rows_of_a_rebuild() const {
    const std::map<std::string, std::string> live = rows_of(disk_.data());
    EXPECT_GE(live.size(), 15U);
    rebuild_by_replay(disk_.data());
    expect_same_rows(live, rows_of(disk_.data()));
  }

  SmallDisk disk_{"size=24m"};
  TempDirectory directory_;
};

TEST_F(FullDisk, ImportStopsWithTheReasonAndTheSameCommandGoesOn) {
  const Finished full = run_tracker(disk_.data(), {"--exit", "--import", log()});
  EXPECT_EQ(full.status, 75) << full.err;
  EXPECT_NE(full.err.find("No space left"), std::string::npos) << full.err;
  EXPECT_NE(full.err.find("make room and give the same command"), std::string::npos) << full.err;
  ASSERT_TRUE(disk_.resize("size=400m"));
  EXPECT_EQ(as_shell_prints(import_json(disk_.data(), {log()})), shell_summary({log()}));
  expect_rows_of_a_rebuild();
}

// Wherever in its start a program runs out of room: log, store, the store's shared memory.
TEST_F(FullDisk, IsNamedHoweverEarlyItComes) {
  for (int kilobytes = 20; kilobytes <= 400; kilobytes += 20) {
    SCOPED_TRACE(kilobytes);
    const SmallDisk tiny{"size=" + std::to_string(kilobytes) + "k"};
    ASSERT_TRUE(tiny.is_mounted());
    const Finished full = run_tracker(tiny.data(), {"--exit", "--import", log()});
    EXPECT_EQ(full.status, 75) << full.err;
    EXPECT_NE(full.err.find("make room and give the same command"), std::string::npos) << full.err;
  }
}

class FullDiskInARunThatGoesOn : public FullDisk, public ::testing::WithParamInterface<const char*> {};

TEST_P(FullDiskInARunThatGoesOn, TakesUpTheWorkInPlace) {
  const std::int64_t events = import_json(undisturbed(), {log()}).at("events").to_number<std::int64_t>();
  std::filesystem::create_directory(disk_.data());
  std::filesystem::copy(undisturbed() + "/tracker-secret", disk_.data() + "/tracker-secret");  // or ids would be others

  Program program{tracker_command(disk_.data(), {GetParam(), log()})};
  ASSERT_TRUE(eventually([&] { return program.err().find("going on as soon as") != std::string::npos; })) << program.err();
  EXPECT_NE(program.err().find("No space left"), std::string::npos) << program.err();
  ASSERT_TRUE(disk_.resize("size=400m"));
  std::shared_ptr<EventLog> beside = look_into(disk_.data());
  ASSERT_TRUE(beside);
  EXPECT_TRUE(eventually([&] { return records_in(*beside, "events") == events; })) << program.err();
  EXPECT_TRUE(eventually([&] { return program.err().find("tracker: going on\n") != std::string::npos; })) << program.err();
  beside.reset();
  program.send(SIGTERM);
  EXPECT_EQ(program.wait(), 0) << program.err();

  EXPECT_TRUE(streams_of(disk_.data(), "events") == streams_of(undisturbed(), "events"));
  EXPECT_EQ(as_shell_prints(import_json(disk_.data(), {log()})), shell_summary({log()}));
  expect_rows_of_a_rebuild();
}

INSTANTIATE_TEST_SUITE_P(Inputs, FullDiskInARunThatGoesOn, ::testing::Values("--import", "--follow"),
                         [](const auto& input) { return std::string{input.param}.substr(2); });

}  // namespace
}  // namespace lungo::test
