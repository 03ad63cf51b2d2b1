// The replay tool where nothing can be written: a read-only mount of a directory that was stopped, lives, was killed, or was
// copied after that. Root is refused by mounts, not by modes, so this suite mounts.
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "tests/projections/replay_tool.hpp"

namespace lungo::test {
namespace {

/// `source` once more, read-only, if we may mount.
class ReadOnlyMount {
 public:
  explicit ReadOnlyMount(const std::string& source) {
    mounted_ = ::mount(source.c_str(), at().c_str(), nullptr, MS_BIND, nullptr) == 0;
    const unsigned long flags = MS_REMOUNT | MS_BIND | MS_RDONLY;
    read_only_ = mounted_ && ::mount(nullptr, at().c_str(), nullptr, flags, nullptr) == 0;
  }
  ~ReadOnlyMount() {
    if (mounted_) ::umount2(at().c_str(), MNT_DETACH);
  }
  ReadOnlyMount(const ReadOnlyMount&) = delete;
  ReadOnlyMount& operator=(const ReadOnlyMount&) = delete;
  [[nodiscard]] bool is_read_only() const { return read_only_; }
  [[nodiscard]] const std::string& at() const { return place_.path(); }

 private:
  TempDirectory place_;
  bool mounted_ = false;
  bool read_only_ = false;
};

class ReadOnlyReplay : public ReplayToolTest {
 protected:
  void SetUp() override {
    const ReadOnlyMount probe{data};
    if (!probe.is_read_only()) GTEST_SKIP() << "needs the right to mount";
  }

  static void expect_shown(const std::string& at) {
    const Ran list = run_replay(at, {"list"});
    EXPECT_EQ(list.status, 0) << list.err;
    EXPECT_NE(list.out.find("TopPages\t2\tevents\t1\tsqlite views.db\n"), std::string::npos) << list.out;
    const Ran status = run_replay(at, {"status"});
    EXPECT_NE(status.out.find("TopPages\tcomplete\t0\t0\t1"), std::string::npos) << status.out << status.err;
    EXPECT_EQ(run_replay(at, {"show", "TopPages", "/b"}).out, "key\tviews\tmillis\n/b\t2\t14\n");
    expect_events(at);
  }
  static void expect_events(const std::string& at) {
    const Ran events = run_replay(at, {"events", "visit-ann"});
    EXPECT_EQ(events.status, 0) << events.err;
    EXPECT_EQ(std::count(events.out.begin(), events.out.end(), '\n'), 5) << events.out;
  }
  static void expect_store_refused(const std::string& at) {
    for (const std::vector<const char*>& command : {std::vector{"list"}, {"status"}, {"show", "TopPages"}}) {
      const Ran refused = run_replay(at, command);
      EXPECT_EQ(refused.status, 1);
      EXPECT_EQ(refused.out, "");
      EXPECT_NE(refused.err.find("views.db-wal holds commits"), std::string::npos) << refused.err;
    }
  }
  /// What a kill now would leave: no process writes it, everything is as it was.
  std::string killed() {
    std::filesystem::copy(data, directory / "killed", std::filesystem::copy_options::recursive);
    EXPECT_GT(std::filesystem::file_size(directory / "killed/views.db-wal"), 0u);
    return directory / "killed";
  }
};

TEST_F(ReadOnlyReplay, DirectoryThatWasStopped) {
  close();
  EXPECT_FALSE(std::filesystem::exists(data + "/views.db-wal"));  // what reading as immutable rests on
  const ReadOnlyMount mount{data};
  expect_shown(mount.at());
}

TEST_F(ReadOnlyReplay, DirectoryThatWasLookedAtBefore) {
  close();
  EXPECT_EQ(run({"list"}, false).status, 0);  // leaves an empty NAME-wal
  const ReadOnlyMount mount{data};
  expect_shown(mount.at());
  std::filesystem::remove(data + "/views.db-shm");
  expect_shown(mount.at());
}

TEST_F(ReadOnlyReplay, LiveDirectory) {
  EXPECT_TRUE(std::filesystem::exists(data + "/views.db-wal"));
  EXPECT_TRUE(std::filesystem::exists(data + "/views.db-shm"));
  const ReadOnlyMount mount{data};
  expect_shown(mount.at());
  const Commit commit = view(*store, "ann", "/c").value();
  engine->catch_up(std::chrono::seconds{10}).value();
  EXPECT_EQ(run_replay(mount.at(), {"show", "TopPages", "/c"}).out, "key\tviews\tmillis\n/c\t1\t1\n");
}

TEST_F(ReadOnlyReplay, KilledDirectory) {
  const std::string left = killed();
  const ReadOnlyMount mount{left};
  expect_shown(mount.at());
}

TEST_F(ReadOnlyReplay, CommitsThatCanNotBeReadAreRefusedAndEventsAreNot) {
  const std::string left = killed();
  std::filesystem::remove(left + "/views.db-shm");
  const ReadOnlyMount mount{left};
  expect_store_refused(mount.at());
  expect_events(mount.at());
  expect_shown(left);  // the same bytes where something can be written
}

TEST_F(ReadOnlyReplay, EngineThatStartsMeanwhileIsNoticed) {
  close();
  const ReadOnlyMount mount{data};
  const std::unique_ptr<StateStore> rows = sqlite("views.db");
  PosixPorts ports;
  rows->open({ports.ports(), mount.at(), true}).value();
  const std::unique_ptr<RowReader> reader = rows->reader().value();
  ASSERT_TRUE(reader->scan("TopPages", {}, [](Cells) { return true; }).has_value());
  const Result<void> read = reader->scan("TopPages", {}, [&](Cells) {
    if (log) return true;
    log = open_local(data).value();
    store.emplace(log);
    engine.emplace(*store, sqlite("views.db"));
    engine->add<TopPages>();
    engine->start().value();
    view(*store, "ann", "/meanwhile").value();
    return engine->catch_up(std::chrono::seconds{10}).has_value();
  });
  ASSERT_FALSE(read.has_value());
  EXPECT_EQ(read.error(), Errc::busy) << read.error();
}

TEST_F(ReadOnlyReplay, RebuildSaysThatItCanNotWrite) {
  close();
  const ReadOnlyMount mount{data};
  const Ran refused = run_replay(mount.at(), {"rebuild"}, true);
  EXPECT_EQ(refused.status, 1);
  EXPECT_NE(refused.err.find("Read-only file system"), std::string::npos) << refused.err;
}

// Modes refuse everyone but root: in a process of its own, without its rights.
TEST_F(ReadOnlyReplay, DirectoryOfMode0500) {
  close();
  constexpr uid_t kNobody = 65534;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory.path()))
    ASSERT_EQ(::chown(entry.path().c_str(), kNobody, kNobody), 0);
  ASSERT_EQ(::chown(directory.path().c_str(), kNobody, kNobody), 0);
  std::filesystem::permissions(data, std::filesystem::perms::owner_read | std::filesystem::perms::owner_exec);
  const pid_t child = ::fork();
  if (child == 0) {
    if (::setuid(kNobody) != 0) ::_exit(2);
    expect_shown(data);
    ::_exit(HasFailure() ? 1 : 0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace lungo::test
