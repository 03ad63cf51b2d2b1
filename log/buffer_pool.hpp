// Reusable read buffers, so that a read neither allocates nor zero-fills in the steady state.
//
// Threads: any. A buffer goes back when its last owner lets go, also after the pool is gone.
#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include <lungo/log/bytes.hpp>

namespace lungo {

class BufferPool {
 public:
  BufferPool();
  /// A buffer of at least `size` bytes with any contents.
  [[nodiscard]] std::shared_ptr<Bytes> take(std::size_t size);

 private:
  struct Idle {
    std::mutex mutex;
    std::vector<std::unique_ptr<Bytes>> buffers;
  };
  std::shared_ptr<Idle> idle_;
};

}  // namespace lungo
