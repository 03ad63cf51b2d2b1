// The ports that a log runs on, bundled: storage, clock, executor, randomness.
#pragma once

#include <memory>

#include <lungo/log/clock.hpp>
#include <lungo/log/executor.hpp>
#include <lungo/log/storage.hpp>

namespace lungo {

/// References; whoever made the ports keeps them alive longer than everything that uses them.
struct Ports {
  Storage& storage;
  Clock& clock;
  Executor& executor;
  Randomness& random;
};

/// The real ports: this process's file system, clocks, threads and the kernel's random numbers.
class PosixPorts {
 public:
  PosixPorts();
  ~PosixPorts();
  PosixPorts(const PosixPorts&) = delete;
  PosixPorts& operator=(const PosixPorts&) = delete;
  [[nodiscard]] Ports ports() const;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace lungo
