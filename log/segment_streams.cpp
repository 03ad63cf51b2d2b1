#include "segment_streams.hpp"

#include <utility>

#include "base/logger.hpp"
#include "key_hash.hpp"
#include "segment.hpp"
#include "segment_directory.hpp"

namespace lungo {

SegmentStreams::SegmentStreams(Storage& storage, const std::string& directory, const Segment& segment, bool read_only)
    : storage_(storage),
      segment_(segment),
      path_(directory + "/" + segment_file_name(segment.base(), kStreamsSuffix)),
      read_only_(read_only) {
  if (segment.size() == 0) table_ = std::make_unique<StreamTable>(segment.base());
}

void SegmentStreams::add(Offset first, std::span<const std::uint64_t> hashes) {
  const std::lock_guard lock(mutex_);
  if (table_ == nullptr || table_->end() != first) return;
  for (const std::uint64_t hash : hashes) table_->add(hash);
}

Result<void> SegmentStreams::find(std::uint64_t hash, Offset begin, Offset end, std::optional<Offset> sealed_end,
                                  std::vector<Offset>& out) {
  for (;;) {
    std::shared_ptr<const StreamRun> run;
    {
      const std::lock_guard lock(mutex_);
      run = run_;
      if (run == nullptr && table_ != nullptr && table_->end() >= end) {
        table_->find(hash, begin, end, out);
        return {};
      }
    }
    if (run != nullptr) {
      const std::size_t before = out.size();
      Result<void> found = run->find(hash, begin, end, out);
      if (found || found.error() != Errc::corrupt) return found;
      logger()->warn("stream index is made anew: {}", found.error().text());
      out.resize(before);
      const std::lock_guard lock(mutex_);
      run_.reset();
      run_is_bad_ = true;
    }
    const std::lock_guard one_builder(building_);
    if (Result<void> built = build(end, sealed_end); !built) return built;
  }
}

// CRC of the batch that ends at `end`: what tells this history from another.
Result<StreamRun::Origin> SegmentStreams::origin_at(Offset end) const {
  StreamRun::Origin origin{.base = segment_.base(), .end = end, .batch_crc = 0};
  if (end == origin.base) return origin;
  const Result<std::optional<BatchHeader>> batch = segment_.batch_holding(end.plus(-1));
  if (!batch) return batch.error();
  if (*batch && (*batch)->end_offset() == end) origin.batch_crc = (*batch)->crc;
  return origin;
}

// The run on disk if it belongs to this segment's records; null otherwise.
Result<std::shared_ptr<const StreamRun>> SegmentStreams::load_run() const {
  Result<std::shared_ptr<const StreamRun>> run = StreamRun::open(storage_, path_);
  if (!run) {
    const Errc code = run.error().code();
    const bool is_to_be_made = code == Errc::not_found || code == Errc::corrupt || code == Errc::newer_format;
    return is_to_be_made ? Result<std::shared_ptr<const StreamRun>>{std::shared_ptr<const StreamRun>{}} : run;
  }
  const Result<StreamRun::Origin> origin = origin_at((*run)->origin().end);
  if (!origin) return origin.error();
  return (*run)->origin() == *origin ? run : Result<std::shared_ptr<const StreamRun>>{std::shared_ptr<const StreamRun>{}};
}

// Called with building_ held. Afterwards the run is there, or a table that reaches `end`.
Result<void> SegmentStreams::build(Offset end, std::optional<Offset> sealed_end) {
  if (Result<void> started = start_table(sealed_end); !started) return started;
  {
    const std::lock_guard lock(mutex_);
    if (run_ != nullptr) return {};
  }
  if (Result<void> read = read_log(sealed_end.value_or(end)); !read) return read;
  if (!sealed_end || read_only_) return {};
  if (Result<void> written = write_run(*sealed_end); !written) {
    logger()->warn("stream index stays in memory: {}", written.error().text());
    return {};
  }
  Result<std::shared_ptr<const StreamRun>> run = StreamRun::open(storage_, path_);
  if (!run) return {};  // the table serves as well
  const std::lock_guard lock(mutex_);
  run_ = std::move(*run);
  run_is_bad_ = false;
  table_.reset();
  return {};
}

// Takes over what the run on disk covers: the whole of a sealed segment, or the front of one that is written.
Result<void> SegmentStreams::start_table(std::optional<Offset> sealed_end) {
  bool run_is_bad = false;
  {
    const std::lock_guard lock(mutex_);
    if (run_ != nullptr || (table_ != nullptr && !read_only_)) return {};
    if (table_ != nullptr && !sealed_end) return {};
    run_is_bad = run_is_bad_;
  }
  Result<std::shared_ptr<const StreamRun>> run{std::shared_ptr<const StreamRun>{}};
  if (!run_is_bad) run = load_run();
  if (!run) return run.error();
  if (*run && sealed_end && (*run)->origin().end == *sealed_end) {
    const std::lock_guard lock(mutex_);
    run_ = std::move(*run);
    table_.reset();
    return {};
  }
  auto table = std::make_unique<StreamTable>(segment_.base());
  if (*run) {
    const Result<std::vector<StreamEntry>> entries = (*run)->entries();
    if (!entries && entries.error() != Errc::corrupt) return entries.error();
    if (entries) table->load(*entries, (*run)->origin().end);
  }
  const std::lock_guard lock(mutex_);
  if (table_ == nullptr) table_ = std::move(table);
  return {};
}

// Extends the table to `end`. The log is read without the lock: a table that is behind gets nothing from the owner meanwhile.
Result<void> SegmentStreams::read_log(Offset end) {
  Offset from;
  {
    const std::lock_guard lock(mutex_);
    from = table_->end();
  }
  if (from >= end) return {};
  std::vector<std::uint64_t> hashes;
  // The table counts offsets: those that are missing from a compacted segment have no key.
  const auto fill_up_to = [&](Offset offset) { hashes.resize(static_cast<std::size_t>(offset - from), kNoKeyHash); };
  const Result<void> read = segment_.scan_records(from, end, [&](const RecordView& record) {
    fill_up_to(record.offset);
    hashes.push_back(record.has_key ? key_hash(as_text(record.key)) : kNoKeyHash);
  });
  if (!read) return read.error();
  if (from.plus(static_cast<std::int64_t>(hashes.size())) < end) fill_up_to(end);
  add(from, hashes);
  return {};
}

Result<void> SegmentStreams::write_run(Offset end) {
  std::vector<StreamEntry> entries;
  {
    const std::lock_guard lock(mutex_);
    entries = table_->sorted();
  }
  const Result<StreamRun::Origin> origin = origin_at(end);
  if (!origin) return origin.error();
  return StreamRun::write(storage_, path_, *origin, entries);
}

Result<void> SegmentStreams::seal(Offset end) {
  const std::lock_guard one_builder(building_);
  return build(end, end);
}

Result<void> SegmentStreams::save(Offset end) {
  if (read_only_) return {};
  const std::lock_guard one_builder(building_);
  if (Result<void> built = build(end, std::nullopt); !built) return built;
  return write_run(end);
}

}  // namespace lungo
