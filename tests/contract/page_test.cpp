// Goal: docs/reference/homes.md says what the suite sees, and nothing else.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <set>
#include <sstream>

#include "tests/contract/home.hpp"

namespace lungo::contract {
namespace {

TEST(HomesPage, IsUpToDate) {
  std::ifstream file{LUNGO_HOMES_PAGE};
  std::stringstream text;
  text << file.rdbuf();
  EXPECT_EQ(text.str(), page()) << "print it again: lungo_contract_tests --page > docs/reference/homes.md";
}

TEST(Homes, RefuseOnlyWhatIsACase) {
  std::set<std::string> known;
  const testing::UnitTest& tests = *testing::UnitTest::GetInstance();
  for (int i = 0; i < tests.total_test_suite_count(); ++i) {
    const testing::TestSuite& suite = *tests.GetTestSuite(i);
    const std::string name = suite.name();
    for (int j = 0; j < suite.total_test_count(); ++j) {
      const std::string test = suite.GetTestInfo(j)->name();
      known.insert(name + "." + test.substr(0, test.find('/')));  // over whichever home
    }
  }
  for (const HomeKind& home : homes()) {
    for (const auto& [name, refusal] : home.refusals) {
      EXPECT_TRUE(known.contains("Homes/" + name)) << home.name << " refuses " << name;
    }
  }
}

TEST(Homes, RefuseWhatTheFirstOfTheirColumnRefuses) {
  for (const HomeKind& one : homes()) {
    const HomeKind& first = *std::ranges::find(homes(), one.column, &HomeKind::column);
    for (const auto& [name, refusal] : first.refusals) {
      EXPECT_TRUE(one.refusals.contains(name)) << one.name << " promises " << name << ", and the page says no";
    }
  }
}

}  // namespace
}  // namespace lungo::contract
