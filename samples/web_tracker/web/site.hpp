// The web service put together: server, intake, desk, and the threads they run on.
//
// Threads: start() and stop() belong to one thread; everything else may be called from any.
#pragma once

#include <boost/asio/ip/address.hpp>
#include <cstdint>
#include <memory>
#include <string>

#include <lungo/log/result.hpp>

#include "http/server.hpp"
#include "tracker.hpp"
#include "web/intake.hpp"

namespace tracker {

struct SiteOptions {
  boost::asio::ip::address bind;
  std::uint16_t port = 0;  // 0: any free one
  std::string password;    // empty: none, and then loopback only
  IntakeOptions intake;
  http::Limits limits;
  lungo::Duration update_interval = std::chrono::milliseconds{100};  // between two messages to a dashboard

  /// Errors: invalid_argument: an address that others can reach, without a password.
  [[nodiscard]] lungo::Result<void> check_guarded() const;
};

class Site {
 public:
  /// `tracker` must outlive it. Errors: locked: another program has the port; invalid_argument: an address of another machine,
  /// or one that others can reach, without a password; io.
  static lungo::Result<std::unique_ptr<Site>> start(Tracker& tracker, const SiteOptions& options);
  /// Stops, if stop() was not called.
  ~Site();
  Site(const Site&) = delete;
  Site& operator=(const Site&) = delete;

  /// Takes no more requests, answers those that are in progress, and ends within about 5 s.
  void stop();
  [[nodiscard]] std::string url() const;
  /// All posted events that came before this time are committed, or never will be.
  [[nodiscard]] lungo::Timestamp complete_until() const;

 private:
  struct Parts;
  explicit Site(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace tracker
