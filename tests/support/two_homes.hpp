// Two processes over one log in memory, of which a test says who owns which partition, and when it goes to the other.
//
//   TwoHomes homes{simulation.ports()};
//   EventStore left{homes.log(0)}, right{homes.log(1)};
//   homes.give(TopicPartition{"events", PartitionId{0}}, 1);   // asks 0 to let go, then 1 has it
//
// As the port says (membership.hpp): an append to a partition of a stream topic is taken from its owner only, one that is
// `on_behalf_of` partitions from who owns them all; others are answered `not_owner`. Plain and compacted topics are anybody's.
// At first nobody owns anything. What is read is the same for both.
// A home has queues, as one over a network has, once answer_late() was called: an append is written some time after the call,
// and answered some time after that. One that was not written when its partition went is refused, or was written just before.
// Threads: one, that of the simulation. Listeners are told without the mutex, and may wait.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <lungo/log/membership.hpp>
#include "tests/support/memory_event_log.hpp"
#include "tests/support/random.hpp"

namespace lungo::test {

class TwoHomes {
 public:
  /// The ports outlive it, and it outlives the logs that it gives.
  explicit TwoHomes(Ports ports);
  ~TwoHomes();
  TwoHomes(const TwoHomes&) = delete;
  TwoHomes& operator=(const TwoHomes&) = delete;

  /// Of the process 0 or 1.
  std::shared_ptr<EventLog> log(int home);
  /// What both have below them, without owners.
  MemoryEventLog& shared() { return *shared_; }

  /// It goes to `home` in peace: who has it is told `closing`, and has five seconds.
  void give(const TopicPartition& partition, int home);
  /// It is taken from who has it, who is not told before tell_lost(), or before it gets the partition again.
  void take(const TopicPartition& partition, int home);
  void tell_lost();
  /// Nobody's, in peace.
  void put_away(const TopicPartition& partition);
  [[nodiscard]] std::optional<int> owner(const TopicPartition& partition) const;
  static std::string endpoint(int home) { return "home-" + std::to_string(home) + ":80"; }

  /// From now on appends are written and answered late, by steps of the simulation.
  void answer_late(std::uint64_t seed);
  /// From now on a home answers `not_owner` to reads of a stream topic's partition that it does not own, as one does that keeps
  /// no copy of it.
  void read_own_only();
  /// How many listeners of the home have joined the topic.
  [[nodiscard]] int members(int home, std::string_view topic) const;
  /// How many appends the homes have refused as another's.
  [[nodiscard]] int refused() const { return refused_; }

 private:
  class HomeLog;
  class HomeMembership;

  [[nodiscard]] bool is_shared_out(const TopicPartition& partition) const;
  [[nodiscard]] std::optional<Error> why_not(int home, const AppendRequest& request);
  void let_go(const TopicPartition& partition);
  void hand_over(const TopicPartition& partition, std::optional<int> home);
  void tell_lost(int home, const std::optional<TopicPartition>& only);

  const Ports ports_;
  const std::shared_ptr<MemoryEventLog> shared_;
  std::map<TopicPartition, int> owners_;
  std::array<std::vector<TopicPartition>, 2> untold_;  // lost, by home
  std::optional<Random> random_;                       // appends are late
  bool reads_own_only_ = false;
  int refused_ = 0;
  std::array<std::shared_ptr<HomeLog>, 2> logs_;
};

}  // namespace lungo::test
