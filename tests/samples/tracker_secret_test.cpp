// A secret that is not the one it was: everything would count twice.
#include <gtest/gtest.h>

#include <string>

#include "tests/samples/tracker_fixture.hpp"

namespace lungo::test {
namespace {

using TrackerSecret = TrackerTest;

TEST_F(TrackerSecret, ChangedSecretIsRefused) {
  write(log(), std::string{kLine});
  const boost::json::object first = import();
  const std::string secret = data() + "/tracker-secret";
  const std::string right = text_of(secret);
  std::string wrong = right;
  wrong[7] = static_cast<char>(wrong[7] ^ 4);
  write(secret, wrong);
  for (const char* input : {"--import", "--follow"}) {
    const Finished refused = run_tracker(data(), {"--exit", input, log()});
    EXPECT_EQ(refused.status, 1);
    for (const char* word : {"tracker-secret is not the one", "count twice", "from a backup", "--data DIR"}) {
      EXPECT_NE(refused.err.find(word), std::string::npos) << word << " is not in " << refused.err;
    }
  }
  const Finished looked = run_tracker(data(), {"--exit", "--json"});
  EXPECT_EQ(looked.status, 0) << looked.err;
  EXPECT_EQ(boost::json::parse(looked.out).at("events"), 1) << looked.out;

  write(secret, right);
  boost::json::object second = import();
  second["imports"] = first.at("imports");
  EXPECT_EQ(second, first);
}

}  // namespace
}  // namespace lungo::test
