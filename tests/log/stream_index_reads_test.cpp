// Goal: a look-up of a stream reads what it needs and no more: of a stream's last record one block and one piece of the log,
// whatever lies between; of a stream that is not there nothing, mostly; of all its records their batches and its own blocks.
// Method: a storage that counts the reads of each kind of file, under a partition whose index has many runs.

#include <gtest/gtest.h>

#include "segment.hpp"
#include "tests/log/partition_fixture.hpp"
#include "tests/support/forwarding_storage.hpp"

namespace lungo::test {
namespace {

class CountingStorage : public ForwardingStorage {
 public:
  using ForwardingStorage::ForwardingStorage;

  struct Reads {
    int of_log = 0;
    int of_streams = 0;
    int of_others = 0;
    [[nodiscard]] int all() const { return of_log + of_streams + of_others; }
  };
  /// Since the last call.
  Reads take() { return std::exchange(reads_, {}); }

  Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override {
    Result<std::unique_ptr<File>> file = ForwardingStorage::open(path, mode);
    if (!file) return file;
    int& count = path.ends_with(".log") ? reads_.of_log : path.ends_with(".streams") ? reads_.of_streams : reads_.of_others;
    return std::unique_ptr<File>{std::make_unique<CountingFile>(std::move(*file), count)};
  }

 private:
  class CountingFile : public ForwardingFile {
   public:
    CountingFile(std::unique_ptr<File> under, int& count) : ForwardingFile(std::move(under)), count_(count) {}
    Result<std::size_t> read_at(std::uint64_t position, std::span<std::byte> out) override {
      ++count_;
      return ForwardingFile::read_at(position, out);
    }

   private:
    int& count_;
  };

  Reads reads_;
};

class StreamReads : public testing::Test {
 protected:
  static constexpr int kStreams = 4000;
  static constexpr int kRecords = 12'000;
  static constexpr int kTable = 500;

  StreamReads() : counting(fixture.simulation->disk) {
    fixture.options.streams = true;
    fixture.options.stream_table_records = kTable;
    fixture.options.segment_bytes = 200'000;
    {
      const auto first = open({});
      for (int i = 0; i < kRecords; ++i) {
        EXPECT_TRUE(append(*first, {{.key = "stream-" + std::to_string(i % kStreams), .value = std::string(100, 'v')}}));
        if (i % kTable == kTable - 1) keep(*first, 1);  // written, and not merged
      }
      clean = first->close().value();
    }
    log = open(clean);
    for (const std::string& name : fixture.names()) runs += name.ends_with(".streams") ? 1 : 0;
    EXPECT_TRUE(log->read_key("loads the filters", Offset{0}, log->written_end(), 1));
    counting.take();
  }
  std::unique_ptr<PartitionLog> open(std::optional<CleanEnd> from) {
    Ports ports = fixture.simulation->ports();
    return PartitionLog::open({counting, ports.clock, ports.executor, ports.random}, fixture.directory, fixture.options, from,
                              Offset{0})
        .value();
  }
  static void keep(PartitionLog& kept, int steps) {
    while (steps-- > 0 && *kept.do_chores()) continue;
  }
  /// Looks for the stream's last record, by an append that must not find it.
  std::optional<Offset> head(const std::string& key) {
    const Result<Appended> answer =
        append(*log, {{.key = "other", .value = ""}}, LeaderEpoch{0}, Condition{.key = key, .as_of = Offset{0}});
    return answer ? std::nullopt : answer.error().offset();
  }
  void expect_two_reads_a_head() {
    int reads_of_streams = 0;
    for (int i = 0; i < kStreams; i += 7) {
      SCOPED_TRACE(i);
      ASSERT_EQ(head("stream-" + std::to_string(i)), Offset{kRecords - kStreams + i});
      const CountingStorage::Reads reads = counting.take();
      ASSERT_EQ(reads.of_log, 1);
      ASSERT_EQ(reads.of_others, 0);
      ASSERT_GE(reads.of_streams, 1);
      reads_of_streams += reads.of_streams;
    }
    // A filter lies once in a hundred times, and some runs lie above the head.
    EXPECT_LE(reads_of_streams, (kStreams / 7 + 1) * 112 / 100);
  }

