// The binary codec: bytes of the grammar, round trips, and what hostile bytes do.
#include <gtest/gtest.h>

#include <lungo/framework/codec.hpp>

#include "sample_values.hpp"

namespace lungo::test {
namespace {

struct Numbers {
  std::int32_t a = 0;
  std::uint32_t b = 0;
  std::int8_t c = 0;
  bool d = false;
};

struct Texts {
  std::string text;
  std::optional<std::uint32_t> maybe;
  std::vector<std::int32_t> list;
  std::map<std::string, std::int32_t> map;
};

struct Nested {
  Place place;
  std::variant<std::monostate, std::int32_t, std::string> any;
};

struct Nothing {};

template <class T>
Result<void> decode_hex(std::string_view text) {
  T value{};
  return decode(from_hex(text), value);
}

// The examples of docs/reference/codec.md.
TEST(Codec, BytesAreThoseOfTheReference) {
  EXPECT_EQ(hex(encoded(Numbers{-1, 300, -2, true})),
            "01"
            "ac02"
            "fe"
            "01");
  EXPECT_EQ(hex(encoded(Texts{"hi", 7u, {1, -1}, {{"k", 2}}})),
            "026869"
            "0107"
            "020201"
            "01016b04");
  EXPECT_EQ(hex(encoded(Nested{{1.0, 0.0, {}}, "x"})),
            "11"
            "000000000000f03f"
            "0000000000000000"
            "00"
            "020178");
  EXPECT_EQ(hex(encoded(Nothing{})), "");
}

TEST(Codec, EveryKindOfFieldComesBack) {
  const std::uint64_t seed = test_seed(1);
  SCOPED_TRACE(seed);
  RandomValues values{seed};
  Everything reused;
  for (int i = 0; i < 2'000; ++i) {
    const Everything event = values.everything();
    const Bytes bytes = encoded(event);
    Everything fresh;
    ASSERT_TRUE(decode(bytes, fresh));
    ASSERT_TRUE(fresh == event);
    ASSERT_TRUE(decode(bytes, reused));
    ASSERT_TRUE(reused == event);
    ASSERT_EQ(encoded(reused), bytes);
  }
}

TEST(Codec, UnorderedContainersAreWrittenSorted) {
  std::unordered_set<std::string> grown;
  for (int i = 0; i < 100; ++i) grown.insert(std::to_string(i));
  for (int i = 3; i < 100; ++i) grown.erase(std::to_string(i));
  Everything one;
  one.words = {"2", "1", "0"};
  Everything other;
  other.words = grown;
  EXPECT_EQ(encoded(one), encoded(other));
}

TEST(Codec, PayloadIsAppended) {
  Bytes bytes = to_bytes("before");
  encode(Numbers{}, bytes);
  EXPECT_EQ(as_text(BytesView{bytes}.first(6)), "before");
  EXPECT_EQ(bytes.size(), 10u);
}

TEST(Codec, LongValuesOutgrowTheFirstBuffer) {
  Comment event{std::string(5'000, 'x'), {Comment{std::string(3'000, 'y'), {}}, Comment{std::string(120, 'z'), {}}}};
  Comment back;
  ASSERT_TRUE(decode(encoded(event), back));
  EXPECT_EQ(back, event);
}

TEST(Codec, DecodingAgainReusesStringsAndNodes) {
  Texts event{std::string(100, 'a'), {}, {1, 2}, {{std::string(50, 'k'), 1}}};
  const Bytes bytes = encoded(event);
  Texts target;
  ASSERT_TRUE(decode(bytes, target));
  const char* text = target.text.data();
  const char* key = target.map.begin()->first.data();
  const std::int32_t* list = target.list.data();
  ASSERT_TRUE(decode(bytes, target));
  EXPECT_EQ(target.text.data(), text);
  EXPECT_EQ(target.map.begin()->first.data(), key);
  EXPECT_EQ(target.list.data(), list);
}

TEST(CodecDepth, AStructInsideItselfStopsAtTheLimitOnBothSides) {
  const auto nested = [](int depth) {
    Comment root;
    Comment* at = &root;
    for (int i = 0; i < depth; ++i) at = &at->replies.emplace_back();
    return root;
  };
  Comment back;
  EXPECT_TRUE(decode(encoded(nested(kStructDepthMax)), back));
  EXPECT_THROW(encoded(nested(kStructDepthMax + 1)), Exception);

  Bytes bomb;  // each level: empty text, one reply, whose length is as long as what is left
  for (int i = 0; i < 200; ++i) {
    Bytes outer{std::byte{0}, std::byte{1}};
    const std::size_t length = bomb.size();
    if (length < 0x80) {
      outer.push_back(static_cast<std::byte>(length));
    } else {
      outer.push_back(static_cast<std::byte>(length | 0x80));
      outer.push_back(static_cast<std::byte>(length >> 7));
    }
    outer.insert(outer.end(), bomb.begin(), bomb.end());
    bomb = outer;
  }
  const Result<void> refused = decode(bomb, back);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().text().find("nested too deep"), std::string_view::npos) << refused.error();
}

