// Reading from the first record to the last: out of the page cache, then from the disk.
#include <filesystem>
#include <optional>
#include <stdexcept>
#include <vector>

#include "cases.hpp"
#include "files.hpp"
#include "harness.hpp"
#include "lungo_store.hpp"
#include "raw_file.hpp"

namespace lungo::bench {
namespace {

constexpr std::size_t kAppends = 240;  // of 500 records of 100 bytes: 13 MB

void fill(Store& store, const std::string& value) {
  for (std::size_t i = 0; i < kAppends; ++i) store.append(value, 500);
}

double records_a_second(Store& store) {
  std::uint64_t bytes = 0;
  const double seconds = seconds_of([&] { bytes = store.scan(); });
  if (bytes != kAppends * 500 * 100) throw std::runtime_error("the scan did not read what was appended");
  return static_cast<double>(kAppends * 500) / seconds;
}

double read_lungo(LungoStore& lungo) {
  std::uint64_t bytes = 0;
  const double seconds = seconds_of([&] { bytes = lungo.read_batches(); });
  return static_cast<double>(bytes) / seconds / 1e6;
}

// Peers' records count as the bytes that they take in a segment of ours.
double megabytes_a_second(Store& store, std::uint64_t record_bytes) {
  return records_a_second(store) * static_cast<double>(record_bytes) / 1e6;
}

/// Opened anew for each round, with nothing of it in memory.
Contestant cold(const Peer& peer, const std::string& directory, std::uint64_t record_bytes) {
  return {peer.name, [peer, directory, record_bytes] {
            drop_cache(files_below(directory));
            return megabytes_a_second(*peer.open(directory, Durability::written), record_bytes);
          }};
}

}  // namespace

void scan(const std::string& directory) {
  const std::string value(100, 'v');
  LungoStore lungo(directory + "/lungo", Durability::written);
  std::optional<Peers> peers(std::in_place, directory, Durability::written);
  const auto raw = framed_store(directory + "/raw", Durability::written, 0);
  for (Store* store : {static_cast<Store*>(&lungo), peers->rocksdb.get(), peers->sqlite.get(), peers->lmdb.get(), raw.get()})
    fill(*store, value);
  const std::vector<std::string> segments = segments_below(directory + "/lungo");

  compete("scan.decoded", "records/s", 5,
          {{"lungo",
            [&] {
              lungo.reopen();  // or the checksums would be known to be right
              return records_a_second(lungo);
            }},
           {"lmdb", [&] { return records_a_second(*peers->lmdb); }},
           {"rocksdb", [&] { return records_a_second(*peers->rocksdb); }},
           {"sqlite", [&] { return records_a_second(*peers->sqlite); }},
           {"raw", [&] { return records_a_second(*raw); }}});
  std::uint64_t bytes = 0;
  for (const std::string& path : segments) bytes += std::filesystem::file_size(path);
  const std::uint64_t record_bytes = bytes / (kAppends * 500);
  compete("scan.checked", "MB/s", 7,
          {{"lungo",
            [&] {
              lungo.reopen();
              return read_lungo(lungo);
            }},
           {"raw", [&] { return raw_read_rate(segments); }},
           {"lmdb", [&] { return megabytes_a_second(*peers->lmdb, record_bytes); }},
           {"rocksdb", [&] { return megabytes_a_second(*peers->rocksdb, record_bytes); }},
           {"sqlite", [&] { return megabytes_a_second(*peers->sqlite, record_bytes); }}});
  peers.reset();
  std::vector<Contestant> contestants{{"lungo",
                                       [&] {
                                         lungo.reopen();
                                         drop_cache(segments);
                                         return read_lungo(lungo);
                                       }},
                                      {"raw", [&] {
                                         drop_cache(segments);
                                         return raw_read_rate(segments);
                                       }}};
  for (const Peer& peer : kPeers) contestants.push_back(cold(peer, directory + "/" + peer.name, record_bytes));
  compete("scan.cold", "MB/s", 5, contestants);
}

}  // namespace lungo::bench
