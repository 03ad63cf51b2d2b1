// The main promise over the real program: nothing lost, nothing twice, and replay is the truth. Two million lines; kill -9 at
// twenty moments, chosen by how many events are in the log.
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "tests/samples/tracker_directory.hpp"
#include "tests/support/access_log_generator.hpp"
#include "tests/support/random.hpp"
#include "tracker.hpp"

namespace lungo::test {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kLines = 2'000'000;
constexpr int kKills = 20;

// Made once for all tests of this file, at the first use, since each takes its time.
class Logs : public ::testing::Environment {
 public:
  void TearDown() override { directory_.reset(); }
  [[nodiscard]] std::string path() {
    const std::string path = *directory_ / "access.log";
    if (!fs::exists(path)) generate(path);
    return path;
  }
  [[nodiscard]] std::string undisturbed() const { return *directory_ / "undisturbed"; }
  [[nodiscard]] std::uint64_t seed() const { return seed_; }

  /// The directory of one import without any disturbance; made at the first call.
  const boost::json::object& undisturbed_import() {
    if (summary_.empty()) summary_ = import_json(undisturbed(), {path()});
    return summary_;
  }

 private:
  void generate(const std::string& path) const {
    AccessLogGenerator generator{{.lines = kLines, .seed = seed_, .days = 12, .visitors = 120'000, .urls = 40'000}};
    std::ofstream file{path, std::ios::binary};
    std::string block;
    for (bool more = true; more; block.clear()) {
      while (block.size() < (1u << 20) && (more = generator.next(block))) {
      }
      file << block;
    }
  }

  std::unique_ptr<TempDirectory> directory_ = std::make_unique<TempDirectory>();
  boost::json::object summary_;
  std::uint64_t seed_ = test_seed(20'240'301);
};

Logs& logs() {
  static Logs* const all = static_cast<Logs*>(::testing::AddGlobalTestEnvironment(new Logs));
  return *all;
}
[[maybe_unused]] const Logs& registered = logs();

std::int64_t events_in(const std::string& data) {
  const std::shared_ptr<EventLog> log = look_into(data);
  return log ? records_in(*log, "events") : 0;
}

// Lets the import run until `target` events are committed, then kills it. False when it ended before.
bool kill_at(const std::string& data, std::int64_t target) {
  Program program{tracker_command(data, {"--exit", "--import", logs().path()})};
  std::shared_ptr<EventLog> beside;
  while (program.is_running()) {
    if (!beside) beside = look_into(data);
    if (beside && records_in(*beside, "events") >= target) {
      program.send(SIGKILL);
      program.wait();
      return true;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds{2});
  }
  return false;
}

TEST(WebTrackerCrash, LogOfTwoMillionLinesEqualsTheShellPipeline) {
  EXPECT_EQ(as_shell_prints(logs().undisturbed_import()), shell_summary({logs().path()}));
}

TEST(WebTrackerCrash, SecondImportOfTwoMillionLinesAddsNothing) {
  const boost::json::object first = logs().undisturbed_import();
  const std::string data = logs().undisturbed();
  EXPECT_GE(first.at("lines").to_number<std::uint64_t>(), kLines);
  const auto records = [&data] {
    const std::shared_ptr<EventLog> log = look_into(data);
    std::map<std::string, std::int64_t> found;
    for (const char* topic : {"events", "sessions", "failed-events"}) found[topic] = records_in(*log, topic);
    return found;
  };
  const std::map<std::string, std::int64_t> records_before = records();
  const std::map<std::string, std::string> rows_before = rows_of(data);
  EXPECT_EQ(records_before.at("events"), first.at("events").to_number<std::int64_t>());

  boost::json::object second = import_json(data, {logs().path()});
  const boost::json::object& report = second.at("imports").at(0).as_object();
  EXPECT_EQ(report.at("lines"), 0);
  EXPECT_EQ(report.at("events"), 0);
  EXPECT_TRUE(report.at("drops").as_object().empty());
  second["imports"] = first.at("imports");
  EXPECT_EQ(second, first);
  EXPECT_EQ(records(), records_before);
  expect_same_rows(rows_before, rows_of(data));
}

TEST(WebTrackerCrash, TwentyKillsLoseNothingAndRepeatNothing) {
  SCOPED_TRACE(logs().seed());
  const boost::json::object undisturbed = logs().undisturbed_import();
  const std::int64_t events = undisturbed.at("events").to_number<std::int64_t>();
  TempDirectory directory;
  const std::string data = directory / "data";
  fs::create_directory(data);
  fs::copy(logs().undisturbed() + "/tracker-secret", data + "/tracker-secret");  // or visitors would have other ids

  Random random{logs().seed()};
  int inside = 0;
  for (int kill = 0; kill < kKills; ++kill) {
    // One in each twentieth of the import, anywhere in it.
    const std::int64_t slice = events / kKills;
    const std::int64_t target = slice * kill + 1 + static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(slice)));
    if (!kill_at(data, target)) continue;
    const std::int64_t at = events_in(data);
    inside += at > 0 && at < events ? 1 : 0;
  }
  ASSERT_GE(inside, 15) << "the kills did not land inside of the import";

  boost::json::object summary = import_json(data, {logs().path()});
  summary["imports"] = undisturbed.at("imports");
  EXPECT_EQ(summary, undisturbed);
  for (const char* topic : {"events", "sessions", "failed-events"}) {
    EXPECT_TRUE(streams_of(data, topic) == streams_of(logs().undisturbed(), topic)) << topic;
  }
  const std::map<std::string, std::string> rows = rows_of(logs().undisturbed());
  expect_same_rows(rows, rows_of(data));
  rebuild_by_replay(data);
  expect_same_rows(rows, rows_of(data));
}

// Makes all rows anew, in this process.
Result<RebuildReport> rebuild(const std::string& data, std::function<bool(const RebuildProgress&)> progress) {
  EventStore store{open_local(data).value()};
  Engine engine{store, sqlite("views.db")};
  const tracker::AddedProjections projections{engine};
  Result<void> started = engine.start();
  if (!started) return started.error();
  RebuildOptions options;
  options.progress = std::move(progress);
  return engine.rebuild(options);
}

TEST(WebTrackerCrash, RebuildEqualsTheLiveRowsAlsoWhenItWasKilledHalfWay) {
  logs().undisturbed_import();
  const std::string data = logs().undisturbed();
  const std::map<std::string, std::string> live = rows_of(data);
  ASSERT_GE(live.size(), 15U);

  ASSERT_TRUE(rebuild(data, {}));
  expect_same_rows(live, rows_of(data));

  for (const std::uint64_t percent : {20, 60}) {
    const pid_t child = ::fork();
    if (child == 0) {
      static_cast<void>(rebuild(data, [percent](const RebuildProgress& progress) {
        if (progress.events * 100 >= progress.total * percent) ::raise(SIGKILL);
        return true;
      }));
      ::_exit(0);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFSIGNALED(status)) << "the rebuild was over before it was killed";
    expect_same_rows(live, rows_of(data));
  }
  const Result<RebuildReport> resumed = rebuild(data, {});
  ASSERT_TRUE(resumed) << resumed.error();
  EXPECT_TRUE(resumed->resumed);
  expect_same_rows(live, rows_of(data));
}

}  // namespace
}  // namespace lungo::test
