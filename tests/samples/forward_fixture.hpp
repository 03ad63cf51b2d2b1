// Two trackers' doors to each other, over logs in memory: one owns nothing, the other is the owner of all.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "event_appends.hpp"
#include "forward/forward_protocol.hpp"
#include "forward/forward_site.hpp"
#include "model/events.hpp"
#include "tests/samples/web_client.hpp"
#include "tests/support/memory_event_log.hpp"
#include "tests/support/temp_directory.hpp"

namespace lungo::test {

/// A log whose stream topics' partitions belong to whoever was named, all of them; to itself while that is nobody.
class OwnedLog final : public MemoryEventLog {
 public:
  using MemoryEventLog::MemoryEventLog;
  void give_to(const std::string& endpoint) { owner_->set(endpoint); }

  void append(AppendRequest request, Completion completion) override {
    const std::string owner = owner_->get();
    if (owner.empty() || !topic(request.to.topic)->spec.streams) return MemoryEventLog::append(std::move(request), completion);
    completion(Error{Errc::not_owner, to_string(request.to) + " is " + owner + "'s"});
  }
  std::shared_ptr<Membership> membership() override { return std::make_shared<Members>(owner_); }

 private:
  class Named {
   public:
    void set(const std::string& text) {
      const std::lock_guard lock{mutex_};
      text_ = text;
    }
    std::string get() {
      const std::lock_guard lock{mutex_};
      return text_;
    }

   private:
    std::mutex mutex_;
    std::string text_;
  };

  class Members final : public Membership {
   public:
    explicit Members(std::shared_ptr<Named> owner) : owner_(std::move(owner)) {}
    Result<Token> join(const std::vector<std::string>&, MembershipListener&) override { return Token{}; }
    Result<std::vector<TopicPartition>> mine() override { return std::vector<TopicPartition>{}; }
    Result<std::optional<Owner>> owner_of(const TopicPartition&) override {
      const std::string endpoint = owner_->get();
      return std::optional{Owner{.endpoint = endpoint, .is_me = endpoint.empty()}};
    }

   private:
    const std::shared_ptr<Named> owner_;
  };

  const std::shared_ptr<Named> owner_ = std::make_shared<Named>();
};

inline const std::vector<std::string> kTakenTopics{std::string(tracker::kEventsTopic), std::string(tracker::kFailedTopic)};
constexpr tracker::ForwardTimeouts kQuick{.connect = std::chrono::milliseconds{1'000},
                                          .answer = std::chrono::milliseconds{300}};

inline boost::asio::ip::tcp::endpoint any_port() { return {boost::asio::ip::address_v4::loopback(), 0}; }

/// One process: its log, its door, what it appends.
class ForwardingTracker {
 public:
  /// `owner`: see OwnedLog.
  explicit ForwardingTracker(const std::optional<tracker::Secret>& secret, const std::string& owner = {},
                             tracker::ForwardTimeouts timeouts = {}, boost::asio::ip::tcp::endpoint at = any_port()) {
    log->give_to(owner);
    for (const std::string& topic : kTakenTopics) store.stream_topic(topic, topic == tracker::kEventsTopic ? 4 : 1).value();
    site = tracker::ForwardSite::open(at, timeouts).value();
    site->start(store, kTakenTopics, secret).value();
    appends.emplace(store);
  }
  ~ForwardingTracker() { appends.reset(); }

  [[nodiscard]] std::uint16_t port() const { return tracker::endpoint_of(site->endpoint())->port(); }

  using Outcome = tracker::EventAppends::Commits;
  /// An event of `stream`.
  std::future<Outcome> begin(const std::string& stream, const std::string& id = {}) {
    EventBatch batch = store.batch(tracker::kEventsTopic).value();
    batch.add(stream, tracker::PageViewed{.host = "localhost", .target = "/"}, {.id = id}).value();
    auto promise = std::make_shared<std::promise<Outcome>>();
    appends->append(std::move(batch), [promise](const Outcome& outcome) { promise->set_value(outcome); });
    return promise->get_future();
  }
  std::string append(const std::string& stream, const std::string& id = {}) {
    const Outcome outcome = begin(stream, id).get();
    if (!outcome) return to_string(outcome.error());
    return outcome->front().repeated ? "repeated" : "written";
  }
  /// Sends bytes as they are.
  Result<Bytes> send(const std::string& endpoint, Bytes bytes) {
    std::promise<Result<Bytes>> promise;
    store.forwarder()->forward(endpoint, std::move(bytes),
                               [&promise](Result<Bytes> outcome) { promise.set_value(std::move(outcome)); });
    return promise.get_future().get();
  }
  [[nodiscard]] std::int64_t stored() {
    std::int64_t records = 0;
    for (std::int32_t id = 0; id < 4; ++id)
      records += log->ends({std::string(tracker::kEventsTopic), PartitionId{id}})->committed.value();
    return records;
  }

  PosixPorts posix;
  const std::shared_ptr<OwnedLog> log = std::make_shared<OwnedLog>(posix.ports());
  EventStore store{log};
  std::unique_ptr<tracker::ForwardSite> site;
  std::optional<tracker::EventAppends> appends;
};

class Forwarded : public ::testing::Test {
 protected:
  tracker::Secret secret_of(const std::string& name) {
    std::filesystem::create_directory(directory_ / name);
    PosixPorts posix;
    const Ports ports = posix.ports();
    return tracker::Secret::load_or_create(ports.storage, directory_ / name, ports.random).value();
  }

  const QuietLog quiet_;
  const TempDirectory directory_;
  const tracker::Secret secret_ = secret_of("a");
};

}  // namespace lungo::test
