// Shapes: their canonical bytes, their hash, and what hostile bytes do to parse().
#include <gtest/gtest.h>

#include <lungo/framework/shape.hpp>

#include "sample_values.hpp"

namespace lungo::test {
namespace {

struct PageViewed {
  std::string url, referrer;
};

// The vectors of docs/reference/shape.md.
TEST(Shape, CanonicalBytesAreThoseOfTheReference) {
  const Shape& page = shape_of<PageViewed>();
  EXPECT_EQ(hex(page.canonical()),
            "4c530101"  // LS, version 1, one struct
            "0a"
            "5061676556696577656402"  // PageViewed, 2 fields
            "03"
            "75726c"
            "0c"  // url: text
            "08"
            "7265666572726572"
            "0c");  // referrer: text
  EXPECT_EQ(to_string(page.hash()), "f8d9752829a88518c74ba6307ab1bd1e");
}

TEST(Shape, StructsAreNumberedAsTheyAreMet) {
  const Shape& comment = shape_of<Comment>();
  EXPECT_EQ(hex(comment.canonical()),
            "4c530101"
            "07"
            "436f6d6d656e74"
            "02"
            "04"
            "74657874"
            "0c"
            "07"
            "7265706c696573"
            "13"
            "17"
            "00");
  EXPECT_EQ(comment.type_text(comment.event().fields[1].type), "vector<Comment>");
}

TEST(Shape, TextReadsLikeDeclarations) {
  EXPECT_EQ(shape_of<Place>().to_text(), "struct Place {\n  double lat;\n  double lon;\n  optional<string> city;\n};\n");
}

TEST(Shape, EveryKindSurvivesParsing) {
  const Shape& shape = shape_of<Everything>();
  const Result<Shape> parsed = Shape::parse(shape.canonical());
  ASSERT_TRUE(parsed) << parsed.error();
  EXPECT_EQ(*parsed, shape);
  EXPECT_EQ(parsed->hash(), shape.hash());
  EXPECT_EQ(parsed->to_text(), shape.to_text());
  EXPECT_EQ(parsed->name(), "Everything");
}

TEST(Shape, ANewerVersionIsRefusedByName) {
  Bytes bytes(shape_of<Place>().canonical().begin(), shape_of<Place>().canonical().end());
  bytes[2] = std::byte{2};
  EXPECT_EQ(Shape::parse(bytes).error(), Errc::newer_format);
}

TEST(ShapeParse, EveryTruncationIsCorrupt) {
  const BytesView bytes = shape_of<Everything>().canonical();
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const Result<Shape> parsed = Shape::parse(bytes.first(size));
    ASSERT_FALSE(parsed) << size;
    EXPECT_EQ(parsed.error(), Errc::corrupt);
  }
}

TEST(ShapeParse, EveryChangedByteIsRefusedOrStaysCanonical) {
  const Shape& shape = shape_of<Everything>();
  for (std::size_t at = 0; at < shape.canonical().size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      Bytes bytes(shape.canonical().begin(), shape.canonical().end());
      bytes[at] ^= static_cast<std::byte>(1 << bit);
      const Result<Shape> parsed = Shape::parse(bytes);
      if (!parsed) continue;
      EXPECT_FALSE(*parsed == shape);
      EXPECT_NE(parsed->hash(), shape.hash());
      EXPECT_FALSE(parsed->to_text().empty());
    }
  }
}

TEST(ShapeParse, LimitsAreCheckedBeforeMemoryIsTaken) {
  const std::string start = "4c5301";
  EXPECT_EQ(Shape::parse(from_hex(start + "ffffffff0f")).error(), Errc::corrupt);  // structs
  EXPECT_EQ(Shape::parse(from_hex(start + "01"
                                          "0141"
                                          "ffffffff0f"))
                .error(),
            Errc::corrupt);  // fields
  EXPECT_EQ(Shape::parse(from_hex(start + "01"
                                          "ffffffff0f"))
                .error(),
            Errc::corrupt);  // a name
  EXPECT_EQ(Shape::parse(from_hex(start + "01"
                                          "0141"
                                          "01"
                                          "0162"
                                          "12ffffff0f"))
                .error(),
            Errc::corrupt);  // alternatives
  EXPECT_EQ(Shape::parse(Bytes((64 << 10) + 1, std::byte{0})).error(), Errc::corrupt);
}

TEST(ShapeParse, TypesNestedWithoutEndAreRefused) {
  std::string vectors;
  for (int i = 0; i < 20'000; ++i) vectors += "13";
  EXPECT_EQ(Shape::parse(from_hex("4c5301"
                                  "01"
                                  "0141"
                                  "01"
                                  "0162" +
                                  vectors + "02"))
                .error(),
            Errc::corrupt);
}

TEST(ShapeParse, OnlyOneSpellingIsCanonical) {
  const std::string good =
      "4c5301"
      "02"
      "0141"
      "01"
      "0162"
      "1701"
      "0142"
      "00";
  ASSERT_TRUE(Shape::parse(from_hex(good)));
  EXPECT_FALSE(
      Shape::parse(from_hex("4c5301"
                            "02"
                            "0141"
                            "01"
                            "0162"
                            "1702"
                            "0142"
                            "00")));  // a struct that is not there
  EXPECT_FALSE(
      Shape::parse(from_hex("4c5301"
                            "02"
                            "0141"
                            "01"
                            "0162"
                            "1700"
                            "0142"
                            "00")));  // one that nothing refers to
  EXPECT_FALSE(
      Shape::parse(from_hex("4c5301"
                            "8200"
                            "0141"
                            "01"
                            "0162"
                            "1701"
                            "0142"
                            "00")));                  // needless bytes
  EXPECT_FALSE(Shape::parse(from_hex(good + "00")));  // bytes left over
  EXPECT_FALSE(
      Shape::parse(from_hex("4c5301"
                            "01"
                            "0141"
                            "02"
                            "0162"
                            "02"
                            "0162"
                            "02")));  // two fields of one name
  EXPECT_FALSE(
      Shape::parse(from_hex("4c5301"
                            "01"
                            "0141"
                            "01"
                            "0109"
                            "02")));  // a control character
  EXPECT_FALSE(
      Shape::parse(from_hex("4c5301"
                            "01"
                            "0141"
                            "01"
                            "0162"
                            "18")));  // a unit outside of a variant
  EXPECT_FALSE(
      Shape::parse(from_hex("4c5301"
                            "01"
                            "0141"
                            "01"
                            "0162"
                            "1111"
                            "02")));  // optional of optional
}

TEST(ShapeParse, RandomBytesDoNoHarm) {
  const std::uint64_t seed = test_seed(7);
  SCOPED_TRACE(seed);
  Random random{seed};
  for (int i = 0; i < 20'000; ++i) {
    Bytes bytes = from_hex("4c5301");
    for (std::uint64_t left = random.below(60); left > 0; --left) bytes.push_back(static_cast<std::byte>(random.below(32)));
    const Result<Shape> parsed = Shape::parse(bytes);
    if (parsed) {
      EXPECT_TRUE(Shape::parse(parsed->canonical()));
    }
  }
}

}  // namespace
}  // namespace lungo::test
