// Appends that begin a new segment each, while another thread syncs a thousand times a second: what the one of thousands waits
// for that is the first of its segment. The raw side makes one file, reserves its room and writes the same bytes. No peer
// begins a file that its reader goes on in: RocksDB's next write-ahead log flushes all that lies in memory, SQLite's checkpoint
// copies what it holds, LMDB has one file for ever.
#include <lungo/log/local_event_log.hpp>
#include <lungo/log/partition_log.hpp>

#include <memory>
#include <thread>
#include <vector>

#include "cases.hpp"
#include "harness.hpp"
#include "lungo_store.hpp"
#include "raw_file.hpp"
#include "synced_load.hpp"

namespace lungo::bench {
namespace {

constexpr int kRolls = 80;
constexpr std::chrono::microseconds kLoadPace{1'000};  // not so much that the processor is what a roll waits for
constexpr std::uint64_t kSegmentBytes = PartitionOptions{}.made_ahead_bytes_min;  // smaller ones are made at the roll
constexpr std::size_t kRecords = 5'000;  // of 100 bytes: two batches do not fit one segment
constexpr std::size_t kBatchBytes = 546'000;
constexpr std::chrono::milliseconds kPause{15};  // so that what is made ahead can be made: at 64 MiB a segment this is 2 GB/s

template <class Work>
void timed(Histogram& times, Work work) {
  times.add(static_cast<std::uint64_t>(seconds_of(work) * 1e9));
}

}  // namespace

void roll(const std::string& directory) {
  const std::string value(100, 'v');
  const TopicPartition measured{"rolled", PartitionId{0}};
  const std::shared_ptr<EventLog> log = open_local(directory + "/lungo").value();
  TopicSpec spec = topic_spec(measured.topic, Durability::written);
  spec.segment_bytes = kSegmentBytes;
  static_cast<void>(log->create_topic(spec).value());

  SyncedLoad load(*log, kLoadPace);
  Histogram lungo_times;
  Histogram raw_times;
  std::vector<std::unique_ptr<RawFile>> files;
  const Bytes batch(kBatchBytes);
  for (int i = 0; i < kRolls; ++i) {
    AppendRequest request = request_of(measured, value, kRecords, true);
    timed(lungo_times, [&] { static_cast<void>(append_wait(*log, std::move(request)).value()); });
    std::this_thread::sleep_for(kPause);
    timed(raw_times, [&] {
      files.push_back(std::make_unique<RawFile>(directory + "/raw" + std::to_string(i)));
      files.back()->reserve(kSegmentBytes);
      files.back()->append(batch);
    });
    std::this_thread::sleep_for(kPause);
  }
  load.stop();
  print("roll.latency", {{"lungo", &lungo_times}, {"raw", &raw_times}});
}

}  // namespace lungo::bench
