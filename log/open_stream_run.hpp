// The run that is still open: which records belong to which key hash, in memory, until it is written as a stream run.
//
// For every record with a key its hash, offset, place and the one before it with the same hash; an open-addressing table leads
// from a hash to the latest. So a record costs 20 bytes and 6 to 12 for the table: 3.7 MB when it is full.
// Threads: none of its own; the owner guards it.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include <lungo/log/storage.hpp>

#include "stream_run_format.hpp"

namespace lungo {

class OpenStreamRun {
 public:
  static constexpr std::size_t kRecordsMax = 128u << 10;  // with a key

  explicit OpenStreamRun(Offset begin, std::size_t records_max = kRecordsMax)
      : records_max_(records_max), begin_(begin), end_(begin) {}

  /// Adds the record at `offset`, which is not below end(); offsets that were passed have no record. kNoKeyHash for one without
  /// a key. `place`: where its batch begins in its segment file.
  void add(Offset offset, std::uint64_t hash, std::uint32_t place);
  /// No record lies in [end(), end).
  void pass(Offset end);

  [[nodiscard]] Offset begin() const { return begin_; }
  [[nodiscard]] Offset end() const { return end_; }
  /// Time to write it. Looked at after each batch, so it holds its most and a batch.
  [[nodiscard]] bool full() const;
  [[nodiscard]] std::size_t resident_bytes() const;

  /// The last record with this hash.
  [[nodiscard]] std::optional<StreamHead> head(std::uint64_t hash) const;
  /// Appends the offsets in [begin, end) with this hash, ascending; only the first `limit` of them.
  void find(std::uint64_t hash, Offset begin, Offset end, std::size_t limit, std::vector<Offset>& out) const;
  /// Hands those in [begin, end) to `take`, from the latest back, at most `limit`, with the places of their batches.
  void walk_back(std::uint64_t hash, Offset begin, Offset end, std::size_t limit,
                 const std::function<void(Offset, std::uint32_t)>& take) const;

  /// Writes it as a run; `batch_crc` and `epoch` are those of the batch that ends at end(). Errors: no_space, io; corrupt where
  /// the disk gives back something else.
  Result<void> write(Storage& storage, const std::string& path, std::uint32_t batch_crc, LeaderEpoch epoch, bool durable) const;

 private:
  static constexpr std::uint32_t kNone = std::numeric_limits<std::uint32_t>::max();

  [[nodiscard]] std::size_t slot_of(std::uint64_t hash) const;
  [[nodiscard]] std::uint32_t latest_of(std::uint64_t hash) const;
  [[nodiscard]] Offset offset_of(std::uint32_t record) const { return begin_.plus(relative_[record]); }
  void grow();
  void make_room();

  std::size_t records_max_;
  Offset begin_;
  Offset end_;
  std::vector<std::uint32_t> latest_;  // by slot; kNone: free
  std::size_t used_ = 0;               // slots
  // By record with a key.
  std::vector<std::uint64_t> hashes_;
  std::vector<std::uint32_t> relative_;  // offsets
  std::vector<std::uint32_t> places_;
  std::vector<std::uint32_t> previous_;
};

}  // namespace lungo
