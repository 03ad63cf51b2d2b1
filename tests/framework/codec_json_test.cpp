// JSON of events: typed both ways, by shape alone, and what JSON cannot say by itself.
#include <gtest/gtest.h>

#include <lungo/framework/codec_json.hpp>

#include <cmath>

#include "sample_values.hpp"

namespace lungo::test {
namespace {

struct Numbers {
  std::int64_t big = 0;
  std::uint64_t huge = 0;
  double real = 0;
  float small = 0;
};

struct Texts {
  std::string text;
  std::map<std::string, std::int32_t> map;
  std::vector<std::byte> raw;
};

struct Times {
  std::chrono::sys_time<std::chrono::milliseconds> at;
  std::chrono::sys_seconds day;
  std::chrono::sys_time<std::chrono::minutes> minute;
  std::chrono::milliseconds spent{};
};

TEST(Json, TypedAndByShapeAreTheSameText) {
  const std::uint64_t seed = test_seed(5);
  SCOPED_TRACE(seed);
  RandomValues values{seed};
  for (int i = 0; i < 500; ++i) {
    const Everything event = values.everything();
    const std::string json = to_json(event);
    const Result<std::string> by_shape = to_json(shape_of<Everything>(), encoded(event));
    ASSERT_TRUE(by_shape) << by_shape.error();
    ASSERT_EQ(*by_shape, json);
    const Result<Everything> back = from_json<Everything>(json);
    ASSERT_TRUE(back) << back.error() << json;
    ASSERT_TRUE(*back == event) << json;
  }
}

TEST(Json, RandomDoublesComeBackToTheLastBit) {
  Random random{6};
  for (int i = 0; i < 20'000; ++i) {
    Numbers event;
    const std::uint64_t bits = random.next();
    std::memcpy(&event.real, &bits, sizeof bits);
    std::memcpy(&event.small, &bits, sizeof event.small);
    const Result<Numbers> back = from_json<Numbers>(to_json(event));
    ASSERT_TRUE(back) << back.error();
    ASSERT_TRUE(back->real == event.real || std::isnan(event.real)) << to_json(event);
    ASSERT_TRUE(back->small == event.small || std::isnan(event.small)) << to_json(event);
  }
}

TEST(Json, WhatADoubleCannotHoldIsAString) {
  const Numbers event{(std::int64_t{1} << 53) + 1, std::numeric_limits<std::uint64_t>::max(), NAN, -INFINITY};
  const std::string json = to_json(event);
  EXPECT_EQ(json, R"({"big":"9007199254740993","huge":"18446744073709551615","real":"NaN","small":"-Infinity"})");
  const Numbers back = from_json<Numbers>(json).value();
  EXPECT_EQ(back.big, event.big);
  EXPECT_EQ(back.huge, event.huge);
  EXPECT_TRUE(std::isnan(back.real));
  EXPECT_EQ(back.small, -INFINITY);
  EXPECT_EQ(from_json<Numbers>(R"({"big":9007199254740993})").value().big, 9'007'199'254'740'993);
}

TEST(Json, TextThatIsNotUtf8IsKeptAsBase64) {
  const Texts event{"a\xff", {{"\xfe", 1}, {"k\n\"", 2}}, {std::byte{0}, std::byte{0xff}}};
  const std::string json = to_json(event);
  EXPECT_EQ(json, R"({"text":{"$bytes":"Yf8="},"map":{"k\n\"":2,"\u0000base64:/g==":1},"raw":"AP8="})");
  const Texts back = from_json<Texts>(json).value();
  EXPECT_EQ(back.text, event.text);
  EXPECT_EQ(back.map, event.map);
  EXPECT_EQ(back.raw, event.raw);
}

TEST(Json, OverlongAndSurrogateUtf8IsNoUtf8) {
  for (const char* text : {"\xc0\x80", "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xf8\x88\x80\x80\x80", "\xc3"}) {
    EXPECT_NE(to_json(Texts{text, {}, {}}).find("$bytes"), std::string::npos);
  }
  EXPECT_NE(to_json(Texts{"\xf0\x9f\x98\x80", {}, {}}).find("\xf0\x9f\x98\x80"), std::string::npos);
}

TEST(Json, TimesAreIso8601WhereACalendarHasThem) {
  const Times event{std::chrono::sys_time<std::chrono::milliseconds>{std::chrono::milliseconds{-1}},
                    std::chrono::sys_seconds{std::chrono::seconds{1'700'000'000}},
                    std::chrono::sys_time<std::chrono::minutes>{std::chrono::minutes{5}}, std::chrono::milliseconds{1'500}};
  const std::string json = to_json(event);
  EXPECT_EQ(json, R"({"at":"1969-12-31T23:59:59.999Z","day":"2023-11-14T22:13:20Z","minute":5,"spent":1500})");
  EXPECT_EQ(from_json<Times>(json).value().at, event.at);
  EXPECT_EQ(from_json<Times>(R"({"at":-1})").value().at, event.at);
  EXPECT_FALSE(from_json<Times>(R"({"day":"2023-02-30T00:00:00Z"})"));
  EXPECT_FALSE(from_json<Times>(R"({"day":"2023-02-03T00:00:00.5Z"})"));
}

TEST(Json, AbsentMembersKeepTheirDefault) {
  const Place place = from_json<Place>(R"({"lon":2})").value();
  EXPECT_EQ(place.lat, 0);
  EXPECT_EQ(place.lon, 2);
}

TEST(JsonErrors, NameThePathOfFields) {
  const auto text_of = [](std::string_view json) { return std::string(from_json<Everything>(json).error().text()); };
  EXPECT_EQ(text_of(R"({"comments":[{"replies":[{},{"text":1}]}]})"), "Everything: comments.0.replies.1.text is no string");
  EXPECT_EQ(text_of(R"({"i8":128})"), "Everything: i8 is no integer that the field can hold");
  EXPECT_EQ(text_of(R"({"place":{"lat":0,"alt":1}})"), "Everything: place has a member that the struct does not have");
  EXPECT_EQ(text_of(R"({"extra":{"alternative":4,"value":1}})"),
            "Everything: extra names an alternative that the variant does not have");
  EXPECT_EQ(text_of("[]"), "Everything: the document is no object");
  EXPECT_EQ(from_json<Everything>("{").error(), Errc::undecodable);
  EXPECT_EQ(from_json<Everything>(std::string(100'000, '[')).error(), Errc::undecodable);
}

TEST(JsonByShape, HostilePayloadsAreUndecodable) {
  RandomValues values{7};
  const Bytes good = encoded(values.everything());
  for (std::size_t size = 0; size < good.size(); ++size) {
    EXPECT_EQ(to_json(shape_of<Everything>(), BytesView{good}.first(size)).error(), Errc::undecodable);
  }
  for (std::size_t at = 0; at < good.size(); ++at) {
    Bytes bytes = good;
    bytes[at] ^= std::byte{0xff};
    (void)to_json(shape_of<Everything>(), bytes);
  }
}

}  // namespace
}  // namespace lungo::test
