// Keys and rows: the order of a scan is the order of Key, values come back as they were, and the cache forgets nothing dirty.
#include <gtest/gtest.h>

#include <algorithm>
#include <compare>
#include <limits>
#include <map>
#include <set>

#include <lungo/log/ports.hpp>
#include <lungo/projections/key_order.hpp>
#include <lungo/projections/row.hpp>
#include <lungo/projections/row_cache.hpp>
#include <lungo/projections/state_store.hpp>
#include "tests/support/random.hpp"
#include "tests/support/temp_directory.hpp"

namespace lungo {
namespace {

enum class Colour { red, green, blue };

struct Plain {  // ordered by SQLite itself
  std::int32_t number = 0;
  std::string text;
  Colour colour{};
  std::array<std::uint8_t, 2> bytes{};
  auto operator<=>(const Plain&) const = default;
};

struct Point {
  std::int16_t x = 0;
  std::optional<std::string> label;
  auto operator<=>(const Point&) const = default;
};

struct Twisted {  // needs the column key_order
  std::optional<std::int64_t> maybe;
  std::uint64_t large = 0;
  Point point;
  std::vector<std::string> list;
  auto operator<=>(const Twisted&) const = default;
};

std::string random_text(test::Random& random) {
  std::string text;
  for (std::uint64_t left = random.below(4); left > 0; --left) text += "\0a\xff\x01/"[random.below(5)];
  return text;
}

std::int64_t random_integer(test::Random& random) {
  const std::int64_t edges[] = {
      0, 1, -1, 255, -256, std::numeric_limits<std::int64_t>::max(), std::numeric_limits<std::int64_t>::min()};
  return edges[random.below(std::size(edges))];
}

Plain random_plain(test::Random& random) {
  return {static_cast<std::int32_t>(random_integer(random)),
          random_text(random),
          static_cast<Colour>(random.below(3)),
          {static_cast<std::uint8_t>(random.next()), static_cast<std::uint8_t>(random.below(2))}};
}

Twisted random_twisted(test::Random& random) {
  Twisted key;
  if (!random.one_in(3)) key.maybe = random_integer(random);
  key.large = static_cast<std::uint64_t>(random_integer(random));
  key.point.x = static_cast<std::int16_t>(random_integer(random));
  if (!random.one_in(3)) key.point.label = random_text(random);
  for (std::uint64_t left = random.below(3); left > 0; --left) key.list.push_back(random_text(random));
  return key;
}

struct Count {
  std::int64_t count = 0;
};

/// Writes rows with random keys and checks that a scan gives them back in the order of std::map.
template <class Key>
void expect_scan_in_key_order(StateStore& store, const StoreSite& site, Key (*make)(test::Random&)) {
  const std::uint64_t seed = test::test_seed(20240501);
  SCOPED_TRACE(seed);
  test::Random random{seed};
  ASSERT_TRUE(store.open(site).has_value());
  const TableId table = store.open_table(detail::table_spec<Key, Count>("Rows")).value();
  std::map<Key, std::int64_t> model;
  for (int round = 0; round < 500; ++round) {
    const Key key = make(random);
    model[key] = round;
    detail::RowScratch scratch;
    detail::append_row_cells(key, Count{round}, scratch);
    ASSERT_TRUE(store.put(table, scratch.cells()).has_value());
  }
  std::vector<std::pair<Key, std::int64_t>> found;
  ASSERT_TRUE(store.reader()
                  .value()
                  ->scan("Rows", {},
                         [&](Cells row) {
                           Key key;
                           Count count;
                           EXPECT_TRUE(detail::read_key(row, key));
                           EXPECT_TRUE((detail::read_state<Key>(row, count)));
                           found.emplace_back(std::move(key), count.count);
                           return true;
                         })
                  .has_value());
  const std::vector<std::pair<Key, std::int64_t>> expected(model.begin(), model.end());
  EXPECT_EQ(found.size(), expected.size());
  EXPECT_TRUE(found == expected);
}

TEST(KeyOrder, ScanOfSqliteIsInTheOrderOfSimpleKeys) {
  static_assert(detail::key_orders_itself<Plain>());
  const test::TempDirectory directory;
  const PosixPorts ports;
  expect_scan_in_key_order(*sqlite("a.db"), {ports.ports(), directory.path(), false}, random_plain);
}

TEST(KeyOrder, ScanOfSqliteIsInTheOrderOfKeysThatItCanNotOrder) {
  static_assert(!detail::key_orders_itself<Twisted>());
  const test::TempDirectory directory;
  const PosixPorts ports;
  expect_scan_in_key_order(*sqlite("a.db"), {ports.ports(), directory.path(), false}, random_twisted);
}

TEST(KeyOrder, ScanOfMemoryIsInKeyOrder) {
  const PosixPorts ports;
  expect_scan_in_key_order(*memory(), {ports.ports(), "", false}, random_plain);
  expect_scan_in_key_order(*memory(), {ports.ports(), "", false}, random_twisted);
}

TEST(KeyOrder, FloatingNumbersOrderAsNumbers) {
  const double numbers[] = {-std::numeric_limits<double>::infinity(), -1e300, -1.5, -1e-300, 0.0, 1e-300, 2.0, 1e300,
                            std::numeric_limits<double>::infinity()};
  std::vector<std::string> ordered;
  for (const double number : numbers) detail::append_ordered_value(number, ordered.emplace_back());
  EXPECT_TRUE(std::is_sorted(ordered.begin(), ordered.end()));
  std::string minus_zero, zero;
  detail::append_ordered_value(-0.0, minus_zero);
  detail::append_ordered_value(0.0, zero);
  EXPECT_EQ(minus_zero, zero);
}

struct Everything {
  bool flag = false;
  std::uint64_t large = 0;
  double real = 0;
  std::optional<std::string> name;
  std::vector<std::byte> sketch;
  std::array<std::uint8_t, 4> digest{};
  std::chrono::sys_time<std::chrono::milliseconds> at{};
  std::map<std::string, std::int32_t> per_code;
  Point nested;
  bool operator==(const Everything&) const = default;
};

TEST(RowColumns, AreNamedByTheFieldsAndNestedOnesAreJson) {
  const TableSpec spec = detail::table_spec<std::string, Everything>("Rows");
  EXPECT_EQ(spec.key, (std::vector<Column>{{"key", ColumnType::text}}));
  EXPECT_EQ(spec.values, (std::vector<Column>{{"flag", ColumnType::integer},
                                              {"large", ColumnType::integer},
                                              {"real", ColumnType::real},
                                              {"name", ColumnType::text},
                                              {"sketch", ColumnType::blob},
                                              {"digest", ColumnType::blob},
                                              {"at", ColumnType::integer},
                                              {"per_code", ColumnType::json},
                                              {"nested", ColumnType::json}}));
}

TEST(RowColumns, KeyColumnThatAFieldOfStateIsCalledGetsAPrefix) {
  struct PageKey {
    std::int32_t day = 0;
    std::string Page;
  };
  struct PageState {
    std::string page;
  };
  const TableSpec spec = detail::table_spec<PageKey, PageState>("Rows");
  EXPECT_EQ(spec.key[0].name, "day");
  EXPECT_EQ(spec.key[1].name, "key_Page");
}

TEST(RowColumns, KeyThatNeedsItsOwnOrderStaysReadable) {
  const TableSpec spec = detail::table_spec<Twisted, Count>("Rows");
  EXPECT_EQ(spec.key, (std::vector<Column>{{"key_order", ColumnType::blob}}));
  EXPECT_EQ(spec.values[0].name, "maybe");
  EXPECT_EQ(spec.values.back().name, "count");
}

TEST(RowColumns, ValuesComeBackAsTheyWere) {
  Everything state;
  state.flag = true;
  state.large = UINT64_MAX;
  state.real = -0.1;
  state.name = "caf\xc3\xa9";
  state.sketch = to_bytes("sketch");
  state.digest = {1, 2, 3, 255};
  state.at = Timestamp{std::chrono::milliseconds{1714557600123}};
  state.per_code = {{"200", 7}, {"404", -1}};
  state.nested = {-3, "label"};
  for (const Everything& value : {state, Everything{}}) {
    detail::RowScratch scratch;
    detail::append_row_cells(std::string("key"), value, scratch);
    Everything back;
    back.name = "left over";
    ASSERT_TRUE((detail::read_state<std::string>(scratch.cells(), back)));
    EXPECT_TRUE(back == value);
  }
}

TEST(RowColumns, CellsThatDoNotFitAreRefused) {
  Everything state;
  detail::RowScratch scratch;
  detail::append_row_cells(std::string("key"), state, scratch);
  std::vector<Cell> cells = scratch.cells();
  cells[1] = std::int64_t{2};  // no bool
  EXPECT_FALSE((detail::read_state<std::string>(cells, state)));
  cells.pop_back();
  EXPECT_FALSE((detail::read_state<std::string>(cells, state)));
}

/// Sorts keys by KeyOrder and expects the order of Key.
template <class Key>
void expect_sorted(const std::vector<Key>& keys) {
  detail::KeyOrder order;
  for (const Key& key : keys) order.add(key);
  order.sort();
  EXPECT_EQ(order.size(), keys.size());
  std::vector<Key> sorted;
  order.for_each([&](std::size_t number) { sorted.push_back(keys[number]); });
  std::vector<Key> expected = keys;
  std::sort(expected.begin(), expected.end());
  EXPECT_TRUE(sorted == expected);
}

TEST(KeyOrder, SortsAsTheKeysDo) {
  const std::uint64_t seed = test::test_seed(11);
  SCOPED_TRACE(seed);
  test::Random random{seed};
  std::vector<Plain> plain;
  std::vector<Twisted> twisted;
  for (int i = 0; i < 2000; ++i) {
    plain.push_back(random_plain(random));
    twisted.push_back(random_twisted(random));
  }
  expect_sorted(plain);
  expect_sorted(twisted);
}

TEST(KeyOrder, SortsKeysThatBeginAlikeAndEndWithinTheFirstBytes) {
  using namespace std::string_literals;
  expect_sorted<std::string>({});
  expect_sorted<std::string>({"same", "same"});
  const std::string day = "2024-03-01";
  expect_sorted<std::string>({day + "/b", day, day + "\0"s, day + "\0\0"s, day + "/a/long/path/2", day + "/a/long/path/1",
                              day + "\xff", day + "/a/long/path", day + "/a/long/path\0"s});
}

using Cache = detail::RowCache<std::string, Count>;

Cache::Row* find(Cache& cache, std::string_view key) {
  Cache::Row* again = cache.find_again(key);
  return again != nullptr ? again : cache.find(detail::key_hash(key), key);
}

TEST(RowCache, HoldsDirtyRowsWhateverIsEvicted) {
  const std::uint64_t seed = test::test_seed(7);
  SCOPED_TRACE(seed);
  test::Random random{seed};
  Cache cache;
  std::set<std::string> seen;
  std::map<std::string, std::int64_t> unwritten;
  for (int round = 0; round < 20000; ++round) {
    const std::string key = "/page/" + std::to_string(random.below(random.one_in(4) ? 3000 : 2));  // some come in runs
    Cache::Row* row = find(cache, key);
    if (row == nullptr) {
      ASSERT_FALSE(unwritten.contains(key)) << key << " was lost before it was written";
      ASSERT_TRUE(seen.insert(key).second || cache.may_have_dropped(detail::key_hash(key))) << key << " was dropped unseen";
      row = &cache.insert(detail::key_hash(key), key);
    }
    ASSERT_EQ(row->key, key);
    row->state.count = round;
    cache.touch(*row);
    unwritten[key] = round;
    if (random.one_in(500)) {
      ASSERT_EQ(cache.dirty().size(), unwritten.size());
      for (const Cache::Row* dirty : cache.dirty()) ASSERT_EQ(dirty->state.count, unwritten.at(dirty->key));
      cache.written();
      unwritten.clear();
    }
    if (random.one_in(300)) cache.evict(random.below(200000));
  }
}

TEST(DroppedKeys, KnowsWhatWasAddedAndLittleElse) {
  const std::uint64_t seed = test::test_seed(8);
  SCOPED_TRACE(seed);
  test::Random random{seed};
  detail::DroppedKeys keys;
  std::vector<std::uint64_t> added;
  for (int i = 0; i < 200'000; ++i) {
    added.push_back(detail::key_hash(std::string_view{"key " + std::to_string(random.next())}));
    keys.add(added.back());
  }
  for (const std::uint64_t hash : added) ASSERT_TRUE(keys.may_have(hash));
  int wrong = 0;
  for (int i = 0; i < 100'000; ++i) wrong += keys.may_have(detail::key_hash(std::string_view{"other " + std::to_string(i)}));
  EXPECT_LT(wrong, 5'000);
}

struct PageOfDay {
  std::string day;
  std::string page;
  std::int32_t number = 0;
};
struct PageOfDayView {
  std::string_view day;
  std::string_view page;
  std::int32_t number = 0;
  explicit operator PageOfDay() const { return {std::string{day}, std::string{page}, number}; }
};

TEST(RowCache, StructOfViewsFindsTheRowOfItsKey) {
  static_assert(detail::views_key<PageOfDayView, PageOfDay>());
  detail::RowCache<PageOfDay, Count> cache;
  for (int number = 0; number < 100; ++number) {
    const PageOfDayView view{"2024-03-01", "/a page whose name is long enough", number};
    EXPECT_EQ(detail::key_hash(view), detail::key_hash(PageOfDay(view)));
    EXPECT_EQ(cache.find(detail::key_hash(view), view), nullptr);
    cache.insert(detail::key_hash(view), PageOfDay(view)).state.count = number;
    const auto* row = cache.find(detail::key_hash(view), view);
    ASSERT_NE(row, nullptr);
    EXPECT_EQ(row->state.count, number);
  }
}

TEST(RowCache, EvictionKeepsToTheBoundAndPrefersRowsOfLongAgo) {
  Cache cache;
  for (int number = 0; number < 1000; ++number) {
    const std::string key = "key " + std::to_string(number);
    cache.insert(detail::key_hash(key), key);
  }
  cache.evict(cache.bytes() - 1);  // clears the marks and drops one
  for (int number = 500; number < 600; ++number) find(cache, "key " + std::to_string(number));
  const std::size_t half = cache.bytes() / 2;
  EXPECT_TRUE(cache.evict(half));
  EXPECT_LE(cache.bytes(), half);
  for (int number = 500; number < 600; ++number) EXPECT_NE(find(cache, "key " + std::to_string(number)), nullptr) << number;
}

}  // namespace
}  // namespace lungo
