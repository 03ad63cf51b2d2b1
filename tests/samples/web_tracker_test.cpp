// The tracker as its users meet it: a program, log files, and what it prints.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <chrono>
#include <filesystem>
#include <set>
#include <string>
#include <thread>

#include "tests/samples/tracker_fixture.hpp"
#include "tests/support/access_log_generator.hpp"
#include "tracker.hpp"

namespace lungo::test {
namespace {

using WebTracker = TrackerTest;

struct FoundBatch {
  std::size_t position = 0;
  std::int64_t first = 0;  // offset of its first record
};

// The batch of a segment around `at`: each begins with its base offset (8 bytes) and the size of what follows (4), big-endian.
FoundBatch batch_that_holds(std::string_view segment, std::size_t at) {
  const auto number = [&](std::size_t from, std::size_t size) {
    std::uint64_t value = 0;
    for (const char byte : segment.substr(from, size)) value = value << 8 | static_cast<unsigned char>(byte);
    return value;
  };
  std::size_t position = 0;
  while (true) {
    const std::size_t next = position + 12 + number(position + 8, 4);
    if (at < next) return {position, static_cast<std::int64_t>(number(position, 8))};
    position = next;
  }
}

TEST_F(WebTracker, RealLogEqualsTheShellPipelineAndASecondImportAddsNothing) {
  if (!std::filesystem::exists(shared_log())) GTEST_SKIP() << "no " << shared_log() << "; name one in LUNGO_ACCESS_LOG";
  const boost::json::object first = import_json(data(), {shared_log()});
  EXPECT_EQ(as_shell_prints(first), shell_summary({shared_log()}));
  EXPECT_EQ(number(first, "events"), 10'000);
  boost::json::object second = import_json(data(), {shared_log()});
  EXPECT_EQ(number(second.at("imports").at(0).as_object(), "events"), 0);
  second["imports"] = first.at("imports");
  EXPECT_EQ(second, first);
}

TEST_F(WebTracker, GeneratedLogEqualsTheShellPipeline) {
  write(log(), generate_access_log({.lines = 100'000, .seed = 7, .days = 4, .visitors = 8'000}));
  EXPECT_EQ(as_shell_prints(import()), shell_summary({log()}));
}

TEST_F(WebTracker, SecondImportOfAFileThatGrewAddsWhatIsNew) {
  const std::string text = generate_access_log({.lines = 3'000, .seed = 8});
  const std::size_t cut = text.find('\n', text.size() / 2) + 1;
  write(log(), text.substr(0, cut));
  import();
  write(log(), text.substr(cut), std::ios::app);
  EXPECT_EQ(as_shell_prints(import()), shell_summary({log()}));
}

TEST_F(WebTracker, AnotherFileWithTheSameFirstLineIsToldApart) {
  write(log(), std::string{kLine} + line_at(5, "/a") + line_at(6, "/b"));
  import();
  for (const std::string& other :
       {std::string{kLine} + line_at(5, "/x") + line_at(7, "/y"), std::string{kLine} + line_at(5, "/x")}) {
    write(directory_ / "other.log", other);
    import_json(data(), {directory_ / "other.log"});
  }
  const boost::json::object all = import();
  EXPECT_EQ(number(all, "lines"), 3 + 3 + 2);
  EXPECT_EQ(number(all, "events"), 8);
  const boost::json::object again = import_json(data(), {directory_ / "other.log"});
  EXPECT_EQ(number(again, "events"), 8);
}

// A run that ends soon after a resume writes a mark at lines whose events, and those of later lines, are in the log already.
TEST_F(WebTracker, MarkBeforeTheEndOfWhatAnEarlierRunAppendedRepeatsNothing) {
  write(log(), generate_access_log({.lines = 30'000, .seed = 12}));
  const auto run_for = [&](std::size_t lines, bool with_mark) {
    const auto tracker = tracker::Tracker::open(open_local(data()).value()).value();
    const auto import = tracker::LogImport::open(tracker->import_site(), log(), tracker::ImportMode::whole).value();
    ASSERT_TRUE(import->step(lines));
    if (with_mark) {
      ASSERT_TRUE(import->finish(false));
    }
  };
  run_for(20'000, false);
  run_for(500, true);
  run_for(700, true);
  EXPECT_EQ(as_shell_prints(import()), shell_summary({log()}));
}

TEST_F(WebTracker, EmptyFileIsAnEmptyImport) {
  write(log(), "");
  EXPECT_EQ(number(import(), "lines"), 0);
}

TEST_F(WebTracker, MalformedLinesAreCountedNamedAndKept) {
  const std::string overlong = std::string(70'000, 'x');
  write(log(), std::string{kLine} + "nonsense\n" + std::string{kLine} + "\n" + overlong + "\n" + "nonsense again\n" +
                   std::string{kLine});
  const boost::json::object summary = import();
  EXPECT_EQ(number(summary, "lines"), 7);
  EXPECT_EQ(number(summary, "events"), 3);
  const boost::json::object& drops = summary.at("imports").at(0).at("drops").as_object();
  EXPECT_EQ(boost::json::serialize(drops.at("no valid time in brackets")), R"({"lines":2,"first":[2,6]})");
  EXPECT_EQ(boost::json::serialize(drops.at("no address")), R"({"lines":1,"first":[4]})");
  EXPECT_EQ(boost::json::serialize(drops.at("longer than 64 KiB")), R"({"lines":1,"first":[5]})");

  const std::shared_ptr<EventLog> beside = look_into(data());
  ASSERT_TRUE(beside);
  EXPECT_EQ(records_in(*beside, "failed-events"), 4);
  const TopicInfo topic = beside->topic("failed-events").value();
  PartitionReader reader{*beside, topic, {topic.id, PartitionId{0}, Offset{0}, kNoEpoch}};
  const Envelope* first = reader.next().value();
  ASSERT_NE(first, nullptr);
  EXPECT_NE(as_text(first->payload).find("nonsense"), std::string_view::npos);
}

TEST_F(WebTracker, OddLinesEqualTheShellPipeline) {
  const std::string start = "10.0.0.1 - - [01/Mar/2024:10:00:00 +0000] \"";
  std::string text = "::1" + start.substr(8) + "GET /v6 HTTP/2.0\" 200 1 \"-\" \"Firefox\"\r\n2001:db8::ff00:42:8329%eth0" +
                     start.substr(8) + "GET / HTTP/1.1\" 200 1\n" + start + "GET /x\" 000 -\n" + start + "GET /x\" 20 -\n" +
                     start + "GET /x\" 2000 -\n";
  for (const char* request : {"-", "", "FOO /m HTTP/1.1", "propfind /m?a?b HTTP/1.1", "GET http://e.com/abs?x HTTP/1.1",
                              "CONNECT e.com:443 HTTP/1.1", "OPTIONS * HTTP/1.1", " GET  /two  HTTP/1.1", "GET\t/tab HTTP/1.1",
                              "GET ?q HTTP/1.1", "GET /a b c HTTP/1.1", "GET /q\\\"uote HTTP/1.1", "GET /cr\rx HTTP/1.1"}) {
    text += start + request + "\" 200 1 \"-\" \"-\"\n";
  }
  for (const char* zone : {"+1400", "+1459", "+1500", "-0930", "-1200", "-0000", "+0060", "0000", "+0545"}) {
    text += std::string{"10.0.0.1 - - [29/Feb/2024:23:59:59 "} + zone + "] \"GET /z HTTP/1.1\" 200 1 \"\" \"cut off\n";
  }
  for (const char* time : {"01/Jan/1970:00:00:00 +0200", "31/Dec/1969:23:00:00 +0000", "31/Dec/9999:23:59:60 -1200",
                           "30/Feb/2024:10:00:00 +0000", "01/MAR/2024:10:00:00 +0000", "2024-03-01T10:00:00+00:00"}) {
    text += std::string{"10.0.0.1 - - ["} + time + "] \"GET /t HTTP/1.1\" 200 1\n";
  }
  text += "\n\r\n \n\r\r\n- - -" + start.substr(12) + "GET / HTTP/1.1\" 200 1\n";
  for (const std::size_t size : {65'535, 65'536, 65'536, 65'537, 700'000, 3'000'000}) {
    const std::string end = " HTTP/1.1\" 200 1 \"-\" \"x\"";
    const std::string line = start + "GET /" + std::string(size - start.size() - 5 - end.size(), 'x') + end;
    ASSERT_EQ(line.size(), size);
    text += line + "\r\n";
  }
  write(log(), text);
  const boost::json::object summary = import();
  EXPECT_EQ(as_shell_prints(summary), shell_summary({log()}));
  EXPECT_EQ(number(summary.at("drops").as_object(), "longer than 64 KiB"), 3);
  EXPECT_EQ(number(summary.at("hits_per_status").as_object(), "000"), 1) << "as it stands in the line";
  const Finished text_summary = run_tracker(data(), {"--exit"});
  EXPECT_LT(text_summary.out.size(), 5'000U) << "pages of any length fit on a screen";
}

TEST_F(WebTracker, BytesThatAreNoUtf8AreSpelledOut) {
  write(log(), "10.0.0.1 - - [01/Mar/2024:10:00:00 +0000] \"GET /\xff\xc3( HTTP/1.1\" 200 1 \"-\" \"caf\xe9\"\n");
  const boost::json::object summary = import();
  EXPECT_EQ(summary.at("top_pages").at(0).at("page").as_string(), "/\\xff\\xc3(");
  EXPECT_EQ(number(summary, "distinct_visitors"), 1);
}

// What a progress bar needs: how far it is, before the parts have looked at the log themselves.
TEST_F(WebTracker, LagIsTheLogsFromTheFirstMoment) {
  write(log(), generate_access_log({.lines = 100'000, .seed = 14}));
  const std::int64_t events = number(import(), "events");
  for (const char* end : {"", "-wal", "-shm"}) std::filesystem::remove(data() + "/views.db" + end);
  const auto tracker = tracker::Tracker::open(open_local(data()).value(), {.purpose = tracker::Purpose::look}).value();
  EXPECT_GT(tracker->lag(), events / 100);
  ASSERT_TRUE(tracker->catch_up(std::chrono::seconds{100}));
  EXPECT_EQ(tracker->lag(), 0);
}

TEST_F(WebTracker, SessionsEndAfterHalfAnHourAndTheLastOneStaysOpen) {
  write(log(), line_at(0, "/") + line_at(10, "/shop") + line_at(100, "/") + line_at(101, "/style.css") +
                   line_at(102, "/", "Googlebot"));
  const boost::json::object summary = import();
  const boost::json::object& sessions = summary.at("sessions").as_object();
  EXPECT_EQ(number(sessions, "started"), 2);
  EXPECT_EQ(number(sessions, "ended"), 1);
  EXPECT_EQ(number(sessions, "bounces"), 0);
  EXPECT_EQ(number(sessions, "pages"), 2);
  EXPECT_EQ(number(sessions, "duration_seconds"), 600);
}

TEST_F(WebTracker, AnotherFunnelIsCountedFromAllSessions) {
  write(log(), line_at(0, "/") + line_at(10, "/shop") + line_at(100, "/") + line_at(200, "/x"));
  import();
  const Finished done = run_tracker(data(), {"--exit", "--json", "--import", log(), "--funnel", "/,/shop"});
  ASSERT_EQ(done.status, 0) << done.err;
  const boost::json::value summary = boost::json::parse(done.out);
  EXPECT_EQ(boost::json::serialize(summary.at("funnel")), R"([{"step":"/","sessions":2},{"step":"/shop","sessions":1}])");
}

TEST_F(WebTracker, FunnelFileThatCannotBeReadIsRefusedAndNotTakenForNone) {
  write(log(), std::string{kLine});
  ASSERT_EQ(run_tracker(data(), {"--exit", "--import", log(), "--funnel", "/,/page"}).status, 0);
  const std::string file = data() + "/tracker-funnel";
  ASSERT_EQ(text_of(file), "tracker-funnel 1\n/,/page\n");
  const auto expect_refused = [&](const std::vector<std::string>& arguments, const std::string& reason) {
    const Finished done = run_tracker(data(), arguments);
    EXPECT_EQ(done.status, 1) << done.out;
    EXPECT_NE(done.err.find(file), std::string::npos) << done.err;
    EXPECT_NE(done.err.find(reason), std::string::npos) << done.err;
  };
  for (const char* damaged : {"", "tracker-funnel 1", "tracker-funnel 1\n", "tracker-funnel 1\n\n", "tracker-funnel 1\n/,/pa",
                              "tracker-funnel 1\n/a\n/b\n", "tracker-funnel 0\n/a\n", "lungo-meta 1\n/a\n"}) {
    write(file, damaged);
    expect_refused({"--exit"}, "is damaged");
    EXPECT_EQ(text_of(file), damaged);
  }
  expect_refused({"replay", "rebuild"}, "is damaged");
  EXPECT_EQ(run_tracker(data(), {"--exit", "--funnel", "/,/shop"}).status, 0) << "steps that are given mend it";
  EXPECT_EQ(text_of(file), "tracker-funnel 1\n/,/shop\n");

  const std::string newer = "tracker-funnel 2\nwho knows\n";
  write(file, newer);
  expect_refused({"--exit"}, "has version 2");
  expect_refused({"--exit", "--funnel", "/,/shop"}, "has version 2");
  EXPECT_EQ(text_of(file), newer);
  std::filesystem::remove(file);
  std::filesystem::create_directory(file);
  expect_refused({"--exit"}, "directory");
}

TEST_F(WebTracker, SummaryThatCannotBeWrittenIsAFailure) {
  write(log(), std::string{kLine});
  import();
  for (const char* form : {"", " --json"}) {
    const Finished done =
        run({"/bin/sh", "-c", std::string{LUNGO_WEB_TRACKER} + " --exit --data '" + data() + "'" + form + " > /dev/full"});
    EXPECT_EQ(done.status, 1);
    EXPECT_NE(done.err.find("standard output: No space left"), std::string::npos) << done.err;
  }
}

TEST_F(WebTracker, EveryFileIsForItsOwnerOnlyWhateverTheUmask) {
  write(log(), std::string{kLine} + "nonsense\n");
  const mode_t before = ::umask(0);
  run_tracker(data(), {"--exit", "--import", log(), "--funnel", "/,/page"});
  Program follower{tracker_command(data(), {"--follow", log()})};
  ::umask(before);
  ASSERT_TRUE(eventually([&] { return std::filesystem::exists(data() + "/views.db-wal"); })) << follower.err();
  for (const auto& entry : std::filesystem::recursive_directory_iterator{data()}) {
    const auto wanted = static_cast<std::filesystem::perms>(entry.is_directory() ? 0700 : 0600);
    EXPECT_EQ(std::filesystem::status(entry.path()).permissions(), wanted) << entry.path();
  }
}

TEST_F(WebTracker, LostSecretIsRefusedAndNotMadeAnew) {
  write(log(), std::string{kLine});
  const boost::json::object first = import();
  const std::string secret = data() + "/tracker-secret";
  std::filesystem::rename(secret, directory_ / "backup");
  for (const char* input : {"--import", "--follow"}) {
    const Finished refused = run_tracker(data(), {"--exit", input, log()});
    EXPECT_EQ(refused.status, 1);
    for (const char* word : {"tracker-secret is missing", "count twice", "from a backup", "--data DIR"}) {
      EXPECT_NE(refused.err.find(word), std::string::npos) << word << " is not in " << refused.err;
    }
    EXPECT_FALSE(std::filesystem::exists(secret));
  }

  // Whoever deleted it for good may go on looking.
  const Finished looked = run_tracker(data(), {"--exit", "--json"});
  EXPECT_EQ(looked.status, 0) << looked.err;
  EXPECT_EQ(boost::json::parse(looked.out).at("events"), 1) << looked.out;
  EXPECT_FALSE(std::filesystem::exists(secret));

  std::filesystem::rename(directory_ / "backup", secret);
  boost::json::object second = import();
  second["imports"] = first.at("imports");
  EXPECT_EQ(second, first);
}

TEST_F(WebTracker, NoAddressUserAgentOrSecretIsStored) {
  write(log(),
        "203.0.113.77 - - [01/Mar/2024:10:00:00 +0000] \"GET /page HTTP/1.1\" 200 1 \"-\" \"Unmistakable/7.7 Firefox\"\n");
  import();
  struct stat status {};
  const std::string secret_path = data() + "/tracker-secret";
  ASSERT_EQ(::stat(secret_path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600U);
  const std::string secret = text_of(secret_path);
  for (const auto& entry : std::filesystem::recursive_directory_iterator{data()}) {
    if (!entry.is_regular_file() || entry.path() == secret_path) continue;
    const std::string bytes = text_of(entry.path());
    EXPECT_EQ(bytes.find("203.0.113.77"), std::string::npos) << entry.path();
    EXPECT_EQ(bytes.find("Unmistakable"), std::string::npos) << entry.path();
    EXPECT_EQ(bytes.find(secret), std::string::npos) << entry.path();
  }
}

TEST_F(WebTracker, FollowsThroughRotationAndTruncation) {
  write(log(), std::string{kLine});
  Program program{tracker_command(data(), {"--follow", log()})};
  std::shared_ptr<EventLog> beside;
  const auto events_are = [&](std::int64_t wanted) {
    return eventually([&] {
      if (!beside) beside = look_into(data());
      return beside && records_in(*beside, "events") == wanted;
    });
  };
  ASSERT_TRUE(events_are(1)) << program.err();
  write(log(), line_at(1, "/a") + "10.0.0.1 - - [01/Mar/2024:10:0", std::ios::app);
  ASSERT_TRUE(events_are(2));
  write(log(), "2:00 +0000] \"GET /b HTTP/1.1\" 200 1\n", std::ios::app);
  ASSERT_TRUE(events_are(3));
  std::filesystem::rename(log(), log() + ".1");
  write(log() + ".1", line_at(3, "/late"), std::ios::app);
  write(log(), line_at(4, "/new file"));
  ASSERT_TRUE(events_are(5)) << program.err();
  write(log(), "");
  write(log(), line_at(5, "/x"), std::ios::app);
  ASSERT_TRUE(events_are(6)) << program.err();
  program.send(SIGTERM);
  EXPECT_EQ(program.wait(), 0) << program.err();

  // What was followed is known under its other name too, and what came since is added.
  beside.reset();
  write(log() + ".1", line_at(6, "/later"), std::ios::app);
  EXPECT_EQ(number(import_json(data(), {log() + ".1", log()}), "events"), 7);
}

TEST_F(WebTracker, TroubleWithOneOfTwoFollowedFilesIsToldOnceAndHoldsUpNothing) {
  write(log(), "");
  const std::string no_log = log() + "/inside";
  Program program{tracker_command(data(), {"--follow", no_log, "--follow", log()})};
  std::shared_ptr<EventLog> beside;
  for (int lines = 1; lines <= 3; ++lines) {
    write(log(), line_at(lines, "/a"), std::ios::app);
    ASSERT_TRUE(eventually([&] {
      if (!beside) beside = look_into(data());
      return beside && records_in(*beside, "events") == lines;
    })) << program.err();
  }
  program.send(SIGTERM);
  EXPECT_EQ(program.wait(), 0) << program.err();
  const std::string told = program.err();
  EXPECT_NE(told.find("Not a directory"), std::string::npos) << told;
  EXPECT_EQ(told.find("Not a directory"), told.rfind("Not a directory")) << told;
  EXPECT_EQ(told.find("tracker: going on\n"), std::string::npos) << told;
}

TEST_F(WebTracker, SecondWriterIsRefusedAndTheHolderNamed) {
  write(log(), std::string{kLine});
  Program first{tracker_command(data(), {"--follow", log()})};
  ASSERT_TRUE(eventually([&] { return look_into(data()) != nullptr; }));
  const Finished second = run_tracker(data(), {"--import", log(), "--exit"});
  EXPECT_EQ(second.status, 1);
  EXPECT_NE(second.err.find("is held by pid"), std::string::npos) << second.err;
}

TEST_F(WebTracker, WrongInputsGetAClearAnswerAndOthersAreImported) {
  write(directory_ / "binary", std::string("\x7f"
                                           "ELF\0\0\0\0",
                                           8) +
                                   std::string(100, '\0'));
  write(log(), std::string{kLine});
  const Finished done = run_tracker(data(), {"--exit", "--json", "--import", directory_ / "binary", "--import",
                                             directory_ / "missing", "--import", directory_.path(), "--import", log()});
  EXPECT_EQ(done.status, 1);
  EXPECT_NE(done.err.find("binary file"), std::string::npos) << done.err;
  EXPECT_NE(done.err.find("missing: No such file"), std::string::npos) << done.err;
  EXPECT_NE(done.err.find("is a directory"), std::string::npos) << done.err;
  EXPECT_EQ(boost::json::parse(done.out).at("events"), 1) << done.out;
}

TEST_F(WebTracker, TruncatedGzipKeepsWhatIsThereAndGoesOnWithTheWholeFile) {
  if (!std::filesystem::exists(shared_log())) GTEST_SKIP() << "no " << shared_log() << "; name one in LUNGO_ACCESS_LOG";
  const std::string whole = text_of(shared_log());
  write(log(), whole.substr(0, whole.size() / 2));
  const Finished cut = run_tracker(data(), {"--exit", "--json", "--import", log()});
  EXPECT_EQ(cut.status, 1);
  EXPECT_NE(cut.err.find("the file is not complete"), std::string::npos) << cut.err;
  const std::int64_t before = boost::json::parse(cut.out).at("events").to_number<std::int64_t>();
  EXPECT_GT(before, 3'000);
  EXPECT_LT(before, 9'000);
  write(log(), whole);
  EXPECT_EQ(as_shell_prints(import()), shell_summary({shared_log()}));
}

TEST_F(WebTracker, LinesOfASlowPipeAreCommittedWhileItIsOpen) {
  ASSERT_EQ(::mkfifo(log().c_str(), 0600), 0);
  Program program{tracker_command(data(), {"--exit", "--json", "--import", log()})};
  const int pipe = ::open(log().c_str(), O_WRONLY);
  std::shared_ptr<EventLog> beside;
  for (int lines = 1; lines <= 3; ++lines) {
    // Two thirds of a line come later: what is begun must not hold up what is whole.
    const std::string text = line_at(lines, "/a");
    const std::string given = (lines == 1 ? "" : text.substr(20)) + line_at(lines + 1, "/a").substr(0, 20);
    const std::string whole = lines == 1 ? text + given : given;
    ASSERT_EQ(::write(pipe, whole.data(), whole.size()), static_cast<ssize_t>(whole.size()));
    ASSERT_TRUE(eventually([&] {
      if (!beside) beside = look_into(data());
      return beside && records_in(*beside, "events") == lines;
    })) << lines;
  }
  ::close(pipe);
  EXPECT_EQ(program.wait(), 0) << program.err();
  const boost::json::value summary = boost::json::parse(program.out());
  EXPECT_EQ(summary.at("events"), 3) << program.out();
  EXPECT_EQ(summary.at("lines"), 4) << "the begun line at the end is a line, and a malformed one";
}

TEST_F(WebTracker, StandardInputThatIsAFileResumesAsThatFile) {
  write(log(), std::string{kLine} + line_at(5, "/a"));
  for (const std::int64_t events : {2, 3}) {
    const Finished done =
        run({"/bin/sh", "-c",
             std::string{LUNGO_WEB_TRACKER} + " --exit --json --import - --data '" + data() + "' < '" + log() + "'"});
    ASSERT_EQ(done.status, 0) << done.err;
    EXPECT_EQ(boost::json::parse(done.out).at("events"), events) << done.out;
    write(log(), line_at(6, "/b"), std::ios::app);
  }
}

TEST_F(WebTracker, SignalEndsTheReadingOfASilentPipeInGoodOrder) {
  ASSERT_EQ(::mkfifo(log().c_str(), 0600), 0);
  Program program{tracker_command(data(), {"--exit", "--import", log()})};
  const int pipe = ::open(log().c_str(), O_WRONLY);
  ASSERT_EQ(::write(pipe, kLine.data(), kLine.size()), static_cast<ssize_t>(kLine.size()));
  std::shared_ptr<EventLog> beside;
  ASSERT_TRUE(eventually([&] {
    if (!beside) beside = look_into(data());
    return beside && records_in(*beside, "events") > 0;
  }));
  program.send(SIGTERM);
  EXPECT_EQ(program.wait(), 128 + SIGTERM) << program.err();
  EXPECT_EQ(records_in(*look_into(data()), "events"), 1);
  ::close(pipe);
}

TEST_F(WebTracker, WithoutInputItSaysWhatToGive) {
  const Finished done = run_tracker(data(), {});
  EXPECT_EQ(done.status, 2);
  EXPECT_NE(done.err.find("--import"), std::string::npos);
  const Finished help = run_tracker(data(), {"--help"});
  EXPECT_EQ(help.status, 0);
  EXPECT_NE(help.out.find("can't resume"), std::string::npos) << help.out;
  EXPECT_NE(help.out.find("128 + N"), std::string::npos) << help.out;
  EXPECT_NE(help.out.find("web-tracker replay"), std::string::npos) << help.out;
  EXPECT_EQ(run_tracker(data(), {"--nonsense"}).status, 2);
  for (const char* no_steps : {"", ",", "/a\n/b"}) {
    EXPECT_EQ(run_tracker(data(), {"--exit", "--funnel", no_steps}).status, 2) << no_steps;
  }
}

TEST_F(WebTracker, DirectoryOfANewerFormatIsRefusedByVersion) {
  write(log(), std::string{kLine});
  import();
  std::string meta = text_of(data() + "/lungo.meta");
  ASSERT_TRUE(meta.starts_with("lungo-meta 1\n")) << meta;
  meta[meta.find('1')] = '9';
  write(data() + "/lungo.meta", meta);
  const Finished done = run_tracker(data(), {"--exit", "--import", log()});
  EXPECT_EQ(done.status, 1);
  EXPECT_NE(done.err.find("version 9"), std::string::npos) << done.err;
}

TEST_F(WebTracker, FlippedByteInASegmentIsNamedByFileAndByteAndNeverServed) {
  write(log(), generate_access_log({.lines = 20'000, .seed = 9}));
  import();
  const std::string segment = data() + "/events-1/00000000000000000000.log";
  std::string bytes = text_of(segment);
  const std::size_t flipped = bytes.size() * 3 / 4;
  const FoundBatch batch = batch_that_holds(bytes, flipped);
  ASSERT_GT(batch.position, 0U) << "there must be something before it that is served";
  const std::string place = segment + ", byte " + std::to_string(batch.position) + ": ";
  bytes[flipped] = static_cast<char>(bytes[flipped] ^ 0x10);
  write(segment, bytes);
  const std::shared_ptr<EventLog> beside = look_into(data());
  ASSERT_TRUE(beside);
  const TopicInfo topic = beside->topic("events").value();
  // From the beginning, from inside of the batch and, as it is still damaged, once more.
  for (const std::int64_t from : {std::int64_t{0}, batch.first + 1, std::int64_t{0}}) {
    PartitionReader reader{*beside, topic, {topic.id, PartitionId{1}, Offset{from}, kNoEpoch}};
    Result<const Envelope*> next = reader.next();
    std::int64_t served = 0;
    for (; next && *next != nullptr; next = reader.next()) ++served;
    ASSERT_FALSE(next) << "the damage was not seen in " << served << " records";
    EXPECT_EQ(served, from == 0 ? batch.first : 0) << "all before the damaged batch, and nothing of it";
    EXPECT_EQ(next.error().code(), Errc::corrupt);
    EXPECT_NE(next.error().text().find(place), std::string_view::npos) << next.error() << ", not at " << place;
  }

  // A rebuild can't be finished without those bytes: it says so and ends.
  const Finished rebuild = run({LUNGO_WEB_TRACKER, "replay", "rebuild", "--data", data()});
  EXPECT_EQ(rebuild.status, 1);
  EXPECT_NE(rebuild.err.find(place), std::string::npos) << rebuild.err << "not at " << place;
}

}  // namespace
}  // namespace lungo::test
