#include "base/crc32c.hpp"

#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "base/crc32c_x86.hpp"

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

using Form = std::uint32_t (*)(BytesView, std::uint32_t);

// The forms that this processor has.
std::vector<Form> forms() {
  std::vector<Form> forms{crc32c_portable, crc32c};
  if (has_crc32c_instruction()) forms.push_back(crc32c_instruction);
  if (has_crc32c_folded()) forms.push_back(crc32c_folded);
  return forms;
}

// Lengths around the borders of runs and lanes, at every alignment, in one go and in two.
TEST(Crc32c, AllFormsAgreeAtEveryLengthAndSplit) {
  std::mt19937 random{7};
  Bytes bytes(3 * 3 * 1024 + 64);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
  for (int round = 0; round < 2'000; ++round) {
    const std::size_t begin = random() % 16;
    const std::size_t longest = round % 2 == 0 ? bytes.size() - begin : 700;
    const BytesView view = BytesView{bytes}.subspan(begin, random() % longest);
    const std::uint32_t whole = crc32c_portable(view);
    const std::size_t cut = view.empty() ? 0 : random() % view.size();
    for (const Form form : forms()) {
      ASSERT_EQ(form(view, 0), whole) << "size " << view.size();
      ASSERT_EQ(form(view.subspan(cut), form(view.first(cut), 0)), whole) << "size " << view.size() << " cut at " << cut;
    }
  }
}

// A flipped bit is found wherever it is.
TEST(Crc32c, EveryBitCounts) {
  Bytes bytes(900, std::byte{0x5a});
  for (const Form form : forms()) {
    const std::uint32_t whole = form(bytes, 0);
    for (std::size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
      bytes[bit / 8] ^= std::byte(1u << (bit % 8));
      ASSERT_NE(form(bytes, 0), whole) << "bit " << bit;
      bytes[bit / 8] ^= std::byte(1u << (bit % 8));
    }
  }
}

}  // namespace
}  // namespace lungo
