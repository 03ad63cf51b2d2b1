// A tracker's door to the others on its log: a port of its own, which the public does not need to reach, where it takes appends
// to its partitions, and the way by which it sends them those to theirs.
//
// Threads: one at a time; a thread of its own serves and sends.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <lungo/framework/event_store.hpp>

#include "forward/http_forwarder.hpp"
#include "ingest/visitor_ids.hpp"

namespace tracker {

class ForwardSite {
 public:
  /// Listens at `at` (port 0: any free one), so that it can be told before the log is opened; who comes waits for start().
  /// Errors: as http::Server::listen().
  static lungo::Result<std::unique_ptr<ForwardSite>> open(const boost::asio::ip::tcp::endpoint& at,
                                                          ForwardTimeouts timeouts = {});
  /// Stops; what is on its way is answered `canceled`. Whatever appends by the store must have ended.
  ~ForwardSite();
  ForwardSite(const ForwardSite&) = delete;
  ForwardSite& operator=(const ForwardSite&) = delete;

  /// ADDRESS:PORT, for those who know the log's owners.
  [[nodiscard]] std::string endpoint() const;

  /// From now on takes appends to these topics, which have to be there, and sends those of `store`. Without a secret it does
  /// neither, and refuses. Once. Errors: as ForwardServer::take_appends().
  lungo::Result<void> start(lungo::EventStore& store, const std::vector<std::string>& topics,
                            const std::optional<Secret>& secret);

 private:
  struct Parts;
  explicit ForwardSite(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace tracker
