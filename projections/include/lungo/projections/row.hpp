// A projection's rows as cells: which columns Key and State become, and both ways between values and cells.
//
// One column per field: integers, enums, bools and times as INTEGER, floating numbers as REAL, text as TEXT, byte vectors and
// byte arrays as BLOB, an optional of those as the same or NULL, everything else as JSON text. A Key or State that has no
// fields (a std::string, an integer) is the one column `key` or `value`. A key column whose name a field of State has too is
// `key_NAME`. Threads: pure functions; a RowScratch belongs to one thread.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstring>
#include <deque>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include <lungo/framework/codec_json.hpp>
#include <lungo/framework/fold.hpp>
#include <lungo/framework/shape.hpp>
#include <lungo/projections/keys.hpp>
#include <lungo/projections/state_store.hpp>

namespace lungo::detail {

/// Memory for cells that no field holds as they are (JSON, ordered keys); reused row after row.
class RowScratch {
 public:
  std::string& next() {
    if (used_ == texts_.size()) texts_.emplace_back();
    std::string& text = texts_[used_++];
    text.clear();
    return text;
  }
  std::vector<Cell>& cells() { return cells_; }
  [[nodiscard]] const std::vector<Cell>& cells() const { return cells_; }
  void clear() {
    used_ = 0;
    cells_.clear();
  }

