#include "next_segment.hpp"

#include <array>

#include "segment.hpp"
#include "segment_directory.hpp"

namespace lungo {
namespace {

constexpr std::array kSuffixes{kLogSuffix, kIndexSuffix, kTimeIndexSuffix};

}  // namespace

std::string NextSegment::path(std::string_view suffix) const {
  return directory_ + "/next" + std::string(suffix) + std::string(kTemporarySuffix);
}

bool NextSegment::want() {
  if (state_.load(std::memory_order_relaxed) != State::none) return false;
  state_.store(State::wanted, std::memory_order_release);
  return true;
}

void NextSegment::make() {
  if (state_.load(std::memory_order_acquire) != State::wanted) return;
  State outcome = State::ready;
  for (const std::string_view suffix : kSuffixes) {
    const Result<std::unique_ptr<File>> file = storage_.open(path(suffix), OpenMode::create);
    if (!file) outcome = State::failed;
    if (!file) break;
    if (suffix == kLogSuffix) static_cast<void>((*file)->preallocate(0, kReservedBytesMin).has_value());
  }
  state_.store(outcome, std::memory_order_release);
}

void NextSegment::take(Offset base) {
  const State state = state_.load(std::memory_order_acquire);
  if (state == State::wanted) return;  // too late for this one, and in time for the one behind it
  if (state == State::ready) {
    for (const std::string_view suffix : kSuffixes) {
      // The segment makes what it does not find.
      static_cast<void>(storage_.rename(path(suffix), directory_ + "/" + segment_file_name(base, suffix)).has_value());
    }
  }
  state_.store(State::none, std::memory_order_relaxed);
}

void NextSegment::remove() {
  if (state_.load(std::memory_order_acquire) == State::none) return;
  for (const std::string_view suffix : kSuffixes) static_cast<void>(remove_if_present(storage_, path(suffix)).has_value());
  state_.store(State::none, std::memory_order_relaxed);
}

}  // namespace lungo