TEST(CodecHostile, NumbersOutsideTheGrammarAreRefused) {
  EXPECT_TRUE(decode_hex<Numbers>("01 ac02 fe 01"));
  EXPECT_FALSE(decode_hex<Numbers>("8100 00 00 00"));          // a needless byte
  EXPECT_FALSE(decode_hex<Numbers>("ffffffff1f 00 00 00"));    // 33 bits
  EXPECT_FALSE(decode_hex<Numbers>("00 ffffffffff01 00 00"));  // 36 bits
  EXPECT_FALSE(decode_hex<Numbers>("ffffffffffffffffff7f 00 00 00"));
  EXPECT_FALSE(decode_hex<Numbers>("ffffffffffffffffffff01 00 00 00"));
  EXPECT_FALSE(decode_hex<Numbers>("00 00 00 02"));     // no bool
  EXPECT_FALSE(decode_hex<Numbers>("00 00 00 00 00"));  // left over
  EXPECT_FALSE(decode_hex<Numbers>("00 00 00"));        // short
}

TEST(CodecHostile, LengthsAndCountsAreCheckedBeforeMemoryIsTaken) {
  EXPECT_FALSE(decode_hex<Texts>("ffffffffffffffffff01"));                         // text
  EXPECT_FALSE(decode_hex<Texts>("00 00 ffffffffffffffff7f"));                     // list
  EXPECT_FALSE(decode_hex<Texts>("00 00 00 ffffffff0f"));                          // map
  EXPECT_FALSE(decode_hex<Texts>("00 02 00 00"));                                  // presence
  EXPECT_FALSE(decode_hex<Texts>("00 00 00 02 016b02 016b04"));                    // one key twice
  EXPECT_FALSE(decode_hex<Nested>("10 0000000000000000 0000000000000000 00 00"));  // a struct that is longer than its length
  EXPECT_FALSE(decode_hex<Nested>("12 0000000000000000 0000000000000000 00 00"));  // and one that is shorter
  EXPECT_FALSE(decode_hex<Nested>("11 0000000000000000 0000000000000000 00 03"));  // no such alternative
}

TEST(CodecHostile, TheErrorNamesEventReasonAndByte) {
  const Result<void> refused = decode_hex<Texts>("05 6869");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error(), Errc::undecodable);
  EXPECT_EQ(refused.error().text(), "Texts: a length beyond the end of the payload at byte 1 of 3");
}

TEST(CodecHostile, EveryTruncationIsUndecodable) {
  RandomValues values{2};
  for (int i = 0; i < 20; ++i) {
    const Bytes bytes = encoded(values.everything());
    Everything target;
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      const Result<void> result = decode(BytesView{bytes}.first(size), target);
      ASSERT_FALSE(result) << size;
      ASSERT_EQ(result.error(), Errc::undecodable);
    }
  }
}

TEST(CodecHostile, EveryFlippedByteIsUndecodableOrAnotherValue) {
  RandomValues values{3};
  Everything target;
  for (int i = 0; i < 10; ++i) {
    const Bytes good = encoded(values.everything());
    for (std::size_t at = 0; at < good.size(); ++at) {
      for (const int flip : {0x01, 0x80, 0xff}) {
        Bytes bytes = good;
        bytes[at] ^= static_cast<std::byte>(flip);
        if (decode(bytes, target)) {
          Everything again;  // what was accepted is a value like any other
          ASSERT_TRUE(decode(encoded(target), again));
        }
      }
    }
  }
}

TEST(CodecHostile, RandomBytesDoNoHarm) {
  const std::uint64_t seed = test_seed(4);
  SCOPED_TRACE(seed);
  Random random{seed};
  Everything target;
  for (int i = 0; i < 50'000; ++i) {
    Bytes bytes(random.below(120));
    for (std::byte& byte : bytes) byte = static_cast<std::byte>(random.one_in(3) ? random.next() : random.below(4));
    (void)decode(bytes, target);
  }
}

}  // namespace
}  // namespace lungo::test
