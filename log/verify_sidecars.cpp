#include "verify_sidecars.hpp"

#include <algorithm>

#include "key_hash.hpp"
#include "producer_snapshot.hpp"
#include "segment.hpp"
#include "segment_directory.hpp"
#include "stream_run_cursor.hpp"

namespace lungo {
namespace {

constexpr std::uint64_t kEpochFileBytesMax = 16u << 20;

}  // namespace

// ---- epochs ----

void EpochCheck::add(const BatchHeader& batch) {
  if (seen_.empty() || batch.epoch > seen_.back().epoch) seen_.push_back({batch.epoch, batch.base_offset, batch.end_offset()});
  seen_.back().end = batch.end_offset();
}

Result<void> EpochCheck::finish(Storage& storage, const std::string& directory, Offset proven, const TakeFault& take) const {
  const std::string name = EpochHistory::kFileName;
  const Result<Bytes> text = read_file(storage, directory + "/" + name, kEpochFileBytesMax);
  if (!text && text.error() == Errc::not_found) {
    if (!seen_.empty() && seen_.front().first < proven)
      take(FaultSeverity::note, name, "is not there; it is made anew from the batches");
    return {};
  }
  if (!text && text.error() != Errc::too_large) return text.error();
  Result<std::vector<EpochStart>> noted =
      text ? EpochHistory::parse(as_text(*text)) : Result<std::vector<EpochStart>>{text.error()};
  if (!noted) {
    take(FaultSeverity::warning, name, std::string(noted.error().text()));
    return {};
  }
  EpochHistory history;
  history.assign(std::move(*noted));
  for (const Seen& seen : seen_) {
    const EpochSpan span = history.span_at(seen.first);
    if (seen.first >= proven || (span.epoch == seen.epoch && span.end >= std::min(seen.end, proven))) continue;
    take(FaultSeverity::warning, name,
         "does not say that offset " + std::to_string(seen.first.value()) + " is of epoch " +
             std::to_string(seen.epoch.value()));
    return {};
  }
  return {};
}

// ---- producers ----

Result<void> SnapshotCheck::begin(Storage& storage, const std::string& directory, const TakeFault& take) {
  const Result<std::vector<DirEntry>> entries = storage.list(directory);
  if (!entries) return entries.error();
  for (const DirEntry& entry : *entries) {
    const std::optional<Offset> base = segment_base(entry.name, kSnapshotSuffix);
    if (!base) continue;
    const std::string path = directory + "/" + entry.name;
    const Result<Bytes> bytes = read_file(storage, path, kSnapshotBytesMax);
    if (!bytes && bytes.error() == Errc::not_found) continue;  // a writer was quicker
    if (!bytes && bytes.error() != Errc::too_large) return bytes.error();
    const Result<std::vector<Producer>> producers =
        bytes ? parse_producer_snapshot(path, *base, *bytes) : Result<std::vector<Producer>>{bytes.error()};
    if (!producers) {
      take(FaultSeverity::warning, entry.name, std::string(producers.error().text()));
      continue;
    }
    files_.emplace_back(entry.name, *base);
    for (const Producer& producer : *producers) {
      if (producer.known().empty()) continue;
      const ProducedBatch& last = producer.known().back();
      unmet_.emplace(last.last, Named{producer.id.value(), producer.epoch, last.last_sequence, entry.name});
    }
  }
  return {};
}

void SnapshotCheck::add(const BatchHeader& batch) {
  if (unmet_.empty() || batch.producer == kNoProducer) return;
  const auto [begin, end] = unmet_.equal_range(batch.end_offset().plus(-1));
  for (auto named = begin; named != end;) {
    const bool is_it = named->second.producer == batch.producer.value() && named->second.epoch == batch.producer_epoch &&
                       named->second.last_sequence == sequence_after(batch.base_sequence, batch.last_offset_delta);
    named = is_it ? unmet_.erase(named) : std::next(named);
  }
}

void SnapshotCheck::finish(Offset begin, Offset end, bool is_whole, const TakeFault& take) const {
  for (const auto& [file, base] : files_) {
    if (base > end) take(FaultSeverity::warning, file, "speaks of records above the end; it goes at the next opening");
  }
  if (!is_whole) return;
  for (const auto& [last, named] : unmet_) {
    if (last < begin || last >= end) continue;
    take(FaultSeverity::warning, named.file,
         "no batch of producer " + std::to_string(named.producer) + " ends at offset " + std::to_string(last.value()));
    return;
  }
}

// ---- stream runs ----

namespace {

/// splitmix64, so that two records that changed their places don't cancel each other.
std::uint64_t record_hash(std::uint64_t key_hash, Offset offset) {
  std::uint64_t mixed = key_hash ^ (static_cast<std::uint64_t>(offset.value()) * 0x9e3779b97f4a7c15ULL);
  mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9ULL;
  mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebULL;
  return mixed ^ (mixed >> 31);
}

}  // namespace

void StreamRunCheck::Sum::add(std::uint64_t key_hash, Offset offset) {
  hash += record_hash(key_hash, offset);
  ++records;
}

Result<void> StreamRunCheck::begin(Storage& storage, const std::string& directory, Offset from, bool gaps) {
  from_ = from;
  gaps_ = gaps;
  const Result<std::vector<StreamRunName>> names = list_stream_runs(storage, directory);
  if (!names) return names.error();
  for (const StreamRunName& name : *names) runs_.push_back({name, {}, {}});
  return {};
}

void StreamRunCheck::add(const RecordView& record) {
  if (!record.has_key || record.offset < from_) return;
  const std::uint64_t hash = key_hash(as_text(record.key));
  for (Run& run : runs_) {
    if (run.name.begin > record.offset || record.offset >= run.name.end) continue;
    run.sum.add(hash, record.offset);
    if (gaps_) run.records.push_back(record_hash(hash, record.offset));
  }
}

Result<void> StreamRunCheck::for_each_record(Storage& storage, const std::string& path, Offset from, const TakeRecord& take) {
  const Result<std::shared_ptr<const StreamRunReader>> run = StreamRunReader::open(storage, path);
  if (!run) return run.error();
  StreamRunCursor cursor{*run};
  for (;;) {
    const Result<bool> more = cursor.next();
    if (!more) return more.error();
    if (!*more) return {};
    const Result<bool> filtered = (*run)->may_hold(cursor.stream().hash);
    if (!filtered) return filtered.error();
    if (!*filtered) return (*run)->corrupt("the filter denies a stream that is there");
    for (;;) {
      const Result<std::optional<Offset>> offset = cursor.next_record();
      if (!offset) return offset.error();
      if (!*offset) break;
      if (**offset >= from) take(cursor.stream().hash, **offset);
    }
  }
}

/// Whether the file has what it is to have.
Result<bool> StreamRunCheck::agrees(Storage& storage, const std::string& path, Offset from, const Run& run, bool gaps) {
  std::vector<std::uint64_t> wanted = run.records;
  std::ranges::sort(wanted);
  Sum sum;
  std::size_t met = 0;
  const Result<void> read = for_each_record(storage, path, from, [&](std::uint64_t key_hash, Offset offset) {
    sum.add(key_hash, offset);
    if (gaps && std::ranges::binary_search(wanted, record_hash(key_hash, offset))) ++met;
  });
  if (!read) return read.error();
  return gaps ? met == wanted.size() : sum == run.sum;
}

Result<void> StreamRunCheck::finish(Storage& storage, const std::string& directory, Offset end, bool is_whole,
                                    const TakeFault& take) const {
  for (const Run& run : runs_) {
    const std::string file = to_file_name(run.name);
    const Result<bool> agreed = agrees(storage, directory + "/" + file, from_, run, gaps_);
    if (!agreed && agreed.error() == Errc::not_found) continue;  // merged meanwhile
    if (!agreed && agreed.error() == Errc::io) return agreed.error();
    if (!agreed) {
      take(FaultSeverity::warning, file, std::string(agreed.error().text()));
    } else if (is_whole && run.name.end <= end && !*agreed) {
      take(FaultSeverity::warning, file, "has not the records of its range");
    }
  }
  return {};
}

}  // namespace lungo
