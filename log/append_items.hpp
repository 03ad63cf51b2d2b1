// What lies in an append queue: appends before and after they are written, and who is told what became of each.
//
// Threads: under the queue's mutex, but for WaitingCaller::state.
#pragma once

#include <atomic>
#include <memory>
#include <new>
#include <optional>
#include <utility>
#include <vector>

#include <lungo/log/appender.hpp>

#include "batch_validation.hpp"

namespace lungo {

/// A caller inside append_wait(), on its stack. Whoever stores `done` or `leads` must have taken the parker before: the caller
/// may be gone right after.
struct WaitingCaller {
  enum class State { waits, leads, done };

  const std::shared_ptr<Parker> parker;
  std::optional<Result<Appended>> outcome;  // set before `done`
  std::atomic<State> state{State::waits};
  bool was_given_lead = false;  // and has not begun to lead; set before `leads`
};

/// The options of a request; they refer to its condition.
inline AppenderOptions options_of(const AppendRequest& request) {
  return {
      .durability = request.durability, .condition = request.condition ? &*request.condition : nullptr, .since = request.since};
}

/// So many of each kind of memory that appends shared are kept to be used again.
inline constexpr std::size_t kSparesMax = 4;
template <class Memory>
void keep_spare(std::vector<Memory>& spares, Memory memory) {
  if (spares.size() >= kSparesMax) return;
  try {
    spares.push_back(std::move(memory));
  } catch (const std::bad_alloc&) {  // then it is made anew
  }
}

/// A completion, or a caller that waits.
struct Recipient {
  Completion completion;
  WaitingCaller* caller = nullptr;
  std::int64_t records = 0;  // of its append
};

/// Not written yet. Small appends that ask for nothing share one: `more` has those behind the first, in order.
struct QueuedAppend {
  EncodedRecords own;
  EncodedRecords* borrowed = nullptr;  // of a caller that waits; instead of `own`
  ProducerBatch* batch = nullptr;      // likewise; shares no group
  std::optional<Condition> condition;
  std::optional<Offset> since;
  bool needs_sync = false;
  bool is_shared = false;
  Recipient first;
  std::vector<Recipient> more;

  [[nodiscard]] EncodedRecords& records() { return borrowed != nullptr ? *borrowed : own; }
  [[nodiscard]] std::size_t size_bytes() { return batch != nullptr ? batch->size_bytes() : records().size_bytes(); }
};

/// Written, or refused, and not told yet.
struct WrittenAppend {
  Result<Appended> outcome;
  std::size_t bytes = 0;
  Recipient first;
  std::vector<Recipient> more;
};

/// Gives each recipient its part of what became of the append.
template <class Tell>
void tell_each(WrittenAppend& item, Tell tell_one) {
  if (!item.outcome || item.more.empty()) {
    tell_one(item.first, item.outcome);
    for (Recipient& recipient : item.more) tell_one(recipient, item.outcome);
    return;
  }
  Appended part = *item.outcome;
  const auto next = [&](Recipient& recipient) {
    part.end = part.first.plus(recipient.records);
    tell_one(recipient, part);
    part.first = part.end;
  };
  next(item.first);
  for (Recipient& recipient : item.more) next(recipient);
}

}  // namespace lungo
