// What one process asks another of a projection's rows in one partition, and a page of them, as bytes.
//
//   query := version:byte = 1 flags:byte projection:text topic:text partition:varint meaning:text limit:varint applied:varint
//            from:cells to:cells
//   flags: 1 the row whose key is `from`; 2 descending; 4 the row at `from` is left out. applied: an offset, see SpreadQuery
//   page  := version:byte = 1 more:bool row*             row := cells
//   cells := count:varint cell*                          text := length:varint bytes
//   cell  := 0:byte | 1:byte zigzag | 2:byte double (8 bytes, little-endian) | 3:byte text | 4:byte bytes as text
//
// Numbers as in wire.hpp. A version that is not known is refused: during a rolling upgrade reads of other processes' rows wait
// until both sides are of one version. Bytes may come from anywhere: parsing looks at no byte outside them.
// For spread_*.cpp. Threads: values.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include <lungo/framework/wire.hpp>
#include <lungo/log/result.hpp>
#include <lungo/log/types.hpp>
#include <lungo/projections/state_store.hpp>

namespace lungo {

/// No page is larger by more than its last row; a row of its own that is larger than a message answers `too_large`.
inline constexpr std::size_t kSpreadPageBytes = 256u << 10;

struct SpreadQuery {
  std::string projection;
  TopicPartition partition;
  std::string meaning;  // of the rows, as who asks understands them: ProjectionBase::meaning()
  bool is_one = false;
  bool descending = false;
  bool past_from = false;
  std::uint64_t limit = std::numeric_limits<std::uint64_t>::max();
  Offset applied{0};  // the rows hold everything below it
  Bytes from;         // cells, as below; none: an open end
  Bytes to;
};

/// Rows that follow each other in key order, each as put_cells() writes it.
struct SpreadPage {
  bool more = false;  // there are further rows behind the last one
  Bytes rows;
};

void put_cells(Writer& out, Cells cells);
Bytes bytes_of_cells(Cells cells);
/// The cells view into the reader's bytes.
void get_cells(Reader& in, std::vector<Cell>& cells);
/// Of bytes that are cells and nothing else. Errors: invalid_argument.
Result<std::vector<Cell>> cells_of(BytesView bytes);

Bytes to_bytes(const SpreadQuery& query);
/// Errors: invalid_argument, newer_format.
Result<SpreadQuery> parse_spread_query(BytesView bytes);

Bytes to_bytes(const SpreadPage& page);
/// The rows are looked at by who takes them apart. Errors: as parse_spread_query().
Result<SpreadPage> parse_spread_page(BytesView bytes);

}  // namespace lungo
