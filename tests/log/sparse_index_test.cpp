// Goal: a look-up finds the entry that a walk over all entries finds, in few reads, and never fails.

#include "sparse_index.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <vector>

#include "tests/support/simulation.hpp"

namespace lungo {
namespace {

using namespace test;

template <class Entry>
Entry entry_of(std::int64_t key);
template <>
OffsetEntry entry_of(std::int64_t key) {
  return {.relative_offset = static_cast<std::int32_t>(key), .position = static_cast<std::int32_t>(7 * key)};
}
template <>
TimeEntry entry_of(std::int64_t key) {
  return {.timestamp = key, .relative_offset = static_cast<std::int32_t>(7 * key)};
}

template <class Entry>
std::unique_ptr<SparseIndex<Entry>> index_of(SimDisk& disk, std::size_t count) {
  auto index = std::move(*SparseIndex<Entry>::open(disk, "index", OpenMode::create));
  std::vector<Entry> entries;
  for (std::size_t i = 0; i < count; ++i) entries.push_back(entry_of<Entry>(10 * static_cast<std::int64_t>(i) + 5));
  EXPECT_TRUE(index->replace(entries));
  return index;
}

template <class Entry>
void expect_every_entry_is_found(std::size_t count) {
  Simulation simulation{1};
  const auto index = index_of<Entry>(simulation.disk, count);
  EXPECT_FALSE(index->find_at_most(std::numeric_limits<std::int64_t>::min()));
  EXPECT_FALSE(index->find_at_most(4));
  for (std::size_t i = 0; i < count; ++i) {
    const std::int64_t key = 10 * static_cast<std::int64_t>(i) + 5;
    for (const std::int64_t asked : {key, key + 9}) {
      const std::optional<Entry> found = index->find_at_most(asked);
      ASSERT_TRUE(found) << asked << " of " << count;
      ASSERT_EQ(found->key(), key) << asked << " of " << count;
    }
  }
}

// Blocks hold 512 offsets or 341 times.
TEST(SparseIndex, FindsWhatAWalkFinds) {
  for (const std::size_t count : {0u, 1u, 2u, 340u, 341u, 342u, 511u, 512u, 513u, 1024u, 1025u, 2500u}) {
    expect_every_entry_is_found<OffsetEntry>(count);
    expect_every_entry_is_found<TimeEntry>(count);
  }
}

TEST(SparseIndex, ALookUpInASegmentOf64MiBTakesAtMostSixReads) {
  Simulation simulation{1};
  const auto index = index_of<OffsetEntry>(simulation.disk, 64u << 8);  // one for each 4 KiB
  for (std::int64_t key = 0; key < 10 * (64 << 8); key += 997) {
    const std::uint64_t before = simulation.disk.reads();
    ASSERT_TRUE(index->find_at_most(key).has_value() || key < 5);
    EXPECT_LE(simulation.disk.reads() - before, 6u);
  }
}

TEST(SparseIndex, AFileThatWasCutMeanwhileIsNoHint) {
  Simulation simulation{1};
  const auto index = index_of<OffsetEntry>(simulation.disk, 1000);
  ASSERT_TRUE((*simulation.disk.open("index", OpenMode::read_write))->truncate(100));
  EXPECT_FALSE(index->find_at_most(9000));
}

// Each byte of an index is anybody's: a look-up gives some entry or none, and ends.
TEST(SparseIndex, ALookUpAmongEntriesOutOfOrderEnds) {
  Simulation simulation{1};
  const auto index = OffsetIndex::open(simulation.disk, "index", OpenMode::create).value();
  std::vector<OffsetEntry> entries;
  for (int i = 0; i < 3000; ++i) entries.push_back({.relative_offset = (i * 7919) % 3001 - 1500, .position = i});
  ASSERT_TRUE(index->replace(entries));
  for (std::int64_t key = -1600; key < 1600; key += 13) {
    const std::optional<OffsetEntry> found = index->find_at_most(key);
    EXPECT_TRUE(!found || found->key() <= key);
  }
}

}  // namespace
}  // namespace lungo
