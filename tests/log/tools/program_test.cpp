// Goal: a test that is killed leaves no program running.
#include "tests/samples/program.hpp"

#include <gtest/gtest.h>
#include <poll.h>

namespace lungo::test {
namespace {

// The program holds an end of a pipe as long as it lives.
TEST(Program, GoesWithATestThatIsKilled) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const pid_t killed = ::fork();
  if (killed == 0) {
    const Program program{{"/usr/bin/sleep", "1000"}};
    static_cast<void>(::write(ends[1], "x", 1));
    ::pause();
  }
  ::close(ends[1]);
  char begun = 0;
  ASSERT_EQ(::read(ends[0], &begun, 1), 1);
  ::kill(killed, SIGKILL);
  ::waitpid(killed, nullptr, 0);
  pollfd end{.fd = ends[0], .events = POLLIN, .revents = 0};
  ASSERT_EQ(::poll(&end, 1, 20'000), 1) << "it still holds its end";
  EXPECT_EQ(::read(ends[0], &begun, 1), 0);
  ::close(ends[0]);
}

}  // namespace
}  // namespace lungo::test
