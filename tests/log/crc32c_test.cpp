#include "base/crc32c.hpp"

#include <gtest/gtest.h>

#include <random>

namespace lungo {
namespace {

TEST(Crc32c, MatchesPublishedVectors) {
  EXPECT_EQ(crc32c({}), 0u);
  EXPECT_EQ(crc32c(as_bytes("123456789")), 0xe3069283u);
  const Bytes zeros(32);  // RFC 3720, B.4
  EXPECT_EQ(crc32c(zeros), 0x8a9136aau);
  const Bytes ones(32, std::byte{0xff});
  EXPECT_EQ(crc32c(ones), 0x62a8ab43u);
}

// Lengths around the borders of the run of three, at every alignment, in one go and in two.
TEST(Crc32c, BothFormsAgreeAtEveryLengthAndSplit) {
  std::mt19937 random{7};
  Bytes bytes(3 * 3 * 1024 + 64);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
  for (int round = 0; round < 2'000; ++round) {
    const std::size_t begin = random() % 16;
    const BytesView view = BytesView{bytes}.subspan(begin, random() % (bytes.size() - begin));
    const std::uint32_t whole = crc32c_portable(view);
    ASSERT_EQ(crc32c(view), whole) << "size " << view.size();
    const std::size_t cut = view.empty() ? 0 : random() % view.size();
    ASSERT_EQ(crc32c(view.subspan(cut), crc32c(view.first(cut))), whole);
  }
}

}  // namespace
}  // namespace lungo
