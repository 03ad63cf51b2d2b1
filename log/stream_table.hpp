// Which records of one segment belong to which key hash, in memory: the stream index of a segment that is still written.
//
// Two arrays: an open-addressing table from hash to the latest record, and for every record the one before it with the same
// hash. So a record costs 4 bytes and a distinct key 12 bytes by the table's load (1/3 to 2/3).
// Threads: none of its own; segment_streams.hpp guards it.
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include <lungo/log/types.hpp>

namespace lungo {

/// A record in a stream index: sorted by hash, then by offset.
struct StreamEntry {
  std::uint64_t hash = 0;
  std::uint32_t relative_offset = 0;
  friend constexpr auto operator<=>(const StreamEntry&, const StreamEntry&) = default;
};

class StreamTable {
 public:
  explicit StreamTable(Offset base) : base_(base) {}

  /// Takes over a sorted run that covers [base, end).
  void load(std::span<const StreamEntry> sorted, Offset end);
  /// Adds the record at end(); kNoKeyHash for one without a key.
  void add(std::uint64_t hash);

  /// One past the last record that was added.
  [[nodiscard]] Offset end() const { return base_.plus(static_cast<std::int64_t>(previous_.size())); }
  /// Appends the offsets in [begin, end) with this hash, ascending.
  void find(std::uint64_t hash, Offset begin, Offset end, std::vector<Offset>& out) const;
  /// All records that have a key.
  [[nodiscard]] std::vector<StreamEntry> sorted() const;

 private:
  static constexpr std::uint32_t kNone = std::numeric_limits<std::uint32_t>::max();

  [[nodiscard]] std::size_t slot_of(std::uint64_t hash) const;
  void grow();

  Offset base_;
  std::vector<std::uint64_t> hashes_;    // by slot; kNoKeyHash: free
  std::vector<std::uint32_t> latest_;    // by slot
  std::vector<std::uint32_t> previous_;  // by record
  std::size_t used_ = 0;                 // slots
};

}  // namespace lungo
