// The state store port: both forms behave alike, and what SQLite adds: real columns, order, locks, refusals.
#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <memory>

#include <lungo/log/ports.hpp>
#include <lungo/projections/state_store.hpp>
#include "tests/support/temp_directory.hpp"

namespace lungo {
namespace {

using Rows = std::vector<std::string>;

std::string text_of(Cells row) {
  std::string out;
  for (const Cell& cell : row) {
    if (!out.empty()) out += '|';
    if (const auto* integer = std::get_if<std::int64_t>(&cell)) out += std::to_string(*integer);
    if (const auto* real = std::get_if<double>(&cell)) out += std::to_string(*real);
    if (const auto* text = std::get_if<std::string_view>(&cell)) out += *text;
    if (const auto* bytes = std::get_if<BytesView>(&cell)) out += "x" + std::string(as_text(*bytes));
  }
  return out;
}

Rows scan(RowReader& reader, std::string_view table, const KeyRange& range = {}) {
  Rows rows;
  Result<void> scanned = reader.scan(table, range, [&rows](Cells row) {
    rows.push_back(text_of(row));
    return true;
  });
  EXPECT_TRUE(scanned.has_value()) << (scanned ? "" : to_string(scanned.error()));
  return rows;
}

const TableSpec kPages{"Pages", {{"day", ColumnType::integer}, {"url", ColumnType::text}}, {{"views", ColumnType::integer}}};

class AnyStore : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    store_ = std::string_view{GetParam()} == "memory" ? memory() : sqlite("views.db");
    ASSERT_TRUE(store_->open({ports_.ports(), directory_.path(), false}).has_value());
    reader_ = store_->reader().value();
    pages_ = store_->open_table(kPages).value();
  }

  void put(std::int64_t day, std::string_view url, std::int64_t views) {
    const Cell row[] = {day, url, views};
    ASSERT_TRUE(store_->put(pages_, row).has_value());
  }

  test::TempDirectory directory_;
  PosixPorts ports_;
  std::unique_ptr<StateStore> store_;
  std::unique_ptr<RowReader> reader_;
  TableId pages_;
};

TEST_P(AnyStore, RowsAreScannedInKeyOrderBothWays) {
  put(2, "/a", 1);
  put(1, "/b", 2);
  put(1, "/a", 3);
  put(-1, "/z", 4);
  EXPECT_EQ(scan(*reader_, "Pages"), (Rows{"-1|/z|4", "1|/a|3", "1|/b|2", "2|/a|1"}));
  EXPECT_EQ(scan(*reader_, "Pages", {.descending = true, .limit = 2}), (Rows{"2|/a|1", "1|/b|2"}));
}

TEST_P(AnyStore, RangeIsHalfOpenAndMayNameTheFirstKeyColumnsOnly) {
  put(1, "/a", 1);
  put(1, "/b", 2);
  put(2, "/a", 3);
  put(3, "/a", 4);
  const Cell first_day[] = {std::int64_t{1}};
  const Cell third_day[] = {std::int64_t{3}};
  const Cell b[] = {std::int64_t{1}, std::string_view{"/b"}};
  EXPECT_EQ(scan(*reader_, "Pages", {first_day, third_day}), (Rows{"1|/a|1", "1|/b|2", "2|/a|3"}));
  EXPECT_EQ(scan(*reader_, "Pages", {b, third_day}), (Rows{"1|/b|2", "2|/a|3"}));
  EXPECT_EQ(scan(*reader_, "Pages", {b, b}), Rows{});
  EXPECT_EQ(scan(*reader_, "Pages", {third_day, first_day}), Rows{});
  EXPECT_EQ(scan(*reader_, "Pages", {{}, b}), Rows{"1|/a|1"});
}

TEST_P(AnyStore, PutReplacesAndEraseRemoves) {
  put(1, "/a", 1);
  put(1, "/a", 2);
  EXPECT_EQ(scan(*reader_, "Pages"), Rows{"1|/a|2"});
  const Cell key[] = {std::int64_t{1}, std::string_view{"/a"}};
  ASSERT_TRUE(store_->erase(pages_, key).has_value());
  ASSERT_TRUE(store_->erase(pages_, key).has_value());
  EXPECT_EQ(scan(*reader_, "Pages"), Rows{});
  EXPECT_FALSE(reader_->get("Pages", key, [](Cells) { return true; }).value());
}

