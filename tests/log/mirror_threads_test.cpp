// Goal: readers see whole records of the source while its mirror is filled, cut, emptied and forgotten beside them, on a real
// disk. For the thread sanitizer, too.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "tests/log/mirrored_source.hpp"
#include "tests/support/quiet_log.hpp"
#include "tests/support/random.hpp"
#include "tests/support/temp_directory.hpp"

namespace lungo::test {
namespace {

const TopicPartition kMirrored{"events", PartitionId{0}};

TopicInfo small_topic() {
  TopicInfo info;
  info.spec.name = kMirrored.topic;
  info.spec.partitions = 1;
  info.spec.streams = true;
  info.spec.segment_bytes = 20'000;
  return info;
}

/// What stands at an offset, whichever source it is.
void expect_of_its_place(const RecordView& record) {
  const std::string number = std::to_string(record.offset.value());
  EXPECT_EQ(as_text(record.key), "key " + std::to_string(record.offset.value() % 7));
  EXPECT_TRUE(as_text(record.value).ends_with("/" + number)) << as_text(record.value);
}

/// Errors of who reads where something has just gone, or goes just now.
void expect_passing(const Error& error) {
  EXPECT_TRUE(error == Errc::offset_out_of_range || error == Errc::history_trimmed || error == Errc::not_found ||
              error == Errc::corrupt)
      << error;
}

class Readers {
 public:
  explicit Readers(EventLog& log) : log_(log) {
    for (int i = 0; i < 3; ++i) threads_.emplace_back([this, i] { run(i); });
  }
  ~Readers() {
    stops_ = true;
    for (std::thread& thread : threads_) thread.join();
  }
  [[nodiscard]] std::uint64_t records() const { return records_; }

 private:
  void run(int number) {
    while (!stops_) {
      const Result<Ends> ends = log_.ends(kMirrored);
      if (!ends) {
        expect_passing(ends.error());
        continue;
      }
      if (number == 2) {
        look_up(*ends);
      } else {
        read(*ends, number == 1);
      }
    }
  }
  void read(const Ends& ends, bool back) {
    for (Offset at = back ? ends.committed : ends.start; back ? at > ends.start : at < ends.committed;) {
      const Result<Fetched> fetched = back ? log_.read_back(kMirrored, at, 1000) : log_.read(kMirrored, at, 1000);
      if (!fetched) return expect_passing(fetched.error());
      RecordCursor cursor = fetched->records();
      while (const RecordView* record = cursor.next()) {
        expect_of_its_place(*record);
        ++records_;
      }
      EXPECT_FALSE(cursor.error());
      const Offset next = back ? fetched->first() : fetched->next().offset;
      if (next == at) return;
      at = next;
    }
  }
  void look_up(const Ends& ends) {
    const Result<KeyRecords> found = log_.read_key(kMirrored, "key 3", ends.start, ends.committed, 10'000);
    if (!found) return expect_passing(found.error());
    for (const RecordView& record : found->records) {
      EXPECT_EQ(as_text(record.key), "key 3");
      expect_of_its_place(record);
      ++records_;
    }
  }

  EventLog& log_;
  std::atomic<bool> stops_{false};
  std::atomic<std::uint64_t> records_{0};
  std::vector<std::thread> threads_;
};

TEST(MirrorThreads, ReadersSeeWholeRecordsWhateverItsWriterDoes) {
  const QuietLog quiet;
  const MemoryDirectory directory;
  const std::unique_ptr<MirrorLog> mirror = open_mirror(directory / "mirror", "cluster").value();
  ASSERT_TRUE(mirror->make_topic(small_topic()));
  Random random(test_seed(1));
  MirroredSource source;
  int incarnation = 0;
  const auto grow = [&] {
    for (int i = 0; i < 300; ++i) {
      if (random.one_in(5)) source.skip(1 + static_cast<std::int64_t>(random.below(3)));
      const std::string offset = std::to_string(source.end);
      source.add({.key = "key " + std::to_string(source.end % 7), .value = std::to_string(incarnation) + "/" + offset});
    }
  };
  {
    const Readers readers(mirror->reads());
    for (int round = 0; round < 60 || (readers.records() < 100'000 && round < 5000); ++round) {
      grow();
      fill(*mirror, kMirrored, source, 40);
      const std::uint64_t choice = random.below(10);
      if (choice < 3) {
        const auto end = static_cast<std::uint64_t>(source.end);
        ASSERT_TRUE(mirror->cut(kMirrored, Offset{static_cast<std::int64_t>(random.below(end))}));
      } else if (choice == 3) {
        source = {};
        ++incarnation;
      } else if (choice == 4) {
        source.delete_below(source.start + (source.end - source.start) / 2);
      } else if (choice == 5) {
        ASSERT_TRUE(mirror->forget_topic(kMirrored.topic));
        ASSERT_TRUE(mirror->make_topic(small_topic()));
      }
      if (HasFailure()) break;
    }
    EXPECT_GT(readers.records(), 1000u);
  }
  EXPECT_TRUE(mirror->reads().damage(kMirrored).empty());
  fill(*mirror, kMirrored, source, 40);
  EXPECT_EQ(shown_records(mirror->reads(), kMirrored), source.records);
}

TEST(MirrorThreads, TheKernelCanSendWhatIsMirrored) {
  const QuietLog quiet;
  const TempDirectory directory;
  const std::unique_ptr<MirrorLog> mirror = open_mirror(directory / "mirror", "cluster").value();
  ASSERT_TRUE(mirror->make_topic(small_topic()));
  MirroredSource source;
  for (int i = 0; i < 100; ++i) source.add({.key = "k", .value = std::to_string(i)});
  source.skip(20);
  fill(*mirror, kMirrored, source, 30);
  const FileRange range = mirror->reads().read_range(kMirrored, Offset{0}, 1u << 20).value();
  EXPECT_EQ(range.next.offset, Offset{source.end});
  EXPECT_GT(range.bytes, 100u);
}

}  // namespace
}  // namespace lungo::test
