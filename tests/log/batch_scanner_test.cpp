// Goal: a claimed length costs a scan no memory before the bytes that it claims have proved to be a batch.
#include "batch_scanner.hpp"

#include <gtest/gtest.h>

#include <algorithm>

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

}  // namespace
}  // namespace lungo
