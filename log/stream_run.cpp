#include "stream_run.hpp"

#include <algorithm>
#include <array>

#include "base/byte_order.hpp"
#include "base/crc32c.hpp"

namespace lungo {
namespace {

constexpr std::uint32_t kMagic = 0x5253474c;  // "LGSR"
constexpr std::uint16_t kVersion = 1;
constexpr std::size_t kHeaderBytes = 36;
constexpr std::size_t kHeaderCrcAt = 32;
constexpr std::size_t kEntryBytes = 12;
constexpr std::size_t kCrcBytes = 4;
constexpr std::size_t kBlockBytes = 4096;
constexpr std::size_t kBlockEntries = (kBlockBytes - kCrcBytes) / kEntryBytes;
constexpr std::size_t kBlockCrcAt = kBlockBytes - kCrcBytes;

std::size_t block_count(std::size_t entries) { return (entries + kBlockEntries - 1) / kBlockEntries; }

// Where the first block begins.
std::size_t blocks_at(std::size_t entries) {
  const std::size_t front = kHeaderBytes + block_count(entries) * kEntryBytes + kCrcBytes;
  return (front + kBlockBytes - 1) / kBlockBytes * kBlockBytes;
}

void store_entry(std::byte* at, const StreamEntry& entry) {
  store_little_endian(at, entry.hash);
  store_little_endian(at + 8, entry.relative_offset);
}

StreamEntry load_entry(const std::byte* at) {
  return {load_little_endian<std::uint64_t>(at), load_little_endian<std::uint32_t>(at + 8)};
}

void store_crc(std::byte* begin, std::byte* at) {
  store_little_endian(at, crc32c({begin, static_cast<std::size_t>(at - begin)}));
}

bool crc_holds(BytesView bytes) {
  const std::size_t at = bytes.size() - kCrcBytes;
  return load_little_endian<std::uint32_t>(bytes.data() + at) == crc32c(bytes.first(at));
}

Bytes encode_run(const StreamRun::Origin& origin, std::span<const StreamEntry> sorted) {
  const std::size_t blocks = block_count(sorted.size());
  const std::size_t first_block = blocks_at(sorted.size());
  Bytes bytes(first_block + blocks * kBlockBytes);
  std::byte* const header = bytes.data();
  store_little_endian(header, kMagic);
  store_little_endian(header + 4, kVersion);
  store_little_endian(header + 8, origin.base.value());
  store_little_endian(header + 16, origin.end.value());
  store_little_endian(header + 24, static_cast<std::uint32_t>(sorted.size()));
  store_little_endian(header + 28, origin.batch_crc);
  store_crc(header, header + kHeaderCrcAt);
  std::byte* const fence = header + kHeaderBytes;
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    std::byte* const block = bytes.data() + first_block + i / kBlockEntries * kBlockBytes;
    if (i % kBlockEntries == 0) store_entry(fence + i / kBlockEntries * kEntryBytes, sorted[i]);
    store_entry(block + i % kBlockEntries * kEntryBytes, sorted[i]);
  }
  store_crc(fence, fence + blocks * kEntryBytes);
  for (std::size_t i = 0; i < blocks; ++i) {
    std::byte* const block = bytes.data() + first_block + i * kBlockBytes;
    store_crc(block, block + kBlockCrcAt);
  }
  return bytes;
}

}  // namespace

Result<void> StreamRun::write(Storage& storage, const std::string& path, const Origin& origin,
                              std::span<const StreamEntry> sorted) {
  const std::string temporary = path + ".tmp";
  const Bytes bytes = encode_run(origin, sorted);
  const Result<std::unique_ptr<File>> file = storage.open(temporary, OpenMode::create);
  if (!file) return file.error();
  Result<void> done = (*file)->truncate(0);
  if (done) done = (*file)->write_at(0, bytes);
  if (done) done = storage.rename(temporary, path);
  if (!done) static_cast<void>(storage.remove(temporary).has_value());  // best effort: the next opening removes it
  return done;
}

Error StreamRun::corrupt(std::string_view what) const { return Error{Errc::corrupt, path_ + ": " + std::string(what)}; }

Result<std::shared_ptr<const StreamRun>> StreamRun::open(Storage& storage, const std::string& path) {
  Result<std::unique_ptr<File>> file = storage.open(path, OpenMode::read);
  if (!file) return file.error();
  std::shared_ptr<StreamRun> run{new StreamRun(path, std::move(*file))};
  if (Result<void> loaded = run->load_header(); !loaded) return loaded.error();
  if (Result<void> loaded = run->load_fence(); !loaded) return loaded.error();
  return std::shared_ptr<const StreamRun>{std::move(run)};
}

