// What a user sees while an import runs: on a terminal and elsewhere.
#include "progress_bar.hpp"

#include <gtest/gtest.h>
#include <pty.h>
#include <termios.h>
#include <unistd.h>

#include <string>

#include "tests/samples/tracker_fixture.hpp"
#include "tests/support/access_log_generator.hpp"

namespace lungo::test {
namespace {

using namespace std::chrono_literals;
constexpr Instant kBegin{1h};

// What `action` writes to stderr.
template <class Action>
std::string written_by(Action&& action) {
  const TempDirectory directory;
  const std::string path = directory / "err";
  std::fflush(stderr);
  const int before = ::dup(STDERR_FILENO);
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT, 0600);
  ::dup2(file, STDERR_FILENO);
  ::close(file);
  action();
  std::fflush(stderr);
  ::dup2(before, STDERR_FILENO);
  ::close(before);
  return text_of(path);
}

TEST(ProgressBar, OnATerminalItIsRedrawnInPlaceAndTakenAway) {
  EXPECT_EQ(written_by([] {
              tracker::ProgressBar bar{"a.log", true, kBegin};
              bar.show(1, 100, 1, kBegin + 100ms);  // too soon
              bar.show(50, 100, 2'000'000, kBegin + 10s);
              bar.show(51, 100, 2'010'000, kBegin + 10s + 100ms);  // too soon again
              bar.show(100, 100, 4'000'000, kBegin + 20s);
              bar.clear();
              bar.clear();
            }),
            "\r\x1b[Ka.log: [###############...............] 50 %, 2,000,000 lines, 200,000 lines/s, 10 s left"
            "\r\x1b[Ka.log: [##############################] 100 %, 4,000,000 lines, 200,000 lines/s, 0 s left\r\x1b[K");
}

TEST(ProgressBar, ElsewhereItIsALineNowAndThen) {
  EXPECT_EQ(written_by([] {
              tracker::ProgressBar bar{"a.log", false, kBegin};
              bar.show(1, 100, 1, kBegin + 4s);
              bar.show(25, 100, 500'000, kBegin + 5s);
              bar.show(26, 100, 510'000, kBegin + 6s);
              bar.show(1, 100, 3'000, kBegin + 100s);
              bar.clear();
            }),
            "a.log: 25 %, 500,000 lines, 100,000 lines/s, 15 s left\na.log: 1 %, 3,000 lines, 30 lines/s, 2 h 45 min left\n");
}

TEST(ProgressBar, CountsWhatItIsTold) {
  EXPECT_EQ(written_by([] {
              tracker::ProgressBar bar{"read models", false, kBegin, "events"};
              bar.show(250, 1'000, 250, kBegin + 10s);
            }),
            "read models: 25 %, 250 events, 25 events/s, 30 s left\n");
}

TEST(ProgressBar, OfAPipeNobodyKnowsHowMuchIsLeft) {
  EXPECT_EQ(written_by([] {
              tracker::ProgressBar bar{"standard input", true, kBegin};
              bar.show(5'000, 0, 100, kBegin + 1s);
            }),
            "\r\x1b[Kstandard input: 100 lines, 100 lines/s");
}

// Runs the program with stderr on a terminal of its own, stdout elsewhere; what the terminal was sent.
std::string on_a_terminal(std::vector<std::string> command) {
  std::vector<char*> arguments;
  for (std::string& word : command) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  int master = -1;
  termios raw{};
  ::cfmakeraw(&raw);
  const pid_t process = ::forkpty(&master, nullptr, &raw, nullptr);
  if (process == 0) {
    const int null = ::open("/dev/null", O_WRONLY);
    ::dup2(null, STDOUT_FILENO);
    ::execv(arguments[0], arguments.data());
    ::_exit(127);
  }
  EXPECT_GT(process, 0);
  std::string sent;
  char block[4096];
  // Behind the last byte a terminal whose other end is closed says EIO.
  for (ssize_t got = 0; (got = ::read(master, block, sizeof block)) > 0;) sent.append(block, static_cast<std::size_t>(got));
  ::close(master);
  int status = 0;
  EXPECT_EQ(::waitpid(process, &status, 0), process);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << sent;
  return sent;
}

class ProgressOfAnImport : public TrackerTest {};

TEST_F(ProgressOfAnImport, IsABarOnATerminalAndNothingStaysOfIt) {
  write(log(), generate_access_log({.lines = 200'000, .seed = 3}));
  const std::string sent = on_a_terminal(tracker_command(data(), {"--exit", "--import", log()}));
  const std::string bar = "\r\x1b[K" + log() + ": [";
  ASSERT_NE(sent.find(bar), std::string::npos) << sent;
  const std::string drawn = sent.substr(sent.find(bar), sent.find('\r', sent.find(bar) + 1) - sent.find(bar));
  for (const char* part : {".] ", " %, ", " lines, ", " lines/s, ", " left"}) {
    EXPECT_NE(drawn.find(part), std::string::npos) << part << " is not in " << drawn;
  }
  EXPECT_TRUE(sent.ends_with("\r\x1b[K")) << sent;
  EXPECT_EQ(sent.find('\n'), std::string::npos) << sent;
}

TEST_F(ProgressOfAnImport, LeavesNoControlCharactersInAFile) {
  write(log(), generate_access_log({.lines = 100'000, .seed = 3}));
  const Finished done = run_tracker(data(), {"--exit", "--import", log()});
  ASSERT_EQ(done.status, 0) << done.err;
  EXPECT_EQ(done.err.find_first_of("\r\x1b"), std::string::npos) << done.err;
}

}  // namespace
}  // namespace lungo::test
