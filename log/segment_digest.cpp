#include "segment_digest.hpp"

#include <xxhash.h>

#include <lungo/log/check.hpp>

#include "base/byte_order.hpp"
#include "base/crc32c.hpp"
#include "segment.hpp"

namespace lungo {
namespace {

constexpr std::uint32_t kMagic = 0x4744474c;  // "LGDG"
constexpr std::uint16_t kVersion = 1;
constexpr std::size_t kHashAt = 56;
constexpr std::size_t kDigestCrcAt = 72;

std::string path_of(const std::string& directory, Offset base) {
  return directory + "/" + segment_file_name(base, kDigestSuffix);
}

}  // namespace

struct HeaderDigest::State {
  struct Free {
    void operator()(XXH3_state_t* state) const { XXH3_freeState(state); }
  };
  std::unique_ptr<XXH3_state_t, Free> hash{XXH3_createState()};
};

HeaderDigest::HeaderDigest(Offset base) : state_(std::make_unique<State>()) {
  check(state_->hash != nullptr && XXH3_128bits_reset(state_->hash.get()) == XXH_OK, "a hash can begin");
  sums_.base = sums_.end = base;
}

HeaderDigest::~HeaderDigest() = default;
HeaderDigest::HeaderDigest(HeaderDigest&&) noexcept = default;
HeaderDigest& HeaderDigest::operator=(HeaderDigest&&) noexcept = default;

void HeaderDigest::add(const BatchHeader& header, BytesView head) {
  XXH3_128bits_update(state_->hash.get(), head.data(), head.size());
  sums_.end = header.end_offset();
  sums_.bytes += header.size_bytes();
  sums_.batches += 1;
  sums_.records += static_cast<std::uint64_t>(header.records_count);
}

SegmentDigest HeaderDigest::finish(std::uint32_t generation) const {
  SegmentDigest digest = sums_;
  digest.generation = generation;
  XXH128_canonical_t canonical{};
  XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest(state_->hash.get()));
  static_assert(sizeof canonical.digest == sizeof digest.hash);
  std::memcpy(digest.hash.data(), canonical.digest, sizeof canonical.digest);
  return digest;
}

std::string difference(const SegmentDigest& noted, const SegmentDigest& found) {
  const auto differs = [](std::string_view what, std::uint64_t before, std::uint64_t now) {
    return std::string(what) + " are " + std::to_string(now) + ", " + std::to_string(before) + " were sealed";
  };
  if (noted.bytes != found.bytes) return differs("its bytes", noted.bytes, found.bytes);
  if (noted.batches != found.batches) return differs("its batches", noted.batches, found.batches);
  if (noted.records != found.records) return differs("its records", noted.records, found.records);
  if (noted.end != found.end) {
    return "it ends at offset " + std::to_string(found.end.value()) + ", and was sealed at " +
           std::to_string(noted.end.value());
  }
  return noted.hash == found.hash ? std::string{} : "headers of its batches are not those that were sealed";
}

Bytes format_digest(const SegmentDigest& digest) {
  Bytes bytes(kDigestFileBytes);
  std::byte* const at = bytes.data();
  store_little_endian(at, kMagic);
  store_little_endian(at + 4, kVersion);
  store_little_endian(at + 8, digest.base.value());
  store_little_endian(at + 16, digest.end.value());
  store_little_endian(at + 24, digest.bytes);
  store_little_endian(at + 32, digest.batches);
  store_little_endian(at + 40, digest.records);
  store_little_endian(at + 48, digest.generation);
  std::memcpy(at + kHashAt, digest.hash.data(), digest.hash.size());
  store_little_endian(at + kDigestCrcAt, crc32c(BytesView{bytes}.first(kDigestCrcAt)));
  return bytes;
}

Result<SegmentDigest> parse_digest(const std::string& path, BytesView bytes) {
  const std::byte* const at = bytes.data();
  if (bytes.size() < 8 || load_little_endian<std::uint32_t>(at) != kMagic) {
    return Error{Errc::corrupt, path + " is no digest of a segment"};
  }
  if (const auto version = load_little_endian<std::uint16_t>(at + 4); version > kVersion) {
    return Error{Errc::newer_format,
                 path + " has version " + std::to_string(version) + ", this program knows " + std::to_string(kVersion)};
  }
  if (bytes.size() != kDigestFileBytes ||
      load_little_endian<std::uint32_t>(at + kDigestCrcAt) != crc32c(bytes.first(kDigestCrcAt))) {
    return Error{Errc::corrupt, path + " fails its check"};
  }
  SegmentDigest digest{.base = Offset{load_little_endian<std::int64_t>(at + 8)},
                       .end = Offset{load_little_endian<std::int64_t>(at + 16)},
                       .bytes = load_little_endian<std::uint64_t>(at + 24),
                       .batches = load_little_endian<std::uint64_t>(at + 32),
                       .records = load_little_endian<std::uint64_t>(at + 40),
                       .generation = load_little_endian<std::uint32_t>(at + 48)};
  std::memcpy(digest.hash.data(), at + kHashAt, digest.hash.size());
  return digest;
}

Result<std::optional<SegmentDigest>> read_digest(Storage& storage, const std::string& directory, Offset base,
                                                 std::string_view end) {
  const std::string path = path_of(directory, base) + std::string(end);
  const Result<Bytes> bytes = read_file(storage, path, 2 * kDigestFileBytes);
  if (!bytes && bytes.error() == Errc::not_found) return std::optional<SegmentDigest>{};
  if (!bytes && bytes.error() == Errc::too_large) return Error{Errc::corrupt, std::string(bytes.error().text())};
  if (!bytes) return bytes.error();
  const Result<SegmentDigest> digest = parse_digest(path, *bytes);
  if (!digest) return digest.error();
  if (digest->base != base) {
    return Error{Errc::corrupt, path + " speaks of the segment at offset " + std::to_string(digest->base.value())};
  }
  return std::optional{*digest};
}

Result<void> write_digest(Storage& storage, const std::string& directory, const SegmentDigest& digest) {
  return write_file_atomically(storage, path_of(directory, digest.base), format_digest(digest));
}

Result<void> remove_digest(Storage& storage, const std::string& directory, Offset base) {
  const Result<void> removed = storage.remove(path_of(directory, base));
  if (!removed) return removed.error() == Errc::not_found ? Result<void>{} : removed;
  return storage.sync_directory(directory);
}

}  // namespace lungo
