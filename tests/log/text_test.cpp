#include <lungo/log/text.hpp>

#include <gtest/gtest.h>

#include "tests/support/random.hpp"

namespace lungo {
namespace {

TEST(Text, ANumberIsTheWholeText) {
  EXPECT_EQ(parse_number<std::int32_t>("-17"), -17);
  EXPECT_EQ(parse_number<std::uint32_t>("ff", 16), 255u);
  for (const char* text : {"", " 1", "1 ", "+1", "1.0", "x", "2147483648"})
    EXPECT_FALSE(parse_number<std::int32_t>(text)) << text;
  std::string_view rest = "12 apples";
  EXPECT_EQ(take_number<int>(rest), 12);
  EXPECT_EQ(rest, " apples");
  EXPECT_FALSE(take_number<int>(rest));
  EXPECT_EQ(rest, " apples");
}

// RFC 4648, section 10, and the two digits in which its alphabets differ.
TEST(Text, Base64AsTheRfcHasIt) {
  const std::pair<const char*, const char*> cases[] = {{"", ""},        {"f", "Zg=="},        {"fo", "Zm8="},
                                                       {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}, {"\xfb\xff", "+/8="}};
  for (const auto& [bytes, text] : cases) EXPECT_EQ(to_base64(as_bytes(bytes), Base64::standard), text);
  EXPECT_EQ(to_base64(as_bytes("\xfb\xff"), Base64::url), "-_8");
  EXPECT_EQ(to_hex(as_bytes("\x01\xab")), "01ab");
}

TEST(Text, Base64IsReadBackAndNothingElseIs) {
  test::Random random{test::test_seed(1)};
  for (int round = 0; round < 2000; ++round) {
    Bytes bytes(random.below(40));
    for (std::byte& byte : bytes) byte = static_cast<std::byte>(random.below(256));
    for (const Base64 form : {Base64::standard, Base64::url}) {
      std::string text = to_base64(bytes, form);
      ASSERT_EQ(from_base64(text, form), bytes) << text;
      if (text.empty()) continue;
      text[random.below(text.size())] = static_cast<char>(random.below(256));
      const std::optional<Bytes> other = from_base64(text, form);
      EXPECT_TRUE(!other || to_base64(*other, form) == text) << text;
    }
  }
  for (const char* text : {"Zg", "Zg=", "Zh==", "Z===", "====", "Zg==Zg==", "Zm 9", "Zm9-"})
    EXPECT_FALSE(from_base64(text, Base64::standard)) << text;
  for (const char* text : {"Zg==", "Zh", "Z", "Zm9+"}) EXPECT_FALSE(from_base64(text, Base64::url)) << text;
}

}  // namespace
}  // namespace lungo
