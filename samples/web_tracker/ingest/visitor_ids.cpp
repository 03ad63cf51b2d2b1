#include "ingest/visitor_ids.hpp"

#include <openssl/evp.h>
#include <openssl/params.h>
#include <xxhash.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <optional>
#include <span>
#include <vector>

#include <lungo/log/check.hpp>

namespace tracker {
namespace {

using lungo::Errc;
using lungo::Error;
using lungo::Result;

using Digest = Secret::Key;

// HMAC-SHA256 under one key, again and again without setting the key up anew.
class Hmac {
 public:
  explicit Hmac(std::span<const unsigned char> key) : algorithm_(EVP_MAC_fetch(nullptr, "HMAC", nullptr), EVP_MAC_free) {
    lungo::check(algorithm_ != nullptr, "OpenSSL has HMAC");
    context_ = {EVP_MAC_CTX_new(algorithm_.get()), EVP_MAC_CTX_free};
    char digest_name[] = "SHA256";
    const OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string("digest", digest_name, 0), OSSL_PARAM_construct_end()};
    lungo::check(context_ && EVP_MAC_init(context_.get(), key.data(), key.size(), parameters) == 1, "HMAC-SHA256 takes a key");
  }

  Digest operator()(std::string_view text) {
    Digest digest;
    std::size_t size = 0;
    const bool done = EVP_MAC_init(context_.get(), nullptr, 0, nullptr) == 1 &&
                      EVP_MAC_update(context_.get(), reinterpret_cast<const unsigned char*>(text.data()), text.size()) == 1 &&
                      EVP_MAC_final(context_.get(), digest.data(), &size, digest.size()) == 1;
    lungo::check(done && size == digest.size(), "HMAC-SHA256 gives 32 bytes");
    return digest;
  }

 private:
  std::unique_ptr<EVP_MAC, void (*)(EVP_MAC*)> algorithm_;
  std::unique_ptr<EVP_MAC_CTX, void (*)(EVP_MAC_CTX*)> context_{nullptr, EVP_MAC_CTX_free};
};

// 16 bytes as 22 characters. Without the string that lungo::to_base64() makes, which costs a new visitor 4 % more time.
std::array<char, 22> base64url(const unsigned char* bytes) {
  constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::array<char, 22> text{};
  std::uint32_t bits = 0;
  int held = 0;
  std::size_t at = 0;
  for (int i = 0; i < 16; ++i) {
    bits = (bits << 8) | bytes[i];
    for (held += 8; held >= 6; held -= 6) text[at++] = kAlphabet[(bits >> (held - 6)) & 63];
  }
  text[at] = kAlphabet[(bits << (6 - held)) & 63];
  return text;
}

std::string secret_path(const std::string& directory) { return directory + "/tracker-secret"; }

}  // namespace

Result<Secret> Secret::load_or_create(lungo::Storage& storage, const std::string& directory, lungo::Randomness& random) {
  Result<Secret> loaded = load(storage, directory);
  if (loaded || loaded.error().code() != Errc::not_found) return loaded;
  Secret secret;
  const std::span<std::byte> bytes = std::as_writable_bytes(std::span{secret.bytes_});
  random.fill(bytes);
  const Result<void> written = lungo::write_file_atomically(storage, secret_path(directory), bytes);
  if (!written) return written.error();
  return secret;
}

Result<Secret> Secret::load(lungo::Storage& storage, const std::string& directory) {
  const std::string path = secret_path(directory);
  Secret secret;
  const Result<lungo::Bytes> bytes = lungo::read_file(storage, path, secret.bytes_.size());
  if (!bytes && bytes.error().code() != Errc::too_large) return bytes.error();
  if (!bytes || bytes->size() != secret.bytes_.size()) {
    return Error{Errc::corrupt, path + " does not hold 32 bytes; without the right secret, visitors would get other ids"};
  }
  std::memcpy(secret.bytes_.data(), bytes->data(), bytes->size());
  // The storage makes files for their owner only; one that was put back from a backup may have another mode.
  std::error_code failed;
  std::filesystem::permissions(path, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write, failed);
  if (failed) return Error{Errc::io, "narrow the mode of " + path + ": " + failed.message()};
  return secret;
}

