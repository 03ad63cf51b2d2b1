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

class Store {
 public:
  virtual ~Store() = default;
  /// Appends `count` copies of `value` as one atomic step.
  virtual void append(std::string_view value, std::size_t count) = 0;
  /// Reads every record in order; returns the sum of their sizes.
  virtual std::uint64_t scan() = 0;
};

std::unique_ptr<Store> lungo_store(const std::string& directory, Durability durability);
std::unique_ptr<Store> sqlite_store(const std::string& directory, Durability durability);
std::unique_ptr<Store> rocksdb_store(const std::string& directory, Durability durability);

}  // namespace lungo::bench
