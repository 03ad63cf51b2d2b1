// Goal: what read_range() names is what read() returns, byte for byte, wherever it begins and however much is asked for, and it
// can be sent for as long as the handle is held.
#include <lungo/log/file_range.hpp>

#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include <fstream>

#include <lungo/log/local_event_log.hpp>
#include <lungo/log/partition_log.hpp>
#include "tests/support/quiet_log.hpp"
#include "tests/support/simulation.hpp"
#include "tests/support/temp_directory.hpp"

namespace lungo {
namespace {

const TopicPartition kPartition{"t", PartitionId{0}};
constexpr int kRecords = 400;

TopicSpec in_small_segments() {
  TopicSpec spec;
  spec.name = kPartition.topic;
  spec.ack_level = AckLevel::isr;
  spec.segment_bytes = 8192;
  return spec;
}

class FileRanges : public testing::Test {
 protected:
  FileRanges() {
    log->create_topic(in_small_segments()).value();
    for (int i = 0; i < kRecords; ++i) {
      EncodedRecords records;
      for (int n = 0; n <= i % 3; ++n) {
        records.add({.timestamp = {}, .key = {}, .value = as_bytes(std::string(40 + i % 90, 'v')), .headers = {}}).value();
      }
      AppendRequest request;
      request.to = kPartition;
      request.records = std::move(records);
      append_wait(*log, std::move(request)).value();
    }
    end = log->ends(kPartition)->committed;
  }

  void open_again(std::size_t open_files_max = 4096) {
    log.reset();
    LocalOptions options;
    options.open_files_max = open_files_max;
    log = open_local(directory / "data", options).value();
  }

  static Bytes contents(const FileRange& range) {
    Bytes bytes(range.bytes);
    EXPECT_EQ(::pread(range.file.descriptor(), bytes.data(), bytes.size(), static_cast<off_t>(range.position)),
              static_cast<ssize_t>(bytes.size()));
    return bytes;
  }

  /// The same batches as read() returns from there on, in as many calls as it takes.
  void expect_as_read(Offset from, std::uint64_t bytes_max) {
    SCOPED_TRACE("from " + std::to_string(from.value()) + ", at most " + std::to_string(bytes_max));
    const Result<FileRange> range = log->read_range(kPartition, from, bytes_max);
    ASSERT_TRUE(range) << range.error();
    ASSERT_FALSE(range->empty());
    const Bytes bytes = contents(*range);
    std::size_t compared = 0;
    for (Offset at = from; compared < bytes.size();) {
      const Result<Fetched> fetched = log->read(kPartition, at, 0);
      ASSERT_TRUE(fetched) << fetched.error();
      ASSERT_FALSE(fetched->empty());
      const BytesView batch = fetched->batches();
      ASSERT_LE(compared + batch.size(), bytes.size()) << "the range ends at a batch's end";
      ASSERT_TRUE(std::ranges::equal(batch, BytesView{bytes}.subspan(compared, batch.size())));
      compared += batch.size();
      at = fetched->next().offset;
      if (compared == bytes.size()) {
        EXPECT_EQ(range->next, fetched->next());
      }
    }
    EXPECT_EQ(range->committed_end, end);
    const bool is_one_batch = bytes.size() == log->read(kPartition, from, 0)->batches().size();
    EXPECT_TRUE(bytes.size() <= bytes_max || is_one_batch);
  }

  void expect_all_as_read() {
    for (const std::uint64_t bytes_max : {0u, 500u, 5000u, 1u << 20}) {
      for (std::int64_t from = 0; from < end.value(); from += 7)
        ASSERT_NO_FATAL_FAILURE(expect_as_read(Offset{from}, bytes_max));
    }
  }

