#include "web/metrics.hpp"

#include <prometheus/histogram.h>
#include <prometheus/metric_family.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <utility>
#include <vector>

namespace tracker {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

ClientMetric metric(MetricType type, double value, std::vector<ClientMetric::Label> labels = {}) {
  ClientMetric made;
  made.label = std::move(labels);
  (type == MetricType::Counter ? made.counter.value : made.gauge.value) = value;
  return made;
}

/// Counters are kept where things happen, in plain numbers; here they only get their names.
class Families {
 public:
  explicit Families(std::vector<MetricFamily>& all) : all_(all) {}

  template <class Number>
  void counter(const char* name, const char* help, Number value) {
    all_.push_back({name, help, MetricType::Counter, {metric(MetricType::Counter, static_cast<double>(value))}});
  }
  template <class Number>
  void gauge(const char* name, const char* help, Number value) {
    all_.push_back({name, help, MetricType::Gauge, {metric(MetricType::Gauge, static_cast<double>(value))}});
  }
  void add(const lungo::Metric& one) {
    const MetricType type = one.kind == lungo::MetricKind::counter ? MetricType::Counter : MetricType::Gauge;
    all_.push_back({std::string(one.name), std::string(one.help), type, {metric(type, static_cast<double>(one.value))}});
  }
  MetricFamily& family(const char* name, const char* help, MetricType type) {
    return all_.emplace_back(MetricFamily{name, help, type, {}});
  }

 private:
  std::vector<MetricFamily>& all_;
};

void add_server(Families& add, const Metrics::Sources& from) {
  add.counter("lungo_tracker_connections_total", "Connections accepted", from.server.connections);
  add.counter("lungo_tracker_connections_refused_total", "Connections turned away: too many, or no descriptor left",
              from.server.connections_refused);
  add.gauge("lungo_tracker_connections", "Connections open", from.connections);
  add.counter("lungo_tracker_requests_total", "HTTP requests read whole", from.server.requests);
  add.counter("lungo_tracker_requests_malformed_total", "Answered 400, 408, 413, 426 or 431 by the server itself",
              from.server.refused);
  add.gauge("lungo_tracker_sockets", "WebSockets open", from.server.sockets);
  add.gauge("lungo_tracker_dashboards", "Dashboards that watch a view", from.dashboards);
  add.counter("lungo_tracker_socket_messages_total", "WebSocket messages sent", from.server.messages_sent);
  add.counter("lungo_tracker_slow_readers_dropped_total", "WebSockets cut off because too much was unsent",
              from.server.slow_readers_dropped);
}

void add_intake(Families& add, const IntakeCounts& from) {
  add.counter("lungo_tracker_events_accepted_total", "Posted events that were made durable and answered 204", from.accepted);
  add.counter("lungo_tracker_events_repeated_total", "Of them, known by their id and not written again", from.repeated);
  add.counter("lungo_tracker_appends_total", "Appends that posted events shared", from.appends);
  add.gauge("lungo_tracker_requests_in_flight", "Requests whose events wait for the disk", from.in_flight);
  MetricFamily& dropped = add.family("lungo_tracker_requests_dropped_total",
                                     "Requests with events, by the step that dropped them", MetricType::Counter);
  for (const auto& [step, count] :
       {std::pair{"parse", from.bad}, {"host", from.wrong_host}, {"rate", from.over_rate}, {"append", from.refused}})
    dropped.metric.push_back(metric(MetricType::Counter, static_cast<double>(count), {{"step", step}}));
}

void add_read_models(Families& add, const Tracker& tracker) {
  MetricFamily& lag = add.family("lungo_projections_lag_events", "Committed events that a projection's rows do not hold yet",
                                 MetricType::Gauge);
  const std::vector<lungo::ProjectionStatus> all = tracker.projections();
  for (const lungo::ProjectionStatus& one : all)
    lag.metric.push_back(metric(MetricType::Gauge, static_cast<double>(one.lag), {{"projection", one.name}}));
  MetricFamily& failed =
      add.family("lungo_projections_failed", "1 for a projection that has stopped or waits", MetricType::Gauge);
  for (const lungo::ProjectionStatus& one : all)
    failed.metric.push_back(metric(MetricType::Gauge, one.error ? 1 : 0, {{"projection", one.name}}));
  const lungo::ProcessStatus sessions = tracker.sessions();
  add.gauge("lungo_process_lag_events", "Committed events that the sessions have not seen yet", sessions.lag());
  add.gauge("lungo_process_open_keys", "Sessions that are open", sessions.open_keys);
}

}  // namespace

struct Metrics::Parts {
  prometheus::Registry registry;
  prometheus::Histogram& answered =
      prometheus::BuildHistogram()
          .Name("lungo_tracker_event_answer_seconds")
          .Help("From a request of events to its 204, which follows the sync")
          .Register(registry)
          .Add({}, prometheus::Histogram::BucketBoundaries{0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 5});
};

Metrics::Metrics() : parts_(std::make_unique<Parts>()) {}
Metrics::~Metrics() = default;

void Metrics::event_answered(lungo::Duration after) { parts_->answered.Observe(std::chrono::duration<double>(after).count()); }

std::string Metrics::text(const Sources& sources) const {
  std::vector<MetricFamily> all = parts_->registry.Collect();
  Families add{all};
  add_server(add, sources);
  add_intake(add, sources.intake);
  add_read_models(add, sources.tracker);
  for (const lungo::Metric& one : sources.tracker.store().log().metrics()) add.add(one);
  return prometheus::TextSerializer{}.Serialize(all);
}

}  // namespace tracker
