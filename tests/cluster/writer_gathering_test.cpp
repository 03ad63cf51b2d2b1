#include "tests/cluster/writer_fixture.hpp"

namespace lungo::test {
namespace {

using std::chrono_literals::operator""ms;

class WriterCoreGathering : public WriterCore {
 protected:
  WriterCoreGathering() : WriterCore({.gather_from = 2, .gather_quiet = 3ms}) {}
  /// Three are answered, and two came meanwhile.
  void let_three_through() {
    append("x");
    produced();
    for (const std::string_view key : {"a", "b", "c"}) append(key);
    let_through();
    EXPECT_EQ(produced(), (Keys{"a", "b", "c"})) << "one alone has nobody to wait for";
    for (const std::string_view key : {"d", "e"}) append(key);
    now += 20ms;
    let_through();
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

}  // namespace
}  // namespace lungo::test
