// A subscription's partitions come and go: opened where their position says, left when it is stored or they are lost.

#include "subscription_loop.hpp"

namespace lungo {

auto Subscription::Loop::follow_owners(Instant now) -> Progress {
  const std::uint64_t changes = owned_.changes();
  if (changes != seen_changes_) {
    seen_changes_ = changes;
    enter_and_leave();
    next_open_ = {};
  }
  if (now < next_open_) return Progress::later;
  const Result<void> opened = open_entered();
  next_open_ = Instant::max();
  open_error_.reset();
  if (opened) {
    open_failures_ = 0;
    return Progress::at_end;
  }
  if (!may_pass(opened.error())) return fail(opened.error());
  open_error_ = opened.error();
  next_open_ = now + options_.errors.retry.delay_after(++open_failures_);
  return Progress::later;
}

void Subscription::Loop::enter_and_leave() {
  for (Source& source : sources_) {
    if (source.entered) {
      const Tenure tenure = owned_.tenure(source.unit);
      if (tenure == Tenure::is_over || (tenure == Tenure::ends && !source.is_open())) leave(source);
      source.closing = source.entered && tenure == Tenure::ends;
      if (source.closing) next_store_ = {};
    }
    if (!source.entered) source.entered = owned_.enter(source.unit);
  }
}

/// Opens what was entered and is not open. Errors: those of the first that can't be.
Result<void> Subscription::Loop::open_entered() {
  std::vector<TopicPartition> names;
  for (const Source& source : sources_) {
    if (source.entered && !source.is_open()) names.push_back(source.name());
  }
  if (names.empty()) return {};
  Result<PositionMap> stored = load_positions(store_, reader_, names);
  if (!stored) return stored.error();
  for (Source& source : sources_) {
    if (!source.entered || source.is_open()) continue;
    Result<void> opened = open(source, *stored);
    if (!opened) return opened;
  }
  next_store_ = {};
  return {};
}

Result<void> Subscription::Loop::open(Source& source, const PositionMap& stored) {
  const TopicPartition& name = source.name();
  Result<Ends> ends = store_.log().ends(name);
  if (!ends) return ends.error();
  const Offset first = options_.start_from == StartFrom::beginning ? ends->start : ends->committed;
  Position from{source.topic.id, name.partition, first, kNoEpoch};
  const auto found = stored.find(name);
  if (found != stored.end()) {
    from = found->second;
    Result<void> valid = store_.log().validate(name.topic, from);
    if (!valid && valid.error() == Errc::history_trimmed) {
      mine_.missing += ends->start - from.offset;
      from.offset = ends->start;
    } else if (!valid) {
      return valid.error().with_context("subscription " + reader_);
    }
    stored_.insert_or_assign(name, found->second);
  }
  source.reader.emplace(store_.log(), source.topic, from);
  source.done = from;
  return {};
}

/// Whoever comes next goes on from the stored position, here too.
void Subscription::Loop::leave(Source& source) {
  if (!source.entered) return;
  stored_.erase(source.name());
  source.token.reset();
  source.reader.reset();
  source.held = nullptr;
  source.failures = 0;
  source.error.reset();
  source.not_before = {};
  source.entered = source.closing = false;
  owned_.exit(source.unit);
}

/// Leaves those that close and whose position is stored.
void Subscription::Loop::leave_stored() {
  if (storing() != Storing::done) return;
  for (Source& source : sources_) {
    const auto stored = stored_.find(source.name());
    if (source.closing && stored != stored_.end() && stored->second == source.done) leave(source);
  }
}

}  // namespace lungo
