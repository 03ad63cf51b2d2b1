// Where the writer says what was acknowledged to it: memory that the power cut does not touch, shared with the test.
//
// What is answered once the cut has begun counts for nothing: a real one takes along who asked. (In the middle of a shutdown
// ext4 lets an fdatasync succeed whose bytes are lost.) So the writer looks at `is_cut` between an answer and its report.
// Threads: each lane's part is written by whoever completes that lane's appends, one at a time, and each number only after what
// it stands for. The test reads the acknowledgements when the writer is dead, the counters at any time.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdio>
#include <new>
#include <stdexcept>
#include <string>

#include "tests/power/lanes.hpp"

namespace lungo::test {

inline constexpr std::uint32_t kAcknowledgedMax = 8192;  // a lane's, in one life: then it rests

struct Acknowledged {
  std::int64_t offset = 0;
  std::uint32_t checksum = 0;
  bool is_synced = false;
};

/// Of a topic that comes and goes; of the others the first three.
enum class Presence : std::uint32_t { unknown, making, there, deleting, gone };

struct LaneReport {
  std::atomic<std::uint32_t> count{0};
  std::atomic<Presence> presence{Presence::unknown};
  std::atomic<std::uint32_t> visit{0};
  std::atomic<std::int64_t> start_asked{0};
  std::atomic<std::int64_t> start{0};
  std::array<Acknowledged, kAcknowledgedMax> acknowledged{};

  void add(Offset offset, std::uint32_t checksum, bool is_synced) {
    const std::uint32_t at = count.load(std::memory_order_relaxed);
    if (at == kAcknowledgedMax) return;
    acknowledged[at] = {offset.value(), checksum, is_synced};
    count.store(at + 1, std::memory_order_release);
  }
};

/// The first thing of its kind that happened.
struct Mishap {
  std::atomic<bool> taken{false};
  std::atomic<bool> happened{false};
  std::array<char, 512> text{};

  void set(const std::string& what) {
    if (taken.exchange(true)) return;
    std::snprintf(text.data(), text.size(), "%s", what.c_str());
    happened = true;
  }
};

struct ReportPage {
  std::atomic<bool> is_cut{false};       // or about to be
  std::atomic<std::uint32_t> synced{0};  // appends acknowledged as such
  Mishap failed;                         // a call answered an error: only a cut is an excuse
  Mishap wrong;                          // has no excuse
  std::array<LaneReport, kLanes.size()> lanes;
};

/// The page, and the descriptor by which a child finds it.
class SharedReport {
 public:
  SharedReport() : SharedReport(::memfd_create("report", 0)) {
    if (::ftruncate(descriptor_, sizeof(ReportPage)) != 0) throw std::runtime_error("no shared memory");
    reset();
  }
  /// A page that somebody else made.
  explicit SharedReport(int descriptor) : descriptor_(descriptor) {
    void* const memory =
        descriptor < 0 ? MAP_FAILED : ::mmap(nullptr, sizeof(ReportPage), PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    if (memory == MAP_FAILED) throw std::runtime_error("no shared memory");
    page_ = static_cast<ReportPage*>(memory);
  }
  ~SharedReport() {
    ::munmap(page_, sizeof(ReportPage));
    ::close(descriptor_);
  }
  SharedReport(const SharedReport&) = delete;
  SharedReport& operator=(const SharedReport&) = delete;

  /// Only while nobody else uses it.
  void reset() { page_ = new (page_) ReportPage; }
  [[nodiscard]] int descriptor() const { return descriptor_; }
  [[nodiscard]] ReportPage& page() const { return *page_; }

 private:
  int descriptor_;
  ReportPage* page_ = nullptr;
};

}  // namespace lungo::test
