// Calls handlers for the events of one or more topics: first all that are there, then each as it comes.
//
//   Subscription mails{store, "welcome-mails"};
//   mails.on<SignedUp>([&](const Envelope&, const SignedUp& e) { send_mail(e.address); });
//   mails.start();
//
// Promise: every event from the start position on reaches its handler at least once, in the order of its partition, until it is
// parked. The position is durable about once a second and at a clean stop, so the last second is handled again after a crash:
// a handler that must not do a thing twice keeps {topic, partition, offset} beside its effect. Where processes share the log
// (membership.hpp), each reads the partitions that it owns; when one goes to another process, that one goes on from the stored
// position.
// Threads: start() and stop() one at a time, catch_up() and the status from any thread; handlers run on the subscription's own
// activity, one at a time.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <lungo/framework/errors.hpp>
#include <lungo/framework/event_decoder.hpp>
#include <lungo/framework/event_store.hpp>

namespace lungo {

inline constexpr std::string_view kPositionsTopic = "__lungo_positions";

/// Where a reader without a stored position begins.
enum class StartFrom {
  beginning,
  end,  // the committed end at its first start, which is stored at once
};

struct SubscriptionOptions {
  std::vector<std::string> topics{"events"};
  StartFrom start_from = StartFrom::beginning;
  ErrorPolicy errors;
  Duration position_interval = std::chrono::seconds{1};
};

struct PartitionLag {
  TopicPartition partition;
  Offset next;  // the next event to handle
  Offset committed_end;
};

struct SubscriptionStatus {
  bool running = false;
  std::optional<Error> error;  // why it stopped by itself, or what it is trying again: also to write its positions
  std::int64_t handled = 0;    // since start()
  std::int64_t skipped = 0;    // events that no handler asked for
  std::int64_t parked = 0;
  std::int64_t missing = 0;              // offsets that were gone when they should have been read (trimmed)
  std::vector<PartitionLag> partitions;  // those that are read here
  /// Records not yet handled, over these partitions.
  [[nodiscard]] std::int64_t lag() const;
};

class Subscription {
 public:
  /// `name` is the key of its positions: two subscriptions of one name would share them.
  Subscription(EventStore store, std::string name, SubscriptionOptions options = {});
  /// Stops, if stop() was not called.
  ~Subscription();
  Subscription(const Subscription&) = delete;
  Subscription& operator=(const Subscription&) = delete;

  /// Adds a handler; before start() only. It may throw: the event is tried again, then parked or the subscription stops.
  template <class E>
  Subscription& on(std::function<void(const Envelope&, const E&)> handler);

  /// Loads the positions and begins, with the partitions that are this process's; others follow as they are opened. Errors:
  /// invalid_argument without a handler or when it runs already; not_found for a topic; position_diverged when the log was cut
  /// below a stored position (then what was handled may not be in the log any more); as EventLog::read() and
  /// Membership::join().
  Result<void> start();
  /// Lets the handler in progress return, writes the positions, and stops. Errors: timed_out; as EventLog::append(). The
  /// subscription is stopped in any case.
  Result<void> stop(Duration timeout = std::chrono::seconds{10});
  /// Waits until all that was committed when the call began is handled or parked; partitions that another process has are left
  /// to it, those that nobody has are waited for. Errors: timed_out, naming what lags; what stopped the subscription.
  Result<void> catch_up(Duration timeout);
  [[nodiscard]] SubscriptionStatus status() const;

 private:
  using Handler = std::function<void(const Envelope&, const void*)>;
  class Loop;
  EventDecoder& decoder();
  void set_handler(int type, Handler handler);

  std::unique_ptr<Loop> loop_;
};

template <class E>
Subscription& Subscription::on(std::function<void(const Envelope&, const E&)> handler) {
  set_handler(decoder().template add<E>(), [handler = std::move(handler)](const Envelope& envelope, const void* event) {
    handler(envelope, *static_cast<const E*>(event));
  });
  return *this;
}

}  // namespace lungo
