// The program's command line: what it refuses before anything is made, and what it takes in another spelling.
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "tests/samples/tracker_fixture.hpp"
#include "tests/samples/web_client.hpp"

namespace lungo::test {
namespace {

class TrackerArguments : public TrackerTest {};

TEST_F(TrackerArguments, SitesAreTakenInAnyCase) {
  Program program{tracker_command(data(), {"--port", "0", "--site", "Shop.Example.COM"})};
  std::string url;
  ASSERT_TRUE(eventually([&] {
    const std::string said = program.err();
    const std::size_t end = said.find("/\n");
    if (end != said.npos) url = said.substr(0, end);
    return !url.empty() || !program.is_running();
  }));
  ASSERT_FALSE(url.empty()) << program.err();
  WebClient client{static_cast<std::uint16_t>(std::stoi(url.substr(url.rfind(':') + 1)))};
  client.send(post_event(R"({"name": "pageview", "url": "https://shop.example.com/"})"));
  const std::optional<Answer> answer = client.read();
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 204) << answer->body;
}

TEST_F(TrackerArguments, SitesThatNoPageCanHaveAreRefused) {
  for (const char* site : {"https://example.com", "example.com/", "example.com:8080", "example.com.", ""}) {
    const Finished done = run_tracker(data(), {"--exit", "--site", site});
    EXPECT_EQ(done.status, 2) << site;
    EXPECT_NE(done.err.find("--site"), std::string::npos) << site << ": " << done.err;
  }
}

TEST_F(TrackerArguments, ADirectoryOfTheLogIsThatOfTheData) {
  write(log(), std::string{kLine});
  const Finished one = run({LUNGO_WEB_TRACKER, "--no-web", "--log", data(), "--exit", "--import", log()});
  EXPECT_EQ(one.status, 0) << one.err;
  EXPECT_TRUE(std::filesystem::exists(data() + "/tracker-secret"));
  EXPECT_EQ(run_tracker(data(), {"--log", data(), "--exit"}).status, 0);
  const Finished two = run_tracker(data(), {"--log", directory_ / "other", "--exit"});
  EXPECT_EQ(two.status, 2);
  EXPECT_NE(two.err.find("--log and --data name two directories"), std::string::npos) << two.err;
  const Finished settings = run_tracker(data(), {"--kafka-config", "file", "--exit"});
  EXPECT_EQ(settings.status, 2);
  EXPECT_NE(settings.err.find("--log kafka://HOST:PORT"), std::string::npos) << settings.err;
}

TEST_F(TrackerArguments, EndpointIsWhereOthersReachThisMachine) {
  for (const char* endpoint : {"localhost:7070", "192.0.2.1", "0.0.0.0:7070", "[::]:7070", "192.0.2.1:70000", ":7070"}) {
    const Finished done = run_tracker(data(), {"--exit", "--log", "kafka://127.0.0.1:1", "--endpoint", endpoint});
    EXPECT_EQ(done.status, 2) << endpoint;
    EXPECT_NE(done.err.find("--endpoint takes the IP address"), std::string::npos) << endpoint << ": " << done.err;
  }
  const Finished here = run_tracker(data(), {"--exit", "--endpoint", "127.0.0.1:0"});
  EXPECT_EQ(here.status, 2);
  EXPECT_NE(here.err.find("--endpoint is for a log on Kafka"), std::string::npos) << here.err;
  const Finished elsewhere = run_tracker(data(), {"--exit", "--log", "kafka://127.0.0.1:1", "--endpoint", "192.0.2.1:7070"});
  EXPECT_EQ(elsewhere.status, 2);
  EXPECT_NE(elsewhere.err.find("--endpoint: 192.0.2.1 is no address of this machine"), std::string::npos) << elsewhere.err;
}

TEST_F(TrackerArguments, RateIsANumberThatCanBeReached) {
  for (const char* rate : {"nan", "inf", "-inf", "-1", "1e400", "1e10", "", "ten", "10x", "0x10"}) {
    const Finished done = run_tracker(data(), {"--exit", std::string{"--rate-limit="} + rate});
    EXPECT_EQ(done.status, 2) << rate;
    EXPECT_NE(done.err.find("--rate-limit"), std::string::npos) << rate << ": " << done.err;
    EXPECT_NE(done.err.find("a number of events a second"), std::string::npos) << rate << ": " << done.err;
    EXPECT_FALSE(std::filesystem::exists(data())) << rate;
  }
  const Finished taken = run_tracker(data(), {"--exit", "--rate-limit", "0.5"});
  EXPECT_NE(taken.err.find("nothing to do"), std::string::npos) << taken.err;
}

TEST_F(TrackerArguments, ConnectionsOfOneAddressAreANumber) {
  for (const char* number : {"-1", "nan", "", "ten", "1.5", "99999999999999999999"}) {
    const Finished done = run_tracker(data(), {"--exit", std::string{"--connections-per-address="} + number});
    EXPECT_EQ(done.status, 2) << number;
    EXPECT_NE(done.err.find("--connections-per-address"), std::string::npos) << number << ": " << done.err;
  }
}

TEST_F(TrackerArguments, AddressThatOthersCanReachWithoutAPasswordIsRefusedBeforeAnythingIsMade) {
  for (const char* address : {"0.0.0.0", "::", "192.0.2.1"}) {
    const Finished done = run_tracker(data(), {"--port", "0", "--bind", address});
    EXPECT_EQ(done.status, 2) << done.err;
    EXPECT_NE(done.err.find("--password-file"), std::string::npos) << done.err;
    EXPECT_FALSE(std::filesystem::exists(data())) << address;
  }
}

}  // namespace
}  // namespace lungo::test
