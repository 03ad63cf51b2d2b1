// Serves what other trackers on the same log send for the partitions that are this one's (forward_protocol.hpp).
//
// Promise: what has no seal changes nothing and costs a hash. One that has it is answered once, whatever its bytes are.
// Threads: the server's; answers come from the log's.
#pragma once

#include <memory>
#include <optional>

#include <lungo/framework/forward_server.hpp>

#include "http/exchange.hpp"
#include "ingest/visitor_ids.hpp"

namespace tracker {

class ForwardService final : public http::Application {
 public:
  /// Before the server's first step. Without a secret every request is refused.
  void connect(std::unique_ptr<lungo::ForwardServer> server, const std::optional<Secret>& secret);

  void handle(http::Request request, http::Responder respond) override;
  http::Upgrade upgrade(const http::Request& request, http::WebSocket& socket) override;
  http::Reply refuse(http::status code, std::string_view why) override;

 private:
  std::unique_ptr<lungo::ForwardServer> server_;
  std::optional<Secret> secret_;
};

}  // namespace tracker
