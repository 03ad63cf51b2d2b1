// Goal: what was acknowledged as synced survives a power cut, on the file system that people have, through the calls that the
// program really makes. Method: a writer in a process of its own (power_writer.cpp) on ext4 over a loop device; the power is
// cut under it at a moment that the seed draws, from its first system call on; after the remount the log is opened in this
// process, which is its recovery, and looked at (survivors.hpp), now and then with another cut right after the recovery. The
// same under eatmydata, where no sync reaches the disk, has to be found out.
//
// LUNGO_POWER_CUTS says how many (200), LUNGO_TEST_SEED which. Needs root and loop devices; without them it fails.
#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <iostream>
#include <sstream>
#include <thread>

#include <lungo/log/local_event_log.hpp>

#include "tests/power/ext4_disk.hpp"
#include "tests/power/survivors.hpp"
#include "tests/support/quiet_log.hpp"

namespace lungo::test {
namespace {

constexpr std::uint64_t kDiskBytes = 512u << 20;
constexpr int kCutsPerDisk = 20;
constexpr auto kPatience = std::chrono::seconds{60};

struct DiskKind {
  const char* mkfs;
  const char* mount;
};
constexpr std::array kDiskKinds{
    DiskKind{"", ""},
    DiskKind{"-b 1024", ""},
    DiskKind{"", "noauto_da_alloc"},  // a rename waits for no data
    DiskKind{"-b 1024 -J size=4", "nodelalloc"},
    DiskKind{"", "commit=1"},
};

/// The writer as a process; killed with the object, or with this process.
class Writer {
 public:
  Writer(const std::string& directory, std::uint32_t life, std::uint64_t seed, const SharedReport& report, bool eats_my_data)
      : said_(output_ / "said") {
    std::vector<std::string> words{LUNGO_POWER_WRITER, directory, std::to_string(life), std::to_string(seed),
                                   std::to_string(report.descriptor())};
    if (eats_my_data) words.insert(words.begin(), "/usr/bin/eatmydata");
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    process_ = ::fork();
    if (process_ != 0) return;
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (std::freopen(said_.c_str(), "w", stderr) != nullptr) ::execv(arguments[0], arguments.data());
    ::_exit(127);
  }
  ~Writer() { kill(); }
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  [[nodiscard]] bool is_running() {
    if (process_ > 0 && ::waitpid(process_, nullptr, WNOHANG) == process_) process_ = 0;
    return process_ > 0;
  }
  void kill() {
    if (process_ <= 0) return;
    ::kill(process_, SIGKILL);
    ::waitpid(process_, nullptr, 0);
    process_ = 0;
  }
  [[nodiscard]] std::string said() const {
    std::ostringstream text;
    text << std::ifstream(said_).rdbuf();
    return text.str();
  }

 private:
  TempDirectory output_;
  const std::string said_;
  pid_t process_ = 0;
};

class Machine {
 public:
  /// With an empty disk.
  explicit Machine(std::uint64_t seed) : random_(seed) {
    const DiskKind& kind = kDiskKinds[random_.below(kDiskKinds.size())];
    disk_.format(kind.mkfs, kind.mount);
  }

  /// The writer lives, the power is cut, and what is left is looked at. Throws Fault.
  void cut_once(bool eats_my_data) {
    ++life_;
    const CutMode mode = eats_my_data || !random_.one_in(4) ? CutMode::at_once
                         : random_.one_in(2)                ? CutMode::with_journal
                                                            : CutMode::after_freeze;
    let_write(mode, eats_my_data);
    disk_.remount();
    std::shared_ptr<EventLog> log = opened();
    survivors_.look(*log, report_.page(), life_);
    if (random_.one_in(3)) {
      disk_.cut(CutMode::at_once);  // what recovery has done may be lost again
      log.reset();
      disk_.remount();
    }
    log.reset();
    log = opened();
    survivors_.look_again(*log);
    survivors_.append(*log, life_, random_);
  }

  [[nodiscard]] const Survivors& survivors() const { return survivors_; }

 private:
  [[nodiscard]] std::string directory() const { return disk_.path() + "/data"; }

  std::shared_ptr<EventLog> opened() {
    Result<std::shared_ptr<EventLog>> log = open_local(directory());
    if (!log) throw Fault{"the log does not open: " + std::string(log.error().text())};
    return std::move(*log);
  }

