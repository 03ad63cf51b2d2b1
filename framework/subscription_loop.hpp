// The loop of one subscription: its partitions, the handlers' turns, and its positions.
//
// For subscription*.cpp: subscription.cpp has what is called from outside, subscription_owners.cpp what follows ownership,
// subscription_steps.cpp the handling of events.
//
// Stopped -> start() -> running -> stop() or an error -> stopped. While it runs, only step() touches the sources. One
// partition:
//
//   away --it is this process's--> entered --its position is loaded--> open: handlers are called
//     ^                               | is lost: no handler is called any more; closes: its position is stored first
//     +-------------------------------+
// Threads: as Subscription says.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <lungo/framework/partition_reader.hpp>
#include <lungo/framework/subscription.hpp>
#include <lungo/log/executor.hpp>

#include "owned_partitions.hpp"
#include "positions.hpp"
#include "waker.hpp"

namespace lungo {

class Subscription::Loop final : public Activity {
 public:
  Loop(EventStore its_store, std::string name, SubscriptionOptions options)
      : decoder(its_store.shapes()),
        store_(std::move(its_store)),
        reader_(std::move(name)),
        options_(std::move(options)),
        owned_(store_.log().ports()) {}

  Result<void> start();
  Result<void> stop(Duration timeout);
  Result<void> catch_up(Duration timeout);
  SubscriptionStatus status();

  Instant step(Instant now) override;
  [[nodiscard]] std::string_view name() const override { return "lungo-subscribe"; }

  EventDecoder decoder;
  std::vector<Handler> handlers;  // by type index

 private:
  /// One partition, whoever has it.
  struct Source {
    [[nodiscard]] const TopicPartition& name() const { return unit.front(); }
    [[nodiscard]] bool is_open() const { return reader.has_value(); }
    OwnedPartitions::Unit unit;
    TopicInfo topic;
    bool entered = false;
    bool closing = false;                   // it goes to another process
    std::optional<PartitionReader> reader;  // while it is open, as is all below
    Position done;                          // everything below it was handled, parked or skipped
    const Envelope* held = nullptr;         // the event in hand, while it is being tried again
    int failures = 0;
    std::optional<Error> error;  // what is being tried again
    Instant not_before{};
    EventLog::NotifyToken token;
  };
  /// What one attempt to go on came to.
  enum class Progress { more, at_end, later, failed };
  /// What became of the last write of positions.
  enum class Storing { done, in_flight, failed };
  struct LastWrite {
    std::atomic<Storing> storing{Storing::done};
    Error error;  // written before `failed`, read behind it
  };

  Result<void> take_partitions();
  void leave_partitions();
  Instant step_sources(Instant now);
  Progress follow_owners(Instant now);
  void enter_and_leave();
  Result<void> open_entered();
  Result<void> open(Source& source, const PositionMap& stored);
  void leave(Source& source);
  void leave_stored();
  Result<void> store_last_positions(Duration timeout);
  Progress advance(Source& source, Instant now);
  Progress handle(Source& source, Instant now);
  Progress give_up(Source& source, const Error& error, int attempts, Instant now);
  Progress read_failed(Source& source, const Error& error, Instant now);
  Progress try_later(Source& source, const Error& error, Instant now);
  void next_event(Source& source);
  Progress fail(Error error);
  void store_positions(Instant now);
  PositionMap positions() const;
  void publish();
  [[nodiscard]] Storing storing() const { return last_write_->storing.load(std::memory_order_acquire); }

  EventStore store_;
  const std::string reader_;
  const SubscriptionOptions options_;
  OwnedPartitions owned_;
  std::uint64_t seen_changes_ = 0;  // of owned_
  std::vector<Source> sources_;
  Instant next_open_{};  // when those that were entered are to be opened
  int open_failures_ = 0;
  std::optional<Error> open_error_;
  PositionMap stored_;
  Instant next_store_{};
  const std::shared_ptr<Waker> waker_ = std::make_shared<Waker>();
  const std::shared_ptr<LastWrite> last_write_ = std::make_shared<LastWrite>();
  bool is_unencodable_ = false;
  std::optional<Error> positions_error_;  // why they can't be written at present
  std::unique_ptr<RunningActivity> running_;
  SubscriptionStatus mine_;  // step()'s own; status_ is what others see
  std::mutex mutex_;
  // Under mutex_:
  SubscriptionStatus status_;
  std::vector<OwnedPartitions::Unit> units_;  // of all sources
};

}  // namespace lungo
