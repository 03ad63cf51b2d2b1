// The homes of this program: those that need nothing but this machine.
#include "tests/contract/home.hpp"

#include <lungo/log/local_event_log.hpp>
#include "tests/support/memory_event_log.hpp"
#include "tests/support/simulation.hpp"
#include "tests/support/temp_directory.hpp"

namespace lungo::contract {

namespace {

class DirectoryHome : public Home {
 public:
  std::shared_ptr<EventLog> open() override { return open_local(directory_ / "data/").value(); }
  void restart(std::shared_ptr<EventLog>& log) override {
    log.reset();
    log = open();
  }

 private:
  test::TempDirectory directory_;
};

class SimulatedHome : public Home {
 public:
  std::shared_ptr<EventLog> open() override { return open_local("/var/data", {.ports = &ports_}).value(); }
  void restart(std::shared_ptr<EventLog>& log) override {
    log.reset();
    log = open();
  }

 private:
  test::Simulation machine_{1};
  const Ports ports_ = machine_.ports();
};

/// What it holds goes with the object, so a restart is the crash that it can play.
class MemoryHome : public Home {
 public:
  std::shared_ptr<EventLog> open() override { return std::make_shared<test::MemoryEventLog>(machine_.ports()); }
  void restart(std::shared_ptr<EventLog>& log) override { dynamic_cast<test::MemoryEventLog&>(*log).crash(); }

 private:
  test::Simulation machine_{1};
};

}  // namespace

std::function<std::unique_ptr<Home>()> maker_of(std::string_view name) {
  if (name == "directory") return [] { return std::make_unique<DirectoryHome>(); };
  if (name == "simulated") return [] { return std::make_unique<SimulatedHome>(); };
  if (name == "memory") return [] { return std::make_unique<MemoryHome>(); };
  return {};
}

}  // namespace lungo::contract
