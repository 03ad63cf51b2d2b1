// What an answer of the web service promises, whatever happens: kill -9 under load, a full disk.
#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "tests/samples/small_disk.hpp"
#include "tests/samples/web_requests.hpp"

namespace lungo::test {
namespace {

std::vector<std::string> serving(const std::string& data) {
  return tracker_command(data, {"--port", "0", "--rate-limit", "0"});
}

/// Views per page, as the read models say.
std::map<std::string, std::int64_t> views_of(const std::string& data) {
  std::map<std::string, std::int64_t> views;
  sqlite3* database = nullptr;
  EXPECT_EQ(sqlite3_open_v2((data + "/views.db").c_str(), &database, SQLITE_OPEN_READONLY, nullptr), SQLITE_OK);
  sqlite3_stmt* statement = nullptr;
  EXPECT_EQ(sqlite3_prepare_v2(database, "select key, views from TopTargets", -1, &statement, nullptr), SQLITE_OK)
      << sqlite3_errmsg(database);
  while (statement != nullptr && sqlite3_step(statement) == SQLITE_ROW)
    views[reinterpret_cast<const char*>(sqlite3_column_text(statement, 0))] = sqlite3_column_int64(statement, 1);
  sqlite3_finalize(statement);
  sqlite3_close(database);
  return views;
}

// Goal: what was answered 2xx is there exactly once after any number of kills; what was not answered, at most once.
// Method: each event views a page of its own; clients post as fast as they can until the program is gone under them.
TEST(WebServiceKilled, EveryAnsweredEventIsCountedOnce) {
  constexpr int kKills = 20;
  constexpr int kClients = 8;
  const TempDirectory directory;
  const std::string data = directory / "data";
  std::mt19937 random{20261125};  // the seed
  std::mutex mutex;
  std::vector<std::string> answered;
  std::atomic<std::int64_t> sent{0};
  for (int kill = 0; kill < kKills; ++kill) {
    Program program{serving(data)};
    const std::uint16_t port = port_of(program);
    ASSERT_NE(port, 0) << program.err();
    std::vector<std::thread> clients;
    for (int client = 0; client < kClients; ++client) {
      clients.emplace_back([&, kill, client] {
        PlainClient web{port};
        for (int i = 0;; ++i) {
          const std::string page = "/" + std::to_string(kill) + "-" + std::to_string(client) + "-" + std::to_string(i);
          ++sent;
          const std::optional<PlainAnswer> answer = web.post_event(page_view(page));
          if (!answer) return;
          ASSERT_EQ(answer->status, 204) << answer->body;
          const std::lock_guard lock{mutex};
          answered.push_back(page);
        }
      });
    }
    std::this_thread::sleep_for(std::chrono::milliseconds{50 + random() % 500});  // of load, before the kill
    program.send(SIGKILL);
    EXPECT_EQ(program.wait(), 128 + SIGKILL);
    for (std::thread& client : clients) client.join();
  }
  EXPECT_GT(answered.size(), 1000U) << "too little load to mean anything";

  const Finished summed_up = run_tracker(data, {"--exit"});  // waits until all read models hold everything
  ASSERT_EQ(summed_up.status, 0) << summed_up.err;
  const std::map<std::string, std::int64_t> views = views_of(data);
  std::size_t missing = 0;
  for (const std::string& page : answered) missing += views.contains(page) ? 0 : 1;
  EXPECT_EQ(missing, 0U) << "of " << answered.size();
  for (const auto& [page, count] : views) EXPECT_EQ(count, 1) << page;
  EXPECT_LE(views.size(), static_cast<std::size_t>(sent));
}

TEST(WebServiceOnAFullDisk, AnswersWithTheReasonServesReadsAndGoesOnByItself) {
  const SmallDisk disk{"size=24m"};
  if (!disk.is_mounted()) GTEST_SKIP() << "needs the right to mount a small file system";
  Program program{serving(disk.data())};
  const std::uint16_t port = port_of(program);
  ASSERT_NE(port, 0) << program.err();
  PlainClient web{port};

  std::int64_t answered = 0;
  std::optional<PlainAnswer> refused;
  for (int i = 0; i < 200'000 && !refused; ++i) {
    std::string batch = "[";
    for (int j = 0; j < 20; ++j)
      batch += (j > 0 ? "," : "") + page_view("/" + std::to_string(i) + "/" + std::to_string(j) + std::string(1500, 'x'));
    const std::optional<PlainAnswer> answer = web.post_event(batch + "]");
    ASSERT_TRUE(answer) << program.err();
    if (answer->status == 204) {
      answered += 20;
    } else {
      refused = answer;
    }
  }
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->status, 503);
  EXPECT_NE(refused->body.find("the disk is full"), std::string::npos) << refused->body;
  EXPECT_EQ(refused->body.find(disk.data()), std::string::npos) << refused->body;
  EXPECT_NE(program.err().find(disk.data()), std::string::npos) << "where it is full is told to the operator only";
  EXPECT_NE(refused->retry_after, "");
  const auto status_of = [&web](const std::string& target) {
    const std::optional<PlainAnswer> answer = web.get(target);
    return answer ? answer->status : 0;
  };
  EXPECT_EQ(status_of("/api/stats?period=today"), 200);
  EXPECT_EQ(status_of("/api/topics"), 200);
  EXPECT_EQ(status_of("/"), 200);
  const std::optional<PlainAnswer> readiness = web.get("/readyz");
  ASSERT_TRUE(readiness);
  EXPECT_EQ(readiness->status, 503);
  EXPECT_NE(readiness->body.find("the disk is full"), std::string::npos) << readiness->body;
  EXPECT_EQ(readiness->body.find(disk.data()), std::string::npos) << readiness->body;
  EXPECT_EQ(status_of("/healthz"), 200);

  ASSERT_TRUE(disk.resize("size=400m"));
  EXPECT_TRUE(eventually([&] {
    const std::optional<PlainAnswer> answer = web.post_event(page_view("/again"));
    answered += answer && answer->status == 204 ? 1 : 0;
    return answer && answer->status == 204;
  })) << program.err();
  EXPECT_TRUE(eventually([&] { return status_of("/readyz") == 200; })) << web.get("/readyz")->body;
  program.send(SIGTERM);
  EXPECT_EQ(program.wait(), 0) << program.err();
  const std::shared_ptr<EventLog> log = look_into(disk.data());
  ASSERT_TRUE(log);
  EXPECT_GE(records_in(*log, "events"), answered);  // a batch that was refused may still have come to the disk
}

}  // namespace
}  // namespace lungo::test
