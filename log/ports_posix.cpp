#include <lungo/log/ports.hpp>

#include <sys/random.h>

#include <cerrno>
#include <system_error>

#include "runner_posix.hpp"
#include "storage_posix.hpp"

namespace lungo {

namespace {

class SystemClock : public Clock {
 public:
  Timestamp now() override { return std::chrono::time_point_cast<std::chrono::milliseconds>(std::chrono::system_clock::now()); }
  Instant monotonic() override { return std::chrono::steady_clock::now(); }
};

class KernelRandomness : public Randomness {
 public:
  void fill(std::span<std::byte> out) override {
    while (!out.empty()) {
      const ssize_t n = ::getrandom(out.data(), out.size(), 0);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) throw std::system_error(errno, std::generic_category(), "getrandom");  // kernels before 3.17 only
      out = out.subspan(static_cast<std::size_t>(n));
    }
  }
};

}  // namespace

struct PosixPorts::Parts {
  const std::unique_ptr<Storage> storage = make_posix_storage();
  SystemClock clock;
  const std::unique_ptr<Executor> executor = make_thread_executor();
  KernelRandomness random;
};

PosixPorts::PosixPorts() : parts_(std::make_unique<Parts>()) {}
PosixPorts::~PosixPorts() = default;
Ports PosixPorts::ports() const { return {*parts_->storage, parts_->clock, *parts_->executor, parts_->random}; }

}  // namespace lungo
