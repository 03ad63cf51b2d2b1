// Where in a segment file some batches begin: where recent reads ended, so that a reader that goes on needs no index.
//
// Promise: a hint is a batch border of this file, as long as the file is not cut. Who uses one checks the batch that it finds.
// Threads: any. Nobody ever waits: who comes while another looks does without.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <optional>

#include <lungo/log/types.hpp>

namespace lungo {

class PositionHints {
 public:
  [[nodiscard]] std::optional<std::uint64_t> find(Offset offset) const {
    const Turn turn{busy_};
    if (!turn.taken) return std::nullopt;
    for (const Hint& hint : hints_) {
      if (hint.offset == offset) return hint.position;
    }
    return std::nullopt;
  }

  /// Takes the place of the oldest one. Readers in step share one, so that eight can be apart.
  void put(Offset offset, std::uint64_t position) {
    const Turn turn{busy_};
    if (!turn.taken) return;
    for (const Hint& hint : hints_) {
      if (hint.offset == offset) return;
    }
    hints_[oldest_] = {offset, position};
    oldest_ = (oldest_ + 1) % hints_.size();
  }

 private:
  struct Hint {
    Offset offset{-1};
    std::uint64_t position = 0;
  };
  struct Turn {
    explicit Turn(std::atomic_flag& flag) : busy(flag), taken(!flag.test_and_set(std::memory_order_acquire)) {}
    ~Turn() {
      if (taken) busy.clear(std::memory_order_release);
    }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;
    std::atomic_flag& busy;
    const bool taken;
  };

  std::array<Hint, 8> hints_{};
  std::size_t oldest_ = 0;
  mutable std::atomic_flag busy_;
};

}  // namespace lungo
