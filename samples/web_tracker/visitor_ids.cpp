#include "visitor_ids.hpp"

#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <span>
#include <vector>

#include <lungo/log/check.hpp>

namespace tracker {
namespace {

using lungo::Errc;
using lungo::Error;
using lungo::Result;

using Digest = std::array<unsigned char, 32>;

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

// 16 bytes as 22 characters.
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

Error system_error(const std::string& what) {
  const int code = errno;
  const Errc full = code == ENOSPC || code == EDQUOT ? Errc::no_space : Errc::io;
  return {code == ENOENT ? Errc::not_found : full, what + ": " + std::strerror(code)};
}

class FileDescriptor {
 public:
  explicit FileDescriptor(int value) : value_(value) {}
  ~FileDescriptor() {
    if (value_ >= 0) ::close(value_);
  }
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;
  [[nodiscard]] int value() const { return value_; }

 private:
  int value_;
};

std::string secret_path(const std::string& directory) { return directory + "/tracker-secret"; }

// Under a temporary name first, so that a crash never leaves a short secret behind.
Result<void> write_secret(const std::string& directory, const std::string& path, std::span<const unsigned char> bytes) {
  const std::string draft = path + ".new";
  ::unlink(draft.c_str());
  const FileDescriptor file{::open(draft.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600)};
  if (file.value() < 0) return system_error("make " + draft);
  if (::write(file.value(), bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size()))
    return system_error("write " + draft);
  if (::fsync(file.value()) != 0) return system_error("sync " + draft);
  if (::rename(draft.c_str(), path.c_str()) != 0) return system_error("rename to " + path);
  const FileDescriptor parent{::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (parent.value() < 0 || ::fsync(parent.value()) != 0) return system_error("sync " + directory);
  return {};
}

}  // namespace

Result<Secret> Secret::load_or_create(const std::string& directory, lungo::Randomness& random) {
  Result<Secret> loaded = load(directory);
  if (loaded || loaded.error().code() != Errc::not_found) return loaded;
  Secret secret;
  random.fill(std::as_writable_bytes(std::span{secret.bytes_}));
  const Result<void> written = write_secret(directory, secret_path(directory), secret.bytes_);
  if (!written) return written.error();
  return secret;
}

Result<Secret> Secret::load(const std::string& directory) {
  const std::string path = secret_path(directory);
  Secret secret;
  const FileDescriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (file.value() < 0) return system_error("open " + path);
  struct stat status {};
  if (::fstat(file.value(), &status) != 0) return system_error("look at " + path);
  if ((status.st_mode & 0777) != 0600 && ::fchmod(file.value(), 0600) != 0) return system_error("narrow the mode of " + path);
  const ssize_t size = ::read(file.value(), secret.bytes_.data(), secret.bytes_.size());
  if (size < 0) return system_error("read " + path);
  if (static_cast<std::size_t>(size) != secret.bytes_.size() || status.st_size != size) {
    return Error{Errc::corrupt, path + " does not hold 32 bytes; without the right secret, visitors would get other ids"};
  }
  return secret;
}

std::uint64_t Secret::hash64(std::string_view label, std::string_view text) const {
  const Digest key = Hmac{bytes_}(label);
  const Digest digest = Hmac{key}(text);
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
