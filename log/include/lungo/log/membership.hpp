// PORT: which partitions are this process's own, where several processes share the topics of one log.
//
//   std::shared_ptr<Membership> membership = log->membership();
//   Membership::Token token = membership->join({"events"}, worker).value();  // worker is a MembershipListener
//
// The owner of a partition is the only one that appends to it where it belongs to a stream topic, and the one that runs what
// has to run once: processes, subscriptions. The embedded log has one writer, so there all is mine (EventLog::membership()); on
// Apache Kafka and in a Lungo cluster partitions come and go as processes do.
//
// Promise: a partition is at no moment open in two processes, as far as appends show: what an owner of before still sends is
// refused. It is between opened() and closing() or lost() that a partition is a listener's.
// Threads: all members may be called from any thread. One listener's calls never overlap.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <lungo/log/result.hpp>
#include <lungo/log/types.hpp>

namespace lungo {

/// Who is told which partitions come and go. No call may throw, and none may destroy the listener's token. Each names only
/// partitions of topics that the listener has joined. A topic that is deleted is not told: the log answers `not_found`.
class MembershipListener {
 public:
  virtual ~MembershipListener() = default;

  /// They are mine from now on: what the owners of before have written can be read, and appends are taken.
  virtual void opened(const std::vector<TopicPartition>& partitions) = 0;
  /// They go to another process when this returns. Who works on them ends that and waits for his appends; after `deadline`
  /// they are gone all the same, and appends answer `not_owner`.
  virtual void closing(const std::vector<TopicPartition>& partitions, Instant deadline) = 0;
  /// They are another's already, maybe for a while: what is under way for them was refused, or will be.
  virtual void lost(const std::vector<TopicPartition>& partitions) = 0;
};

class Membership {
 public:
  virtual ~Membership() = default;

  struct Owner {
    std::string endpoint;  // where it is reached, as it said itself; empty where it said nothing
    bool is_me = false;
  };
  /// Ends a listener's part when it is destroyed: then no call of it is under way, and none comes. Its partitions are let go
  /// without a call.
  using Token = std::shared_ptr<void>;

  /// Takes part in sharing these topics, until the token is gone. The listener, which outlives its token, is told `opened` of
  /// each partition that becomes mine, and at once, before join() returns, of those that are. Where nobody shares them, that is
  /// all of them, once. Partitions that a topic gets later count where it is joined again. Errors: not_found, naming the topic:
  /// then none is joined; closed; io, timed_out where the home has to ask.
  virtual Result<Token> join(const std::vector<std::string>& topics, MembershipListener& listener) = 0;

  /// The partitions that are mine now, by topic and ascending. Errors: io, timed_out where the home has to ask.
  virtual Result<std::vector<TopicPartition>> mine() = 0;

  /// Whose the partition is, as far as is known here: it may be another's by the time of the answer. Nothing while nobody owns
  /// it. Errors: not_found; io, timed_out where the home has to ask.
  virtual Result<std::optional<Owner>> owner_of(const TopicPartition& partition) = 0;
};

}  // namespace lungo
