// Goal: a digest tells a segment that is as it was sealed from one that is not; it is made of whole, synced, sealed segments
// only, and never stays beside a segment that has changed since.
#include "segment_digest.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <utility>

#include <lungo/log/text.hpp>

#include "segment_directory.hpp"
#include "tests/log/compacted_partition.hpp"
#include "tests/log/recovered_partition.hpp"
#include "tests/support/forwarding_storage.hpp"
#include "tests/support/quiet_log.hpp"

namespace lungo::test {
namespace {

SegmentDigest example() {
  SegmentDigest digest{.base = Offset{7}, .end = Offset{40}, .bytes = 1234, .batches = 5, .records = 33, .generation = 2};
  for (std::size_t i = 0; i < digest.hash.size(); ++i) digest.hash[i] = static_cast<std::byte>(i);
  return digest;
}

/// Steps until nothing is left to do.
void keep_digests(PartitionLog& log) {
  for (;;) {
    const Result<std::optional<std::uint64_t>> kept = log.keep_digests();
    ASSERT_TRUE(kept) << kept.error();
    if (!*kept) break;
  }
}

int digests(PartitionFixture& fixture) {
  return expect_digests_of_segments(fixture.simulation->disk, fixture.directory, fixture.options);
}

/// Of several segments, all synced.
std::unique_ptr<PartitionLog> rolled(PartitionFixture& fixture) {
  fixture.options.segment_bytes = 400;
  std::unique_ptr<PartitionLog> log = fixture.opened();
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(append(*log, {TestRecord{"k", std::string(50, 'v')}}));
  EXPECT_TRUE(log->sync());
  return log;
}

TEST(SegmentDigest, ReadsBackWhatItWrote) {
  const Bytes bytes = format_digest(example());
  EXPECT_EQ(bytes.size(), kDigestFileBytes);
  EXPECT_EQ(parse_digest("digest", bytes).value(), example());
}

TEST(SegmentDigest, ItsBytesNeverChange) {
  const std::string hex = to_hex(format_digest(example()));
  EXPECT_EQ(hex.substr(0, 144),
            "4c47444701000000"
            "07000000000000002800000000000000d20400000000000005000000000000002100000000000000"
            "0200000000000000000102030405060708090a0b0c0d0e0f");
}

TEST(SegmentDigest, EachFlippedByteIsFound) {
  const Bytes bytes = format_digest(example());
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    Bytes flipped = bytes;
    flipped[i] ^= std::byte{0x40};
    EXPECT_FALSE(parse_digest("digest", flipped)) << i;
  }
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_EQ(parse_digest("digest", BytesView{bytes}.first(size)).error(), Errc::corrupt) << size;
  }
}

TEST(SegmentDigest, SaysHowASegmentDiffers) {
  SegmentDigest found = example();
  found.generation = 9;
  EXPECT_EQ(difference(example(), found), "");
  found.hash[3] = std::byte{0};
  EXPECT_NE(difference(example(), found), "");
  found = example();
  found.bytes -= 1;
  EXPECT_EQ(difference(example(), found), "its bytes are 1233, 1234 were sealed");
}

TEST(SegmentDigests, AreMadeOfSegmentsThatAreSealedAndSynced) {
  PartitionFixture fixture;
  const std::unique_ptr<PartitionLog> log = rolled(fixture);
  EXPECT_EQ(digests(fixture), 0);
  keep_digests(*log);
  const int sealed = static_cast<int>(log->segments().size()) - 1;
  EXPECT_EQ(digests(fixture), sealed);
  EXPECT_FALSE(log->digests_due());
  for (int i = 0; i < 8; ++i) ASSERT_TRUE(append(*log, {TestRecord{"k", std::string(50, 'v')}}));
  EXPECT_TRUE(log->digests_due());
  keep_digests(*log);
  EXPECT_EQ(digests(fixture), sealed) << "what follows is not synced";
  EXPECT_TRUE(log->digests_due()) << "it will be";
  ASSERT_TRUE(log->sync());
  keep_digests(*log);
  EXPECT_EQ(digests(fixture), static_cast<int>(log->segments().size()) - 1);
}

