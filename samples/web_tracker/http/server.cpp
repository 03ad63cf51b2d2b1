#include "http/server.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdio>
#include <utility>

#include <lungo/log/log_text.hpp>

#include "http/connection.hpp"
#include "http/peer_address.hpp"
#include "http/use_result.hpp"

namespace tracker::http {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using lungo::Errc;
using lungo::Error;
using lungo::Result;

constexpr std::chrono::milliseconds kStep{200};        // so long a step runs at most: what a stop may have to wait for
constexpr std::chrono::milliseconds kAcceptPause{20};  // when no descriptor is left
constexpr std::size_t kTurnedAwayMax = 64;             // at a time; others are cut off without a word
constexpr std::size_t kEndedForRoom = 16;              // idle connections, then: files need descriptors too

}  // namespace

const std::string& DateText::text() {
  const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
  if (now == made_) return text_;
  made_ = now;
  constexpr std::array<const char*, 7> kDays{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr std::array<const char*, 12> kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const auto day = std::chrono::floor<std::chrono::days>(now);
  const std::chrono::year_month_day date{day};
  const std::chrono::hh_mm_ss time{now - day};
  std::array<char, 64> text;
  const int size = std::snprintf(text.data(), text.size(), "%s, %02u %s %04d %02d:%02d:%02d GMT",
                                 kDays[std::chrono::weekday{day}.c_encoding()], static_cast<unsigned>(date.day()),
                                 kMonths[static_cast<unsigned>(date.month()) - 1], static_cast<int>(date.year()),
                                 static_cast<int>(time.hours().count()), static_cast<int>(time.minutes().count()),
                                 static_cast<int>(time.seconds().count()));
  text_.assign(text.data(), static_cast<std::size_t>(std::max(size, 0)));
  return text_;
}

struct Server::Parts {
  Parts(Application& application, Limits limits) : shared(application, limits), acceptor(shared.context) {}

  asio::awaitable<void> accept();
  void take(asio::ip::tcp::socket socket, asio::ip::address peer);
  /// False: all are busy.
  bool make_room(const Endable& among);
  void end_longest_idle(const Endable& among, std::size_t count);
  void close();

  std::function<void()> on_empty;
  Shared shared;
  asio::ip::tcp::acceptor acceptor;
  std::uint16_t port = 0;
  std::atomic<bool> is_empty{true};
};

asio::awaitable<void> Server::Parts::accept() {
  while (!shared.closing) {
    asio::ip::tcp::endpoint peer;
    auto [error, socket] = co_await acceptor.async_accept(peer, use_result);
    if (shared.closing) break;
    if (error) {  // no descriptor left, or the peer is gone already
      ++shared.counts.connections_refused;
      end_longest_idle(shared.endable, kEndedForRoom);
      asio::steady_timer pause{shared.context, kAcceptPause};
      co_await pause.async_wait(use_result);
      continue;
    }
    ++shared.counts.connections;
    take(std::move(socket), unmapped(peer.address()));
  }
}

/// One more than the limit: one that was idle for long makes room, or one whose request takes its time to come, so that neither
/// can keep others out. Whoever has as many as one address may have makes room by one of its own, so that no flood from there
/// meets anybody else.
void Server::Parts::take(asio::ip::tcp::socket socket, asio::ip::address peer) {
  const Limits& limits = shared.limits;
  const auto client = shared.clients.find(network_of(peer));
  const bool is_limited = limits.connections_per_address_max > 0 && (limits.loopback_is_limited || !peer.is_loopback());
  const bool has_its_share = is_limited && client != shared.clients.end() &&
                             client->second.open - client->second.turned_away >= limits.connections_per_address_max;
  const bool is_full = shared.open.size() - shared.turned_away >= limits.connections_max;
  const bool has_room = has_its_share ? make_room(client->second.endable) : !is_full || make_room(shared.endable);
  if (has_room) return asio::co_spawn(shared.context, serve(shared, std::move(socket), std::move(peer)), asio::detached);
  ++shared.counts.connections_refused;
  if (shared.turned_away >= kTurnedAwayMax) return;
  const std::string_view why = has_its_share ? "too many connections from one address" : "too many connections";
  asio::co_spawn(shared.context, turn_away(shared, std::move(socket), std::move(peer), why), asio::detached);
}

bool Server::Parts::make_room(const Endable& among) {
  if (!among.idle.empty()) {
    end_longest_idle(among, 1);
    return true;
  }
  if (among.reading.empty() || among.reading.front()->waits_since() + shared.limits.patience > std::chrono::steady_clock::now())
    return false;
  among.reading.front()->end();
  return true;
}

/// They leave the list when their reads return, not before.
void Server::Parts::end_longest_idle(const Endable& among, std::size_t count) {
  for (auto idle = among.idle.begin(); idle != among.idle.end() && count > 0; ++idle, --count) (*idle)->end();
}

void Server::Parts::close() {
  shared.closing = true;
  error_code ignored;
  acceptor.close(ignored);
  const auto open = shared.open;  // ending one may take it off the list
  for (OpenConnection* connection : open)
    if (shared.open.contains(connection)) connection->end();
}

Server::Server(Application& application, Limits limits) : parts_(std::make_unique<Parts>(application, limits)) {}

Server::~Server() { parts_->shared.door->close(); }

Result<void> Server::listen(const asio::ip::address& address, std::uint16_t port) {
  const asio::ip::tcp::endpoint endpoint{address, port};
  const std::string where =
      (address.is_v6() ? "[" + address.to_string() + "]" : address.to_string()) + ":" + std::to_string(port);
  error_code error;
  asio::ip::tcp::acceptor& acceptor = parts_->acceptor;
  acceptor.open(endpoint.protocol(), error);
  if (!error) acceptor.set_option(asio::socket_base::reuse_address{true}, error);
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (!error) parts_->port = acceptor.local_endpoint(error).port();
  if (error == asio::error::address_in_use)
    return Error{Errc::locked, where + " is used by another program; choose another port"};
  if (error == boost::system::errc::address_not_available)
    return Error{Errc::invalid_argument, address.to_string() + " is no address of this machine"};
  if (error) return Error{Errc::io, where + ": " + error.message()};
  parts_->is_empty = false;
  asio::co_spawn(parts_->shared.context, parts_->accept(), asio::detached);
  return {};
}

std::uint16_t Server::port() const { return parts_->port; }

void Server::close(std::function<void()> on_empty) {
  post([parts = parts_.get(), on_empty = std::move(on_empty)]() mutable {
    parts->on_empty = std::move(on_empty);
    parts->close();
  });
}

bool Server::is_empty() const { return parts_->is_empty; }

void Server::post(std::function<void()> work) { parts_->shared.door->post(std::move(work)); }

std::function<void(std::function<void()>)> Server::poster() const {
  return [door = parts_->shared.door](std::function<void()> work) { door->post(std::move(work)); };
}

const Counts& Server::counts() const { return parts_->shared.counts; }
std::size_t Server::open() const { return parts_->shared.open.size(); }

asio::io_context& Server::context() { return parts_->shared.context; }

lungo::Instant Server::step(lungo::Instant now) {
  Parts& parts = *parts_;
  parts.shared.context.restart();
  try {
    parts.shared.context.run_for(kStep);
  } catch (const std::exception& error) {
    lungo::log_text("web", lungo::Severity::error, std::string{"a request ended with "} + error.what());
  }
  if (!parts.shared.closing || !parts.shared.open.empty()) return now;
  parts.is_empty = true;
  if (parts.on_empty) std::exchange(parts.on_empty, nullptr)();
  return lungo::Instant::max();
}

}  // namespace tracker::http
