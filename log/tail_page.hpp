// `DIR/tail`: the committed end of every partition, for other processes that read a live directory.
//
// Little-endian; every number is a slot that checks itself, so that a reader beside the writer never takes a torn one:
//
//   page    = magic:8 ("lungtail") major:uint32 reserved:uint32 incarnation:slot partitions:slot reserved:16 end:slot*
//   slot    = value:uint64 complement:uint64 (every bit of value flipped)
//
// The n-th `end` belongs to the n-th partition in the order of `lungo.topics`. The incarnation is the epoch of the writer; it
// is no valid slot while a new writer fills the page. Nothing here is synced or needed for recovery: after a power cut the page
// may hold anything, so a reader takes no more from it than the segments can show. Threads: TailWriter::publish() from any, one
// at a time per slot; the rest from one.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <lungo/log/storage.hpp>

namespace lungo {

class TailWriter {
 public:
  /// Makes the page hold `ends` for a writer of epoch `incarnation`. Errors: no_space, io.
  static Result<std::unique_ptr<TailWriter>> open(Storage& storage, const std::string& path, LeaderEpoch incarnation,
                                                  const std::vector<Offset>& ends);

  /// A failure is logged once: readers then lag behind, nothing else suffers.
  void publish(std::size_t partition, Offset committed);
  /// Tells readers of more partitions; their slots are no valid ones until the first publish(). Errors: no_space, io.
  Result<void> extend_to(std::size_t partitions);

 private:
  TailWriter(std::unique_ptr<File> file, std::string path) : file_(std::move(file)), path_(std::move(path)) {}

  const std::unique_ptr<File> file_;
  const std::string path_;
  std::atomic<bool> failure_logged_{false};
};

/// What a reader found. An absent end was never published, or was being written.
struct TailState {
  std::optional<LeaderEpoch> incarnation;  // absent while a writer starts
  std::vector<std::optional<Offset>> ends;
};

/// Reads the page. Errors: not_found; corrupt for another magic; newer_format; io.
Result<TailState> read_tail(Storage& storage, const std::string& path);

}  // namespace lungo