TEST(SegmentDigests, ARollWhoseNameMayBeLostWaits) {
  PartitionFixture fixture;
  const std::unique_ptr<PartitionLog> log = rolled(fixture);
  ASSERT_TRUE(log->roll());
  keep_digests(*log);
  EXPECT_EQ(digests(fixture), static_cast<int>(log->segments().size()) - 2);
  ASSERT_TRUE(log->sync());
  keep_digests(*log);
  EXPECT_EQ(digests(fixture), static_cast<int>(log->segments().size()) - 1);
}

TEST(SegmentDigests, OfAnOlderLogAreMadeAfterReadingItWhole) {
  PartitionFixture fixture;
  const std::optional<CleanEnd> clean = rolled(fixture)->close().value();
  const std::unique_ptr<PartitionLog> log = fixture.opened(clean);
  std::uint64_t bytes = 0;
  while (const std::optional<std::uint64_t> kept = log->keep_digests().value()) bytes += *kept;
  EXPECT_EQ(digests(fixture), static_cast<int>(log->segments().size()) - 1);
  std::uint64_t sealed = 0;
  for (const SegmentFacts& segment : log->segments()) sealed += segment.bytes;
  EXPECT_EQ(bytes, sealed - log->segments().back().bytes);
}

TEST(SegmentDigests, ManyThatAreThereDoNotHoldUpTheLast) {
  PartitionFixture fixture;
  fixture.options.segment_bytes = 100;  // no two records fit one
  std::optional<CleanEnd> clean;
  {
    const std::unique_ptr<PartitionLog> log = fixture.opened();
    for (int i = 0; i < 60; ++i) ASSERT_TRUE(append(*log, {TestRecord{"k", std::string(100, 'v')}}));
    ASSERT_TRUE(log->sync());
    keep_digests(*log);
    clean = log->close().value();
  }
  const std::unique_ptr<PartitionLog> log = fixture.opened(clean);
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(append(*log, {TestRecord{"k", std::string(100, 'v')}}));
  ASSERT_TRUE(log->sync());
  keep_digests(*log);
  EXPECT_EQ(digests(fixture), static_cast<int>(log->segments().size()) - 1);
}

TEST(SegmentDigests, NoneIsMadeOfDamage) {
  const SilentLog quiet;
  PartitionFixture fixture;
  const std::optional<CleanEnd> clean = rolled(fixture)->close().value();
  fixture.flip(kFirstLog, 100);
  const std::unique_ptr<PartitionLog> log = fixture.opened(clean);
  ASSERT_TRUE(log->damage().empty()) << "the opening trusts it";
  keep_digests(*log);
  EXPECT_EQ(digests(fixture), static_cast<int>(log->segments().size()) - 2);
  EXPECT_EQ(log->damage().size(), 1u);
  EXPECT_FALSE(*fixture.simulation->disk.exists(fixture.path("00000000000000000000.digest")));
}

TEST(SegmentDigests, ACutTakesThemAlong) {
  PartitionFixture fixture;
  const std::unique_ptr<PartitionLog> log = rolled(fixture);
  keep_digests(*log);
  ASSERT_TRUE(log->truncate_to(Offset{1}));
  EXPECT_EQ(digests(fixture), 0);
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(append(*log, {TestRecord{"k", std::string(60, 'w')}}));
  ASSERT_TRUE(log->sync());
  keep_digests(*log);
  EXPECT_EQ(digests(fixture), static_cast<int>(log->segments().size()) - 1);
}

