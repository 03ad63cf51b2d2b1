// Goal: what Kafka's own classes compressed is read back, what we compress as well, and hostile bytes give an error and never
// more than the cap.

#include "base/compression.hpp"

#include <gtest/gtest.h>

#include "tests/support/golden_file.hpp"
#include "tests/support/random.hpp"

namespace lungo {
namespace {

constexpr std::size_t kMiB = 1u << 20;

std::string text_of_the_golden_files() {
  std::string text;
  for (int i = 0; i < 20; ++i) {
    text += "visit-" + std::to_string(i % 4) + " saw /shop/item-" + std::to_string(i * 7919 % 100) + "\n";
  }
  return text;
}

// Half of it random letters, half of it the same one.
std::string some_text(std::size_t size, std::uint64_t seed) {
  test::Random random{seed};
  std::string text(size, 'x');
  for (std::size_t i = 0; i < size; i += 2) text[i] = static_cast<char>('a' + random.below(26));
  return text;
}

Bytes compressed(Compression codec, std::string_view text, std::optional<int> level = std::nullopt) {
  Bytes out;
  const Result<void> done = compress(codec, as_bytes(text), out, level);
  EXPECT_TRUE(done) << done.error();
  return out;
}

Bytes joined(Bytes first, BytesView second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

Result<std::string> decompressed(Compression codec, BytesView bytes, std::size_t cap) {
  Bytes out;
  const Result<std::size_t> size = decompress(codec, bytes, cap, out);
  EXPECT_LE(out.size(), cap);
  if (!size) return size.error();
  EXPECT_LE(*size, cap);
  return std::string(as_text(BytesView{out}.first(*size)));
}

class EveryCodec : public testing::TestWithParam<Compression> {};

INSTANTIATE_TEST_SUITE_P(Compression, EveryCodec,
                         testing::Values(Compression::gzip, Compression::snappy, Compression::lz4, Compression::zstd),
                         [](const auto& tested) { return std::string(to_string(tested.param)); });

TEST_P(EveryCodec, ReadsWhatKafkaCompressed) {
  const std::string name = "compression/" + std::string(to_string(GetParam()));
  const Result<std::string> text = decompressed(GetParam(), test::golden_file(name + "_text.hex"), kMiB);
  ASSERT_TRUE(text) << text.error();
  EXPECT_EQ(*text, text_of_the_golden_files());
  const Result<std::string> run = decompressed(GetParam(), test::golden_file(name + "_run.hex"), kMiB);
  ASSERT_TRUE(run) << run.error();
  EXPECT_EQ(*run, std::string(70'000, 'x'));
}

TEST_P(EveryCodec, GivesBackWhatWentIn) {
  for (const std::size_t size : {0u, 1u, 100u, (32u << 10) - 1, 32u << 10, (32u << 10) + 1, 64u << 10, 200'000u, 3u << 20}) {
    const std::string text = some_text(size, size);
    const Bytes bytes = compressed(GetParam(), text);
    const Result<std::string> back = decompressed(GetParam(), bytes, size);
    ASSERT_TRUE(back) << size << ": " << back.error();
    EXPECT_EQ(*back, text);
    if (size > 1000) {
      EXPECT_LT(bytes.size(), size);
    }
  }
}

TEST_P(EveryCodec, AddsBehindWhatIsThereAndLeavesWhatLiesBehindTheCap) {
  Bytes bytes = to_bytes("header");
  ASSERT_TRUE(compress(GetParam(), as_bytes("hello"), bytes));
  EXPECT_EQ(as_text(BytesView{bytes}.first(6)), "header");
  Bytes out = to_bytes("0123456789");
  const Result<std::size_t> size = decompress(GetParam(), BytesView{bytes}.subspan(6), 5, out);
  ASSERT_TRUE(size) << size.error();
  EXPECT_EQ(as_text(out), "hello56789");
}

TEST_P(EveryCodec, StopsAtTheCap) {
  for (const std::string& text : {some_text(100'000, 1), std::string(20 * kMiB, '\0')}) {
    const Bytes bytes = compressed(GetParam(), text);
    EXPECT_TRUE(decompressed(GetParam(), bytes, text.size()));
    for (const std::size_t cap : {text.size() - 1, text.size() / 2, std::size_t{1}, std::size_t{0}}) {
      const Result<std::string> stopped = decompressed(GetParam(), bytes, cap);
      ASSERT_FALSE(stopped) << cap;
      EXPECT_EQ(stopped.error(), Errc::too_large) << stopped.error();
    }
  }
}

TEST_P(EveryCodec, WhatIsCutOffIsAnError) {
  const std::string text = some_text(2000, 2);
  const Bytes bytes = compressed(GetParam(), text);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const Result<std::string> back = decompressed(GetParam(), BytesView{bytes}.first(size), kMiB);
    // xerial's framing has no end, so that its header alone is nothing, compressed.
    if (GetParam() == Compression::snappy && size == 16) continue;
    ASSERT_FALSE(back) << size;
    EXPECT_TRUE(back.error() == Errc::corrupt || back.error() == Errc::too_large) << back.error();
  }
}

TEST_P(EveryCodec, FlippedBytesNeverPassTheCap) {
  const std::string text = text_of_the_golden_files();
  for (const Bytes& good : {test::golden_file("compression/" + std::string(to_string(GetParam())) + "_text.hex"),
                            compressed(GetParam(), text + std::string(3000, 'y'))}) {
    for (std::size_t at = 0; at < good.size(); ++at) {
      for (const int flip : {0x01, 0x80, 0xff, 0x24}) {
        Bytes bad = good;
        bad[at] ^= static_cast<std::byte>(flip);
        static_cast<void>(decompressed(GetParam(), bad, 4000));
      }
    }
  }
}

TEST_P(EveryCodec, RandomBytesAreAnError) {
  const std::uint64_t seed = test::test_seed(20240601);
  SCOPED_TRACE(seed);
  test::Random random{seed};
  const Bytes good = compressed(GetParam(), some_text(500, 3));
  for (int round = 0; round < 2000; ++round) {
    Bytes bytes(random.below(200));
    for (std::byte& byte : bytes) byte = static_cast<std::byte>(random.next());
    // A sound beginning leads further in.
    const std::size_t sound = random.below(std::min<std::size_t>(bytes.size(), 40) + 1);
    std::copy_n(good.begin(), sound, bytes.begin());
    static_cast<void>(decompressed(GetParam(), bytes, 4000));
  }
}

TEST_P(EveryCodec, NothingMayLieBehindTheEnd) {
  const Bytes bytes = joined(compressed(GetParam(), "hello"), as_bytes("\x01\x02\x03"));
  const Result<std::string> back = decompressed(GetParam(), bytes, kMiB);
  ASSERT_FALSE(back);
  EXPECT_EQ(back.error(), Errc::corrupt) << back.error();
}

TEST(Compression, MembersOfGzipAndFramesOfZstdFollowEachOther) {
  for (const Compression codec : {Compression::gzip, Compression::zstd}) {
    const Bytes bytes = joined(compressed(codec, "hello, "), compressed(codec, "world"));
    const Result<std::string> back = decompressed(codec, bytes, kMiB);
    ASSERT_TRUE(back) << back.error();
    EXPECT_EQ(*back, "hello, world");
  }
}

TEST(Compression, ARawBlockOfSnappyIsReadToo) {
  // 5 bytes, of which a literal of 5 follows
  const Result<std::string> back = decompressed(Compression::snappy, as_bytes("\x05\x10hello"), kMiB);
  ASSERT_TRUE(back) << back.error();
  EXPECT_EQ(*back, "hello");
}

TEST(Compression, WhatIsClaimedTakesNoMemory) {
  // A raw block of snappy that claims 4 GiB.
  EXPECT_EQ(decompressed(Compression::snappy, as_bytes("\xff\xff\xff\xff\x0f\x00"), kMiB).error(), Errc::too_large);
  // A frame of zstd with a window of 128 MiB, as level 22 writes it, around a raw block of three bytes.
  const std::string window(
      "\x28\xb5\x2f\xfd\x00\x88\x19\x00\x00"
      "abc",
      12);
  Bytes out;
  const Result<std::size_t> size = decompress(Compression::zstd, as_bytes(window), decompressed_bytes_max(window.size()), out);
  ASSERT_TRUE(size) << size.error();
  EXPECT_EQ(as_text(BytesView{out}.first(*size)), "abc");
  EXPECT_LE(out.size(), 128u << 10);
}

TEST(Compression, ABatchMayGrowByAThousandTimesAndALittleUpToALimit) {
  EXPECT_EQ(decompressed_bytes_max(0), 64u << 10);
  EXPECT_EQ(decompressed_bytes_max(10), 10u * 1024 + (64u << 10));
  EXPECT_EQ(decompressed_bytes_max(65'500), 64u << 20);
  EXPECT_EQ(decompressed_bytes_max(std::size_t{1} << 62), 64u << 20);
}

TEST(Compression, LevelsAreKafkas) {
  const std::string text = some_text(5000, 4);
  for (const auto& [codec, level] : {std::pair{Compression::gzip, 1},
                                     {Compression::gzip, 9},
                                     {Compression::lz4, 1},
                                     {Compression::lz4, 17},
                                     {Compression::zstd, -5},
                                     {Compression::zstd, 22}}) {
    EXPECT_EQ(decompressed(codec, compressed(codec, text, level), kMiB).value(), text);
  }
  Bytes out;
  for (const auto& [codec, level] : {std::pair{Compression::gzip, 0},
                                     {Compression::gzip, 10},
                                     {Compression::snappy, 1},
                                     {Compression::lz4, 18},
                                     {Compression::zstd, 23}}) {
    EXPECT_EQ(compress(codec, as_bytes(text), out, level).error(), Errc::invalid_argument);
  }
  EXPECT_TRUE(out.empty());
}

TEST(Compression, CodecsHaveKafkasNames) {
  for (const char* const name : {"none", "gzip", "snappy", "lz4", "zstd"}) {
    ASSERT_TRUE(parse_compression(name)) << name;
    EXPECT_EQ(to_string(*parse_compression(name)), name);
  }
  EXPECT_FALSE(parse_compression("GZIP"));
  EXPECT_FALSE(parse_compression(""));
  EXPECT_EQ(to_string(Compression{7}), "unknown");
}

TEST(Compression, OtherCodecsAreUnsupported) {
  Bytes out;
  for (const Compression codec : {Compression::none, Compression{5}, Compression{7}}) {
    EXPECT_EQ(compress(codec, as_bytes("a"), out).error(), Errc::unsupported);
    EXPECT_EQ(decompress(codec, as_bytes("a"), 10, out).error(), Errc::unsupported);
  }
}

}  // namespace
}  // namespace lungo
