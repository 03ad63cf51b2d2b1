// Goal: what was promised and is lost is known by its range: reads go up to it and behind it, nothing that would have to pass
// it is answered as if it had never been there, and a restart does not forget it.
#include <gtest/gtest.h>

#include "batch_scanner.hpp"
#include "damage.hpp"
#include "tests/log/crashed_log.hpp"
#include "tests/support/quiet_log.hpp"

namespace lungo {
namespace {

using namespace test;

const std::string kDamageFile = DamageList::kFileName;

bool has_file(CrashedLog& log, const std::string& name) { return *log.simulation->disk.exists(log.path(name)); }

// ---- what opening finds ----

// Header or body, inside of the CRC or outside: one batch is lost, and that one is known by its range.
TEST(Damage, AFlippedByteCostsItsBatchAndNoOther) {
  const SilentLog silent;
  for (const bool marked : {true, false}) {
    CrashedLog crashed{marked ? 10 : 0};
    if (!marked) crashed.remove_mark();
    const auto start = crashed.simulation->disk.after_kill();
    for (std::uint64_t at = crashed.borders[3]; at < crashed.borders[4]; ++at) {
      for (const std::byte mask : {std::byte{0x01}, std::byte{0x04}, std::byte{0x80}}) {
        SCOPED_TRACE("byte " + std::to_string(at - crashed.borders[3]) + " of the batch, marked: " + std::to_string(marked));
        CrashedLog flipped{crashed, start->after_kill()};
        flipped.flip(kFirstLog, at, mask);
        const auto log = flipped.opened();
        ASSERT_NE(log, nullptr);
        ASSERT_EQ(log->damage(), std::vector{crashed.batches(3, 4)});
        ASSERT_FALSE(log->refused_since_opening());
        if (mask != std::byte{0x04}) continue;
        ASSERT_NO_FATAL_FAILURE(expect_all_but_holes(*log, 30));
      }
    }
  }
}

struct Kind {
  const char* name;
  std::function<void(CrashedLog&)> damage;
  std::vector<std::pair<std::size_t, std::size_t>> batches;  // that are lost
};

const std::vector<Kind>& kinds() {
  static const std::vector<Kind> all = {
      {"at the start", [](CrashedLog& log) { log.flip(kFirstLog, log.borders[0] + 70); }, {{0, 1}}},
      {"length at the start", [](CrashedLog& log) { log.write(kFirstLog, 8, Bytes(4, std::byte{0x7f})); }, {{0, 1}}},
      {"two",
       [](CrashedLog& log) { log.flip(kFirstLog, log.borders[2] + 70), log.flip(kFirstLog, log.borders[6] + 70); },
       {{2, 3}, {6, 7}}},
      {"neighbours",
       [](CrashedLog& log) { log.flip(kFirstLog, log.borders[4] + 70), log.flip(kFirstLog, log.borders[5] + 70); },
       {{4, 6}}},
      {"a page of zeros",
       [](CrashedLog& log) { log.write(kFirstLog, log.borders[3] + 20, Bytes(log.borders[5] - log.borders[3])); },
       {{3, 6}}},
      {"a length, and another batch",
       [](CrashedLog& log) {
         log.write(kFirstLog, log.borders[2] + 8, Bytes(4, std::byte{0x7f}));
         log.flip(kFirstLog, log.borders[5] + 70);
       },
       {{2, 6}}},  // what lies between is not believed: it does not lead to the end
  };
  return all;
}

TEST(Damage, OfEachKindIsARangeThatARestartKeeps) {
  const SilentLog silent;
  for (const Kind& kind : kinds()) {
    SCOPED_TRACE(kind.name);
    CrashedLog crashed{10};
    kind.damage(crashed);
    std::vector<DamagedRange> expected;
    for (const auto& [begin, end] : kind.batches) expected.push_back(crashed.batches(begin, end));
    const Bytes before = crashed.files().at(kFirstLog);
    CleanEnd clean{};
    {
      const auto log = crashed.opened();
      ASSERT_NE(log, nullptr);
      ASSERT_EQ(log->damage(), expected);
      ASSERT_NO_FATAL_FAILURE(expect_all_but_holes(*log, 30));
      ASSERT_TRUE(append(*log, numbered(30, 33))) << "the tail is sound";
      clean = log->close().value();
    }
    for (const bool is_clean : {true, false}) {
      for (const bool read_only : {true, false}) {
        SCOPED_TRACE(std::string(is_clean ? "clean" : "crash") + (read_only ? ", reader" : ""));
        crashed.options.read_only = read_only;
        const auto log = crashed.opened(is_clean ? std::optional{clean} : std::nullopt);
        crashed.options.read_only = false;
        ASSERT_NE(log, nullptr);
        if (is_clean) {
          ASSERT_EQ(log->recovery().bytes_scanned, 0u);
        }
        ASSERT_EQ(log->damage(), expected);
        ASSERT_NO_FATAL_FAILURE(expect_all_but_holes(*log, 33));
      }
    }
    const Bytes after = crashed.files().at(kFirstLog);
    ASSERT_TRUE(std::equal(before.begin(), before.end(), after.begin())) << "the bytes are kept";
  }
}

TEST(Damage, OfAWholeSegmentIsARange) {
  const SilentLog silent;
  for (const bool missing : {false, true}) {
    CrashedLog crashed{10, 300};
    const auto files = crashed.files();
    ASSERT_GT(files.size(), 3u);
    const std::string name = std::next(files.begin())->first;
    const Offset from{std::stoll(name.substr(0, 20))};
    const Offset end{std::stoll(std::next(files.begin(), 2)->first.substr(0, 20))};
    if (missing) crashed.truncate(name, 0);
    if (!missing) crashed.write(name, 0, Bytes(files.at(name).size(), std::byte{0xa5}));
    for (int opening = 0; opening < 3; ++opening) {
      const auto log = crashed.opened({}, opening == 2 ? Offset{30} : Offset{0});
      ASSERT_NE(log, nullptr);
      ASSERT_EQ(log->damage(), (std::vector{DamagedRange{from, end, name, 0, missing ? 0 : files.at(name).size()}}));
      ASSERT_NO_FATAL_FAILURE(expect_all_but_holes(*log, 30));
    }
  }
}

TEST(Damage, ThatIsWholeAgainIsForgotten) {
  const SilentLog silent;
  CrashedLog crashed{10};
  crashed.flip(kFirstLog, crashed.borders[3] + 70);
  ASSERT_EQ(crashed.opened()->damage().size(), 1u);
  ASSERT_TRUE(has_file(crashed, kDamageFile));
  crashed.flip(kFirstLog, crashed.borders[3] + 70);
  const auto log = crashed.opened();
  EXPECT_TRUE(log->damage().empty());
  EXPECT_FALSE(has_file(crashed, kDamageFile));
  EXPECT_EQ(contents(*log), numbered(0, 30));
}

// Whole batches no longer lead to the end of the file: what is known of the hole does.
TEST(Damage, ATornTailBehindItIsCutAndNothingBetweenThemIsLost) {
  const SilentLog silent;
  CrashedLog crashed{10};
  crashed.write(kFirstLog, crashed.borders[3] + 20, Bytes(crashed.borders[5] - crashed.borders[3]));
  ASSERT_EQ(crashed.opened()->damage(), std::vector{crashed.batches(3, 6)});
  const Bytes whole = crashed.files().at(kFirstLog);
  crashed.write(kFirstLog, crashed.borders[10], BytesView{whole}.first(70));
  const auto log = crashed.opened();
  ASSERT_NE(log, nullptr);
  ASSERT_EQ(log->damage(), std::vector{crashed.batches(3, 6)});
  ASSERT_EQ(log->recovery().bytes_cut, 70u);
  ASSERT_NO_FATAL_FAILURE(expect_all_but_holes(*log, 30));
  ASSERT_TRUE(append(*log, numbered(30, 33)));
}

TEST(Damage, AtTheFrontOfASegmentLeavesItsAgeKnown) {
  const SilentLog silent;
  CrashedLog crashed{10};
  crashed.write(kFirstLog, 8, Bytes(4, std::byte{0x7f}));
  const auto log = crashed.opened();
  ASSERT_EQ(log->damage(), std::vector{crashed.batches(0, 1)});
  const Result<std::optional<Timestamp>> since = log->active_since();
  ASSERT_TRUE(since) << since.error();
  EXPECT_TRUE(*since);
}

// Deleted batches may be of epochs that the history no longer has.
TEST(Damage, ReadingBackMistakesNothingForItBelowTheStart) {
  const SilentLog silent;
  PartitionFixture fixture;
  fixture.options.index_interval_bytes = 120;
  std::uint64_t damaged = 0;
  CleanEnd clean;
  {
    const auto log = fixture.opened();
    for (int i = 0; i < 40; ++i) {
      if (i == 36) damaged = fixture.file_size(kFirstLog);
      ASSERT_TRUE(append(*log, numbered(i, i + 1), LeaderEpoch{i < 30 ? 1 : 2}));
    }
    clean = log->close().value();
  }
  const auto log = fixture.opened(clean, clean.end);
  ASSERT_TRUE(log->set_start(Offset{35}));
  fixture.flip(kFirstLog, damaged + 70);
  const Result<Fetched> above = log->read_back(Offset{40}, Offset{40}, 1 << 20, {}, {});
  ASSERT_TRUE(above) << above.error();
  EXPECT_EQ(above->first(), Offset{37});
  ASSERT_EQ(log->damage().size(), 1u);
  EXPECT_EQ(log->damage()[0].from, Offset{36});
  const Result<Fetched> below = log->read_back(Offset{36}, Offset{40}, 1 << 20, {}, {});
  ASSERT_TRUE(below) << below.error();
  EXPECT_EQ(below->first(), Offset{35});
}

// Records that are missing in front of a batch, and that batch: both begin at its first byte.
TEST(Damage, OfTwoThatBeginAtOneByteBothAreSteppedOver) {
  PartitionFixture fixture;
  const auto log = fixture.opened();
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(append(*log, numbered(i, i + 1)));
  const std::uint64_t size = batch_size(fixture, kFirstLog);
  const auto file = fixture.simulation->disk.open(fixture.path(kFirstLog), OpenMode::read).value();
  BatchScanner scan{*file, "file", BatchScanner::Depth::checked, size, 3 * size, Offset{0}};
  scan.pass_over(std::make_shared<const DamageList>(
      std::vector<DamagedRange>{{Offset{0}, Offset{1}, kFirstLog, size, 0}, {Offset{1}, Offset{2}, kFirstLog, size, size}}));
  const Result<std::optional<ScannedBatch>> batch = scan.next();
  ASSERT_TRUE(batch) << batch.error();
  ASSERT_TRUE(*batch);
  EXPECT_EQ((*batch)->header.base_offset, Offset{2});
}

// What is stored in a record may look like the log itself, and must not be taken for it where a length is lost.
TEST(Damage, ABatchInsideOfARecordIsNoBatchOfTheLog) {
  const SilentLog silent;
  EncodedRecords inner = encode({{.key = "inner", .value = "served by mistake"}});
  const BytesView stored = inner.stamp(Offset{4}, LeaderEpoch{0});
  PartitionFixture fixture;
  const auto log = fixture.opened();
  ASSERT_TRUE(append(*log, {{.key = "k", .value = "0"}, {.key = "k", .value = "1"}}));
  ASSERT_TRUE(append(
      *log, {{.key = "k", .value = std::string(as_text(stored))}, {.key = "k", .value = "3"}, {.key = "k", .value = "4"}}));
  const std::uint64_t second = *[&] { return std::optional{batch_size(fixture, kFirstLog)}; }();
  for (const bool is_last : {true, false}) {
    if (!is_last) {
      ASSERT_TRUE(append(*log, {{.key = "k", .value = "5"}}));
    }
    ASSERT_TRUE(log->sync());
    PartitionFixture crashed;
    crashed.simulation = std::make_unique<Simulation>(1, fixture.simulation->disk.after_kill());
    crashed.write(kFirstLog, second + 8, Bytes(4, std::byte{0x7f}));
    const auto found = crashed.opened();
    ASSERT_NE(found, nullptr);
    ASSERT_EQ(found->damage().size(), 1u);
    EXPECT_EQ(found->damage().front().from, Offset{2});
    EXPECT_EQ(found->damage().front().end, Offset{5});
    EXPECT_EQ(found->refused_since_opening().has_value(), is_last);
  }
}

// ---- up to the end ----

TEST(Damage, UpToTheEndRefusesWritesUntilTheEndIsKnown) {
  const SilentLog silent;
  CrashedLog crashed{10};
  crashed.flip(kFirstLog, crashed.borders[9] + 70);
  const auto before = crashed.files();
  for (int opening = 0; opening < 2; ++opening) {
    const auto log = crashed.opened();
    ASSERT_NE(log, nullptr);
    EXPECT_EQ(log->damage(), std::vector{crashed.batches(9, 10)});
    ASSERT_NO_FATAL_FAILURE(expect_all_but_holes(*log, 30));
    expect_writes_are_refused(*log);
    EXPECT_EQ(crashed.files(), before);
  }
  // Whoever says that nothing is wanted of it knows where the log goes on.
  crashed.options.start = Offset{30};
  const auto log = crashed.opened();
  ASSERT_NE(log, nullptr);
  EXPECT_TRUE(log->damage().empty());
  ASSERT_TRUE(append(*log, numbered(30, 33)));
  ASSERT_TRUE(log->sync());
  EXPECT_EQ(contents(*crashed.opened()), numbered(30, 33));
}

TEST(Damage, UpToAnEndThatTheCleanStopKnowsDoesNotStopAppends) {
  const SilentLog silent;
  for (const bool is_cut_off : {false, true}) {
    CrashedLog crashed{10};
    CleanEnd clean = crashed.opened()->close().value();
    if (is_cut_off) crashed.truncate(kFirstLog, crashed.borders[9]);
    if (!is_cut_off) crashed.flip(kFirstLog, crashed.borders[9] + 18);
    DamagedRange lost = crashed.batches(9, 10);
    if (is_cut_off) lost.bytes = 0;
    for (const bool is_clean : {true, false, false}) {
      const auto log = crashed.opened(is_clean ? std::optional{clean} : std::nullopt);
      ASSERT_NE(log, nullptr);
      ASSERT_EQ(log->damage(), std::vector{lost});
      ASSERT_FALSE(log->refused_since_opening());
      const int end = static_cast<int>(log->written_end().value());
      ASSERT_TRUE(append(*log, numbered(end, end + 3)));
      ASSERT_TRUE(log->sync());
      ASSERT_NO_FATAL_FAILURE(expect_all_but_holes(*log, end + 3));
    }
  }
}

// ---- what reads find ----

TEST(Damage, UpToAnEndThatTheStartKnowsIsNotWrittenBehind) {
  const SilentLog silent;
  CrashedLog crashed{10};
  crashed.flip(kFirstLog, crashed.borders[9] + 70);
  crashed.options.start = Offset{30};
  CleanEnd clean{};
  {
    const auto log = crashed.opened();
    ASSERT_NE(log, nullptr);
    EXPECT_TRUE(log->damage().empty());
    ASSERT_TRUE(append(*log, numbered(30, 33)));
    clean = log->close().value();
  }
  for (const std::optional<CleanEnd>& marker : {std::optional{clean}, std::optional<CleanEnd>{}}) {
    const auto log = crashed.opened(marker);
    ASSERT_NE(log, nullptr);
    EXPECT_TRUE(log->damage().empty());
    EXPECT_EQ(contents(*log), numbered(30, 33));
  }
}

// All files are gone, and the stop knows where they ended: that is no beginning.
TEST(Damage, InFrontOfAllFilesStays) {
  const SilentLog silent;
  CrashedLog crashed{10};
  const CleanEnd clean = crashed.opened()->close().value();
  for (const auto& [name, bytes] : crashed.files()) ASSERT_TRUE(crashed.simulation->disk.remove(crashed.path(name)));
  CleanEnd end = clean;
  for (int opening = 0; opening < 3; ++opening) {
    const auto log = crashed.opened(end);
    ASSERT_NE(log, nullptr);
    EXPECT_EQ(log->start(), Offset{0});
    ASSERT_EQ(log->damage().size(), 1u);
    EXPECT_EQ(log->damage()[0].end, Offset{30});
    EXPECT_EQ(log->read(Offset{0}, log->written_end(), 1, {}, {}).error(), Errc::corrupt);
    ASSERT_TRUE(append(*log, numbered(30 + opening, 31 + opening)));
    EXPECT_EQ(read_all(*log, Offset{30}, log->written_end()).value(), numbered(30, 31 + opening));
    end = log->close().value();
  }
}

TEST(Damage, FoundByAReadIsARangeFromThenOn) {
  const SilentLog silent;
  for (const std::uint64_t byte : {70u, 16u, 8u, 0u, 12u}) {  // body, magic, length, base offset, leader epoch
    for (const bool backwards : {false, true}) {
      SCOPED_TRACE(std::to_string(byte) + (backwards ? ", backwards" : ""));
      CrashedLog crashed{10, 500};
      const CleanEnd clean = crashed.opened()->close().value();
      ASSERT_GT(crashed.files().size(), 1u);
      crashed.flip(kFirstLog, crashed.borders[2] + byte, std::byte{0x40});
      {
        const auto log = crashed.opened(clean);
        ASSERT_NE(log, nullptr);
        if (byte == 70) {
          ASSERT_TRUE(log->damage().empty()) << "a clean stop is believed";
        }
        if (backwards) {
          EXPECT_EQ(log->read_back(Offset{9}, Offset{30}, 1 << 20, {}, {}).error(), Errc::corrupt);
        }
        ASSERT_NO_FATAL_FAILURE(expect_all_but_holes(*log, 30));
        ASSERT_EQ(log->damage(), std::vector{crashed.batches(2, 3)});
        ASSERT_TRUE(append(*log, numbered(30, 33)));
        ASSERT_TRUE(log->close());
      }
      EXPECT_TRUE(has_file(crashed, kDamageFile));
    }
  }
}

// Whichever batch it is, the one of an index's last entry too: the clean stop behind is believed, and nothing is read in full.
TEST(Damage, FoundByAReadLeavesTheNextCleanStopBelieved) {
  const SilentLog silent;
  for (std::size_t batch = 0; batch < 10; ++batch) {
    SCOPED_TRACE(batch);
    CrashedLog crashed{10};
    crashed.options.index_interval_bytes = 200;
    crashed.opened()->close().value();
    const CleanEnd clean = crashed.opened()->close().value();
    crashed.flip(kFirstLog, crashed.borders[batch] + 70);
    std::optional<CleanEnd> next;
    {
      const auto log = crashed.opened(clean);
      ASSERT_NE(log, nullptr);
      ASSERT_NO_FATAL_FAILURE(expect_all_but_holes(*log, 30));
      ASSERT_EQ(log->damage(), std::vector{crashed.batches(batch, batch + 1)});
      next = log->close().value();
    }
    const auto log = crashed.opened(next);
    ASSERT_NE(log, nullptr);
    EXPECT_EQ(log->recovery().bytes_scanned, 0u);
    EXPECT_EQ(log->damage(), std::vector{crashed.batches(batch, batch + 1)});
    ASSERT_NO_FATAL_FAILURE(expect_all_but_holes(*log, 30));
  }
}

// ---- crashes ----

// At each step of an opening that finds damage, the power fails: what is found then is the same again.
TEST(Damage, ACrashWhileItIsNotedLosesNothing) {
  const SilentLog silent;
  CrashedLog crashed{4, 400};
  crashed.flip(kFirstLog, crashed.borders[1] + 70);
  const DamagedRange lost = crashed.batches(1, 2);
  ASSERT_TRUE(crashed.simulation->disk.sync_directory(crashed.directory));
  for (const std::string& name : crashed.names()) ASSERT_TRUE(crashed.file(name)->sync());
  const auto start = crashed.simulation->disk.after_kill();
  int states = 0;
  const auto look = [&](std::unique_ptr<SimDisk> found) {
    ++states;
    CrashedLog after{crashed, std::move(found)};
    const Bytes bytes = after.files().at(kFirstLog);
    ASSERT_EQ(bytes, crashed.files().at(kFirstLog));
    for (int opening = 0; opening < 2; ++opening) {
      const auto log = after.opened();
      ASSERT_NE(log, nullptr);
      ASSERT_EQ(log->damage(), std::vector{lost});
      ASSERT_NO_FATAL_FAILURE(expect_all_but_holes(*log, 30));
    }
  };
  CrashedLog opening{crashed, start->after_kill()};
  opening.simulation->disk.after_step(
      [&](const DiskStep& step) { opening.simulation->disk.for_each_survivor(40, step.number, look); });
  ASSERT_NE(opening.opened(), nullptr);
  opening.simulation->disk.after_step({});
  EXPECT_GT(states, 20);
}

// What is cut off was not lost: the file must not say that there was more, or nothing could be written any more. Method: the
// power fails at each step of the cut.
TEST(Damage, AboveACutIsForgottenWithIt) {
  const SilentLog silent;
  CrashedLog crashed{10, 400};
  crashed.flip(kFirstLog, crashed.borders[1] + 70);
  const std::string second = crashed.files().rbegin()->first;
  crashed.flip(second, 70);
  auto log = crashed.opened();
  ASSERT_EQ(log->damage().size(), 2u);
  const Offset cut_end = log->damage()[1].from;
  const std::vector kept{crashed.batches(1, 2)};
  for (const std::string& name : crashed.names()) ASSERT_TRUE(crashed.file(name)->sync());
  ASSERT_TRUE(crashed.simulation->disk.sync_directory(crashed.directory));
  int states = 0;
  const auto look = [&](std::unique_ptr<SimDisk> found) {
    ++states;
    CrashedLog after{crashed, std::move(found)};
    const auto reopened = after.opened();
    ASSERT_NE(reopened, nullptr);
    ASSERT_FALSE(reopened->refused_since_opening());
    if (reopened->damage().size() == 1) {
      ASSERT_EQ(reopened->damage(), kept);
      ASSERT_LE(reopened->written_end(), cut_end);
    }
    ASSERT_GE(reopened->written_end(), Offset{9});
  };
  crashed.simulation->disk.after_step(
      [&](const DiskStep& step) { crashed.simulation->disk.for_each_survivor(20, step.number, look); });
  ASSERT_TRUE(log->truncate_to(Offset{9}));
  crashed.simulation->disk.after_step({});
  EXPECT_GT(states, 20);
  EXPECT_EQ(log->damage(), kept);
  ASSERT_TRUE(append(*log, numbered(9, 12)));
  ASSERT_TRUE(log->sync());
  log.reset();
  log = crashed.opened();
  ASSERT_NE(log, nullptr);
  EXPECT_EQ(log->damage(), kept);
  ASSERT_NO_FATAL_FAILURE(expect_all_but_holes(*log, 12));
  EXPECT_TRUE(append(*log, numbered(12, 15)));
}

TEST(Damage, ACallThatFailsWhileItIsNotedLeavesTheLogAsItWas) {
  const SilentLog silent;
  CrashedLog crashed{4, 400};
  crashed.flip(kFirstLog, crashed.borders[1] + 70);
  const auto start = crashed.simulation->disk.after_kill();
  for (std::uint64_t call = 1;; ++call) {
    SCOPED_TRACE(call);
    CrashedLog failing{crashed, start->after_kill()};
    const std::uint64_t first = failing.simulation->disk.calls();
    failing.simulation->disk.fail_call(first + call, Errc::no_space);
    {
      const auto log = failing.open();
      if (failing.simulation->disk.calls() < first + call) break;
      if (log) {
        ASSERT_EQ((*log)->damage(), std::vector{crashed.batches(1, 2)});
      }
    }
    failing.simulation->disk.clear_faults();
    const auto log = failing.opened();
    ASSERT_NE(log, nullptr);
    ASSERT_EQ(log->damage(), std::vector{crashed.batches(1, 2)});
    ASSERT_NO_FATAL_FAILURE(expect_all_but_holes(*log, 30));
  }
}

}  // namespace
}  // namespace lungo
