#include "rows_snapshot.hpp"

#include <algorithm>
#include <utility>

#include <xxhash.h>

#include "spread_query.hpp"
#include "transaction.hpp"

namespace lungo {
namespace {

constexpr std::uint8_t kFormatVersion = 1;
constexpr std::uint8_t kEndOfRows = 0;  // where a row has the count of its cells

bool fits(const Column& column, const Cell& cell) {
  switch (column.type) {
    case ColumnType::integer:
      return std::holds_alternative<std::int64_t>(cell);
    case ColumnType::real:
      return std::holds_alternative<double>(cell);
    case ColumnType::text:
    case ColumnType::json:
      return std::holds_alternative<std::string_view>(cell);
    case ColumnType::blob:
      return std::holds_alternative<BytesView>(cell);
  }
  return false;
}

bool fits(const TableSpec& spec, Cells row) {
  if (row.size() != spec.key.size() + spec.values.size()) return false;
  const auto is_fit_value = [](const Column& column, const Cell& cell) {
    return std::holds_alternative<std::monostate>(cell) || fits(column, cell);
  };
  const Cells key = row.first(spec.key.size());
  const Cells values = row.subspan(spec.key.size());
  return std::ranges::equal(spec.key, key, [](const Column& column, const Cell& cell) { return fits(column, cell); }) &&
         std::ranges::equal(spec.values, values, is_fit_value);
}

TableSpec beside(TableSpec spec) {
  spec.name += "__snapshot";
  return spec;
}

}  // namespace

ShapeHash rows_shape(std::string_view meaning) {
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, XXH3_128bits(meaning.data(), meaning.size()));
  ShapeHash shape{};
  static_assert(sizeof canonical.digest == sizeof shape);
  std::ranges::copy(std::as_bytes(std::span{canonical.digest}), shape.begin());
  return shape;
}

// ---- from a store ----

RowsCollector::RowsCollector(std::unique_ptr<RowReader> reader, std::string table, std::size_t key_columns,
                             std::size_t bytes_max)
    : reader_(std::move(reader)),
      table_(std::move(table)),
      key_columns_(key_columns),
      bytes_max_(bytes_max),
      state_{std::byte{kFormatVersion}} {}

Result<bool> RowsCollector::read_page() {
  const Bytes first = std::exchange(next_, {});
  const Result<std::vector<Cell>> from = first.empty() ? std::vector<Cell>{} : cells_of(first);
  if (!from) return from.error();
  Writer page;
  const auto visit = [&](Cells row) {
    if (page.bytes().size() < kRowsPageBytes) {
      put_cells(page, row);
      return true;
    }
    next_ = bytes_of_cells(row.first(key_columns_));
    return false;
  };
  const Result<void> read = reader_->scan(table_, {.from = *from, .to = {}}, visit);
  if (!read) return read.error();
  if (state_.size() + page.bytes().size() > bytes_max_)
    return Error{Errc::too_large, "its rows take more than " + std::to_string(bytes_max_) + " bytes"};
  page.append_to(state_);
  return next_.empty();
}

Bytes RowsCollector::finish(const std::vector<ParkedRow>& parked) {
  Writer end;
  end.byte(kEndOfRows);
  for (const ParkedRow& event : parked) {
    end.varint(static_cast<std::uint64_t>(event.offset.value()));
    end.text(event.type);
    end.text(event.error);
  }
  end.append_to(state_);
  return std::exchange(state_, {});
}

// ---- into a store ----

RowsInstaller::RowsInstaller(StateStore& store, ProjectionEntry entry, TableSpec spec, Bytes state)
    : store_(store), entry_(std::move(entry)), spec_(beside(std::move(spec))), state_(std::move(state)) {}

Result<bool> RowsInstaller::write_page() {
  if (!table_) {
    const Result<void> begun = begin();
    if (!begun) return begun.error();
  }
  if (!has_all_rows_) {
    const Result<void> put = in_transaction(store_, [&]() -> Result<void> {
      const Result<bool> last = put_rows();
      if (!last) return last.error();
      has_all_rows_ = *last;
      return {};
    });
    if (!put) return put.error();
    return false;
  }
  const Result<void> replaced = replace();
  if (!replaced) return replaced.error();
  return true;
}

Result<void> RowsInstaller::begin() {
  const std::uint8_t version = in_.byte();
  if (version > kFormatVersion)
    return Error{Errc::newer_format, "the rows of a snapshot have version " + std::to_string(version) + "; this one knows " +
                                         std::to_string(kFormatVersion)};
  if (version == 0) return Error{Errc::undecodable, "no rows of a snapshot"};
  return in_transaction(store_, [&]() -> Result<void> {
    Result<void> dropped = store_.drop_table(spec_.name);  // of one that was not ended
    if (!dropped) return dropped;
    const Result<TableId> table = store_.open_table(spec_);
    if (!table) return table.error();
    table_ = *table;
    return {};
  });
}

/// True behind the last row.
Result<bool> RowsInstaller::put_rows() {
  const std::size_t left_before = in_.left();
  std::vector<Cell> row;
  while (left_before - in_.left() < kRowsPageBytes) {
    get_cells(in_, row);
    if (in_.failed()) return in_.finish("the rows of a snapshot").error();
    if (row.empty()) return true;
    if (!fits(spec_, row)) return Error{Errc::undecodable, "a row of a snapshot does not fit its table"};
    const Result<void> put = store_.put(*table_, row);
    if (!put) return put.error();
  }
  return false;
}

Result<std::vector<ParkedRow>> RowsInstaller::parked_in_state() {
  std::vector<ParkedRow> parked;
  const TopicPartition partition{entry_.topic, entry_.positions.front().partition};
  while (!in_.at_end()) {
    const Offset offset{static_cast<std::int64_t>(in_.varint())};
    const std::string_view type = as_text(in_.prefixed());
    const std::string_view error = as_text(in_.prefixed());
    parked.push_back({entry_.projection, partition, offset, std::string(type), std::string(error)});
  }
  const Result<void> whole = in_.finish("the rows of a snapshot");
  if (!whole) return whole.error();
  return parked;
}

Result<void> RowsInstaller::replace() {
  const Result<std::vector<ParkedRow>> parked = parked_in_state();
  if (!parked) return parked.error();
  const Result<std::unique_ptr<RowReader>> reader = store_.reader();
  if (!reader) return reader.error();
  Result<std::vector<ParkedRow>> parked_before = Catalogue::parked(**reader);
  if (!parked_before) return parked_before.error();
  std::erase_if(*parked_before, [&](const ParkedRow& event) { return event.projection != entry_.projection; });
  Result<Catalogue> catalogue = Catalogue::open(store_);
  if (!catalogue) return catalogue.error();
  return in_transaction(store_, [&]() -> Result<void> {
    Result<void> done = store_.drop_table(entry_.table);
    if (done) done = store_.rename_table(spec_.name, entry_.table);
    if (done) done = catalogue->unpark(*parked_before);
    for (auto event = parked->begin(); done && event != parked->end(); ++event) done = catalogue->park(*event);
    if (done) done = catalogue->put(entry_);
    return done;
  });
}

Result<void> RowsInstaller::give_up() {
  return in_transaction(store_, [&] { return store_.drop_table(spec_.name); });
}

}  // namespace lungo
