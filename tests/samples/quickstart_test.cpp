// The README's program as a reader runs it: twice, in an empty directory.
#include <gtest/gtest.h>

#include "tests/samples/program.hpp"

namespace lungo::test {
namespace {

TEST(Quickstart, GoesOnCountingAfterARestart) {
  const TempDirectory directory;
  const std::vector<std::string> command{"/bin/sh", "-c",
                                         "cd '" + std::string{directory.path()} + "' && exec '" LUNGO_QUICKSTART "'"};
  for (const char* said :
       {"espresso was viewed 1 times, ada viewed 1 pages\n", "espresso was viewed 2 times, ada viewed 2 pages\n"}) {
    const Finished done = run(command);
    ASSERT_EQ(done.status, 0) << done.err;
    // Beside what the log tells, which has no place of its own here.
    EXPECT_NE(done.out.find(said), std::string::npos) << done.out;
  }
}

}  // namespace
}  // namespace lungo::test
