// Rows as bytes, out of one store and into another: nothing is lost, and a store has the old rows or all of the new ones.
#include "projections/rows_snapshot.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "projections/fingerprint.hpp"
#include "projections/transaction.hpp"
#include "tests/projections/faulty_store.hpp"
#include "tests/support/random.hpp"
#include "tests/support/temp_directory.hpp"

namespace lungo::test {
namespace {

using enum ColumnType;

const TableSpec kSpec{"Rows",
                      {{"number", integer}, {"name", text}},
                      {{"count", integer}, {"share", real}, {"said", text}, {"seen", json}, {"picture", blob}}};
constexpr std::size_t kNoLimit = SIZE_MAX;

ProjectionEntry entry_at(std::int64_t offset) {
  ProjectionEntry entry;
  entry.projection = entry.table = kSpec.name;
  entry.topic = "events";
  entry.positions = {{TopicId{}, PartitionId{3}, Offset{offset}, LeaderEpoch{1}}};
  return entry;
}

class RowsSnapshot : public testing::TestWithParam<const char*> {
 protected:
  RowsSnapshot() {
    from = store("from.db");
    into = store("into.db");
  }
  std::unique_ptr<StateStore> store(const std::string& name) {
    std::unique_ptr<StateStore> made = std::string_view{GetParam()} == "memory" ? memory() : sqlite(name);
    made->open({ports.ports(), directory.path(), false}).value();
    return made;
  }
  static void put(StateStore& store, std::int64_t first, std::int64_t count, std::size_t text_bytes = 10) {
    const TableId table = store.open_table(kSpec).value();
    const std::string said(text_bytes, 's');
    const Bytes picture{std::byte{0}, std::byte{255}};
    const auto put_rows = [&]() -> Result<void> {
      for (std::int64_t row = first; row < first + count; ++row) {
        const Cell every_kind[] = {row - 5,
                                   std::string_view{"na\0me", 5},
                                   INT64_MIN + row,
                                   0.1 * static_cast<double>(row),
                                   std::string_view{said},
                                   std::string_view{"[1]"},
                                   BytesView{picture}};
        const Cell nulls[] = {row - 5, std::string_view{}, Cell{}, Cell{}, Cell{}, Cell{}, Cell{}};
        Result<void> done = store.put(table, every_kind);
        if (done) done = store.put(table, nulls);
        if (!done) return done;
      }
      return {};
    };
    in_transaction(store, put_rows).value();
  }
  static std::string fingerprint(StateStore& store) {
    Fingerprint print;
    const auto reader = store.reader().value();
    const auto visit = [&](Cells row) {
      print.add(row);
      return true;
    };
    reader->scan(kSpec.name, {}, visit).value();
    return print.text();
  }
  static std::vector<std::string> tables(StateStore& store) {
    std::vector<std::string> names;
    const auto reader = store.reader().value();
    for (const TableSpec& table : reader->tables().value()) names.push_back(table.name);
    return names;
  }
  static Bytes collect(StateStore& store, const std::vector<ParkedRow>& parked = {}) {
    RowsCollector collector{store.reader().value(), kSpec.name, kSpec.key.size(), kNoLimit};
    while (!collector.read_page().value()) continue;
    return collector.finish(parked);
  }
  static Result<void> install(StateStore& store, const Bytes& state, std::int64_t offset = 7) {
    RowsInstaller installer{store, entry_at(offset), kSpec, state};
    Result<bool> done = false;
    while (done && !*done) done = installer.write_page();
    if (done) return {};
    EXPECT_TRUE(installer.give_up());
    return done.error();
  }

  TempDirectory directory;
  PosixPorts ports;
  std::unique_ptr<StateStore> from;
  std::unique_ptr<StateStore> into;
};

TEST_P(RowsSnapshot, EveryKindOfCellComesBackWithPositionAndParkedEvents) {
  put(*from, 0, 300);
  const ParkedRow parked{"Rows", {"events", PartitionId{3}}, Offset{5}, "Gone", "not known"};
  ASSERT_TRUE(install(*into, collect(*from, {parked})));
  EXPECT_EQ(fingerprint(*into), fingerprint(*from));
  const auto reader = into->reader().value();
  const std::vector<ProjectionEntry> entries = Catalogue::entries(*reader).value();
  ASSERT_EQ(entries.size(), 1u);
  EXPECT_EQ(entries[0].positions, entry_at(7).positions);
  const std::vector<ParkedRow> found = Catalogue::parked(*reader).value();
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].offset, parked.offset);
  EXPECT_EQ(found[0].partition, parked.partition);
  EXPECT_EQ(found[0].type, parked.type);
  EXPECT_EQ(found[0].error, parked.error);
}

TEST_P(RowsSnapshot, OfMorePagesIsNotInForceBeforeTheLast) {
  put(*from, 0, 3000, 1500);  // about 4.5 MB
  put(*into, 50, 10);
  const std::string before = fingerprint(*into);
  const Bytes state = collect(*from);
  {
    RowsInstaller killed{*into, entry_at(7), kSpec, state};  // in the midst
    for (int page = 0; page < 3; ++page) EXPECT_FALSE(killed.write_page().value());
    EXPECT_EQ(fingerprint(*into), before);
  }
  RowsInstaller installer{*into, entry_at(7), kSpec, state};
  int pages = 1;
  for (; !installer.write_page().value(); ++pages) {
    EXPECT_EQ(fingerprint(*into), before);
    EXPECT_TRUE(Catalogue::entries(*into->reader().value()).value().empty());
  }
  EXPECT_GE(pages, 5);
  EXPECT_EQ(fingerprint(*into), fingerprint(*from));
  EXPECT_EQ(std::ranges::count(tables(*into), "Rows__snapshot"), 0);
}

