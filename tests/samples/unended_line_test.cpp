// A file whose last line has no end: it may be cut off, and then the rest comes later. What it says must be counted once, as a
// whole, and a file that merely lacks its final line end loses nothing.
#include <gtest/gtest.h>
#include <zlib.h>

#include <filesystem>
#include <string>

#include "tests/samples/tracker_fixture.hpp"

namespace lungo::test {
namespace {

const std::string kFirst{kLine};
const std::string kSecond =
    "10.0.0.2 - - [01/Mar/2024:10:01:00 +0000] \"GET /b?x HTTP/1.1\" 200 1234 \"http://e.com/\" \"Mozilla \\\"5\\\" "
    "Firefox\"\n";

class UnendedLine : public TrackerTest {
 protected:
  static std::int64_t waiting(const boost::json::object& summary) {
    return number(summary.at("imports").at(0).as_object(), "waiting_bytes");
  }
  [[nodiscard]] std::int64_t failed_lines() const { return records_in(*look_into(data()), "failed-events"); }
  /// The log without its last, unended line.
  [[nodiscard]] std::string write_whole_lines() const {
    const std::string text = text_of(log());
    write(directory_ / "whole.log", text.substr(0, text.rfind('\n') + 1));
    return directory_ / "whole.log";
  }
  void write_gzip(const std::string& path, const std::string& text) const {
    const gzFile file = ::gzopen(path.c_str(), "wb");
    ASSERT_EQ(::gzwrite(file, text.data(), static_cast<unsigned>(text.size())), static_cast<int>(text.size()));
    ::gzclose(file);
  }
};

TEST_F(UnendedLine, WholeLineWithoutItsEndCountsOnceAlsoWhenItsEndComesLater) {
  write(log(), std::string{kLine} + line_at(5, "/a").substr(0, line_at(5, "/a").size() - 1));
  EXPECT_EQ(number(import(), "events"), 2);
  write(log(), "\n" + line_at(6, "/b"), std::ios::app);
  const boost::json::object grown = import();
  EXPECT_EQ(number(grown, "lines"), 3);
  EXPECT_EQ(number(grown, "events"), 3);
}

TEST_F(UnendedLine, WholeFirstLineWithoutItsEndCountsOnceHoweverTheFileGrows) {
  const std::string first = line_at(5, "/a");
  const std::string parts[] = {first.substr(0, first.size() - 1), first.substr(first.size() - 1) + line_at(6, "/b"),
                               line_at(7, "/c")};
  std::int64_t lines = 0;
  for (const std::string& part : parts) {
    write(log(), part, std::ios::app);
    const boost::json::object grown = import();
    EXPECT_EQ(number(grown, "lines"), ++lines);
    EXPECT_EQ(number(grown, "events"), lines);
  }
  // Another file that begins with the same bytes is another file.
  write(directory_ / "other.log", parts[0] + " x\n" + line_at(9, "/d"));
  EXPECT_EQ(number(import_json(data(), {directory_ / "other.log"}), "events"), 5);
}

// Each cut would give a failed line, or an event with another status, size, referrer or visitor than the whole line has.
TEST_F(UnendedLine, CutOffLineWaitsUntilItIsWholeWhereverItWasCut) {
  const std::size_t status = kSecond.find(" 200") + 1;
  const std::size_t agent = kSecond.find("Mozilla");
  int number_of_logs = 0;
  for (const std::size_t cut : {std::size_t{30}, status + 2, status + 6, agent, agent + 9, kSecond.size() - 2}) {
    SCOPED_TRACE(kSecond.substr(0, cut));
    const std::string data = directory_ / ("data" + std::to_string(++number_of_logs));
    write(log(), kFirst + kSecond.substr(0, cut));
    const Finished begun = run_tracker(data, {"--exit", "--json", "--import", log()});
    EXPECT_EQ(begun.status, 0) << begun.err;
    EXPECT_NE(begun.err.find("line 2, from byte " + std::to_string(kFirst.size()) + ", has no end yet"), std::string::npos)
        << begun.err;
    const boost::json::object summary = boost::json::parse(begun.out).as_object();
    EXPECT_EQ(waiting(summary), static_cast<std::int64_t>(cut));
    EXPECT_EQ(as_shell_prints(summary), shell_summary({write_whole_lines()}));
    boost::json::object again = import_json(data, {log()});
    EXPECT_EQ(number(again.at("imports").at(0).as_object(), "events"), 0);
    again["imports"] = summary.at("imports");
    EXPECT_EQ(again, summary);

    write(log(), kSecond.substr(cut) + line_at(2, "/c"), std::ios::app);
    const boost::json::object whole = import_json(data, {log()});
    EXPECT_EQ(as_shell_prints(whole), shell_summary({log()}));
    EXPECT_EQ(waiting(whole), 0);
    EXPECT_EQ(records_in(*look_into(data), "failed-events"), 0);
    EXPECT_EQ(records_in(*look_into(data), "events"), 3);
  }
}

TEST_F(UnendedLine, FieldsBehindTheUserAgentChangeNothingHoweverTheyCome) {
  const std::string closed = kSecond.substr(0, kSecond.size() - 1);
  write(log(), kFirst + closed);
  const boost::json::object first = import();
  EXPECT_EQ(number(first, "events"), 2);
  EXPECT_EQ(waiting(first), 0);
  EXPECT_EQ(as_shell_prints(first), shell_summary({log()}));
  for (const std::string& more : {std::string{" \"www.e.c"}, std::string{"om\" 0.1\n"}, line_at(7, "/c")}) {
    write(log(), more, std::ios::app);
    EXPECT_EQ(as_shell_prints(import()), shell_summary({log()})) << more;
  }
  EXPECT_EQ(failed_lines(), 0);
}

TEST_F(UnendedLine, FileOfACutOffFirstLineIsKnownByThatLineOnceItIsWhole) {
  for (const std::string& begun : {std::string{}, kSecond.substr(0, 20), kSecond.substr(20, 60)}) {
    write(log(), begun, std::ios::app);
    const boost::json::object summary = import();
    EXPECT_EQ(number(summary, "lines"), 0);
    EXPECT_EQ(waiting(summary), static_cast<std::int64_t>(text_of(log()).size()));
  }
  write(log(), kSecond.substr(80) + kFirst, std::ios::app);
  const boost::json::object whole = import();
  EXPECT_EQ(as_shell_prints(whole), shell_summary({log()}));
  boost::json::object again = import();
  again["imports"] = whole.at("imports");
  EXPECT_EQ(again, whole);
}

TEST_F(UnendedLine, WhereNothingCanFollowItCountsAsItIs) {
  const std::string text = kFirst + kSecond.substr(0, kSecond.find(" \"http"));
  write_gzip(log() + ".gz", text);
  EXPECT_EQ(as_shell_prints(import_json(data(), {log() + ".gz"})), shell_summary({log() + ".gz"}));

  write(log(), text + "\nnonsense");
  const Finished piped = run(
      {"/bin/sh", "-c",
       std::string{LUNGO_WEB_TRACKER} + " --exit --json --import - --data '" + (directory_ / "piped") + "' < '" + log() + "'"});
  ASSERT_EQ(piped.status, 0) << piped.err;
  EXPECT_EQ(as_shell_prints(boost::json::parse(piped.out).as_object()), shell_summary({log()}));
}

TEST_F(UnendedLine, FollowTakesWhatAnImportLeft) {
  write(log(), kFirst + kSecond.substr(0, 50));
  import();
  Program follower{tracker_command(data(), {"--follow", log()})};
  ASSERT_TRUE(eventually([&] { return follower.err().find("following") != std::string::npos; })) << follower.err();
  write(log(), kSecond.substr(50), std::ios::app);
  const std::shared_ptr<EventLog> beside = look_into(data());
  ASSERT_TRUE(beside);
  EXPECT_TRUE(eventually([&] { return records_in(*beside, "events") == 2; })) << follower.err();
  EXPECT_EQ(records_in(*beside, "failed-events"), 0);
  follower.send(SIGTERM);
  EXPECT_EQ(follower.wait(), 0);
}

TEST_F(UnendedLine, FollowLeavesTheCutOffLineOfARotatedFileAndSaysSo) {
  write(log(), kFirst + kSecond.substr(0, 50));
  Program follower{tracker_command(data(), {"--follow", log()})};
  std::shared_ptr<EventLog> beside;
  const auto events_are = [&](std::int64_t wanted) {
    return eventually([&] {
      if (!beside) beside = look_into(data());
      return beside && records_in(*beside, "events") == wanted;
    });
  };
  ASSERT_TRUE(events_are(1)) << follower.err();
  std::filesystem::rename(log(), log() + ".1");
  write(log(), line_at(9, "/new file"));
  ASSERT_TRUE(events_are(2)) << follower.err();
  EXPECT_NE(follower.err().find("before it was rotated: line 2"), std::string::npos) << follower.err();
  follower.send(SIGTERM);
  EXPECT_EQ(follower.wait(), 0);
  EXPECT_EQ(records_in(*beside, "failed-events"), 0);
  beside.reset();
  write(log() + ".1", kSecond.substr(50), std::ios::app);
  EXPECT_EQ(number(import_json(data(), {log() + ".1"}), "events"), 3);
}

}  // namespace
}  // namespace lungo::test
