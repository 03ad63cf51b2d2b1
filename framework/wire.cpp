#include <lungo/framework/wire.hpp>

#include <algorithm>

namespace lungo {

void Writer::grow(std::size_t bytes) {
  const std::size_t used = size();
  const std::size_t capacity = std::max(2 * static_cast<std::size_t>(end_ - begin_), used + bytes);
  std::unique_ptr<std::byte[]> larger = std::make_unique_for_overwrite<std::byte[]>(capacity);
  std::memcpy(larger.get(), begin_, used);
  heap_ = std::move(larger);
  begin_ = heap_.get();
  at_ = begin_ + used;
  end_ = begin_ + capacity;
}

// The length takes more than the one byte that was left for it: what follows moves up.
void Writer::widen(std::size_t mark, std::size_t length) {
  std::size_t extra = 0;
  for (std::size_t rest = length >> 7; rest != 0; rest >>= 7) ++extra;
  room(extra);
  std::memmove(begin_ + mark + extra, begin_ + mark, length);
  at_ = begin_ + mark - 1;
  put(length);
  at_ += length;
}

void Writer::fail_depth() {
  throw Exception{Error{Errc::too_large, "an event nests structs deeper than " + std::to_string(kStructDepthMax) + " levels"}};
}

std::uint64_t Reader::long_varint() {
  std::uint64_t value = 0;
  for (int shift = 0; shift < 64; shift += 7) {
    const std::uint8_t next = byte();
    if (failed()) return 0;
    if (shift == 63 && next > 1) break;
    value |= static_cast<std::uint64_t>(next & 0x7f) << shift;
    if (next < 0x80) {
      if (next == 0 && shift > 0) break;
      return value;
    }
  }
  fail("a number with needless bytes or above 64 bits");
  return 0;
}

Result<void> Reader::finish(std::string_view what) {
  if (!failed() && at_ != end_) fail("bytes left over");
  if (!failed()) return {};
  return Error{Errc::undecodable, std::string(what) + ": " + problem_ + " at byte " + std::to_string(problem_at_) + " of " +
                                      std::to_string(end_ - begin_)};
}

}  // namespace lungo
