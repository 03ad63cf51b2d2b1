// make_fuzz_corpus DIRECTORY: writes what the fuzzers begin with, DIRECTORY/TARGET/NAME. Real files of each kind, made by the
// code that writes them; the same on each run. What a fuzzer finds on top is added by hand, under the name of what it broke.
#include <filesystem>
#include <fstream>
#include <iostream>

#include <lungo/log/local_event_log.hpp>

#include "backup_manifest.hpp"
#include "base/compression.hpp"
#include "batch_compression.hpp"
#include "checkpoint_file.hpp"
#include "cleaned_ends.hpp"
#include "epoch_history.hpp"
#include "key_hash.hpp"
#include "log_starts.hpp"
#include "open_stream_run.hpp"
#include "producer_snapshot.hpp"
#include "segment_digest.hpp"
#include "sparse_index.hpp"
#include "stream_run_merge.hpp"
#include "tests/fuzz/directory_files.hpp"
#include "tests/fuzz/partition_files.hpp"
#include "tests/fuzz/targets.hpp"
#include "tests/support/quiet_log.hpp"
#include "tests/support/simulation.hpp"
#include "topics_file.hpp"

namespace lungo::test {
namespace {

constexpr std::uint64_t kFileBytesMax = 1u << 20;

class Corpus {
 public:
  explicit Corpus(std::filesystem::path directory) : directory_(std::move(directory)) {}

  void add(const char* target, const std::string& name, std::string_view front, BytesView bytes) const {
    std::filesystem::create_directories(directory_ / target);
    std::ofstream file{directory_ / target / name, std::ios::binary | std::ios::trunc};
    file << front << as_text(bytes);
  }

