// A real ext4 file system on a loop device, whose power can be cut.
//
// EXT4_IOC_SHUTDOWN stops the file system at once: what no fsync has brought to the disk is gone, nothing else can be written,
// and the next mount replays the journal, as after a power cut. The image lies in memory, where a sync takes no time; the
// device detaches itself with its last user, and mounts are seen by this process and its children only: whatever ends the
// process, nothing is left. Needs root, loop devices and ext4. Threads: one.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "tests/support/temp_directory.hpp"

namespace lungo::test {

/// What becomes of that which is written but not synced.
enum class CutMode : std::uint32_t {
  after_freeze = 0,  // all of it arrives first
  with_journal = 1,  // the journal's open transaction arrives first: names and sizes, and data that was allocated
  at_once = 2,       // none of it arrives
};
std::string_view to_string(CutMode mode);

class Ext4Disk {
 public:
  /// Nothing is mounted yet. Throws std::runtime_error where this can't be done here; the text says what can't.
  explicit Ext4Disk(std::uint64_t bytes);
  ~Ext4Disk();
  Ext4Disk(const Ext4Disk&) = delete;
  Ext4Disk& operator=(const Ext4Disk&) = delete;

  /// An empty file system, mounted. `mkfs_options` are words of mkfs.ext4, `mount_options` of mount.
  void format(const std::string& mkfs_options, std::string mount_options);
  /// Open files of this file system answer EIO from now on.
  void cut(CutMode mode) const;
  /// The power is on again: mounts what the cut has left. No file of the file system may be open.
  void remount();

  [[nodiscard]] const std::string& path() const { return mount_point_.path(); }

 private:
  [[nodiscard]] int attached() const;
  void mount();
  void unmount();

  TempDirectory mount_point_;
  std::string mount_options_;
  int image_ = -1;
  int root_ = -1;  // of the mounted file system; -1: not mounted
};

}  // namespace lungo::test
