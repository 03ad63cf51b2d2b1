// A file system of a few megabytes, to be filled and made larger under a running program.
#pragma once

#include <sys/mount.h>

#include <string>

#include "tests/support/temp_directory.hpp"

namespace lungo::test {

/// Is not mounted where we lack the right to.
class SmallDisk {
 public:
  explicit SmallDisk(const std::string& options) {
    mounted_ = ::mount("tmpfs", directory_.path().c_str(), "tmpfs", 0, options.c_str()) == 0;
  }
  ~SmallDisk() {
    if (mounted_) ::umount2(directory_.path().c_str(), MNT_DETACH);
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;
  [[nodiscard]] bool is_mounted() const { return mounted_; }
  [[nodiscard]] bool resize(const std::string& options) const {
    return ::mount("tmpfs", directory_.path().c_str(), "tmpfs", MS_REMOUNT, options.c_str()) == 0;
  }
  [[nodiscard]] std::string data() const { return directory_ / "data"; }

 private:
  TempDirectory directory_;
  bool mounted_ = false;
};

}  // namespace lungo::test
