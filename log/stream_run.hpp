// `BASE.streams`: the stream index of one segment on disk, sorted by key hash.
//
//   file    = header fence padding block*                   little-endian
//   header  = magic:u32 "LGSR" version:u16 (=1) zero:u16 base:i64 end:i64 entries:u32 batchCrc:u32 crc32c:u32 (of these)
//   fence   = entry* crc32c:u32                              the first entry of every block
//   padding = zeros up to a multiple of 4096
//   block   = entry{1,340} zeros crc32c:u32                  4096 bytes; all but the last are full
//   entry   = hash:u64 relativeOffset:u32                    ascending by hash, then by offset
//
// It covers the records [base, end); `batchCrc` is the CRC of the batch that ends at `end`, so that a run left over from
// another history is known. Example: a segment from offset 100 whose records 100 and 102 have key hash 7 and whose record 101
// has key hash 3 holds (3, 1) (7, 0) (7, 2).
// Promise: a look-up reads the fence once and then one block or a few; nothing wrong is ever returned from damaged bytes. The
// file is not synced: what a crash spoils fails its checks and is made anew from the log.
// Threads: any, once opened.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <lungo/log/storage.hpp>

#include "stream_table.hpp"

namespace lungo {

class StreamRun {
 public:
  /// What the run belongs to.
  struct Origin {
    Offset base;
    Offset end;
    std::uint32_t batch_crc = 0;  // 0: no batch
    friend bool operator==(const Origin&, const Origin&) = default;
  };

  /// Writes the file, atomically but without a sync. Errors: no_space, io.
  static Result<void> write(Storage& storage, const std::string& path, const Origin& origin,
                            std::span<const StreamEntry> sorted);

  /// Opens and checks header and fence. Errors: not_found, corrupt, newer_format, io.
  static Result<std::shared_ptr<const StreamRun>> open(Storage& storage, const std::string& path);

  [[nodiscard]] const Origin& origin() const { return origin_; }
  /// Appends the offsets in [begin, end) with this hash, ascending. Errors: corrupt, io.
  Result<void> find(std::uint64_t hash, Offset begin, Offset end, std::vector<Offset>& out) const;
  /// Everything. Errors: corrupt, io.
  [[nodiscard]] Result<std::vector<StreamEntry>> entries() const;

 private:
  StreamRun(std::string path, std::unique_ptr<File> file) : path_(std::move(path)), file_(std::move(file)) {}
  Result<void> load_header();
  Result<void> load_fence();
  Result<void> read_block(std::size_t index, std::vector<StreamEntry>& out) const;
  [[nodiscard]] Error corrupt(std::string_view what) const;

  std::string path_;
  std::unique_ptr<File> file_;
  Origin origin_;
  std::size_t entry_count_ = 0;
  std::vector<StreamEntry> fence_;
};

}  // namespace lungo
