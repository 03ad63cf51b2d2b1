// Appends that are on disk when they return.
#include <atomic>
#include <latch>
#include <stdexcept>
#include <thread>
#include <vector>

#include "cases.hpp"
#include "harness.hpp"
#include "lungo_store.hpp"
#include "raw_file.hpp"

namespace lungo::bench {
namespace {

constexpr std::size_t kTogether = 64;
constexpr std::size_t kAloneAppends = 40;
constexpr std::size_t kTogetherAppends = kTogether * 20;
constexpr std::size_t kGroupBytes = 61 + kTogether * 108;  // 64 records of 100 bytes in one batch

double appends_a_second(Store& store, const std::string& value, std::size_t count, std::size_t appends) {
  return static_cast<double>(appends) / seconds_of([&] {
           for (std::size_t i = 0; i < appends; ++i) store.append(value, count);
         });
}

void one_thread(const std::string& directory, const std::string& figure, std::size_t count, std::size_t appends) {
  const std::string value(100, 'v');
  LungoStore lungo(directory + "/lungo", Durability::synced);
  const Peers peers(directory, Durability::synced);
  const auto raw = framed_store(directory + "/raw", Durability::synced, 64u << 20);
  const auto rate = [&](Store& store) {
    return [&store, &value, count, appends] {
      return static_cast<double>(count) * appends_a_second(store, value, count, appends);
    };
  };
  compete(figure, "records/s", 15,
          {{"lungo", rate(lungo)},
           {"raw", rate(*raw)},
           {"rocksdb", rate(*peers.rocksdb)},
           {"sqlite", rate(*peers.sqlite)},
           {"lmdb", rate(*peers.lmdb)}});
}

// The threads are there before the clock starts; it stops when the last of them is through.
double threads_appends_a_second(Store& store, const std::string& value, std::size_t appends_each) {
  std::atomic<bool> failed = false;
  std::latch ready(kTogether);
  std::latch go(1);
  std::vector<std::jthread> threads;
  for (std::size_t i = 0; i < kTogether; ++i) {
    threads.emplace_back([&] {
      ready.count_down();
      go.wait();
      try {
        for (std::size_t k = 0; k < appends_each; ++k) store.append(value, 1);
      } catch (const std::exception&) {
        failed = true;
      }
    });
  }
  ready.wait();
  const double seconds = seconds_of([&] {
    go.count_down();
    threads.clear();
  });
  if (failed) throw std::runtime_error("an append failed");
  return static_cast<double>(kTogether * appends_each) / seconds;
}

// Keeps 64 appends on their way: each completion submits the next one.
class Outstanding {
 public:
  Outstanding(LungoStore& store, const std::string& value) : store_(store), value_(value) {}

  double appends_a_second() {
    submitted_ = 0;
    done_ = 0;
    const double seconds = seconds_of([this] {
      for (std::size_t i = 0; i < kTogether; ++i) submit();
      for (std::size_t done = done_; done < kTogetherAppends; done = done_) done_.wait(done);
    });
    if (failed_) throw std::runtime_error("an append failed");
    return static_cast<double>(kTogetherAppends) / seconds;
  }

 private:
  void submit() {
    if (submitted_.fetch_add(1) >= kTogetherAppends) return;
    store_.append_async(value_, [this](const Result<Appended>& appended) {
      if (!appended) failed_ = true;
      submit();
      if (done_.fetch_add(1) + 1 == kTogetherAppends) done_.notify_one();
    });
  }

