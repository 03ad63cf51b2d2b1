// Writes what this process appends: the shell around WriterCore, with the transactional producer.
//
//   append(), tell() --inbox--> WriterCore --effects--> producer's calls --their outcome--> WriterCore
//                                          \--> answers, and what others are told
//
// Promise: WriterCore's. A completion runs once, on this activity's thread, without a lock held.
// Where a step breaks, as memory is short or an invariant does not hold, the writer ends: what it has open is aborted, nobody
// waits for ever, and Told::failed says so, once.
// Threads: append(), tell() and close() from any; all else on the activity's, which waits in the calls on a transaction: for
// kCallTime, in send_offsets for transaction_timeout. What comes meanwhile waits in the inbox.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include <lungo/log/executor.hpp>
#include <lungo/log/metrics.hpp>
#include <lungo/log/ports.hpp>

#include "client/guarded_step.hpp"
#include "client/kafka_names.hpp"
#include "client/rdk_producer.hpp"
#include "client/records_under_way.hpp"
#include "client/writer_core.hpp"

namespace lungo {

class KafkaWriter final : private Activity {
 public:
  struct Options {
    Duration transaction_timeout{};
    writing::WriterCore::Options core;
  };
  using MakeProducer = std::function<Result<std::unique_ptr<RdkProducer>>()>;
  /// On the activity's thread; must not wait for it. Not called behind stop().
  struct Told {
    std::function<void(const ownership::Claimed&)> claimed;
    std::function<void(const ownership::LetGone&)> let_gone;
    std::function<void(const writing::Committed&)> committed;
    std::function<void()> failed;
  };

  /// `mirror` outlives it. `warm`: Kafka's names of the topics that are written to, for a new handle. Errors: io, when the
  /// system has no thread left.
  static Result<std::unique_ptr<KafkaWriter>> start(Options options, const writing::MirrorLookup& mirror, KafkaNames names,
                                                    MakeProducer make, std::function<std::vector<std::string>()> warm,
                                                    Told told, const Ports& ports);
  /// Ends at once; who has not been answered is answered `closed`.
  ~KafkaWriter() override;

  void append(AppendRequest request, Completion completion, Instant deadline);
  void tell(writing::Input input);
  /// Takes no more, ends what is open, answers all. Returns when that is done, a little behind `deadline` at the latest: who
  /// has no answer then, as a call does not return, gets `timed_out`.
  void close(Instant deadline);
  /// Waits for the call that is under way: nobody is told anything from then on. What is told to it is not looked at any more.
  void stop();

  struct Counts {
    std::uint64_t committed = 0;  // transactions
    std::uint64_t aborted = 0;
    std::uint64_t handles = 0;  // that were made
    std::uint64_t records = 0;  // acknowledged
    std::uint64_t foreign = 0;  // records that were reported
    std::uint64_t missing = 0;  // likewise
  };
  [[nodiscard]] Counts counts() const;
  /// Why there is no producer.
  [[nodiscard]] std::optional<Error> trouble() const;

 private:
  KafkaWriter(Options options, const writing::MirrorLookup& mirror, KafkaNames names, MakeProducer make,
              std::function<std::vector<std::string>()> warm, Told told, const Ports& ports);

  Instant step(Instant now) override;
  [[nodiscard]] std::string_view name() const override { return "lungo-kafka-writer"; }
  [[nodiscard]] bool may_step_again() const override { return true; }

  Instant work();
  void fail();
  void step_core(writing::Input input);
  void take_inbox();
  void carry_out(const writing::MakeHandle& make);
  void carry_out(const writing::Produce& produce);
  void carry_out(const writing::GiveUp& give_up);
  void carry_out(const writing::SendCounters& send);
  void carry_out(const writing::Commit& commit);
  void carry_out(const writing::Abort& abort);
  void carry_out(const writing::Committed& committed);
  void carry_out(writing::Answer& answer);
  void carry_out(const writing::Foreign& foreign);
  void carry_out(const writing::Missing& missing);
  void carry_out(const ownership::Claimed& claimed);
  void carry_out(const ownership::LetGone& gone);
  void carry_out(const writing::Ended& ended);

  void look(Duration patience);
  void done();
  [[nodiscard]] bool is_closing() const;
  void answer_the_rest(const Error& error);
  void call_done(writing::HandleNumber handle, const RdkOutcome& outcome);
  static writing::CallFailure failure_of(const RdkOutcome& outcome);

  const Options options_;
  const KafkaNames names_;
  const MakeProducer make_;
  const std::function<std::vector<std::string>()> warm_;
  const Told told_;
  const Ports ports_;

  mutable std::mutex mutex_;  // over the inbox, what is counted, and whether it has ended
  std::vector<writing::Input> inbox_;
  std::unordered_map<std::uint64_t, Completion> completions_;  // by ticket
  std::uint64_t tickets_ = 0;
  bool is_closing_ = false;
  bool has_ended_ = false;
  bool has_failed_ = false;
  Counts counts_;
  std::optional<Error> trouble_;

  // The activity's.
  writing::WriterCore core_;
  GuardedStep guard_;
  std::vector<writing::Input> outcomes_;  // of calls, for the core's next steps
  std::unique_ptr<RdkProducer> producer_;
  std::uint64_t tokens_ = 0;
  std::optional<RecordsUnderWay> under_way_;  // of the open transaction

  std::unique_ptr<RunningActivity> running_;
};

}  // namespace lungo
