// Which sealed segments of a partition have no digest yet, and the one that is being made.
//
// A segment's digest is made by going over it once, in bounded steps: over its headers where everything was checked since the
// opening, as it is after an append or a recovery, and with CRCs where not. One in which something is damaged gets none.
// Threads: one at a time.
#pragma once

#include <memory>
#include <optional>

#include "segment_digest.hpp"
#include "segment_list.hpp"

namespace lungo {

/// Goes over a segment, whose size does not change any more, from its beginning to its end.
class SegmentPass {
 public:
  SegmentPass(std::shared_ptr<Segment> segment, BatchScanner::Depth depth);

  /// Goes on over about so many bytes; true at the end. Errors: corrupt: at() is what is damaged, or lies behind it; io.
  Result<bool> step(std::uint64_t bytes);
  [[nodiscard]] const std::shared_ptr<Segment>& segment() const { return segment_; }
  [[nodiscard]] BatchScanner::Depth depth() const { return depth_; }
  /// The offset up to which it has come.
  [[nodiscard]] Offset at() const { return scan_.expected(); }
  [[nodiscard]] std::uint64_t position() const { return scan_.position(); }
  [[nodiscard]] SegmentDigest digest() const { return digest_.finish(); }

 private:
  const std::shared_ptr<Segment> segment_;
  const BatchScanner::Depth depth_;
  BatchScanner scan_;
  HeaderDigest digest_;
};

class MissingDigests {
 public:
  /// What to go over; null: nothing by now. Of the sealed segments in `list` those that are followed by one at or below
  /// `synced_names`, whose names are on disk. `looks` at the disk are what it may take. Errors: io.
  Result<SegmentPass*> next(Storage& storage, const std::string& directory, const Segments& list, Offset synced_names,
                            int looks);
  /// The one under way is done with, whatever came of it.
  void done();
  /// Segments that reach above `end` are about to change.
  void forget_from(Offset end);
  /// Whether all that were sealed by the last look have been seen to.
  [[nodiscard]] bool all_seen() const { return all_seen_; }

 private:
  std::unique_ptr<SegmentPass> pass_;
  Offset seen_;  // sealed segments with a base below it have their digest, or can't have one
  bool all_seen_ = false;
};

}  // namespace lungo
