#include "event_appends.hpp"

#include <utility>

#include <lungo/log/check.hpp>

namespace tracker {
namespace {

/// As the log's own appends: a new owner is there in half of it.
constexpr lungo::Duration kTimeout = std::chrono::seconds{30};

}  // namespace

EventAppends::EventAppends(lungo::EventStore store) : store_(std::move(store)) {
  if (store_.forwarder()) forwarded_.emplace(store_);
}

void EventAppends::append(lungo::EventBatch batch, std::function<void(const Commits&)> done) {
  if (!forwarded_) return store_.append(std::move(batch), std::move(done));
  std::vector<lungo::AppendRequest> requests = lungo::EventStore::requests_of(std::move(batch));
  lungo::check(requests.size() == 1, "an append of events is one partition's");
  forwarded_->append(std::move(requests.front()), kTimeout,
                     [done = std::move(done)](const lungo::Result<lungo::Commit>& commit) {
                       done(commit ? Commits{std::vector{*commit}} : Commits{commit.error()});
                     });
}

}  // namespace tracker
