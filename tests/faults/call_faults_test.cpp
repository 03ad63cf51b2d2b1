// Goal: whichever system call fails, what was acknowledged is there afterwards, in order and once; nobody crashes or hangs, and
// a partition whose sync failed takes no more appends.
// Method: the embedded log on the real storage, in a process of its own for each call that fails (failing_lives.hpp), and the
// directory opened when that has gone.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>

#include <lungo/log/local_event_log.hpp>

#include "storage_posix.hpp"
#include "tests/faults/failing_lives.hpp"
#include "tests/support/quiet_log.hpp"
#include "tests/support/records.hpp"
#include "tests/support/simulation.hpp"

namespace lungo::test {
namespace {

const TopicPartition kPartition{"events", PartitionId{0}};
constexpr int kAppendsMax = 64;

/// What a process has been answered, and found wrong.
struct Report : LifeReport {
  enum class Fate : std::uint8_t { not_tried, refused, written, synced };

  std::array<Fate, kAppendsMax> appends{};
  std::int64_t start = 0;  // asked for
};

std::string value_of(int number) { return std::to_string(number) + std::string(150, 'v'); }
int number_of(std::string_view value) { return std::atoi(std::string(value).c_str()); }

/// The life of a process: two openings, of which the first makes everything.
class Life {
 public:
  Life(std::string directory, Report& report) : directory_(std::move(directory)), report_(report) {}

  void run() {
    for (int opening = 0; opening < 2; ++opening) {
      const Result<std::shared_ptr<EventLog>> log = open_local(directory_, {.ports = &ports_});
      if (report_.is_refused(log)) continue;
      TopicSpec spec;
      spec.name = kPartition.topic;
      spec.partitions = 1;
      spec.streams = true;
      spec.segment_bytes = 700;
      if (report_.is_refused((*log)->create_topic(spec))) continue;
      fenced_ = false;
      expect_acknowledged(**log);
      for (int i = 0; i < 6; ++i) append(**log, Durability::synced);
      for (int i = 0; i < 3; ++i) append(**log, Durability::written);
      append_unwaited(**log);
      simulation_.executor.run_for(std::chrono::seconds{11});  // checkpoints, the stream index, removals
      append(**log, Durability::synced);
      if (opening == 1) delete_records(**log);
      simulation_.executor.run_for(std::chrono::seconds{11});
      append(**log, Durability::synced);
      expect_acknowledged(**log);
    }
  }

 private:
  void append(EventLog& log, Durability durability) {
    const int number = next_++;
    AppendRequest request = append_of(kPartition, "k" + std::to_string(number % 3), value_of(number));
    request.durability = durability;
    const std::uint64_t fired_before = fired();
    const std::uint64_t failed_syncs_before = failed_log_syncs();
    const Result<Appended> done = append_wait(log, std::move(request));
    const bool failed_now = fired() > fired_before;
    if (done && durability == Durability::synced && failed_log_syncs() > failed_syncs_before) {
      problem("an append whose sync failed is acknowledged", Error{Errc::io, std::to_string(number)});
    }
    note(number, done, durability);
    if (fenced_ && (done || done.error() != Errc::partition_failed)) problem("an append to a failed partition", done);
    if (!done && done.error() == Errc::partition_failed) fenced_ = true;
    // What fails at the roll is no sync of what was appended.
    if (!done && failed_now && durability == Durability::synced && is_of_a_sync(done.error())) {
      if (!fenced_) problem("a failed sync", done);
    }
  }

  static bool is_of_a_sync(const Error& error) {
    return error.text().find("sync ") != std::string_view::npos && error.text().find(".log:") != std::string_view::npos;
  }

  void append_unwaited(EventLog& log) {
    int told = 0;
    for (int i = 0; i < 3; ++i) {
      const int number = next_++;
      AppendRequest request = append_of(kPartition, "k" + std::to_string(number % 3), value_of(number));
      request.durability = Durability::synced;
      log.append(std::move(request), [this, number, &told](const Result<Appended>& done) {
        note(number, done, Durability::synced);
        if (!done && done.error() == Errc::partition_failed) fenced_ = true;
        ++told;
      });
    }
    simulation_.executor.run_for(std::chrono::milliseconds{100});
    if (told != 3) problem("completions are missing", Error{Errc::io, std::to_string(told)});
  }

