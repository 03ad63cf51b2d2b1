// Which partitions a worker may run: those that are this process's, until it has let go of them.
//
// For processes and subscriptions, each of which has one. A worker runs units, the partitions that it needs together: a process
// its input and its output. What becomes of one partition:
//
//             opened           enter()               closing, lost              exit()
//   another's -------> is mine -------> mine, in use -------------> ends, in use -------> another's
//
// Invariants:
//   O1  a unit is entered while all of its partitions are mine, none of them is on its way out, and nobody uses them
//   O2  closing() and lost() return when nobody uses the partitions any more, or when their time is over
//   O3  a worker whose time was over is told so until it exits, whoever has the partition by then
// So a worker that has entered a partition reads, in this tenure, all that those before it have written, and what it submits
// for the partition is submitted in the same tenure: the next one begins behind closing() or lost(). It is up to the log to
// refuse what a worker sends that has been late.
// Threads: any. No mutex is held while a worker is woken or waited for.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <lungo/log/event_log.hpp>
#include <lungo/log/membership.hpp>

namespace lungo {

/// What a worker is to do with what it has entered.
enum class Tenure {
  runs,
  ends,     // it finishes what is under way, writes down how far it came, and exits
  is_over,  // it exits, and writes nothing
};

class OwnedPartitions final : public MembershipListener {
 public:
  using Unit = std::vector<TopicPartition>;

  explicit OwnedPartitions(Ports ports) : ports_(ports) {}
  ~OwnedPartitions() override { leave(); }
  OwnedPartitions(const OwnedPartitions&) = delete;
  OwnedPartitions& operator=(const OwnedPartitions&) = delete;

  /// Takes part in sharing the topics. `changed` is called whenever the worker has to look again, from any thread; it must not
  /// block. Errors: as Membership::join().
  Result<void> join(EventLog& log, const std::vector<std::string>& topics, std::function<void()> changed);
  /// No call of `changed` is under way behind it, and none comes. Nothing may be in use. The log must be there still.
  void leave();

  /// True: the unit is the worker's from here on, until it exits.
  bool enter(const Unit& unit);
  /// Of a unit that was entered.
  [[nodiscard]] Tenure tenure(const Unit& unit) const;
  void exit(const Unit& unit);
  /// Has changed when a worker has to look at its units again.
  [[nodiscard]] std::uint64_t changes() const { return changes_.load(std::memory_order_acquire); }

  /// True when another process has one of the unit's partitions, as far as is known here. False while nobody has, or when that
  /// can't be said.
  [[nodiscard]] bool is_anothers(const Unit& unit) const;

  void opened(const std::vector<TopicPartition>& partitions) override;
  void closing(const std::vector<TopicPartition>& partitions, Instant deadline) override;
  void lost(const std::vector<TopicPartition>& partitions) override;

 private:
  struct Partition {
    enum class Owner { another, me, me_until_exit };
    Owner owner = Owner::another;
    bool in_use = false;
    bool is_late = false;  // in use from an earlier tenure
  };

  void end(const std::vector<TopicPartition>& partitions, Partition::Owner meanwhile, Instant deadline);
  void tell_worker();

  const Ports ports_;
  std::function<void()> changed_;
  std::atomic<std::uint64_t> changes_{0};
  mutable std::mutex mutex_;
  // Under mutex_:
  std::map<TopicPartition, Partition> partitions_;
  std::shared_ptr<Membership> membership_;
  Membership::Token token_;
};

/// True for errors that pass by themselves, or when the partition is this process's again.
bool may_pass(const Error& error);

}  // namespace lungo
