// Golden directories as files: every one is read back to the letter without its structs, looking changes nothing, a crash's
// leftovers are recovered, and versions that are not out yet are refused.
#include "tests/golden/golden_directory.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include <lungo/framework/partition_reader.hpp>

namespace golden_tests {

using namespace lungo;
using golden::GoldenDirectory;
using Lines = std::vector<std::string>;

namespace files {
struct OrderPlaced {
  std::string customer;
};
}  // namespace files

constexpr std::string_view kNewer = "newer_format";  // the one directory that must not open

class EveryGoldenDirectory : public testing::TestWithParam<std::string> {};

TEST_P(EveryGoldenDirectory, IsDecodedThroughItsShapesAlone) {
  const GoldenDirectory golden{GetParam()};
  EventStore store = golden.open();
  const Result<Lines> lines = golden::describe_records(store);
  ASSERT_TRUE(lines) << lines.error().text();
  EXPECT_EQ(*lines, golden.lines());
  EXPECT_FALSE(lines->empty());
}

TEST_P(EveryGoldenDirectory, IsNotChangedByAReader) {
  const GoldenDirectory golden{GetParam()};
  {
    EventStore store = golden.open(true);
    const Result<Lines> lines = golden::describe_records(store);
    ASSERT_TRUE(lines) << lines.error().text();
    EXPECT_EQ(*lines, golden.lines());
  }
  EXPECT_EQ(golden.files(), golden.committed_files());
}

// Records and shapes stay the bytes that they were; what a start writes lies beside them.
TEST_P(EveryGoldenDirectory, KeepsItsSegmentsWhenAWriterOpensIt) {
  const GoldenDirectory golden{GetParam()};
  { const EventStore store = golden.open(); }
  const std::map<std::string, std::string> before = golden.committed_files();
  const std::map<std::string, std::string> after = golden.files();
  for (const auto& [path, bytes] : before) {
    if (!path.ends_with(".log")) continue;
    ASSERT_TRUE(after.contains(path)) << path;
    const std::string& kept = after.at(path);
    EXPECT_EQ(kept, bytes.substr(0, kept.size())) << path;
    if (before.contains("lungo.clean-stop")) {
      EXPECT_EQ(kept.size(), bytes.size()) << path;
    }
  }
}

Lines openable_names() {
  Lines names = golden::golden_names();
  std::erase(names, kNewer);
  return names;
}

std::string name_of(const testing::TestParamInfo<std::string>& golden) { return golden.param; }

INSTANTIATE_TEST_SUITE_P(Golden, EveryGoldenDirectory, testing::ValuesIn(openable_names()), name_of);

TEST(GoldenFiles, AllDirectoriesAreThere) { EXPECT_GE(golden::golden_names().size(), 15u); }

// ---- crash ----

TEST(GoldenFiles, TheTornTailOfACrashIsCutAndTheNextAppendFollows) {
  const GoldenDirectory golden{"after_a_crash"};
  {
    EventStore store = golden.open();
    EXPECT_EQ(golden::describe_records(store).value().size(), 3u);
    const Commit commit = store.append(golden::kTopic, StreamId{"Order", "1"}, files::OrderPlaced{"after the crash"}).value();
    EXPECT_EQ(commit.first, Offset{3});
  }
  EXPECT_EQ(
      golden::load<files::OrderPlaced>(golden.open()).value(),
      (Lines{R"({"customer":"ann"})", R"({"customer":"bob"})", R"({"customer":"eve"})", R"({"customer":"after the crash"})"}));
}

// ---- versions ----

void write_text(const std::string& path, std::string_view text) {
  std::ofstream file(path, std::ios::binary);
  file << text;
}

void expect_refused(const GoldenDirectory& golden, std::string_view file, std::string_view version) {
  for (const bool read_only : {false, true}) {
    const Result<std::shared_ptr<EventLog>> log = golden.try_open(read_only);
    ASSERT_FALSE(log) << file << " of version " << version << " was accepted, read_only=" << read_only;
    EXPECT_EQ(log.error(), Errc::newer_format) << log.error().text();
    for (const std::string_view part : {file, version}) {
      EXPECT_NE(log.error().text().find(part), std::string_view::npos) << part << " is not in: " << log.error().text();
    }
  }
}

TEST(GoldenFiles, ADirectoryOfANewerFormatIsRefusedByFileAndVersionAndLeftAlone) {
  const GoldenDirectory golden{kNewer};
  expect_refused(golden, "lungo.meta", "2");
  std::map<std::string, std::string> files = golden.files();
  files.erase(".lock");  // a writer asks for the lock first
  EXPECT_EQ(files, golden.committed_files());
}

TEST(GoldenFiles, EachTextFileOfANewerFormatIsRefused) {
  for (const auto& [path, bytes] : GoldenDirectory{"field_added"}.committed_files()) {
    if (!bytes.starts_with("lungo-")) continue;
    const std::size_t line_end = bytes.find('\n');
    const std::string kind = bytes.substr(0, bytes.rfind(' ', line_end));
    const GoldenDirectory golden{"field_added"};
    write_text(golden.path() + "/" + path, kind + " 7" + bytes.substr(line_end));
    expect_refused(golden, path, "7");
  }
}

// ---- envelopes ----

TEST(GoldenFiles, EveryPartOfAnEnvelopeIsReadBack) {
  const GoldenDirectory golden{"envelopes"};
  EventStore store = golden.open(true);
  const TopicInfo topic = store.topic(golden::kTopic).value();
  PartitionReader reader{store.log(), topic, Position{topic.id, PartitionId{0}, Offset{0}, kNoEpoch}};
  const Envelope full = **reader.next();
  EXPECT_EQ(full.stream, "Order-1");
  EXPECT_EQ(full.type, "OrderPlaced");
  EXPECT_EQ(full.time, Timestamp{std::chrono::sys_days{std::chrono::year{1999} / 12 / 31}});
  EXPECT_GT(full.recorded, Timestamp{std::chrono::sys_days{std::chrono::year{2026} / 1 / 1}});
  EXPECT_LT(full.recorded, Timestamp{std::chrono::sys_days{std::chrono::year{2026} / 1 / 2}});
  EXPECT_EQ(full.id, "id-1");
  EXPECT_EQ(full.correlation, "correlation-1");
  EXPECT_EQ(full.causation, "causation-1");
  EXPECT_EQ(full.lane, "import-1");
  Lines own;
  HeaderCursor headers = full.headers();
  while (const HeaderView* header = headers.next()) {
    if (!header->name.starts_with("l.")) own.push_back(std::string(header->name) + "=" + std::string(as_text(header->value)));
  }
  EXPECT_EQ(own, (Lines{"trace=abc", "empty="}));

  const Envelope bare = **reader.next();
  EXPECT_EQ(bare.time, bare.recorded);
  EXPECT_TRUE(bare.id.empty() && bare.correlation.empty() && bare.causation.empty() && bare.lane.empty());

  const StreamId scoped{in("shop/7"), "Order", "a-b c"};
  for (int i = 0; i < 3; ++i) EXPECT_EQ((**reader.next()).stream, scoped.text());
  EXPECT_EQ(reader.next().value(), nullptr);
}

}  // namespace golden_tests
