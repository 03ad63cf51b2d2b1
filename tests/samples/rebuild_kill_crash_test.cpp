// kill -9 inside a rebuild of the tracker's projections: the live rows stay, and the same command goes on to equal ones.
#include <gtest/gtest.h>

#include <fstream>

#include "tests/samples/tracker_directory.hpp"
#include "tests/support/access_log_generator.hpp"

namespace lungo::test {
namespace {

constexpr std::uint64_t kLines = 1'000'000;
constexpr std::chrono::milliseconds kCommitsWithin{2500};  // a rebuild commits every 2 s

enum class Shadow { none, begun, committed };

// What `status` tells of a rebuild of the first projection that it lists.
Shadow shadow_in(const std::string& data) {
  const std::string status = run_tracker(data, {"replay", "status", "--json"}).out;
  const std::size_t shadow = status.find("\"rows\":\"unfinished rebuild\",\"lag\":");
  if (shadow == std::string::npos) return Shadow::none;
  return status.find("\"positions\":{\"0\":0,", shadow) < status.find('\n', shadow) ? Shadow::begun : Shadow::committed;
}

TEST(RebuildKill, KilledRebuildKeepsTheLiveRowsAndIsResumedToEqualOnes) {
  const TempDirectory directory;
  const std::string data = directory / "data";
  const std::string log = directory / "access.log";
  std::ofstream{log, std::ios::binary} << generate_access_log({.lines = kLines, .seed = 11});
  import_json(data, {log});
  const std::map<std::string, std::string> live = rows_of(data);

  const std::vector<std::string> rebuild = tracker_command(data, {"replay", "rebuild", "--json"});
  Program program{rebuild};
  bool committed = eventually([&] { return shadow_in(data) != Shadow::none; });
  // Halted until its next commit is due, so that it makes one soon, however fast the machine is.
  program.send(SIGSTOP);
  const auto due = std::chrono::steady_clock::now() + kCommitsWithin;
  committed = committed && eventually([&] { return std::chrono::steady_clock::now() > due; });
  program.send(SIGCONT);
  committed = committed && eventually([&] { return !program.is_running() || shadow_in(data) == Shadow::committed; });
  program.send(SIGKILL);
  ASSERT_TRUE(committed && program.wait() == 128 + SIGKILL) << "void: the kill came too late " << program.err();
  expect_same_rows(live, rows_of(data));

  const Finished resumed = run(rebuild);
  EXPECT_EQ(resumed.status, 0) << resumed.err;
  EXPECT_NE(resumed.out.find("\"resumed\":true"), std::string::npos) << resumed.out;
  expect_same_rows(live, rows_of(data));
}

}  // namespace
}  // namespace lungo::test
