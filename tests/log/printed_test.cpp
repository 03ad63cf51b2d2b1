// What tools print drives no terminal and breaks no JSON; and what they suggest to somebody who mistyped.
#include <lungo/log/printed.hpp>

#include <gtest/gtest.h>

namespace lungo::test {
namespace {

using namespace std::string_view_literals;

TEST(Printable, WritesControlCharactersOut) {
  EXPECT_EQ(printable("/a b?q=\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"sv), "/a b?q=\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80");
  EXPECT_EQ(printable("\0\x1b[2J\x07\x7f"sv), R"(\x00\x1B[2J\x07\x7F)");
  EXPECT_EQ(printable("a\tb\nc\rd\\e"sv), R"(a\tb\nc\rd\\e)");
  EXPECT_EQ(printable("\xc2\x9b"
                      "31m"sv),
            R"(\u009B31m)");  // CSI as one C1 control
  EXPECT_EQ(printable("\x9b"
                      "31m"sv),
            R"(\x9B31m)");  // and as a raw byte
  EXPECT_EQ(printable("\xe2\x80\xae.exe\xe2\x80\xa8"sv), R"(\u202E.exe\u2028)");
}

TEST(Printable, WritesBytesThatAreNoUtf8) {
  EXPECT_EQ(printable("\xff\xc3"sv), R"(\xFF\xC3)");
  EXPECT_EQ(printable("\xc0\xaf"sv), R"(\xC0\xAF)");                  // overlong
  EXPECT_EQ(printable("\xed\xa0\x80"sv), R"(\xED\xA0\x80)");          // surrogate
  EXPECT_EQ(printable("\xf4\x90\x80\x80"sv), R"(\xF4\x90\x80\x80)");  // above U+10FFFF
  EXPECT_FALSE(is_utf8_text("a\xff"));
  EXPECT_TRUE(is_utf8_text("\xc3\xa9"));
}

TEST(Printable, KeepsTheLinesOfAnError) { EXPECT_EQ(printable(Error{Errc::io, "one\n\x1b[2Jtwo"}), "io: one\n\\x1B[2Jtwo"); }

TEST(PrintedJson, StringsKeepTheirValueAndDriveNoTerminal) {
  const auto json = [](std::string_view text) {
    std::string out;
    append_json_string(text, out);
    return out;
  };
  EXPECT_EQ(json("a\"b\\c\td\ne\rf"), R"("a\"b\\c\td\ne\rf")");
  EXPECT_EQ(json("\0\x1b[2J\x7f"sv), R"("\u0000\u001b[2J\u007f")");
  EXPECT_EQ(json("\xc2\x9b\xe2\x80\xae\xc3\xa9"), "\"\\u009B\\u202E\xc3\xa9\"");
}

TEST(Nearest, FindsWhatWasMeant) {
  const std::vector<std::string> known{"--follow", "--from", "--json", "--key-separator"};
  EXPECT_EQ(nearest("--folow", known), "--follow");
  EXPECT_EQ(nearest("--form", known), "--from");
  EXPECT_EQ(nearest("--jsno", known), "--json");
  EXPECT_EQ(nearest("--key-seperator", known), "--key-separator");
  EXPECT_EQ(nearest("--something-else", known), std::nullopt);
  EXPECT_EQ(nearest("xy", {"ab"}), std::nullopt);
  EXPECT_EQ(nearest("", {"a"}), std::nullopt);
  EXPECT_EQ(nearest("orders", {}), std::nullopt);
}

}  // namespace
}  // namespace lungo::test
