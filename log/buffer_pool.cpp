#include "buffer_pool.hpp"

#include <algorithm>
#include <bit>

namespace lungo {
namespace {

constexpr std::size_t kBufferBytesMin = 16u << 10;
constexpr std::size_t kKeptBytesMax = 2u << 20;  // a larger buffer is a rare one and is freed
constexpr std::size_t kKeptCountMax = 3;

}  // namespace

BufferPool::BufferPool() : idle_(std::make_shared<Idle>()) {}

std::shared_ptr<Bytes> BufferPool::take(std::size_t size) {
  std::unique_ptr<Bytes> buffer;
  {
    const std::lock_guard lock(idle_->mutex);
    const auto fits = std::find_if(idle_->buffers.begin(), idle_->buffers.end(),
                                   [size](const std::unique_ptr<Bytes>& idle) { return idle->size() >= size; });
    if (fits != idle_->buffers.end()) {
      buffer = std::move(*fits);
      idle_->buffers.erase(fits);
    }
  }
  if (buffer == nullptr) buffer = std::make_unique<Bytes>(std::bit_ceil(std::max(size, kBufferBytesMin)));
  return {buffer.release(), [idle = idle_](Bytes* returned) {
            std::unique_ptr<Bytes> owned{returned};
            if (owned->size() > kKeptBytesMax) return;
            const std::lock_guard lock(idle->mutex);
            if (idle->buffers.size() < kKeptCountMax) idle->buffers.push_back(std::move(owned));
          }};
}

}  // namespace lungo
