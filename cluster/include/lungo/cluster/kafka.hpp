// Apache Kafka as the home of a log: the same EventLog over topics of a Kafka cluster, through librdkafka.
//
//   std::shared_ptr<EventLog> log = connect_kafka("host:9092", "shop").value();
//
// Reads come from a local mirror: a directory that holds a copy of each topic that is used, with Kafka's offsets, read by the
// embedded log's own code. It is a cache, and may be deleted whenever nobody has it open. A topic that Lungo made is mirrored
// from the start, one of others when somebody first reads it.
//
// Appends go in transactions, each with what queued during the one before. The partitions of a stream topic are shared by the
// processes of the application, from a process' first create_topic() or append() of it on: each is one process's own, as
// membership() tells, and only that one appends to it. An append waits while its partition may become this process's, and is
// answered `not_owner` when it is another's, with where that one is reached (KafkaOptions::endpoint). A stream topic is one
// application's: create_topic() answers `already_exists` where another one's processes have owned its partitions.
//
// Settings of a topic change by kafka-configs.sh. create_topic() follows where it asks for what has been changed there. What
// promises rest on is looked at when a process begins to share a stream topic, and named with the line that mends it.
//
// Promises: what is read is what Kafka has committed (read_committed), in its order; holes in offsets are normal. A stored
// position whose history Kafka has no more is told (position_diverged), however that came about; but one at a partition's
// start, or with no record left between that and it, and one in a compacted topic are judged by the topic's id and range alone,
// as the record that would tell may be gone in good order. An append is answered when all in-sync replicas have it and this
// process can read it; Kafka syncs later. What is answered with another error than `timed_out` is not written. Conditions hold,
// whichever process was the owner before. docs/reference/homes.md has the rest.
// The destructor ends what is open and leaves the group, within 10 s or so; it may take longer where brokers can't be reached.
// Threads: any. Not in a child of fork(): librdkafka's threads are not there.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <lungo/log/event_log.hpp>

namespace lungo {

struct KafkaOptions {
  /// Holds the mirror; made when it is not there. Empty: `APP-local` in the current folder.
  std::string directory;
  /// Neither makes nor changes a topic, nor appends: those calls answer `unsupported`. Takes no part in sharing partitions.
  bool read_only = false;
  /// Where other processes reach this one, as they are told of the owner of a partition: HOST:PORT, or what the application's
  /// forwarder understands. At most 2,048 characters.
  std::string endpoint;
  /// librdkafka's own settings, by name: `security.protocol`, `sasl.*`, `ssl.*`, ... What Lungo's promises rest on is refused
  /// by name.
  std::vector<std::pair<std::string, std::string>> client;
  /// Of a topic that is made with `partitions = 0`, and of each replica: 0 for three, or as many as there are brokers.
  std::int32_t partitions = 32;
  int replication = 0;
  /// A process that is silent for so long has lost its partitions. Not below the brokers' group.min.session.timeout.ms (6 s).
  std::chrono::milliseconds session_timeout{6'000};
  /// A transaction that is open for so long is aborted by the brokers. At most 10 s, as a rebalance has to wait for it.
  std::chrono::milliseconds transaction_timeout{10'000};
  /// How long an append() may wait: for its partition, for the brokers. append_wait() has its own.
  Duration append_timeout = std::chrono::seconds{30};
  /// Appends that are not answered yet are bounded by so many bytes, twice: what waits for its partition, and what waits to be
  /// committed. What comes above it is answered `busy`.
  std::size_t queued_bytes_max = 64u << 20;
  /// How long connect_kafka() waits for a broker and for the topics that it has to know, and each read for the mirror of a
  /// partition that nobody has used yet.
  Duration connect_timeout = std::chrono::seconds{10};
  Duration fill_timeout = std::chrono::seconds{60};
  /// Ports to run on; must outlive the log. Null: the real ones, owned by the log.
  const Ports* ports = nullptr;
};

/// Connects to the cluster at `hosts` (HOST:PORT[,HOST:PORT]) as the application `app`, under whose name the framework's topics
/// are there: [a-z0-9][a-z0-9-]{0,40}. Several logs of one process need directories of their own.
/// Errors: invalid_argument for a name or setting that can't be; already_exists when the application's own topic of topics has
/// settings that it must not have; io, timed_out when no broker answers or a right is missing, with the cause and the fix;
/// locked, position_diverged for the directory: another process has it, or it mirrors another cluster; as open_local().
Result<std::shared_ptr<EventLog>> connect_kafka(const std::string& hosts, const std::string& app, KafkaOptions options = {});

}  // namespace lungo
