#include "synced_mark.hpp"

#include <array>

#include "base/byte_order.hpp"
#include "base/crc32c.hpp"

namespace lungo {
namespace {

constexpr std::uint32_t kMagic = 0x4553474c;  // "LGSE"
constexpr std::uint16_t kVersion = 1;
constexpr std::size_t kSlotBytes = 28;
constexpr std::size_t kCheckedBytes = 24;
constexpr std::uint64_t kSlotDistance = 4096;  // no write and no sector spans both
constexpr Duration kSyncInterval = std::chrono::seconds{1};

using Slot = std::array<std::byte, kSlotBytes>;

struct SlotContents {
  std::uint64_t sequence = 0;
  Offset end;
};

Slot to_slot(const SlotContents& contents) {
  Slot slot{};
  store_little_endian(slot.data(), kMagic);
  store_little_endian(slot.data() + 4, kVersion);
  store_little_endian(slot.data() + 8, contents.sequence);
  store_little_endian(slot.data() + 16, contents.end.value());
  store_little_endian(slot.data() + kCheckedBytes, crc32c(BytesView{slot}.first(kCheckedBytes)));
  return slot;
}

// Nothing for a torn or empty slot.
Result<std::optional<SlotContents>> read_slot(File& file, std::uint64_t position) {
  Slot slot{};
  const Result<std::size_t> read = file.read_at(position, slot);
  if (!read) return read.error();
  const std::uint32_t crc = load_little_endian<std::uint32_t>(slot.data() + kCheckedBytes);
  if (*read != slot.size() || load_little_endian<std::uint32_t>(slot.data()) != kMagic ||
      crc != crc32c(BytesView{slot}.first(kCheckedBytes))) {
    return std::optional<SlotContents>{};
  }
  const auto version = load_little_endian<std::uint16_t>(slot.data() + 4);
  if (version != kVersion) {
    return Error{Errc::newer_format, std::string(SyncedMark::kFileName) + " has version " + std::to_string(version)};
  }
  return std::optional{SlotContents{.sequence = load_little_endian<std::uint64_t>(slot.data() + 8),
                                    .end = Offset{load_little_endian<std::int64_t>(slot.data() + 16)}}};
}

struct Slots {
  std::optional<SlotContents> latest;  // nothing when both are torn
  bool in_turn = true;                 // as every writer leaves them
};

// Numbers go round: a bit that rots in a file whose CRC holds, or one that somebody made up, must not keep the mark where it
// is.
Result<Slots> read_slots(File& file) {
  const Result<std::optional<SlotContents>> first = read_slot(file, 0);
  if (!first) return first.error();
  const Result<std::optional<SlotContents>> second = read_slot(file, kSlotDistance);
  if (!second) return second.error();
  if (!*first || !*second) return Slots{.latest = *first ? *first : *second};
  const auto ahead = static_cast<std::int64_t>((*first)->sequence - (*second)->sequence);
  return Slots{.latest = ahead > 0 ? *first : *second, .in_turn = ahead == 1 || ahead == -1};
}

}  // namespace

Result<std::optional<Offset>> SyncedMark::read(Storage& storage, const std::string& directory) {
  const Result<std::unique_ptr<File>> file = storage.open(directory + "/" + kFileName, OpenMode::read);
  if (!file && file.error() == Errc::not_found) return std::optional<Offset>{};
  if (!file) return file.error();
  const Result<Slots> slots = read_slots(**file);
  if (!slots) return slots.error().with_context(directory);
  return slots->latest ? std::optional{slots->latest->end} : std::nullopt;
}

Result<std::unique_ptr<SyncedMark>> SyncedMark::open(Storage& storage, const std::string& directory, Offset end,
                                                     bool is_as_stopped) {
  Result<std::unique_ptr<File>> file = storage.open(directory + "/" + kFileName, OpenMode::create);
  if (!file) return file.error();
  const Result<Slots> slots = read_slots(**file);
  if (!slots) return slots.error().with_context(directory);
  std::unique_ptr<SyncedMark> mark{new SyncedMark(std::move(*file))};
  if (slots->latest) mark->sequence_ = slots->latest->sequence;
  // Its name is durable. Its last value may not be; what a power cut leaves then is a lower one, and the recovery point is
  // `end`.
  if (is_as_stopped && slots->in_turn && slots->latest && slots->latest->end == end) return mark;
  if (!slots->in_turn) mark->note(end);  // so that both are ours
  if (Result<void> written = mark->write_slot(end); !written) return written.error().with_context(directory);
  if (Result<void> synced = mark->file_->sync(); !synced) return synced.error().with_context(directory);
  if (Result<void> synced = storage.sync_directory(directory); !synced) return synced.error().with_context(directory);
  return mark;
}

Result<void> SyncedMark::write_slot(Offset end) {
  const Slot slot = to_slot({.sequence = sequence_ + 1, .end = end});
  Result<void> written = file_->write_at(sequence_ % 2 == 0 ? kSlotDistance : 0, slot);
  if (written) ++sequence_;
  return written;
}

void SyncedMark::note(Offset end) { static_cast<void>(write_slot(end).has_value()); }

Result<void> SyncedMark::sync_if_due(Instant now) {
  if (now < next_sync_) return {};
  next_sync_ = now + kSyncInterval;
  return file_->sync();
}

Result<void> SyncedMark::make_durable(Offset end) {
  if (Result<void> written = write_slot(end); !written) return written;
  return file_->sync();
}

Result<void> SyncedMark::reset(Offset end) {
  for (int slot = 0; slot < 2; ++slot) {
    if (Result<void> written = write_slot(end); !written) return written;
  }
  return file_->sync();
}

}  // namespace lungo
