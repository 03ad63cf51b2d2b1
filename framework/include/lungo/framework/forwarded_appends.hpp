// Appends of event batches that go to the process which owns the partition: for those who append without a decider.
//
//   ForwardedAppends appends{store};                        // behind EventStore::forward_with()
//   for (AppendRequest& request : EventStore::requests_of(std::move(batch))) appends.append(std::move(request), 30s, done);
//
// Promise: each append is answered once. What this process owns is appended here, at once. Otherwise it is sent to the owner,
// and again while it surely was not written; where nobody knows, only if its first record has an id (`l.id`), which the owner
// looks for among the last 10,000 records that this process knew before the first try, and all since; so an id is known again
// as it is by AppendRequest without `since`. Those of a partition that go elsewhere keep their order. Threads: append() any;
// `done` runs on the log's threads or on one of its own, and must not block.
#pragma once

#include <functional>
#include <memory>

#include <lungo/framework/event_store.hpp>

namespace lungo {

class ForwardedAppends {
 public:
  using Done = std::function<void(Result<Commit>)>;

  explicit ForwardedAppends(EventStore store);
  /// Appends that wait for an owner or an answer are answered with `canceled`. Not from a `done`.
  ~ForwardedAppends();
  ForwardedAppends(const ForwardedAppends&) = delete;
  ForwardedAppends& operator=(const ForwardedAppends&) = delete;

  /// Errors: as EventLog::append() at the owner; not_owner, naming it, without a Forwarder; timed_out while nobody owns the
  /// partition or is reached, and at once where it was sent without an id and nobody knows what became of it; too_large; io
  /// when the system has no thread left.
  void append(AppendRequest request, Duration timeout, Done done);

 private:
  class Loop;
  std::unique_ptr<Loop> loop_;
};

}  // namespace lungo
