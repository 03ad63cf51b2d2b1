// The walk over a segment's bytes: it tells what each byte is, and nothing that is whole behind damage is lost.
#include "log/segment_walk.hpp"

#include <gtest/gtest.h>

#include "log/storage_posix.hpp"
#include "tests/support/temp_directory.hpp"

namespace lungo::test {
namespace {

/// Counts what is read of a file.
class CountingFile : public File {
 public:
  CountingFile(File& file, std::uint64_t& bytes) : file_(file), bytes_(bytes) {}
  Result<std::size_t> read_at(std::uint64_t position, std::span<std::byte> out) override {
    bytes_ += out.size();
    return file_.read_at(position, out);
  }
  Result<void> write_at(std::uint64_t, BytesView) override { return Error{Errc::unsupported, "for reading"}; }
  Result<void> sync() override { return Error{Errc::unsupported, "for reading"}; }
  Result<void> truncate(std::uint64_t) override { return Error{Errc::unsupported, "for reading"}; }
  Result<void> preallocate(std::uint64_t, std::uint64_t) override { return Error{Errc::unsupported, "for reading"}; }
  Result<std::uint64_t> size() override { return file_.size(); }

 private:
  File& file_;
  std::uint64_t& bytes_;
};

class SegmentWalk : public testing::Test {
 protected:
  /// Batches of two records each.
  SegmentWalk() {
    for (int batch = 0; batch < 5; ++batch) {
      EncodedRecords records;
      for (int record = 0; record < 2; ++record)
        records
            .add(
                {.timestamp = Timestamp{std::chrono::milliseconds{batch}}, .value = as_bytes("value " + std::to_string(batch))})
            .value();
      begins_.push_back(bytes_.size());
      const BytesView stamped = records.stamp(Offset{2 * batch}, LeaderEpoch{1});
      bytes_.insert(bytes_.end(), stamped.begin(), stamped.end());
    }
    begins_.push_back(bytes_.size());
  }

  struct Walked {
    std::vector<std::int64_t> good;  // first offsets of batches whose CRC holds
    std::vector<std::int64_t> bad;   // and does not
    std::vector<std::string> faults;
    std::vector<WalkedDamage> damage;
    WalkCounts counts;
  };
  Walked walk(const Bytes& bytes) {
    const std::unique_ptr<Storage> storage = make_posix_storage();
    const std::unique_ptr<File> file = storage->open(directory_ / "segment", OpenMode::create).value();
    file->truncate(0).value();
    file->write_at(0, bytes).value();
    Walked walked;
    const WalkVisitor visitor{[&](const WalkedBatch& batch) {
                                (batch.crc_holds ? walked.good : walked.bad).push_back(batch.header.base_offset.value());
                                if (!batch.fault.empty()) walked.faults.push_back(batch.fault);
                                EXPECT_EQ(batch.bytes.size(), batch.crc_holds ? batch.header.size_bytes() : 0);
                                return true;
                              },
                              [&](const WalkedDamage& damage) {
                                walked.damage.push_back(damage);
                                return true;
                              }};
    CountingFile counting{*file, bytes_read_};
    walked.counts = walk_segment(counting, bytes.size(), visitor).value();
    return walked;
  }

