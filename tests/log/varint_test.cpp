#include "base/varint.hpp"

#include <gtest/gtest.h>

#include <array>
#include <limits>

#include "base/byte_reader.hpp"

namespace lungo {
namespace {

TEST(Varint, EveryBitLengthComesBackInTheSizePromised) {
  for (int bits = 0; bits < 64; ++bits) {
    for (const std::int64_t near : {-1, 0, 1}) {
      const auto value = static_cast<std::int64_t>((1ull << bits) + static_cast<std::uint64_t>(near));
      for (const std::int64_t signed_value : {value, static_cast<std::int64_t>(0 - static_cast<std::uint64_t>(value))}) {
        std::array<std::byte, kVarintBytesMax> buffer{};
        const std::byte* end = write_signed_varint(buffer.data(), signed_value);
        const auto size = static_cast<std::size_t>(end - buffer.data());
        ASSERT_EQ(size, signed_varint_size(signed_value));
        ByteReader reader{BytesView{buffer}.first(size)};
        ASSERT_EQ(reader.signed_varint(), signed_value);
        ASSERT_TRUE(reader.ok());
        ASSERT_EQ(reader.remaining(), 0u);
        for (std::size_t cut = 0; cut < size; ++cut) {
          ByteReader torn{BytesView{buffer}.first(cut)};
          torn.signed_varint();
          ASSERT_FALSE(torn.ok());
        }
      }
    }
  }
}

TEST(Varint, OverlongAndOverflowingAreMalformed) {
  const Bytes eleven(11, std::byte{0x80});
  ByteReader overlong{eleven};
  overlong.varint();
  EXPECT_FALSE(overlong.ok());

  Bytes overflow(9, std::byte{0xff});
  overflow.push_back(std::byte{2});  // a 65th bit
  ByteReader reader{overflow};
  reader.varint();
  EXPECT_FALSE(reader.ok());
}

TEST(Varint, AValueAboveThirtyTwoBitsIsNoVarint32) {
  std::array<std::byte, kVarintBytesMax> buffer{};
  const std::byte* end = write_signed_varint(buffer.data(), std::int64_t{1} << 31);
  ByteReader reader{BytesView{buffer}.first(static_cast<std::size_t>(end - buffer.data()))};
  reader.signed_varint32();
  EXPECT_FALSE(reader.ok());
}

TEST(ByteReader, ALengthPastTheEndFailsForGood) {
  const Bytes bytes(4);
  ByteReader reader{bytes};
  EXPECT_TRUE(reader.bytes(5).empty());
  EXPECT_FALSE(reader.ok());
  EXPECT_EQ(reader.big_endian<std::int32_t>(), 0);
  EXPECT_FALSE(reader.ok());
}

}  // namespace
}  // namespace lungo