Result<void> StreamRun::load_header() {
  std::array<std::byte, kHeaderBytes> header{};
  const Result<std::size_t> read = file_->read_at(0, header);
  if (!read) return read.error();
  if (*read != header.size() || load_little_endian<std::uint32_t>(header.data()) != kMagic || !crc_holds(header)) {
    return corrupt("no header of a stream index");
  }
  const auto version = load_little_endian<std::uint16_t>(header.data() + 4);
  if (version != kVersion) return Error{Errc::newer_format, path_ + " has version " + std::to_string(version)};
  origin_.base = Offset{load_little_endian<std::int64_t>(header.data() + 8)};
  origin_.end = Offset{load_little_endian<std::int64_t>(header.data() + 16)};
  entry_count_ = load_little_endian<std::uint32_t>(header.data() + 24);
  origin_.batch_crc = load_little_endian<std::uint32_t>(header.data() + 28);
  const Result<std::uint64_t> size = file_->size();
  if (!size) return size.error();
  // Before anything is allocated by the count. Every entry is a record, and a segment's offsets fit 32 bits.
  const std::int64_t records = origin_.end - origin_.base;
  if (*size != blocks_at(entry_count_) + block_count(entry_count_) * kBlockBytes || records < 0 ||
      records > std::numeric_limits<std::uint32_t>::max() || static_cast<std::int64_t>(entry_count_) > records) {
    return corrupt("size and counts do not fit");
  }
  return {};
}

Result<void> StreamRun::load_fence() {
  Bytes bytes(block_count(entry_count_) * kEntryBytes + kCrcBytes);
  const Result<std::size_t> read = file_->read_at(kHeaderBytes, bytes);
  if (!read) return read.error();
  if (*read != bytes.size() || !crc_holds(bytes)) return corrupt("fence fails its check");
  fence_.reserve(block_count(entry_count_));
  for (std::size_t i = 0; i < block_count(entry_count_); ++i) fence_.push_back(load_entry(bytes.data() + i * kEntryBytes));
  return {};
}

Result<void> StreamRun::read_block(std::size_t index, std::vector<StreamEntry>& out) const {
  std::array<std::byte, kBlockBytes> block;
  const Result<std::size_t> read = file_->read_at(blocks_at(entry_count_) + index * kBlockBytes, block);
  if (!read) return read.error();
  if (*read != block.size() || !crc_holds(block)) return corrupt("block " + std::to_string(index) + " fails its check");
  const std::size_t count = std::min(kBlockEntries, entry_count_ - index * kBlockEntries);
  for (std::size_t i = 0; i < count; ++i) {
    out.push_back(load_entry(block.data() + i * kEntryBytes));
    if (out.back().relative_offset >= origin_.end - origin_.base) return corrupt("an entry lies outside the run");
  }
  return {};
}

Result<void> StreamRun::find(std::uint64_t hash, Offset begin, Offset end, std::vector<Offset>& out) const {
  begin = std::max(begin, origin_.base);
  end = std::min(end, origin_.end);
  if (begin >= end) return {};
  const StreamEntry first{hash, static_cast<std::uint32_t>(begin - origin_.base)};
  const StreamEntry beyond{hash, static_cast<std::uint32_t>(end - origin_.base)};
  // The block before the first fence above may hold the first hit.
  auto above = std::upper_bound(fence_.begin(), fence_.end(), first);
  auto block = static_cast<std::size_t>(above - fence_.begin());
  if (block > 0) --block;
  std::vector<StreamEntry> entries;
  for (; block < fence_.size() && fence_[block] < beyond; ++block) {
    entries.clear();
    if (Result<void> read = read_block(block, entries); !read) return read;
    for (auto entry = std::lower_bound(entries.begin(), entries.end(), first); entry != entries.end() && *entry < beyond;
         ++entry) {
      out.push_back(origin_.base.plus(entry->relative_offset));
    }
  }
  return {};
}

Result<std::vector<StreamEntry>> StreamRun::entries() const {
  std::vector<StreamEntry> entries;
  entries.reserve(entry_count_);
  for (std::size_t block = 0; block < fence_.size(); ++block) {
    if (Result<void> read = read_block(block, entries); !read) return read.error();
  }
  return entries;
}

}  // namespace lungo
