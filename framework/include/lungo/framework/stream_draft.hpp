// A stream between a load and its append: its state, and what was decided on it.
//
// For Aggregates: the part that knows no types. Those who do are in stream_states.hpp.
// Threads: one at a time.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <lungo/framework/event_store.hpp>
#include <lungo/framework/kept_states.hpp>
#include <lungo/log/membership.hpp>

namespace lungo::detail {

struct StreamDraft {
  std::string stream;  // in its written form
  TopicPartition partition;
  Offset as_of;                      // what was read up to: the append fails when the stream has a record at or above it
  std::optional<Offset> repeated;    // the event that carries the id which was looked for
  EventBatch batch;                  // what was decided and is not written
  std::unique_ptr<KeptState> state;  // of what was read and of `batch`; null when an event of that can't be folded in
  std::shared_ptr<KeptStates> kept;  // where it goes

  /// Lets others go on from the state, as nothing was decided on it.
  void keep();
  /// The same, as `written` says where all that was decided lies now.
  void keep_written(const Commit& written);
};

/// Where a stream lies, and whose that is.
struct StreamPlace {
  TopicPartition partition;
  std::optional<Membership::Owner> owner;  // nothing while nobody has it
};

/// The streams of one decider.
class StreamLoads {
 public:
  virtual ~StreamLoads() = default;
  /// Whether this process owns the stream's partition, as far as it was told. Errors: as Aggregates::load(); as
  /// Membership::join().
  virtual Result<bool> is_mine(const StreamId& stream) = 0;
  /// What the membership knows, which may have to ask. Errors: the same; as Membership::owner_of().
  virtual Result<StreamPlace> place_of(const StreamId& stream) = 0;
  /// The stream as of now, and whether it has an event with `command_id`, in what is read or from `since` on. Errors: as
  /// Aggregates::load().
  virtual Result<StreamDraft> draft(const StreamId& stream, std::string_view command_id, std::optional<Offset> since) = 0;
  /// Folds the events of the draft's batch from `begin` on into its state, as a reader of the log would. It has none any more
  /// when one of them can't be.
  virtual void evolve(StreamDraft& draft, std::size_t begin) = 0;
};

/// Adds what is decided on the draft's state to its batch: after an error perhaps a part of it. Errors: rejected,
/// handler_failed; as EventBatch::add().
using DecideFunction = std::function<Result<void>(StreamDraft&)>;

}  // namespace lungo::detail
