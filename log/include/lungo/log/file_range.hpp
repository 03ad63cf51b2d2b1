// Batches as bytes of a file, for who has the kernel send them instead of reading them: sendfile(2), splice(2).
#pragma once

#include <cstdint>
#include <utility>

#include <lungo/log/types.hpp>

namespace lungo {

/// A file descriptor of the holder's own, closed with it. What it was made from may be closed, renamed or removed meanwhile.
class FileHandle {
 public:
  FileHandle() = default;
  explicit FileHandle(int descriptor) : descriptor_(descriptor) {}
  ~FileHandle();
  FileHandle(FileHandle&& other) noexcept : descriptor_(std::exchange(other.descriptor_, kNone)) {}
  FileHandle& operator=(FileHandle&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    return *this;
  }
  FileHandle(const FileHandle&) = delete;
  FileHandle& operator=(const FileHandle&) = delete;

  /// -1: none.
  [[nodiscard]] int descriptor() const { return descriptor_; }

 private:
  static constexpr int kNone = -1;
  int descriptor_ = kNone;
};

/// Whole verified batches of one segment, of which some first records may lie below the offset asked for: what Fetched is, but
/// as [position, position + bytes) of a file. They are there for as long as the handle is held, also when retention removes
/// the segment. To be read only.
struct FileRange {
  FileHandle file;
  std::uint64_t position = 0;
  std::uint64_t bytes = 0;  // 0: nothing follows below the committed end, and there is no file
  Position next;            // as Fetched::next()
  Offset committed_end;

  [[nodiscard]] bool empty() const { return bytes == 0; }
};

}  // namespace lungo