  void let_write(CutMode mode, bool eats_my_data) {
    // Either so many appends, or a moment, which may be inside the opening.
    const std::uint32_t appends =
        random_.one_in(5) ? 0 : static_cast<std::uint32_t>(1 + random_.below(1u << random_.below(11)));
    const auto moment = std::chrono::microseconds{random_.below(appends == 0 ? 40'000 : 1000)};
    report_.reset();
    ReportPage& page = report_.page();
    Writer writer(directory(), life_, random_.next(), report_, eats_my_data);
    const auto give_up = std::chrono::steady_clock::now() + kPatience;
    while (page.synced < appends) {
      if (page.failed.happened || page.wrong.happened) break;
      if (!writer.is_running()) throw Fault{"the writer has ended: " + writer.said(), false};
      if (std::chrono::steady_clock::now() > give_up) throw Fault{"the writer does not get on: " + writer.said(), false};
      std::this_thread::sleep_for(std::chrono::microseconds{100});
    }
    std::this_thread::sleep_for(moment);  // any moment will do
    const bool has_failed = page.failed.happened;
    page.is_cut = true;
    disk_.cut(mode);
    writer.kill();
    if (page.wrong.happened) throw Fault{std::string("the writer was told wrong: ") + page.wrong.text.data()};
    if (has_failed) throw Fault{std::string("a call failed before the cut: ") + page.failed.text.data(), false};
  }

  Random random_;
  SharedReport report_;
  Ext4Disk disk_{kDiskBytes};
  Survivors survivors_;
  std::uint32_t life_ = 0;
};

int cuts_wanted() {
  const char* const wanted = std::getenv("LUNGO_POWER_CUTS");
  return wanted != nullptr ? std::atoi(wanted) : 200;
}

TEST(PowerCut, WhatWasAcknowledgedAsSyncedSurvives) {
  const SilentLog quiet;  // a log whose disk goes says so
  const std::uint64_t seed = test_seed(20261126);
  std::cout << "LUNGO_TEST_SEED=" << seed << "\n";
  std::uint64_t synced = 0;
  std::uint64_t lost = 0;
  std::uint64_t compacted = 0;
  for (int cut = 0; cut < cuts_wanted();) {
    // Each disk has a seed of its own, so that one cut of many can be come back to.
    const std::uint64_t disk_seed = seed + static_cast<std::uint64_t>(cut / kCutsPerDisk);
    Machine machine(disk_seed);
    for (int on_disk = 0; on_disk < kCutsPerDisk && cut < cuts_wanted(); ++on_disk, ++cut) {
      try {
        machine.cut_once(false);
      } catch (const Fault& fault) {
        FAIL() << fault.text << "\ncut " << on_disk << " of the disk with LUNGO_TEST_SEED=" << disk_seed;
      }
    }
    synced += machine.survivors().synced();
    lost += machine.survivors().written_and_lost();
    compacted += machine.survivors().compacted();
  }
  std::cout << cuts_wanted() << " cuts: " << synced << " records acknowledged as synced, all there; " << lost
            << " acknowledged as written are gone, " << compacted << " met a compacted partition\n";
  EXPECT_GT(lost, 0u) << "nothing at all was lost: were these power cuts?";
  EXPECT_GT(compacted, 0u) << "no cut met compaction";
}

TEST(PowerCut, IsNotSurvivedByWhoEatsSyncs) {
  const SilentLog quiet;
  const std::uint64_t seed = test_seed(20261126);
  std::cout << "LUNGO_TEST_SEED=" << seed << "\n";
  ASSERT_EQ(::access("/usr/bin/eatmydata", X_OK), 0) << "the package eatmydata is not installed";
  Machine machine(seed);
  machine.cut_once(false);
  bool found = false;
  for (int cut = 0; cut < 10 && !found; ++cut) {
    try {
      machine.cut_once(true);
    } catch (const Fault& fault) {
      std::cout << fault.text << "\n";
      ASSERT_TRUE(fault.is_of_the_log) << fault.text;
      found = true;
    }
  }
  EXPECT_TRUE(found) << "acknowledged without a sync, and nobody noticed";
}

}  // namespace
}  // namespace lungo::test
