// What an answer of the web service promises, whatever happens: kill -9 under load, a full disk.
#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/samples/small_disk.hpp"
#include "tests/samples/tracker_directory.hpp"
#include "tests/samples/web_requests.hpp"

namespace lungo::test {
namespace {

using std::chrono::sys_days;

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

/// A request, and the page that each of its events views: one that no other event views.
struct Load {
  std::string body;
  std::vector<std::string> pages;
  bool has_ids = false;
  sys_days day{};  // of the first time it was sent: an id is of its day
};

sys_days today() { return std::chrono::floor<std::chrono::days>(std::chrono::system_clock::now()); }

/// By turns: one event, a batch, one with an id, a batch with ids.
Load load_of(const std::string& name, int turn) {
  Load load;
  load.has_ids = turn % 4 >= 2;
  load.day = today();
  const int events = turn % 2 == 0 ? 1 : 3;
  for (int i = 0; i < events; ++i) {
    load.pages.push_back("/" + name + "-" + std::to_string(turn) + "-" + std::to_string(i));
    load.body += (i > 0 ? "," : "") + page_view(load.pages.back(), load.has_ids ? load.pages.back() : "");
  }
  if (events > 1) load.body = "[" + load.body + "]";
  return load;
}

/// Posts until the server is gone under it. What has ids it remembers, and sends the last of those again to the next server:
/// the one that was not answered, and some that were.
class Poster {
 public:
  void run(std::uint16_t port, const std::string& name) {
    WebClient web{port};
    std::vector<Load> again = std::exchange(with_ids_, {});
    if (again.size() > kAgain) again.erase(again.begin(), again.end() - kAgain);
    for (Load& load : again) {
      if (load.day != today()) continue;
      ++repeated_;
      if (!send(web, std::move(load))) return;
    }
    for (int turn = 0;; ++turn) {
      Load load = load_of(name, turn);
      sent_ += load.pages.size();
      if (!send(web, std::move(load))) return;
    }
  }

  [[nodiscard]] const std::vector<std::string>& answered() const { return answered_; }
  [[nodiscard]] std::size_t sent() const { return sent_; }
  [[nodiscard]] std::size_t repeated() const { return repeated_; }

 private:
  static constexpr std::ptrdiff_t kAgain = 5;

  /// False: the server is gone.
  bool send(WebClient& web, Load load) {
    const std::optional<Answer> answer = post(web, load.body);
    if (answer && answer->status == 204) answered_.insert(answered_.end(), load.pages.begin(), load.pages.end());
    if (load.has_ids) with_ids_.push_back(std::move(load));
    EXPECT_EQ(answer ? answer->status : 204, 204) << answer->body;
    return answer && answer->status == 204;
  }

  std::vector<Load> with_ids_;
  std::vector<std::string> answered_;  // pages
  std::size_t sent_ = 0;               // events, those that were sent again only once
  std::size_t repeated_ = 0;           // requests
};

// Goal: what was answered 2xx is there exactly once after any number of kills, whether it came alone, in a batch, or twice with
// an id; what was not answered, at most once.
// Method: each event views a page of its own; clients post as fast as they can until the program is gone under them.
TEST(WebServiceKilled, EveryAnsweredEventIsCountedOnce) {
  constexpr int kKills = 20;
  const TempDirectory directory;
  const std::string data = directory / "data";
  std::mt19937 random{20261125};  // the seed
  std::vector<Poster> posters(8);
  for (int kill = 0; kill < kKills; ++kill) {
    Program program{serving(data)};
    const std::uint16_t port = port_of(program);
    ASSERT_NE(port, 0) << program.err();
    std::vector<std::thread> clients;
    for (std::size_t i = 0; i < posters.size(); ++i)
      clients.emplace_back([&, kill, i] { posters[i].run(port, std::to_string(kill) + "-" + std::to_string(i)); });
    std::this_thread::sleep_for(std::chrono::milliseconds{50 + random() % 500});  // of load, before the kill
    program.send(SIGKILL);
    EXPECT_EQ(program.wait(), 128 + SIGKILL);
    for (std::thread& client : clients) client.join();
  }

  const Finished summed_up = run_tracker(data, {"--exit"});  // waits until all read models hold everything
  ASSERT_EQ(summed_up.status, 0) << summed_up.err;
  const std::map<std::string, std::int64_t> views = views_of(data);
  std::size_t answered = 0;
  std::size_t missing = 0;
  std::size_t sent = 0;
  std::size_t repeated = 0;
  for (const Poster& poster : posters) {
    for (const std::string& page : poster.answered()) missing += views.contains(page) ? 0 : 1;
    answered += poster.answered().size();
    sent += poster.sent();
    repeated += poster.repeated();
  }
  EXPECT_GT(answered, 1000U) << "too little load to mean anything";
  EXPECT_GT(repeated, 100U);
  EXPECT_EQ(missing, 0U) << "of " << answered;
  for (const auto& [page, count] : views) EXPECT_EQ(count, 1) << page;
  EXPECT_LE(views.size(), sent);
}

TEST(WebServiceOnAFullDisk, AnswersWithTheReasonServesReadsAndGoesOnByItself) {
  const SmallDisk disk{"size=24m"};
  if (!disk.is_mounted()) GTEST_SKIP() << "needs the right to mount a small file system";
  Program program{serving(disk.data())};
  const std::uint16_t port = port_of(program);
  ASSERT_NE(port, 0) << program.err();
  WebClient web{port};

  std::int64_t answered = 0;
  std::optional<Answer> refused;
  for (int i = 0; i < 200'000 && !refused; ++i) {
    std::string batch = "[";
    for (int j = 0; j < 20; ++j)
      batch += (j > 0 ? "," : "") + page_view("/" + std::to_string(i) + "/" + std::to_string(j) + std::string(1500, 'x'));
    const std::optional<Answer> answer = post(web, batch + "]");
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
  EXPECT_TRUE(refused->has("Retry-After"));
  const auto status_of = [&web](const std::string& target) {
    const std::optional<Answer> answer = get(web, target);
    return answer ? answer->status : 0;
  };
  for (const char* target : {"/api/stats?period=today", "/api/topics", "/"}) {
    const std::optional<Answer> answer = get(web, target);
    ASSERT_TRUE(answer) << target;
    EXPECT_EQ(answer->status, 200) << target << ": " << answer->body << program.err();
  }
  const std::optional<Answer> readiness = get(web, "/readyz");
  ASSERT_TRUE(readiness);
  EXPECT_EQ(readiness->status, 503);
  EXPECT_NE(readiness->body.find("the disk is full"), std::string::npos) << readiness->body;
  EXPECT_EQ(readiness->body.find(disk.data()), std::string::npos) << readiness->body;
  EXPECT_EQ(status_of("/healthz"), 200);

  ASSERT_TRUE(disk.resize("size=400m"));
  EXPECT_TRUE(eventually([&] {
    const std::optional<Answer> answer = post(web, page_view("/again"));
    answered += answer && answer->status == 204 ? 1 : 0;
    return answer && answer->status == 204;
  })) << program.err();
  EXPECT_TRUE(eventually([&] { return status_of("/readyz") == 200; })) << get(web, "/readyz")->body;
  program.send(SIGTERM);
  EXPECT_EQ(program.wait(), 0) << program.err();
  const std::shared_ptr<EventLog> log = look_into(disk.data());
  ASSERT_TRUE(log);
  EXPECT_GE(records_in(*log, "events"), answered);  // a batch that was refused may still have come to the disk
}

}  // namespace
}  // namespace lungo::test
