// The input of the target `partition`, as files on a disk.
#pragma once

#include <array>

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
    if ((flags & kMend) != 0) mend(name, section.bytes);
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
  if ((flags & kClean) != 0) files.clean = clean;
  return files;
}

}  // namespace lungo::test
