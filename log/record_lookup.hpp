// Finding records of one key through the stream indexes, each hit checked against the record's own key.
//
// Threads: an object serves one call on one thread; it works on a snapshot of the segments and may be made for each call.
#pragma once

#include <functional>
#include <optional>
#include <string_view>

#include <lungo/log/event_log.hpp>

#include "buffer_pool.hpp"
#include "damage.hpp"
#include "epoch_history.hpp"
#include "segment_list.hpp"
#include "stream_index.hpp"

namespace lungo {

class RecordLookup {
 public:
  /// What it works on; all of it outlives the look-up.
  struct Log {
    const std::string& directory;
    StreamIndex* streams;  // null as long as nothing is looked for by key
    const EpochHistory& epochs;
    BufferPool& buffers;
    bool gaps = false;  // records may be missing
    /// A batch at this offset of the segment is not good: true when the history of epochs was not, and was made anew.
    std::function<bool(const Segments&, std::size_t, Offset)> relearn = {};
  };
  /// `segments` hold [start, end), and more of the batch at the start; `damage`, which may be null, is what is lost of them.
  RecordLookup(const Log& log, std::shared_ptr<const Segments> segments, Offset start, Offset end,
               std::shared_ptr<const DamageList> damage);

  /// The record at `offset`, null when it is missing; the view holds until the next call. `place`: where its batch begins in
  /// the segment file, perhaps. Errors: corrupt, unsupported codec, io.
  Result<const RecordView*> load(Offset offset, std::optional<std::uint32_t> place = std::nullopt);
  /// One past the last record of the batch that load() or latest() read last.
  [[nodiscard]] Offset loaded_batch_end() const { return run_.end; }

  /// Why no look-up may go on below the last record that is lost in [begin, end); nothing when none is.
  [[nodiscard]] std::optional<Error> damage_in(Offset begin) const;

  /// The latest record in [begin, end) with this key that `accept` takes, if any. Errors: corrupt, also when there is none
  /// behind a record that is lost; io.
  Result<std::optional<Offset>> latest(std::string_view key, Offset begin,
                                       const std::function<bool(const RecordView&)>& accept);

  /// Records with this key in [begin, end), ascending, copied out: up to a record that is lost, if that is not the first thing
  /// in the way. Errors: corrupt, io.
  Result<KeyRecords> collect(std::string_view key, Offset begin, std::size_t records_max);

 private:
  Result<BatchRun> read(Offset offset, std::optional<std::uint32_t> place);
  Result<std::optional<Offset>> latest_behind(Offset begin, std::string_view key,
                                              const std::function<bool(const RecordView&)>& accept);

  const Log log_;
  const std::shared_ptr<const Segments> segments_;
  const Offset start_;
  const Offset end_;
  const std::shared_ptr<const DamageList> damage_;  // null: none

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
