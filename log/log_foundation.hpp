// What every log over a data directory stands on: ports, of its own or its caller's, and the cache of open files.
//
// Threads: any; made before, and gone after, all that is made of it.
#pragma once

#include <memory>
#include <string>
#include <system_error>

#include <lungo/log/ports.hpp>

#include "file_cache.hpp"

namespace lungo {

class LogFoundation {
 public:
  /// Null: the real ports. Otherwise they outlive it.
  LogFoundation(const Ports* ports, std::size_t open_files_max);
  [[nodiscard]] Ports ports();
  [[nodiscard]] FileCache& files() { return files_; }

 private:
  const std::unique_ptr<PosixPorts> own_;  // null: the caller's
  const Ports given_;
  FileCache files_;
};

/// The directory's name as its files are named by. Errors: invalid_argument for none.
Result<std::string> directory_path(const std::string& directory);

/// For who has just caught it: io, when it says that the system has no thread left. What else it says is thrown on.
Error no_thread(const std::string& directory, const std::system_error& cause);

}  // namespace lungo
