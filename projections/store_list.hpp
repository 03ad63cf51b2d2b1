// The list of a data directory's state stores: the file `stores`, so that the generic tool finds them.
//
// Grammar: lines of text ended by '\n'. First "lungo-stores 1" (name and major version); then one store a line, "KIND PATH",
// the path relative to the directory or absolute. Written whole and atomically; readers refuse a newer version.
// Threads: to be changed under the directory's writer lock or a store's lock.
#pragma once

#include <string>
#include <vector>

#include <lungo/log/result.hpp>
#include <lungo/log/storage.hpp>

namespace lungo {

inline constexpr std::string_view kStoreListName = "stores";

/// The stores as StateStore::describe() names them, in the order in which they were made; none when the file is absent.
/// Errors: newer_format, corrupt, io.
Result<std::vector<std::string>> read_store_list(Storage& storage, const std::string& directory);

/// Adds `store` unless it is listed. Errors: as read_store_list; no_space.
Result<void> add_to_store_list(Storage& storage, const std::string& directory, const std::string& store);

}  // namespace lungo
