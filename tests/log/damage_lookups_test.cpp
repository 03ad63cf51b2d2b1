// Goal: no look-up by key, id, condition or time passes what is lost, and no file of the stream index says that it was never
// there.
#include <gtest/gtest.h>

#include "damage.hpp"
#include "sparse_index.hpp"
#include "stream_run_files.hpp"
#include "tests/log/crashed_log.hpp"
#include "tests/support/quiet_log.hpp"

namespace lungo {
namespace {

using namespace test;

Result<std::vector<std::string>> values_of_key(PartitionLog& log, std::string_view key, Offset begin) {
  const Result<KeyRecords> found = log.read_key(key, begin, log.written_end(), 100);
  if (!found) return found.error();
  std::vector<std::string> values;
  for (const RecordView& record : found->records) values.emplace_back(as_text(record.value));
  if (!found->done) values.push_back("from " + std::to_string(found->next.value()));
  return values;
}

// Records 9, 10 and 11 are lost: keys k4, k0 and k1.
TEST(Damage, NoLookUpPassesIt) {
  const SilentLog silent;
  for (const bool is_clean : {false, true}) {
    SCOPED_TRACE(is_clean);
    CrashedLog crashed{10, 64u << 20, true};
    crashed.flip(kFirstLog, crashed.borders[3] + 70);
    std::optional<CleanEnd> clean;
    if (is_clean) clean = crashed.opened()->close().value();
    const auto log = crashed.opened(clean);
    ASSERT_NE(log, nullptr);

    const auto conditional = [&](std::string_view key, std::int64_t as_of) {
      return append(*log, {{.key = std::string(key), .value = "new"}}, LeaderEpoch{0},
                    Condition{.key = std::string(key), .as_of = Offset{as_of}});
    };
    EXPECT_EQ(conditional("never written", 5).error(), Errc::corrupt);
    EXPECT_EQ(conditional("never written", 11).error(), Errc::corrupt);
    EXPECT_EQ(conditional("k1", 0).error(), Errc::conflict) << "it was written behind the damage";
    EXPECT_EQ(conditional("k1", 0).error().offset(), Offset{26});

    EXPECT_EQ(values_of_key(*log, "k0", Offset{0}).value(), (std::vector<std::string>{"0", "5", "from 9"}));
    EXPECT_EQ(values_of_key(*log, "k0", Offset{9}).error(), Errc::corrupt);
    EXPECT_EQ(values_of_key(*log, "never written", Offset{0}).error(), Errc::corrupt);
    EXPECT_EQ(values_of_key(*log, "k0", Offset{12}).value(), (std::vector<std::string>{"15", "20", "25"}));
    EXPECT_TRUE(values_of_key(*log, "never written", Offset{12}).value().empty());

    EXPECT_EQ(log->offset_at(Timestamp{std::chrono::milliseconds{1000}}, Offset{30}).value(), Offset{0});
    EXPECT_EQ(log->offset_at(Timestamp{std::chrono::milliseconds{1001}}, Offset{30}).error(), Errc::corrupt);

    EXPECT_TRUE(conditional("never written", 12));
    // Ids: of the last records all have to be known, or those from `since` on.
    const std::vector<TestRecord> with_id{{.key = "k1", .value = "new", .id = "i1"}};
    EXPECT_EQ(append(*log, with_id).error(), Errc::corrupt);
    EXPECT_EQ(append(*log, with_id, LeaderEpoch{0}, {}, Offset{3}).error(), Errc::corrupt);
    const Result<Appended> written = append(*log, with_id, LeaderEpoch{0}, {}, Offset{12});
    ASSERT_TRUE(written) << written.error();
    EXPECT_TRUE(append(*log, with_id)->repeated);
    EXPECT_TRUE(append(*log, {{.key = "k1", .value = "neither id nor condition"}}));

    // The way out for who can do without them.
    ASSERT_TRUE(log->sync());
    ASSERT_TRUE(log->set_start(Offset{12}));
    EXPECT_TRUE(log->damage().empty());
    EXPECT_TRUE(append(*log, {{.key = "k1", .value = "new", .id = "i2"}}));
    ASSERT_TRUE(log->close());
    EXPECT_FALSE(*crashed.simulation->disk.exists(crashed.path(DamageList::kFileName)));
  }
}

// A time that has rotted, in a header that looks good: its records are not passed over as if they were older.
TEST(Damage, OfATimeIsFoundByWhoLooksForIt) {
  const SilentLog silent;
  constexpr std::uint64_t kMaxTimestampAt = 35;
  PartitionFixture fixture;
  std::vector<std::uint64_t> borders;
  CleanEnd clean;
  {
    const auto log = fixture.opened();
    for (int i = 0; i < 5; ++i) {
      borders.push_back(fixture.file_size(kFirstLog));
      ASSERT_TRUE(append(*log, {{.key = "k", .value = std::to_string(i), .time = 1000 * i}}));
    }
    clean = log->close().value();
  }
  fixture.write(kFirstLog, borders[3] + kMaxTimestampAt, Bytes(8, std::byte{0}));
  const auto log = fixture.opened(clean);
  ASSERT_TRUE(log->damage().empty()) << "a clean stop is believed";
  const Timestamp time{std::chrono::milliseconds{3000}};
  EXPECT_EQ(log->offset_at(time, Offset{5}).error(), Errc::corrupt);
  ASSERT_EQ(log->damage().size(), 1u);
  EXPECT_EQ(log->damage()[0].from, Offset{3});
  EXPECT_EQ(log->offset_at_of_what_is_left(time, Offset{5}).value(), Offset{4});
}

/// Ten batches at 1000, 1001 and so on, each in both indexes; that of offset 5 is lost, and it is known.
struct LostInTheMiddle : PartitionFixture {
  LostInTheMiddle() {
    options.index_interval_bytes = 1;
    {
      const auto log = opened();
      for (int i = 0; i < 10; ++i) {
        borders.push_back(file_size(kFirstLog));
        EXPECT_TRUE(append(*log, {{.key = "k", .value = std::to_string(i), .time = 1000 + i}}));
      }
      EXPECT_TRUE(log->sync());
    }
    flip(kFirstLog, borders[5] + 65);
    clean = opened()->close().value();
  }
  template <class Entry>
  void replace_last(const char* index, const Entry& entry) {
    Bytes bytes(Entry::kBytes);
    entry.store(bytes.data());
    write(index, file_size(index) - bytes.size(), bytes);
  }

