// PartitionLog: a round of compaction, and the exchange of its segments.

#include <algorithm>
#include <iterator>
#include <new>

#include "partition_parts.hpp"
#include "segment_swap.hpp"

namespace lungo {

namespace {

/// Those that lie below `end`, which is the base of the first one that doesn't.
Segments below(const Segments& all, Offset end) {
  Segments found;
  std::ranges::copy_if(all, std::back_inserter(found), [end](const auto& segment) { return segment->base() < end; });
  return found;
}

}  // namespace

Result<std::optional<Offset>> PartitionLog::compact(const CompactionRound& round) {
  Parts& parts = *parts_;
  if (!parts.options.gaps || parts.options.read_only) return Error{Errc::unsupported, parts.directory + " is not compacted"};
  const std::lock_guard lock(parts.removing);
  const auto give_up = [&parts](const Error& cause) {
    parts.compaction.reset();
    // What can't be removed now goes before the next round.
    if (!parts.failure.get()) static_cast<void>(discard_cleaned(parts.ports.storage, parts.directory).has_value());
    return cause;
  };
  if (const std::optional<Error> failure = parts.failure.get()) return give_up(*failure);
  if (!parts.compaction) {
    const std::shared_ptr<const Segments> list = parts.segments.snapshot();
    const auto is_base = [&round](const auto& segment) { return segment->base() == round.end; };
    if (round.end > synced_end() || std::ranges::none_of(*list, is_base)) {
      return Error{Errc::invalid_argument,
                   parts.directory + " can't be compacted up to offset " + std::to_string(round.end.value())};
    }
    static_cast<void>(parts.finds_rotten_headers(*list, round.end));  // they would get a digest that fits
    parts.compaction = std::make_unique<Compaction>(
        Compaction::Log{parts.ports.storage, parts.directory, parts.options, parts.buffers, parts.epochs},
        below(*list, round.end), parts.segment_bytes, round);
  }
  Compaction& compaction = *parts.compaction;
  const auto turn_of = [&]() -> Result<Compaction::Turn> {
    try {
      return compaction.step(start());
    } catch (const std::bad_alloc&) {  // half of a step can't be gone on with
      return parts.out_of_memory;
    }
  };
  const Result<Compaction::Turn> turn = turn_of();
  if (!turn) {
    if (may_be_damage(turn.error()))
      static_cast<void>(parts.note_damage(compaction.reading()));  // the next round leaves it alone
    return give_up(turn.error());
  }
  if (*turn == Compaction::Turn::exchange) {
    const std::shared_ptr<const Segments> list = parts.segments.snapshot();
    const auto is_damaged = [](const auto& segment) { return segment->damage() != nullptr; };
    // As a reader has found meanwhile. The keys of a damaged segment take the place of nothing.
    if (std::ranges::any_of(compaction.replaced(), is_damaged) || std::ranges::any_of(compaction.key_sources(), is_damaged)) {
      return give_up(Error{Errc::corrupt, parts.directory + ": damage was found in a segment that is being compacted"});
    }
    if (std::ranges::find(*list, compaction.replaced().front()) == list->end()) {  // deleted meanwhile
      const Offset begin = compaction.begin();
      static_cast<void>(give_up(Error{Errc::history_trimmed, parts.directory}));
      return std::optional{begin};
    }
    const auto exchange = [&]() -> Result<void> {
      try {
        return parts.exchange(compaction);
      } catch (const std::bad_alloc&) {  // what was begun can't be told
        parts.failure.set(parts.out_of_memory);
        return parts.out_of_memory;
      }
    };
    if (Result<void> exchanged = exchange(); !exchanged) return give_up(exchanged.error());
    compaction.exchanged();
  }
  if (*turn != Compaction::Turn::done) return std::optional<Offset>{};
  const Offset reached = compaction.cleaned_end();
  parts.compaction.reset();
  return std::optional{reached};
}

/// From the commit on, a failure leaves what only an opening can tell apart.
Result<void> PartitionLog::Parts::exchange(Compaction& round) {
  Storage& storage = ports.storage;
  const Offset base = round.replacement()->base();
  {
    const std::lock_guard turn(sync_turn);
    // A gap above what is proven to be synced counts as a torn tail.
    if (const Result<void> proven = mark->make_durable(Offset{synced_end}); !proven) return fail(proven.error());
  }
  if (Result<void> prepared = prepare_swap(storage, directory, base); !prepared) return prepared;
  if (Result<void> committed = commit_swap(storage, directory, base); !committed) return fail(committed.error());
  put_in_list(round);
  std::vector<Offset> replaced;
  std::ranges::transform(round.replaced(), std::back_inserter(replaced), [](const auto& segment) { return segment->base(); });
  if (Result<void> placed = put_in_place(storage, directory, replaced, set_aside); !placed) return fail(placed.error());
  return {};
}

/// The start may have moved up since the round looked at it: what has left the list is not to take the new one's files along.
void PartitionLog::Parts::put_in_list(const Compaction& round) {
  const std::lock_guard lock(trimmed_mutex);
  if (segments.exchange(round.replaced(), round.replacement())) std::erase(trimmed, round.replacement()->base());
  // What is in the new one was read whole, and what a reader has found in the old ones since means nothing in the new file.
  for (const std::shared_ptr<Segment>& segment : round.replaced()) damage.forget(segment->file_name());
}

}  // namespace lungo
