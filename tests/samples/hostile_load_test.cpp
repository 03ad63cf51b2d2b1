// Peers that are slow, silent, or very many: each meets its limit, and those who behave are served all the while.
#include <gtest/gtest.h>
#include <malloc.h>
#include <sys/resource.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "tests/samples/web_rows.hpp"

namespace lungo::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

tracker::SiteOptions impatient() {
  tracker::SiteOptions options = unhurried();
  options.limits.header_timeout = milliseconds{300};
  options.limits.request_timeout = milliseconds{600};
  options.limits.idle_timeout = milliseconds{300};
  return options;
}

const std::string kHalfHeader = "GET /healthz HTTP/1.1\r\nHost: local";
const std::string kHalfBody = "POST /api/event HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n{\"name\":";

/// The number behind a metric's name.
double metric(const WebSite& site, const std::string& name) {
  const std::optional<Answer> answer = site.ask(get("/metrics"));
  if (!answer) return -1;
  const std::size_t at = answer->body.find("\n" + name + " ");
  return at == std::string::npos ? -1 : std::stod(answer->body.substr(at + name.size() + 2));
}
/// Only the asker's own connection is left.
bool is_alone(const WebSite& site) { return metric(site, "lungo_tracker_connections") == 1; }

TEST(HostileLoad, HalfARequestAndSilence) {
  const WebSite site{impatient()};
  for (const auto& [name, bytes] :
       {std::pair{"half a header", kHalfHeader},
        {"one byte", std::string{"G"}},
        {"half a body", kHalfBody},
        {"half a chunk",
         kHalfBody.substr(0, 0) + "POST /api/event HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n{"},
        {"a body that is expected", std::string{"POST /api/event HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n"}}}) {
    SCOPED_TRACE(name);
    WebClient client = site.client();
    client.send(bytes);
    const std::optional<Answer> answer = client.read();
    ASSERT_TRUE(answer) << "closed without a word";
    EXPECT_EQ(answer->status, 408);
    EXPECT_EQ((*answer)["Connection"], "close");
    expect_safe(*answer);
    EXPECT_TRUE(client.is_closed());
  }
  WebClient second = site.client();
  second.send(get() + kHalfHeader);
  for (const int status : {200, 408}) {
    const std::optional<Answer> answer = second.read();
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->status, status);
  }
  EXPECT_TRUE(eventually([&] { return is_alone(site); }));
}

/// Sends byte after byte until an answer comes; so long that took.
milliseconds drip(WebClient& client, std::string_view first, std::string_view drop) {
  const auto begun = steady_clock::now();
  client.send(first);
  while (!client.has_answer_within(milliseconds{20}) && steady_clock::now() - begun < WebClient::kPatience) client.send(drop);
  return std::chrono::duration_cast<milliseconds>(steady_clock::now() - begun);
}

