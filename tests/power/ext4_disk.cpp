#include "tests/power/ext4_disk.hpp"

#include <fcntl.h>
#include <linux/loop.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <stdexcept>
#include <system_error>
#include <thread>

namespace lungo::test {
namespace {

constexpr unsigned long kExt4Shutdown = _IOR('X', 125, std::uint32_t);  // EXT4_IOC_SHUTDOWN, which no installed header has
constexpr unsigned kLoopMajor = 7;
constexpr int kTries = 2000;
constexpr auto kPause = std::chrono::milliseconds{5};

[[noreturn]] void fail(const std::string& what) {
  throw std::runtime_error("power cuts need root, loop devices and ext4: " + what + ": " +
                           std::system_category().message(errno));
}

/// Until it succeeds, as long as it fails for a reason that passes.
template <class Call>
bool succeeds(Call&& call) {
  for (int tries = 0; tries < kTries; ++tries) {
    if (call() >= 0) return true;
    if (errno != EBUSY && errno != EINTR && errno != ENXIO) return false;
    std::this_thread::sleep_for(kPause);
  }
  return false;
}

}  // namespace

std::string_view to_string(CutMode mode) {
  switch (mode) {
    case CutMode::after_freeze:
      return "after_freeze";
    case CutMode::with_journal:
      return "with_journal";
    case CutMode::at_once:
      break;
  }
  return "at_once";
}

Ext4Disk::Ext4Disk(std::uint64_t bytes) {
  if (::unshare(CLONE_NEWNS) != 0) fail("mounts of our own");
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) fail("mounts that nobody else sees");
  image_ = ::memfd_create("image", MFD_CLOEXEC);
  if (image_ < 0 || ::ftruncate(image_, static_cast<off_t>(bytes)) != 0) fail("an image in memory");
}

Ext4Disk::~Ext4Disk() {
  if (root_ >= 0) ::close(root_);
  ::umount2(path().c_str(), MNT_DETACH);
  ::close(image_);
}

// A new loop device over the image, since an old one may remember what the cut has taken. It detaches when its last user goes.
int Ext4Disk::attached() const {
  const int control = ::open("/dev/loop-control", O_RDWR | O_CLOEXEC);
  if (control < 0) fail("/dev/loop-control");
  loop_config config{};
  config.fd = static_cast<std::uint32_t>(image_);
  config.info.lo_flags = LO_FLAGS_AUTOCLEAR;
  int device = -1;
  const bool attached = succeeds([&] {
    const int number = ::ioctl(control, LOOP_CTL_GET_FREE);
    if (number < 0) return -1;
    const std::string name = "/dev/loop" + std::to_string(number);
    device = ::open(name.c_str(), O_RDWR | O_CLOEXEC);
    if (device < 0 && errno == ENOENT) {  // where nobody fills /dev
      static_cast<void>(::mknod(name.c_str(), S_IFBLK | 0600, makedev(kLoopMajor, static_cast<unsigned>(number))));
      device = ::open(name.c_str(), O_RDWR | O_CLOEXEC);
    }
    if (device < 0) return -1;
    if (::ioctl(device, LOOP_CONFIGURE, &config) == 0) return 0;  // EBUSY: somebody was faster
    const int error = errno;
    ::close(device);
    errno = error;
    return -1;
  });
  const int error = errno;
  ::close(control);
  errno = error;
  if (!attached) fail("a loop device");
  return device;
}

void Ext4Disk::format(const std::string& mkfs_options, std::string mount_options) {
  if (root_ >= 0) unmount();
  mount_options_ = std::move(mount_options);
  const std::string image = "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(image_);
  const std::string command = "/usr/sbin/mkfs.ext4 -q -F " + mkfs_options + " " + image;
  if (std::system(command.c_str()) != 0) fail(command);
  mount();
}

void Ext4Disk::mount() {
  const int device = attached();
  const std::string name = std::filesystem::read_symlink("/proc/self/fd/" + std::to_string(device)).string();
  const bool mounted =
      succeeds([&] { return ::mount(name.c_str(), path().c_str(), "ext4", MS_NOATIME, mount_options_.c_str()); });
  const int error = errno;
  ::close(device);
  errno = error;
  if (!mounted) fail("mounting " + name);
  root_ = ::open(path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (root_ < 0) fail(path());
}

void Ext4Disk::unmount() {
  ::close(root_);
  root_ = -1;
  if (!succeeds([&] { return ::umount2(path().c_str(), 0); })) fail("unmounting");
}

void Ext4Disk::cut(CutMode mode) const {
  const auto flags = static_cast<std::uint32_t>(mode);
  if (::ioctl(root_, kExt4Shutdown, &flags) != 0) fail("EXT4_IOC_SHUTDOWN");
}

void Ext4Disk::remount() {
  unmount();
  mount();
}

}  // namespace lungo::test
