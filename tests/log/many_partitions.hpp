// A directory with many partitions, and who looks which of them are opened.
#pragma once

#include <gtest/gtest.h>

#include <set>
#include <string>

#include <lungo/log/local_event_log.hpp>

#include "tests/support/forwarding_storage.hpp"
#include "tests/support/records.hpp"
#include "tests/support/simulation.hpp"

namespace lungo::test {

inline const std::string kMarker = "/data/lungo.clean-stop";

inline TopicPartition many(std::int32_t number) { return {"many", PartitionId{number}}; }
inline std::string first_log(std::int32_t number) { return "/data/" + to_string(many(number)) + "/00000000000000000000.log"; }

/// The disk, the partitions of which a segment was opened, and those of which none can be.
class WatchedDisk : public ForwardingStorage {
 public:
  using Names = std::set<std::string>;
  WatchedDisk(SimDisk& disk, Names& touched, const Names& unreadable)
      : ForwardingStorage(disk), touched_(touched), unreadable_(unreadable) {}

  Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override {
    constexpr std::string_view kAbove = "/data/";
    if (!path.ends_with(".log")) return ForwardingStorage::open(path, mode);
    const std::string name = path.substr(kAbove.size(), path.rfind('/') - kAbove.size());
    if (unreadable_.contains(name)) return Error{Errc::io, path + " can't be opened"};
    touched_.insert(name);
    return ForwardingStorage::open(path, mode);
  }

 private:
  Names& touched_;
  const Names& unreadable_;
};

/// A directory with a topic of some partitions.
class ManyPartitions {
 public:
  explicit ManyPartitions(std::unique_ptr<SimDisk> disk = std::make_unique<SimDisk>()) : machine(1, std::move(disk)) {}

  std::shared_ptr<EventLog> opened(LocalOptions options = {}) {
    options.ports = &ports;
    Result<std::shared_ptr<EventLog>> log = open_local("/data", options);
    EXPECT_TRUE(log) << log.error();
    return log ? *log : nullptr;
  }
  /// One record in each; stopped.
  void make(std::int32_t partitions, TopicSpec spec = {}) {
    const auto log = opened();
    spec.name = "many";
    spec.partitions = partitions;
    EXPECT_TRUE(log->create_topic(spec));
    for (std::int32_t i = 0; i < partitions; ++i) EXPECT_TRUE(append(*log, i));
  }
  static Result<Appended> append(EventLog& log, std::int32_t number, std::string_view value = "first") {
    return append_wait(log, append_of(many(number), "k", value));
  }
  std::string marker() { return std::string(as_text(*read_file(machine.disk, kMarker, 1 << 20))); }

  Simulation machine;
  std::set<std::string> touched;
  std::set<std::string> unreadable;
  WatchedDisk watched{machine.disk, touched, unreadable};
  const Ports ports{watched, machine.clock, machine.executor, machine.random};
};

/// The marker without what every writer's differs in.
inline std::set<std::string> partition_lines(const std::string& marker) {
  std::set<std::string> lines;
  for (std::size_t at = 0; at < marker.size();) {
    const std::size_t end = std::min(marker.find('\n', at), marker.size());
    if (marker.compare(at, 10, "partition=") == 0) lines.insert(marker.substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

}  // namespace lungo::test
