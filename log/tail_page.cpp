#include "tail_page.hpp"

#include <algorithm>

#include "base/byte_order.hpp"
#include "base/logger.hpp"

namespace lungo {

namespace {

constexpr std::string_view kMagic = "lungtail";
constexpr std::uint32_t kMajor = 2;
constexpr std::uint32_t kMajorOfEndsAlone = 1;
constexpr std::size_t kMajorAt = 8;
constexpr std::size_t kIncarnationAt = 16;
constexpr std::size_t kPlacesCountAt = 32;
constexpr std::size_t kChangesAt = 48;
constexpr std::size_t kPlacesAt = 64;
constexpr std::size_t kSlotBytes = 16;
constexpr std::size_t kPlaceBytes = 2 * kSlotBytes;
constexpr std::uint64_t kPageBytesMax = kPlacesAt + kTailPlacesMax * kPlaceBytes;

void store_slot(std::byte* at, std::int64_t value) {
  const auto bits = static_cast<std::uint64_t>(value);
  store_little_endian(at, bits);
  store_little_endian(at + 8, ~bits);
}

std::optional<std::int64_t> load_slot(BytesView page, std::size_t at) {
  if (page.size() < at + kSlotBytes) return std::nullopt;
  const auto bits = load_little_endian<std::uint64_t>(page.data() + at);
  if (load_little_endian<std::uint64_t>(page.data() + at + 8) != ~bits) return std::nullopt;
  return static_cast<std::int64_t>(bits);
}

std::optional<Offset> load_offset(BytesView page, std::size_t at) {
  const std::optional<std::int64_t> value = load_slot(page, at);
  return value && *value >= 0 ? std::optional{Offset{*value}} : std::nullopt;
}

std::size_t start_at(std::size_t place) { return kPlacesAt + place * kPlaceBytes; }
std::size_t end_at(std::size_t place) { return start_at(place) + kSlotBytes; }

}  // namespace

Result<std::unique_ptr<TailWriter>> TailWriter::open(Storage& storage, const std::string& path, LeaderEpoch incarnation,
                                                     const std::vector<TailPlace>& places) {
  Bytes page(start_at(places.size()));
  std::ranges::copy(as_bytes(kMagic), page.begin());
  store_little_endian(page.data() + kMajorAt, kMajor);
  store_slot(page.data() + kIncarnationAt, incarnation.value());
  store_slot(page.data() + kPlacesCountAt, static_cast<std::int64_t>(places.size()));
  for (std::size_t i = 0; i < places.size(); ++i) {
    if (places[i].start) store_slot(page.data() + start_at(i), places[i].start->value());
    if (places[i].end) store_slot(page.data() + end_at(i), places[i].end->value());
  }
  // A file of its own under the old one's name: no reader takes a part of this page and a part of that for one.
  const std::string fresh = path + ".tmp";
  Result<std::unique_ptr<File>> file = storage.open(fresh, OpenMode::create);
  if (!file) return file.error();
  if (Result<void> emptied = (*file)->truncate(0); !emptied) return emptied.error();
  if (Result<void> written = (*file)->write_at(0, page); !written) return written.error();
  if (Result<void> renamed = storage.rename(fresh, path); !renamed) return renamed.error();
  return std::unique_ptr<TailWriter>(new TailWriter(std::move(*file), path));
}

void TailWriter::publish(std::size_t place, Offset committed) { write_slot(end_at(place), committed.value()); }

void TailWriter::publish_start(std::size_t place, Offset start) { write_slot(start_at(place), start.value()); }

void TailWriter::publish_changes(std::int64_t changes) { write_slot(kChangesAt, changes); }

void TailWriter::write_slot(std::uint64_t position, std::int64_t value) {
  std::array<std::byte, kSlotBytes> slot;
  store_slot(slot.data(), value);
  const Result<void> written = file_->write_at(position, slot);
  if (!written && !failure_logged_.exchange(true)) {
    logger()->warn("{}; readers in other processes lag behind", written.error().text());
  }
}

Result<void> TailWriter::extend_to(std::size_t places) {
  // The bytes of slots that were never written are zeros, or not there at all: neither is a slot.
  std::array<std::byte, kSlotBytes> count;
  store_slot(count.data(), static_cast<std::int64_t>(places));
  return file_->write_at(kPlacesCountAt, count);
}

namespace {

/// The version of a page whose first bytes are these.
Result<std::uint32_t> version_of(BytesView page, const std::string& path) {
  if (page.size() < kPlacesAt || !as_text(page).starts_with(kMagic)) {
    return Error{Errc::corrupt, path + " is not a tail page"};
  }
  const auto major = load_little_endian<std::uint32_t>(page.data() + kMajorAt);
  if (major <= kMajor) return major;
  return Error{Errc::newer_format,
               path + " has version " + std::to_string(major) + ", this Lungo reads up to version " + std::to_string(kMajor)};
}

std::optional<LeaderEpoch> incarnation_in(BytesView page) {
  const std::optional<std::int64_t> incarnation = load_slot(page, kIncarnationAt);
  return incarnation ? std::optional{LeaderEpoch{static_cast<std::int32_t>(*incarnation)}} : std::nullopt;
}

std::uint64_t places_in(BytesView page) { return static_cast<std::uint64_t>(load_slot(page, kPlacesCountAt).value_or(0)); }

}  // namespace

Result<TailState> read_tail(Storage& storage, const std::string& path) {
  const Result<Bytes> page = read_file(storage, path, kPageBytesMax);
  if (!page) return page.error();
  const Result<std::uint32_t> major = version_of(*page, path);
  if (!major) return major.error();
  TailState state;
  state.in_order = *major == kMajorOfEndsAlone;
  state.incarnation = incarnation_in(*page);
  if (!state.in_order) state.changes = load_slot(*page, kChangesAt);
  const std::uint64_t count = places_in(*page);
  if (count > kTailPlacesMax) return Error{Errc::corrupt, path + " is not a tail page"};
  // Those that the page has not got hold nothing, however many it claims.
  const std::size_t place_bytes = state.in_order ? kSlotBytes : kPlaceBytes;
  const std::size_t held = std::min(count, (page->size() - kPlacesAt + place_bytes - 1) / place_bytes);
  state.places.reserve(held);
  for (std::size_t i = 0; i < held; ++i) {
    if (state.in_order) {
      state.places.push_back({.start = std::nullopt, .end = load_offset(*page, kPlacesAt + i * kSlotBytes)});
    } else {
      state.places.push_back({.start = load_offset(*page, start_at(i)), .end = load_offset(*page, end_at(i))});
    }
  }
  return state;
}

Result<TailOfPlace> read_tail_of(Storage& storage, const std::string& path, std::size_t place) {
  const Result<std::unique_ptr<File>> file = storage.open(path, OpenMode::read);
  if (!file) return file.error();
  Bytes head(kPlacesAt);
  const Result<std::size_t> read = (*file)->read_at(0, head);
  if (!read) return read.error();
  head.resize(*read);
  const Result<std::uint32_t> major = version_of(head, path);
  if (!major) return major.error();
  if (*major == kMajorOfEndsAlone) return Error{Errc::unsupported, path + " has version 1"};
  TailOfPlace found{.incarnation = incarnation_in(head), .place = {}};
  if (place >= places_in(head)) return found;
  Bytes slots(kPlaceBytes);
  const Result<std::size_t> there = (*file)->read_at(start_at(place), slots);
  if (!there) return there.error();
  slots.resize(*there);
  found.place = {.start = load_offset(slots, 0), .end = load_offset(slots, kSlotBytes)};
  return found;
}

}  // namespace lungo