  void delete_records(EventLog& log) {
    const Result<Ends> ends = log.ends(kPartition);
    if (!ends || ends->committed <= Offset{8}) return;
    report_.start = 8;
    static_cast<void>(report_.is_refused(log.delete_records(kPartition, Offset{8})));
  }

  void note(int number, const Result<Appended>& done, Durability durability) {
    static_cast<void>(report_.is_refused(done));
    report_.appends[static_cast<std::size_t>(number)] = !done                              ? Report::Fate::refused
                                                        : durability == Durability::synced ? Report::Fate::synced
                                                                                           : Report::Fate::written;
  }

  /// As long as the process lives, nothing that was written goes.
  void expect_acknowledged(EventLog& log) {
    try {
      std::vector<std::string> values = values_of(log, kPartition, log.ends(kPartition).value().start);
      for (int number = 0; number < next_; ++number) {
        const auto fate = report_.appends[static_cast<std::size_t>(number)];
        const bool is_deleted = !values.empty() && number < number_of(values.front());
        if (fate < Report::Fate::written || is_deleted) continue;
        if (fate == Report::Fate::written && fenced_) continue;
        if (std::ranges::find(values, value_of(number)) == values.end()) {
          problem("an append is missing", Error{Errc::io, std::to_string(number)});
        }
      }
    } catch (const Exception& failure) {
      if (fired() == 0) problem("a read failed", failure.error());
    }
  }

  template <class Done>
  void problem(const char* what, const Done& done) {
    report_.note_problem(what, describe(done));
  }
  static std::string describe(const Error& error) { return to_string(error); }
  static std::string describe(const Result<Appended>& done) { return done ? "done" : to_string(done.error()); }

  const std::string directory_;
  Report& report_;
  Simulation simulation_{1};
  const std::unique_ptr<Storage> storage_ = make_posix_storage();
  const Ports ports_{*storage_, simulation_.clock, simulation_.executor, simulation_.random};
  int next_ = 0;
  bool fenced_ = false;
};

/// All that was acknowledged is there, in order and once; of the rest only what was asked for.
void expect_kept(const std::string& directory, const Report& report) {
  Simulation simulation{1};
  const std::unique_ptr<Storage> storage = make_posix_storage();
  const Ports ports{*storage, simulation.clock, simulation.executor, simulation.random};
  const Result<std::shared_ptr<EventLog>> log = open_local(directory, {.ports = &ports});
  ASSERT_TRUE(log) << log.error();
  const bool any = std::ranges::any_of(report.appends, [](auto fate) { return fate >= Report::Fate::written; });
  if (!(*log)->topic(kPartition.topic)) {
    ASSERT_FALSE(any) << "the topic is gone";
    return;
  }
  EXPECT_TRUE((*log)->damage(kPartition).empty());
  const Offset start = (*log)->ends(kPartition)->start;
  ASSERT_LE(start.value(), report.start);
  const std::vector<std::string> values = values_of(**log, kPartition, start);
  std::vector<int> found;
  for (const std::string& value : values) {
    found.push_back(number_of(value));
    ASSERT_EQ(value, value_of(found.back()));
  }
  ASSERT_EQ(std::ranges::adjacent_find(found, std::greater_equal<>{}), found.end()) << "in order and once";
  for (int number = found.empty() ? 0 : found.front(); number < kAppendsMax; ++number) {
    if (report.appends[static_cast<std::size_t>(number)] < Report::Fate::written) continue;
    ASSERT_TRUE(std::ranges::binary_search(found, number)) << "append " << number << " is lost";
  }
  ASSERT_TRUE(append_wait(**log, append_of(kPartition, "k", "more"))) << "and it goes on";
}

class EveryCall : public testing::TestWithParam<FaultKind>, SilentLog {};

TEST_P(EveryCall, MayFailOnceOrForEver) {
  const auto run = [](const std::string& directory, const CallFault& fault, Report& report) {
    arm(fault);
    Life(directory, report).run();
  };
  let_every_call_fail<Report>(GetParam(), run, expect_kept);
}

const std::vector kCalls{CallKind::write,    CallKind::sync,     CallKind::open,   CallKind::rename,
                         CallKind::allocate, CallKind::truncate, CallKind::remove, CallKind::make_directory,
                         CallKind::read,     CallKind::list,     CallKind::look};
INSTANTIATE_TEST_SUITE_P(Kinds, EveryCall, testing::ValuesIn(each_error(kCalls)), name_of);

}  // namespace
}  // namespace lungo::test
