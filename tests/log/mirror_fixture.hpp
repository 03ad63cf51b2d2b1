// A mirror on a simulated machine, with a source to fill it from.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <lungo/log/mirror_log.hpp>

#include "tests/log/mirrored_source.hpp"
#include "tests/support/quiet_log.hpp"
#include "tests/support/simulation.hpp"

namespace lungo::test {

inline const std::string kMirrorDirectory = "/var/app/mirror";
inline const TopicPartition kEvents{"events", PartitionId{0}};

inline TopicInfo source_topic(const std::string& name = "events", std::uint8_t id = 1) {
  TopicInfo info;
  info.spec.name = name;
  info.spec.partitions = 2;
  info.spec.streams = true;
  info.spec.segment_bytes = 2000;
  info.id.bytes[0] = id;
  return info;
}

/// A mirror on a simulated machine, and a source to fill it from.
class Mirror : public testing::Test {
 protected:
  void open(std::string_view source = "cluster-1") {
    mirror_.reset();
    ports_.emplace(machine_->ports());
    Result<std::unique_ptr<MirrorLog>> opened = open_mirror(kMirrorDirectory, source, {.ports = &*ports_});
    ASSERT_TRUE(opened) << opened.error();
    mirror_ = std::move(*opened);
  }
  void open_with_topic(const TopicInfo& topic = source_topic()) {
    open();
    ASSERT_TRUE(mirror_->make_topic(topic));
  }
  /// The machine finds the disk as a power cut now leaves it.
  void cut_power(std::uint64_t seed) {
    std::unique_ptr<SimDisk> found = machine_->disk.after_power_cut(seed);
    mirror_.reset();
    machine_ = std::make_unique<Simulation>(seed, std::move(found));
  }
  /// Records with holes: every 5th offset, and 10 in front of every 40th.
  void grow_source(int records) {
    for (int i = 0; i < records; ++i) {
      if (source_.end % 5 == 4) source_.skip(1);
      if (source_.end % 40 == 0) source_.skip(10);
      const std::string number = std::to_string(source_.end);
      source_.add({.key = "key " + std::to_string(source_.end % 7),
                   .value = incarnation_ + number,
                   .time = 1000 + source_.end,
                   .id = source_.end % 3 == 0 ? "id " + number : ""});
    }
  }
  void recreate_source() {
    source_ = {};
    incarnation_ += "again ";
  }
  EventLog& reads() { return mirror_->reads(); }
  void expect_equal() {
    const Ends ends = reads().ends(kEvents).value();
    EXPECT_EQ(ends.start, Offset{source_.start});
    EXPECT_EQ(ends.committed, Offset{source_.end});
    EXPECT_EQ(mirror_->end(kEvents).value(), Offset{source_.end});
    EXPECT_EQ(shown_records(reads(), kEvents), source_.records);
    for (int key = 0; key < 7; ++key) {
      const std::string name = "key " + std::to_string(key);
      std::map<std::int64_t, TestRecord> expected = source_.records;
      std::erase_if(expected, [&](const auto& entry) { return entry.second.key != name; });
      EXPECT_EQ(records_of_key(reads(), kEvents, name), expected) << name;
    }
  }
  std::vector<std::string> names(const std::string& directory) {
    std::vector<std::string> found;
    for (const DirEntry& entry : machine_->disk.list(directory).value()) found.push_back(entry.name);
    return found;
  }
  void flip(const std::string& name, std::uint64_t position) {
    const std::string path = kMirrorDirectory + "/events-0/" + name;
    const std::unique_ptr<File> file = machine_->disk.open(path, OpenMode::read_write).value();
    std::byte byte{};
    ASSERT_EQ(file->read_at(position, {&byte, 1}).value(), 1u);
    byte ^= std::byte{0x10};
    ASSERT_TRUE(file->write_at(position, {&byte, 1}));
    ASSERT_TRUE(file->sync());
  }

  const QuietLog quiet_;
  std::unique_ptr<Simulation> machine_ = std::make_unique<Simulation>(1);
  std::optional<Ports> ports_;
  std::unique_ptr<MirrorLog> mirror_;
  MirroredSource source_;
  std::string incarnation_;
};

}  // namespace lungo::test
