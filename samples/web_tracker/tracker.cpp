#include "tracker.hpp"

#include <lungo/log/check.hpp>

namespace tracker {
namespace {

using lungo::Errc;
using lungo::Error;
using lungo::Result;

constexpr std::int32_t kPartitions = 4;
constexpr lungo::Duration kOwnersTimeout = std::chrono::seconds{30};
const std::vector<std::string> kSharedTopics{std::string(kEventsTopic), std::string(kSessionsTopic), std::string(kFailedTopic)};

Result<void> make_topics(lungo::EventStore& store) {
  for (const auto& [name, partitions] :
       {std::pair{kEventsTopic, kPartitions}, {kSessionsTopic, kPartitions}, {kFailedTopic, 1}}) {
    Result<lungo::TopicInfo> topic = store.stream_topic(name, partitions);
    if (!topic) return topic.error();
  }
  return store
      .declare<Request, PageViewed, CustomEvent, SessionStarted, SessionEnded, FailedLine, ImportProgress, SecretCheck>();
}

// What is wrong with the secret, what comes of it, what to do.
std::string secret_trouble(const std::string& directory, const std::string& what) {
  return directory + "/tracker-secret " + what +
         ". With another secret every visitor and every file would look new, and files that were imported would count twice. "
         "Put it back from a backup of the directory, or from the directory of another tracker on this log, or import "
         "everything into another one (--data DIR); what is here can still be looked at with --exit alone and with replay";
}

// The secret is made before the first topic; a directory without it, whose log has topics, has lost it, or never had it where
// the log is elsewhere.
Result<std::optional<Secret>> secret_for(lungo::EventLog& log, const std::string& directory, Purpose purpose) {
  const Result<lungo::TopicInfo> events = log.topic(kEventsTopic);
  if (!events && events.error().code() != Errc::not_found) return events.error();
  const lungo::Ports ports = log.ports();
  Result<Secret> secret =
      events ? Secret::load(ports.storage, directory) : Secret::load_or_create(ports.storage, directory, ports.random);
  if (secret) return std::optional<Secret>{*secret};
  if (!events || secret.error().code() != Errc::not_found) return secret.error();
  if (purpose == Purpose::look) return std::optional<Secret>{};
  return Error{Errc::not_found, secret_trouble(directory, "is missing, and the log holds imports that were made with it")};
}

// A log whose imports were made before there was a check value gets it now.
Result<void> check_secret(ProgressBook& book, const Secret& secret, const std::string& directory) {
  const SecretCheck check{.hash = secret.check_value()};
  if (!book.secret_check()) return book.write(check);
  if (book.secret_check()->hash == check.hash) return {};
  return Error{Errc::corrupt, secret_trouble(directory, "is not the one that the log's imports were made with")};
}

lungo::EngineOptions engine_options(const TrackerOptions& given) {
  lungo::EngineOptions options;
  options.commit_interval = given.commit_interval;
  options.cache_bytes = kCacheBytes;
  return options;
}

}  // namespace

AddedProjections::AddedProjections(lungo::Engine& engine)
    : hits_per_minute(engine.add<HitsPerMinute>()),
      hits_per_hour(engine.add<HitsPerHour>()),
      hits_per_day(engine.add<HitsPerDay>()),
      status_codes(engine.add<StatusCodes>()),
      top_targets(engine.add<TopTargets>()),
      pages_per_day(engine.add<PagesPerDay>()),
      page_referrers(engine.add<PageReferrers>()),
      referrers(engine.add<Referrers>()),
      browsers(engine.add<Browsers>()),
      systems(engine.add<Systems>()),
      devices(engine.add<Devices>()),
      custom_events(engine.add<CustomEvents>()),
      page_custom_events(engine.add<PageCustomEvents>()),
      visitors(engine.add<Visitors>()),
      visitor_sketch(engine.add<VisitorSketch>()),
      active_visitors(engine.add<ActiveVisitors>()),
      sessions_per_day(engine.add<SessionsPerDay>()),
      entry_pages(engine.add<EntryPages>()),
      exit_pages(engine.add<ExitPages>()),
      funnel(engine.add<Funnel>()) {}

Tracker::Tracker(lungo::EventStore store, const std::optional<Secret>& secret, const TrackerOptions& options)
    : store_(std::move(store)),
      forward_(options.forward),
      secret_(secret),
      appends_(store_),
      engine_(store_, lungo::sqlite("views.db"), engine_options(options)),
      rows_(engine_),
      sessions_(store_, session_options(options)) {}

const Secret& Tracker::secret() const {
  lungo::check(secret_.has_value(), "a tracker that was opened to look has no secret");
  return *secret_;
}

lungo::ProcessOptions Tracker::session_options(const TrackerOptions& given) const {
  lungo::ProcessOptions options;
  options.lateness = given.lateness;
  options.live_time = [this]() -> std::optional<lungo::Timestamp> {
    const lungo::Timestamp time = live_until_;
    if (time == lungo::Timestamp::min()) return std::nullopt;
    return time;
  };
  return options;
}

Tracker::~Tracker() {
  // An error was either seen by whoever called stop(), or there is nobody to tell: the log has everything.
  const Result<void> ignored = stop();
  static_cast<void>(ignored);
}

Result<std::unique_ptr<Tracker>> Tracker::open(std::shared_ptr<lungo::EventLog> log, const TrackerOptions& options) {
  lungo::check(log->directory().has_value(), "a tracker keeps its secret in its log's directory");
  const std::string directory = *log->directory();
  Result<std::optional<Secret>> secret = secret_for(*log, directory, options.purpose);
  if (!secret) return secret.error();
  lungo::EventStore store{std::move(log)};
  Result<void> made = make_topics(store);
  if (!made) return made.error();
  if (options.forward) {
    Result<void> takes = options.forward->start(store, {std::string(kEventsTopic), std::string(kFailedTopic)}, *secret);
    if (!takes) return takes.error();
  }
  Result<std::unique_ptr<SharedPartitions>> shared = SharedPartitions::join(store.log(), kSharedTopics, kOwnersTimeout);
  if (!shared) return shared.error();
  Result<ProgressBook> book = ProgressBook::open(store);
  if (!book) return book.error();
  if (options.purpose == Purpose::import) {
    Result<void> checked = check_secret(*book, **secret, directory);
    if (!checked) return checked.error();
  }

  std::unique_ptr<Tracker> tracker{new Tracker{std::move(store), *secret, options}};
  tracker->shared_ = std::move(*shared);
  tracker->book_ = std::make_unique<ProgressBook>(std::move(*book));
  tracker->running_ = true;
  Result<void> started = tracker->engine_.start();
  if (!started) return started.error();
  started = tracker->sessions_.start();
  if (!started) return started.error();
  return tracker;
}

ImportSite Tracker::import_site() {
  lungo::check(secret_.has_value(), "a tracker that was opened to look does not import");
  return {.store = store_, .appends = appends_, .book = *book_, .secret = *secret_, .open_files = open_files_};
}

Result<void> Tracker::catch_up(lungo::Duration timeout) {
  const lungo::Instant deadline = ports().clock.monotonic() + timeout;
  Result<void> sessions = sessions_.catch_up(timeout);  // first: what it writes, the engine reads
  if (!sessions) return sessions;
  return engine_.catch_up(std::max(deadline - ports().clock.monotonic(), lungo::Duration{std::chrono::milliseconds{1}}));
}

Result<void> Tracker::stop() {
  if (!running_) return {};
  running_ = false;
  const Result<void> sessions = sessions_.stop();
  const Result<void> engine = engine_.stop();
  return sessions ? engine : sessions;
}

std::optional<Error> Tracker::trouble() const {
  const lungo::ProcessStatus sessions = sessions_.status();
  // What went to another process is that one's; here it waits.
  if (sessions.error && *sessions.error != Errc::not_owner) return sessions.error->with_context("sessions");
  for (const lungo::ProjectionStatus& projection : engine_.status()) {
    if (projection.error) return projection.error->with_context(projection.name);
  }
  return std::nullopt;
}

std::int64_t Tracker::lag() const {
  // By the log's own ends: those that the parts report are as old as their last look.
  const auto behind = [this](const lungo::TopicPartition& partition, lungo::Offset next) -> std::int64_t {
    const Result<lungo::Ends> ends = store_.log().ends(partition);
    return ends && ends->committed > next ? ends->committed - next : 0;
  };
  std::int64_t most = 0;
  for (const lungo::PartitionLag& partition : sessions_.status().partitions) {
    if (partition.next >= lungo::Offset{0}) most += behind(partition.partition, partition.next);  // else not loaded yet
  }
  for (const lungo::ProjectionStatus& projection : engine_.status()) {
    std::int64_t events = 0;
    for (const lungo::Position& position : projection.positions)
      events += behind({projection.topic, position.partition}, position.offset);
    most = std::max(most, events);
  }
  return most;
}

}  // namespace tracker
