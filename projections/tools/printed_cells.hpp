// Cells of a store as the replay tool prints them (printed.hpp of the log has lines and text), and keys as its user writes
// them. Threads: any.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <lungo/log/printed.hpp>
#include <lungo/projections/state_store.hpp>

namespace lungo {

/// What a column of this type holds. Blobs are printed as hexadecimal digits.
void add_cell(PrintedLine& line, std::string_view name, const Cell& cell, ColumnType type);

/// `text` as one line of valid JSON; nothing when it is none.
std::optional<std::string> as_json_line(std::string_view text);

/// The cell that `text` stands for in a key column; it may view into `text` or into `bytes`.
/// Errors: invalid_argument, naming the column and what it holds.
Result<Cell> key_cell(std::string_view text, const Column& column, std::string& bytes);

}  // namespace lungo
