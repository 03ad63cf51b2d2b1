#include "backup_manifest.hpp"

#include <xxhash.h>

#include <memory>

#include <lungo/log/check.hpp>
#include <lungo/log/text.hpp>

namespace lungo {
namespace {

constexpr std::string_view kKind = "backup";
constexpr int kMajor = 1;
constexpr std::size_t kPieceBytes = 1u << 20;
constexpr std::size_t kHashDigits = 32;

/// Takes "NUMBER " off the front.
template <std::integral Number>
std::optional<Number> take_field(std::string_view& text) {
  const std::optional<Number> number = take_number<Number>(text);
  if (!number || !text.starts_with(' ')) return std::nullopt;
  text.remove_prefix(1);
  return number;
}

/// "a/b" or "a": nothing that leads elsewhere.
bool stays_inside(std::string_view path) {
  if (path.empty()) return false;
  while (!path.empty()) {
    const std::size_t slash = path.find('/');
    const std::string_view part = path.substr(0, slash);
    if (part.empty() || part == "." || part == "..") return false;
    path = slash == std::string_view::npos ? std::string_view{} : path.substr(slash + 1);
    if (slash != std::string_view::npos && path.empty()) return false;
  }
  return true;
}

bool parse_file(std::string_view text, BackupManifest& manifest) {
  const auto size = take_field<std::uint64_t>(text);
  if (!size || text.size() < kHashDigits + 2 || text[kHashDigits] != ' ') return false;
  BackedUpFile file{
      .path = std::string(text.substr(kHashDigits + 1)), .size = *size, .hash = std::string(text.substr(0, kHashDigits))};
  if (!stays_inside(file.path)) return false;
  manifest.files.push_back(std::move(file));
  return true;
}

bool parse_partition(std::string_view text, BackupManifest& manifest) {
  const auto start = take_field<std::int64_t>(text);
  const auto end = start ? take_field<std::int64_t>(text) : std::nullopt;
  const auto crc = end ? take_field<std::uint32_t>(text) : std::nullopt;
  if (!crc || *start < 0 || *end < *start || text.empty()) return false;
  manifest.partitions.push_back({std::string(text), Offset{*start}, Offset{*end}, *crc});
  return true;
}

bool parse_damage(std::string_view text, BackupManifest& manifest) {
  const auto from = take_field<std::int64_t>(text);
  const auto end = from ? take_field<std::int64_t>(text) : std::nullopt;
  if (!end || text.empty()) return false;
  manifest.damage.push_back({std::string(text), Offset{*from}, Offset{*end}});
  return true;
}

}  // namespace

std::string format_manifest(const BackupManifest& manifest) {
  Properties lines{{"directory.id", manifest.directory_id},
                   {"epoch", std::to_string(manifest.epoch)},
                   {"taken.ms", std::to_string(manifest.taken_ms)}};
  for (const BackedUpFile& file : manifest.files) {
    lines.push_back({"file", std::to_string(file.size) + " " + file.hash + " " + file.path});
  }
  for (const BackedUpPartition& partition : manifest.partitions) {
    lines.push_back({"partition", std::to_string(partition.start.value()) + " " + std::to_string(partition.end.value()) + " " +
                                      std::to_string(partition.last_batch_crc) + " " + partition.name});
  }
  for (const BackedUpDamage& damage : manifest.damage) {
    lines.push_back(
        {"damaged", std::to_string(damage.from.value()) + " " + std::to_string(damage.end.value()) + " " + damage.partition});
  }
  return format_property_file(kKind, kMajor, lines);
}

Result<BackupManifest> parse_manifest(const std::string& path, BytesView bytes) {
  const Result<Properties> lines = parse_property_file(kKind, kMajor, path, bytes);
  if (!lines) return lines.error();
  BackupManifest manifest;
  for (const Property& line : *lines) {
    bool is_good = true;
    if (line.key == "directory.id") {
      manifest.directory_id = line.value;
    } else if (line.key == "epoch" || line.key == "taken.ms") {
      const Result<std::int64_t> number = number_of(line, path);
      if (!number) return number.error();
      (line.key == "epoch" ? manifest.epoch : manifest.taken_ms) = *number;
    } else if (line.key == "file") {
      is_good = parse_file(line.value, manifest);
    } else if (line.key == "partition") {
      is_good = parse_partition(line.value, manifest);
    } else if (line.key == "damaged") {
      is_good = parse_damage(line.value, manifest);
    }
    if (!is_good) return Error{Errc::corrupt, path + ": " + line.key + "=" + line.value + " can't be"};
  }
  return manifest;
}

Result<BackedUpFile> hash_of_file(Storage& storage, const std::string& path,
                                  const std::function<void(std::uint64_t)>& read_some) {
  struct Free {
    void operator()(XXH3_state_t* state) const { XXH3_freeState(state); }
  };
  const Result<std::unique_ptr<File>> file = storage.open(path, OpenMode::read);
  if (!file) return file.error();
  const std::unique_ptr<XXH3_state_t, Free> state{XXH3_createState()};
  check(state != nullptr && XXH3_128bits_reset(state.get()) == XXH_OK, "a hash can begin");
  Bytes piece(kPieceBytes);
  BackedUpFile found{.path = path};
  for (;;) {
    const Result<std::size_t> read = (*file)->read_at(found.size, piece);
    if (!read) return read.error();
    if (*read == 0) break;
    XXH3_128bits_update(state.get(), piece.data(), *read);
    found.size += *read;
    if (read_some) read_some(*read);
  }
  XXH128_canonical_t canonical{};
  XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest(state.get()));
  found.hash = to_hex(std::as_bytes(std::span{canonical.digest}));
  return found;
}

}  // namespace lungo
