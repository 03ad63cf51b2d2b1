// Walks a segment's file for the eyes of somebody who doubts it: batch after batch, and on behind damage. Trusts nothing, no
// index and no name; for reading only. Threads: one.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include <lungo/log/record_batch.hpp>
#include <lungo/log/storage.hpp>

namespace lungo {

/// A batch whose header makes sense.
struct WalkedBatch {
  BatchHeader header;
  std::uint64_t position = 0;
  bool crc_holds = false;
  std::string fault;  // of what the CRC does not cover: offsets or epochs that go back; empty when all is well
  BytesView bytes;    // the whole batch, where its CRC holds; until the call returns
};

/// Bytes that are no batch.
struct WalkedDamage {
  std::uint64_t position = 0;
  std::uint64_t bytes = 0;
  std::string what;
  bool at_the_end = false;  // nothing follows: a torn tail, or an append that is under way
};

struct WalkCounts {
  std::uint64_t batches = 0;
  std::uint64_t records = 0;  // of batches whose CRC holds
  std::uint64_t damaged = 0;  // places, and batches with a wrong CRC or a fault
};

/// Either may return false to end the walk.
struct WalkVisitor {
  std::function<bool(const WalkedBatch&)> batch;
  std::function<bool(const WalkedDamage&)> damage;
};

/// `size` is how far to look. Memory: 1 MiB and the largest batch whose CRC holds. Errors: io.
Result<WalkCounts> walk_segment(File& file, std::uint64_t size, const WalkVisitor& visitor);

}  // namespace lungo