TEST(HostileLoad, DripsAreCutAtTheirWholeTime) {
  const WebSite site{impatient()};
  for (const auto& [name, first, drop] : {std::tuple{"a header", std::string{"GET / HTTP/1.1\r\nX: "}, "x"},
                                          {"fields of a header", std::string{"GET / HTTP/1.1\r\n"}, "X:x\r\n"},
                                          {"a body", kHalfBody, " "}}) {
    SCOPED_TRACE(name);
    WebClient client = site.client();
    const milliseconds took = drip(client, first, drop);
    EXPECT_GE(took, milliseconds{290});
    EXPECT_LT(took, milliseconds{10'000});
    const std::optional<Answer> answer = client.read();
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->status, 408);
  }
}

TEST(HostileLoad, IdleConnectionsAreClosedWithoutAWord) {
  const WebSite site{impatient()};
  WebClient silent = site.client();
  EXPECT_TRUE(silent.is_closed());
  WebClient kept = site.client();
  kept.send(get());
  EXPECT_TRUE(kept.read());
  EXPECT_TRUE(kept.is_closed());
}

TEST(HostileLoad, AnswersThatNobodyTakesAreGivenUp) {
  const WebSite site{impatient()};
  WebClient client;
  client.read_little();
  client.connect(site.port());
  client.send(repeated(get("/assets/chart.js"), 1000), milliseconds{500});
  EXPECT_TRUE(eventually([&] { return is_alone(site); }));
  EXPECT_LT(metric(site, "lungo_tracker_requests_total"), 500) << "they were taken after all";
}

TEST(HostileLoad, TheLongestIdleMakesRoomAndBusyOnesStay) {
  tracker::SiteOptions options = unhurried();
  options.limits.connections_max = 20;
  const WebSite site{options};
  std::vector<WebClient> busy;
  for (int i = 0; i < 5; ++i) {
    busy.push_back(site.client());
    busy.back().send(kHalfHeader);
  }
  std::vector<WebClient> idle;
  for (int i = 0; i < 300; ++i) {
    idle.push_back(site.client());
    idle.back().send(get());
    const std::optional<Answer> answer = idle.back().read();
    ASSERT_TRUE(answer) << i;
    EXPECT_EQ(answer->status, 200);
  }
  EXPECT_LE(metric(site, "lungo_tracker_connections"), 20);
  for (std::size_t i = 0; i < 280; ++i) EXPECT_TRUE(idle[i].is_closed()) << i;
  idle.back().send(get());
  EXPECT_TRUE(idle.back().read()) << "the newest was ended";
  for (WebClient& one : busy) {
    one.send("host\r\n\r\n");
    const std::optional<Answer> answer = one.read();
    ASSERT_TRUE(answer) << "a busy one was ended";
    EXPECT_EQ(answer->status, 200);
  }
}

TEST(HostileLoad, RequestsThatTakeTheirTimeMakeRoom) {
  tracker::SiteOptions options = unhurried();
  options.limits.connections_max = 10;
  options.limits.patience = milliseconds{100};
  const WebSite site{options};
  std::vector<WebClient> slow;
  for (int i = 0; i < 10; ++i) {
    slow.push_back(site.client());
    slow.back().send(kHalfHeader);
  }
  EXPECT_TRUE(eventually([&] { return site.status_of(post_event("{}")) == 400; })) << "half a header keeps everybody out";
}

TEST(HostileLoad, WhereAllAreBusyNewOnesAreTurnedAway) {
  tracker::SiteOptions options = unhurried();
  options.limits.connections_max = 10;
  options.limits.patience = std::chrono::minutes{1};
  const WebSite site{options};
  std::vector<WebClient> busy;
  for (int i = 0; i < 10; ++i) {
    busy.push_back(site.client());
    busy.back().send(kHalfHeader);
  }
  // Until the last of them has begun its request, it is idle and makes room.
  ASSERT_TRUE(eventually([&] { return site.status_of(get()) == 503; }));
  for (int i = 0; i < 200; ++i)
    expect_row(site, {"one more", post_event("{}"), 503, {"Retry-After: ", "too many connections"}});
  std::size_t answered = 0;
  for (WebClient& one : busy) {
    one.send("host\r\n\r\n");
    const std::optional<Answer> answer = one.read();
    answered += answer && answer->status == 200 ? 1 : 0;
  }
  EXPECT_GE(answered, 9U);
  EXPECT_EQ(site.status_of(get()), 200);
}

std::size_t descriptors(std::string_view of = {}) {
  std::size_t count = 0;
  std::error_code gone;
  for (const auto& entry : std::filesystem::directory_iterator{"/proc/self/fd"})
    count += std::filesystem::read_symlink(entry, gone).native().starts_with(of) ? 1 : 0;
  return count;
}

/// The log opens files when it likes.
std::size_t sockets() { return descriptors("socket:"); }

/// This process's memory that is in use; what was freed is given back first.
std::size_t resident_bytes() {
  ::malloc_trim(0);
  std::size_t size = 0;
  std::size_t resident = 0;
  std::ifstream{"/proc/self/statm"} >> size >> resident;
  return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

/// Lets this process have so many descriptors, as long as it lives.
class DescriptorLimit {
 public:
  explicit DescriptorLimit(rlim_t wanted) {
    ::getrlimit(RLIMIT_NOFILE, &before_);
    rlimit limit = before_;
    limit.rlim_cur = std::min(wanted, before_.rlim_max);
    ::setrlimit(RLIMIT_NOFILE, &limit);
  }
  ~DescriptorLimit() { ::setrlimit(RLIMIT_NOFILE, &before_); }
  DescriptorLimit(const DescriptorLimit&) = delete;
  DescriptorLimit& operator=(const DescriptorLimit&) = delete;

 private:
  rlimit before_{};
};

TEST(HostileLoad, FiveThousandIdleConnectionsCostLittle) {
  constexpr std::size_t kIdle = 5000;
  const DescriptorLimit enough{12'000};
  const WebSite site{unhurried()};
  ASSERT_TRUE(site.ask(get()));
  const std::size_t sockets_before = sockets();
  const std::size_t bytes_before = resident_bytes();
  {
    std::vector<WebClient> idle;
    for (std::size_t i = 0; i < kIdle; ++i) {
      WebClient client;
      ASSERT_TRUE(client.connect(site.port())) << i << ": " << std::strerror(errno);
      if (i % 3 == 1) client.send(kHalfHeader);
      if (i % 3 == 2) client.send(get());
      idle.push_back(std::move(client));
    }
    ASSERT_TRUE(eventually([&] { return metric(site, "lungo_tracker_connections") == kIdle + 1; }));
    WebClient good = site.client();
    milliseconds longest{0};
    for (int i = 0; i < 100; ++i) {
      const auto begun = steady_clock::now();
      good.send(post_event(R"({"name":"pageview","url":"https://example.com/"})"));
      const std::optional<Answer> answer = good.read();
      ASSERT_TRUE(answer);
      EXPECT_EQ(answer->status, 204);
      longest = std::max(longest, std::chrono::ceil<milliseconds>(steady_clock::now() - begun));
    }
    EXPECT_LT(longest, milliseconds{5'000});
    const std::size_t grown = resident_bytes() - std::min(resident_bytes(), bytes_before);
    RecordProperty("bytes_each", static_cast<int>(grown / kIdle));
    std::cout << "an idle connection takes " << grown / kIdle << " bytes of both ends, the slowest of 100 events "
              << longest.count() << " ms\n";
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
    constexpr std::size_t kBytesEach =
        60'000;  // they keep a shadow of everything, or what was freed: of each look at the metrics, too
#else
    constexpr std::size_t kBytesEach = 24'000;
#endif
    EXPECT_LT(grown, kIdle * kBytesEach);
  }
  EXPECT_TRUE(eventually([&] { return is_alone(site); }));
  EXPECT_TRUE(eventually([&] { return sockets() <= sockets_before; })) << sockets() << ", before " << sockets_before;
}

TEST(HostileLoad, WithoutDescriptorsTheLongestIdleMakesRoom) {
  const WebSite site{unhurried()};
  ASSERT_TRUE(site.ask(get()));
  std::vector<WebClient> idle(100);
  std::vector<WebClient> late(10);
  const DescriptorLimit few{descriptors() + 50};
  for (WebClient& client : idle) client.connect(site.port());
  for (WebClient& client : late) {
    client.connect(site.port());
    client.send(get());
    const std::optional<Answer> answer = client.read();
    ASSERT_TRUE(answer) << "idle ones keep it out";
    EXPECT_EQ(answer->status, 200);
  }
}

TEST(HostileLoad, ManyWhoComeAndGoLeaveNothingBehind) {
  const WebSite site{unhurried()};
  ASSERT_TRUE(site.ask(get()));
  const std::size_t before = sockets();
  for (int i = 0; i < 2000; ++i) {
    WebClient client = site.client();
    if (i % 4 == 1) client.send(kHalfBody);
    if (i % 4 == 2) client.send(std::string(20'000, 'a'));
    if (i % 4 == 3) client.send(repeated(get("/demo/"), 20));
  }
  EXPECT_TRUE(eventually([&] { return is_alone(site); }));
  EXPECT_TRUE(eventually([&] { return sockets() <= before; }));
}

TEST(HostileLoad, StopOfAnIdleServiceTakesNoTime) {
  WebSite site{unhurried()};
  WebClient idle = site.client();
  idle.send(get());
  ASSERT_TRUE(idle.read());
  const auto begun = steady_clock::now();
  site.site().stop();
  EXPECT_LT(steady_clock::now() - begun, milliseconds{900}) << "it waits for a time-out, or for somebody else's news";
  EXPECT_TRUE(idle.is_closed());
}

TEST(HostileLoad, StopWaitsForNoHalfRequests) {
  auto site = std::make_optional<WebSite>(unhurried());
  std::vector<WebClient> clients;
  for (const std::string& half : {kHalfHeader, kHalfBody}) {
    clients.push_back(site->client());
    clients.back().send(half);
  }
  EXPECT_TRUE(eventually([&] { return metric(*site, "lungo_tracker_connections") == 3; }));
  const auto begun = steady_clock::now();
  site.reset();
  EXPECT_LT(steady_clock::now() - begun, std::chrono::seconds{3});
}

TEST(HostileLoad, StopWaitsForNobodyWhoIsSlow) {
  std::vector<WebClient> clients;
  const auto begun = steady_clock::now();
  {
    const WebSite site{unhurried()};
    for (int i = 0; i < 30; ++i) {
      clients.push_back(site.client());
      if (i % 3 == 1) clients.back().send(kHalfHeader);
      if (i % 3 == 2) {
        clients.back().send(handshake());
        EXPECT_TRUE(clients.back().read());
      }
    }
    EXPECT_TRUE(eventually([&] { return metric(site, "lungo_tracker_sockets") == 10; }));
  }
  EXPECT_LT(steady_clock::now() - begun, std::chrono::seconds{20});
  for (std::size_t i = 2; i < clients.size(); i += 3) {
    const std::optional<Frame> goodbye = read_frame(clients[i]);
    ASSERT_TRUE(goodbye);
    EXPECT_EQ(goodbye->close_code(), 1001);
  }
}

}  // namespace
}  // namespace lungo::test
