// Goal: an opening says in one line what it found and did: whom to believe after a crash is read there.
// Method: a directory on the simulated disk that is new, was stopped, or was killed with a tail that is whole, torn or damaged.
#include <gtest/gtest.h>

#include <lungo/log/local_event_log.hpp>

#include "tests/support/log_lines.hpp"
#include "tests/support/records.hpp"
#include "tests/support/simulation.hpp"

namespace lungo::test {
namespace {

const std::string kFirstPath = "/data/events-0/00000000000000000000.log";

/// A process that opens the directory.
struct Process {
  explicit Process(std::unique_ptr<SimDisk> disk = std::make_unique<SimDisk>()) : machine(1, std::move(disk)) {}
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  ~Process() { close(); }

  /// What is said at level `info` meanwhile.
  std::vector<std::string> open() {
    const LogLines lines;
    LocalOptions options;
    options.ports = &ports;
    Result<std::shared_ptr<EventLog>> opened = open_local("/data", options);
    EXPECT_TRUE(opened) << opened.error();
    if (opened) log = *opened;
    return lines.of("info");
  }
  std::vector<std::string> close() {
    const LogLines lines;
    log.reset();
    return lines.of("info");
  }
  void append(std::int32_t partition, std::string_view value) {
    ASSERT_TRUE(append_wait(*log, append_of({"events", PartitionId{partition}}, "k", value)));
  }
  std::uint64_t size_of(const std::string& path) { return machine.disk.open(path, OpenMode::read).value()->size().value(); }

  Simulation machine;
  const Ports ports = machine.ports();
  std::shared_ptr<EventLog> log;
};

using Lines = std::vector<std::string>;

/// Two partitions, of which the first has two batches, killed.
std::unique_ptr<SimDisk> killed(std::uint64_t& first_batch_bytes) {
  Process process;
  process.open();
  EXPECT_TRUE(process.log->create_topic({.name = "events", .partitions = 2}));
  process.append(0, "first");
  first_batch_bytes = process.size_of(kFirstPath);
  process.append(0, "second");
  return process.machine.disk.after_kill();
}

// A stop has a line of its own.
TEST(RecoveryLine, OfANewDirectoryAndOfACleanStop) {
  Process first;
  EXPECT_EQ(first.open(), Lines{"/data opened epoch=1 topics=0 partitions=0 after=nothing scanned_bytes=0 cut_bytes=0 "
                                "damaged_ranges=0 ms=0"});
  ASSERT_TRUE(first.log->create_topic({.name = "events", .partitions = 2}));
  first.append(0, "value");
  EXPECT_EQ(first.close(), Lines{"/data closed epoch=1 clean=true ms=0"});

  Process again(first.machine.disk.after_kill());
  EXPECT_EQ(again.open(), Lines{"/data opened epoch=2 topics=1 partitions=2 after=clean-stop scanned_bytes=0 cut_bytes=0 "
                                "damaged_ranges=0 ms=0"});
}

TEST(RecoveryLine, OfACrashTellsWhatWasScanned) {
  std::uint64_t first_batch = 0;
  Process process(killed(first_batch));
  const std::string scanned = std::to_string(process.size_of(kFirstPath));
  EXPECT_EQ(process.open(), Lines{"/data opened epoch=2 topics=1 partitions=2 after=crash scanned_bytes=" + scanned +
                                  " cut_bytes=0 damaged_ranges=0 ms=0"});
  EXPECT_EQ(values_of(*process.log, {"events", PartitionId{0}}), (Lines{"first", "second"}));
}

// The tail of a batch that was being written.
TEST(RecoveryLine, OfACrashTellsWhatWasCutOff) {
  std::uint64_t first_batch = 0;
  Process process(killed(first_batch));
  const std::uint64_t whole = process.size_of(kFirstPath);
  const Bytes torn(23, std::byte{7});
  ASSERT_TRUE(process.machine.disk.open(kFirstPath, OpenMode::read_write).value()->write_at(whole, torn));
  EXPECT_EQ(process.open(), Lines{"/data opened epoch=2 topics=1 partitions=2 after=crash scanned_bytes=" +
                                  std::to_string(whole + torn.size()) + " cut_bytes=23 damaged_ranges=0 ms=0"});
  EXPECT_EQ(process.size_of(kFirstPath), whole);
}

// A batch in front of one that is whole.
TEST(RecoveryLine, OfACrashTellsWhatIsDamaged) {
  std::uint64_t first_batch = 0;
  Process process(killed(first_batch));
  const std::byte other{0x55};
  ASSERT_TRUE(process.machine.disk.open(kFirstPath, OpenMode::read_write).value()->write_at(first_batch - 1, {&other, 1}));
  const std::string scanned = std::to_string(process.size_of(kFirstPath));
  EXPECT_EQ(process.open(), Lines{"/data opened epoch=2 topics=1 partitions=2 after=crash scanned_bytes=" + scanned +
                                  " cut_bytes=0 damaged_ranges=1 ms=0"});
  EXPECT_EQ(process.log->damage({"events", PartitionId{0}}).size(), 1u);
}

}  // namespace
}  // namespace lungo::test
