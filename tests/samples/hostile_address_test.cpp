// Peers that are very many from one address: they meet its limit, and nobody else does.
#include <gtest/gtest.h>

#include <string>

#include "tests/samples/web_rows.hpp"

namespace lungo::test {
namespace {

constexpr const char* kFlooder = "127.0.0.2";
constexpr const char* kOther = "127.0.0.3";
const std::string kHalf = "GET /healthz HTTP/1.1\r\nHost: local";

tracker::SiteOptions limited(std::size_t each, std::size_t all) {
  tracker::SiteOptions options = unhurried();
  options.limits.connections_per_address_max = each;
  options.limits.loopback_is_limited = true;
  options.limits.connections_max = all;
  options.limits.patience = std::chrono::minutes{1};
  return options;
}

WebClient client_from(const WebSite& site, const char* address) {
  WebClient client;
  client.come_from(address);
  client.connect(site.port());
  return client;
}

std::optional<Answer> ask(WebClient& client) {
  client.send(http_request("GET", "/healthz"));
  return client.read();
}

TEST(HostileAddress, HalfRequestsOfOneKeepOutNobodyElse) {
  const WebSite site{limited(10, 40)};
  std::vector<WebClient> flood;
  for (int i = 0; i < 200; ++i) {
    flood.push_back(client_from(site, kFlooder));
    flood.back().send(kHalf);
    if (i % 10 != 0) continue;
    WebClient other = client_from(site, kOther);
    const std::optional<Answer> answer = ask(other);
    ASSERT_TRUE(answer) << "cut off after " << i;
    ASSERT_EQ(answer->status, 200) << "after " << i;
  }
  std::optional<Answer> refused;
  EXPECT_TRUE(eventually([&] {
    WebClient one_more = client_from(site, kFlooder);
    refused = ask(one_more);
    return refused && refused->status == 503;
  }));
  ASSERT_TRUE(refused);
  EXPECT_NE(refused->body.find("from one address"), std::string::npos) << refused->body;
  EXPECT_TRUE(refused->has("Retry-After"));
  expect_safe(*refused);
}

TEST(HostileAddress, ItsOwnLongestIdleMakesRoom) {
  const WebSite site{limited(10, 1000)};
  WebClient other = client_from(site, kOther);
  ASSERT_TRUE(ask(other));
  std::vector<WebClient> idle;
  for (int i = 0; i < 100; ++i) {
    idle.push_back(client_from(site, kFlooder));
    const std::optional<Answer> answer = ask(idle.back());
    ASSERT_TRUE(answer) << i;
    EXPECT_EQ(answer->status, 200);
  }
  for (std::size_t i = 0; i < 90; ++i) EXPECT_TRUE(idle[i].is_closed()) << i;
  EXPECT_TRUE(ask(idle.back())) << "the newest was ended";
  EXPECT_TRUE(ask(other)) << "somebody else's was ended, which was idle for longer";
}

// A reverse proxy on this machine brings everybody's requests.
TEST(HostileAddress, LoopbackIsFreeUnlessAskedFor) {
  tracker::SiteOptions options = limited(10, 1000);
  options.limits.loopback_is_limited = false;
  const WebSite site{options};
  std::vector<WebClient> idle;
  for (int i = 0; i < 100; ++i) {
    idle.push_back(site.client());
    ASSERT_TRUE(ask(idle.back())) << i;
  }
  for (WebClient& client : idle) EXPECT_TRUE(ask(client));
}

}  // namespace
}  // namespace lungo::test