TEST(SegmentDigests, TheOneOfASegmentThatIsTheLastGoesAtTheOpening) {
  PartitionFixture fixture;
  fixture.options.segment_bytes = 400;
  {
    const std::unique_ptr<PartitionLog> log = fixture.opened();
    ASSERT_TRUE(append(*log, {TestRecord{"k", "v"}}));
    ASSERT_TRUE(log->roll());
    ASSERT_TRUE(log->sync());
    keep_digests(*log);
  }
  ASSERT_EQ(digests(fixture), 1);
  ASSERT_TRUE(fixture.simulation->disk.remove(fixture.path("00000000000000000001.log")));
  const std::unique_ptr<PartitionLog> log = fixture.opened();
  EXPECT_EQ(digests(fixture), 0);
}

TEST(SegmentDigests, CompactionWritesThoseOfItsSegments) {
  CompactedPartition fixture;
  const std::unique_ptr<PartitionLog> log = fixture.opened();
  append_many(*log, 40);
  keep_digests(*log);
  ASSERT_TRUE(fixture.compact(*log));
  while (*log->remove_trimmed()) {
  }
  const int compacted = digests(fixture);
  EXPECT_EQ(compacted, static_cast<int>(log->segments().size()) - 1);
  EXPECT_EQ(read_digest(fixture.simulation->disk, fixture.directory, Offset{0}).value()->generation, 1u);
  EXPECT_EQ(fixture.count_of(".digest"), static_cast<std::size_t>(compacted)) << "those of the old ones are gone";
  append_many(*log, 40, 40);
  ASSERT_TRUE(fixture.compact(*log));
  EXPECT_EQ(read_digest(fixture.simulation->disk, fixture.directory, Offset{0}).value()->generation, 2u);
}

/// Calls `committed` once, when an exchange counts and nothing has its place yet.
class ExchangeWatch : public ForwardingStorage {
 public:
  ExchangeWatch(Storage& beneath, std::function<void()> committed)
      : ForwardingStorage(beneath), committed_(std::move(committed)) {}

  Result<void> rename(const std::string& from, const std::string& to) override {
    const Result<void> renamed = ForwardingStorage::rename(from, to);
    if (to.ends_with(".log.swap") && committed_) std::exchange(committed_, nullptr)();
    return renamed;
  }

 private:
  std::function<void()> committed_;
};

/// Whose first digest is read before an exchange removes it, and everything else after it.
class SlowReader : public ForwardingStorage {
 public:
  using ForwardingStorage::ForwardingStorage;

  void open_early(const std::string& path) { early_ = ForwardingStorage::open(path, OpenMode::read).value(); }
  [[nodiscard]] bool has_read_early() const { return early_ == nullptr; }
  Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override {
    if (path.ends_with(kDigestSuffix) && early_) return std::move(early_);
    return ForwardingStorage::open(path, mode);
  }

 private:
  std::unique_ptr<File> early_;
};

// It has opened what is to take the place, read the digest of what had it, and then the name is that of what it has opened.
TEST(SegmentDigests, AReaderBesideAnExchangeTakesNoOtherForItsOwn) {
  const SilentLog silent;
  CompactedPartition fixture;
  const Ports real = fixture.simulation->ports();
  SlowReader slow{real.storage};
  std::unique_ptr<PartitionLog> reader;
  ExchangeWatch watched{real.storage, [&] {
                          PartitionOptions options = fixture.options;
                          options.read_only = true;
                          reader = PartitionLog::open({slow, real.clock, real.executor, real.random}, fixture.directory,
                                                      options, {}, Offset{0})
                                       .value();
                          slow.open_early(fixture.path(segment_file_name(Offset{0}, kDigestSuffix)));
                        }};
  const auto log =
      PartitionLog::open({watched, real.clock, real.executor, real.random}, fixture.directory, fixture.options, {}, Offset{0})
          .value();
  append_many(*log, 40);
  keep_digests(*log);
  ASSERT_TRUE(fixture.compact(*log));
  ASSERT_TRUE(reader);
  ASSERT_FALSE(slow.has_read_early());
  EXPECT_EQ(values_of(keyed_records(*reader)), values_of(keyed_records(*log)));
  EXPECT_TRUE(slow.has_read_early());
  EXPECT_TRUE(reader->damage().empty()) << reader->damage().front().file;
}

}  // namespace
}  // namespace lungo::test
