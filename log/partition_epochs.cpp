// PartitionLog, when a batch disagrees with the history of epochs and all else about it is good: which of the two has rotted?
//
// `leader-epoch-checkpoint` has no checksum, and a batch's epoch is outside of its own. Where the batch has rotted it is alone,
// and the history fits the batches at which its entries begin. A digit of the history moves or renames an epoch: then several
// batches in a row disagree, and an entry does not begin at the first batch of its epoch. What can't be told apart, one batch
// only between the two borders, counts as damage.

#include "base/logger.hpp"
#include "partition_parts.hpp"

namespace lungo {

namespace {

/// The batch that holds `offset`, or the first one behind it.
std::optional<BatchHeader> batch_at(const Segments& list, Offset offset) {
  for (std::size_t i = segment_index(list, offset).value_or(0); i < list.size(); ++i) {
    const Result<std::optional<BatchHeader>> header = list[i]->batch_holding(std::max(offset, list[i]->base()));
    if (!header) return std::nullopt;
    if (*header) return *header;
  }
  return std::nullopt;
}

}  // namespace

bool PartitionLog::Parts::relearn_rotten_epochs(const Segments& list, const DamagedRange& odd) {
  const Offset first{start};
  const auto disagrees = [&](Offset offset) {
    const std::optional<BatchHeader> header = batch_at(list, offset);
    return header && header->epoch != epochs.epoch_at(std::max(header->base_offset, first));
  };
  const bool is_alone = !disagrees(odd.end) && (odd.from <= first || !disagrees(odd.from.plus(-1)));
  if (is_alone || history_fits(list, odd.from)) return false;

  // The end first: what is appended behind it may lie in segments that are not in the list, and has told its epochs itself.
  const Offset end{written_end};
  const std::shared_ptr<const Segments> now = segments.snapshot();
  if (now->empty()) return false;
  EpochHistory learnt;
  for (const std::shared_ptr<Segment>& segment : *now) {
    const auto note = [&](const BatchHeader& header) {
      if (header.base_offset < end) learnt.note(header.epoch, header.base_offset);
    };
    if (!segment->walk_headers(note)) return false;
  }
  logger()->warn("{}: {} does not fit the batches, and is made anew", directory, EpochHistory::kFileName);
  epochs.replace(now->front()->base(), end, learnt.entries());
  return true;
}

/// Whether the entries on both sides of `offset` begin with the first batch of their epoch.
bool PartitionLog::Parts::history_fits(const Segments& list, Offset offset) const {
  const Offset first{start};
  const std::vector<EpochStart> entries = epochs.entries();
  const auto begins_well = [&](const EpochStart& entry) {
    const std::optional<BatchHeader> header = batch_at(list, std::max(entry.start, first));
    if (!header) return true;
    if (header->epoch != entry.epoch) return false;
    if (entry.start <= first) return true;
    const std::optional<BatchHeader> before = batch_at(list, entry.start.plus(-1));
    return !before || before->end_offset() > entry.start || before->epoch < entry.epoch;
  };
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const bool holds_it = entries[i].start <= offset && (i + 1 == entries.size() || entries[i + 1].start > offset);
    const bool is_next = entries[i].start > offset && (i == 0 || entries[i - 1].start <= offset);
    if ((holds_it || is_next) && !begins_well(entries[i])) return false;
  }
  return !entries.empty() && entries.front().start <= std::max(offset, first);
}

}  // namespace lungo
