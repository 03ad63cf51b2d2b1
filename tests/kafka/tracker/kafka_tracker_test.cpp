// The web tracker with its events on a cluster: it sums up what it does on a log of its own.
#include <gtest/gtest.h>

#include <filesystem>

#include "tests/kafka/brokers.hpp"
#include "tests/samples/tracker_fixture.hpp"
#include "tests/samples/web_client.hpp"
#include "tests/samples/web_requests.hpp"
#include "tests/support/access_log_generator.hpp"
#include "tests/support/quiet_log.hpp"

namespace lungo::test {
namespace {

class KafkaTracker : public TrackerTest {
 protected:
  KafkaTracker() { forget_topics(); }
  ~KafkaTracker() override { forget_topics(); }

  /// They are called the same in each run.
  void forget_topics() {
    for (const char* topic : {"events", "sessions", "failed-events"}) {
      static_cast<void>(brokers.admin->delete_topic(topic, Brokers::kTimeout));
      const auto is_gone = [&] { return brokers.admin->topic(topic, Brokers::kTimeout).error() == Errc::not_found; };
      EXPECT_TRUE(eventually(is_gone)) << topic;
    }
  }
  [[nodiscard]] std::vector<std::string> on_kafka(std::vector<std::string> more) const {
    more.insert(more.begin(), {"--log", "kafka://" + kafka_address() + "/" + app});
    return more;
  }
  /// Of all that is there, without what this run has imported.
  static std::string summary(const std::string& data, const std::vector<std::string>& arguments) {
    const Finished done = run_tracker(data, arguments);
    EXPECT_EQ(done.status, 0) << done.err;
    boost::system::error_code error;
    boost::json::value value = boost::json::parse(done.out, error);
    EXPECT_FALSE(error) << done.out << done.err;
    if (value.is_object()) value.as_object().erase("imports");
    return boost::json::serialize(value);
  }
  /// Takes some page views, and ends in good order.
  static void serve(const std::string& data, const std::vector<std::string>& arguments) {
    Program program{tracker_command(data, arguments)};
    WebClient client{port_of(program)};
    for (int view = 0; view < 20; ++view) {
      const std::optional<Answer> answer = post(client, page_view("/page-" + std::to_string(view % 3)));
      ASSERT_TRUE(answer);
      EXPECT_EQ(answer->status, 204) << answer->body;
    }
    program.send(SIGTERM);
    EXPECT_EQ(program.wait(), 0) << program.err();
  }

  const QuietLog quiet;
  Brokers brokers;
  const std::string app = brokers.name("tracker");
};

TEST_F(KafkaTracker, ServesAndSumsUpAsEmbedded) {
  const std::string here = directory_ / "here";
  const std::string there = directory_ / "there";
  const std::string lines = generate_access_log({.lines = 3'000, .seed = 5, .visitors = 200});
  write(log(), std::string_view{lines}.substr(0, lines.size() / 2));
  const std::vector<std::string> import{"--exit", "--json", "--import", log()};
  const std::string first = summary(here, import);
  std::filesystem::create_directory(there);
  std::filesystem::copy_file(here + "/tracker-secret", there + "/tracker-secret");
  EXPECT_EQ(summary(there, on_kafka(import)), first);

  serve(here, {"--port", "0"});
  serve(there, on_kafka({"--port", "0"}));
  write(log(), lines);
  const std::string second = summary(here, import);
  EXPECT_EQ(summary(there, on_kafka(import)), second) << "the import has gone on where it was";
  EXPECT_EQ(summary(there, on_kafka(import)), second) << "and adds nothing when it is done";

  // Another machine has the secret and nothing else.
  const std::string another = directory_ / "another";
  std::filesystem::create_directory(another);
  std::filesystem::copy_file(here + "/tracker-secret", another + "/tracker-secret");
  EXPECT_EQ(summary(another, on_kafka({"--exit", "--json"})), second);
  const std::string without = directory_ / "without";
  const Finished refused = run_tracker(without, on_kafka(import));
  EXPECT_EQ(refused.status, 1);
  EXPECT_NE(refused.err.find("from the directory of another tracker on this log"), std::string::npos) << refused.err;
}

TEST_F(KafkaTracker, TheRealLogGivesTheSameSummaryAsEmbedded) {
  if (!std::filesystem::exists(shared_log())) GTEST_SKIP() << "no " << shared_log() << "; name one in LUNGO_ACCESS_LOG";
  const std::string here = directory_ / "here";
  const std::string there = directory_ / "there";
  const std::vector<std::string> import{"--exit", "--json", "--import", shared_log()};
  const std::string embedded = summary(here, import);
  std::filesystem::create_directory(there);
  std::filesystem::copy_file(here + "/tracker-secret", there + "/tracker-secret");
  EXPECT_EQ(summary(there, on_kafka(import)), embedded);
  EXPECT_GT(boost::json::parse(embedded).at("lines").to_number<std::int64_t>(), 1'000);
}

TEST_F(KafkaTracker, ACopyOfItsDirectoryGivesTheSameRowsThereAndBack) {
  const std::string here = directory_ / "here";
  const std::string lines = generate_access_log({.lines = 3'000, .seed = 6, .visitors = 200});
  write(log(), std::string_view{lines}.substr(0, lines.size() / 2));
  const std::vector<std::string> import{"--exit", "--json", "--import", log()};
  static_cast<void>(summary(here, import));
  const std::string address = "kafka://" + kafka_address() + "/" + app;
  const auto copy = [&](const std::string& from, const std::string& to) {
    const Finished copied = run(
        {std::string(LUNGO_PROGRAMS) + "/lungo-log", "copy", "--from", from, "--to", to, "--mirror", directory_ / "mirror"});
    EXPECT_EQ(copied.status, 0) << copied.err;
    EXPECT_NE(copied.out.find(", 4 checkpoints of processes; both sides were compared"), std::string::npos) << copied.out;
  };
  copy(here, address);
  write(log(), lines);
  const std::string all = summary(here, import);

  const std::string there = directory_ / "there";
  std::filesystem::create_directory(there);
  std::filesystem::copy_file(here + "/tracker-secret", there + "/tracker-secret");
  EXPECT_EQ(summary(there, on_kafka(import)), all) << "imports and sessions go on";
  const std::string back = directory_ / "back";
  copy(address, back);
  std::filesystem::copy_file(here + "/tracker-secret", back + "/tracker-secret");
  EXPECT_EQ(summary(back, import), all) << "nothing is imported again";
}

TEST_F(KafkaTracker, SaysWhatIsWrongWithTheLog) {
  const std::tuple<std::vector<std::string>, int, std::string> wrong[] = {
      {{"--log", "kafka://localhost"}, 2, "names no port"},
      {{"--log", "kafka:localhost:9092"}, 2, "does not begin with kafka://"},
      {{"--log", "kafka://ada:s3cr3t@localhost:9092"}, 2, "takes no login"},
      {{"--log", "kafka://127.0.0.1:1"}, 1, "no broker answers at 127.0.0.1:1"},
      {{"--log", "kafka://localhost:9092", "--kafka-config", directory_ / "nowhere"}, 1, "--kafka-config names"}};
  for (auto [arguments, status, answer] : wrong) {
    arguments.emplace_back("--exit");
    const Finished refused = run_tracker(data(), arguments);
    EXPECT_EQ(refused.status, status) << answer << refused.err;
    EXPECT_NE(refused.err.find(answer), std::string::npos) << refused.err;
    EXPECT_EQ(refused.err.find("s3cr3t"), std::string::npos) << refused.err;
  }
}

}  // namespace
}  // namespace lungo::test
