// The four codecs behind compression.hpp, each in a file of its own, and where their output goes.
#pragma once

#include <array>
#include <memory>
#include <new>
#include <span>

#include "base/compression.hpp"

namespace lungo::codecs {

/// The front of a buffer that grows up to a cap. What lies behind the cap is never written.
class CappedOutput {
 public:
  CappedOutput(Bytes& buffer, std::size_t cap) : buffer_(buffer), cap_(cap) {}

  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] std::size_t left() const { return cap_ - size_; }

  /// The free bytes behind what is there, at least `wanted` or as many as the cap leaves.
  std::span<std::byte> room(std::size_t wanted);
  /// For decoders that stream: at least one byte, at the cap one that does not count, so that a decoder can still show that its
  /// stream is at its end. Where it writes there, overflowed() says so.
  std::span<std::byte> some_room();
  void used(std::size_t bytes);
  [[nodiscard]] bool overflowed() const { return overflowed_; }

 private:
  Bytes& buffer_;
  const std::size_t cap_;
  std::size_t size_ = 0;
  std::array<std::byte, 1> behind_{};
  bool overflowed_ = false;
};

/// A context of a C library: freed by Free, never null.
template <class T, auto Free>
class Context {
 public:
  explicit Context(T* context) : context_(context) {
    if (context == nullptr) throw std::bad_alloc{};
  }
  [[nodiscard]] T* get() const { return context_.get(); }

 private:
  struct Deleter {
    void operator()(T* context) const { Free(context); }
  };
  std::unique_ptr<T, Deleter> context_;
};

Error broken(Compression codec, std::string_view what);
Error above_cap(Compression codec);

// The level has been checked. `out` gets the compressed bytes at its end.
void gzip(BytesView input, Bytes& out, std::optional<int> level);
void snappy(BytesView input, Bytes& out);
void lz4(BytesView input, Bytes& out, std::optional<int> level);
void zstd(BytesView input, Bytes& out, std::optional<int> level);

Result<void> gunzip(BytesView input, CappedOutput& out);
Result<void> unsnappy(BytesView input, CappedOutput& out);
Result<void> unlz4(BytesView input, CappedOutput& out);
Result<void> unzstd(BytesView input, CappedOutput& out);

}  // namespace lungo::codecs
