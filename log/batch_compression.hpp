// Batches whose records are compressed: what is behind the header, and back.
//
// For log/ only. What is written is what can be read: a batch that a reader's limits would refuse stays as it is.
#pragma once

#include <lungo/log/compression.hpp>
#include <lungo/log/record_batch.hpp>

namespace lungo {

/// The finished batch with its records compressed, in `out`; the batch itself where that saves nothing, or where its records
/// are more than decompressed_bytes_max() allows. Its place in the log stays.
BytesView compressed_batch(BytesView batch, Compression codec, Bytes& out);

/// Decompresses the records of a whole batch into the front of `out`, and returns them. Errors: corrupt, too_large; unsupported
/// for a codec without a name. Their text names the batch.
Result<BytesView> decompressed_records(const BatchHeader& header, BytesView batch, Bytes& out);

}  // namespace lungo
