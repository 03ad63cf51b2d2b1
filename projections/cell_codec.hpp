// Bytes for cells: one form whose order is the cells' order, one that is quick to take apart.
//
// Ordered form, compared by memcmp; append_ordered() of keys.hpp writes it (for the memory store, fingerprints, and keys that
// SQLite can't order itself):
//
//   cell    = 0x00                                              null
//           | 0x01 int64 big-endian, sign bit flipped           integer
//           | 0x02 double big-endian, order-mapped              real: negative inverted, positive with the sign bit set
//           | 0x03 (byte | 0x00 0xFF)* 0x00 0x00                text; a zero byte is followed by 0xFF
//           | 0x04 (byte | 0x00 0xFF)* 0x00 0x00                blob
//
// Packed form: tag as above, then 8 bytes (host order) or a 4-byte length and the bytes.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <lungo/projections/keys.hpp>
#include <lungo/projections/state_store.hpp>

namespace lungo {

/// Appends the packed form of a row.
void pack_cells(Cells row, std::string& out);

/// Takes a packed row apart; the views lie in `packed`. Only for bytes that pack_cells() made in this process.
void unpack_cells(std::string_view packed, std::vector<Cell>& out);

}  // namespace lungo
