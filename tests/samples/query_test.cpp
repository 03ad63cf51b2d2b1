#include "web/query.hpp"

#include <gtest/gtest.h>

#include <string>

namespace tracker {
namespace {

TEST(Query, IsDecoded) {
  const Query query{"period=7d&page=%2Fmenu%3Fa%3D1+b&empty=&alone&&=nameless"};
  EXPECT_TRUE(query.is_valid());
  EXPECT_EQ(query.get("period"), "7d");
  EXPECT_EQ(query.get("page"), "/menu?a=1 b");
  EXPECT_EQ(query.get("empty"), "");
  EXPECT_EQ(query.get("alone"), "");
  EXPECT_EQ(query.get(""), "nameless");
  EXPECT_EQ(query.get("absent"), std::nullopt);
}

TEST(Query, ValueComesBackAsItWasEncoded) {
  EXPECT_EQ(encoded("/?a=1&b=%2F \xff~"), "%2F%3Fa%3D1%26b%3D%252F%20%FF~");
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all += static_cast<char>(byte);
  EXPECT_EQ(Query{"to=" + encoded(all)}.get("to"), all);
}

TEST(Query, FirstOfANameCounts) { EXPECT_EQ(Query{"a=1&a=2"}.get("a"), "1"); }

TEST(Query, AnEqualsSignMayBePartOfAValue) { EXPECT_EQ(Query{"a=b=c"}.get("a"), "b=c"); }

TEST(Query, NamesAreDecodedToo) { EXPECT_EQ(Query{"%61=1"}.get("a"), "1"); }

TEST(Query, BytesOfAnyKindComeThrough) { EXPECT_EQ(Query{"a=%00%ff%FF"}.get("a"), std::string("\0\xff\xff", 3)); }

TEST(Query, PercentSignsThatAreWrongAreTold) {
  for (const char* text : {"a=%", "a=%4", "a=%zz", "a=%4z", "%=1", "a=1&b=%", "a=%%41", "a=% 1"}) {
    EXPECT_FALSE(Query{text}.is_valid()) << text;
  }
  const Query query{"a=%zz&b=2"};
  EXPECT_EQ(query.get("a"), std::nullopt);
  EXPECT_EQ(query.get("b"), "2");
  EXPECT_TRUE(Query{"a=%41"}.is_valid());
}

TEST(Query, NothingIsAQueryToo) {
  for (const char* text : {"", "&", "&&&"}) {
    EXPECT_TRUE(Query{text}.is_valid());
    EXPECT_EQ(Query{text}.get(""), std::nullopt);
  }
}

TEST(Query, NumbersAreDecimalWithoutSign) {
  const auto number = [](const std::string& text) { return Query{"n=" + text}.number("n"); };
  EXPECT_EQ(number("0"), 0);
  EXPECT_EQ(number("042"), 42);
  EXPECT_EQ(number("9223372036854775807"), INT64_MAX);
  for (const char* text :
       {"", "-1", "%2b1", "1.5", "1e3", "0x10", "9223372036854775808", "99999999999999999999", "1+", "+1", "ten", "%zz"})
    EXPECT_EQ(number(text), std::nullopt) << text;
  EXPECT_EQ(Query{""}.number("n"), std::nullopt);
}

}  // namespace
}  // namespace tracker