TEST_P(AnyStore, RollbackUndoesRowsAndTables) {
  put(1, "/a", 1);
  ASSERT_TRUE(store_->begin().has_value());
  put(1, "/a", 2);
  put(1, "/b", 3);
  ASSERT_TRUE(store_->rename_table("Pages", "Old").has_value());
  const TableSpec other{"Other", {{"key", ColumnType::text}}, {}};
  ASSERT_TRUE(store_->open_table(other).has_value());
  store_->rollback();
  EXPECT_EQ(scan(*reader_, "Pages"), Rows{"1|/a|1"});
  EXPECT_EQ(reader_->scan("Old", {}, [](Cells) { return true; }).error(), Errc::not_found);
  EXPECT_EQ(reader_->scan("Other", {}, [](Cells) { return true; }).error(), Errc::not_found);
  put(1, "/c", 4);  // the handle names the table still
  EXPECT_EQ(scan(*reader_, "Pages"), (Rows{"1|/a|1", "1|/c|4"}));
}

TEST_P(AnyStore, LookUpBeforehandHoldsNoChangeBack) {
  const Cell key[] = {std::int64_t{1}, std::string_view{"/a"}};
  const auto look = [&] { return store_->get(pages_, key, [](Cells) { return true; }).value(); };
  EXPECT_FALSE(look());
  put(1, "/a", 1);  // each change outside of a transaction is its own
  EXPECT_EQ(scan(*reader_, "Pages"), Rows{"1|/a|1"});
  EXPECT_TRUE(look());
  ASSERT_TRUE(store_->erase(pages_, key).has_value());
  EXPECT_EQ(scan(*reader_, "Pages"), Rows{});
  EXPECT_FALSE(look());
  ASSERT_TRUE(store_->begin().has_value());
  put(1, "/a", 2);
  EXPECT_TRUE(look());
  ASSERT_TRUE(store_->commit().has_value());
  EXPECT_EQ(scan(*reader_, "Pages"), Rows{"1|/a|2"});
  EXPECT_TRUE(look());
  ASSERT_TRUE(store_->rename_table("Pages", "Later").has_value());
  EXPECT_EQ(scan(*reader_, "Later"), Rows{"1|/a|2"});
  EXPECT_TRUE(look());
  ASSERT_TRUE(store_->open_table(kPages).has_value());
  EXPECT_EQ(scan(*reader_, "Pages"), Rows{});
  EXPECT_TRUE(look());
  ASSERT_TRUE(store_->drop_table("Pages").has_value());
  EXPECT_EQ(reader_->scan("Pages", {}, [](Cells) { return true; }).error(), Errc::not_found);
  EXPECT_TRUE(look());
  store_->rollback();
  EXPECT_EQ(scan(*reader_, "Later"), Rows{"1|/a|2"});
}

TEST_P(AnyStore, SwapOfTablesIsOneTransactionAndHandlesFollow) {
  put(1, "/old", 1);
  const Cell key[] = {std::int64_t{1}, std::string_view{"/old"}};
  EXPECT_TRUE(reader_->get("Pages", key, [](Cells) { return true; }).value());  // prepared before the swap
  TableSpec shadow_spec = kPages;
  shadow_spec.name = "Pages__shadow";
  const TableId shadow = store_->open_table(shadow_spec).value();
  ASSERT_TRUE(store_->begin().has_value());
  const Cell row[] = {std::int64_t{1}, std::string_view{"/new"}, std::int64_t{2}};
  ASSERT_TRUE(store_->put(shadow, row).has_value());
  ASSERT_TRUE(store_->drop_table("Pages").has_value());
  ASSERT_TRUE(store_->rename_table("Pages__shadow", "Pages").has_value());
  ASSERT_TRUE(store_->commit().has_value());
  EXPECT_EQ(scan(*reader_, "Pages"), Rows{"1|/new|2"});
  EXPECT_FALSE(reader_->get("Pages", key, [](Cells) { return true; }).value());
  const Cell later[] = {std::int64_t{2}, std::string_view{"/newer"}, std::int64_t{3}};
  ASSERT_TRUE(store_->put(shadow, later).has_value());
  EXPECT_EQ(scan(*reader_, "Pages"), (Rows{"1|/new|2", "2|/newer|3"}));
}

