#include "tests/contract/home.hpp"

#include <algorithm>
#include <stdexcept>

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

template <class H>
std::function<std::unique_ptr<Home>()> maker() {
  return [] { return std::make_unique<H>(); };
}

}  // namespace

const std::vector<HomeKind>& homes() {
  static const std::map<std::string, Refusal, std::less<>> simulated{
      {"FileRanges.HoldWhatReadReturns", {Errc::unsupported, "this storage has no file descriptors"}},
  };
  static const std::map<std::string, Refusal, std::less<>> in_memory{
      {"Conditions.BelowTheStartAreHistoryTrimmed", {Errc::unsupported, "can't delete records"}},
      {"FileRanges.HoldWhatReadReturns", {Errc::unsupported, "can't tell where its records lie in a file"}},
      {"Positions.OfATopicThatWasMadeAnewHaveDiverged", {Errc::unsupported, "can't delete topics"}},
      {"Memberships.TellOfPartitionsThatWereAddedWhenTheirTopicIsJoinedAgain", {Errc::unsupported, "can't add partitions"}},
      {"Positions.BelowTheStartAreHistoryTrimmed", {Errc::unsupported, "can't delete records"}},
      {"Topics.ChangeTheirSettings", {Errc::unsupported, "can't change settings"}},
      {"Topics.AreDeletedAndTheirNamesAreFree", {Errc::unsupported, "can't delete topics"}},
      {"Topics.GrowUnlessTheyHoldStreams", {Errc::unsupported, "can't add partitions"}},
      {"Topics.LoseTheirOldestRecordsWhereAskedTo", {Errc::unsupported, "can't delete records"}},
  };
  const std::string embedded = "`open_local()`: a data directory of this process, on a real disk and on a simulated one";
  const std::string memory = "what Lungo's own tests of the framework run on; it goes with its object, and a restart is played";
  static const std::vector<HomeKind> kinds{
      {"directory", "embedded", embedded, maker<DirectoryHome>(), {}},
      {"simulated", "embedded", embedded, maker<SimulatedHome>(), simulated},
      {"memory", "in memory", memory, maker<MemoryHome>(), in_memory},
  };
  return kinds;
}

const HomeKind& home_named(std::string_view name) {
  const auto found = std::ranges::find(homes(), name, &HomeKind::name);
  if (found == homes().end()) throw std::invalid_argument("no home " + std::string(name));
  return *found;
}

std::vector<std::string> home_names() {
  std::vector<std::string> names;
  for (const HomeKind& kind : homes()) names.push_back(kind.name);
  return names;
}

}  // namespace lungo::contract
