// What the log benchmark asks of a store: durable appends of records, and a scan of all of them. One form per contestant.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace lungo::bench {

/// When an append may return.
enum class Durability {
  synced,   // the bytes are on disk
  written,  // the operating system has them: a crash of the process loses nothing
};

/// Threads: peers' appends from any; all else, and a plain file, one at a time.
class Store {
 public:
  virtual ~Store() = default;
  /// Appends `count` copies of `value` as one atomic step.
  virtual void append(std::string_view value, std::size_t count) = 0;
  /// Reads every record in order; returns the sum of their sizes.
  virtual std::uint64_t scan() = 0;
};

std::unique_ptr<Store> sqlite_store(const std::string& directory, Durability durability);
std::unique_ptr<Store> rocksdb_store(const std::string& directory, Durability durability);
std::unique_ptr<Store> lmdb_store(const std::string& directory, Durability durability);

/// A peer by its name: what makes its store, which lies in a directory of that name.
struct Peer {
  const char* name;
  std::unique_ptr<Store> (*open)(const std::string& directory, Durability durability);
};
inline constexpr Peer kPeers[] = {{"lmdb", lmdb_store}, {"rocksdb", rocksdb_store}, {"sqlite", sqlite_store}};

/// The three, in directories of their own.
struct Peers {
  Peers(const std::string& directory, Durability durability)
      : rocksdb(rocksdb_store(directory + "/rocksdb", durability)),
        sqlite(sqlite_store(directory + "/sqlite", durability)),
        lmdb(lmdb_store(directory + "/lmdb", durability)) {}
  const std::unique_ptr<Store> rocksdb, sqlite, lmdb;
};

/// A plain file of frames, a length and the value each, without checksum or index: one write an append. The limit.
/// `reserved_bytes` are its blocks from the beginning on, as a segment has some.
std::unique_ptr<Store> framed_store(const std::string& directory, Durability durability, std::uint64_t reserved_bytes);

}  // namespace lungo::bench
