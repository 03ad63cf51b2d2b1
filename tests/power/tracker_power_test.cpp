// Goal: the power may fail under the whole program, log, projections and SQLite, and its import goes on where it was: nothing
// lost, nothing twice. Method: as power_cut_test.cpp, with the web tracker's import, cut at moments all over it.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <iostream>
#include <thread>

#include "tests/power/ext4_disk.hpp"
#include "tests/samples/tracker_directory.hpp"
#include "tests/support/access_log_generator.hpp"
#include "tests/support/quiet_log.hpp"
#include "tests/support/random.hpp"

namespace lungo::test {
namespace {

constexpr std::uint64_t kLines = 40'000;
constexpr int kCuts = 10;
constexpr auto kPatience = std::chrono::seconds{60};

void generate(const std::string& path, std::uint64_t seed) {
  AccessLogGenerator generator{{.lines = kLines, .seed = seed, .days = 5, .visitors = 3000, .urls = 2000}};
  std::ofstream file{path, std::ios::binary};
  std::string block;
  for (; generator.next(block); block.clear()) file << block;
  file << block;
}

/// Puts the directory there for good, with the secret in it, or visitors would have other ids than without cuts.
void begin_with_secret(const std::string& data, const std::string& secret) {
  std::filesystem::create_directory(data);
  std::filesystem::copy(secret, data + "/tracker-secret");
  const int directory = ::open(data.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  ASSERT_EQ(::syncfs(directory), 0);
  ::close(directory);
}

/// False when the import ended before there were so many events.
bool import_until(const std::string& data, const std::string& log, std::int64_t events, const Ext4Disk& disk) {
  Program program{tracker_command(data, {"--exit", "--import", log})};
  std::shared_ptr<EventLog> beside;
  const auto give_up = std::chrono::steady_clock::now() + kPatience;
  while (program.is_running() && std::chrono::steady_clock::now() < give_up) {
    if (!beside) beside = look_into(data);
    if (beside && records_in(*beside, "events") >= events) {
      disk.cut(CutMode::at_once);
      return true;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds{1});
  }
  return false;
}

TEST(TrackerPower, AnImportThroughPowerCutsEqualsOneWithout) {
  const SilentLog quiet;
  const std::uint64_t seed = test_seed(20261126);
  std::cout << "LUNGO_TEST_SEED=" << seed << "\n";
  Random random(seed);
  const TempDirectory directory;
  const std::string log = directory / "access.log";
  generate(log, seed);
  const std::string undisturbed = directory / "undisturbed";
  const boost::json::object expected = import_json(undisturbed, {log});
  const auto events = expected.at("events").to_number<std::int64_t>();

  Ext4Disk disk{512u << 20};
  disk.format("", "");
  const std::string data = disk.path() + "/data";
  begin_with_secret(data, undisturbed + "/tracker-secret");
  int inside = 0;
  for (int cut = 0; cut < kCuts; ++cut) {
    const std::int64_t slice = events / kCuts;
    const std::int64_t target = slice * cut + 1 + static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(slice)));
    if (!import_until(data, log, target, disk)) continue;
    disk.remount();
    // Between the look at the count and the cut the import may have ended.
    const std::shared_ptr<EventLog> found = look_into(data);
    if (found && records_in(*found, "events") < events) ++inside;
  }
  EXPECT_GE(inside, kCuts / 2) << "the cuts did not land inside of the import";

  boost::json::object summary = import_json(data, {log});
  summary["imports"] = expected.at("imports");
  EXPECT_EQ(summary, expected);
  for (const char* topic : {"events", "sessions", "failed-events"}) {
    EXPECT_TRUE(streams_of(data, topic) == streams_of(undisturbed, topic)) << topic;
  }
  expect_same_rows(rows_of(undisturbed), rows_of(data));
}

}  // namespace
}  // namespace lungo::test
