// The WebSockets of dashboards: which of them watches which view, and what a view's message goes to.
//
//   dashboard --{"type": "watch", ...}--> Watchers --watch--> StatsDesk --message of a view--> Watchers --> all who watch it
//
// One socket asks the desk for one view at a time: of what it wants meanwhile the last counts, so it takes no more than one of
// the desk's places. Threads: the web thread; what the desk calls on its own only posts.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

#include "http/exchange.hpp"
#include "web/stats_desk.hpp"

namespace tracker {

class Watchers {
 public:
  using Post = std::function<void(std::function<void()>)>;

  /// The desk must outlive it; `post` runs work on the web thread.
  Watchers(StatsDesk& desk, Post post);
  ~Watchers();
  Watchers(const Watchers&) = delete;
  Watchers& operator=(const Watchers&) = delete;

  /// A listener for a dashboard's socket; it must go before this does.
  std::unique_ptr<http::SocketListener> join(http::WebSocket& socket);
  /// Dashboards that watch something.
  [[nodiscard]] std::size_t size() const;

 private:
  struct Parts;
  class Dashboard;
  std::shared_ptr<Parts> parts_;
};

}  // namespace tracker
