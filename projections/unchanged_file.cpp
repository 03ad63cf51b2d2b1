#include "unchanged_file.hpp"

#include <filesystem>

namespace lungo {

std::uintmax_t wal_bytes_of(const std::string& path) {
  std::error_code absent;
  const std::uintmax_t bytes = std::filesystem::file_size(path + "-wal", absent);
  return absent ? 0 : bytes;
}

Result<void> UnchangedFile::check() const {
  if (state() == found_) return {};
  return Error{Errc::busy, "state store " + path_ + " was changed while it was read; look again"};
}

UnchangedFile::State UnchangedFile::state() const {
  std::error_code absent;
  const auto time = std::filesystem::last_write_time(path_, absent);
  return {time.time_since_epoch().count(), std::filesystem::file_size(path_, absent), wal_bytes_of(path_)};
}

}  // namespace lungo
