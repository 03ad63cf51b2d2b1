// The input of the target `partition`, as files on a disk.
#pragma once

#include <array>
#include <map>
#include <optional>
#include <vector>

#include <lungo/log/partition_log.hpp>

#include "damage.hpp"
#include "segment.hpp"
#include "segment_directory.hpp"
#include "stream_run_files.hpp"
#include "stream_run_reader.hpp"
#include "tests/fuzz/fuzz_input.hpp"

namespace lungo::test {

inline constexpr const char* kPartitionDirectory = "topic-0";

enum PartitionFlag : std::uint8_t {
  kMend = 1,  // the CRCs of batches, digests and snapshots, and of `damage`
  kStreams = 2,
  kGaps = 4,
  kReadOnly = 8,
  kClean = 16,  // stopped cleanly, behind the last byte of the last segment's batches
};

inline constexpr std::array<std::string_view, 4> kSegmentSuffixes{".log", ".index", ".timeindex", ".streams"};
inline constexpr std::array<std::string_view, 3> kPartitionFiles{"synced-end", "leader-epoch-checkpoint", "damage"};
inline constexpr std::uint8_t kFirstLaterKind = 2 * kSegmentSuffixes.size() + kPartitionFiles.size();

/// Those that came later, so that what is in the corpus keeps its meaning.
struct LaterFile {
  bool of_second = false;
  std::string_view suffix;
};
inline constexpr std::array kLaterFiles{
    LaterFile{false, ".digest"},      LaterFile{true, ".digest"},      LaterFile{false, ".snapshot"},
    LaterFile{true, ".snapshot"},     LaterFile{false, ".log.swap"},   LaterFile{true, ".log.swap"},
    LaterFile{false, ".digest.swap"}, LaterFile{false, ".index.swap"}, LaterFile{false, ".log.cleaned"},
    LaterFile{true, ".log.cleaned"},  LaterFile{false, ".log.deleted"}};

/// Of a section: those of the segment at 0, of the second one, then the partition's, then the later ones. Other kinds begin
/// again, as if there were no later ones.
inline std::string partition_file_name(std::uint8_t kind, Offset second_base) {
  if (kind >= kFirstLaterKind && kind < kFirstLaterKind + kLaterFiles.size()) {
    const LaterFile& file = kLaterFiles[kind - kFirstLaterKind];
    return segment_file_name(file.of_second ? second_base : Offset{0}, file.suffix);
  }
  const std::size_t number = kind % kFirstLaterKind;
  if (number >= 2 * kSegmentSuffixes.size()) return std::string(kPartitionFiles[number - 2 * kSegmentSuffixes.size()]);
  const Offset base = number < kSegmentSuffixes.size() ? Offset{0} : second_base;
  return segment_file_name(base, kSegmentSuffixes[number % kSegmentSuffixes.size()]);
}

/// A stream run goes by what it says that it covers, or it would never be looked into.
inline std::string stream_run_file_name(Storage& storage, BytesView bytes, Offset second_base) {
  const std::string probe = std::string(kPartitionDirectory) + "/probe.tmp";
  put_file(storage, probe, bytes);
  const Result<std::shared_ptr<const StreamRunReader>> run = StreamRunReader::open(storage, probe);
  if (run && (*run)->origin().begin < (*run)->origin().end) {
    return to_file_name({.begin = (*run)->origin().begin, .end = (*run)->origin().end});
  }
  return to_file_name({.begin = Offset{0}, .end = second_base.next()});
}

struct PartitionFiles {
  PartitionOptions options;
  std::optional<CleanEnd> clean;
  Offset recovery_point;
  std::uint64_t bytes = 0;
  bool has_producers = false;
  // No crash and no rot leaves them: a batch that was mended claims offsets of the next one, or damage is on record where none
  // can be. What is read then depends on where the reading begins.
  bool are_odd = false;
  bool has_streams = false;  // given, and so of another log for all that is known: a run is held against its last batch only
};

/// What a clean stop would have noted.
inline CleanEnd clean_end_of(BytesView log, Offset base) {
  CleanEnd clean{.end = base, .last_batch_crc = 0};
  while (const Result<BatchHeader> header = parse_batch_header(log)) {
    if (header->size_bytes() > log.size()) break;
    clean = {.end = header->end_offset(), .last_batch_crc = header->crc};
    log = log.subspan(header->size_bytes());
  }
  return clean;
}

inline void mend(std::string_view name, Bytes& bytes) {
  if (name.find(kLogSuffix) != std::string_view::npos) mend_batches(bytes);
  if (name.find(kDigestSuffix) != std::string_view::npos) mend_digest(bytes);
  if (name.ends_with(kSnapshotSuffix)) mend_producer_snapshot(bytes);
  if (name == DamageList::kFileName) mend_property_file(bytes);
}

/// Whether a batch that was given another CRC reaches over the one behind it.
inline bool claims_too_much(BytesView given, BytesView mended) {
  std::optional<Offset> claimed_end;
  for (std::size_t at = 0; at < mended.size();) {
    const Result<BatchHeader> header = parse_batch_header(mended.subspan(at));
    if (!header || (claimed_end && header->base_offset < *claimed_end)) return header.has_value();
    if (header->size_bytes() > mended.size() - at) return false;
    const Result<BatchHeader> before = parse_batch_header(given.subspan(at));
    claimed_end = before && before->crc != header->crc ? std::optional{header->end_offset()} : std::nullopt;
    at += header->size_bytes();
  }
  return false;
}

/// Makes true what is on record as damaged, as mending has made it whole. False where that can't be damage: it does not begin
/// and end at batches of these offsets.
inline bool spoil_noted_damage(Storage& storage) {
  const Result<DamageList> noted = DamageList::read(storage, kPartitionDirectory);
  bool fits = true;
  for (const DamagedRange& range : noted ? noted->ranges() : std::vector<DamagedRange>{}) {
    const std::string path = std::string(kPartitionDirectory) + "/" + range.file;
    Result<Bytes> bytes = read_file(storage, path, 1u << 20);
    if (!bytes) return false;
    std::map<std::uint64_t, Offset> borders;
    std::vector<std::uint64_t> inside;
    for (std::uint64_t at = 0; at < bytes->size();) {
      const Result<BatchHeader> header = parse_batch_header(BytesView{*bytes}.subspan(at));
      if (!header || header->size_bytes() > bytes->size() - at) break;
      borders.try_emplace(at, header->base_offset);
      if (range.position <= at && at - range.position < range.bytes) inside.push_back(at);
      at += header->size_bytes();
      borders[at] = header->end_offset();
    }
    const auto begin = borders.find(range.position);
    const auto end = borders.find(range.position + range.bytes);
    fits = fits && begin != borders.end() && end != borders.end() && begin->second <= range.from && end->second == range.end;
    for (const std::uint64_t at : inside) (*bytes)[at + batch_layout::kCrcAt] ^= std::byte{1};
    put_file(storage, path, *bytes);
  }
  return fits;
}

inline PartitionFiles put_partition_files(Storage& storage, BytesView input) {
  FuzzInput fields{input};
  const std::uint8_t flags = fields.byte();
  PartitionFiles files;
  files.options.segment_bytes = 4096;
  files.options.index_interval_bytes = 200;
  files.options.gaps = (flags & kGaps) != 0;
  files.options.streams = (flags & kStreams) != 0 && !files.options.gaps;
  files.options.read_only = (flags & kReadOnly) != 0;
  files.recovery_point = Offset{fields.byte()};
  files.options.start = Offset{fields.byte()};
  const Offset second_base{fields.byte()};
  CleanEnd clean{.end = Offset{0}, .last_batch_crc = 0};
  storage.make_directories(kPartitionDirectory).value();
  while (!fields.empty()) {
    FuzzInput::Section section = fields.section();
    std::string name = partition_file_name(section.kind, second_base);
    const Bytes given = section.bytes;
    if ((flags & kMend) != 0) mend(name, section.bytes);
    files.are_odd = files.are_odd || claims_too_much(given, section.bytes);
    if (name.ends_with(".log")) {
      const CleanEnd end = clean_end_of(section.bytes, segment_base(name, ".log").value());
      if (end.end >= clean.end) clean = end;
    }
    if (name.ends_with(kStreamsSuffix)) {
      name = stream_run_file_name(storage, section.bytes, second_base);
      files.has_streams = true;
    }
    files.has_producers = files.has_producers || name.ends_with(kSnapshotSuffix);
    files.bytes += section.bytes.size();
    put_file(storage, std::string(kPartitionDirectory) + "/" + name, section.bytes);
  }
  if (!spoil_noted_damage(storage)) files.are_odd = true;
  if ((flags & kClean) == 0) return files;
  files.clean = clean;
  files.recovery_point = std::min(files.recovery_point, clean.end);
  return files;
}

}  // namespace lungo::test
