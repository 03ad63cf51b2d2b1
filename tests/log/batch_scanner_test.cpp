// Goal: a claimed length costs a scan no memory before the bytes that it claims have proved to be a batch, and stepping over
// what is whole takes nothing for whole that is not.
#include "batch_scanner.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace lungo {
namespace {

constexpr std::size_t kReadBytesMax = 1u << 20;

/// A file in memory that remembers the largest piece that was asked for.
class WatchedFile : public File {
 public:
  explicit WatchedFile(Bytes bytes) : bytes_(std::move(bytes)) {}

  Result<std::size_t> read_at(std::uint64_t position, std::span<std::byte> out) override {
    largest_read = std::max(largest_read, out.size());
    const std::size_t begin = std::min<std::uint64_t>(position, bytes_.size());
    const std::size_t size = std::min(out.size(), bytes_.size() - begin);
    std::copy_n(bytes_.begin() + static_cast<std::ptrdiff_t>(begin), size, out.begin());
    return size;
  }
  Result<void> write_at(std::uint64_t, BytesView) override { return Error{Errc::unsupported, "read only"}; }
  Result<void> sync() override { return {}; }
  Result<void> truncate(std::uint64_t) override { return Error{Errc::unsupported, "read only"}; }
  Result<void> preallocate(std::uint64_t, std::uint64_t) override { return {}; }
  Result<std::uint64_t> size() override { return bytes_.size(); }

  std::size_t largest_read = 0;

 private:
  Bytes bytes_;
};

/// A small batch, one of `value_bytes`, and a small one.
Bytes three_batches(std::size_t value_bytes) {
  Bytes all;
  std::int64_t base = 0;
  for (const std::size_t bytes : {std::size_t{5}, value_bytes, std::size_t{7}}) {
    EncodedRecords records;
    const Bytes value(bytes, std::byte{'v'});
    EXPECT_TRUE(records.add({.timestamp = {}, .value = BytesView{value}}));
    BatchBuilder builder;
    builder.add(records);
    const BytesView batch = builder.finish(Offset{base++}, LeaderEpoch{1});
    all.insert(all.end(), batch.begin(), batch.end());
  }
  return all;
}

struct Walk {
  int batches = 0;
  std::optional<Error> error;
};

Walk walk(WatchedFile& file, BatchScanner::Depth depth) {
  BatchScanner scan{file, "file", depth, 0, file.size().value(), Offset{0}};
  Walk result;
  for (;;) {
    const Result<std::optional<ScannedBatch>> next = scan.next();
    if (!next) result.error = next.error();
    if (!next || !*next) return result;
    ++result.batches;
    if (depth == BatchScanner::Depth::whole) {
      EXPECT_EQ((*next)->bytes.size(), (*next)->header.size_bytes());
      EXPECT_TRUE(verify_batch((*next)->bytes));
    }
  }
}

TEST(BatchScanner, ALengthThatIsNoBatchsIsNotReadAtOnce) {
  Bytes bytes = three_batches(8u << 20);
  bytes[bytes.size() / 2] ^= std::byte{1};
  WatchedFile file{std::move(bytes)};
  const Walk found = walk(file, BatchScanner::Depth::whole);
  EXPECT_EQ(found.batches, 1);
  ASSERT_TRUE(found.error);
  EXPECT_EQ(*found.error, Errc::corrupt);
  EXPECT_NE(found.error->text().find("CRC of the batch at offset 1 differs"), std::string_view::npos) << *found.error;
  EXPECT_LE(file.largest_read, kReadBytesMax);
}

TEST(BatchScanner, CheckingTakesNoMoreMemoryForALargeBatch) {
  WatchedFile file{three_batches(8u << 20)};
  const Walk found = walk(file, BatchScanner::Depth::checked);
  EXPECT_EQ(found.batches, 3);
  EXPECT_FALSE(found.error);
  EXPECT_LE(file.largest_read, kReadBytesMax);
}

TEST(BatchScanner, ALargeBatchIsHandedOverWhole) {
  WatchedFile file{three_batches(8u << 20)};
  const Walk found = walk(file, BatchScanner::Depth::whole);
  EXPECT_EQ(found.batches, 3);
  EXPECT_FALSE(found.error);
}

// Wherever the window ends. The first batch is next()'s, as nothing was read before.
TEST(BatchScanner, SteppingComesToEveryBatch) {
  constexpr std::int64_t kBatches = 6'000;
  Bytes all;
  std::vector<std::uint64_t> positions;
  for (std::int64_t i = 0; i < kBatches; ++i) {
    EncodedRecords records;
    const Bytes value(static_cast<std::size_t>(i % 400), std::byte{'v'});
    ASSERT_TRUE(records.add({.timestamp = {}, .value = BytesView{value}}));
    BatchBuilder builder;
    builder.add(records);
    const BytesView batch = builder.finish(Offset{i}, LeaderEpoch{1});
    positions.push_back(all.size());
    all.insert(all.end(), batch.begin(), batch.end());
  }
  for (const BatchScanner::Depth depth : {BatchScanner::Depth::headers, BatchScanner::Depth::checked}) {
    WatchedFile file{all};
    BatchScanner scan{file, "file", depth, 0, all.size(), Offset{0}};
    std::size_t seen = 0;
    std::size_t asked = 0;
    for (;;) {
      if (const ScannedBatch* const batch = scan.advance()) {
        ASSERT_EQ(batch->position, positions[seen]);
        ASSERT_EQ(batch->header.base_offset, Offset{static_cast<std::int64_t>(seen++)});
        continue;
      }
      const Result<std::optional<ScannedBatch>> next = scan.next();
      ASSERT_TRUE(next) << next.error();
      if (!*next) break;
      ASSERT_EQ((*next)->position, positions[seen++]);
      ++asked;
    }
    EXPECT_EQ(seen, positions.size());
    EXPECT_LT(asked, positions.size() / 8);
  }
}

TEST(BatchScanner, NoStepIsTakenOverWhatIsNotWhole) {
  const Bytes whole = three_batches(20);
  const std::size_t second = parse_batch_header(whole)->size_bytes();
  const std::size_t third = second + parse_batch_header(BytesView{whole}.subspan(second))->size_bytes();
  constexpr std::size_t kEpochAt = 12;  // a later epoch is as good as any
  for (std::size_t at = second; at < third; ++at) {
    SCOPED_TRACE(at - second);
    Bytes bytes = whole;
    bytes[at] ^= std::byte{1};
    WatchedFile file{bytes};
    BatchScanner scan{file, "file", BatchScanner::Depth::checked, 0, bytes.size(), Offset{0}, LeaderEpoch{1}};
    ASSERT_TRUE(scan.next());
    const bool is_epoch = at - second >= kEpochAt && at - second < kEpochAt + 4;
    if (is_epoch && scan.advance() != nullptr) continue;
    ASSERT_EQ(scan.advance(), nullptr);
    EXPECT_EQ(scan.position(), second);
    EXPECT_EQ(scan.next().error(), Errc::corrupt);
    EXPECT_EQ(scan.position(), second);
  }
}

}  // namespace
}  // namespace lungo
