// An SQLite file that is read as immutable, where SQLite looks for no change by itself. Threads: one at a time.
#pragma once

#include <cstdint>
#include <string>
#include <tuple>

#include <lungo/log/result.hpp>

namespace lungo {

/// Bytes of the store's write-ahead log: commits that may not be in the file itself yet.
std::uintmax_t wal_bytes_of(const std::string& path);

class UnchangedFile {
 public:
  /// Notes how the file is now.
  explicit UnchangedFile(std::string path) : path_(std::move(path)), found_(state()) {}
  /// Errors: busy  an engine has begun to write the store since.
  [[nodiscard]] Result<void> check() const;

 private:
  using State = std::tuple<std::int64_t, std::uintmax_t, std::uintmax_t>;
  [[nodiscard]] State state() const;

  std::string path_;
  State found_;
};

}  // namespace lungo
