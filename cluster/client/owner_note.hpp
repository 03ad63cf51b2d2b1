// What an owner of partitions leaves in its group beside each counter, as the offset's metadata: who it is, so that others find
// it, and whose transaction a successor has to end. For `ownership_core`, the writer, and who asks for an owner.
//
//   note   = "lungo1" " " MEMBER " " TXID " " ENDPOINT *( " " FIELD )     FIELD: for later versions, passed over by this one
//   MEMBER, TXID, ENDPOINT: of the bytes below 0x21, above 0x7e and "%" each is "%" and two upper-case hex digits; an empty one
//   is
//   "-", and what is "-" is "%2D"
//
//   "lungo1 rdkafka-7b0c... shop.w.00ff... 10.0.0.7:8080"
//
// Promise: parse gives back what was formatted. A note is never longer than kOwnerNoteBytesMax, the broker's limit
// (offset.metadata.max.bytes). Pure; any thread.
#pragma once

#include <string>
#include <string_view>

#include <lungo/log/result.hpp>

namespace lungo {

inline constexpr std::size_t kOwnerNoteBytesMax = 4'096;

struct OwnerNote {
  std::string member;            // the group's name for the process, which the coordinator gave
  std::string transactional_id;  // of its producer
  std::string endpoint;          // where applications reach it; empty where it says nothing
  friend bool operator==(const OwnerNote&, const OwnerNote&) = default;
};

/// Errors: too_large, with the bytes that it would have.
Result<std::string> format_owner_note(const OwnerNote& note);

/// Errors: newer_format for `lungo2` and above; corrupt for all else that format never writes, the empty text among it, which
/// is what a foreign commit into the group leaves.
Result<OwnerNote> parse_owner_note(std::string_view text);

}  // namespace lungo
