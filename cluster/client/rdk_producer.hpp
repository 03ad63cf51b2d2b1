// Writes records to Kafka: in transactions with the offsets that go along, or idempotently, one by one. For the writer shell
// and for the fence, which takes over a dead writer's transactional id.
//
//   open -> init -> begin -> produce* -> wait_for_acks -> send_offsets -> commit -> begin -> ...
//                                  \-> abort ----------------------------------/
//
// Each call on a transaction says what the caller has to do next: RdkOutcome. After `fatal` the handle is of no more use: it is
// destroyed and a new one is made.
// Promise: each record that produce() has taken is told once by poll(), by its token, unless the producer is destroyed before.
// Threads: one at a time. The destructor drops what is not delivered; it blocks while librdkafka's threads end, and may hang
// where a broker can't be reached: on a thread that nobody waits for.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <lungo/log/record_batch.hpp>
#include <lungo/log/result.hpp>
#include <lungo/log/types.hpp>

#include "client/broker_causes.hpp"
#include "client/rdk_group.hpp"
#include "client/rdk_settings.hpp"

namespace lungo {

/// What is to be done after a call on a transaction.
enum class RdkNext {
  go_on,       // it is done
  call_again,  // the same call, which takes up where it stopped
  abort,       // abort(), then a new transaction
  make_anew,   // the handle is fenced or broken
};

struct [[nodiscard]] RdkOutcome {
  RdkNext next = RdkNext::go_on;
  Error error;  // why, unless go_on: producer_fenced, not_owner, timed_out, io, ...
  [[nodiscard]] bool ok() const { return next == RdkNext::go_on; }
};

/// What a record's failure says of the next try.
enum class RdkRefusal {
  none,    // it may go well
  record,  // it is refused again
  topic,   // whatever goes to its topic is
};

/// What became of a record.
struct RdkDelivery {
  std::uint64_t token = 0;
  /// Where it lies, without an error. Nothing for one whose first acknowledgement was lost: a broker knows that it has it, and
  /// no longer where.
  std::optional<Offset> offset;
  std::optional<Error> error;
  RdkRefusal refusal = RdkRefusal::none;
  bool may_be_written = false;  // with an error: a broker may have it all the same, in a transaction until that is aborted
};

/// Of a partition, as a transaction commits it for a group.
struct RdkOffset {
  TopicPartition partition;
  Offset offset;
  std::string metadata;
};

class RdkProducer {
 public:
  /// A call that has not ended by then says call_again, and goes on meanwhile.
  static constexpr Duration kCallTime = std::chrono::seconds{10};

  /// Without a transactional id: idempotent only, and the calls on transactions answer make_anew. Errors: invalid_argument, for
  /// the settings; io.
  static Result<std::unique_ptr<RdkProducer>> open(const RdkOptions& options, const std::string& transactional_id,
                                                   std::shared_ptr<BrokerCauses> causes);
  ~RdkProducer();
  RdkProducer(const RdkProducer&) = delete;
  RdkProducer& operator=(const RdkProducer&) = delete;

  /// Asks for the topics' partitions: without it, the first transaction of a handle takes a second. Blocks up to `timeout`.
  /// Errors: io, timed_out; a topic that is not there is none.
  Result<void> warm_up(const std::vector<std::string>& topics, Duration timeout);

  /// Fences whoever else has the transactional id, and ends what is open under it: 5 to 15 ms, half a second when something is.
  /// Blocks up to `timeout`.
  RdkOutcome init(Duration timeout = kCallTime);
  /// Does not block.
  RdkOutcome begin();

  /// Hands a record to librdkafka, which copies it; does not block. Errors: busy when its queue is full: poll(), then again;
  /// too_large; invalid_argument for the time 0, which Kafka's clients take for "now"; not_found, as far as is known here;
  /// canceled outside a transaction or in one that has failed; producer_fenced.
  Result<void> produce(const TopicPartition& to, const RecordFields& record, std::uint64_t token);
  /// What was delivered, or failed, since the last call, also during other ones; waits up to `timeout` where that is nothing.
  std::vector<RdkDelivery> poll(Duration timeout);
  /// What has ended the open transaction, where no record tells it before its time is over: a partition that could not be
  /// added. Its error names the topic where that is the only one. Does not block.
  [[nodiscard]] std::optional<Error> ended_by();
  /// Sends what is queued without linger and waits up to `timeout` until nothing is under way. True then: poll(0) tells the
  /// rest.
  bool wait_for_acks(Duration timeout);

  /// Offsets that are committed with the transaction, for the group and under the member and generation that `metadata` says;
  /// at least one. Blocks up to transaction_timeout, twice where a request is lost. A repetition sends them all again.
  RdkOutcome send_offsets(const std::vector<RdkOffset>& offsets, const RdkGroupMetadata& metadata);
  /// Waits for all records, then commits. Blocks up to `timeout`. Until a commit that says call_again has ended, abort() says
  /// the same.
  RdkOutcome commit(Duration timeout = kCallTime);
  /// Drops what is not acknowledged, whose deliveries say `canceled`, and aborts. Blocks up to `timeout`.
  RdkOutcome abort(Duration timeout = kCallTime);

  [[nodiscard]] const std::string& transactional_id() const;

 private:
  struct Parts;
  explicit RdkProducer(std::unique_ptr<Parts> parts);
  const std::unique_ptr<Parts> parts_;
};

}  // namespace lungo
