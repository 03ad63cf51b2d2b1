// Which record stands at an offset, told in few bytes: to find out whether two logs, or one log before and now, have the same.
//
// Threads: none.
#pragma once

#include <cstdint>

#include <lungo/log/record_batch.hpp>

namespace lungo {

struct RecordProof {
  Offset offset;
  Timestamp time;
  std::uint32_t crc =
      0;  // CRC-32C of the record's body (record_batch.hpp): key, value and headers, also which of them are null
  friend bool operator==(const RecordProof&, const RecordProof&) = default;
};

/// Of a record that lies at `offset`, in whatever form it comes.
RecordProof record_proof(Offset offset, const RecordFields& record);
RecordProof record_proof(const RecordView& record);

}  // namespace lungo
