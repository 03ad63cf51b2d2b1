// Appends at a steady 10,000 a second while another thread appends and syncs up to as many, and a topic is compacted all the
// while: how long the slowest ones take. Peers append as many a second under the same disturbance, a fifth of the time each.
#include <lungo/log/local_event_log.hpp>

#include <sys/prctl.h>

#include <chrono>
#include <stdexcept>
#include <stop_token>
#include <thread>

#include "cases.hpp"
#include "harness.hpp"
#include "lungo_store.hpp"
#include "raw_file.hpp"
#include "synced_load.hpp"

namespace lungo::bench {
namespace {

using std::chrono::steady_clock;

constexpr std::chrono::microseconds kPace{100};
constexpr std::chrono::microseconds kLoadPace{100};
constexpr int kSliceAppends = 2'500;
constexpr int kPeerSliceAppends = 500;
constexpr int kSlices = 4;

// From when an append was due, not from when it began: one that comes late because those before took long has waited.
template <class Append>
void slice(Histogram& times, int appends, Append append) {
  steady_clock::time_point due = steady_clock::now();
  for (int i = 0; i < appends; ++i) {
    due += kPace;
    std::this_thread::sleep_until(due);
    append();
    times.add(static_cast<std::uint64_t>(std::chrono::nanoseconds(steady_clock::now() - due).count()));
  }
}

// Updates of a few keys at a pace that keeps compaction at work from the first slice to the last.
class CompactedLoad {
 public:
  explicit CompactedLoad(EventLog& log) : log_(log) {
    TopicSpec spec = topic_spec(topic_.topic, Durability::written);
    spec.compact = true;
    spec.dirty_ratio_min = 0.01;
    spec.segment_bytes = 1u << 20;
    static_cast<void>(log.create_topic(spec).value());
  }

  void step() {
    AppendRequest request{.to = topic_, .caller_waits = true};
    for (int i = 0; i < kBatch; ++i) {
      const std::string key = "key " + std::to_string(updates_++ % kKeys);
      request.records.add({.timestamp = {}, .key = as_bytes(key), .value = as_bytes(value_), .headers = {}}).value();
    }
    static_cast<void>(append_wait(log_, std::move(request)).value());
    std::this_thread::sleep_for(kPause);
  }

  /// Records that compaction has taken away. Without rounds all that were written are still there.
  std::uint64_t taken_away() {
    std::uint64_t records = 0;
    for (Offset from{0};;) {
      const Fetched fetched = log_.read(topic_, from, 256u << 10).value();
      if (fetched.empty()) return updates_ - records;
      RecordCursor cursor = fetched.records();
      while (cursor.next() != nullptr) ++records;
      from = fetched.next().offset;
    }
  }

 private:
  static constexpr int kBatch = 500;
  static constexpr std::uint64_t kKeys = 20'000;
  static constexpr std::chrono::milliseconds kPause{20};  // 25,000 updates a second, a segment each 400 ms

  EventLog& log_;
  const TopicPartition topic_{"compacted", PartitionId{0}};
  const std::string value_ = std::string(100, 'c');
  std::uint64_t updates_ = 0;
};

}  // namespace

void paced(const std::string& directory) {
  const std::string value(100, 'v');
  const TopicPartition measured{"paced", PartitionId{0}};
  const std::shared_ptr<EventLog> log =
      open_local(directory + "/lungo", {.compaction_interval = std::chrono::milliseconds{50}}).value();
  static_cast<void>(log->create_topic(topic_spec(measured.topic, Durability::written)).value());
  const Peers peers(directory, Durability::written);
  RawFile raw(directory + "/raw", 64u << 20);
  const Bytes batch(171);

  SyncedLoad load(*log, kLoadPace);
  CompactedLoad compacted(*log);
  std::jthread updater([&](const std::stop_token& stop) {
    while (!stop.stop_requested()) compacted.step();
  });
  prctl(PR_SET_TIMERSLACK, 1UL);  // 50 us by default, half of the pace

  Histogram lungo_times, raw_times, rocksdb_times, lmdb_times, sqlite_times;
  for (int i = 0; i < kSlices; ++i) {
    slice(lungo_times, kSliceAppends,
          [&] { static_cast<void>(append_wait(*log, request_of(measured, value, 1, true)).value()); });
    slice(raw_times, kSliceAppends, [&] { raw.append(batch); });
    slice(rocksdb_times, kPeerSliceAppends, [&] { peers.rocksdb->append(value, 1); });
    slice(lmdb_times, kPeerSliceAppends, [&] { peers.lmdb->append(value, 1); });
    slice(sqlite_times, kPeerSliceAppends, [&] { peers.sqlite->append(value, 1); });
  }
  updater.request_stop();
  updater.join();
  load.stop();
  if (compacted.taken_away() == 0) throw std::runtime_error("nothing was compacted meanwhile");
  print("paced.latency", {{"lungo", &lungo_times},
                          {"raw", &raw_times},
                          {"rocksdb", &rocksdb_times},
                          {"lmdb", &lmdb_times},
                          {"sqlite", &sqlite_times}});
}

}  // namespace lungo::bench
