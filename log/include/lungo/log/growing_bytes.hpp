// Bytes that are written from the front on: room is made without filling it, and the memory is kept when they are cleared.
//
// Threads: one at a time.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <utility>

#include <lungo/log/bytes.hpp>

namespace lungo {

class GrowingBytes {
 public:
  GrowingBytes() = default;
  GrowingBytes(const GrowingBytes& other) { *this = other; }
  GrowingBytes(GrowingBytes&& other) noexcept { *this = std::move(other); }
  GrowingBytes& operator=(const GrowingBytes& other) {
    if (this == &other) return *this;
    size_ = 0;
    make_room(other.size_);
    if (other.size_ > 0) std::memcpy(bytes_.get(), other.bytes_.get(), other.size_);
    size_ = other.size_;
    return *this;
  }
  GrowingBytes& operator=(GrowingBytes&& other) noexcept {
    bytes_ = std::move(other.bytes_);
    capacity_ = std::exchange(other.capacity_, 0);
    size_ = std::exchange(other.size_, 0);
    return *this;
  }
  ~GrowingBytes() = default;

  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] BytesView view() const { return {bytes_.get(), size_}; }
  [[nodiscard]] std::byte* data() { return bytes_.get(); }

  /// Room for `bytes` more; where they are to be written. The bytes that are there move.
  std::byte* make_room(std::size_t bytes) {
    const std::size_t needed = size_ + bytes;
    if (needed > capacity_) {
      const std::size_t capacity = std::max(needed, 2 * capacity_);
      std::unique_ptr<std::byte[]> larger{new std::byte[capacity]};  // not filled
      if (size_ > 0) std::memcpy(larger.get(), bytes_.get(), size_);
      bytes_ = std::move(larger);
      capacity_ = capacity;
    }
    return bytes_.get() + size_;
  }
  /// `end` is one past the last byte that was written into the room.
  void take_to(const std::byte* end) { size_ = static_cast<std::size_t>(end - bytes_.get()); }
  void clear() { size_ = 0; }

 private:
  std::unique_ptr<std::byte[]> bytes_;
  std::size_t capacity_ = 0;
  std::size_t size_ = 0;
};

}  // namespace lungo
