#include "spread_query.hpp"

namespace lungo {
namespace {

constexpr std::uint8_t kVersion = 1;
enum class CellKind : std::uint8_t { null = 0, integer = 1, real = 2, text = 3, blob = 4 };
constexpr std::uint8_t kIsOne = 1;
constexpr std::uint8_t kDescending = 2;
constexpr std::uint8_t kPastFrom = 4;

Bytes bytes_in(const Writer& out) { return {out.bytes().begin(), out.bytes().end()}; }
Bytes copy_of(BytesView bytes) { return {bytes.begin(), bytes.end()}; }

struct PutCell {
  Writer& out;
  void operator()(std::monostate) const { out.byte(static_cast<std::uint8_t>(CellKind::null)); }
  void operator()(std::int64_t integer) const {
    out.byte(static_cast<std::uint8_t>(CellKind::integer));
    out.varint(zigzag(integer));
  }
  void operator()(double real) const {
    out.byte(static_cast<std::uint8_t>(CellKind::real));
    out.raw(&real, sizeof real);
  }
  void operator()(std::string_view text) const {
    out.byte(static_cast<std::uint8_t>(CellKind::text));
    out.text(text);
  }
  void operator()(BytesView blob) const {
    out.byte(static_cast<std::uint8_t>(CellKind::blob));
    out.text(as_text(blob));
  }
};

Cell get_cell(Reader& in) {
  switch (static_cast<CellKind>(in.byte())) {
    case CellKind::null:
      return {};
    case CellKind::integer:
      return unzigzag(in.varint());
    case CellKind::real:
      return in.floating<double>();
    case CellKind::text:
      return as_text(in.prefixed());
    case CellKind::blob:
      return in.prefixed();
  }
  in.fail("a cell of a kind that can't be");
  return {};
}

std::uint64_t get_bounded(Reader& in, std::uint64_t max, const char* problem) {
  const std::uint64_t value = in.varint();
  if (value > max) in.fail(problem);
  return in.failed() ? 0 : value;
}

/// Errors: invalid_argument, newer_format.
Result<void> get_version(Reader& in) {
  const std::uint8_t version = in.byte();
  if (version > kVersion)
    return Error{Errc::newer_format, "rows between processes have version " + std::to_string(version) + "; this one knows " +
                                         std::to_string(kVersion)};
  if (version == 0) return Error{Errc::invalid_argument, "no rows between processes"};
  return {};
}

Result<void> finish_rows(Reader& in, std::string_view what) {
  const Result<void> whole = in.finish(what);
  if (!whole) return Error{Errc::invalid_argument, std::string(whole.error().text())};
  return {};
}

}  // namespace

void put_cells(Writer& out, Cells cells) {
  out.varint(cells.size());
  for (const Cell& cell : cells) std::visit(PutCell{out}, cell);
}

Bytes bytes_of_cells(Cells cells) {
  Writer out;
  put_cells(out, cells);
  return bytes_in(out);
}

void get_cells(Reader& in, std::vector<Cell>& cells) {
  cells.clear();
  for (std::size_t left = in.count(1); left > 0 && !in.failed(); --left) cells.push_back(get_cell(in));
}

Result<std::vector<Cell>> cells_of(BytesView bytes) {
  std::vector<Cell> cells;
  Reader in{bytes};
  get_cells(in, cells);
  Result<void> whole = finish_rows(in, "a key between processes");
  if (!whole) return whole.error();
  return cells;
}

Bytes to_bytes(const SpreadQuery& query) {
  Writer out;
  out.byte(kVersion);
  out.byte(static_cast<std::uint8_t>((query.is_one ? kIsOne : 0) | (query.descending ? kDescending : 0) |
                                     (query.past_from ? kPastFrom : 0)));
  out.text(query.projection);
  out.text(query.partition.topic);
  out.varint(static_cast<std::uint64_t>(query.partition.partition.value()));
  out.text(query.meaning);
  out.varint(query.limit);
  out.varint(static_cast<std::uint64_t>(query.applied.value()));
  out.text(as_text(query.from));
  out.text(as_text(query.to));
  return bytes_in(out);
}

Result<SpreadQuery> parse_spread_query(BytesView bytes) {
  Reader in{bytes};
  const Result<void> known = get_version(in);
  if (!known) return known.error();
  SpreadQuery query;
  const std::uint8_t flags = in.byte();
  if (flags > (kIsOne | kDescending | kPastFrom)) in.fail("a flag that can't be");
  query.is_one = (flags & kIsOne) != 0;
  query.descending = (flags & kDescending) != 0;
  query.past_from = (flags & kPastFrom) != 0;
  query.projection = as_text(in.prefixed());
  query.partition.topic = as_text(in.prefixed());
  query.partition.partition = PartitionId{static_cast<std::int32_t>(
      get_bounded(in, std::numeric_limits<std::int32_t>::max(), "a partition above the largest one"))};
  query.meaning = as_text(in.prefixed());
  query.limit = in.varint();
  query.applied = Offset{
      static_cast<std::int64_t>(get_bounded(in, std::numeric_limits<std::int64_t>::max(), "an offset above the largest one"))};
  query.from = copy_of(in.prefixed());
  query.to = copy_of(in.prefixed());
  Result<void> whole = finish_rows(in, "a query of rows");
  if (!whole) return whole.error();
  return query;
}

Bytes to_bytes(const SpreadPage& page) {
  Writer out;
  out.byte(kVersion);
  out.byte(page.more ? 1 : 0);
  out.raw(page.rows.data(), page.rows.size());
  return bytes_in(out);
}

Result<SpreadPage> parse_spread_page(BytesView bytes) {
  Reader in{bytes};
  const Result<void> known = get_version(in);
  if (!known) return known.error();
  SpreadPage page;
  page.more = in.boolean();
  page.rows = copy_of(in.raw(in.left()));
  Result<void> whole = finish_rows(in, "a page of rows");
  if (!whole) return whole.error();
  return page;
}

}  // namespace lungo