  std::vector<std::uint64_t> borders;
  CleanEnd clean;
};

// An entry of the time index that has rotted seems to be a lost batch's, which nobody can read. By its time the segment would
// stay for ever.
TEST(Damage, ATimeThatOnlyTheIndexHasIsNoTime) {
  const SilentLog silent;
  LostInTheMiddle fixture;
  fixture.replace_last(kFirstTimeIndex, TimeEntry{.timestamp = std::int64_t{1} << 50, .relative_offset = 5});
  const auto log = fixture.opened(fixture.clean, fixture.clean.end);
  ASSERT_NE(log, nullptr);
  EXPECT_EQ(log->recovery().bytes_scanned, 0u);
  ASSERT_EQ(log->damage().size(), 1u);
  EXPECT_EQ(log->segments().front().newest, Timestamp{std::chrono::milliseconds{1009}});
}

// An offset entry that has rotted likewise: the bytes tell.
TEST(Damage, AnOffsetEntryBesideTheLostBytesIsMadeAnew) {
  const SilentLog silent;
  LostInTheMiddle fixture;
  const auto beside = static_cast<std::int32_t>(fixture.borders[9]) + 1;
  fixture.replace_last(kFirstIndex, OffsetEntry{.relative_offset = 5, .position = beside});
  const auto log = fixture.opened(fixture.clean, fixture.clean.end);
  ASSERT_NE(log, nullptr);
  EXPECT_GT(log->recovery().bytes_scanned, 0u);
  EXPECT_EQ(log->damage().size(), 1u);
  EXPECT_EQ(
      OffsetIndex::open(fixture.simulation->disk, fixture.path(kFirstIndex), OpenMode::read).value()->last()->relative_offset,
      9);
}

// ---- the stream index ----

void do_chores(PartitionLog& log) {
  for (bool more = true; more;) {
    const Result<bool> kept = log.do_chores();
    ASSERT_TRUE(kept) << kept.error();
    more = *kept;
  }
}

// How many of the records [0, end) a run on disk covers; -1: one covers a lost one.
int covered_by_runs(CrashedLog& crashed, int end, const std::vector<DamagedRange>& damage) {
  std::vector<bool> covered(static_cast<std::size_t>(end));
  for (const StreamRunName& name : list_stream_runs(crashed.simulation->disk, crashed.directory).value()) {
    for (std::int64_t i = name.begin.value(); i < name.end.value(); ++i) covered.at(static_cast<std::size_t>(i)) = true;
    for (const DamagedRange& range : damage) {
      if (name.begin < range.end && range.from < name.end) return -1;
    }
  }
  return static_cast<int>(std::ranges::count(covered, true));
}

// Records 3, 4 and 5 are lost, of which 3 has the key k3.
void expect_streams_around(PartitionLog& log) {
  EXPECT_EQ(values_of_key(log, "never written", Offset{0}).error(), Errc::corrupt);
  EXPECT_EQ(values_of_key(log, "k2", Offset{0}).value(), (std::vector<std::string>{"2", "from 3"}));
  EXPECT_EQ(values_of_key(log, "k3", Offset{0}).error(), Errc::corrupt);
  EXPECT_EQ(values_of_key(log, "k2", Offset{6}).value(), (std::vector<std::string>{"7", "12", "17", "22", "27"}));
  EXPECT_EQ(values_of_key(log, "k3", Offset{6}).value(), (std::vector<std::string>{"8", "13", "18", "23", "28"}));
}

TEST(Damage, NoStreamRunIsWrittenOverItAndNoneHasToGoWhenItIsMended) {
  const SilentLog silent;
  for (const std::uint64_t segment_bytes : {400u, 100'000u}) {
    SCOPED_TRACE(segment_bytes);
    CrashedLog crashed{10, segment_bytes, true};
    const std::vector lost{crashed.batches(1, 2)};
    crashed.flip(kFirstLog, crashed.borders[1] + 70);
    {
      const auto log = crashed.opened();
      ASSERT_EQ(log->damage(), lost);
      expect_streams_around(*log);
      do_chores(*log);
      EXPECT_EQ(covered_by_runs(crashed, 30, lost), 27);
      expect_streams_around(*log);
      ASSERT_TRUE(log->close());
    }
    EXPECT_EQ(covered_by_runs(crashed, 30, lost), 27);
    {
      PartitionOptions options = crashed.options;
      options.read_only = true;
      const auto reader = PartitionLog::open(crashed.simulation->ports(), crashed.directory, options, {}, Offset{0}).value();
      expect_streams_around(*reader);
    }
    crashed.flip(kFirstLog, crashed.borders[1] + 70);
    const auto log = crashed.opened();
    ASSERT_TRUE(log->damage().empty());
    EXPECT_EQ(values_of_key(*log, "k3", Offset{0}).value(), (std::vector<std::string>{"3", "8", "13", "18", "23", "28"}));
    do_chores(*log);
    EXPECT_EQ(covered_by_runs(crashed, 30, {}), 30);
  }
}

TEST(Damage, RunsFromBeforeItAreUsed) {
  const SilentLog silent;
  CrashedLog crashed{10, 400, true};
  {
    const auto log = crashed.opened();
    do_chores(*log);
    ASSERT_TRUE(log->close());
  }
  ASSERT_EQ(covered_by_runs(crashed, 30, {}), 30);
  crashed.flip(kFirstLog, crashed.borders[1] + 70);
  const auto log = crashed.opened();
  expect_streams_around(*log);
  do_chores(*log);
  expect_streams_around(*log);
  EXPECT_EQ(covered_by_runs(crashed, 30, {}), 30);
}

}  // namespace
}  // namespace lungo
