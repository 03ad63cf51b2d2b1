// `BASE.digest`: what the headers of a sealed segment were when it was known to be whole.
//
//   file = magic:u32 "LGDG" version:u16=1 zero:u16 base:i64 end:i64 bytes:u64 batches:u64 records:u64 generation:u32 zero:u32
//          hash:16 crc32c:u32 (of the 72 bytes before)                                                     76 bytes
//
// Little-endian. `hash` is XXH3-128 (github.com/Cyan4973/xxHash, seed 0, canonical form) of the 61-byte headers of all batches
// in their order, one behind another. Each header holds the CRC of the rest of its batch, so the hash stands for all bytes of
// the segment, those that the CRC leaves out included: base offset, length and leader epoch. `end` is one past the last batch's
// last offset, `generation` how often compaction has written the range, as far as that is known.
//
// Made in the background (partition_digests.cpp), for segments that another one follows and that are synced, and by compaction
// for those that it writes. It goes, durably, before its segment is cut. Nothing is recovered by it: it is what `lungo log
// verify`, the scrub, whoever finishes an exchange, and where offsets may be missing the first use of a segment compare with.
// Threads: none of its own.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>

#include <lungo/log/record_batch.hpp>
#include <lungo/log/storage.hpp>

namespace lungo {

inline constexpr std::string_view kDigestSuffix = ".digest";
inline constexpr std::size_t kDigestFileBytes = 76;

struct SegmentDigest {
  Offset base;
  Offset end;
  std::uint64_t bytes = 0;
  std::uint64_t batches = 0;
  std::uint64_t records = 0;
  std::uint32_t generation = 0;
  std::array<std::byte, 16> hash{};
  friend bool operator==(const SegmentDigest&, const SegmentDigest&) = default;
};

/// Takes in the headers of a segment, one by one.
class HeaderDigest {
 public:
  explicit HeaderDigest(Offset base);
  ~HeaderDigest();
  HeaderDigest(HeaderDigest&&) noexcept;
  HeaderDigest& operator=(HeaderDigest&&) noexcept;

  /// `head` are the kBatchHeaderBytes that `header` was made from.
  void add(const BatchHeader& header, BytesView head);
  [[nodiscard]] SegmentDigest finish(std::uint32_t generation = 0) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
  SegmentDigest sums_;
};

/// How `found` differs from what was noted, in words; empty when it doesn't. The generation is not compared.
std::string difference(const SegmentDigest& noted, const SegmentDigest& found);

Bytes format_digest(const SegmentDigest& digest);
/// Of the file at `path`. Errors: corrupt; newer_format.
Result<SegmentDigest> parse_digest(const std::string& path, BytesView bytes);

/// Of the segment at `base`, whose files' names end with `end` behind all else; nothing when there is no file. Errors: corrupt,
/// also for another segment's; newer_format; io.
Result<std::optional<SegmentDigest>> read_digest(Storage& storage, const std::string& directory, Offset base,
                                                 std::string_view end = {});
/// Durably. Errors: no_space, io.
Result<void> write_digest(Storage& storage, const std::string& directory, const SegmentDigest& digest);
/// Durably, if it is there: before the segment changes. Errors: io.
Result<void> remove_digest(Storage& storage, const std::string& directory, Offset base);

}  // namespace lungo