  LungoStore& store_;
  const std::string& value_;
  std::atomic<std::size_t> submitted_ = 0;
  std::atomic<std::size_t> done_ = 0;
  std::atomic<bool> failed_ = false;
};

/// What a group of 64 can't be faster than: their bytes in one write, and a sync.
Contestant raw_groups(RawFile& file) {
  return {"raw", [&file] {
            constexpr std::size_t kGroups = kTogetherAppends / kTogether;
            const Bytes group(kGroupBytes);
            return static_cast<double>(kGroups * kTogether) / seconds_of([&] {
                     for (std::size_t i = 0; i < kGroups; ++i) {
                       file.append(group);
                       file.sync();
                     }
                   });
          }};
}

}  // namespace

// Append by append in turns, so that a disk that slows down slows down both. The raw side is one page; `raw_two_files` writes
// 16 more bytes into another file without syncing it, as a log does that publishes its end to other processes.
void synced_latency(const std::string& directory) {
  constexpr int kAppends = 1'000;
  constexpr int kPeersOneIn = 5;
  constexpr int kWarmUp = 50;
  const std::string value(100, 'v');
  const Bytes page(4096);
  const Bytes end(16);
  LungoStore lungo(directory + "/lungo", Durability::synced);
  RawFile raw(directory + "/raw", 16u << 20);
  RawFile raw_log(directory + "/raw-log", 16u << 20);
  RawFile raw_end(directory + "/raw-end");

  const Peers peers(directory, Durability::synced);

  Histogram lungo_times;
  Histogram raw_times;
  Histogram two_files_times;
  Histogram rocksdb_times;
  Histogram lmdb_times;
  Histogram sqlite_times;
  for (int i = 0; i < kWarmUp + kAppends; ++i) {
    const auto timed = [i](Histogram& times, auto append) {
      const double seconds = seconds_of(append);
      if (i >= kWarmUp) times.add(static_cast<std::uint64_t>(seconds * 1e9));
    };
    timed(lungo_times, [&] { lungo.append(value, 1); });
    timed(raw_times, [&] {
      raw.append(page);
      raw.sync();
    });
    timed(two_files_times, [&] {
      raw_log.append(page);
      raw_end.append(end);
      raw_log.sync();
    });
    if (i % kPeersOneIn != 0) continue;
    timed(rocksdb_times, [&] { peers.rocksdb->append(value, 1); });
    timed(lmdb_times, [&] { peers.lmdb->append(value, 1); });
    timed(sqlite_times, [&] { peers.sqlite->append(value, 1); });
  }
  print("synced.latency", {{"lungo", &lungo_times},
                           {"raw", &raw_times},
                           {"raw_two_files", &two_files_times},
                           {"rocksdb", &rocksdb_times},
                           {"lmdb", &lmdb_times},
                           {"sqlite", &sqlite_times}});
}

void synced_one(const std::string& directory) { one_thread(directory, "synced.one", 1, kAloneAppends); }
void synced_500(const std::string& directory) { one_thread(directory, "synced.500", 500, 5); }

// RocksDB makes groups of what its threads write, as Lungo does. LMDB and SQLite let one at a time write and sync: theirs take
// turns.
void synced_64_threads(const std::string& directory) {
  constexpr std::size_t kEach = kTogetherAppends / kTogether;
  constexpr std::size_t kEachInTurns = 2;
  const std::string value(100, 'v');
  RawFile raw(directory + "/raw", 64u << 20);
  LungoStore lungo(directory + "/lungo", Durability::synced);
  const Peers peers(directory, Durability::synced);
  compete("synced.64_threads", "records/s", 7,
          {{"lungo", [&] { return threads_appends_a_second(lungo, value, kEach); }},
           {"one thread", [&] { return appends_a_second(lungo, value, 1, kAloneAppends); }},
           raw_groups(raw),
           {"rocksdb", [&] { return threads_appends_a_second(*peers.rocksdb, value, kEach); }},
           {"lmdb", [&] { return threads_appends_a_second(*peers.lmdb, value, kEachInTurns); }},
           {"sqlite", [&] { return threads_appends_a_second(*peers.sqlite, value, kEachInTurns); }}});
}

// No peer has an append that returns before it is synced and says later when it was. What a program around one can do is gather
// 64 records and commit them at once: one transaction of 64, the best that it can get. (64 threads are the case above.)
void synced_64_outstanding(const std::string& directory) {
  constexpr std::size_t kPeerCommits = 5;
  const std::string value(100, 'v');
  LungoStore lungo(directory + "/lungo", Durability::synced);
  Outstanding outstanding(lungo, value);  // lives longer than the last completion
  RawFile raw(directory + "/raw", 64u << 20);
  const Peers peers(directory, Durability::synced);
  const auto gathered = [&](Store& store) {
    return
        [&store, &value] { return static_cast<double>(kTogether) * appends_a_second(store, value, kTogether, kPeerCommits); };
  };
  compete("synced.64_outstanding", "records/s", 7,
          {{"lungo", [&] { return outstanding.appends_a_second(); }},
           {"one thread", [&] { return appends_a_second(lungo, value, 1, kAloneAppends); }},
           raw_groups(raw),
           {"rocksdb", gathered(*peers.rocksdb)},
           {"lmdb", gathered(*peers.lmdb)},
           {"sqlite", gathered(*peers.sqlite)}});
}

}  // namespace lungo::bench
