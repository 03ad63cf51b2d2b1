// Apache Kafka in memory, as far as owners of partitions rest on it: partitions with high watermark and last stable offset, a
// consumer group (classic protocol, eager), transactions of protocol 1 with the verification of KIP-890.
//
// Each request is a function, called at the moment when a broker handles it: what is on the road, comes late, twice or never is
// the caller's. What brokers do by themselves are steps: replicas that follow, markers that are written one by one, time that
// runs out. As measured on 4.3.1 (docs/decisions/0007, section C): counters are checked for member and generation only, and
// what was accepted in one generation may be committed in a later one; an ended transaction's markers come behind its answer.
//
// Faithful in what it refuses; left out are leaders that change, and everything that only makes things slower.
// Threads: one.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <lungo/log/types.hpp>

#include "tests/support/random.hpp"

namespace lungo::test {

class BrokerModel {
 public:
  enum class Answer {
    ok,
    illegal_generation,
    unknown_member,
    rebalance_in_progress,
    concurrent_transactions,  // the one before is not complete
    producer_fenced,
    invalid_state,
    out_of_order,
  };
  struct Options {
    Duration session_timeout = std::chrono::seconds{6};
    Duration rebalance_timeout = std::chrono::seconds{30};
    Duration transaction_timeout = std::chrono::seconds{10};
  };
  struct Record {
    std::optional<std::string> key;
    std::optional<std::string> id;
    std::string value;
  };
  /// What it is told at init().
  struct Producer {
    std::string id;
    int epoch = 0;
    friend bool operator==(const Producer&, const Producer&) = default;
  };
  /// Of a group's offset.
  struct Counter {
    Offset offset;
    std::string metadata;
  };

  /// The group shares these, and `plain` is nobody's.
  BrokerModel(Options options, std::vector<TopicPartition> shared, std::vector<TopicPartition> plain);

  void pass(Duration time);
  /// One step of the brokers, if there is one to make.
  bool step(Random& random);

  // ---- partitions ----

  /// Outside of any transaction.
  Offset produce(const TopicPartition& partition, Record record);
  struct Produced {
    Answer answer = Answer::ok;
    Offset base{};
  };
  /// `sequence` counts the producer's batches to the partition; one that comes again is answered as it was.
  Produced produce(const Producer& producer, const TopicPartition& partition, int sequence, const std::vector<Record>& records);
  [[nodiscard]] Offset high_watermark(const TopicPartition& partition) const { return log(partition).high_watermark; }
  [[nodiscard]] Offset last_stable(const TopicPartition& partition) const;
  /// All that was produced anywhere is decided, and on all replicas.
  [[nodiscard]] bool is_stable() const;
  /// read_committed: up to `records_max` offsets from `from` on.
  struct Fetched {
    std::vector<std::pair<Offset, Record>> records;
    Offset next;
  };
  [[nodiscard]] Fetched fetch(const TopicPartition& partition, Offset from, std::int64_t records_max) const;

  // ---- transactions ----

  /// Nothing while the id's transaction of before is being ended, which this begins: CONCURRENT_TRANSACTIONS.
  std::optional<Producer> init(const std::string& id);
  /// InitProducerId by a producer that goes on (KIP-360).
  Answer bump(Producer& producer);
  Answer add_partition(const Producer& producer, const TopicPartition& partition);
  Answer add_offsets(const Producer& producer);
  Answer end(const Producer& producer, bool commit);
  /// A transaction of the id is not decided, and has to do with what the group shares.
  [[nodiscard]] bool is_ongoing_in_group(const std::string& id) const;

  // ---- the group ----

  /// JoinGroup of a member that is there, or of a new one without a name; returns its name, nothing for one that is not known.
  /// It is in the next generation, when all have joined.
  std::optional<std::string> join(const std::string& member);
  struct Assignment {
    int generation = 0;
    std::vector<TopicPartition> partitions;
  };
  /// Once the generation that it has joined is complete.
  [[nodiscard]] std::optional<Assignment> assignment(const std::string& member) const;
  Answer heartbeat(const std::string& member, int generation);
  void leave(const std::string& member);
  [[nodiscard]] std::vector<std::string> members() const;
  /// TxnOffsetCommit.
  Answer commit_offsets(const Producer& producer, const std::string& member, int generation,
                        const std::map<TopicPartition, Counter>& counters);
  struct Offsets {
    std::optional<Counter> counter;
    bool is_pending = false;  // UNSTABLE_OFFSET_COMMIT
  };
  [[nodiscard]] Offsets offsets(const TopicPartition& partition, bool require_stable) const;

 private:
  enum class State { empty, ongoing, prepare_commit, prepare_abort, complete_commit, complete_abort };
  struct Entry {
    Record record;
    std::optional<int> transaction;  // nothing: none, or a marker
    bool is_marker = false;
  };
  struct LogProducer {
    int epoch = 0;
    std::vector<Offset> batches;  // base offsets, by sequence
    std::optional<int> open;      // the transaction that has records here and no marker
  };
  struct Log {
    std::vector<Entry> entries;
    Offset high_watermark{};
    std::map<std::string, LogProducer> producers;
    std::map<int, Offset> open;  // transactions without marker, with their first record
  };
  struct Transactions {  // of one id
    int epoch = -1;
    State state = State::empty;
    int number = -1;  // of the last one, over all ids
    std::set<TopicPartition> partitions;
    bool has_offsets = false;
    Instant began;
  };
  struct Member {
    Instant heard_of;
    bool has_joined = false;  // the next generation
    std::vector<TopicPartition> partitions;
  };

  [[nodiscard]] const Log& log(const TopicPartition& partition) const { return logs_.at(partition); }
  [[nodiscard]] bool is_committed(int transaction) const { return committed_.contains(transaction); }
  Answer begin_or_go_on(const Producer& producer);
  void prepare(Transactions& transactions, bool commit);
  void fence(Transactions& transactions);
  void write_marker(const std::string& id, const std::optional<TopicPartition>& partition);
  void complete_if_done(Transactions& transactions);
  void rebalance();
  void complete_rebalance();

  const Options options_;
  const std::vector<TopicPartition> shared_;
  Instant now_{};

  std::map<TopicPartition, Log> logs_;
  std::map<std::string, Transactions> transactions_;
  int last_transaction_ = -1;
  std::set<int> committed_;

  std::map<std::string, Member> members_;
  int generation_ = 0;
  bool is_rebalancing_ = false;
  Instant rebalances_since_{};
  int last_member_ = 0;
  std::map<TopicPartition, Counter> offsets_;
  std::map<int, std::map<TopicPartition, Counter>> pending_offsets_;  // by transaction
};

}  // namespace lungo::test
