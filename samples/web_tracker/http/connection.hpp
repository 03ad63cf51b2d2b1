// One connection of the server: requests one after the other, perhaps a WebSocket in the end.
//
//   wait for a byte -> header -> body -> application -> answer -+-> the next request, the close, or a WebSocket
//
// Threads: the server's.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <chrono>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "http/server.hpp"

namespace tracker::http {

/// A connection as the server sees it.
class OpenConnection {
 public:
  virtual ~OpenConnection() = default;
  /// Ends it in good order: at once when it is idle, behind what is being answered or sent otherwise.
  virtual void end() = 0;
  /// Since when it is idle, or its request comes.
  [[nodiscard]] virtual std::chrono::steady_clock::time_point waits_since() const = 0;
};

/// The way to the server's thread for those who may outlive the server.
class Door {
 public:
  explicit Door(boost::asio::io_context& context) : context_(&context) {}
  /// Runs `work` there; drops it when the server is gone.
  template <class Work>
  void post(Work&& work) {
    const std::lock_guard lock{mutex_};
    if (context_ != nullptr) boost::asio::post(*context_, std::forward<Work>(work));
  }
  void close() {
    const std::lock_guard lock{mutex_};
    context_ = nullptr;
  }

 private:
  std::mutex mutex_;
  boost::asio::io_context* context_;
};

/// Now, as HTTP writes it: "Sun, 06 Nov 1994 08:49:37 GMT". Made anew once a second.
class DateText {
 public:
  const std::string& text();

 private:
  std::chrono::sys_seconds made_{};
  std::string text_;
};

/// Connections that may be ended where another needs the room.
struct Endable {
  std::list<OpenConnection*> idle;     // longest first
  std::list<OpenConnection*> reading;  // those whose request has begun to come, longest first
};

/// What comes from one network (network_of) and is open.
struct Client {
  Endable endable;
  std::size_t open = 0;
  std::size_t turned_away = 0;  // of those
};

/// What the server and its connections share. Connections end before it does.
struct Shared {
  Shared(Application& served, Limits bounds) : application(served), limits(bounds) {}

  Application& application;
  const Limits limits;
  Counts counts;
  DateText date;
  bool closing = false;
  std::unordered_set<OpenConnection*> open;
  std::size_t turned_away = 0;  // of those: they are told so, and take nobody's place
  Endable endable;
  std::unordered_map<std::uint64_t, Client> clients;  // that have any
  boost::asio::io_context context{1};                 // goes first, and with it the coroutines that use the rest
  const std::shared_ptr<Door> door = std::make_shared<Door>(context);
};

/// Serves the connection from `peer` until it ends.
boost::asio::awaitable<void> serve(Shared& shared, boost::asio::ip::tcp::socket socket, boost::asio::ip::address peer);
/// Answers 503 with the reason, a constant of the program, and closes.
boost::asio::awaitable<void> turn_away(Shared& shared, boost::asio::ip::tcp::socket socket, boost::asio::ip::address peer,
                                       std::string_view why);

}  // namespace tracker::http
