// Who a visitor is without knowing who: ids that name an (address, user agent) within one day and cannot be traced back.
//
//   salt(day) = HMAC-SHA256(secret, "visitor-day" day:int32 little-endian)
//   id        = first 16 bytes of HMAC-SHA256(salt(day), address 0x00 user-agent), base64url without padding, 22 characters
//
// The secret is 32 random bytes in DIR/tracker-secret (mode 0600), made once. Whoever lacks it can't tell which address an id
// belongs to, nor that ids of two days are one person; an import made again gives the same ids. It is never logged or exported.
// Threads: one at a time.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <lungo/log/clock.hpp>
#include <lungo/log/result.hpp>
#include <lungo/log/storage.hpp>

#include "ingest/user_agent.hpp"

namespace tracker {

/// 32 bytes that nobody else knows. Prints as nothing on purpose: there is no way to text.
class Secret {
 public:
  using Key = std::array<unsigned char, 32>;

  /// Reads DIR/tracker-secret and narrows its mode to 0600. Errors: not_found, corrupt (not 32 bytes); io.
  static lungo::Result<Secret> load(lungo::Storage& storage, const std::string& directory);
  /// The same, or makes it durably when absent. Errors: corrupt; no_space, io.
  static lungo::Result<Secret> load_or_create(lungo::Storage& storage, const std::string& directory, lungo::Randomness& random);

  /// HMAC-SHA256(HMAC-SHA256(secret, label), text): a key for purpose `label`, which tells nothing of the secret or of another.
  [[nodiscard]] Key key_for(std::string_view label, std::string_view text) const;
  /// Its first 8 bytes; a keyed hash whose input can't be guessed by trying.
  [[nodiscard]] std::uint64_t hash64(std::string_view label, std::string_view text) const;
  /// What tells it from other secrets, and may be stored: it says nothing else about it.
  [[nodiscard]] std::uint64_t check_value() const { return hash64("secret-check", ""); }

 private:
  friend class VisitorIds;
  Key bytes_{};
};

/// What is known of the one who sent a line.
struct Visitor {
  std::array<std::byte, 16> bytes;
  std::array<char, 22> id;  // the bytes as text
  UserAgent agent;
  [[nodiscard]] std::string_view id_text() const { return {id.data(), id.size()}; }
};

class VisitorIds {
 public:
  explicit VisitorIds(const Secret& secret);
  ~VisitorIds();
  VisitorIds(const VisitorIds&) = delete;
  VisitorIds& operator=(const VisitorIds&) = delete;

  /// The visitor behind a line of `day`. Remembered, so that the HMAC is computed about once per visitor and day; the memory
  /// is bounded (about 20 MB) and starts afresh when full. The reference holds until the next call.
  const Visitor& of(std::chrono::sys_days day, std::string_view address, std::string_view user_agent);

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace tracker
