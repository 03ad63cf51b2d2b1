#include "export_session.hpp"

#include <gtest/gtest.h>

#include <map>
#include <sstream>

#include "export_hours.hpp"
#include "stepped_target.hpp"
#include "tests/support/random.hpp"
#include "topic_files.hpp"

namespace lungo::exporting {
namespace {

// ---- one exporter ----

class ExportSessions : public testing::Test {
 protected:
  static constexpr std::string_view kTopic = "clicks";

  static Span span(int first, int end) { return {PartitionId{0}, Offset{first}, Offset{end}}; }
  static std::string final_path(const Span& of) { return "clicks/hourly/2026/11/28/14/" + to_string(kTopic, {of, "json"}); }
  /// Writes a file of a span, and does not commit it.
  static ExportSession::Draft draft(ExportSession& session, const Span& of, std::string_view text) {
    ExportSession::Draft made{session.new_temporary("json"), final_path(of)};
    const std::unique_ptr<TargetFile> file = session.create(made.temporary).value();
    file->write(as_bytes(text)).value();
    file->close().value();
    return made;
  }
  std::string at(const std::string& path) {
    const auto file = target.files().find(path);
    return file == target.files().end() ? "nothing" : file->second;
  }

  MemoryTarget target;
};

TEST_F(ExportSessions, MakeASpanFinal) {
  const auto session = ExportSession::begin(target, "me").value();
  session->commit(kTopic, span(0, 5), {draft(*session, span(0, 5), "five")}).value();
  EXPECT_EQ(at(final_path(span(0, 5))), "five");
  session->commit(kTopic, span(5, 6), {draft(*session, span(5, 6), "one")}).value();
  const TopicFiles found = files_of(target, kTopic).value();
  EXPECT_EQ(found.files.size(), 2u);
  EXPECT_EQ(found.spans.at(PartitionId{0}).end(), Offset{6});
  EXPECT_TRUE(found.foreign.empty());
}

TEST_F(ExportSessions, WhatWasNotCommittedIsNoMore) {
  {
    const auto session = ExportSession::begin(target, "me").value();
    draft(*session, span(0, 5), "five");
  }
  const auto session = ExportSession::begin(target, "me").value();
  EXPECT_EQ(session->begun().completed, 0);
  EXPECT_EQ(session->begun().removed, 1);
  EXPECT_EQ(target.files().size(), 1u) << "the lease";
  EXPECT_TRUE(files_of(target, kTopic).value().files.empty());
}

TEST_F(ExportSessions, AreOneAtATime) {
  const auto session = ExportSession::begin(target, "the first one").value();
  const auto second = ExportSession::begin(target, "the second one");
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error(), Errc::locked);
  EXPECT_NE(second.error().text().find("the first one"), std::string::npos) << second.error();
}

TEST_F(ExportSessions, OneThatWasAwayForTooLongStops) {
  const auto slept = ExportSession::begin(target, "slept").value();
  const ExportSession::Draft its = draft(*slept, span(0, 5), "five");
  target.let_hold_run_out();
  const auto next = ExportSession::begin(target, "next").value();
  EXPECT_FALSE(slept->commit(kTopic, span(0, 5), {its}));
  EXPECT_EQ(at(final_path(span(0, 5))), "nothing");
  next->commit(kTopic, span(0, 7), {draft(*next, span(0, 7), "seven")}).value();
}

TEST_F(ExportSessions, AForeignFileInTheWayIsLeftAndSaid) {
  const auto session = ExportSession::begin(target, "me").value();
  target.make_folder("clicks/hourly/2026/11/28/14").value();
  target.create(final_path(span(0, 5))).value();
  const Result<void> refused = session->commit(kTopic, span(0, 5), {draft(*session, span(0, 5), "five")});
  EXPECT_EQ(refused.error(), Errc::already_exists);
  EXPECT_EQ(at(final_path(span(0, 5))), "");
}

TEST_F(ExportSessions, AnIntentThatLeadsOutIsRefused) {
  for (const std::string_view line :
       {"_temporary/1/a\t../../etc/passwd\n", "../x\tclicks/a\n", "clicks/a\tclicks/b\n", "x", "\n"}) {
    MemoryTarget hostile;
    hostile.make_folder("_temporary/00000000000000000001").value();
    hostile.create("_lease.00000000000000000001").value();
    hostile.create("_temporary/00000000000000000001/a.intent").value()->write(as_bytes(line)).value();
    EXPECT_EQ(ExportSession::begin(hostile, "me").error(), Errc::corrupt) << line;
  }
}

TEST(TopicFiles, WhatIsNotOursIsTold) {
  MemoryTarget target;
  target.make_folder("clicks/hourly/2026/11/28/14/deeper").value();
  target.make_folder("clicks/other/2026").value();
  target.make_folder("clicks/_failed").value();
  const std::string name = to_string("clicks", {{PartitionId{3}, Offset{0}, Offset{9}}, "json"});
  for (const std::string& path :
       std::vector<std::string>{"clicks/hourly/2026/" + name, "clicks/hourly/2026/11/28/14/_SUCCESS", "clicks/note.txt",
                                "clicks/hourly/2026/11/28/14/" + name, "clicks/_failed/" + name}) {
    target.create(path).value();
  }
  const TopicFiles found = files_of(target, "clicks").value();
  EXPECT_EQ(found.foreign,
            (std::vector<std::string>{"clicks/hourly/2026/11/28/14/_SUCCESS", "clicks/hourly/2026/11/28/14/deeper",
                                      "clicks/hourly/2026/" + name, "clicks/note.txt", "clicks/other"}));
  EXPECT_EQ(found.files.size(), 2u);
  EXPECT_EQ(found.spans.at(PartitionId{3}).end(), Offset{9});
}

// ---- many, killed and asleep ----

constexpr int kPartitions = 2;
constexpr int kEvents = 14;  // of each partition
constexpr int kHours = 3;

std::int64_t hour_of(int partition, int offset) { return 500'000 + (offset * 7 + partition) % kHours; }

/// Exports until all is done, or somebody else has the target.
void export_all(ExportTarget& target, MemoryTarget& memory, test::Random& random, const HourFolders& folders) {
  if (random.one_in(2)) memory.let_hold_run_out();
  const Result<std::unique_ptr<ExportSession>> session = ExportSession::begin(target, "one");
  if (!session) return;
  const Result<TopicFiles> found = files_of(target, "t");
  if (!found) return;
  for (int partition = 0; partition < kPartitions; ++partition) {
    int at = 0;
    if (const auto its = found->spans.find(PartitionId{partition}); its != found->spans.end()) {
      at = static_cast<int>(its->second.end().value_or(Offset{0}).value());
    }
    while (at < kEvents) {
      const int end = std::min(kEvents, at + 1 + static_cast<int>(random.below(5)));
      const Span span{PartitionId{partition}, Offset{at}, Offset{end}};
      std::map<std::int64_t, std::string> hours;
      for (int offset = at; offset < end; ++offset) hours[hour_of(partition, offset)] += std::to_string(offset) + "\n";
      std::vector<ExportSession::Draft> drafts;
      for (const auto& [hour, text] : hours) {
        drafts.push_back(
            {(*session)->new_temporary("json"), "t/" + folders.folder_of(hour) + "/" + to_string("t", {span, "json"})});
        const Result<std::unique_ptr<TargetFile>> file = (*session)->create(drafts.back().temporary);
        if (!file || !(*file)->write(as_bytes(text)) || !(*file)->close()) return;
      }
      if (!(*session)->commit("t", span, drafts)) return;
      at = end;
    }
  }
}

/// Each event once, in its hour.
void expect_all(MemoryTarget& memory, const HourFolders& folders) {
  std::map<std::pair<int, int>, int> times;
  const TopicFiles found = files_of(memory, "t").value();
  EXPECT_TRUE(found.foreign.empty());
  for (const TopicFile& file : found.files) {
    std::istringstream lines(memory.read(file.path, 1'000).value());
    const int partition = file.name.span.partition.value();
    for (int offset = 0; lines >> offset;) {
      ++times[{partition, offset}];
      EXPECT_TRUE(file.path.starts_with("t/" + folders.folder_of(hour_of(partition, offset)) + "/")) << file.path;
      EXPECT_TRUE(file.name.span.first <= Offset{offset} && Offset{offset} < file.name.span.end) << file.path;
    }
  }
  for (int partition = 0; partition < kPartitions; ++partition) {
    for (int offset = 0; offset < kEvents; ++offset) EXPECT_EQ((times[{partition, offset}]), 1) << partition << " " << offset;
    EXPECT_TRUE(found.spans.at(PartitionId{partition}).gaps().empty());
    EXPECT_TRUE(found.spans.at(PartitionId{partition}).overlaps().empty());
  }
}

TEST(ExportSessionModel, WhereverExportersStopEachEventIsThereOnce) {
  const HourFolders folders = HourFolders::of("UTC", Grain::hourly).value();
  const std::uint64_t first = test::test_seed(1);
  int kills = 0;
  for (std::uint64_t seed = first; seed < first + 1'000; ++seed) {
    SCOPED_TRACE(seed);
    test::Random random{seed};
    MemoryTarget memory;
    for (int round = 0; round < 6; ++round) {
      Turns turns{random};
      SteppedTarget killed{memory, turns, random, 25};
      SteppedTarget asleep{memory, turns, random, 0};
      const auto exporter = [&](ExportTarget& target) {
        return [&] {
          try {
            export_all(target, memory, random, folders);
          } catch (const Killed&) {
            ++kills;
            throw;
          }
        };
      };
      turns.run({exporter(killed), exporter(asleep), exporter(killed)});
    }
    memory.let_hold_run_out();
    ASSERT_TRUE(ExportSession::begin(memory, "last")) << ExportSession::begin(memory, "last").error();
    export_all(memory, memory, random, folders);
    expect_all(memory, folders);
    EXPECT_EQ(memory.list("_temporary").value().size(), 1u) << "what others have left is gone";
    if (testing::Test::HasFailure()) break;
  }
  EXPECT_GT(kills, 1'000);
}

}  // namespace
}  // namespace lungo::exporting
