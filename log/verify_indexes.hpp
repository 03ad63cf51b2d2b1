// A segment's index files against its batches, as these go by. Threads: one.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "sparse_index.hpp"
#include "verify.hpp"

namespace lungo {

/// Which entries are to be met. What an index lacks costs time and no more, so that is a finding only of a sealed segment that
/// Lungo wrote; each entry that is there has to name a batch.
class IndexCheck {
 public:
  struct Files {
    std::optional<Bytes> offsets;  // nothing: there is no such file
    std::optional<Bytes> times;
  };
  /// `interval` is that of PartitionOptions.
  IndexCheck(Offset base, Files files, std::uint32_t interval);

  void add(const BatchHeader& batch, std::uint64_t position);
  /// What is wrong, file by file: its suffix, and what. `is_whole`: the segment is sealed and without damage; `has_all`: it is
  /// to have every entry that Lungo writes.
  struct Fault {
    std::string_view suffix;
    std::string what;
  };
  [[nodiscard]] std::vector<Fault> finish(bool is_whole, bool has_all) const;

 private:
  void add_offset(std::int32_t last, std::uint64_t position, std::uint64_t bytes);
  void add_time(std::int32_t last, std::int64_t time);

  const Offset base_;
  const Files files_;
  const std::uint32_t interval_;
  std::vector<OffsetEntry> offsets_;
  std::vector<TimeEntry> times_;
  std::string offsets_fault_;  // of the file as it is
  std::string times_fault_;

  std::size_t offsets_met_ = 0;
  std::size_t times_met_ = 0;
  std::uint64_t bytes_since_entry_ = 0;
  std::size_t offsets_missing_ = 0;
  std::optional<TimeEntry> largest_;
};

}  // namespace lungo
