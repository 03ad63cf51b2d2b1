// The states of busy streams, kept from one command to the next: a command then reads what its stream has got since, not all
// that it ever got.
//
// For Aggregates. Invariants:
//   K1  a kept state is the fold of its stream's events below `position`, each decoded from the bytes that the log has
//   K2  it has one owner: who takes it has it alone, and gives it back whole or not at all. One that an `evolve` left half
//       changed, or that holds events of an append that was not written, is never given back
//   K3  it is gone on from only where the log still has all that is in it: EventLog::validate() says so of `position`, and the
//       log has not been trimmed above `begin`. Then the events from `position` on are folded, and the append rests on the end
//       of what was read, as after any other load
// So whatever became of the log meanwhile, a decision is made on a state that the log has, or not made. Doubt costs a whole
// load, which is always possible.
// Bounded by bytes; what was used least recently goes first. A state that is taken counts for nothing.
// Threads: KeptStates any; its mutex is not held while a state is made, changed or destroyed. The others one at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <lungo/framework/state_bytes.hpp>
#include <lungo/log/event_log.hpp>

namespace lungo::detail {

/// The idempotency keys of a state's events, as hashes: one that is not here is in none of these events.
class KnownIds {
 public:
  void add(std::string_view id);
  /// False is certain; true is to be looked up in the log.
  [[nodiscard]] bool may_have(std::string_view id) const;
  [[nodiscard]] std::size_t size_bytes() const { return slots_.capacity() * sizeof(std::uint64_t); }

 private:
  void insert(std::uint64_t hash);

  std::vector<std::uint64_t> slots_;  // open addressing: a power of two, of which three quarters are used; 0 is free
  std::size_t count_ = 0;
};

/// A stream's state without its type; see K1.
struct KeptState {
  explicit KeptState(std::size_t its_sizeof) : own_bytes(its_sizeof) {}
  virtual ~KeptState() = default;
  KeptState(const KeptState&) = delete;
  KeptState& operator=(const KeptState&) = delete;

  Position position;                // behind the last event in it, of whose batch the epoch is
  Offset begin;                     // where the fold began: behind the snapshot that it started from, or 0
  KnownIds ids;                     // of the events in [begin, position)
  std::int64_t unsaved_events = 0;  // behind the newest snapshot
  const std::size_t own_bytes;      // without what it holds
  std::size_t held_bytes = 0;       // at the last look
  std::size_t added_bytes = 0;      // of events since then: what it may have grown by
  [[nodiscard]] std::size_t size_bytes() const { return own_bytes + held_bytes + added_bytes + ids.size_bytes(); }
};

template <class State>
struct KeptStateOf final : KeptState {
  KeptStateOf() : KeptState(sizeof(KeptStateOf)) {}

  /// An event, or a snapshot, of so many bytes has been folded in. A state that may have grown by half is looked at again.
  /// Where that can't be seen, it holds what its events brought.
  void grown_by(std::size_t bytes) {
    if constexpr (!std::is_trivially_copyable_v<State>) {
      constexpr std::size_t kUnseenMax = 4096;
      added_bytes += bytes;
      if (added_bytes <= kUnseenMax + held_bytes / 2) return;
      HeapBytes heap;
      add_heap_bytes(state, heap);
      held_bytes = heap.is_all ? heap.bytes : held_bytes + added_bytes;
      added_bytes = 0;
    }
  }

  State state{};
};

class KeptStates {
 public:
  explicit KeptStates(std::size_t bytes_max) : bytes_max_(bytes_max) {}

  /// The stream's state, which is kept no more; null when there is none.
  std::unique_ptr<KeptState> take(std::string_view stream);
  /// Of two of one stream the later stays. One without an epoch is not kept, as nothing would tell whether the log still has
  /// what is in it.
  void keep(std::string_view stream, std::unique_ptr<KeptState> state);
  /// Those of streams in this partition.
  void drop(PartitionId partition);

  [[nodiscard]] std::size_t size_bytes() const;

 private:
  struct Entry {
    std::string stream;
    std::unique_ptr<KeptState> state;
    std::size_t bytes = 0;
  };
  using Entries = std::list<Entry>;

  void remove(Entries::iterator entry, Entries& removed);

  const std::size_t bytes_max_;
  mutable std::mutex mutex_;
  // Under mutex_:
  Entries entries_;  // used last first
  std::unordered_map<std::string_view, Entries::iterator> by_stream_;
  std::size_t bytes_ = 0;
};

/// The partition's ends where `state` may be gone on from (K3); otherwise nothing, whatever the reason.
std::optional<Ends> ends_behind(EventLog& log, const TopicPartition& partition, const KeptState& state);

}  // namespace lungo::detail
