// `BASE.snapshot`: what a partition knew of its producers when its log ended at BASE. Kafka's file, version 1.
//
//   snapshot = version:int16=1 crc:uint32 count:int32 entry*
//   entry    = producerId:int64 epoch:int16 lastSequence:int32 lastOffset:int64 offsetDelta:int32 timestamp:int64
//              coordinatorEpoch:int32 currentTxnFirstOffset:int64                                          46 bytes
//
// Big-endian; the CRC-32C covers everything from `count` on. Of each producer there is the last batch alone; where there is
// none lastSequence and lastOffset are -1 and offsetDelta is 0. No transaction: -1. `timestamp` is when the producer appended
// last; a broker writes the largest time of its last batch there. (Source: Kafka's ProducerStateManager,
// ProducerSnapshot.json.) Example, producer 7 of epoch 1, whose last batch has sequences 3 to 5 at offsets 40 to 42, at 1,000
// ms:
//
//   0001 6160c886 00000001  0000000000000007 0001 00000005 000000000000002a 00000002 00000000000003e8 ffffffff ffffffffffffffff
#pragma once

#include <string>
#include <vector>

#include "producer_state.hpp"

namespace lungo {

inline constexpr std::size_t kSnapshotHeadBytes = 10;
inline constexpr std::size_t kSnapshotEntryBytes = 46;
/// Room for four times as many producers as we keep.
inline constexpr std::size_t kSnapshotBytesMax = kSnapshotHeadBytes + kSnapshotEntryBytes * 4 * ProducerState::kProducersMax;

Bytes format_producer_snapshot(std::span<const Producer> producers);

/// Of the file at `path`, whose name says `base`. Errors: corrupt, also for another version and for offsets at or above `base`.
Result<std::vector<Producer>> parse_producer_snapshot(const std::string& path, Offset base, BytesView bytes);

}  // namespace lungo
