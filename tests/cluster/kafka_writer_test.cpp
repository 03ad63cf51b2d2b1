#include "client/kafka_writer.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <new>

#include "tests/cluster/mirror_model.hpp"
#include "tests/cluster/mock_cluster.hpp"
#include "tests/support/quiet_log.hpp"
#include "tests/support/records.hpp"

namespace lungo::test {
namespace {

using namespace std::chrono_literals;

class KafkaWriterTest : public testing::Test {
 protected:
  std::unique_ptr<KafkaWriter> start(KafkaWriter::MakeProducer make) {
    return KafkaWriter::start(
               {.transaction_timeout = 10s, .core = {}}, mirror, KafkaNames::of("shop").value(), std::move(make),
               [] { return std::vector<std::string>{}; },
               {.claimed = [this](const ownership::Claimed&) { is_told = true; },
                .let_gone = [this](const ownership::LetGone&) { is_told = true; },
                .committed = [](const writing::Committed&) {},
                .failed = [this] { ++failed; }},
               ports.ports())
        .value();
  }
  static ownership::Grant grant() {
    const auto tenure = std::make_shared<const ownership::Tenure>(ownership::Tenure{.number = 1, .metadata = "m", .note = "n"});
    return {.tenure = tenure, .partitions = {{kEvents, Offset{0}}}};
  }
  Error answer_of(KafkaWriter& writer) {
    std::promise<Result<Appended>> answer;
    writer.append(
        append_of(kPlain, "k", "v"), [&](Result<Appended> outcome) { answer.set_value(std::move(outcome)); },
        ports.ports().clock.monotonic() + 30s);
    return answer.get_future().get().error();
  }

  static inline const TopicPartition kEvents{"events", PartitionId{0}};
  static inline const TopicPartition kPlain{"positions", PartitionId{0}};
  QuietLog quiet;
  PosixPorts ports;
  MirrorModel mirror;
  std::atomic<bool> is_told = false;
  std::atomic<int> failed = 0;
};

// Whom it tells may go then: the call that is under way here would have told of what becomes of the grant.
TEST_F(KafkaWriterTest, TellsNobodyOnceItWasStopped) {
  bool has_begun = false;
  std::promise<void> begun;
  std::promise<void> released;
  std::shared_future<void> release = released.get_future().share();
  const auto writer = start([&]() -> Result<std::unique_ptr<RdkProducer>> {
    if (!std::exchange(has_begun, true)) begun.set_value();
    release.wait();
    return Error{Errc::io, "no broker"};
  });
  begun.get_future().wait();
  writer->tell(grant());
  writer->tell(ownership::LetGo{.tenure = 1, .deadline = ports.ports().clock.monotonic()});
  std::future<void> stopped = std::async(std::launch::async, [&] { writer->stop(); });
  EXPECT_EQ(stopped.wait_for(200ms), std::future_status::timeout) << "it waits for the call";
  released.set_value();
  stopped.get();
  is_told = false;
  writer->tell(ownership::LetGo{.tenure = 2, .deadline = {}});
  EXPECT_EQ(answer_of(*writer), Errc::closed);
  EXPECT_FALSE(is_told);
}

TEST_F(KafkaWriterTest, WithoutMemoryItEndsAndNobodyWaits) {
  std::promise<void> released;
  std::shared_future<void> release = released.get_future().share();
  const auto writer = start([release]() -> Result<std::unique_ptr<RdkProducer>> {
    release.wait();
    throw std::bad_alloc();
  });
  std::future<Error> waits = std::async(std::launch::async, [&] { return answer_of(*writer); });
  std::this_thread::sleep_for(50ms);  // until it waits, most times
  released.set_value();
  const Error error = waits.get();
  EXPECT_TRUE(error == Errc::timed_out || error == Errc::closed) << error;
  const Instant deadline = ports.ports().clock.monotonic() + 10s;
  ports.ports().executor.wait_until([this] { return failed == 1; }, deadline);
  EXPECT_EQ(answer_of(*writer), Errc::closed);
  writer->close(deadline);
  EXPECT_EQ(failed, 1) << "once";
}

}  // namespace
}  // namespace lungo::test
