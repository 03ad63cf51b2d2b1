// /metrics: what an operator watches, in Prometheus's text format. Listed in docs/reference/metrics.md.
//
// Threads: the web thread.
#pragma once

#include <memory>
#include <string>

#include <lungo/log/types.hpp>

#include "http/server.hpp"
#include "tracker.hpp"
#include "web/intake.hpp"

namespace tracker {

class Metrics {
 public:
  Metrics();
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  /// A request of events was answered 204, so long after it came.
  void event_answered(lungo::Duration after);

  struct Sources {
    const http::Counts& server;
    std::size_t connections;
    const IntakeCounts& intake;
    std::size_t dashboards;
    const Tracker& tracker;
  };
  /// All metrics as of now.
  [[nodiscard]] std::string text(const Sources& sources) const;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace tracker
