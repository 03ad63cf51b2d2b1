#include "command_group.hpp"

#include <algorithm>

#include "broken_invariant.hpp"

namespace lungo::detail {

namespace {

// Of bodies, as the log puts into one batch; what one command decides stays whole.
constexpr std::size_t kBytesMax = 64u << 10;

}  // namespace

bool is_lost_race(const Result<Commit>& outcome) {
  if (outcome || !outcome.error().offset()) return false;
  return outcome.error() == Errc::conflict || outcome.error() == Errc::invalid_argument;
}

void look_again_from(CommandTask& task, Offset as_of) {
  if (!task.id.empty()) task.since = as_of;
}

Result<Commit> only_commit(Result<std::vector<Commit>> commits) {
  if (!commits) return commits.error();
  return std::move(commits->front());
}

// ---- deciding ----

bool CommandGroup::takes(const Command& command) const {
  if (!draft_.state) return false;
  const Command* const first = members_.empty() ? nullptr : members_.front().command.get();
  if (first != nullptr && (first->goes_alone || command.goes_alone)) return false;
  const CommandTask& task = command.task;
  if (task.id.empty()) return first == nullptr || first->task.id.empty();
  if (executed_here(task.id) != nullptr) return true;
  return (!task.since || *task.since >= draft_.state->begin) && !draft_.state->ids.may_have(task.id);
}

const CommandGroup::Member* CommandGroup::executed_here(std::string_view id) const {
  if (id.empty() || !draft_.state || !draft_.state->ids.may_have(id)) return nullptr;
  const auto same = [id](const Member& member) { return member.has_events() && member.command->task.id == id; };
  const auto found = std::ranges::find_if(members_, same);
  return found == members_.end() ? nullptr : &*found;
}

bool CommandGroup::decide(CommandPtr& command) {
  const std::size_t begin = draft_.batch.count();
  if (const Member* const same = executed_here(command->task.id)) {
    Member repeated{.command = std::move(command), .begin = same->begin, .end = begin, .repeats = true};
    members_.push_back(std::move(repeated));
    return true;
  }
  if (const std::optional<Offset> repeated = std::exchange(draft_.repeated, std::nullopt)) {
    command->done(Commit{draft_.partition, *repeated, draft_.as_of, true});
    return true;
  }
  const Result<void> decided = add_events(*command);
  if (begin > 0 && (decided ? draft_.batch.size_bytes() > kBytesMax : decided.error() == Errc::too_large)) {
    draft_.batch.truncate(draft_.partition.partition, begin);
    return false;
  }
  if (!decided) draft_.batch.truncate(draft_.partition.partition, begin);
  const std::size_t end = draft_.batch.count();
  if (end == 0) {
    command->done(decided ? Result<Commit>{Commit{draft_.partition, draft_.as_of, draft_.as_of}} : decided.error());
    return true;
  }
  if (end > begin) fold_events(begin);
  Member member{.command = std::move(command), .begin = begin, .end = end};
  if (!decided) member.refusal = decided.error();
  members_.push_back(std::move(member));
  return true;
}

Result<void> CommandGroup::add_events(const Command& command) {
  try {
    return command.task.decide(draft_);
  } catch (...) {  // our bug, or no memory: this command ends, the others go on
    return stopped_on_broken_invariant("a command");
  }
}

void CommandGroup::fold_events(std::size_t begin) {
  try {
    loads_->evolve(draft_, begin);
  } catch (...) {  // as above; what is decided stands, and nothing is decided on it here
    draft_.state.reset();
    static_cast<void>(stopped_on_broken_invariant("a command"));
  }
}

EventBatch CommandGroup::take_batch() {
  draft_.batch.expect_unchanged(draft_.stream, draft_.as_of);
  return std::move(draft_.batch);
}

// ---- the append's outcome ----

void CommandGroup::answer(Member& member, const Commit& written) {
  if (member.refusal) return member.command->done(*std::move(member.refusal));
  Commit own = written;
  own.first = written.first.plus(static_cast<std::int64_t>(member.begin));
  own.end = written.first.plus(static_cast<std::int64_t>(member.end));
  own.repeated = written.repeated || member.repeats;
  member.command->done(std::move(own));
}

CommandGroup::Settled CommandGroup::settle(const Result<Commit>& outcome) {
  Settled settled;
  const bool is_another_try = outcome && outcome->repeated && members_.size() > 1;
  if (outcome && !is_another_try) {
    draft_.keep_written(*outcome);
    for (Member& member : members_) answer(member, *outcome);
    return settled;
  }
  const bool is_lost = is_another_try || is_lost_race(outcome);
  const bool is_too_large =
      !outcome && outcome.error() == Errc::too_large && std::ranges::count_if(members_, &Member::has_events) > 1;
  const bool is_refused = !outcome && outcome.error() == Errc::not_owner;
  const bool all_again = is_lost || is_too_large || is_refused;
  for (Member& member : members_) {
    Command& command = *member.command;
    const bool counts = is_lost && !outcome && member.has_events();
    const bool is_answered = counts ? --command.attempts_left <= 0 : !all_again && member.has_events();
    if (is_answered) {
      command.done(outcome.error());
      continue;
    }
    command.has_lost = command.has_lost || is_lost;
    command.goes_alone = command.goes_alone || is_too_large;
    command.is_refused = is_refused;
    if (!is_refused) command.trouble.reset();
    look_again_from(command.task, draft_.as_of);
    settled.again.push_back(std::move(member.command));
  }
  if (is_lost && !outcome) settled.in_the_way = outcome.error().offset();
  return settled;
}

}  // namespace lungo::detail
