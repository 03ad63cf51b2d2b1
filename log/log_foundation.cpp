#include "log_foundation.hpp"

namespace lungo {

LogFoundation::LogFoundation(const Ports* ports, std::size_t open_files_max)
    : own_(ports == nullptr ? std::make_unique<PosixPorts>() : nullptr),
      given_(own_ ? own_->ports() : *ports),
      files_(given_.storage, open_files_max) {}

Ports LogFoundation::ports() { return {files_, given_.clock, given_.executor, given_.random}; }

Result<std::string> directory_path(const std::string& directory) {
  if (directory.empty()) return Error{Errc::invalid_argument, "the data directory has no name"};
  const std::size_t last = directory.find_last_not_of('/');
  return last == std::string::npos ? std::string("/") : directory.substr(0, last + 1);
}

Error no_thread(const std::string& directory, const std::system_error& cause) {
  if (cause.code() != std::errc::resource_unavailable_try_again) throw;
  return {Errc::io, directory + ": no thread could be started: " + cause.code().message()};
}

}  // namespace lungo
