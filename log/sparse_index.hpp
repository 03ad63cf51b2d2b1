// A segment's `.index` and `.timeindex`: sorted fixed-size entries, one per some kilobytes of batches, in Kafka's bytes.
//
//   .index      entry = relativeOffset:int32 position:int32        last offset of a batch, and where that batch begins
//   .timeindex  entry = timestamp:int64 relativeOffset:int32       largest timestamp so far, and the last offset of its batch
//
// Big-endian; relative to the segment's base offset; strictly ascending. Source: Kafka's OffsetIndex and TimeIndex.
// Promise: entries are hints. A look-up never fails: what can't be read, or is out of order, is no hint. Who uses one checks it
// against the batch that it finds, and scans the segment when it lies. Entries of zeros at the end are none.
// Threads: one writer; look-ups beside it on any thread. Nothing is held in memory, so that a thousand segments cost nothing: a
// look-up reads blocks of 4 KiB, six at most in a segment of 64 MiB.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <memory>
#include <optional>
#include <string>

#include <lungo/log/storage.hpp>

#include "base/byte_order.hpp"

namespace lungo {

struct OffsetEntry {
  static constexpr std::size_t kBytes = 8;
  std::int32_t relative_offset = 0;
  std::int32_t position = 0;

  [[nodiscard]] std::int64_t key() const { return relative_offset; }
  [[nodiscard]] bool is_zero() const { return relative_offset == 0 && position == 0; }
  static OffsetEntry load(const std::byte* at) {
    return {load_big_endian<std::int32_t>(at), load_big_endian<std::int32_t>(at + 4)};
  }
  void store(std::byte* at) const {
    store_big_endian(at, relative_offset);
    store_big_endian(at + 4, position);
  }
};

struct TimeEntry {
  static constexpr std::size_t kBytes = 12;
  std::int64_t timestamp = 0;
  std::int32_t relative_offset = 0;

  [[nodiscard]] std::int64_t key() const { return timestamp; }
  [[nodiscard]] bool is_zero() const { return timestamp == 0 && relative_offset == 0; }
  static TimeEntry load(const std::byte* at) {
    return {load_big_endian<std::int64_t>(at), load_big_endian<std::int32_t>(at + 8)};
  }
  void store(std::byte* at) const {
    store_big_endian(at, timestamp);
    store_big_endian(at + 8, relative_offset);
  }
};

template <class Entry>
class SparseIndex {
 public:
  /// Opens the file; made when absent, unless the mode is `read`: then an absent file is an index without entries.
  static Result<std::unique_ptr<SparseIndex>> open(Storage& storage, const std::string& path, OpenMode mode) {
    Result<std::unique_ptr<File>> file = storage.open(path, mode);
    if (!file) {
      if (mode == OpenMode::read && file.error() == Errc::not_found) return std::make_unique<SparseIndex>(nullptr);
      return file.error();
    }
    auto index = std::make_unique<SparseIndex>(std::move(*file));
    if (Result<void> sized = index->refresh(); !sized) return sized.error();
    return index;
  }

  explicit SparseIndex(std::unique_ptr<File> file) : file_(std::move(file)) {}

  /// Looks at the file's size again: another process appends to it. Errors: io.
  Result<void> refresh() {
    if (file_ == nullptr) return {};
    const Result<std::uint64_t> size = file_->size();
    if (!size) return size.error();
    count_.store(without_zeros(*size / Entry::kBytes), std::memory_order_release);
    return {};
  }

  [[nodiscard]] std::size_t count() const { return count_.load(std::memory_order_acquire); }

  [[nodiscard]] std::optional<Entry> at(std::size_t index) const {
    std::array<std::byte, Entry::kBytes> bytes{};
    const Result<std::size_t> read = file_->read_at(index * Entry::kBytes, bytes);
    if (!read || *read != bytes.size()) return std::nullopt;
    return Entry::load(bytes.data());
  }

  [[nodiscard]] std::optional<Entry> last() const { return count() == 0 ? std::nullopt : at(count() - 1); }

