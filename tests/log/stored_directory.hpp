// A data directory with some of everything in it, for tests of what looks at directories.
#pragma once

#include <gtest/gtest.h>

#include <lungo/log/local_event_log.hpp>

#include "tests/support/records.hpp"
#include "tests/support/simulation.hpp"

namespace lungo::test {

/// Topics `events` (with streams), `orders` (two partitions, the second without a record) and `latest` (compacted).
struct StoredDirectory {
  explicit StoredDirectory(std::uint64_t seed = 1) : machine(std::make_unique<Simulation>(seed)) {
    const std::shared_ptr<EventLog> log = opened();
    EXPECT_TRUE(log->create_topic({.name = "events", .partitions = 1, .streams = true, .segment_bytes = 9'000}));
    EXPECT_TRUE(log->create_topic({.name = "orders", .partitions = 2, .segment_bytes = 9'000}));
    EXPECT_TRUE(log->create_topic({.name = "latest", .partitions = 1, .compact = true, .segment_bytes = 9'000}));
    fill(*log, 0, 40);
    machine->executor.run_for(std::chrono::seconds{25});  // what is done in the background
  }

  std::shared_ptr<EventLog> opened(bool read_only = false) {
    const Ports ports = machine->ports();
    LocalOptions options;
    options.ports = &ports;
    options.read_only = read_only;
    Result<std::shared_ptr<EventLog>> log = open_local("/data", options);
    EXPECT_TRUE(log) << log.error();
    return log ? *log : nullptr;
  }

  static void fill(EventLog& log, int begin, int end) {
    for (int i = begin; i < end; ++i) {
      const std::string value = std::to_string(i) + std::string(900, 'v');
      for (const char* topic : {"events", "orders", "latest"}) {
        const TopicPartition to{topic, PartitionId{0}};
        ASSERT_TRUE(append_wait(log, append_of(to, "key" + std::to_string(i % 7), value)));
      }
    }
  }

  Bytes bytes_of(const std::string& path) { return read_file(machine->disk, path, 1u << 20).value(); }
  void write(const std::string& path, BytesView bytes) {
    const std::unique_ptr<File> file = machine->disk.open(path, OpenMode::create).value();
    ASSERT_TRUE(file->truncate(0));
    ASSERT_TRUE(file->write_at(0, bytes));
  }
  void flip(const std::string& path, std::uint64_t position, std::byte mask = std::byte{1}) {
    const std::unique_ptr<File> file = machine->disk.open(path, OpenMode::read_write).value();
    std::byte byte{};
    ASSERT_EQ(*file->read_at(position, {&byte, 1}), 1u) << path;
    byte ^= mask;
    ASSERT_TRUE(file->write_at(position, {&byte, 1}));
  }
  /// Below `directory`.
  std::vector<std::string> files(const std::string& directory = "/data") {
    std::vector<std::string> found;
    for (const DirEntry& entry : machine->disk.list(directory).value()) {
      const std::string path = directory + "/" + entry.name;
      if (!entry.is_directory) found.push_back(path);
      if (!entry.is_directory) continue;
      for (const std::string& file : files(path)) found.push_back(file);
    }
    return found;
  }
  std::vector<std::string> files_with(const std::string& directory, std::string_view end) {
    std::vector<std::string> found = files(directory);
    std::erase_if(found, [&](const std::string& path) { return !path.ends_with(end); });
    return found;
  }

  std::unique_ptr<Simulation> machine;
};

}  // namespace lungo::test
