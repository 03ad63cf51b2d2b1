#include "tests/faults/failing_calls.hpp"

#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <system_error>

namespace lungo::test {
namespace {

constexpr std::uint64_t kInterruptionsMax = 5;  // in a row, of six calls; what is interrupted for ever is never done

CallFault armed;
std::atomic<bool> is_armed{false};
std::atomic<std::uint64_t> calls{0};
std::atomic<std::uint64_t> failures{0};
std::atomic<std::uint64_t> failed_syncs{0};  // of files of records

/// What is to become of a call of this kind: 0 is that it is made.
int fate_of(CallKind kind) {
  if (!is_armed.load(std::memory_order_acquire) || kind != armed.kind) return 0;
  const std::uint64_t number = calls.fetch_add(1) + 1;
  if (number < armed.number || (number > armed.number && !armed.for_ever)) return 0;
  if (armed.error == EINTR && (number - armed.number) % (kInterruptionsMax + 1) == kInterruptionsMax) return 0;
  failures.fetch_add(1);
  return armed.error;
}

bool is_log_file(int fd) {
  std::array<char, 4096> path;
  const ssize_t size = ::readlink(("/proc/self/fd/" + std::to_string(fd)).c_str(), path.data(), path.size());
  return size > 0 && std::string_view(path.data(), static_cast<std::size_t>(size)).ends_with(".log");
}

/// Makes the call unless it is to fail.
template <class Call>
auto unless_it_fails(CallKind kind, Call call) -> decltype(call()) {
  const int error = fate_of(kind);
  if (error == 0) return call();
  errno = error;
  return -1;
}

}  // namespace

std::string_view to_string(CallKind kind) {
  constexpr std::array<std::string_view, 13> kNames{"write",  "sync",           "open", "rename", "allocate", "truncate",
                                                    "remove", "make_directory", "read", "list",   "link",     "copy",
                                                    "look"};
  return kNames[static_cast<std::size_t>(kind)];
}

std::string to_string(const CallFault& fault) {
  const std::string error = fault.error == kShort ? "short" : std::generic_category().message(fault.error);
  return std::string(to_string(fault.kind)) + " " + std::to_string(fault.number) + ": " + error +
         (fault.for_ever ? ", for ever" : "");
}

void arm(const CallFault& fault) {
  armed = fault;
  calls = 0;
  failures = 0;
  failed_syncs = 0;
  is_armed.store(true, std::memory_order_release);
}

std::uint64_t fired() { return failures; }

std::uint64_t failed_log_syncs() { return failed_syncs; }

}  // namespace lungo::test

// ---- the C library's ----

using lungo::test::CallKind;
using lungo::test::fate_of;
using lungo::test::kShort;
using lungo::test::unless_it_fails;

extern "C" {

ssize_t pwrite(int fd, const void* bytes, size_t count, off_t position) {
  const int error = fate_of(CallKind::write);
  if (error == kShort) count = count > 1 ? count / 2 : count;
  if (error > 0) {
    errno = error;
    return -1;
  }
  return ::syscall(SYS_pwrite64, fd, bytes, count, position);
}

ssize_t pread(int fd, void* bytes, size_t count, off_t position) {
  const int error = fate_of(CallKind::read);
  if (error == kShort) count = count > 1 ? count / 2 : count;
  if (error > 0) {
    errno = error;
    return -1;
  }
  return ::syscall(SYS_pread64, fd, bytes, count, position);
}

int fdatasync(int fd) {
  const int error = fate_of(CallKind::sync);
  if (error == 0) return 0;
  if (error != EINTR && lungo::test::is_log_file(fd)) lungo::test::failed_syncs.fetch_add(1);
  errno = error;
  return -1;
}

int fsync(int) {
  return unless_it_fails(CallKind::sync, [] { return 0; });
}

int open(const char* path, int flags, ...) {
  mode_t mode = 0;
  if ((flags & O_CREAT) != 0) {
    va_list more;
    va_start(more, flags);
    mode = va_arg(more, mode_t);
    va_end(more);
  }
  return unless_it_fails(CallKind::open, [&] { return static_cast<int>(::syscall(SYS_openat, AT_FDCWD, path, flags, mode)); });
}

int openat(int directory, const char* path, int flags, ...) {  // which makes nothing, here
  return unless_it_fails(CallKind::open, [&] { return static_cast<int>(::syscall(SYS_openat, directory, path, flags, 0)); });
}

DIR* opendir(const char* path) {
  const int fd = unless_it_fails(CallKind::list, [&] {
    return static_cast<int>(::syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0));
  });
  return fd < 0 ? nullptr : ::fdopendir(fd);
}

// Names come from the kernel by the hundred; what can fail is to get more of them.
struct dirent* readdir(DIR* stream) {
  static const auto real = reinterpret_cast<struct dirent* (*)(DIR*)>(::dlsym(RTLD_NEXT, "readdir"));
  struct dirent* const entry = real(stream);
  if (entry != nullptr) return entry;
  if (const int error = fate_of(CallKind::list); error != 0) errno = error;
  return nullptr;
}

int rename(const char* from, const char* to) noexcept {
  return unless_it_fails(CallKind::rename, [&] { return static_cast<int>(::syscall(SYS_rename, from, to)); });
}

int fallocate(int fd, int mode, off_t position, off_t length) {
  return unless_it_fails(CallKind::allocate,
                         [&] { return static_cast<int>(::syscall(SYS_fallocate, fd, mode, position, length)); });
}

int ftruncate(int fd, off_t size) noexcept {
  return unless_it_fails(CallKind::truncate, [&] { return static_cast<int>(::syscall(SYS_ftruncate, fd, size)); });
}

int unlink(const char* path) noexcept {
  return unless_it_fails(CallKind::remove, [&] { return static_cast<int>(::syscall(SYS_unlink, path)); });
}

int unlinkat(int directory, const char* path, int flags) noexcept {
  return unless_it_fails(CallKind::remove, [&] { return static_cast<int>(::syscall(SYS_unlinkat, directory, path, flags)); });
}

int link(const char* from, const char* to) noexcept {
  return unless_it_fails(CallKind::link, [&] { return static_cast<int>(::syscall(SYS_link, from, to)); });
}

ssize_t copy_file_range(int from, off64_t* from_at, int to, off64_t* to_at, size_t count, unsigned flags) {
  const int error = fate_of(CallKind::copy);
  if (error == kShort) count = count > 1 ? count / 2 : count;
  if (error > 0) {
    errno = error;
    return -1;
  }
  return ::syscall(SYS_copy_file_range, from, from_at, to, to_at, count, flags);
}

int fstatat(int directory, const char* path, struct stat* status, int flags) noexcept {
  return unless_it_fails(CallKind::look,
                         [&] { return static_cast<int>(::syscall(SYS_newfstatat, directory, path, status, flags)); });
}

int stat(const char* path, struct stat* status) noexcept { return ::fstatat(AT_FDCWD, path, status, 0); }

int fstat(int fd, struct stat* status) noexcept { return ::fstatat(fd, "", status, AT_EMPTY_PATH); }

int mkdir(const char* path, mode_t mode) noexcept {
  return unless_it_fails(CallKind::make_directory, [&] { return static_cast<int>(::syscall(SYS_mkdir, path, mode)); });
}

}  // extern "C"
