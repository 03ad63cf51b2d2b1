// Goal: a process that runs out of memory loses nothing that was acknowledged, and goes on when there is memory again: an
// append that was hit is refused, or its partition is; nobody waits for ever; the other partitions work. Method: in a process
// of its own for each allocation that fails, the n-th one of a call, for n = 1, 2, 3, ... until none is left; once, and each
// later one as long as the call lasts.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <functional>
#include <new>

#include <lungo/log/appender.hpp>
#include <lungo/log/local_event_log.hpp>

#include "file_cache.hpp"
#include "storage_posix.hpp"
#include "tests/faults/failing_new.hpp"
#include "tests/log/producer_batches.hpp"
#include "tests/support/quiet_log.hpp"
#include "tests/support/records.hpp"
#include "tests/support/simulation.hpp"
#include "tests/support/temp_directory.hpp"

namespace lungo::test {
namespace {

constexpr unsigned kSecondsMax = 10;
const TopicPartition kHit{"hit", PartitionId{0}};
const TopicPartition kOther{"other", PartitionId{0}};

/// What is wrong, as the child says it; nothing if all is well.
using Story = std::function<std::string(std::uint64_t failing, bool for_ever, bool& fired)>;

struct Ending {
  std::string problem;
  bool fired = false;
};

/// Runs it in a process of its own.
Ending run_apart(const Story& story, std::uint64_t failing, bool for_ever) {
  int ends[2];
  if (::pipe(ends) != 0) return {.problem = "no pipe"};
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(kSecondsMax);
    bool fired = false;
    std::string said = story(failing, for_ever, fired);
    said += fired ? '!' : '.';
    ::_exit(::write(ends[1], said.data(), said.size()) == static_cast<ssize_t>(said.size()) ? 0 : 1);
  }
  ::close(ends[1]);
  std::string said(1000, ' ');
  const ssize_t bytes = ::read(ends[0], said.data(), said.size());
  ::close(ends[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  if (WIFSIGNALED(status)) {
    return {.problem = WTERMSIG(status) == SIGALRM ? "hangs" : "died of signal " + std::to_string(WTERMSIG(status))};
  }
  if (bytes <= 0 || WEXITSTATUS(status) != 0) return {.problem = "said nothing"};
  said.resize(static_cast<std::size_t>(bytes));
  const bool fired = said.back() == '!';
  said.pop_back();
  return {.problem = said, .fired = fired};
}

void let_every_allocation_fail(const Story& story) {
  int runs = 0;
  for (const bool for_ever : {false, true}) {
    bool fired = true;
    for (std::uint64_t failing = 1; fired; ++failing) {
      const Ending ending = run_apart(story, failing, for_ever);
      ASSERT_EQ(ending.problem, "") << "allocation " << failing << (for_ever ? " and all later ones" : "");
      fired = ending.fired;
      ++runs;
    }
  }
  std::printf("%d processes\n", runs);
  ASSERT_GT(runs, 4);
}

/// A log on the real storage, on one thread, and what it has answered.
class Writer {
 public:
  explicit Writer(const std::string& directory) : directory_(directory) {
    open();
    for (const TopicPartition& partition : {kHit, kOther}) {
      TopicSpec spec;
      spec.name = partition.topic;
      spec.partitions = 1;
      spec.streams = true;
      spec.segment_bytes = 600;
      log->create_topic(spec).value();
    }
    for (int i = 0; i < 3; ++i) {
      append(kHit).value();
      append(kOther).value();
    }
  }
  void open() { log = open_local(directory_, {.ports = &ports}).value(); }
  std::string next_value() { return std::to_string(next_++) + std::string(100, 'v'); }

  void note(const TopicPartition& partition, const Result<Appended>& done, const std::string& value) {
    FailingNew::disarm();
    if (done) accepted[{partition, done->first}] = value;
  }
  Result<Appended> append(const TopicPartition& to) {
    const std::string value = next_value();
    const Result<Appended> done = append_wait(*log, append_of(to, "k", value));
    note(to, done, value);
    return done;
  }
  /// Nobody waits for it but for a while.
  std::optional<Result<Appended>> append_unwaited(const TopicPartition& to) {
    const std::string value = next_value();
    const auto told = std::make_shared<std::optional<Result<Appended>>>();
    log->append(append_of(to, "k", value), [told](const Result<Appended>& done) { *told = done; });
    machine.executor.run_for(std::chrono::milliseconds{50});
    if (!*told) return std::nullopt;
    note(to, **told, value);
    return **told;
  }

  /// That all goes on, and what was accepted is there, under its offsets.
  std::string look() {
    for (int i = 0; i < 3; ++i) {
      static_cast<void>(append(kHit).has_value());  // may be refused, but is answered
      if (const Result<Appended> done = append(kOther); !done) return "the other partition: " + to_string(done.error());
      if (!append_unwaited(kHit)) return "a completion does not come";
      if (!append_unwaited(kOther)) return "a completion of the other partition does not come";
    }
    if (std::string problem = expect_accepted(); !problem.empty()) return problem;
    log.reset();
    open();
    if (std::string problem = expect_accepted(); !problem.empty()) return "after opening again, " + problem;
    if (const Result<Appended> done = append(kHit); !done) return "after opening again, " + to_string(done.error());
    log.reset();
    return "";
  }

  Simulation machine{1};
  const std::unique_ptr<Storage> storage = make_posix_storage();
  const Ports ports{*storage, machine.clock, machine.executor, machine.random};
  std::shared_ptr<EventLog> log;
  std::map<std::pair<TopicPartition, Offset>, std::string> accepted;

 private:
  std::string expect_accepted() {
    std::map<TopicPartition, std::vector<std::string>> found;
    for (const TopicPartition& partition : {kHit, kOther}) found[partition] = values_of(*log, partition);
    for (const auto& [place, value] : accepted) {
      const auto& [partition, offset] = place;
      const auto at = static_cast<std::size_t>(offset.value());
      if (at >= found[partition].size() || found[partition][at] != value) {
        return to_string(partition) + " lacks what was accepted at offset " + std::to_string(at);
      }
    }
    return "";
  }

  const std::string directory_;
  int next_ = 0;
};

/// The call runs out of memory; what is there before and after is not.
Story story_of(const std::function<void(Writer&)>& call) {
  return [call](std::uint64_t failing, bool for_ever, bool& fired) {
    const MemoryDirectory directory;
    Writer writer(directory.path());
    try {
      const FailingNew armed(failing, for_ever);
      call(writer);
    } catch (const std::bad_alloc&) {
      // Refused, in the only way that is left.
    }
    fired = FailingNew::failures() > 0;
    return writer.look();
  };
}

class OutOfMemory : public testing::Test, SilentLog {};

TEST_F(OutOfMemory, AnAppendThatIsWaitedForIsRefused) {
  let_every_allocation_fail(story_of([](Writer& writer) { static_cast<void>(writer.append(kHit).has_value()); }));
}

TEST_F(OutOfMemory, AnAppendWithAConditionIsRefused) {
  let_every_allocation_fail(story_of([](Writer& writer) {
    const std::string value = writer.next_value();
    AppendRequest request = append_of(kHit, "fresh", value, "id");
    request.condition = Condition{.key = "fresh", .as_of = Offset{0}};
    writer.note(kHit, append_wait(*writer.log, std::move(request)), value);
  }));
}

TEST_F(OutOfMemory, AnAppendThatNobodyWaitsForIsRefused) {
  let_every_allocation_fail(story_of([](Writer& writer) {
    const std::shared_ptr<Appender> appender = writer.log->appender(kHit).value();
    const std::string value = writer.next_value();
    for (int i = 0; i < 3; ++i) {
      appender->append({.timestamp = {}, .key = as_bytes("k"), .value = as_bytes(value)}, [](const Result<Appended>&) {});
    }
  }));
}

TEST_F(OutOfMemory, AProducersBatchIsRefused) {
  let_every_allocation_fail(story_of([](Writer& writer) {
    const Bytes batch = encode(produced_by(1, 0, 1));
    static_cast<void>(writer.log->appender(kHit).value()->append_batch(batch).has_value());
  }));
}

TEST_F(OutOfMemory, AnOpeningIsRefused) {
  let_every_allocation_fail([](std::uint64_t failing, bool for_ever, bool& fired) {
    const MemoryDirectory directory;
    Writer writer(directory.path());
    writer.log.reset();
    try {
      const FailingNew armed(failing, for_ever);
      const Result<std::shared_ptr<EventLog>> log = open_local(directory.path(), {.ports = &writer.ports});
      FailingNew::disarm();
    } catch (const std::bad_alloc&) {
    }
    fired = FailingNew::failures() > 0;
    writer.open();
    return writer.look();
  });
}

/// Three files through a cache of two, of which a call that fails takes or moves the names.
Story story_of_files(const std::function<void(Storage&, const TempDirectory&)>& call) {
  return [call](std::uint64_t failing, bool for_ever, bool& fired) -> std::string {
    const MemoryDirectory directory;
    const std::unique_ptr<Storage> beneath = make_posix_storage();
    FileCache cache(*beneath, 2);
    std::vector<std::unique_ptr<File>> files;
    for (const char* const name : {"a", "b", "c"}) {
      files.push_back(cache.open(directory / name, OpenMode::create).value());
      files.back()->write_at(0, as_bytes(name)).value();
      files.back()->sync().value();
    }
    try {
      const FailingNew armed(failing, for_ever);
      call(cache, directory);
    } catch (const std::bad_alloc&) {
    }
    fired = FailingNew::failures() > 0;
    for (int round = 0; round < 3; ++round) {
      for (std::size_t i = 0; i < files.size(); ++i) {
        std::byte byte{};
        const Result<std::size_t> read = files[i]->read_at(0, {&byte, 1});
        if (!read) return to_string(read.error());
        if (*read != 1 || byte != static_cast<std::byte>('a' + i)) return "a file has another's bytes";
        if (Result<void> written = files[i]->write_at(0, {&byte, 1}); !written) return to_string(written.error());
        if (Result<void> synced = files[i]->sync(); !synced) return to_string(synced.error());
      }
    }
    files.clear();
    if (cache.stats().open != 0) return "a file that nobody holds is open";
    return "";
  };
}

TEST_F(OutOfMemory, AFileThatIsRenamedKeepsItsBytes) {
  let_every_allocation_fail(story_of_files([](Storage& storage, const TempDirectory& directory) {
    static_cast<void>(storage.rename(directory / "a", directory / "long-enough-to-be-allocated").has_value());
  }));
}

TEST_F(OutOfMemory, AFileThatIsReplacedKeepsItsBytes) {
  let_every_allocation_fail(story_of_files([](Storage& storage, const TempDirectory& directory) {
    static_cast<void>(storage.rename(directory / "a", directory / "b").has_value());
  }));
}

TEST_F(OutOfMemory, AFileThatIsRemovedKeepsItsBytes) {
  let_every_allocation_fail(story_of_files([](Storage& storage, const TempDirectory& directory) {
    static_cast<void>(storage.remove(directory / "a").has_value());
  }));
}

TEST_F(OutOfMemory, AFileThatCannotBeOpenedLeavesNothing) {
  let_every_allocation_fail(story_of_files([](Storage& storage, const TempDirectory& directory) {
    const Result<std::unique_ptr<File>> file = storage.open(directory / "d", OpenMode::create);
    FailingNew::disarm();
  }));
}

}  // namespace
}  // namespace lungo::test