  using KeyOf = std::int64_t (*)(const Entry&);

  /// The greatest entry whose key is at most `key`; or what else `key_of` takes from an entry and ascends as well.
  [[nodiscard]] std::optional<Entry> find_at_most(
      std::int64_t key, KeyOf key_of = [](const Entry& entry) { return entry.key(); }) const {
    std::array<std::byte, kBlockEntries * Entry::kBytes> bytes{};
    const std::size_t count = this->count();
    std::optional<Entry> found;
    std::size_t begin = 0;
    std::size_t end = (count + kBlockEntries - 1) / kBlockEntries;
    while (begin < end) {
      const std::size_t middle = begin + (end - begin) / 2;
      const std::size_t entries = std::min(kBlockEntries, count - middle * kBlockEntries);
      const std::span<std::byte> block = std::span{bytes}.first(entries * Entry::kBytes);
      const Result<std::size_t> read = file_->read_at(middle * sizeof bytes, block);
      if (!read || *read != block.size()) return std::nullopt;
      const std::size_t above = first_above(block, key, key_of);
      if (above > 0) found = Entry::load(block.data() + (above - 1) * Entry::kBytes);
      if (above == 0) {
        end = middle;
      } else if (above == entries) {
        begin = middle + 1;
      } else {
        break;
      }
    }
    return found;
  }

  /// Adds an entry behind the last. A failure leaves the index without it, which is allowed. Errors: no_space, io.
  Result<void> append(const Entry& entry) {
    std::array<std::byte, Entry::kBytes> bytes{};
    entry.store(bytes.data());
    const std::size_t count = this->count();
    Result<void> written = file_->write_at(count * Entry::kBytes, bytes);
    if (written) count_.store(count + 1, std::memory_order_release);
    return written;
  }

  /// Replaces all entries. Only while nobody looks anything up. Errors: no_space, io; then the index may be shorter or empty.
  Result<void> replace(std::span<const Entry> entries) {
    count_.store(0, std::memory_order_release);
    if (Result<void> emptied = file_->truncate(0); !emptied) return emptied;
    Bytes bytes(entries.size() * Entry::kBytes);
    for (std::size_t i = 0; i < entries.size(); ++i) entries[i].store(bytes.data() + i * Entry::kBytes);
    if (Result<void> written = file_->write_at(0, bytes); !written) return written;
    count_.store(entries.size(), std::memory_order_release);
    return {};
  }

  Result<void> sync() { return file_->sync(); }

 private:
  static constexpr std::size_t kBlockEntries = 4096 / Entry::kBytes;

  // Index of the first entry of the block whose key is above `key`, or their number.
  static std::size_t first_above(BytesView block, std::int64_t key, KeyOf key_of) {
    std::size_t begin = 0;
    std::size_t end = block.size() / Entry::kBytes;
    while (begin < end) {
      const std::size_t middle = begin + (end - begin) / 2;
      if (key_of(Entry::load(block.data() + middle * Entry::kBytes)) <= key) {
        begin = middle + 1;
      } else {
        end = middle;
      }
    }
    return begin;
  }

  // Kafka makes the index of a live segment with room behind its entries: zeros, which are none.
  [[nodiscard]] std::size_t without_zeros(std::size_t count) const {
    const auto is_entry = [this](std::size_t index) {
      const std::optional<Entry> entry = at(index);
      return !entry || !entry->is_zero();
    };
    if (count == 0 || is_entry(count - 1)) return count;
    std::size_t begin = 0;
    while (begin < count) {
      const std::size_t middle = begin + (count - begin) / 2;
      if (is_entry(middle)) {
        begin = middle + 1;
      } else {
        count = middle;
      }
    }
    return begin;
  }

  std::unique_ptr<File> file_;  // null: absent and read-only, no entries
  std::atomic<std::size_t> count_{0};
};

using OffsetIndex = SparseIndex<OffsetEntry>;
using TimeIndex = SparseIndex<TimeEntry>;

}  // namespace lungo
