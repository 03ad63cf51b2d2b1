#include "tail_page.hpp"

#include <algorithm>

#include "base/byte_order.hpp"
#include "base/logger.hpp"

namespace lungo {

namespace {

constexpr std::string_view kMagic = "lungtail";
constexpr std::uint32_t kMajor = 1;
constexpr std::size_t kMajorAt = 8;
constexpr std::size_t kIncarnationAt = 16;
constexpr std::size_t kPartitionsAt = 32;
constexpr std::size_t kEndsAt = 64;
constexpr std::size_t kSlotBytes = 16;
constexpr std::uint64_t kPageBytesMax = 64u << 20;
constexpr std::int64_t kPartitionsMax = kPageBytesMax / kSlotBytes;

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

std::size_t end_at(std::size_t partition) { return kEndsAt + partition * kSlotBytes; }

}  // namespace

Result<std::unique_ptr<TailWriter>> TailWriter::open(Storage& storage, const std::string& path, LeaderEpoch incarnation,
                                                     const std::vector<Offset>& ends) {
  Result<std::unique_ptr<File>> file = storage.open(path, OpenMode::create);
  if (!file) return file.error();
  std::unique_ptr<TailWriter> tail(new TailWriter(std::move(*file), path));

  Bytes page(end_at(ends.size()));
  std::ranges::copy(as_bytes(kMagic), page.begin());
  store_little_endian(page.data() + kMajorAt, kMajor);
  store_slot(page.data() + kPartitionsAt, static_cast<std::int64_t>(ends.size()));
  for (std::size_t i = 0; i < ends.size(); ++i) store_slot(page.data() + end_at(i), ends[i].value());
  // The incarnation is still zeros, which is no slot: readers wait until the ends are this writer's.
  if (Result<void> written = tail->file_->write_at(0, page); !written) return written.error();
  store_slot(page.data() + kIncarnationAt, incarnation.value());
  const BytesView slot = BytesView(page).subspan(kIncarnationAt, kSlotBytes);
  if (Result<void> written = tail->file_->write_at(kIncarnationAt, slot); !written) return written.error();
  return tail;
}

void TailWriter::publish(std::size_t partition, Offset committed) {
  std::array<std::byte, kSlotBytes> slot;
  store_slot(slot.data(), committed.value());
  const Result<void> written = file_->write_at(end_at(partition), slot);
  if (!written && !failure_logged_.exchange(true)) {
    logger()->warn("{}; readers in other processes lag behind", written.error().text());
  }
}

Result<void> TailWriter::extend_to(std::size_t partitions) {
  // The bytes of slots that were never written are zeros, or not there at all: neither is a slot.
  std::array<std::byte, kSlotBytes> count;
  store_slot(count.data(), static_cast<std::int64_t>(partitions));
  return file_->write_at(kPartitionsAt, count);
}

Result<TailState> read_tail(Storage& storage, const std::string& path) {
  const Result<Bytes> page = read_file(storage, path, kPageBytesMax);
  if (!page) return page.error();
  if (page->size() < kEndsAt || !as_text(*page).starts_with(kMagic)) {
    return Error{Errc::corrupt, path + " is not a tail page"};
  }
  const auto major = load_little_endian<std::uint32_t>(page->data() + kMajorAt);
  if (major > kMajor) {
    return Error{Errc::newer_format, path + " has version " + std::to_string(major) + ", this Lungo reads up to version 1"};
  }
  TailState state;
  if (const std::optional<std::int64_t> incarnation = load_slot(*page, kIncarnationAt)) {
    state.incarnation = LeaderEpoch{static_cast<std::int32_t>(*incarnation)};
  }
  const std::int64_t partitions = load_slot(*page, kPartitionsAt).value_or(0);
  if (partitions < 0 || partitions > kPartitionsMax) return Error{Errc::corrupt, path + " is not a tail page"};
  for (std::size_t i = 0; i < static_cast<std::size_t>(partitions); ++i) {
    const std::optional<std::int64_t> end = load_slot(*page, end_at(i));
    state.ends.push_back(end && *end >= 0 ? std::optional{Offset{*end}} : std::nullopt);
  }
  return state;
}

}  // namespace lungo