TEST_P(AnyStore, EveryKindOfCellComesBackAsItWas) {
  const TableSpec spec{"Kinds",
                       {{"k", ColumnType::blob}},
                       {{"i", ColumnType::integer},
                        {"r", ColumnType::real},
                        {"t", ColumnType::text},
                        {"b", ColumnType::blob},
                        {"j", ColumnType::json}}};
  const TableId table = store_->open_table(spec).value();
  using namespace std::string_view_literals;
  const std::vector<Cell> row{as_bytes("\0k"sv), std::int64_t{INT64_MIN}, 3.0, "a\0b"sv, BytesView{}, "17"sv};
  const std::vector<Cell> nulls{as_bytes("\0l"sv), Cell{}, Cell{}, ""sv, Cell{}, Cell{}};
  ASSERT_TRUE(store_->put(table, row).has_value());
  ASSERT_TRUE(store_->put(table, nulls).has_value());
  std::vector<std::size_t> kinds;
  std::string text;
  ASSERT_TRUE(reader_
                  ->get("Kinds", Cells{row}.first(1),
                        [&](Cells found) {
                          for (const Cell& cell : found) kinds.push_back(cell.index());
                          text = text_of(found);
                          return true;
                        })
                  .value());
  EXPECT_EQ(kinds, (std::vector<std::size_t>{4, 1, 2, 3, 4, 3}));
  EXPECT_EQ(text, "x\0k|-9223372036854775808|3.000000|a\0b|x|17"sv);
  std::vector<std::size_t> null_kinds;
  ASSERT_TRUE(store_
                  ->get(table, Cells{nulls}.first(1),
                        [&](Cells found) {
                          for (const Cell& cell : found) null_kinds.push_back(cell.index());
                          return true;
                        })
                  .value());
  EXPECT_EQ(null_kinds, (std::vector<std::size_t>{4, 0, 0, 3, 0, 0}));
}

TEST_P(AnyStore, OtherColumnsUnderTheSameNameAreRefused) {
  TableSpec changed = kPages;
  changed.values.push_back({"more", ColumnType::text});
  EXPECT_EQ(store_->open_table(changed).error(), Errc::already_exists);
  const auto tables = reader_->tables().value();
  EXPECT_TRUE(std::find(tables.begin(), tables.end(), kPages) != tables.end());
}

INSTANTIATE_TEST_SUITE_P(StateStore, AnyStore, testing::Values("memory", "sqlite"),
                         [](const testing::TestParamInfo<const char*>& form) { return std::string(form.param); });

/// What the `sqlite3` program would print.
std::string query(const std::string& path, const std::string& sql) {
  sqlite3* handle = nullptr;
  EXPECT_EQ(sqlite3_open_v2(path.c_str(), &handle, SQLITE_OPEN_READWRITE, nullptr), SQLITE_OK);
  std::string out;
  char* problem = nullptr;
  sqlite3_exec(
      handle, sql.c_str(),
      [](void* text, int columns, char** values, char**) {
        for (int column = 0; column < columns; ++column)
          *static_cast<std::string*>(text) += std::string(column == 0 ? "" : "|") + (values[column] ? values[column] : "NULL");
        *static_cast<std::string*>(text) += '\n';
        return 0;
      },
      &out, &problem);
  EXPECT_EQ(problem, nullptr) << problem;
  sqlite3_free(problem);
  sqlite3_close(handle);
  return out;
}

class SqliteFile : public testing::Test {
 protected:
  std::string path() const { return directory_.path() + "/views.db"; }
  StoreSite site(bool read_only = false) { return {ports_.ports(), directory_.path(), read_only}; }

  test::TempDirectory directory_;
  PosixPorts ports_;
};

TEST_F(SqliteFile, IsReadByOtherProgramsWhileTheEngineHoldsIt) {
  const auto store = sqlite("views.db");
  ASSERT_TRUE(store->open(site()).has_value());
  const TableId pages = store->open_table(kPages).value();
  const Cell row[] = {std::int64_t{1}, std::string_view{"/espresso"}, std::int64_t{7}};
  ASSERT_TRUE(store->put(pages, row).has_value());
  EXPECT_EQ(query(path(), "select url, views from Pages"), "/espresso|7\n");
}