  PartitionFixture fixture;
  CountingStorage counting;
  std::optional<CleanEnd> clean;
  std::unique_ptr<PartitionLog> log;
  int runs = 0;
};

TEST_F(StreamReads, OfAHeadAreTwo) {
  EXPECT_GT(runs, 20);
  expect_two_reads_a_head();
}

TEST_F(StreamReads, OfAHeadAreTwoInMergedRuns) {
  keep(*log, 1'000'000);
  int merged = 0;
  for (const std::string& name : fixture.names()) merged += name.ends_with(".streams") ? 1 : 0;
  EXPECT_LT(merged, 6);
  EXPECT_TRUE(log->read_key("loads the filters", Offset{0}, log->written_end(), 1));
  counting.take();
  expect_two_reads_a_head();
}

TEST_F(StreamReads, OfAStreamThatIsNotThereAreNoneMostly) {
  int reads = 0;
  for (int i = 0; i < 500; ++i) {
    const Result<KeyRecords> found = log->read_key("nobody-" + std::to_string(i), Offset{0}, Offset{kRecords}, 10);
    ASSERT_TRUE(found);
    ASSERT_TRUE(found->records.empty());
    const CountingStorage::Reads each = counting.take();
    ASSERT_EQ(each.of_log, 0);
    reads += each.all();
  }
  EXPECT_LE(reads, 500 * runs * 2 / 100);
}

TEST_F(StreamReads, OfAStreamAreItsBlocksFromTheOffsetOnThatIsAskedFor) {
  struct Expected {
    std::int64_t begin;
    std::size_t records_max;
    std::size_t records;
    int blocks;
  };
  // One of three records: where it goes on is all that is looked for beyond.
  for (const auto& [begin, records_max, records, blocks] :
       {Expected{0, 10, 3, 3}, Expected{kRecords - kStreams, 10, 1, 1}, Expected{0, 1, 1, 2}}) {
    int streams = 0;
    int reads = 0;
    for (int i = 0; i < kStreams; i += 11, ++streams) {
      const Result<KeyRecords> found =
          log->read_key("stream-" + std::to_string(i), Offset{begin}, Offset{kRecords}, records_max);
      ASSERT_EQ(found->records.size(), records);
      ASSERT_EQ(found->done, records != records_max);
      reads += counting.take().of_streams;
    }
    EXPECT_GE(reads, streams * blocks);
    EXPECT_LE(reads, streams * (blocks * 100 + runs * 2) / 100) << "a filter lies once in a hundred times";
  }
}

// What a place says is no more than a hint: a batch is taken from there if it holds the offset and agrees with what is behind
// it.
TEST(HintedReads, GiveTheBatchOrNothing) {
  PartitionFixture fixture;
  {
    const auto log = fixture.opened();
    for (int i = 0; i < 4; ++i) ASSERT_TRUE(append(*log, {{.key = "a", .value = "1"}, {.key = "b", .value = "2"}}));
    ASSERT_TRUE(log->sync());
  }
  EpochHistory epochs;
  epochs.note(LeaderEpoch{0}, Offset{0});
  BufferPool buffers;
  const auto segment = Segment::open(fixture.simulation->disk, fixture.directory, Offset{0}, fixture.options).value();
  const std::uint64_t batch_bytes = segment->size() / 4;
  const auto read = [&](std::uint64_t place, std::int64_t offset, std::int64_t end = 8) {
    return segment->read_hinted(place, Offset{offset}, Offset{end}, buffers, epochs, Offset{0}).value();
  };
  for (std::uint64_t place = 0; place < segment->size() + 10; ++place) {
    for (std::int64_t offset = 0; offset < 8; ++offset) {
      const auto batch = read(place, offset);
      ASSERT_EQ(batch.has_value(), place == static_cast<std::uint64_t>(offset / 2) * batch_bytes) << place << " " << offset;
      if (!batch) continue;
      EXPECT_EQ(batch->end, Offset{offset / 2 * 2 + 2});
      EXPECT_EQ(batch->batches.size(), batch_bytes);
    }
  }
  EXPECT_FALSE(read(3 * batch_bytes, 6, 9)) << "the segment ends elsewhere";
  for (std::uint64_t byte = 0; byte < batch_bytes; ++byte) {  // of the second batch
    fixture.flip(kFirstLog, batch_bytes + byte);
    const auto second = read(batch_bytes, 3);
    EXPECT_FALSE(second) << byte;
    fixture.flip(kFirstLog, batch_bytes + byte);
  }
  EXPECT_TRUE(read(batch_bytes, 3));
}

}  // namespace
}  // namespace lungo::test