  TempDirectory directory_;
  std::uint64_t bytes_read_ = 0;
  Bytes bytes_;
  std::vector<std::size_t> begins_;
};

TEST_F(SegmentWalk, WholeFileIsBatchAfterBatch) {
  const Walked walked = walk(bytes_);
  EXPECT_EQ(walked.good, (std::vector<std::int64_t>{0, 2, 4, 6, 8}));
  EXPECT_EQ(walked.counts.records, 10u);
  EXPECT_EQ(walked.counts.damaged, 0u);
}

TEST_F(SegmentWalk, WrongCrcIsToldAndTheNextBatchesAreWalked) {
  bytes_[begins_[2] - 1] ^= std::byte{1};
  const Walked walked = walk(bytes_);
  EXPECT_EQ(walked.good, (std::vector<std::int64_t>{0, 4, 6, 8}));
  EXPECT_EQ(walked.bad, (std::vector<std::int64_t>{2}));
  EXPECT_EQ(walked.counts.damaged, 1u);
  EXPECT_EQ(walked.counts.records, 8u);
}

// Each byte of the second batch in turn: the others are found, and the flip is told.
TEST_F(SegmentWalk, AnyFlippedByteOfABatchHidesNoOther) {
  for (std::size_t at = begins_[1]; at < begins_[2]; ++at) {
    Bytes bytes = bytes_;
    bytes[at] ^= std::byte{0x40};
    const Walked walked = walk(bytes);
    for (const std::int64_t other : {0, 4, 6, 8})
      EXPECT_NE(std::find(walked.good.begin(), walked.good.end(), other), walked.good.end())
          << "byte " << at << " hides " << other;
    const bool is_base_or_epoch = at < begins_[1] + 8 || (at >= begins_[1] + 12 && at < begins_[1] + 16);
    // Neither is covered by the CRC, and one that goes up looks like compacted records or a new writer until the next batch.
    EXPECT_TRUE(walked.counts.damaged > 0 || is_base_or_epoch) << at;
  }
}

TEST_F(SegmentWalk, DamageIsSkippedToTheNextWholeBatch) {
  for (std::size_t at = begins_[1]; at < begins_[3] - 5; ++at) bytes_[at] = std::byte{2};
  const Walked walked = walk(bytes_);
  EXPECT_EQ(walked.good, (std::vector<std::int64_t>{0, 6, 8}));
  ASSERT_EQ(walked.damage.size(), 1u);
  EXPECT_EQ(walked.damage[0].position, begins_[1]);
  EXPECT_EQ(walked.damage[0].bytes, begins_[3] - begins_[1]);
  EXPECT_FALSE(walked.damage[0].at_the_end);
}

TEST_F(SegmentWalk, TornTailIsDamageAtTheEnd) {
  for (std::size_t cut = begins_[4] + 1; cut < begins_[5]; ++cut) {
    Bytes bytes(bytes_.begin(), bytes_.begin() + static_cast<std::ptrdiff_t>(cut));
    const Walked walked = walk(bytes);
    EXPECT_EQ(walked.good, (std::vector<std::int64_t>{0, 2, 4, 6}));
    ASSERT_EQ(walked.damage.size(), 1u) << cut;
    EXPECT_TRUE(walked.damage[0].at_the_end);
    EXPECT_EQ(walked.damage[0].position, begins_[4]);
  }
}

TEST_F(SegmentWalk, OffsetsThatGoBackAreAFault) {
  Bytes twice = bytes_;
  twice.insert(twice.end(), bytes_.begin(), bytes_.begin() + static_cast<std::ptrdiff_t>(begins_[1]));
  const Walked walked = walk(twice);
  EXPECT_EQ(walked.faults, (std::vector<std::string>{"batch begins at offset 0, expected 10"}));
  EXPECT_EQ(walked.counts.damaged, 1u);
}

// Headers that claim the rest of the file, between whole batches: each look costs a CRC over all of it.
TEST_F(SegmentWalk, HostileLengthsTakeBoundedReading) {
  Bytes lying(bytes_.begin(), bytes_.begin() + kBatchHeaderBytes);
  Bytes hostile;
  constexpr std::size_t kRounds = 4000;
  const std::size_t round_bytes = lying.size() + begins_[1];
  for (std::size_t round = 0; round < kRounds; ++round) {
    const auto rest = static_cast<std::uint32_t>((kRounds - round) * round_bytes - kBatchPrefixBytes);
    for (std::size_t byte = 0; byte < 4; ++byte) lying[8 + byte] = static_cast<std::byte>(rest >> (24 - 8 * byte));
    hostile.insert(hostile.end(), lying.begin(), lying.end());
    hostile.insert(hostile.end(), bytes_.begin(), bytes_.begin() + static_cast<std::ptrdiff_t>(begins_[1]));
  }
  const Walked walked = walk(hostile);
  EXPECT_EQ(walked.good.size(), kRounds);
  EXPECT_LT(bytes_read_, 45 * hostile.size());
}

TEST_F(SegmentWalk, ForeignBytesAreOneDamage) {
  const Walked walked = walk(to_bytes(std::string(100'000, '\x02')));
  EXPECT_EQ(walked.counts.batches, 0u);
  ASSERT_EQ(walked.damage.size(), 1u);
  EXPECT_EQ(walked.damage[0].bytes, 100'000u);
  EXPECT_EQ(walk({}).counts.damaged, 0u);
}

}  // namespace
}  // namespace lungo::test