 private:
  std::deque<std::string> texts_;  // addresses stay
  std::size_t used_ = 0;
  std::vector<Cell> cells_;
};

template <class T>
consteval ColumnType column_type() {
  constexpr FieldKind kind = kFieldKind<T>;
  if constexpr (kind == FieldKind::optional) {
    return column_type<typename T::value_type>();
  } else if constexpr (kind == FieldKind::mapped) {
    return column_type<typename lungo_codec<T>::Wire>();
  } else if constexpr (is_integral_field<T>()) {
    return ColumnType::integer;
  } else if constexpr (kind == FieldKind::floating) {
    return ColumnType::real;
  } else if constexpr (kind == FieldKind::text) {
    return ColumnType::text;
  } else if constexpr (kind == FieldKind::bytes || is_byte_array<T>()) {
    return ColumnType::blob;
  } else {
    return ColumnType::json;
  }
}

/// The value as a cell, which may view into `value` or into `scratch`.
template <class T>
Cell to_cell(const T& value, RowScratch& scratch) {
  constexpr FieldKind kind = kFieldKind<T>;
  if constexpr (column_type<T>() == ColumnType::json) {
    JsonWriter json;
    visit_value(json, value);
    return std::string_view{scratch.next() = json.take()};
  } else if constexpr (kind == FieldKind::optional) {
    return value ? to_cell(*value, scratch) : Cell{};
  } else if constexpr (kind == FieldKind::mapped) {
    const auto& wire = lungo_codec<T>::to_wire(value);
    const Cell cell = to_cell(wire, scratch);
    if (const auto* text = std::get_if<std::string_view>(&cell)) return std::string_view{scratch.next() = *text};
    if (const auto* bytes = std::get_if<BytesView>(&cell)) return as_bytes(scratch.next() = as_text(*bytes));
    return cell;
  } else if constexpr (is_integral_field<T>()) {
    return integer_of(value);
  } else if constexpr (kind == FieldKind::floating) {
    return static_cast<double>(value);
  } else if constexpr (kind == FieldKind::text) {
    return std::string_view{value};
  } else {
    return bytes_of(value);
  }
}

template <class T>
bool from_integer(std::int64_t integer, T& value) {
  constexpr FieldKind kind = kFieldKind<T>;
  if constexpr (kind == FieldKind::duration) {
    value = T{static_cast<typename T::rep>(integer)};
  } else if constexpr (kind == FieldKind::time_point) {
    value = T{typename T::duration{static_cast<typename T::rep>(integer)}};
  } else {
    value = static_cast<T>(integer);
  }
  return integer_of(value) == integer;
}

/// Reads a cell that to_cell() made. False when it is of another type or does not fit.
template <class T>
bool from_cell(const Cell& cell, T& value) {
  constexpr FieldKind kind = kFieldKind<T>;
  if constexpr (column_type<T>() == ColumnType::json) {
    const auto* text = std::get_if<std::string_view>(&cell);
    if (text == nullptr) return false;
    Result<JsonDocument> document = JsonDocument::parse(*text);
    JsonPath path;
    return document && read_json(path, document->root(), value);
  } else if constexpr (kind == FieldKind::optional) {
    value.reset();
    return std::holds_alternative<std::monostate>(cell) || from_cell(cell, value.emplace());
  } else if constexpr (kind == FieldKind::mapped) {
    typename lungo_codec<T>::Wire wire{};
    if (!from_cell(cell, wire)) return false;
    Result<T> made = lungo_codec<T>::from_wire(wire);
    if (made) value = std::move(*made);
    return made.has_value();
  } else if constexpr (is_integral_field<T>()) {
    const auto* integer = std::get_if<std::int64_t>(&cell);
    return integer != nullptr && from_integer(*integer, value);
  } else if constexpr (kind == FieldKind::floating) {
    const auto* real = std::get_if<double>(&cell);
    value = real != nullptr ? static_cast<T>(*real) : std::numeric_limits<T>::quiet_NaN();  // SQLite keeps a NaN as NULL
    return real != nullptr || std::holds_alternative<std::monostate>(cell);
  } else if constexpr (kind == FieldKind::text) {
    const auto* text = std::get_if<std::string_view>(&cell);
    if (text != nullptr) value.assign(*text);
    return text != nullptr;
  } else {
    const auto* bytes = std::get_if<BytesView>(&cell);
    if (bytes == nullptr) return false;
    if constexpr (kind == FieldKind::bytes) {
      value.resize(bytes->size());
    } else if (bytes->size() != value.size()) {
      return false;
    }
    if (!bytes->empty()) std::memcpy(value.data(), bytes->data(), bytes->size());
    return true;
  }
}

template <class T>
std::vector<Column> columns_of(std::string_view sole) {
  std::vector<Column> columns;
  if constexpr (kFieldKind<T> == FieldKind::structure) {
    const auto& names = field_names<T>();
    [&]<std::size_t... I>(std::index_sequence<I...>) {
      (columns.push_back({std::string(names[I]), column_type<FieldType<T, I>>()}), ...);
    }(std::make_index_sequence<field_count<T>>{});
  } else {
    columns.push_back({std::string(sole), column_type<T>()});
  }
  return columns;
}

template <class T>
consteval std::size_t column_count() {
  if constexpr (kFieldKind<T> == FieldKind::structure) {
    return field_count<T>;
  } else {
    return 1;
  }
}

template <class T>
void append_cells(const T& value, RowScratch& scratch) {
  if constexpr (kFieldKind<T> == FieldKind::structure) {
    std::apply([&scratch](const auto&... field) { (scratch.cells().push_back(to_cell(field, scratch)), ...); },
               field_ties(value));
  } else {
    scratch.cells().push_back(to_cell(value, scratch));
  }
}

/// Reads column_count<T>() cells.
template <class T>
bool read_cells(Cells cells, T& value) {
  if constexpr (kFieldKind<T> == FieldKind::structure) {
    std::size_t next = 0;
    return std::apply([&](auto&... field) { return (from_cell(cells[next++], field) && ...); }, field_ties(value));
  } else {
    return from_cell(cells[0], value);
  }
}

template <class Key, std::size_t... I>
consteval bool fields_order_themselves(std::index_sequence<I...>) {
  return (orders_itself<FieldType<Key, I>>() && ...);
}

/// The key columns alone give the order of Key; otherwise there is a column `key_order` before them.
template <class Key>
consteval bool key_orders_itself() {
  if constexpr (kFieldKind<Key> == FieldKind::structure) {
    return field_count<Key> > 0 && fields_order_themselves<Key>(std::make_index_sequence<field_count<Key>>{});
  } else {
    return orders_itself<Key>();
  }
}

template <class Key>
void append_key_cells(const Key& key, RowScratch& scratch) {
  if constexpr (key_orders_itself<Key>()) {
    append_cells(key, scratch);
  } else {
    std::string& order = scratch.next();
    append_ordered_value(key, order);
    scratch.cells().push_back(as_bytes(order));
  }
}

/// All cells of a row, in the order of table_spec()'s columns.
template <class Key, class State>
void append_row_cells(const Key& key, const State& state, RowScratch& scratch) {
  append_key_cells(key, scratch);
  if constexpr (!key_orders_itself<Key>()) append_cells(key, scratch);
  append_cells(state, scratch);
}

template <class Key>
inline constexpr std::size_t kKeyCellsBegin = key_orders_itself<Key>() ? 0 : 1;
template <class Key>
inline constexpr std::size_t kStateCellsBegin = kKeyCellsBegin<Key> + column_count<Key>();

template <class Key>
bool read_key(Cells row, Key& key) {
  return row.size() >= kStateCellsBegin<Key> && read_cells(row.subspan(kKeyCellsBegin<Key>), key);
}

template <class Key, class State>
bool read_state(Cells row, State& state) {
  constexpr std::size_t kBegin = kStateCellsBegin<Key>;
  return row.size() == kBegin + column_count<State>() && read_cells(row.subspan(kBegin), state);
}

/// The table of a projection with these types.
template <class Key, class State>
TableSpec table_spec(std::string name) {
  TableSpec spec{std::move(name), columns_of<Key>("key"), columns_of<State>("value")};
  for (Column& column : spec.key) {
    const auto same_name = [&column](const Column& other) {  // SQLite's column names ignore case
      return std::equal(column.name.begin(), column.name.end(), other.name.begin(), other.name.end(),
                        [](unsigned char a, unsigned char b) { return std::tolower(a) == std::tolower(b); });
    };
    if (std::any_of(spec.values.begin(), spec.values.end(), same_name)) column.name.insert(0, "key_");
  }
  if constexpr (!key_orders_itself<Key>()) {
    spec.values.insert(spec.values.begin(), spec.key.begin(), spec.key.end());
    spec.key = {{"key_order", ColumnType::blob}};
  }
  return spec;
}

/// Text that changes when the type's fields do.
template <class T>
std::string shape_text() {
  if constexpr (kFieldKind<T> == FieldKind::structure) {
    return to_string(shape_of<T>().hash());
  } else {
    return "kind " + std::to_string(static_cast<int>(kFieldKind<T>)) + " of " + std::to_string(sizeof(T)) + " bytes";
  }
}

}  // namespace lungo::detail