TEST_P(RowsSnapshot, AStoreThatRefusesHasTheOldRowsOrTheNewOnes) {
  put(*from, 0, 1500, 1500);
  const Bytes state = collect(*from);
  bool is_whole = false;
  for (int refused_at = 0; !is_whole; ++refused_at) {
    ASSERT_LT(refused_at, 20);
    StoreFaults faults;
    FaultyStore faulty{store("faulty-" + std::to_string(refused_at) + ".db"), faults};
    put(faulty, 50, 10);
    const std::string before = fingerprint(faulty);
    int commits = 0;
    faults.on_commit = [&]() -> std::optional<Error> {
      if (commits++ == refused_at) return Error{Errc::no_space, "full"};
      return std::nullopt;
    };
    const Result<void> installed = install(faulty, state);
    is_whole = installed.has_value();
    EXPECT_EQ(fingerprint(faulty), is_whole ? fingerprint(*from) : before) << refused_at;
  }
}

TEST_P(RowsSnapshot, OfTooManyBytesNothingComes) {
  put(*from, 0, 3000, 1500);
  RowsCollector collector{from->reader().value(), kSpec.name, kSpec.key.size(), 2u << 20};
  Result<bool> read = false;
  while (read && !*read) read = collector.read_page();
  ASSERT_FALSE(read);
  EXPECT_EQ(to_string(read.error()), "too_large: its rows take more than 2097152 bytes");
}

TEST_P(RowsSnapshot, OfAnEmptyTableEmptiesTheOther) {
  put(*from, 0, 0);
  put(*into, 0, 10);
  ASSERT_TRUE(install(*into, collect(*from)));
  EXPECT_EQ(fingerprint(*into), fingerprint(*from));
}

TEST_P(RowsSnapshot, BytesThatAreNoneLeaveTheStoreAsItIs) {
  put(*from, 0, 20);
  put(*into, 50, 10);
  const std::string before = fingerprint(*into);
  const Bytes state = collect(*from, {{"Rows", {"events", PartitionId{3}}, Offset{5}, "Gone", "not known"}});
  const auto expect_refused = [&](const Bytes& bytes, Errc code) {
    const Result<void> installed = install(*into, bytes);
    ASSERT_FALSE(installed);
    EXPECT_EQ(installed.error(), code) << installed.error();
    EXPECT_EQ(fingerprint(*into), before);
    EXPECT_EQ(std::ranges::count(tables(*into), "Rows__snapshot"), 0);
  };
  constexpr std::size_t kParkedBytes = 1 + 5 + 10;  // the whole list may be missing, as there may be none
  for (std::size_t bytes = 0; bytes < state.size(); ++bytes) {
    if (bytes + kParkedBytes == state.size()) continue;
    expect_refused(Bytes(state.begin(), state.begin() + static_cast<std::ptrdiff_t>(bytes)), Errc::undecodable);
  }
  Bytes newer = state;
  newer[0] = std::byte{2};
  expect_refused(newer, Errc::newer_format);
  Writer shorter;
  shorter.byte(1);
  shorter.varint(2);  // a key alone
  for (int cell = 0; cell < 2; ++cell) shorter.byte(0);
  expect_refused({shorter.bytes().begin(), shorter.bytes().end()}, Errc::undecodable);
}

TEST_P(RowsSnapshot, WhateverTheBytesAreTheStoreHasTheOldRowsOrOnesThatFit) {
  Random random{test_seed(1)};
  put(*from, 0, 20);
  put(*into, 50, 10);
  const Bytes state = collect(*from);
  int refused = 0;
  for (int round = 0; round < 300; ++round) {
    Bytes edited = state;
    for (std::uint64_t edits = 1 + random.below(3); edits > 0; --edits)
      edited[random.below(edited.size())] = static_cast<std::byte>(random.below(256));
    const std::string before = fingerprint(*into);
    if (install(*into, edited)) continue;
    ++refused;
    EXPECT_EQ(fingerprint(*into), before) << "round " << round;
  }
  EXPECT_GT(refused, 50);
}

INSTANTIATE_TEST_SUITE_P(Stores, RowsSnapshot, testing::Values("memory", "sqlite"));

// Bytes of this kind lie in logs: they are read for ever.
TEST(RowsFormat, IsThatOfTheExample) {
  constexpr std::string_view kBytes{"\x01\x02\x03\x01\x61\x01\x02\x02\x03\x01\x62\x00\x00\x05\x01T\x02no", 19};
  const TableSpec spec{"Rows", {{"key", text}}, {{"value", integer}}};
  const auto store = memory();
  RowsInstaller installer{*store, entry_at(7), spec, to_bytes(kBytes)};
  while (!installer.write_page().value()) continue;
  const std::vector<ParkedRow> parked = Catalogue::parked(*store->reader().value()).value();
  ASSERT_EQ(parked.size(), 1u);
  RowsCollector collector{store->reader().value(), "Rows", 1, kNoLimit};
  EXPECT_TRUE(collector.read_page().value());
  EXPECT_EQ(as_text(collector.finish(parked)), kBytes);
  const auto reader = store->reader().value();
  const Cell b[] = {std::string_view{"b"}};
  const auto is_null = [](Cells row) {
    EXPECT_TRUE(std::holds_alternative<std::monostate>(row[1]));
    return true;
  };
  EXPECT_TRUE(reader->get("Rows", b, is_null).value());
}

TEST(RowsShape, ChangesWithTheText) {
  EXPECT_NE(rows_shape("a 1"), rows_shape("a 2"));
  EXPECT_EQ(to_string(rows_shape("TopPages 1")), "cb24544f1e42be296862d26f302f9726") << "programs of all times have to agree";
}

}  // namespace
}  // namespace lungo::test
