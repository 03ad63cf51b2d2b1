// Opening a data directory: after a process that died, and with many partitions after one that stopped cleanly.
//
// What lies idle are 3,000 partitions, of which 600 are touched then (LUNGO_BENCH_PARTITIONS says how many instead), and 600 of
// a stream topic, which are all touched. The goal is stated for 100,000, of which 10,000 are touched: that takes eight minutes,
// as two syncs go with each that is made. No peer has partitions: a database of its own for each, a column family or a table
// promises other things and costs others.
#include <lungo/log/local_event_log.hpp>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>

#include "cases.hpp"
#include "files.hpp"
#include "harness.hpp"
#include "lungo_store.hpp"
#include "raw_file.hpp"

namespace lungo::bench {
namespace {

constexpr std::int32_t kPartitions = 1'000;
constexpr std::int32_t kStreamPartitions = 600;

std::int32_t idle_partitions() {
  const char* const given = std::getenv("LUNGO_BENCH_PARTITIONS");
  return given != nullptr ? std::atoi(given) : 3'000;
}

// Each of them takes 32 KB on disk, and more than twenty in memory.
std::int32_t touched_partitions(std::int32_t idle) { return std::min(idle / 5, 10'000); }

double open_seconds(const std::string& directory, std::shared_ptr<EventLog>& log) {
  return seconds_of([&] { log = open_local(directory).value(); });
}

void make_partitions(EventLog& log, std::int32_t partitions) {
  static_cast<void>(log.create_topic(topic_spec("many", Durability::written, partitions)).value());
}

void append_to_each(EventLog& log, std::int32_t partitions) {
  const std::string value(100, 'v');
  for (std::int32_t i = 0; i < partitions; ++i) {
    static_cast<void>(append_wait(log, request_of({"many", PartitionId{i}}, value, 1, true)).value());
  }
}

// An event of a stream in each, as the framework appends it: with a condition and an id. Their index, and the ids that are kept
// for retries, are made with it.
void append_event_to_each(EventLog& log, std::int32_t partitions) {
  const std::string value(100, 'v');
  for (std::int32_t i = 0; i < partitions; ++i) {
    const std::string id = "event-" + std::to_string(i);
    const HeaderView header{.name = kIdHeader, .value = as_bytes(id)};
    AppendRequest request{.to = {"streams", PartitionId{i}}, .condition = Condition{"stream", Offset{0}}, .caller_waits = true};
    request.records
        .add({.timestamp = {}, .key = as_bytes(std::string_view("stream")), .value = as_bytes(value), .headers = {&header, 1}})
        .value();
    static_cast<void>(append_wait(log, std::move(request)).value());
    if (log.read_key({"streams", PartitionId{i}}, "stream", Offset{0}, Offset{1}, 1).value().records.empty()) {
      throw std::runtime_error("an event is not found by its stream");
    }
  }
}

void read_each(EventLog& log, std::int32_t partitions) {
  for (std::int32_t i = 0; i < partitions; ++i) {
    if (log.read({"many", PartitionId{i}}, Offset{0}, 4096).value().empty()) throw std::runtime_error("a partition is empty");
  }
}

struct Written {
  std::size_t appends = 0;
  std::size_t records = 0;  // each
  bool synced = false;
};

// So many bytes that the copies of each round stay below the limit of all that is written.
constexpr std::size_t kPeerAppends = 30;
constexpr std::size_t kPeerRecords = 500;

/// A peer's opening after its process died, too: what it has of a write-ahead log is replayed, for which it may write. LMDB has
/// none. Records count as the bytes that they take in a segment of ours.
Contestant peer_recovery(const Peer& peer, const std::string& directory, double record_bytes) {
  const std::string died = directory + "-" + peer.name;
  in_child_that_dies([&] {
    std::unique_ptr<Store> store = peer.open(died, Durability::written);
    for (std::size_t i = 0; i < kPeerAppends; ++i) store->append(std::string(100, 'v'), kPeerRecords);
    static_cast<void>(store.release());
  });
  return {peer.name,
          [peer, died, record_bytes] {
            constexpr std::size_t kRecords = kPeerAppends * kPeerRecords;
            const std::string copy = died + "-copy";
            std::filesystem::remove_all(copy);
            std::filesystem::copy(died, copy, std::filesystem::copy_options::recursive);
            for (const std::string& path : files_below(copy)) RawFile(path).sync();
            std::unique_ptr<Store> store;
            const double seconds = seconds_of([&] { store = peer.open(copy, Durability::written); });
            if (store->scan() != kRecords * 100) throw std::runtime_error("records are gone");
            return static_cast<double>(kRecords) * record_bytes / seconds / 1e6;
          },
          2};
}

/// What an opening can't be faster than: its segments read, and where nothing proves that they are on disk, written and synced,
/// too.
Contestant raw_recovery(const std::string& data, bool synced) {
  return {"raw", [data, synced] {
            const std::vector<std::string> segments = segments_below(data);
            if (synced) return raw_read_rate(segments);
            const std::string path = data + "-raw";
            std::filesystem::remove(path);
            RawFile copy(path, 64u << 20);
            std::uint64_t bytes = 0;
            const double seconds = seconds_of([&] {
              for (const std::string& segment : segments) {
                bytes += RawFile(segment).read([&](BytesView piece) {
                  copy.append(piece);
                  return piece.size();
                });
              }
              copy.sync();
            });
            return static_cast<double>(bytes) / seconds / 1e6;
          }};
}

// The benchmark syncs what was written: what is measured is the opening, not how long the disk takes for what a crash left.
void measure_recovery(std::string_view figure, const std::string& data, const Written& written, bool with_peers = false) {
  in_child_that_dies([&] {
    auto store = std::make_unique<LungoStore>(data, Durability::written);
    for (std::size_t i = 0; i < written.appends; ++i) store->append(std::string(100, 'v'), written.records);
    if (written.synced) store->sync();
    static_cast<void>(store.release());
  });
  std::uint64_t bytes = 0;
  for (const std::string& path : segments_below(data)) {
    RawFile(path).sync();
    bytes += std::filesystem::file_size(path);
  }
  const SmallFiles unclean(data);

  const auto megabytes_a_second = [&] {
    unclean.restore();
    std::shared_ptr<EventLog> log;
    const double seconds = open_seconds(data, log);
    const auto records = static_cast<std::int64_t>(written.appends * written.records);
    if (log->ends({"bench", PartitionId{0}}).value().committed < Offset{records}) throw std::runtime_error("records are gone");
    return static_cast<double>(bytes) / seconds / 1e6;
  };
  std::vector<Contestant> contestants{{"lungo", megabytes_a_second}, raw_recovery(data, written.synced)};
  if (with_peers) {
    const double record_bytes = static_cast<double>(bytes) / static_cast<double>(written.appends * written.records);
    for (const Peer& peer : kPeers) contestants.push_back(peer_recovery(peer, data, record_bytes));
  }
  compete(figure, "MB/s", 5, contestants);
}

}  // namespace

// One segment of a process that died before it noted a recovery point, so that the whole of it is scanned.
//   scan          batches of 500 records, all of which the process had synced: as after any crash but for the last milliseconds
//   scan_singles  the same in batches of one record each: 171 bytes
//   unsynced      nothing was synced: then it is written once more, as the page cache proves nothing, and synced: the
//                 disk says how fast that is, and the raw side does the same
void recovery(const std::string& directory) {
  constexpr std::size_t kBytes = 32'000'000;
  constexpr std::size_t kBatchBytes = 54'600;
  constexpr std::size_t kSingleBytes = 171;
  measure_recovery("recovery.scan", directory + "/scan", {.appends = kBytes / kBatchBytes, .records = 500, .synced = true},
                   true);
  measure_recovery("recovery.scan_singles", directory + "/singles",
                   {.appends = kBytes / kSingleBytes, .records = 1, .synced = true});
  measure_recovery("recovery.unsynced", directory + "/unsynced",
                   {.appends = kBytes / 8 / kBatchBytes, .records = 500, .synced = false});  // each round writes it
}

// The child that makes them stops cleanly and takes its heap with it, so that what this process grows by is the partitions'.
void partitions(const std::string& directory) {
  const std::string many = directory + "/many";
  const std::string idle = directory + "/idle";
  const std::int32_t idle_count = idle_partitions();
  const std::int32_t touched_count = touched_partitions(idle_count);
  in_child_that_dies([&] {
    const std::shared_ptr<EventLog> log = open_local(many).value();
    make_partitions(*log, kPartitions);
    append_to_each(*log, kPartitions);
  });
  in_child_that_dies([&] {
    const std::shared_ptr<EventLog> log = open_local(idle).value();
    make_partitions(*log, idle_count);
    TopicSpec streams = topic_spec("streams", Durability::written, kStreamPartitions);
    streams.streams = true;
    static_cast<void>(log->create_topic(streams).value());
  });

  std::shared_ptr<EventLog> log;
  const std::uint64_t before = resident_bytes();
  const double seconds = open_seconds(idle, log);
  const std::uint64_t opened = resident_bytes();
  append_to_each(*log, touched_count);
  read_each(*log, touched_count);
  const std::uint64_t touched = resident_bytes();
  append_event_to_each(*log, kStreamPartitions);
  const std::uint64_t with_streams = resident_bytes();
  const auto each = [](std::uint64_t grown, std::int32_t partitions) { return static_cast<double>(grown) / partitions; };
  print("partitions.idle_memory", "bytes/partition", {{"lungo", each(opened - before, idle_count + kStreamPartitions)}});
  print("partitions.touched_memory", "bytes/partition", {{"lungo", each(touched - opened, touched_count)}});
  print("partitions.touched_stream_memory", "bytes/partition", {{"lungo", each(with_streams - touched, kStreamPartitions)}});
  print("partitions.open_idle", "us/partition", {{"lungo", seconds / (idle_count + kStreamPartitions) * 1e6}});
  log.reset();

  compete("partitions.open_1000", "ms", 3, {{"lungo", [&] {
                                               log.reset();
                                               return open_seconds(many, log) * 1000;
                                             }}});
  compete("partitions.first_read", "us", 3, {{"lungo", [&] {
                                                log.reset();
                                                log = open_local(many).value();
                                                return seconds_of([&] { read_each(*log, kPartitions); }) / kPartitions * 1e6;
                                              }}});
}

}  // namespace lungo::bench