Secret::Key Secret::key_for(std::string_view label, std::string_view text) const { return Hmac{Hmac{bytes_}(label)}(text); }

std::uint64_t Secret::hash64(std::string_view label, std::string_view text) const {
  const Digest digest = key_for(label, text);
  std::uint64_t hash = 0;
  std::memcpy(&hash, digest.data(), sizeof hash);
  return hash;
}

// An open-addressing table over one arena of keys: no allocation per visitor, and a bound that is easy to see.
struct VisitorIds::Parts {
  static constexpr std::size_t kSlots = 1u << 17;
  static constexpr std::size_t kVisitorsMax = kSlots / 2;
  static constexpr std::size_t kArenaMax = 12u << 20;

  struct Slot {
    std::uint64_t hash = 0;
    std::uint32_t key_begin = 0;
    std::uint32_t key_size = 0;  // 0: free
    std::uint32_t visitor = 0;
  };

  explicit Parts(const Secret& given) : secret(given), slots(kSlots) {}

  void forget_all() {
    std::fill(slots.begin(), slots.end(), Slot{});
    arena.clear();
    visitors.clear();
  }

  Hmac& hmac_of(std::chrono::sys_days day) {
    // Two days are open at once around midnight, since lines go back in time.
    for (auto& [salted_day, hmac] : salts) {
      if (hmac && salted_day == day) return *hmac;
    }
    std::string label = "visitor-day";
    const auto number = static_cast<std::uint32_t>(day.time_since_epoch().count());
    for (const int shift : {0, 8, 16, 24}) label.push_back(static_cast<char>((number >> shift) & 255));
    const Digest salt = Hmac{secret.bytes_}(label);
    std::swap(salts[0], salts[1]);
    salts[0].first = day;
    salts[0].second.emplace(salt);
    return *salts[0].second;
  }

  Secret secret;
  std::array<std::pair<std::chrono::sys_days, std::optional<Hmac>>, 2> salts;
  std::vector<Slot> slots;
  std::string arena;
  std::vector<Visitor> visitors;
  std::string key;
};

VisitorIds::VisitorIds(const Secret& secret) : parts_(std::make_unique<Parts>(secret)) {}
VisitorIds::~VisitorIds() = default;

const Visitor& VisitorIds::of(std::chrono::sys_days day, std::string_view address, std::string_view user_agent) {
  Parts& parts = *parts_;
  const auto number = static_cast<std::int32_t>(day.time_since_epoch().count());
  parts.key.assign(reinterpret_cast<const char*>(&number), sizeof number);
  parts.key += address;
  parts.key.push_back('\0');
  parts.key += user_agent;
  const std::uint64_t hash = XXH3_64bits(parts.key.data(), parts.key.size());

  std::size_t at = hash & (Parts::kSlots - 1);
  for (; parts.slots[at].key_size != 0; at = (at + 1) & (Parts::kSlots - 1)) {
    const Parts::Slot& slot = parts.slots[at];
    if (slot.hash == hash && std::string_view{parts.arena}.substr(slot.key_begin, slot.key_size) == parts.key) {
      return parts.visitors[slot.visitor];
    }
  }
  if (parts.visitors.size() >= Parts::kVisitorsMax || parts.arena.size() + parts.key.size() > Parts::kArenaMax) {
    parts.forget_all();
    at = hash & (Parts::kSlots - 1);
  }
  const Digest digest = parts.hmac_of(day)(std::string_view{parts.key}.substr(sizeof number));
  parts.slots[at] = {.hash = hash,
                     .key_begin = static_cast<std::uint32_t>(parts.arena.size()),
                     .key_size = static_cast<std::uint32_t>(parts.key.size()),
                     .visitor = static_cast<std::uint32_t>(parts.visitors.size())};
  parts.arena += parts.key;
  Visitor visitor{.bytes = {}, .id = base64url(digest.data()), .agent = judge_user_agent(user_agent)};
  std::memcpy(visitor.bytes.data(), digest.data(), visitor.bytes.size());
  parts.visitors.push_back(visitor);
  return parts.visitors.back();
}

}  // namespace tracker
