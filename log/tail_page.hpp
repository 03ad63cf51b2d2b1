// `DIR/tail`: start and committed end of every partition, for other processes that read a live directory.
//
// Little-endian; every number is a slot that checks itself, so that a reader beside the writer never takes a torn one:
//
//   page    = magic:8 ("lungtail") major:uint32 (=2) zero:uint32 incarnation:slot places:slot changes:slot place*
//   place   = start:slot end:slot
//   slot    = value:uint64 complement:uint64 (every bit of value flipped)
//
// Which place is whose says `lungo.topics` (topics_file.hpp); one that belongs to nobody holds no slots. The incarnation is the
// epoch of the writer, which puts a new file in the place of the one before; `changes` counts what it has done to the topics:
// when it moves, `lungo.topics` is worth a look. Nothing here is synced or needed for recovery: after a power cut the page may
// hold anything, so a reader takes no more from it than the segments can show. Version 1 had `end:slot` for a place, in the
// order of the partitions in `lungo.topics`, and no incarnation while a writer filled it; it is read, never written. Threads:
// TailWriter::publish() and publish_start() from any, one at a time per place; the rest from one at a time.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <lungo/log/storage.hpp>

namespace lungo {

/// More than there are partitions in any directory.
inline constexpr std::size_t kTailPlacesMax = 4u << 20;

/// What the page says of a partition. What is absent was never published, or was being written.
struct TailPlace {
  std::optional<Offset> start;
  std::optional<Offset> end;
  friend bool operator==(const TailPlace&, const TailPlace&) = default;
};

class TailWriter {
 public:
  /// Makes the page hold `places` for a writer of epoch `incarnation`. Errors: no_space, io.
  static Result<std::unique_ptr<TailWriter>> open(Storage& storage, const std::string& path, LeaderEpoch incarnation,
                                                  const std::vector<TailPlace>& places);

  /// A failure is logged once: readers then lag behind, nothing else suffers.
  void publish(std::size_t place, Offset committed);
  void publish_start(std::size_t place, Offset start);
  /// Tells readers that topics have come, changed or gone, so many times.
  void publish_changes(std::int64_t changes);
  /// Tells readers that there are so many places, never fewer than before. New ones hold nothing until something is published.
  /// Errors: no_space, io.
  Result<void> extend_to(std::size_t places);

 private:
  TailWriter(std::unique_ptr<File> file, std::string path) : file_(std::move(file)), path_(std::move(path)) {}
  void write_slot(std::uint64_t position, std::int64_t value);

  const std::unique_ptr<File> file_;
  const std::string path_;
  std::atomic<bool> failure_logged_{false};
};

/// What a reader found.
struct TailState {
  std::optional<LeaderEpoch> incarnation;  // absent after a power cut, and in a page of version 1 while a writer starts
  std::optional<std::int64_t> changes;     // absent: none
  std::vector<TailPlace> places;           // up to the last that the page has got: those behind it hold nothing
  bool in_order = false;  // a page of version 1: the n-th place is the n-th partition's, whatever `lungo.topics` says
};

/// Reads the page. Errors: not_found; corrupt for another magic; newer_format; io.
Result<TailState> read_tail(Storage& storage, const std::string& path);

/// What the page says of one place alone.
struct TailOfPlace {
  std::optional<LeaderEpoch> incarnation;
  TailPlace place;
};
/// Reads no more than that. Errors: as read_tail(); unsupported for a page of version 1.
Result<TailOfPlace> read_tail_of(Storage& storage, const std::string& path, std::size_t place);

}  // namespace lungo
