// The Storage port on this process's file system.
//
// For PosixPorts and for tests. storage_posix.cpp is the only file of the library that opens, writes and syncs files.
// Threads: Storage from any; File as the port says.
#pragma once

#include <memory>

#include <lungo/log/storage.hpp>

namespace lungo {

std::unique_ptr<Storage> make_posix_storage();

}  // namespace lungo
