// What Kafka's codecs make of the records of a batch, and back.
//
//   gzip     RFC 1952 members
//   snappy   xerial's framing: 82 'S' 'N' 'A' 'P' 'P' 'Y' 00 version:int32=1 compatible:int32=1 (length:int32 block)*, the
//   numbers
//            big-endian, a block of 32 KiB of ours; a single raw block without the framing is read too
//   lz4      one LZ4 frame; ours has independent blocks of 64 KiB and no content size, as Kafka's reader asks for
//   zstd     frames
//
// Promise: whatever the bytes are, decompress() ends, writes no more than `cap` bytes, and takes no memory that the bytes
// merely claim to need: a window of zstd is never made (the frame is decoded in one go into the output), inflate's is 32 KiB,
// and a frame of LZ4 has 4 MiB of blocks at most. Threads: any; nothing is shared.
#pragma once

#include <optional>

#include <lungo/log/bytes.hpp>
#include <lungo/log/compression.hpp>
#include <lungo/log/result.hpp>

namespace lungo {

/// The most that a batch's `compressed` bytes may become: 1,024 times as much and 64 KiB, never above 64 MiB.
std::size_t decompressed_bytes_max(std::size_t compressed);

/// Compresses `input` and adds it at the end of `out`. Without `level`: the codec's own. Kafka's levels are taken: gzip 1 to 9,
/// lz4 1 to 17, zstd from below zero to 22; snappy has none.
/// Errors: invalid_argument for a level that the codec lacks; unsupported for no codec.
Result<void> compress(Compression codec, BytesView input, Bytes& out, std::optional<int> level = std::nullopt);

/// Decompresses into the front of `out`, which only ever grows, and not because of this above `cap`; returns how many bytes.
/// Errors: corrupt for bytes that are no whole stream of the codec, or have others behind it; too_large above `cap`;
/// unsupported for no codec.
Result<std::size_t> decompress(Compression codec, BytesView input, std::size_t cap, Bytes& out);

}  // namespace lungo
