// Appends that the operating system has taken over when they return, and nobody syncs.
#include <atomic>
#include <stdexcept>

#include "cases.hpp"
#include "harness.hpp"
#include "lungo_store.hpp"
#include "raw_file.hpp"

namespace lungo::bench {
namespace {

constexpr int kRounds = 15;  // many and short ones: of a few, others who use the machine spoil most

// Rate of records of a round of so many appends; slow stores get shorter rounds.
Contestant rate(std::string name, Store& store, const std::string& value, std::size_t count, std::size_t appends) {
  return {std::move(name), [&store, &value, count, appends] {
            const double seconds = seconds_of([&] {
              for (std::size_t i = 0; i < appends; ++i) store.append(value, count);
            });
            return static_cast<double>(appends * count) / seconds;
          }};
}

// Raw pwrite of as many bytes as a batch of one 100-byte record has: what a waiting append can't be faster than.
Contestant raw_write_rate(RawFile& file, const Bytes& bytes, std::size_t appends) {
  return {"raw", [&file, &bytes, appends] {
            return static_cast<double>(appends) / seconds_of([&] {
                     for (std::size_t i = 0; i < appends; ++i) file.append(bytes);
                   });
          }};
}

}  // namespace

void append_500(const std::string& directory) {
  const std::string value(100, 'v');
  LungoStore lungo(directory + "/lungo", Durability::written);
  const Peers peers(directory, Durability::written);
  const auto raw = framed_store(directory + "/raw", Durability::written, 0);
  const auto reserved = framed_store(directory + "/reserved", Durability::written, 128u << 20);
  compete("append.500_written", "records/s", kRounds,
          {rate("lungo", lungo, value, 500, 20), rate("raw", *raw, value, 500, 20),
           rate("raw_reserved", *reserved, value, 500, 20), rate("lmdb", *peers.lmdb, value, 500, 10),
           rate("rocksdb", *peers.rocksdb, value, 500, 5), rate("sqlite", *peers.sqlite, value, 500, 5)});
}

void append_one_waiting(const std::string& directory) {
  const std::string value(100, 'v');
  LungoStore lungo(directory + "/lungo", Durability::written);
  const Peers peers(directory, Durability::written);
  RawFile raw(directory + "/raw", 64u << 20);
  const Bytes batch(171);
  compete("append.one_waiting_written", "records/s", kRounds,
          {rate("lungo", lungo, value, 1, 4'000), raw_write_rate(raw, batch, 4'000),
           rate("rocksdb", *peers.rocksdb, value, 1, 1'500), rate("lmdb", *peers.lmdb, value, 1, 150),
           rate("sqlite", *peers.sqlite, value, 1, 150)});
}

// RocksDB's puts are as many, one by one. LMDB and SQLite pay for each transaction what ours pays for a group: theirs are of 64
// records, as a program gathers them that need not wait for each.
void append_one_async(const std::string& directory) {
  constexpr std::size_t kAppends = 20'000;
  constexpr std::size_t kGathered = 64;
  constexpr int kLongRounds = 9;  // or waiting for the last of them is what counts
  const std::string value(100, 'v');
  LungoStore lungo(directory + "/lungo", Durability::written);
  const Peers peers(directory, Durability::written);

  std::atomic<std::size_t> left = 0;
  std::atomic<bool> failed = false;
  const Completion completion = [&](const Result<Appended>& appended) {
    if (!appended) failed = true;
    if (left.fetch_sub(1) == 1) left.notify_one();
  };
  const Contestant one_thread{"lungo", [&] {
                                left = kAppends;
                                const double seconds = seconds_of([&] {
                                  for (std::size_t i = 0; i < kAppends; ++i) lungo.append_async(value, completion);
                                  for (std::size_t now = left; now > 0; now = left) left.wait(now);
                                });
                                if (failed) throw std::runtime_error("an append failed");
                                return static_cast<double>(kAppends) / seconds;
                              }};
  // The same bytes in writes as large as those of a group are, and nothing else.
  constexpr std::size_t kRecordBytes = 109;  // in a batch of hundreds
  const Bytes group(64u << 10);
  RawFile raw(directory + "/raw", 64u << 20);
  const Contestant groups{"raw", [&] {
                            const std::size_t writes = kAppends * kRecordBytes / group.size();
                            const double seconds = seconds_of([&] {
                              for (std::size_t i = 0; i < writes; ++i) raw.append(group);
                            });
                            return static_cast<double>(writes * group.size() / kRecordBytes) / seconds;
                          }};
  compete("append.one_async_written", "records/s", kLongRounds,
          {one_thread, groups, rate("rocksdb", *peers.rocksdb, value, 1, 2'000),
           rate("lmdb", *peers.lmdb, value, kGathered, 50), rate("sqlite", *peers.sqlite, value, kGathered, 20)});
}

// Beside as many bytes as a batch takes, and beside whole pages, which no batch ever is: the kernel writes those faster.
void append_1_kib(const std::string& directory) {
  constexpr std::size_t kChunks = 12;
  constexpr std::size_t kPeerChunks = 4;
  constexpr std::size_t kRecords = 64;  // a chunk of 64 KiB
  const std::string value(1024, 'v');
  LungoStore lungo(directory + "/lungo", Durability::written);
  RawFile raw(directory + "/raw", 128u << 20);
  RawFile pages(directory + "/pages", 128u << 20);
  const Peers peers(directory, Durability::written);
  AppendRequest request = request_of(TopicPartition{}, value, kRecords, true);
  const Bytes batch(request.records.stamp(Offset{0}, LeaderEpoch{0}).size());
  const Bytes chunk(kRecords * value.size());
  const auto megabytes_a_second = [&](std::size_t chunks, auto append) {
    const double seconds = seconds_of([&] {
      for (std::size_t i = 0; i < chunks; ++i) append();
    });
    return static_cast<double>(chunks * kRecords * value.size()) / seconds / 1e6;
  };
  const auto store = [&](std::string name, Store& to, std::size_t chunks) {
    return Contestant{std::move(name), [&, chunks] { return megabytes_a_second(chunks, [&] { to.append(value, kRecords); }); }};
  };
  compete("append.1_kib_written", "MB/s", kRounds,
          {store("lungo", lungo, kChunks),
           {"raw", [&] { return megabytes_a_second(kChunks, [&] { raw.append(batch); }); }},
           {"raw_pages", [&] { return megabytes_a_second(kChunks, [&] { pages.append(chunk); }); }},
           store("lmdb", *peers.lmdb, kPeerChunks),
           store("rocksdb", *peers.rocksdb, kPeerChunks),
           store("sqlite", *peers.sqlite, kPeerChunks)});
}

}  // namespace lungo::bench
