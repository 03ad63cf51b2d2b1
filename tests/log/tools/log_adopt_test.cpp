// `lungo log adopt` as a user runs it. What Kafka's own directories hold is tested where those lie, in tests/golden.
#include "tests/log/tools/log_program.hpp"

namespace lungo::test {
namespace {

namespace fs = std::filesystem;

class LogAdopt : public LogProgram {
 protected:
  /// What a broker would have left: partitions and checkpoints, and nothing of ours.
  void make_kafkas() const {
    make_orders(5, 2);
    std::vector<fs::path> ours;
    for (const auto& entry : fs::directory_iterator(data)) {
      const std::string name = entry.path().filename();
      if (name.starts_with("lungo.") || name == "tail") ours.push_back(entry.path());
    }
    for (const fs::path& path : ours) fs::remove(path);
  }
};

TEST_F(LogAdopt, TakesOverTopicsWithTheirRecords) {
  make_kafkas();
  EXPECT_EQ(log({"consume", "orders"}).status, 1) << "no data directory of ours yet";
  const Finished adopted = log({"adopt"});
  EXPECT_EQ(adopted.status, 0) << adopted.err;
  EXPECT_EQ(adopted.out, "topic orders adopted with 2 partitions\n");
  const Finished consumed = log({"consume", "orders"});
  EXPECT_EQ(lines_of(consumed.out), 5) << consumed.out << consumed.err;
  EXPECT_EQ(log({"produce", "orders"}, "next\n").status, 0);
  EXPECT_EQ(log({"verify"}).status, 0);
}

TEST_F(LogAdopt, JsonIsThatOfTopics) {
  make_kafkas();
  const Finished adopted = log({"adopt", "--json"});
  EXPECT_TRUE(masked(adopted.out).starts_with(R"({"topic":"orders","id":"ID","partitions":2,"kind":"plain",)")) << adopted.out;
}

TEST_F(LogAdopt, RefusesWhatIsNoneOfKafkasWithAReason) {
  const Finished missing = log({"adopt"});
  EXPECT_EQ(missing.status, 1);
  EXPECT_NE(missing.err.find(data), std::string::npos) << missing.err;
  make_orders(1);
  const Finished ours = log({"adopt"});
  EXPECT_EQ(ours.status, 1);
  EXPECT_NE(ours.err.find("already_exists"), std::string::npos) << ours.err;
}

}  // namespace
}  // namespace lungo::test