  const test::TempDirectory directory;
  const test::QuietLog quiet;
  std::shared_ptr<EventLog> log = open_local(directory / "data").value();
  Offset end;
};

TEST_F(FileRanges, AreWhatReadReturns) {
  expect_all_as_read();
  open_again();  // nothing is verified yet
  expect_all_as_read();
  open_again(1);  // and no file stays open
  expect_all_as_read();
}

TEST_F(FileRanges, TakeWhatFits) {
  for (int round = 0; round < 2; ++round) {  // read, and then known to be good
    std::size_t ranges = 0;
    for (Offset at{0}; at < end; ++ranges) {
      const FileRange range = log->read_range(kPartition, at, 4096).value();
      const std::size_t next_batch =
          range.next.offset < end ? log->read(kPartition, range.next.offset, 0)->batches().size() : 4096;
      const bool ends_segment = range.position + range.bytes == log->read_range(kPartition, at, 1 << 20)->position +
                                                                    log->read_range(kPartition, at, 1 << 20)->bytes;
      EXPECT_TRUE(range.bytes + next_batch > 4096 || ends_segment) << at.value();
      at = range.next.offset;
    }
    EXPECT_GT(ranges, 10u);
  }
}

TEST_F(FileRanges, EndAtTheCommittedEnd) {
  const FileRange range = log->read_range(kPartition, end, 4096).value();
  EXPECT_TRUE(range.empty());
  EXPECT_EQ(range.file.descriptor(), -1);
  EXPECT_EQ(range.next.offset, end);
  EXPECT_EQ(log->read_range(kPartition, end.next(), 4096).error(), Errc::offset_out_of_range);
  EXPECT_EQ(log->read_range({"u", PartitionId{0}}, Offset{0}, 4096).error(), Errc::not_found);
}

TEST_F(FileRanges, AreSentByTheKernel) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()), 0);
  const FileHandle out{ends[0]};
  const FileHandle in{ends[1]};
  const FileRange range = log->read_range(kPartition, Offset{5}, 2000).value();
  auto position = static_cast<off_t>(range.position);
  ASSERT_EQ(::sendfile(out.descriptor(), range.file.descriptor(), &position, range.bytes), static_cast<ssize_t>(range.bytes));
  Bytes received(range.bytes);
  ASSERT_EQ(::recv(in.descriptor(), received.data(), received.size(), MSG_WAITALL), static_cast<ssize_t>(received.size()));
  EXPECT_EQ(received, contents(range));
  RecordCursor records{received, Offset{5}};
  EXPECT_EQ(records.next()->offset, Offset{5});
}

TEST_F(FileRanges, OutliveTheirSegmentAndTheLog) {
  const FileRange range = log->read_range(kPartition, Offset{0}, 4000).value();
  const Bytes before = contents(range);
  log->delete_records(kPartition, end).value();
  log.reset();
  log = open_local(directory / "data").value();
  EXPECT_EQ(log->read_range(kPartition, Offset{0}, 4000).error(), Errc::offset_out_of_range);
  log.reset();
  EXPECT_EQ(contents(range), before);
}

// Each byte of a batch in turn: what lies in front of it is served, and it never is.
TEST_F(FileRanges, NeverHoldABatchThatIsDamaged) {
  const test::SilentLog silent;
  const FileRange first = log->read_range(kPartition, Offset{0}, 0).value();
  const FileRange second = log->read_range(kPartition, first.next.offset, 0).value();
  log.reset();
  const std::string path = directory / "data/t-0/00000000000000000000.log";
  for (std::uint64_t at = second.position; at < second.position + second.bytes; at += 5) {
    SCOPED_TRACE(at);
    const auto flip = [&] {
      std::fstream file{path, std::ios::in | std::ios::out | std::ios::binary};
      file.seekg(static_cast<std::streamoff>(at));
      const auto byte = static_cast<char>(file.get() ^ 0x10);
      file.seekp(static_cast<std::streamoff>(at));
      file.put(byte);
    };
    flip();
    log = open_local(directory / "data").value();
    const Result<FileRange> in_front = log->read_range(kPartition, Offset{0}, 1 << 20);
    ASSERT_TRUE(in_front) << in_front.error();
    EXPECT_EQ(in_front->next.offset, first.next.offset);
    EXPECT_EQ(in_front->bytes, first.bytes);
    EXPECT_EQ(log->read_range(kPartition, first.next.offset, 1 << 20).error(), Errc::corrupt);
    const auto damage = log->damage(kPartition);
    ASSERT_EQ(damage.size(), 1u);
    EXPECT_EQ(log->read_range(kPartition, damage.front().end, 1 << 20)->position, second.position + second.bytes);
    log.reset();
    flip();
    std::filesystem::remove(directory / "data/t-0/damage");
  }
}

TEST(FileRange, IsUnsupportedWithoutFiles) {
  test::Simulation machine(1);
  const auto log = PartitionLog::open(machine.ports(), "p", {}, {}, Offset{0}).value();
  EncodedRecords records;
  records.add({.timestamp = {}, .key = {}, .value = as_bytes("v"), .headers = {}}).value();
  GroupItem item{.records = &records, .condition = nullptr, .since = {}, .outcome = {}};
  log->append({&item, 1}, LeaderEpoch{0});
  EXPECT_EQ(log->read_range(Offset{0}, Offset{1}, 100, {}, PartitionId{0}).error(), Errc::unsupported);
}

}  // namespace
}  // namespace lungo
