// A partition whose sync takes its time does not hold up the others. On the real ports, but for a storage that can hold a sync.
#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <mutex>

#include <lungo/log/local_event_log.hpp>

#include "tests/support/forwarding_storage.hpp"
#include "tests/support/records.hpp"
#include "tests/support/temp_directory.hpp"

namespace lungo::test {
namespace {

/// Syncs of the files under one name wait while the gate is shut.
class Gate {
 public:
  void shut() { set(false); }
  void open() { set(true); }
  void pass() {
    std::unique_lock lock{mutex_};
    changed_.wait(lock, [this] { return open_; });
  }

 private:
  void set(bool open) {
    const std::lock_guard lock{mutex_};
    open_ = open;
    changed_.notify_all();
  }
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = true;
};

class HeldFile final : public ForwardingFile {
 public:
  HeldFile(std::unique_ptr<File> file, Gate* gate) : ForwardingFile(std::move(file)), gate_(gate) {}
  Result<void> sync() override {
    if (gate_ != nullptr) gate_->pass();
    return ForwardingFile::sync();
  }

 private:
  Gate* gate_;
};

class HeldStorage final : public ForwardingStorage {
 public:
  HeldStorage(Storage& storage, std::string held, Gate& gate)
      : ForwardingStorage(storage), held_(std::move(held)), gate_(gate) {}
  Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override {
    Result<std::unique_ptr<File>> file = ForwardingStorage::open(path, mode);
    if (!file) return file;
    Gate* gate = path.find(held_) != path.npos && path.ends_with(".log") ? &gate_ : nullptr;
    return std::unique_ptr<File>{std::make_unique<HeldFile>(std::move(*file), gate)};
  }

 private:
  const std::string held_;
  Gate& gate_;
};

TEST(ParallelSyncThreads, APartitionWhoseSyncHangsHoldsUpNoOther) {
  const TempDirectory directory;
  Gate gate;
  const PosixPorts posix;
  HeldStorage storage{posix.ports().storage, "events-0/", gate};
  const Ports ports{storage, posix.ports().clock, posix.ports().executor, posix.ports().random};
  const std::shared_ptr<EventLog> log = open_local(directory.path(), {.ports = &ports}).value();
  TopicSpec spec;
  spec.name = "events";
  spec.partitions = 4;
  log->create_topic(spec).value();

  std::atomic<int> completed{0};
  std::atomic<bool> held_completed{false};
  gate.shut();
  log->append(append_of({"events", PartitionId{0}}, "a", "held"), [&](const Result<Appended>& done) {
    EXPECT_TRUE(done);
    held_completed = true;
    ports.executor.notify();
  });
  for (int partition = 1; partition < 4; ++partition) {
    log->append(append_of({"events", PartitionId{partition}}, "a", "free"), [&](const Result<Appended>& done) {
      EXPECT_TRUE(done);
      ++completed;
      ports.executor.notify();
    });
  }
  const Instant deadline = ports.clock.monotonic() + std::chrono::seconds{10};
  EXPECT_TRUE(ports.executor.wait_until([&] { return completed == 3; }, deadline)) << completed << " of 3";
  EXPECT_FALSE(held_completed);
  gate.open();
  EXPECT_TRUE(
      ports.executor.wait_until([&] { return held_completed.load(); }, ports.clock.monotonic() + std::chrono::seconds{10}));
}

}  // namespace
}  // namespace lungo::test
