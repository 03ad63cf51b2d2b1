// A plain file as the limit that a log is measured against: writes at its end, syncs, reads, and nothing else.
//
// Prepared as a segment is: blocks reserved beyond the end, the size being the end of the data. Throws when a call fails.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include <lungo/log/bytes.hpp>

namespace lungo::bench {

class RawFile {
 public:
  explicit RawFile(const std::string& path, std::uint64_t reserved_bytes = 0);  // makes it, or opens what is there
  ~RawFile();
  RawFile(const RawFile&) = delete;
  RawFile& operator=(const RawFile&) = delete;

  /// Room for so many bytes behind the end, at whose size nothing changes.
  void reserve(std::uint64_t bytes);
  void append(BytesView bytes);
  void sync();
  /// Reads the whole file in pieces of 256 KiB; returns its size. `piece` returns how many bytes it is through with; what it
  /// leaves, less than 64 KiB, stands in front of the next piece.
  std::uint64_t read(const std::function<std::size_t(BytesView)>& piece);
  /// Makes the page cache forget this file, and looks whether it did.
  void drop_cache();

 private:
  int file_;
  std::uint64_t end_ = 0;
};

}  // namespace lungo::bench
