// The commands of one stream that become one append.
//
//   due --decided on the draft--> member --what becomes of the append--> answered, or due again
//            \-> answered at once, where nothing was decided before it: it met what the log has
//
// A member is decided on what the members before it lead to, so nobody is answered before that is known to be written:
//   written         each has its own offsets, its refusal, or nothing to write
//   a lost race     all are due again. So they are where the append was known by its first id: another try of that command was
//                   faster, and what followed it may be something else
//   too large       where several have events in it: all are due again, each alone
//   not the owner   all are due again, wherever the owner is
//   another error   is the answer of who has events in it; who has none is due again
//
// Ids. Each command's stands on its own first record, where the log and every load find it. If the first record has one, all
// commands that have events have one: a home that knows an append by its first id knows all of it by its ids then, and one
// command never passes for executed because another one was.
// Threads: one at a time; the append's completion takes it over.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include <lungo/framework/aggregates.hpp>

namespace lungo::detail {

/// True for an append that lost against another one, which has its record at error().offset(), and may win after a new load:
/// one that came in between, or another one of its id.
bool is_lost_race(const Result<Commit>& outcome);

/// What lies below `as_of` was searched for the command's id; what has come since was not, and may be in a snapshot by now.
void look_again_from(CommandTask& task, Offset as_of);

/// Of an append to one partition.
Result<Commit> only_commit(Result<std::vector<Commit>> commits);

struct Command {
  CommandTask task;
  int attempts_left;
  Instant deadline;
  std::function<void(Result<Commit>)> done;
  bool has_lost = false;    // a race
  bool goes_alone = false;  // with others it is too large
  // Where another process owns the partition:
  bool is_refused = false;            // the log has answered `not_owner` here: who owns it has to be asked
  bool may_be_done = false;           // it was sent, and nobody knows what became of it
  std::string endpoint = {};          // where to send it, as who got it last has said
  bool follows = false;               // it was sent to such an endpoint
  std::optional<Error> trouble = {};  // why it waits
};
using CommandPtr = std::unique_ptr<Command>;

class CommandGroup {
 public:
  /// `draft` was loaded for the first command; `loads` is used while commands are decided.
  CommandGroup(StreamLoads& loads, StreamDraft draft) : loads_(&loads), draft_(std::move(draft)) {}

  /// Whether a further command can be decided on the draft.
  [[nodiscard]] bool takes(const Command& command) const;
  /// Decides it, and answers it where that can't change any more. False when what follows does not fit with what is there: then
  /// the command is left.
  bool decide(CommandPtr& command);

  [[nodiscard]] bool has_events() const { return !members_.empty(); }
  /// What is to be appended.
  EventBatch take_batch();
  /// There is nothing to be appended.
  void end() { draft_.keep(); }

  struct Settled {
    std::vector<CommandPtr> again;     // in their order
    std::optional<Offset> in_the_way;  // they wait until it is committed
  };
  /// The append came to this: answers who can be answered.
  Settled settle(const Result<Commit>& outcome);
  [[nodiscard]] const TopicPartition& partition() const { return draft_.partition; }

 private:
  /// From the first one on that has events. [begin, end) are its records in the batch; what they are to others says the commit.
  struct Member {
    CommandPtr command;
    std::size_t begin = 0;
    std::size_t end = 0;
    std::optional<Error> refusal;
    bool repeats = false;  // a member before it, whose records these are
    [[nodiscard]] bool has_events() const { return end > begin && !repeats; }
  };

  [[nodiscard]] const Member* executed_here(std::string_view id) const;
  Result<void> add_events(const Command& command);
  void fold_events(std::size_t begin);
  static void answer(Member& member, const Commit& written);

  StreamLoads* const loads_;
  StreamDraft draft_;
  std::vector<Member> members_;
};

}  // namespace lungo::detail
