#include "tests/cluster/writer_fixture.hpp"

namespace lungo::test {
namespace {

using std::chrono_literals::operator""ms;

class WriterCoreGathering : public WriterCore {
 protected:
  WriterCoreGathering() : WriterCore({.gather_from = 2, .gather_quiet = 3ms}) {}
  /// Three are answered, by `answer`, and two came meanwhile.
  void let_three_through(const std::function<void()>& answer = [] {}) {
    append("x");
    produced();
    for (const std::string_view key : {"a", "b", "c"}) append(key);
    let_through();
    EXPECT_EQ(produced(), (Keys{"a", "b", "c"})) << "one alone has nobody to wait for";
    for (const std::string_view key : {"d", "e"}) append(key);
    now += 20ms;
    commit();
    answer();
    read_back();
  }
};

// Or callers who append again when they are answered make two halves, each of which costs as much as the whole.
TEST_F(WriterCoreGathering, WaitsForAllThatWaitAndWereAnswered) {
  let_three_through();
  for (const std::string_view key : {"f", "g"}) append(key);
  EXPECT_TRUE(effects.empty());
  append("h");
  EXPECT_EQ(produced(), (Keys{"d", "e", "f", "g", "h"}));
}

TEST_F(WriterCoreGathering, WaitsNoLongerThanAppendsCome) {
  let_three_through();
  pass(2ms);
  append("f");
  pass(2ms);
  EXPECT_TRUE(effects.empty());
  EXPECT_EQ(core.wake_at(), now + 1ms);
  pass(1ms);
  EXPECT_EQ(produced(), (Keys{"d", "e", "f"}));
}

// While thousands of completions run nothing is taken in, and what has waited before them is not all that there is.
TEST_F(WriterCoreGathering, CountsFromWhenAllWereAnswered) {
  let_three_through([this] { now += 30ms; });
  append("f");
  EXPECT_TRUE(effects.empty());
  for (const std::string_view key : {"g", "h"}) append(key);
  EXPECT_EQ(produced(), (Keys{"d", "e", "f", "g", "h"}));
}

}  // namespace
}  // namespace lungo::test
