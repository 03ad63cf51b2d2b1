#include <lungo/log/record_proof.hpp>

#include <vector>

#include "record_writing.hpp"

namespace lungo {

// Of the shortest encoding, which is ours: other producers may write a length with more bytes than it takes.
RecordProof record_proof(Offset offset, const RecordFields& record) {
  GrowingBytes body;
  body.take_to(write_body(body.make_room(body_size(record)), record));
  return {.offset = offset, .time = record.timestamp, .crc = crc32c(body.view())};
}

RecordProof record_proof(const RecordView& record) {
  std::vector<HeaderView> headers;
  HeaderCursor cursor{record};
  while (const HeaderView* header = cursor.next()) headers.push_back(*header);
  return record_proof(record.offset, {.timestamp = record.timestamp,
                                      .key = record.has_key ? std::optional{record.key} : std::nullopt,
                                      .value = record.has_value ? std::optional{record.value} : std::nullopt,
                                      .headers = headers});
}

}  // namespace lungo
