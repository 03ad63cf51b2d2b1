// SimDisk: open files and locks.
#pragma once

#include "tests/support/sim_disk.hpp"

namespace lungo::test {

class SimDisk::SimFile : public File {
 public:
  SimFile(SimDisk& disk, NodeId node, std::string path) : disk_(disk), node_(node), path_(std::move(path)) {}

  Result<std::size_t> read_at(std::uint64_t position, std::span<std::byte> out) override {
    const std::lock_guard lock(disk_.mutex_);
    if (dead()) return disk_.off_error(path_);
    return disk_.read(node_, path_, position, out);
  }
  Result<void> write_at(std::uint64_t position, BytesView bytes) override {
    const std::lock_guard lock(disk_.mutex_);
    if (dead()) return disk_.off_error(path_);
    return disk_.write(node_, path_, position, bytes);
  }
  Result<void> sync() override {
    const std::lock_guard lock(disk_.mutex_);
    if (dead()) return disk_.off_error(path_);
    return disk_.sync(node_, path_);
  }
  Result<void> truncate(std::uint64_t size) override {
    const std::lock_guard lock(disk_.mutex_);
    if (dead()) return disk_.off_error(path_);
    return disk_.truncate(node_, path_, size);
  }
  Result<void> preallocate(std::uint64_t position, std::uint64_t length) override {
    const std::lock_guard lock(disk_.mutex_);
    if (dead()) return disk_.off_error(path_);
    return disk_.preallocate(node_, path_, position + length);
  }
  Result<std::uint64_t> size() override {
    const std::lock_guard lock(disk_.mutex_);
    if (dead()) return disk_.off_error(path_);
    return disk_.size(node_, path_);
  }
  Result<std::uint64_t> identity() override { return static_cast<std::uint64_t>(node_) + 1; }

 private:
  [[nodiscard]] bool dead() const { return generation_ != disk_.generation_ || disk_.is_off(); }

  SimDisk& disk_;
  const NodeId node_;
  const std::string path_;
  const std::uint64_t generation_ = disk_.generation_;
};

class SimDisk::SimLock : public FileLock {
 public:
  SimLock(SimDisk& disk, std::string path) : disk_(disk), path_(std::move(path)) {}
  ~SimLock() override {
    const std::lock_guard lock(disk_.mutex_);
    if (generation_ == disk_.generation_) disk_.locked_.erase(path_);
  }

 private:
  SimDisk& disk_;
  const std::string path_;
  const std::uint64_t generation_ = disk_.generation_;
};

}  // namespace lungo::test