 private:
  std::filesystem::path directory_;
};

std::string letters(std::initializer_list<int> bytes) {
  std::string text;
  for (const int byte : bytes) text += static_cast<char>(byte);
  return text;
}

std::string section(std::size_t kind, BytesView bytes) {
  return letters({static_cast<int>(kind), static_cast<int>(bytes.size() & 0xff), static_cast<int>(bytes.size() >> 8)}) +
         std::string(as_text(bytes));
}

EncodedRecords some_records(int count, int seed) {
  EncodedRecords records;
  for (int i = 0; i < count; ++i) {
    const std::string key = "k" + std::to_string((i + seed) % 5);
    const std::string value = "value " + std::to_string(seed) + std::string(static_cast<std::size_t>(i % 7) * 5, 'v');
    const HeaderView id{.name = kIdHeader, .value = as_bytes(value)};
    RecordFields fields{
        .timestamp = Timestamp{std::chrono::milliseconds{1000 + 10 * i + seed}}, .key = {}, .value = {}, .headers = {}};
    if (i % 4 != 3) fields.key = as_bytes(key);
    if (i % 5 != 4) fields.value = as_bytes(value);
    if (i % 3 == 0) fields.headers = {&id, 1};
    records.add(fields).value();
  }
  return records;
}

void batches(const Corpus& corpus) {
  EncodedRecords records = some_records(12, 1);
  const BytesView plain = records.stamp(Offset{3}, LeaderEpoch{2});
  corpus.add("record_batch", "plain", letters({0, 0}), plain);
  corpus.add("record_batch", "from_the_middle", letters({8, 1}), plain);
  Bytes run(plain.begin(), plain.end());
  for (int codec = 1; codec <= 4; ++codec) {
    EncodedRecords alike = some_records(30, 1);
    Bytes room;
    const BytesView packed = compressed_batch(alike.stamp(Offset{3}, LeaderEpoch{2}), static_cast<Compression>(codec), room);
    const std::string name{to_string(static_cast<Compression>(codec))};
    corpus.add("record_batch", name, letters({0, codec - 1}), packed);
    run.insert(run.end(), packed.begin(), packed.end());
    const std::string text = std::string(300, 'a') + "some more text, some more";
    Bytes compressed;
    compress(static_cast<Compression>(codec), as_bytes(text), compressed).value();
    corpus.add("compression", name, letters({codec - 1}), compressed);
  }
  corpus.add("record_batch", "run", letters({0, 2}), run);
}

/// As mirror_batch_target.cpp takes them apart.
void mirror_batches(const Corpus& corpus) {
  const auto record = [](int hole, int flags, std::string_view bytes) {
    return letters({hole, flags, 101, static_cast<int>(bytes.size())}) + std::string(bytes);
  };
  corpus.add("mirror_batch", "no_records", letters({7, 10}), as_bytes(letters({240})));
  std::string holes = letters({10, 100});
  for (const int hole : {0, 8, 0, 40, 247}) holes += record(hole, 3, "key value");
  corpus.add("mirror_batch", "holes", holes, as_bytes(letters({16})));
  std::string nulls = letters({0, 100});
  for (int flags = 0; flags < 16; ++flags) nulls += record(0, flags, flags % 2 == 0 ? "" : "bytes");
  corpus.add("mirror_batch", "null_and_empty", nulls, as_bytes(letters({0})));
  std::string several = letters({0, 4});
  for (int i = 0; i < 20; ++i) several += record(i % 3 * 8, 3, std::string(static_cast<std::size_t>(i) * 7, 'v'));
  corpus.add("mirror_batch", "several", several, as_bytes(letters({8})));
  std::string wide = letters({1, 50});
  for (const int hole : {255, 0, 254, 253}) wide += record(hole, 3, "k");
  corpus.add("mirror_batch", "wider_than_a_batch", wide, as_bytes(letters({255})));
}

Bytes file_of(Storage& storage, const std::string& path) {
  const Result<Bytes> bytes = read_file(storage, path, kFileBytesMax);
  return bytes ? *bytes : Bytes{};
}

SegmentDigest digest_of(BytesView log) {
  HeaderDigest digest{Offset{0}};
  while (!log.empty()) {
    const BatchHeader header = parse_batch_header(log).value();
    digest.add(header, log.first(kBatchHeaderBytes));
    log = log.subspan(header.size_bytes());
  }
  return digest.finish(1);
}

std::vector<Producer> some_producers() {
  std::vector<Producer> producers(3);
  for (std::size_t i = 0; i < producers.size(); ++i) {
    producers[i].id = ProducerId{static_cast<std::int64_t>(i * 7)};
    producers[i].epoch = static_cast<std::int16_t>(i);
    producers[i].seen = Timestamp{std::chrono::milliseconds{1000 + i}};
    if (i > 0) producers[i].add({.last_sequence = 5, .last = Offset{40}, .offset_delta = 2});
  }
  producers[2].transaction = Offset{38};
  return producers;
}

std::string later_section(bool of_second, std::string_view suffix, BytesView bytes) {
  const auto found = std::ranges::find_if(
      kLaterFiles, [&](const LaterFile& file) { return file.of_second == of_second && file.suffix == suffix; });
  return section(kFirstLaterKind + static_cast<std::size_t>(found - kLaterFiles.begin()), bytes);
}

/// The same with files that not every partition has: digests, snapshots, and what an interrupted exchange leaves.
void partition_with_more(const Corpus& corpus, const std::string& sections, BytesView first_log, int base) {
  const std::string front = letters({kGaps | kMend, 0, 0, base});
  const Bytes digest = format_digest(digest_of(first_log));
  const std::string snapshot = later_section(true, ".snapshot", format_producer_snapshot(some_producers()));
  corpus.add("partition", "digest", front, as_bytes(sections + later_section(false, ".digest", digest)));
  corpus.add("partition", "snapshot", front, as_bytes(sections + snapshot));
  const BytesView cleaned = first_log.first(parse_batch_header(first_log)->size_bytes());
  const std::string swap = later_section(false, ".log.swap", cleaned) +
                           later_section(false, ".digest.swap", format_digest(digest_of(cleaned))) +
                           later_section(false, ".index.swap", {}) + later_section(false, ".log.deleted", first_log);
  corpus.add("partition", "swap", front, as_bytes(sections + swap));
  corpus.add("partition", "cleaned", front, as_bytes(sections + swap + later_section(false, ".log.cleaned", cleaned)));
}

/// A partition of two segments as its writer leaves it, with the flags of the target.
void partition(const Corpus& corpus, const std::string& name, int flags, Compression compression) {
  Simulation machine{1};
  PartitionOptions options;
  options.segment_bytes = 2000;
  options.index_interval_bytes = 200;
  options.streams = (flags & kStreams) != 0;
  options.compression = compression;
  const auto log = PartitionLog::open(machine.ports(), kPartitionDirectory, options, std::nullopt, Offset{0}).value();
  std::string sections;
  for (int i = 0; log->segments().size() < 2 || i % 3 != 0; ++i) {
    EncodedRecords records = some_records(1 + i % 4, i);
    GroupItem item{.records = &records, .condition = nullptr, .since = {}, .outcome = {}};
    log->append({&item, 1}, LeaderEpoch{i / 5});
    item.outcome->value();
    log->sync().value();
  }
  const Offset second_base = log->segments().back().base;
  log->close().value();
  for (const StreamRunName& run : list_stream_runs(machine.disk, kPartitionDirectory).value()) {
    sections += section(3, file_of(machine.disk, std::string(kPartitionDirectory) + "/" + to_file_name(run)));
  }
  const std::size_t runs = sections.size();
  for (std::uint8_t kind = 0; kind < 10; ++kind) {
    const Bytes bytes = file_of(machine.disk, std::string(kPartitionDirectory) + "/" + partition_file_name(kind, second_base));
    if (!bytes.empty()) sections += section(kind, bytes);
  }
  const auto base = static_cast<int>(second_base.value());
  corpus.add("partition", name, letters({flags | kMend, 0, 0, base}), as_bytes(sections));
  corpus.add("partition", name + "_clean", letters({flags | kClean, base, 2, base}), as_bytes(sections));
  const Bytes first_log = file_of(machine.disk, std::string(kPartitionDirectory) + "/" + partition_file_name(0, second_base));
  const BatchHeader first = parse_batch_header(first_log).value();
  const BatchHeader second = parse_batch_header(BytesView{first_log}.subspan(first.size_bytes())).value();
  const std::string damage = "lungo-damage 1\nrange=" + std::to_string(second.base_offset.value()) + " " +
                             std::to_string(second.end_offset().value()) + " " + partition_file_name(0, second_base) + " " +
                             std::to_string(first.size_bytes()) + " " + std::to_string(second.size_bytes()) + "\n";
  corpus.add("partition", name + "_damaged", letters({flags | kMend, base + 1, 0, base}),
             as_bytes(sections + section(10, as_bytes(damage))));
  corpus.add("partition", name + "_start_above_the_end", letters({flags | kClean, base, 200, base}), as_bytes(sections));
  if ((flags & kGaps) != 0) partition_with_more(corpus, sections, first_log, base);
  if (runs > 0) corpus.add("partition", name + "_without_runs", letters({flags, 0, 0, base}), as_bytes(sections.substr(runs)));
  corpus.add("partition", name + "_torn", letters({flags | kMend, 0, 0, base}), as_bytes(sections.substr(runs, 700)));
}

template <class Entry>
void index(const Corpus& corpus, const char* name, int kind, const Entry& step) {
  SimDisk disk;
  const auto index = SparseIndex<Entry>::open(disk, "index", OpenMode::create).value();
  for (int i = 1; i <= 600; ++i) {
    Entry entry = step;
    entry.relative_offset = step.relative_offset * i;
    if constexpr (std::is_same_v<Entry, TimeEntry>) entry.timestamp = step.timestamp * i;
    if constexpr (std::is_same_v<Entry, OffsetEntry>) entry.position = step.position * i;
    index->append(entry).value();
  }
  corpus.add("sparse_index", name, letters({kind, 0, 0, 0, 0, 0, 0, 1, 7}), file_of(disk, "index"));
  corpus.add("sparse_index", std::string(name) + "_short", letters({kind, 0, 0, 0, 0, 0, 0, 1, 7}),
             BytesView{file_of(disk, "index")}.first(5 * Entry::kBytes));
}

std::vector<TopicEntry> some_topics() {
  std::vector<TopicEntry> topics(2);
  topics[0].info.spec.name = "topic";
  topics[0].info.spec.partitions = 1;
  topics[0].info.id.bytes.fill(7);
  topics[1].info.spec.name = "other";
  topics[1].info.spec.partitions = 1;
  topics[1].info.spec.ack_level = AckLevel::isr;
  topics[1].info.spec.retention_bytes = 5000;
  topics[1].info.spec.retention_age = std::chrono::hours{7};
  topics[1].info.spec.segment_age = std::chrono::hours{1};
  topics[1].info.spec.compression = Compression::zstd;
  topics[1].unknown = {{"later.setting", "7"}};
  topics[1].info.id.bytes.fill(8);
  give_tail_places(topics, 3);
  return topics;
}

/// Without its last line, which the target adds.
BytesView unmended(std::string_view property_file) { return as_bytes(property_file.substr(0, property_file.rfind("crc32c="))); }

void texts(const Corpus& corpus) {
  const std::string topics = format_topics(some_topics());
  corpus.add("text_files", "topics", letters({0x80}), unmended(topics));
  corpus.add("text_files", "topics_whole", letters({0}), as_bytes(topics));
  corpus.add("text_files", "properties", letters({0x81}), as_bytes("lungo-kind 1\nkey=1\nsome.key=-77\n"));
  const std::string checkpoint =
      format_checkpoint({{{"topic", PartitionId{0}}, Offset{7}}, {{"other", PartitionId{1}}, Offset{0}}});
  corpus.add("text_files", "checkpoint", letters({2}), as_bytes(checkpoint));
  corpus.add("text_files", "starts", letters({0x85}), unmended(format_log_starts({{{"topic", PartitionId{1}}, Offset{7}}})));
  const std::string cleaned = format_cleaned_ends({{{"topic", PartitionId{1}}, {Offset{7}, Offset{5}}}});
  corpus.add("text_files", "cleaned", letters({0x86}), unmended(cleaned));
  const std::string epochs = EpochHistory::to_text({{LeaderEpoch{0}, Offset{0}}, {LeaderEpoch{3}, Offset{70}}});
  corpus.add("text_files", "epochs", letters({3}), as_bytes(epochs));
  const BackupManifest manifest{
      .directory_id = "pQ3OX3PmQVaKq0vTAnT1cw",
      .epoch = 3,
      .taken_ms = 1000,
      .files = {{.path = "topic-0/00000000000000000000.log", .size = 75, .hash = std::string(32, 'a')}},
      .partitions = {{"topic-0", Offset{0}, Offset{3}, 77}},
      .damage = {{"topic-0", Offset{1}, Offset{2}}}};
  corpus.add("text_files", "manifest", letters({0x87}), unmended(format_manifest(manifest)));
  corpus.add("text_files", "partition_metadata", letters({4}), as_bytes(format_partition_metadata(some_topics()[0].info.id)));
}

/// A data directory, and pieces of it that the targets for single files take.
void directory(const Corpus& corpus) {
  Simulation machine{1};
  const Ports ports = machine.ports();
  LocalOptions options;
  options.ports = &ports;
  auto log = open_local("/data", options).value();
  for (const std::string name : {"topic", "other"}) {
    TopicSpec spec;
    spec.name = name;
    spec.partitions = 1;
    log->create_topic(spec).value();
    for (int i = 0; i < 6; ++i) {
      AppendRequest request;
      request.to = {name, PartitionId{0}};
      request.records = some_records(3, i);
      append_wait(*log, std::move(request)).value();
    }
  }
  log->delete_records({"topic", PartitionId{0}}, Offset{4}).value();
  const auto pack = [&machine](bool with_ours) {
    std::string sections;
    for (std::size_t kind = 0; kind < kDirectoryFiles.size(); ++kind) {
      const std::string_view name = kDirectoryFiles[kind];
      const Bytes bytes = file_of(machine.disk, "/data/" + std::string(name));
      const bool is_ours = name.starts_with("lungo.");
      if (bytes.empty() || (is_ours && !with_ours)) continue;
      sections += section(kind, is_ours ? unmended(as_text(bytes)) : BytesView{bytes});
    }
    return sections;
  };
  corpus.add("directory", "running", letters({1}), as_bytes(pack(true)));
  corpus.add("slot_files", "tail", letters({0}), file_of(machine.disk, "/data/tail"));
  corpus.add("slot_files", "mark", letters({1}), file_of(machine.disk, "/data/topic-0/synced-end"));
  corpus.add("slot_files", "digest", letters({2}),
             format_digest({.base = Offset{3}, .end = Offset{9}, .bytes = 700, .batches = 2}));
  log.reset();
  corpus.add("directory", "stopped", letters({1}), as_bytes(pack(true)));
  corpus.add("directory", "kafka", letters({1}), as_bytes(pack(false) + section(6, as_bytes("version=1\nbroker.id=1\n"))));
  corpus.add("directory", "empty", letters({1}), {});
}

void stream_runs(const Corpus& corpus) {
  SimDisk disk;
  Random random{7};
  StreamRunMerge::Runs runs;
  Offset at{100};
  for (int number = 0; number < 2; ++number) {
    OpenStreamRun open{at};
    for (int i = 0; i < 200; ++i) {
      const std::uint64_t stream = random.below(30);
      open.add(open.end(), stream < 15 ? 5 : stream * 0x9e3779b97f4a7c15, static_cast<std::uint32_t>(i * 100));
    }
    const std::string path = "run" + std::to_string(number);
    open.write(disk, path, 77, LeaderEpoch{number}, false).value();
    corpus.add("stream_run", path, letters({1}), file_of(disk, path));
    runs.push_back(StreamRunReader::open(disk, path).value());
    at = open.end();
  }
  const auto merge = StreamRunMerge::begin(disk, "merged", runs, Offset{150}).value();
  while (!merge->step(kFileBytesMax).value()) continue;
  corpus.add("stream_run", "merged", letters({0}), file_of(disk, "merged"));
}

void producer_snapshots(const Corpus& corpus) {
  const Bytes bytes = format_producer_snapshot(some_producers());
  for (const int asked : {0, 1, 0x54}) {
    corpus.add("producer_snapshot", "three_" + std::to_string(asked), letters({50, asked}), bytes);
  }
  corpus.add("producer_snapshot", "none", letters({0, 0}), format_producer_snapshot({}));
}

}  // namespace
}  // namespace lungo::test

int main(int count, char** arguments) {
  using namespace lungo::test;
  if (count != 2) {
    std::cerr << "usage: make_fuzz_corpus DIRECTORY\n";
    return 2;
  }
  const SilentLog quiet;
  const Corpus corpus{arguments[1]};
  batches(corpus);
  partition(corpus, "plain", 0, lungo::Compression::none);
  partition(corpus, "streams", kStreams, lungo::Compression::none);
  partition(corpus, "gaps", kGaps, lungo::Compression::none);
  partition(corpus, "packed", kReadOnly, lungo::Compression::lz4);
  index<lungo::OffsetEntry>(corpus, "offsets", 0, {.relative_offset = 10, .position = 4000});
  index<lungo::TimeEntry>(corpus, "times", 1, {.timestamp = 1000, .relative_offset = 10});
  texts(corpus);
  directory(corpus);
  stream_runs(corpus);
  producer_snapshots(corpus);
  mirror_batches(corpus);
  return 0;
}
