// Finding records of one key through the stream indexes, each hit checked against the record's own key.
//
// Threads: an object serves one call on one thread; it works on a snapshot of the segments and may be made for each call.
#pragma once

#include <functional>
#include <optional>
#include <string_view>

#include <lungo/log/event_log.hpp>

#include "buffer_pool.hpp"
#include "epoch_history.hpp"
#include "segment_list.hpp"

namespace lungo {

class RecordLookup {
 public:
  /// `segments` hold [start, end), and more of the batch at the start; all references outlive the object.
  RecordLookup(std::shared_ptr<const Segments> segments, Offset start, Offset end, const EpochHistory& epochs,
               BufferPool& buffers);

  /// The record at `offset`; the view holds until the next call. Null where it was compacted away. Errors: corrupt, unsupported
  /// codec, io.
  Result<const RecordView*> load(Offset offset);
  /// One past the last record of the batch that load() or latest() read last.
  [[nodiscard]] Offset loaded_batch_end() const { return run_.end; }

  /// The latest record in [begin, end) with this key that `accept` takes, if any. Errors: corrupt, io.
  Result<std::optional<Offset>> latest(std::string_view key, Offset begin,
                                       const std::function<bool(const RecordView&)>& accept);

  /// Records with this key in [begin, end), ascending, copied out. Errors: corrupt, io.
  Result<KeyRecords> collect(std::string_view key, Offset begin, std::size_t records_max);

 private:
  Result<std::vector<Offset>> candidates(std::size_t segment, std::uint64_t hash, Offset begin) const;

  const std::shared_ptr<const Segments> segments_;
  const Offset start_;
  const Offset end_;
  const EpochHistory& epochs_;
  BufferPool& buffers_;

  // The batch that was read last, as the next record is often in it.
  BatchRun run_;
  Offset run_begin_;
  std::optional<RecordCursor> cursor_;
  Offset cursor_at_;
};

/// The record's key; nothing where it is null.
std::optional<std::string_view> key_of(const RecordView& record);

/// The value of the record's `l.id` header.
std::optional<std::string_view> id_of(const RecordView& record);

}  // namespace lungo
