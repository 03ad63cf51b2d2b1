// A tracker whose log was copied by `lungo log copy`: it goes on as it would have where it came from.
#include <gtest/gtest.h>

#include <filesystem>

#include <lungo/framework/event_store.hpp>
#include "import/import_progress.hpp"
#include "tests/samples/tracker_fixture.hpp"

namespace lungo::test {
namespace {

class TrackerCopy : public TrackerTest {
 protected:
  /// Lines of one visitor, who looks at a page each minute.
  void write_lines(const std::string& path, const std::string& target, int begin, int end) const {
    std::string text;
    for (int minute = begin; minute < end; ++minute) text += line_at(minute, target + std::to_string(minute));
    write(path, text, std::ios::app);
  }
  void copy() const {
    const Finished copied = run({LUNGO_PROGRAM, "log", "copy", "--from", data(), "--to", moved()});
    ASSERT_EQ(copied.status, 0) << copied.err;
    EXPECT_NE(copied.err.find("tracker-secret; copy it by hand"), std::string::npos) << copied.err;
    std::filesystem::copy_file(data() + "/tracker-secret", moved() + "/tracker-secret");
  }
  [[nodiscard]] std::string moved() const { return directory_ / "moved"; }
};

TEST_F(TrackerCopy, GoesOnWithItsFilesAndSessions) {
  write_lines(log(), "/a", 0, 50);
  import();
  copy();
  write_lines(log(), "/a", 50, 200);
  boost::json::object here = import();
  boost::json::object there = import_json(moved(), {log()});
  EXPECT_EQ(there, here);
  EXPECT_EQ(number(there, "events"), 200);
}

/// How far the import of a file has come.
std::vector<tracker::ImportProgress> marks_of(const std::string& path, const std::string& data) {
  const tracker::ProgressBook book = tracker::ProgressBook::open(EventStore{open_local(data).value()}).value();
  return book.of(book.last_file_of(path).value());
}

std::int64_t events_in(const std::string& data) {
  const std::shared_ptr<EventLog> log = open_local(data, {.read_only = true}).value();
  std::int64_t events = 0;
  for (std::int32_t partition = 0; partition < log->topic("events")->spec.partitions; ++partition) {
    const Ends ends = log->ends({"events", PartitionId{partition}}).value();
    events += ends.committed - ends.start;
  }
  return events;
}

// Goal: what was appended behind the last mark is found in the copy although offsets there are smaller, and although they have
// grown since above the one that the mark names.
constexpr int kOthers = 11'000;  // more than a partition knows the last ids of
TEST_F(TrackerCopy, FindsWhatAnImportThatWasKilledHadAppended) {
  write_lines(log(), "/a", 0, 50);
  import();
  const std::vector<tracker::ImportProgress> marks = marks_of(log(), data());
  write_lines(log(), "/a", 50, 60);
  import();
  {
    EventStore store{open_local(data()).value()};
    tracker::ProgressBook book = tracker::ProgressBook::open(store).value();
    ASSERT_TRUE(book.write(marks));  // as if it had been killed before it wrote the next ones
    for (const tracker::ImportProgress& mark : marks) {
      const TopicPartition partition{mark.topic, PartitionId{mark.partition}};
      ASSERT_TRUE(store.log().delete_records(partition, Offset{mark.next_offset}));
    }
  }
  copy();
  const std::string other = directory_ / "other.log";
  std::string text;
  for (int line = 0; line < kOthers; ++line) text += line_at(60, "/b" + std::to_string(line));
  write(other, text);
  import_json(moved(), {other});
  EXPECT_EQ(events_in(moved()), 10 + kOthers);
  import_json(moved(), {log()});
  EXPECT_EQ(events_in(moved()), 10 + kOthers) << "lines came twice";
}

}  // namespace
}  // namespace lungo::test
