#include "import/line_reader.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "tests/support/random.hpp"
#include "tests/support/temp_directory.hpp"

namespace tracker {
namespace {

using lungo::Errc;
using lungo::Result;
using lungo::test::TempDirectory;

constexpr std::string_view kGoodLine = "h - - [01/Jan/2024:00:00:00 +0000] \"GET / HTTP/1.0\" 200 1\n";

std::string gzipped(std::string_view text) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 6, Z_DEFLATED, 16 + 15, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string out(deflateBound(&stream, text.size()) + 64, '\0');
  std::string in{text};
  stream.next_in = reinterpret_cast<Bytef*>(in.data());
  stream.avail_in = static_cast<uInt>(in.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

class Logs {
 public:
  std::string write(std::string_view bytes, const std::string& name = "access.log") {
    std::ofstream{directory_ / name, std::ios::binary | std::ios::trunc} << bytes;
    return directory_ / name;
  }
  void append(std::string_view bytes) { std::ofstream{directory_ / "access.log", std::ios::binary | std::ios::app} << bytes; }

 private:
  TempDirectory directory_;
};

LineReader reader_of(const std::string& path) { return {open_source(path).value(), RollingHash{7}, LogMark{}}; }

std::vector<std::string> lines_of(LineReader& reader) {
  std::vector<std::string> lines;
  while (true) {
    const Result<std::optional<Line>> line = reader.next();
    if (!line || !*line) return lines;
    EXPECT_EQ((*line)->number, lines.size() + 1);
    lines.emplace_back((*line)->text);
  }
}

std::uint64_t hash_of(std::string_view bytes) {
  RollingHash hash{7};
  hash.add(bytes);
  return hash.value();
}

TEST(LineReader, GivesLinesWithoutTheirEnds) {
  Logs logs;
  LineReader reader = reader_of(logs.write("one\n\ntwo\r\nthree"));
  EXPECT_EQ(lines_of(reader), (std::vector<std::string>{"one", "", "two"}));
  const std::optional<Line> rest = reader.rest();
  ASSERT_TRUE(rest);
  EXPECT_EQ(rest->text, "three");
  EXPECT_FALSE(rest->ended);
  EXPECT_FALSE(reader.rest());
}

TEST(LineReader, MarkHasTheHashOfAllBytesBeforeIt) {
  Logs logs;
  std::string text;
  lungo::test::Random random{3};
  while (text.size() < 3'000'000) text += std::string(random.below(400), 'a') + "\n";
  LineReader reader = reader_of(logs.write(text));
  std::uint64_t position = 0;
  std::uint64_t number = 0;
  while (true) {
    const Result<std::optional<Line>> line = reader.next();
    ASSERT_TRUE(line);
    if (!*line) break;
    position += (*line)->bytes;
    if (++number % 1009 != 0) continue;
    const LogMark mark = reader.mark();
    ASSERT_EQ(mark.bytes, position);
    ASSERT_EQ(mark.lines, number);
    ASSERT_EQ(mark.hash, hash_of(std::string_view{text}.substr(0, position)));
  }
  EXPECT_EQ(reader.mark(), (LogMark{.lines = number, .bytes = text.size(), .hash = hash_of(text)}));
}

TEST(LineReader, OverlongLineTakesBoundedMemoryAndLosesNothingBehindIt) {
  Logs logs;
  const std::string text = "before\n" + std::string(5'000'000, 'x') + "\nbehind\n";
  LineReader reader = reader_of(logs.write(text));
  EXPECT_EQ((*reader.next().value()).text, "before");
  const Line overlong = *reader.next().value();
  EXPECT_EQ(overlong.text.size(), kLineBytesKept);
  EXPECT_EQ(overlong.bytes, 5'000'001U);
  EXPECT_EQ((*reader.next().value()).text, "behind");
  EXPECT_EQ(reader.mark().hash, hash_of(text));
}

TEST(LineReader, MarkInTheMiddleOfAnOverlongLineIsTheOneBeforeIt) {
  Logs logs;
  const std::string begun = "before\n" + std::string(2'000'000, 'x');
  LineReader reader = reader_of(logs.write(begun));
  ASSERT_TRUE(reader.next().value());
  ASSERT_FALSE(reader.next().value());
  EXPECT_EQ(reader.mark(), (LogMark{.lines = 1, .bytes = 7, .hash = hash_of("before\n")}));
  logs.append("y\nz\n");
  EXPECT_EQ((*reader.next().value()).bytes, 2'000'002U);
  EXPECT_EQ((*reader.next().value()).text, "z");
  EXPECT_EQ(reader.mark().hash, hash_of(begun + "y\nz\n"));
}

TEST(LineReader, FileThatGrowsGivesItsLinesWhenTheyAreWhole) {
  Logs logs;
  LineReader reader = reader_of(logs.write("one\ntw"));
  EXPECT_EQ((*reader.next().value()).text, "one");
  EXPECT_FALSE(reader.next().value());
  EXPECT_EQ(reader.mark().bytes, 4U);
  logs.append("o\n");
  EXPECT_EQ((*reader.next().value()).text, "two");
  EXPECT_FALSE(reader.next().value());
}

TEST(LineReader, LineThatWasGivenWithoutItsEndIsContinuedUnderItsNumber) {
  Logs logs;
  LineReader reader = reader_of(logs.write("one"));
  ASSERT_FALSE(reader.next().value());
  EXPECT_EQ(reader.rest()->number, 1U);
  EXPECT_TRUE(reader.mark().inside_line);
  logs.append(" more\ntwo\n");
  const Line more = *reader.next().value();
  EXPECT_TRUE(more.continues);
  EXPECT_EQ(more.number, 1U);
  const Line two = *reader.next().value();
  EXPECT_FALSE(two.continues);
  EXPECT_EQ(two.number, 2U);
}

TEST(ByteSource, GzipOfSeveralMembersAndPaddingIsOneLog) {
  Logs logs;
  LineReader reader = reader_of(logs.write(gzipped("one\ntw") + gzipped("") + gzipped("o\nthree\n") + std::string(512, '\0')));
  EXPECT_EQ(lines_of(reader), (std::vector<std::string>{"one", "two", "three"}));
  EXPECT_TRUE(reader.next());
}

TEST(ByteSource, TruncatedGzipGivesWhatIsThereAndThenSaysSo) {
  Logs logs;
  std::string text;
  for (int i = 0; i < 20'000; ++i) text += std::to_string(i * 7919) + "\n";
  const std::string whole = gzipped(text);
  LineReader reader = reader_of(logs.write(whole.substr(0, whole.size() / 2)));
  EXPECT_GT(lines_of(reader).size(), 1000U);
  // The first time was what ended lines_of(); the reader tells it again and again.
  for (int call = 0; call < 3; ++call) {
    const Result<std::optional<Line>> after = reader.next();
    ASSERT_FALSE(after);
    EXPECT_EQ(after.error().code(), Errc::corrupt);
  }
}

TEST(ByteSource, EveryCutOfAGzipIsAnErrorThatNamesTheFile) {
  Logs logs;
  const std::string whole = gzipped("one\ntwo\n");
  for (std::size_t size = 3; size < whole.size(); ++size) {
    const auto source = open_source(logs.write(whole.substr(0, size)));
    ASSERT_TRUE(source) << size;
    const Result<std::uint64_t> skipped = (*source)->skip(1'000'000);
    ASSERT_FALSE(skipped) << size;
    EXPECT_EQ(skipped.error().code(), Errc::corrupt);
    EXPECT_NE(skipped.error().text().find("access.log"), std::string_view::npos);
  }
}

TEST(ByteSource, DamagedGzipIsAnError) {
  Logs logs;
  std::string text;
  for (int i = 0; i < 20'000; ++i) text += std::to_string(i * 7919) + "\n";
  std::string bytes = gzipped(text);
  bytes[bytes.size() / 2] = static_cast<char>(~bytes[bytes.size() / 2]);
  const Result<std::uint64_t> damaged = open_source(logs.write(bytes)).value()->skip(10'000'000);
  ASSERT_FALSE(damaged);
  EXPECT_EQ(damaged.error().code(), Errc::corrupt);
  const Result<std::uint64_t> behind = open_source(logs.write(gzipped("x\n") + "no gzip")).value()->skip(10);
  ASSERT_FALSE(behind);
  EXPECT_EQ(behind.error().code(), Errc::corrupt);
}

TEST(ByteSource, RewindBeginsAnew) {
  Logs logs;
  for (const std::string& bytes : {std::string{"one\ntwo\n"}, gzipped("one\ntwo\n")}) {
    const auto source = open_source(logs.write(bytes)).value();
    EXPECT_EQ(source->skip(100).value(), 8U);
    ASSERT_TRUE(source->rewind());
    EXPECT_EQ(source->skip(4).value(), 4U);
    std::string rest(10, '\0');
    rest.resize(source->read(rest).value());
    EXPECT_EQ(rest, "two\n");
  }
}

TEST(ByteSource, WrongFilesAreNamedForWhatTheyAre) {
  Logs logs;
  struct Case {
    std::string bytes;
    std::string word;
  };
  const std::vector<Case> cases{{std::string("\x7f"
                                             "ELF\x02\x01\x00\x00",
                                             8) +
                                     std::string(4000, '\0'),
                                 "binary"},
                                {std::string("\xfd"
                                             "7zXZ\x00",
                                             6),
                                 "xz"},
                                {std::string("\x28\xb5\x2f\xfd", 4), "zstd"},
                                {"BZh91AY", "bzip2"}};
  for (const Case& one : cases) {
    const auto source = open_source(logs.write(one.bytes));
    ASSERT_FALSE(source) << one.word;
    EXPECT_EQ(source.error().code(), Errc::unsupported);
    EXPECT_NE(source.error().text().find(one.word), std::string_view::npos) << source.error();
  }
  EXPECT_EQ(open_source(std::filesystem::temp_directory_path()).error().code(), Errc::unsupported);
  EXPECT_EQ(open_source("/nowhere/access.log").error().code(), Errc::not_found);
}

TEST(ByteSource, LogWithSomeNulBytesIsStillALog) {
  Logs logs;
  EXPECT_TRUE(open_source(logs.write(std::string{kGoodLine} + std::string("\0\0\0\n", 4))));
}

// What open_source() says in a child process of a user who owns nothing: root may read everything.
std::string refusal_for_a_stranger(const std::string& path) {
  int ends[2];
  EXPECT_EQ(::pipe(ends), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    constexpr uid_t kStranger = 65534;
    std::string said = "opened";
    if (::geteuid() == 0 && ::setresuid(kStranger, kStranger, kStranger) != 0) said = "kept its rights";
    const auto source = open_source(path);
    if (!source) said = source.error().text();
    const ssize_t written = ::write(ends[1], said.data(), said.size());
    ::_exit(written == static_cast<ssize_t>(said.size()) ? 0 : 1);
  }
  ::close(ends[1]);
  std::string said;
  char block[256];
  for (ssize_t got = 0; (got = ::read(ends[0], block, sizeof block)) > 0;) said.append(block, static_cast<std::size_t>(got));
  ::close(ends[0]);
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  return said;
}

TEST(ByteSource, UnreadableFileSaysWhy) {
  Logs logs;
  const std::string path = logs.write("x\n");
  ASSERT_EQ(::chmod(std::filesystem::path{path}.parent_path().c_str(), 0755), 0);
  ASSERT_EQ(::chmod(path.c_str(), 0644), 0);
  EXPECT_EQ(refusal_for_a_stranger(path), "opened");
  ASSERT_EQ(::chmod(path.c_str(), 0), 0);
  EXPECT_EQ(refusal_for_a_stranger(path), path + ": Permission denied");
}

TEST(ByteSource, DanglingLinkIsNamed) {
  Logs logs;
  const std::string path = logs.write("x\n");
  const std::string link = path + ".link";
  std::filesystem::create_symlink(path, link);
  EXPECT_TRUE(open_source(link));
  std::filesystem::remove(path);
  const auto source = open_source(link);
  ASSERT_FALSE(source);
  EXPECT_EQ(source.error().code(), Errc::not_found);
  EXPECT_NE(source.error().text().find(link), std::string_view::npos) << source.error();
}

}  // namespace
}  // namespace tracker