TEST_F(SqliteFile, WriteAheadLogIsTakenUpThoughRowsAreLookedUpBetweenCommits) {
  const auto store = sqlite("views.db", {.wal_bytes = 64u << 10});
  ASSERT_TRUE(store->open(site()).has_value());
  const TableId pages = store->open_table(kPages).value();
  const std::string url(1000, 'u');
  for (std::int64_t day = 0; day < 500; ++day) {
    const Cell row[] = {day, std::string_view{url}, day};
    EXPECT_FALSE(store->get(pages, Cells{row, 2}, [](Cells) { return true; }).value());
    ASSERT_TRUE(store->begin().has_value());
    ASSERT_TRUE(store->put(pages, row).has_value());
    ASSERT_TRUE(store->commit().has_value());
  }
  EXPECT_LT(std::filesystem::file_size(path() + "-wal"), 256u << 10);
}

TEST_F(SqliteFile, SecondEngineIsRefusedByTheNameOfTheFirst) {
  const auto store = sqlite("views.db");
  ASSERT_TRUE(store->open(site()).has_value());
  const Result<void> second = sqlite("views.db")->open(site());
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error(), Errc::locked);
  EXPECT_NE(second.error().text().find("process"), std::string_view::npos) << second.error();
}

TEST_F(SqliteFile, LockEndsWithTheStore) {
  { ASSERT_TRUE(sqlite("views.db")->open(site()).has_value()); }
  EXPECT_TRUE(sqlite("views.db")->open(site()).has_value());
}

TEST_F(SqliteFile, ReadOnlyOpensBesideTheEngineAndMakesNothing) {
  EXPECT_EQ(sqlite("views.db")->open(site(true)).error(), Errc::not_found);
  const auto store = sqlite("views.db");
  ASSERT_TRUE(store->open(site()).has_value());
  ASSERT_TRUE(store->open_table(kPages).has_value());
  const auto beside = sqlite("views.db");
  ASSERT_TRUE(beside->open(site(true)).has_value());
  EXPECT_EQ(scan(*beside->reader().value(), "Pages"), Rows{});
}

TEST_F(SqliteFile, IsForItsOwnerOnlyWhateverTheUmask) {
  const mode_t before = ::umask(0);
  const auto store = sqlite("views.db");
  const Result<void> opened = store->open(site());
  ::umask(before);
  ASSERT_TRUE(opened) << opened.error();
  for (const char* name : {"/views.db", "/views.db-wal", "/views.db-shm", "/views.db.lock"}) {
    const auto mode = std::filesystem::status(directory_.path() + name).permissions();
    EXPECT_EQ(mode, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write) << name;
  }
}

TEST_F(SqliteFile, NewerFormatIsRefusedByVersion) {
  { ASSERT_TRUE(sqlite("views.db")->open(site()).has_value()); }
  query(path(), "pragma user_version = 2");
  const Result<void> opened = sqlite("views.db")->open(site());
  ASSERT_FALSE(opened.has_value());
  EXPECT_EQ(opened.error(), Errc::newer_format);
  EXPECT_NE(opened.error().text().find("version 2"), std::string_view::npos);
}

TEST_F(SqliteFile, AnotherProgramsDatabaseIsRefusedAndLeftAlone) {
  {
    sqlite3* handle = nullptr;
    ASSERT_EQ(sqlite3_open(path().c_str(), &handle), SQLITE_OK);
    sqlite3_close(handle);
  }
  query(path(), "create table customers (name text)");
  EXPECT_EQ(sqlite("views.db")->open(site()).error(), Errc::corrupt);
  EXPECT_EQ(query(path(), "select name from sqlite_schema; pragma journal_mode"), "customers\ndelete\n");
}

TEST_F(SqliteFile, GarbageIsCorruptNotACrash) {
  auto file = ports_.ports().storage.open(path(), OpenMode::create).value();
  ASSERT_TRUE(file->write_at(0, as_bytes(std::string(9000, 'x'))).has_value());
  EXPECT_EQ(sqlite("views.db")->open(site()).error(), Errc::corrupt);
}

}  // namespace
}  // namespace lungo
